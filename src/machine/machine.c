/* SPDX-License-Identifier: MIT */
/**
 * DOC: One running machine
 *
 * Bus addresses: system pages begin above the hole below 4 GiB; the VRAM apertures
 * are where the profile put them; doorbell and MMIO pages of all GPUs lie together
 * in the hole. Members of a hive see one another's VRAM in a common space, one
 * segment each.
 */
#include "machine/priv.h"

#include <errno.h>
#include "base/env.h"

#define SYSTEM_BUS_BASE VKF_GIB(4)
#define BAR_BUS_BASE UINT64_C(0xd0000000)

_Static_assert(MACHINE_MAX_GPUS <= GPU_MAX_GPUS, "the control block has a place for every GPU");

static uint64_t ram_bytes(const struct machine_profile *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < p->n_sockets; i++)
		sum += p->sockets[i].ram;
	return sum;
}

/* Segments of a hive are as large as the largest VRAM in it, rounded up to a power of two. */
static uint64_t hive_base(const struct machine_profile *p, unsigned int gpu)
{
	uint64_t segment = VKF_GIB(1);
	unsigned int place = 0;

	if (!p->gpus[gpu].hive_id)
		return 0;
	for (unsigned int i = 0; i < p->n_gpus; i++) {
		if (p->gpus[i].hive_id != p->gpus[gpu].hive_id)
			continue;
		place += i < gpu;
		while (segment < p->gpus[i].vram)
			segment <<= 1;
	}
	return place * segment;
}

static int create_device(struct machine *m, unsigned int gpu)
{
	const struct machine_gpu *g = &m->profile.gpus[gpu];
	struct mm_device_config config = {
		.index = gpu,
		.vram_bytes = g->vram,
		.visible_bytes = g->visible_vram,
		.va_bits = g->asic.va_bits,
		.bar_base = g->bar_base,
		.hive_base = hive_base(&m->profile, gpu),
		.policy = m->profile.knobs.evict,
	};

	return mm_device_create(m->system, &config, &m->devices[gpu]);
}

int machine_create(const struct machine_profile *profile, struct machine **ret_machine)
{
	struct mm_system_config config = {
		.ram_bytes = ram_bytes(profile),
		.system_limit = profile->knobs.system_limit,
		.ttm_limit = profile->knobs.ttm_limit,
		.overcommit = profile->knobs.vram_limit == MACHINE_VRAM_OVERCOMMIT,
		.bus_base = SYSTEM_BUS_BASE,
	};
	struct machine *m = vkf_zalloc(sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->profile = *profile;
	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++)
		machine_vmas_init(&m->vmas[i]);
	r = mm_system_create(&config, &m->system);
	for (unsigned int i = 0; !r && i < profile->n_gpus; i++)
		r = create_device(m, i);
	if (r) {
		machine_destroy(m);
		return r;
	}
	*ret_machine = m;
	return 0;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++) {
		machine_vmas_fini(&m->vmas[i]);
		if (m->devices[i])
			mm_device_destroy(m->devices[i]);
	}
	if (m->system)
		mm_system_destroy(m->system);
	vkf_free(m);
}

const struct machine_profile *machine_profile(const struct machine *m)
{
	return &m->profile;
}

struct mm_system *machine_system(struct machine *m)
{
	return m->system;
}

struct mm_device *machine_device(struct machine *m, unsigned int gpu)
{
	return gpu < m->profile.n_gpus ? m->devices[gpu] : NULL;
}

int machine_gpu_by_id(const struct machine *m, uint32_t gpu_id)
{
	for (unsigned int i = 0; gpu_id && i < m->profile.n_gpus; i++)
		if (m->profile.gpus[i].gpu_id == gpu_id)
			return (int)i;
	return -ENODEV;
}

uint64_t machine_gpu_clock(const struct machine *m)
{
	(void)m;
	return vkf_now_ns() / (1000000 / MACHINE_GPU_CLOCK_KHZ);
}

uint64_t machine_doorbell_offset(unsigned int gpu)
{
	return gpu * GPU_BAR_STRIDE + GPU_BAR_DOORBELLS;
}

uint64_t machine_mmio_offset(unsigned int gpu)
{
	return gpu * GPU_BAR_STRIDE + GPU_BAR_MMIO;
}

uint64_t machine_doorbell_bus(const struct machine *m, unsigned int gpu)
{
	(void)m;
	return BAR_BUS_BASE + machine_doorbell_offset(gpu);
}

uint64_t machine_mmio_bus(const struct machine *m, unsigned int gpu)
{
	(void)m;
	return BAR_BUS_BASE + machine_mmio_offset(gpu);
}
