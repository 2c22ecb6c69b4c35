/* SPDX-License-Identifier: MIT */
/**
 * DOC: What can be said of a queue besides its ring
 *
 * CU mask, saved waves and global wave sync. No shader runs yet, so a mask only goes
 * into the queue's registers, there are no waves to save, and a queue with GWS is only
 * counted.
 */
#include "kfd/queue.h"

#include <errno.h>
#include "kfd/cu_mask.h"

_Static_assert(KFD_MAX_SHADER_ENGINES == GPU_MAX_ENGINES, "a mask for each engine");

#define MAX_CU_BITS 1024u

/* Compute units work in pairs from gfx10 on, and a pair is on or off as a whole. */
static bool pairs_agree(const uint32_t *mask, uint32_t words)
{
	for (uint32_t i = 0; i < words; i++) {
		if ((mask[i] & 0x55555555u) != (mask[i] >> 1 & 0x55555555u))
			return false;
	}
	return true;
}

static int changed(struct kfd_process *p, const struct kfd_queue *q)
{
	int r;

	vkf_mutex_lock(&p->queue_lock);
	r = kfd_queue_changed(&p->pdds[q->gpu], 0);
	vkf_mutex_unlock(&p->queue_lock);
	return r;
}

static int set_cu_mask_locked(struct kfd_process *p, uint32_t id, const uint32_t *mask,
			      uint32_t words)
{
	struct kfd_queue *q = kfd_queue_find(p, id);
	uint32_t engines[KFD_MAX_SHADER_ENGINES];
	const struct machine_asic *asic;

	if (!q)
		return -EFAULT;
	asic = &kfd_gpu_profile(p->driver, q->gpu)->asic;
	if (asic->gfx_target >= 100000 && !pairs_agree(mask, words))
		return -EINVAL;
	kfd_cu_mask_deal(asic, mask, words * 32, engines);
	machine_queue_set_cu_mask(p->mc, q->slot, engines);
	return changed(p, q);
}

int kfd_set_cu_mask(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_set_cu_mask_args *args = arg;
	uint32_t words = VKF_MIN(args->num_cu_mask, MAX_CU_BITS) / 32;
	uint32_t mask[MAX_CU_BITS / 32];
	int r;

	if (args->num_cu_mask % 32 || args->num_cu_mask == 0)
		return -EINVAL;
	if (vkf_copy_from_user(call, mask, args->cu_mask_ptr, words * sizeof(mask[0])))
		return -EFAULT;
	vkf_mutex_lock(&p->lock);
	r = set_cu_mask_locked(p, args->queue_id, mask, words);
	vkf_mutex_unlock(&p->lock);
	return r;
}

static int get_wave_state_locked(struct kfd_process *p, struct vkf_call *call,
				 struct kfd_ioctl_get_queue_wave_state_args *args)
{
	struct kfd_queue *q = kfd_queue_find(p, args->queue_id);
	struct kfd_wave_state none = { 0 };
	bool running;

	if (!q)
		return -EFAULT;
	vkf_mutex_lock(&p->queue_lock);
	running = q->running;
	vkf_mutex_unlock(&p->queue_lock);
	if (!kfd_queue_computes(q) || running)
		return -EINVAL;
	args->ctl_stack_used_size = 0;
	args->save_area_used_size = 0;
	none.control_stack_offset = q->ctl_stack_bytes;
	none.wave_state_offset = q->ctl_stack_bytes;
	/* gfx8 leaves all of it in the save area. */
	if (kfd_gpu_profile(p->driver, q->gpu)->asic.gfx_target < 90000)
		return 0;
	return vkf_copy_to_user(call, args->ctl_stack_address, &none, sizeof(none));
}

int kfd_get_wave_state(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	int r;

	vkf_mutex_lock(&p->lock);
	r = get_wave_state_locked(p, call, arg);
	vkf_mutex_unlock(&p->lock);
	return r;
}

/* As every change of a queue, under a queue that is stopped: what it has begun with GWS is done before
 * others have it. */
static int set_gws(struct kfd_process *p, struct kfd_queue *q, bool on)
{
	struct kfd_pdd *pdd = &p->pdds[q->gpu];
	int r = 0;

	vkf_mutex_lock(&p->queue_lock);
	if (q->running)
		r = kfd_queues_tell(p, &q->slot, 1, false);
	pdd->gws_queue = on ? q : NULL;
	kfd_queues_count(p, pdd);
	if (q->running)
		(void)kfd_queues_tell(p, &q->slot, 1, true);
	r = kfd_queue_changed(pdd, r);
	vkf_mutex_unlock(&p->queue_lock);
	return r;
}

static int alloc_gws_locked(struct kfd_process *p, struct kfd_ioctl_alloc_queue_gws_args *args)
{
	struct kfd_queue *q = kfd_queue_find(p, args->queue_id);
	struct kfd_pdd *pdd;

	if (!q)
		return -EINVAL;
	if (kfd_gpu_profile(p->driver, q->gpu)->asic.num_gws == 0)
		return -ENODEV;
	args->first_gws = 0;
	pdd = &p->pdds[q->gpu];
	if (args->num_gws)
		return pdd->gws_queue ? -EBUSY : set_gws(p, q, true);
	return pdd->gws_queue == q ? set_gws(p, q, false) : -EINVAL;
}

int kfd_alloc_gws(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	int r;

	(void)call;
	vkf_mutex_lock(&p->lock);
	r = alloc_gws_locked(p, arg);
	vkf_mutex_unlock(&p->lock);
	return r;
}
