/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_SIM_CALLS_H
#define VKFD_TESTS_SIM_CALLS_H

/**
 * DOC: Command words and flags of the calls that simulated programs make
 */
#include <sys/ioctl.h>

#include "kfd/uapi.h"
#include "sim_program.h"

#define NR(n, type)     _IOWR('K', n, type)
#define K_GET_VERSION   NR(0x01, struct kfd_ioctl_get_version_args)
#define K_CREATE_QUEUE  NR(0x02, struct kfd_create_queue_args)
#define K_DESTROY_QUEUE NR(0x03, struct kfd_ioctl_destroy_queue_args)
#define K_CLOCK         NR(0x05, struct kfd_ioctl_get_clock_counters_args)
#define K_UPDATE_QUEUE  NR(0x07, struct kfd_ioctl_update_queue_args)
#define K_CREATE_EVENT  NR(0x08, struct kfd_ioctl_create_event_args)
#define K_DESTROY_EVENT NR(0x09, struct kfd_ioctl_destroy_event_args)
#define K_SET_EVENT     NR(0x0a, struct kfd_ioctl_set_event_args)
#define K_RESET_EVENT   NR(0x0b, struct kfd_ioctl_reset_event_args)
#define K_WAIT_EVENTS   NR(0x0c, struct kfd_ioctl_wait_events_args)
#define K_ACQUIRE_VM    NR(0x15, struct kfd_ioctl_acquire_vm_args)
#define K_ALLOC         NR(0x16, struct kfd_ioctl_alloc_memory_of_gpu_args)
#define K_FREE          NR(0x17, struct kfd_ioctl_free_memory_of_gpu_args)
#define K_MAP           NR(0x18, struct kfd_ioctl_map_memory_to_gpu_args)
#define K_UNMAP         NR(0x19, struct kfd_ioctl_unmap_memory_from_gpu_args)
#define K_INFO_DMABUF   NR(0x1c, struct kfd_ioctl_get_dmabuf_info_args)
#define K_IMPORT_DMABUF NR(0x1d, struct kfd_ioctl_import_dmabuf_args)
#define K_ALLOC_GWS     NR(0x1e, struct kfd_ioctl_alloc_queue_gws_args)
#define K_SMI           NR(0x1f, struct kfd_ioctl_smi_events_args)
#define K_CU_MASK       NR(0x1a, struct kfd_ioctl_set_cu_mask_args)
#define K_AVAILABLE     NR(0x23, struct kfd_ioctl_get_available_memory_args)
#define K_EXPORT_DMABUF NR(0x24, struct kfd_export_dmabuf_args)

#define F(name)      ((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_##name)
#define F_VRAM       F(VRAM)
#define F_GTT        F(GTT)
#define F_USERPTR    F(USERPTR)
#define F_WRITABLE   (UINT32_C(1) << 31) /* the header's overflows an int */
#define F_EXECUTABLE F(EXECUTABLE)
#define F_PUBLIC     F(PUBLIC)
#define F_AQL        F(AQL_QUEUE_MEM)
#define F_COHERENT   F(COHERENT)
#define F_UNCACHED   F(UNCACHED)

#define PROG_GTT_FLAGS (F_WRITABLE | F_EXECUTABLE | F_COHERENT)
/* No packet may take that long. */
#define PROG_SETTLE_NS (UINT64_C(400) * 3600 * 1000 * VKF_NSEC_PER_MSEC)

/* What the parts of a program share. */
uint32_t prog_gpu_id(const struct prog *pr, unsigned int gpu);
/* Whether a lack of VRAM is to be expected. */
bool prog_vram_is_tight(const struct prog *pr, unsigned int gpu);
/* Nothing is known of @b. */
void prog_forget(struct prog_buf *b);
/* @dst has a copy of [@src_at, @src_at + @len) of @src at @dst_at; or @bytes at @at. */
void prog_know_copy(struct prog_buf *dst, uint64_t dst_at, const struct prog_buf *src,
		    uint64_t src_at, uint64_t len);
void prog_know_bytes(struct prog_buf *b, uint64_t at, const unsigned char *bytes, uint64_t len);
/* Unmap and free it, whatever state it is in. */
void prog_drop_buf(struct prog *pr, struct prog_buf *b);
bool prog_injected(const struct prog *pr);
int prog_expect(struct prog *pr, const char *what, int r, int want, bool tight);
bool prog_reaches(const struct prog *pr, const struct prog_buf *b, unsigned int gpu);
unsigned char *prog_user_memory(const struct prog *pr, const struct prog_buf *b);
uint64_t prog_signal_va(const struct prog *pr, unsigned int signal);
bool prog_signal_is_done(const struct prog *pr, const struct prog_flight *f);
unsigned int prog_copy_packet(uint32_t *w, uint64_t dst, uint64_t src, uint64_t len);
bool prog_is_sdma(const struct prog_queue *q);
/* Packets into a ring of SDMA or PM4. Return: false when it takes no more. */
bool prog_put_words(struct prog *pr, struct prog_queue *q, const uint32_t *words, unsigned int n);
/* What follows a flight's packets, and says that they are done. */
bool prog_put_completion(struct prog *pr, struct prog_queue *q, unsigned int signal);
/* A free flight, its signal at 1 and tied to the thread's event; or NULL. */
struct prog_flight *prog_take_flight(struct prog *pr, struct prog_queue *q);
/* It was not submitted, or will never be done: nothing is known of what it writes. */
void prog_forget_flight(struct prog_flight *f);
/* sim_batch.c */
void prog_batch_free(struct prog_batch *batch);
void prog_batch_landed(struct prog *pr, struct prog_batch *batch);
void prog_batch_lost(struct prog_batch *batch);
void prog_batch_refill(struct prog *pr, struct prog_batch *batch);
/* Nothing of the process runs any more, on no GPU; or, when it began in a reset, perhaps. */
bool prog_is_lost(const struct prog *pr);
/* Queues of @gpu run, as far as one can know. */
bool prog_gpu_runs(const struct prog *pr, unsigned int gpu);
bool prog_put_aql(struct prog *pr, struct prog_queue *q, const uint32_t *packet);
bool prog_put_store(struct prog *pr, struct prog_queue *q, unsigned int signal, uint32_t value);
uint64_t prog_signal_value(const struct prog *pr, unsigned int signal);
void prog_ring(struct prog *pr, struct prog_queue *q);
struct prog_flight *prog_barrier(struct prog *pr, struct prog_queue *q,
				 const struct prog_flight *dep);
bool prog_hold(struct prog *pr, struct prog_queue *q, unsigned int signal, uint32_t value);
void prog_release(struct prog *pr, unsigned int signal, uint32_t value);

#endif
