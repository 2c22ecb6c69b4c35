/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_KFD_CALLS_H
#define VKFD_TESTS_KFD_CALLS_H

/**
 * DOC: Command words of KFD 1.17, and a program with its GPUs acquired
 *
 * Spelled out here, and not taken from the driver: a test that includes what it
 * tests would agree with it about a wrong number.
 */
#include <drm/drm.h>
#include <linux/kfd_ioctl.h>
#include <sys/ioctl.h>
#include "uapi.h"

/* struct create_queue - as 1.17 has it: two fields longer than 1.11 */
struct create_queue {
	uint64_t ring_base_address, write_pointer_address, read_pointer_address, doorbell_offset;
	uint32_t ring_size, gpu_id, queue_type, queue_percentage, queue_priority, queue_id;
	uint64_t eop_buffer_address, eop_buffer_size, ctx_save_restore_address;
	uint32_t ctx_save_restore_size, ctl_stack_size;
	uint32_t sdma_engine_id, pad;
};

/* struct export_dmabuf - 1.12 */
struct export_dmabuf {
	uint64_t handle;
	uint32_t flags, dmabuf_fd;
};

#define NR(n, type) _IOWR('K', n, type)
#define K_GET_VERSION NR(0x01, struct kfd_ioctl_get_version_args)
#define K_CREATE_QUEUE NR(0x02, struct create_queue)
#define K_DESTROY_QUEUE NR(0x03, struct kfd_ioctl_destroy_queue_args)
#define K_SET_MEMORY_POLICY NR(0x04, struct kfd_ioctl_set_memory_policy_args)
#define K_GET_CLOCK_COUNTERS NR(0x05, struct kfd_ioctl_get_clock_counters_args)
#define K_GET_APERTURES NR(0x06, struct kfd_ioctl_get_process_apertures_args)
#define K_UPDATE_QUEUE NR(0x07, struct kfd_ioctl_update_queue_args)
#define K_CREATE_EVENT NR(0x08, struct kfd_ioctl_create_event_args)
#define K_DESTROY_EVENT NR(0x09, struct kfd_ioctl_destroy_event_args)
#define K_SET_EVENT NR(0x0a, struct kfd_ioctl_set_event_args)
#define K_RESET_EVENT NR(0x0b, struct kfd_ioctl_reset_event_args)
#define K_WAIT_EVENTS NR(0x0c, struct kfd_ioctl_wait_events_args)
#define K_SET_SCRATCH NR(0x11, struct kfd_ioctl_set_scratch_backing_va_args)
#define K_GET_TILE_CONFIG NR(0x12, struct kfd_ioctl_get_tile_config_args)
#define K_SET_TRAP_HANDLER NR(0x13, struct kfd_ioctl_set_trap_handler_args)
#define K_GET_APERTURES_NEW NR(0x14, struct kfd_ioctl_get_process_apertures_new_args)
#define K_ACQUIRE_VM NR(0x15, struct kfd_ioctl_acquire_vm_args)
#define K_ALLOC NR(0x16, struct kfd_ioctl_alloc_memory_of_gpu_args)
#define K_FREE NR(0x17, struct kfd_ioctl_free_memory_of_gpu_args)
#define K_MAP NR(0x18, struct kfd_ioctl_map_memory_to_gpu_args)
#define K_UNMAP NR(0x19, struct kfd_ioctl_unmap_memory_from_gpu_args)
#define K_SET_CU_MASK NR(0x1a, struct kfd_ioctl_set_cu_mask_args)
#define K_GET_WAVE_STATE NR(0x1b, struct kfd_ioctl_get_queue_wave_state_args)
#define K_GET_DMABUF_INFO NR(0x1c, struct kfd_ioctl_get_dmabuf_info_args)
#define K_IMPORT_DMABUF NR(0x1d, struct kfd_ioctl_import_dmabuf_args)
#define K_ALLOC_GWS NR(0x1e, struct kfd_ioctl_alloc_queue_gws_args)
#define K_SMI_EVENTS NR(0x1f, struct kfd_ioctl_smi_events_args)
#define K_SVM NR(0x20, struct kfd_ioctl_svm_args)
#define K_SET_XNACK NR(0x21, struct kfd_ioctl_set_xnack_mode_args)
#define K_CRIU NR(0x22, struct kfd_ioctl_criu_args)
#define K_AVAILABLE NR(0x23, struct kfd_ioctl_get_available_memory_args)
#define K_EXPORT_DMABUF NR(0x24, struct export_dmabuf)

#define F_VRAM (1u << 0)
#define F_GTT (1u << 1)
#define F_USERPTR (1u << 2)
#define F_DOORBELL (1u << 3)
#define F_MMIO (1u << 4)
#define F_CONTIGUOUS (1u << 23)
#define F_COHERENT (1u << 26)
#define F_AQL (1u << 27)
#define F_PUBLIC (1u << 29)
#define F_EXEC (1u << 30)
#define F_WRITE (1u << 31)

#define PAGE 4096ull
#define MIB (1ull << 20)
#define GIB (1ull << 30)
/* Addresses for buffers that nobody else uses, within 40 bits. */
#define VA(n) (0x2000000000ull + (n)*128 * MIB)

/* struct prog - a program that has opened the devices and acquired a VM on each GPU */
struct prog {
	int kfd;
	unsigned int n_gpus;
	uint32_t gpu[UAPI_MAX_GPUS];
	int render[UAPI_MAX_GPUS];
};

/* Opens /dev/kfd only, and learns the ids. */
void prog_open(struct prog *p);
/* And every render node, with its VM. */
void prog_start(struct prog *p);
int acquire_vm(struct prog *p, unsigned int gpu, int fd);

/* 0 or -errno; outputs as the call left them, also on failure. */
int alloc_mem(struct prog *p, unsigned int gpu, uint64_t va, uint64_t size, uint32_t flags,
	      uint64_t *handle, uint64_t *offset);
int free_mem(struct prog *p, uint64_t handle);
int map_gpus(struct prog *p, uint64_t handle, const uint32_t *ids, uint32_t n,
	     uint32_t *n_success);
int unmap_gpus(struct prog *p, uint64_t handle, const uint32_t *ids, uint32_t n,
	       uint32_t *n_success);
int map_one(struct prog *p, uint64_t handle, unsigned int gpu);
int unmap_one(struct prog *p, uint64_t handle, unsigned int gpu);
/* GTT at @va on one GPU, mapped there; the program's view of it in @cpu when not NULL. */
uint64_t gtt(struct prog *p, unsigned int gpu, uint64_t va, uint64_t size, void *cpu);
uint64_t available(struct prog *p, unsigned int gpu);
/* Wait until so much is: what the last descriptor held is given back a moment after it was closed. */
void wait_available(struct prog *p, unsigned int gpu, uint64_t bytes);

/* A descriptor, or -errno; close-on-exec. */
int export_mem(struct prog *p, uint64_t handle);
/* 0 or -errno; *@handle as the call left it. */
int import_mem(struct prog *p, unsigned int gpu, int fd, uint64_t va, uint64_t *handle);

/* An event; asserts that it can be made. Returns its id. */
uint32_t event(struct prog *p, uint32_t type, bool auto_reset);
int set_event(struct prog *p, uint32_t id);
int wait_event(struct prog *p, uint32_t id, uint32_t timeout, uint32_t *result);
/* Give the process an event page of its own on GPU 0. Returns its handle. */
uint64_t event_page(struct prog *p);

/* struct user_queue - what a queue lives on */
struct user_queue {
	struct create_queue args;
	uint64_t ring, pointers, rptr_page, eop, cwsr; /* handles */
	volatile uint64_t *wptr, *rptr;
	volatile uint32_t *ring_cpu;
	volatile uint64_t *doorbell;
};

#define RING_BYTES 65536u

/* Buffers for a queue of @type at VA(@slot), and arguments that CREATE_QUEUE accepts. */
void queue_prepare(struct prog *p, unsigned int gpu, uint32_t type, unsigned int slot,
		   struct user_queue *q);
int queue_create(struct prog *p, struct user_queue *q);
/* And its doorbell mapped. */
void queue_start(struct prog *p, unsigned int gpu, uint32_t type, unsigned int slot,
		 struct user_queue *q);
int queue_destroy(struct prog *p, uint32_t id);

#endif
