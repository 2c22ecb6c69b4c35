/* SPDX-License-Identifier: MIT */
#include "kfd/device.h"

#include <errno.h>
#include "base/sched.h"

int kfd_get_version(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_get_version_args *args = arg;

	(void)p;
	(void)call;
	args->major_version = KFD_VERSION_MAJOR;
	args->minor_version = KFD_VERSION_MINOR;
	return 0;
}

/* A GPU that is none just has no GPU clock. */
int kfd_get_clock_counters(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_get_clock_counters_args *args = arg;

	(void)call;
	args->gpu_clock_counter =
		kfd_pdd_by_id(p, args->gpu_id) ? machine_gpu_clock(p->driver->machine) : 0;
	args->cpu_clock_counter = vkf_now_ns();
	args->system_clock_counter = vkf_boot_ns();
	args->system_clock_freq = 1000000000;
	return 0;
}

/* ------------------------------------------------ cache policy */

/* APE1 registers hold bits 16-46 of an address; the limit ends a 64 KiB block. */
#define APE1_FIXED     UINT64_C(0xffff80000000ffff)
#define APE1_LIMIT_LOW UINT64_C(0xffff)

/* Up to gfx8 an alternate aperture has a policy of its own; size 0 turns it off. */
static int set_ape1(struct kfd_pdd *pdd, uint64_t base, uint64_t size)
{
	uint64_t limit = base + size - 1;

	if (size == 0) {
		pdd->ape1_base = 1;
		pdd->ape1_limit = 0;
		return 0;
	}
	if (limit <= base || base & APE1_FIXED || (limit & APE1_FIXED) != APE1_LIMIT_LOW)
		return -EINVAL;
	pdd->ape1_base = base;
	pdd->ape1_limit = limit;
	return 0;
}

static int set_policy_locked(struct kfd_process *p,
			     const struct kfd_ioctl_set_memory_policy_args *args)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);
	int r = 0;

	if (!pdd)
		return -EINVAL;
	if (kfd_pdd_bind(pdd))
		return -ESRCH;
	if (kfd_gpu_profile(p->driver, pdd->gpu)->asic.gfx_target < 90000)
		r = set_ape1(pdd, args->alternate_aperture_base, args->alternate_aperture_size);
	if (r)
		return r;
	pdd->default_policy = args->default_policy;
	pdd->alternate_policy = args->alternate_policy;
	return 0;
}

static bool is_policy(uint32_t v)
{
	return v == KFD_IOC_CACHE_POLICY_COHERENT || v == KFD_IOC_CACHE_POLICY_NONCOHERENT;
}

int kfd_set_memory_policy(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_set_memory_policy_args *args = arg;
	int r;

	(void)call;
	if (!is_policy(args->default_policy) || !is_policy(args->alternate_policy))
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	r = set_policy_locked(p, args);
	vkf_mutex_unlock(&p->lock);
	return r;
}

/* ------------------------------------------------ scratch and trap handler */

int kfd_set_scratch(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_set_scratch_backing_va_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);
	int r;

	(void)call;
	if (!pdd)
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	r = kfd_pdd_bind(pdd);
	if (!r)
		pdd->scratch_va = args->va_addr;
	vkf_mutex_unlock(&p->lock);
	return r;
}

int kfd_set_trap_handler(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_set_trap_handler_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);
	int r = 0;

	(void)call;
	if (!pdd)
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	if (kfd_pdd_bind(pdd)) {
		r = -ESRCH;
	} else {
		pdd->tba = args->tba_addr;
		pdd->tma = args->tma_addr;
	}
	vkf_mutex_unlock(&p->lock);
	return r;
}

/* ------------------------------------------------ tiling */

#define TILE_MODES       32u
#define MACRO_TILE_MODES 16u

/* From gfx9 on the arrays, banks and ranks mean nothing and read as zeros. */
int kfd_get_tile_config(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	static const uint32_t zeros[TILE_MODES];
	struct kfd_ioctl_get_tile_config_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);

	if (!pdd)
		return -EINVAL;
	args->gb_addr_config = kfd_gpu_profile(p->driver, pdd->gpu)->asic.gb_addr_config;
	args->num_banks = 0;
	args->num_ranks = 0;
	args->num_tile_configs = VKF_MIN(args->num_tile_configs, TILE_MODES);
	if (vkf_copy_to_user(call, args->tile_config_ptr, zeros,
			     args->num_tile_configs * sizeof(zeros[0]))) {
		args->num_tile_configs = 0;
		return -EFAULT;
	}
	args->num_macro_tile_configs = VKF_MIN(args->num_macro_tile_configs, MACRO_TILE_MODES);
	if (vkf_copy_to_user(call, args->macro_tile_config_ptr, zeros,
			     args->num_macro_tile_configs * sizeof(zeros[0]))) {
		args->num_macro_tile_configs = 0;
		return -EFAULT;
	}
	return 0;
}

/* ------------------------------------------------ XNACK */

/* Retry can be chosen per process on gfx90a and gfx94x; older gfx9 chips are set up without, and
 * from gfx 10.1.1 on there is none. What has no shared virtual memory does not count. */
static bool can_retry(const struct machine_asic *asic)
{
	switch (asic->gfx_target) {
	case 90010:
	case 90400 ... 90502:
		return true;
	default:
		return asic->gfx_target < 90000;
	}
}

static bool xnack_supported(const struct kfd_process *p)
{
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		if (!can_retry(&kfd_gpu_profile(p->driver, i)->asic))
			return false;
	}
	return true;
}

static int set_xnack_locked(struct kfd_process *p, struct kfd_ioctl_set_xnack_mode_args *args)
{
	if (args->xnack_enabled < 0) {
		args->xnack_enabled = p->xnack;
		return 0;
	}
	if (p->queues.n_used)
		return -EBUSY;
	if (args->xnack_enabled && !p->xnack && !xnack_supported(p))
		return -EPERM;
	p->xnack = args->xnack_enabled;
	return 0;
}

int kfd_set_xnack_mode(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	int r;

	(void)call;
	vkf_mutex_lock(&p->lock);
	r = set_xnack_locked(p, arg);
	vkf_mutex_unlock(&p->lock);
	return r;
}
