/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_SIM_RANDOM_H
#define VKFD_TESTS_SIM_RANDOM_H

/**
 * DOC: What the actions of a random program share
 *
 * An action looks for what it needs, and does nothing where there is none. Whatever it
 * does is legal, or is refused with the one errno that the kernel has for it.
 */
#include "sim_calls.h"

#define MSEC      VKF_NSEC_PER_MSEC
#define HOUR_MS   (3600u * 1000)
#define PROG_PM4  KFD_IOC_QUEUE_TYPE_COMPUTE
#define PROG_AQL  KFD_IOC_QUEUE_TYPE_COMPUTE_AQL
#define PROG_SDMA KFD_IOC_QUEUE_TYPE_SDMA

static inline uint64_t prog_dice(struct prog *pr, uint64_t bound)
{
	return msim_random(pr->m, bound);
}

static inline bool prog_once_in(struct prog *pr, unsigned int n)
{
	return msim_chance(pr->m, n);
}

/* sim_find.c */
const struct prog_config *prog_config_of(const struct prog *pr);
uint32_t prog_longest_ms(const struct prog *pr);
unsigned int prog_random_gpu(struct prog *pr);
uint32_t prog_random_gpus(struct prog *pr);
bool prog_is_idle(const struct prog_buf *b);
bool prog_is_free(const struct prog_buf *b);
bool prog_is_live_and_idle(const struct prog_buf *b);
bool prog_is_mapped_and_idle(const struct prog_buf *b);
bool prog_is_known(const struct prog_buf *b);
struct prog_buf *prog_any_buf(struct prog *pr, bool (*fit)(const struct prog_buf *b));
/* One that runs packets. */
struct prog_queue *prog_any_queue(struct prog *pr, uint32_t type);
/* Whether packets on @gpu can use @b. */
bool prog_sees(unsigned int gpu, const struct prog_buf *b);
/* Two idle buffers that the queue's GPU can copy between; the first may be written. */
bool prog_find_pair(struct prog *pr, const struct prog_queue *q, struct prog_buf **ret_dst,
		    struct prog_buf **ret_src);
/* Of what is known of @src, as much as @dst holds, to anywhere; now and then all there is. */
struct prog_flight *prog_copy_some(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
				   struct prog_buf *src);
void prog_land_all(struct prog *pr);
/* Nothing of the process runs on any GPU any more, or that is not known. */
bool prog_is_lost(const struct prog *pr);

/* sim_batch.c */
void prog_do_batch(struct prog *pr);

/* sim_do_memory.c */
void prog_do_alloc(struct prog *pr);
void prog_do_map(struct prog *pr);
void prog_do_unmap(struct prog *pr);
void prog_do_free(struct prog *pr);
void prog_do_fill(struct prog *pr);
void prog_do_verify(struct prog *pr);
void prog_do_share(struct prog *pr);
void prog_do_available(struct prog *pr);

/* sim_do_queue.c */
void prog_do_queue_create(struct prog *pr);
void prog_do_queue_destroy(struct prog *pr);
void prog_do_queue_stop(struct prog *pr);
void prog_do_queue_update(struct prog *pr);
void prog_do_gws(struct prog *pr);
void prog_do_cu_mask(struct prog *pr);
void prog_do_copy(struct prog *pr);
void prog_do_barrier(struct prog *pr);
void prog_do_land(struct prog *pr);
void prog_do_hold(struct prog *pr);

/* sim_do_event.c */
void prog_do_event_create(struct prog *pr);
void prog_do_event_change(struct prog *pr);
void prog_do_wait(struct prog *pr);
void prog_do_sleep(struct prog *pr);
void prog_do_clock(struct prog *pr);
void prog_do_smi(struct prog *pr);
void prog_do_mistake(struct prog *pr);

/* sim_do_break.c */
void prog_do_vm_fault(struct prog *pr);
void prog_do_bad_packet(struct prog *pr);
void prog_do_unmap_under_copy(struct prog *pr);
void prog_do_page_gone(struct prog *pr);
void prog_do_stop(struct prog *pr);
void prog_do_reset(struct prog *pr);
void prog_do_poison(struct prog *pr);
/* After an action: when the process has been lost, its events must have told. */
void prog_check_lost(struct prog *pr);

#endif
