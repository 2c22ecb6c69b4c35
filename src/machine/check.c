/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine/fields.h"

struct check {
	const struct machine_profile *m;
	struct machine_err *err;
	char where[32]; /* "gpus[3]" */
};

static uint64_t total_ram(const struct machine_profile *m)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < m->n_sockets; i++)
		bytes += m->sockets[i].ram;
	return bytes;
}

static int check_vram(struct check *c, const struct machine_gpu *gpu)
{
	/* Half of what the chip's own address space holds, so that its GART fits beside it. */
	uint64_t max = UINT64_C(1) << (gpu->asic.va_bits == 40 ? 39 : 44);

	if (!VKF_IS_ALIGNED(gpu->vram, VKF_PAGE_SIZE) ||
	    !VKF_IS_ALIGNED(gpu->visible_vram, VKF_PAGE_SIZE))
		return machine_fail(c->err, c->where, "vram and visible_vram come in 4 KiB pages");
	if (gpu->vram > max)
		return machine_fail(c->err, c->where, "%s has at most %" PRIu64 " GiB of VRAM",
				    gpu->asic.name, max >> 30);
	if (gpu->visible_vram > gpu->vram)
		return machine_fail(c->err, c->where,
				    "visible_vram (%" PRIu64 ") is more than vram (%" PRIu64 ")",
				    gpu->visible_vram, gpu->vram);
	if (gpu->visible_vram < gpu->vram && !VKF_IS_POW2(gpu->visible_vram))
		return machine_fail(c->err, c->where,
				    "visible_vram is a BAR: a power of two, or all of vram");
	return 0;
}

static int check_reach(struct check *c, const struct machine_gpu *gpu)
{
	if (total_ram(c->m) > UINT64_C(1) << gpu->asic.dma_bits)
		return machine_fail(c->err, c->where,
				    "%s reaches %u bits of bus address; the sockets have more RAM",
				    gpu->asic.name, gpu->asic.dma_bits);
	return 0;
}

static int check_pcie(struct check *c, const struct machine_gpu *gpu)
{
	static const unsigned int lanes[] = { 1, 2, 4, 8, 12, 16, 32 };
	static const unsigned int speeds[] = { 25, 50, 80, 160, 320 };
	bool lanes_ok = false, speed_ok = false;

	for (size_t i = 0; i < VKF_ARRAY_SIZE(lanes); i++)
		lanes_ok |= gpu->pcie_lanes == lanes[i];
	for (size_t i = 0; i < VKF_ARRAY_SIZE(speeds); i++)
		speed_ok |= gpu->pcie_gts_x10 == speeds[i];
	if (!lanes_ok)
		return machine_fail(c->err, c->where,
				    "pcie_lanes: expected 1, 2, 4, 8, 12, 16 or 32, got %u",
				    gpu->pcie_lanes);
	if (!speed_ok)
		return machine_fail(c->err, c->where,
				    "pcie_speed: expected 2.5, 5, 8, 16 or 32 GT/s");
	/* KFD passes over such a GPU: its firmware relies on them. */
	if (!gpu->pcie_atomics && gpu->asic.gfx_target < 90000)
		return machine_fail(c->err, c->where, "atomics: %s does not work without them",
				    gpu->asic.name);
	return 0;
}

static int check_cus(struct check *c, const struct machine_gpu *gpu)
{
	const struct machine_asic *a = &gpu->asic;
	unsigned int arrays = a->shader_engines * a->arrays_per_engine;

	if (a->cu_count < arrays || a->cu_count > arrays * a->cu_per_array)
		return machine_fail(c->err, c->where, "cu_count: %s has %u to %u, got %u", a->name,
				    arrays, arrays * a->cu_per_array, a->cu_count);
	return 0;
}

static bool same_slot(const struct machine_gpu *a, const struct machine_gpu *b)
{
	return a->pci_domain == b->pci_domain && a->pci_bus == b->pci_bus &&
	       a->pci_devfn == b->pci_devfn;
}

static int check_identity(struct check *c, unsigned int index)
{
	const struct machine_gpu *gpu = &c->m->gpus[index];

	for (unsigned int i = 0; i < index; i++) {
		if (same_slot(gpu, &c->m->gpus[i]))
			return machine_fail(c->err, c->where, "has the PCI address of gpus[%u]", i);
		if (gpu->unique_id && gpu->unique_id == c->m->gpus[i].unique_id)
			return machine_fail(c->err, c->where, "has the unique_id of gpus[%u]", i);
	}
	return 0;
}

static int check_hive(struct check *c, unsigned int index)
{
	const struct machine_gpu *gpu = &c->m->gpus[index];
	unsigned int members = 0;

	if (!gpu->hive_id)
		return 0;
	if (!gpu->asic.xgmi)
		return machine_fail(c->err, c->where, "%s has no XGMI: it can be in no hive",
				    gpu->asic.name);
	for (unsigned int i = 0; i < c->m->n_gpus; i++) {
		if (c->m->gpus[i].hive_id != gpu->hive_id)
			continue;
		members++;
		if (strcmp(c->m->gpus[i].asic.name, gpu->asic.name))
			return machine_fail(c->err, c->where,
					    "shares a hive with gpus[%u], another chip", i);
	}
	if (members < 2)
		return machine_fail(c->err, c->where, "is alone in its hive: it takes two");
	return 0;
}

static int check_gpu(struct check *c, unsigned int index)
{
	const struct machine_gpu *gpu = &c->m->gpus[index];

	snprintf(c->where, sizeof(c->where), "gpus[%u]", index);
	if (gpu->socket >= c->m->n_sockets)
		return machine_fail(c->err, c->where, "socket: the machine has %u, numbered from 0",
				    c->m->n_sockets);
	if (check_vram(c, gpu) || check_reach(c, gpu) || check_pcie(c, gpu) || check_cus(c, gpu) ||
	    check_identity(c, index))
		return -EINVAL;
	return check_hive(c, index);
}

int machine_check(const struct machine_profile *m, struct machine_err *err)
{
	struct check c = { .m = m, .err = err };

	if (!m->name[0])
		return machine_fail(err, "name", "must not be empty");
	for (unsigned int i = 0; i < m->n_sockets; i++) {
		snprintf(c.where, sizeof(c.where), "sockets[%u]", i);
		if (!VKF_IS_ALIGNED(m->sockets[i].ram, VKF_PAGE_SIZE))
			return machine_fail(err, c.where, "ram comes in 4 KiB pages");
	}
	for (unsigned int i = 0; i < m->n_gpus; i++)
		if (check_gpu(&c, i))
			return -EINVAL;
	return 0;
}
