/* SPDX-License-Identifier: MIT */
#include "kfd/aperture.h"

#include <errno.h>
#include "base/env.h"
#include "kfd/process.h"

/* AMDGPU_VA_RESERVED_*: nothing below this, and three areas below the top. */
#define RESERVED_BOTTOM UINT64_C(0x10000)
#define RESERVED_CSA    VKF_MIB(2)
#define RESERVED_SEQ64  VKF_MIB(2)
#define RESERVED_TRAP   VKF_KIB(64)
#define LOW_CWSR        UINT64_C(0x2000) /* before gfx9 */
#define USER_VA_BITS    47

struct fixed_apertures {
	uint64_t lds_base, lds_limit, scratch_base, scratch_limit;
};

static const struct fixed_apertures gfx9 = {
	.lds_base = UINT64_C(0x0001000000000000),
	.lds_limit = UINT64_C(0x00010000ffffffff),
	.scratch_base = UINT64_C(0x0002000000000000),
	.scratch_limit = UINT64_C(0x00020000ffffffff),
};

static const struct fixed_apertures gfx8 = {
	.lds_base = UINT64_C(0x2000000000000000),
	.lds_limit = UINT64_C(0x20000000ffffffff),
	.scratch_base = UINT64_C(0x2000000100000000),
	.scratch_limit = UINT64_C(0x20000001ffffffff),
};

static bool is_gfx9(const struct machine_asic *asic)
{
	return asic->gfx_target >= 90000;
}

void kfd_aperture_fill(const struct machine_gpu *gpu, struct kfd_process_device_apertures *ret_a)
{
	const struct fixed_apertures *f = is_gfx9(&gpu->asic) ? &gfx9 : &gfx8;
	unsigned int bits = VKF_MIN(gpu->asic.va_bits, USER_VA_BITS);

	*ret_a = (struct kfd_process_device_apertures){
		.lds_base = f->lds_base,
		.lds_limit = f->lds_limit,
		.scratch_base = f->scratch_base,
		.scratch_limit = f->scratch_limit,
		.gpuvm_base = RESERVED_BOTTOM,
		.gpuvm_limit = (UINT64_C(1) << bits) - 1,
		.gpu_id = gpu->gpu_id,
	};
}

uint64_t kfd_aperture_cwsr(const struct machine_asic *asic)
{
	if (!is_gfx9(asic))
		return LOW_CWSR;
	return (UINT64_C(1) << asic->va_bits) - RESERVED_CSA - RESERVED_SEQ64 - RESERVED_TRAP;
}

int kfd_get_apertures(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_get_process_apertures_args *args = arg;
	unsigned int n = VKF_MIN(p->n_pdds, (unsigned int)NUM_OF_SUPPORTED_GPUS);

	(void)call;
	for (unsigned int i = 0; i < n; i++)
		kfd_aperture_fill(kfd_gpu_profile(p->driver, i), &args->process_apertures[i]);
	args->num_of_nodes = n;
	return 0;
}

int kfd_get_apertures_new(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_get_process_apertures_new_args *args = arg;
	const struct machine_profile *m = machine_profile(p->driver->machine);
	struct kfd_process_device_apertures a[MACHINE_MAX_GPUS];
	unsigned int n;

	if (args->num_of_nodes == 0) {
		args->num_of_nodes = p->n_pdds;
		return 0;
	}
	/* CPUs count as devices of the topology, too. */
	if (args->num_of_nodes > m->n_sockets + m->n_gpus)
		return -EINVAL;
	n = VKF_MIN(p->n_pdds, args->num_of_nodes);
	for (unsigned int i = 0; i < n; i++)
		kfd_aperture_fill(&m->gpus[i], &a[i]);
	args->num_of_nodes = n;
	return vkf_copy_to_user(call, args->kfd_process_device_apertures_ptr, a, n * sizeof(a[0]));
}
