/* SPDX-License-Identifier: MIT */
#include "machine/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "machine/asics.h"
#include "machine/fields.h"

/* Below 4 GiB part of the bus is devices, so RAM ends that much higher. */
#define MMIO_HOLE VKF_GIB(4)

static uint64_t ram_end(const struct machine_profile *m)
{
	uint64_t end = MMIO_HOLE;

	for (unsigned int i = 0; i < m->n_sockets; i++)
		end += m->sockets[i].ram;
	return end;
}

/* A BAR is a power of two that holds all it must show. */
static uint64_t bar_size(uint64_t visible)
{
	uint64_t size = VKF_MIB(1);

	while (size < visible)
		size <<= 1;
	return size;
}

static int check_bar(const struct machine_profile *m, unsigned int index, struct machine_err *err)
{
	const struct machine_gpu *gpu = &m->gpus[index];
	char where[32];

	snprintf(where, sizeof(where), "gpus[%u].bar", index);
	if (!VKF_IS_ALIGNED(gpu->bar_base, gpu->bar_bytes))
		return machine_fail(err, where, "must be a multiple of its size, 0x%" PRIx64,
				    gpu->bar_bytes);
	if (gpu->bar_base < ram_end(m))
		return machine_fail(err, where, "lies in RAM, which ends at 0x%" PRIx64,
				    ram_end(m));
	if (gpu->bar_base + gpu->bar_bytes > UINT64_C(1) << 48)
		return machine_fail(err, where, "ends above 48 bits of bus address");
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		const struct machine_gpu *other = &m->gpus[i];

		if (i == index || !other->bar_base ||
		    gpu->bar_base >= other->bar_base + other->bar_bytes ||
		    other->bar_base >= gpu->bar_base + gpu->bar_bytes)
			continue;
		return machine_fail(err, where, "overlaps the one of gpus[%u]", i);
	}
	return 0;
}

/* The lowest free place above RAM, as a root complex gives them out. */
static uint64_t place_bar(const struct machine_profile *m, const struct machine_gpu *gpu)
{
	uint64_t base = VKF_ALIGN_UP(ram_end(m), gpu->bar_bytes);
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned int i = 0; i < m->n_gpus; i++) {
			const struct machine_gpu *other = &m->gpus[i];

			if (!other->bar_base || base >= other->bar_base + other->bar_bytes ||
			    other->bar_base >= base + gpu->bar_bytes)
				continue;
			base = VKF_ALIGN_UP(other->bar_base + other->bar_bytes, gpu->bar_bytes);
			moved = true;
		}
	}
	return base;
}

static int fill_bars(struct machine_profile *m, struct machine_err *err)
{
	for (unsigned int i = 0; i < m->n_gpus; i++)
		m->gpus[i].bar_bytes = bar_size(m->gpus[i].visible_vram);
	for (unsigned int i = 0; i < m->n_gpus; i++)
		if (m->gpus[i].bar_base && check_bar(m, i, err))
			return -EINVAL;
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		if (m->gpus[i].bar_base)
			continue;
		m->gpus[i].bar_base = place_bar(m, &m->gpus[i]);
		if (check_bar(m, i, err))
			return -EINVAL;
	}
	return 0;
}

int machine_fill(struct machine_profile *m, struct machine_err *err)
{
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		m->gpus[i].card_minor = i;
		m->gpus[i].render_minor = 128 + i;
		machine_asic_fill_cwsr(&m->gpus[i].asic);
	}
	machine_fill_gpu_ids(m);
	return fill_bars(m, err);
}

static int load(const char *text, size_t len, const char *const *sets, size_t n_sets,
		struct machine_profile *m, struct machine_err *err)
{
	int e;

	m->socket_distance = 32;
	strcpy(m->knobs.engine, "process");
	e = machine_json_read(text, len, m, err);
	for (size_t i = 0; !e && i < n_sets; i++)
		e = machine_set_apply(m, sets[i], err);
	if (!e)
		e = machine_check(m, err);
	return e ? e : machine_fill(m, err);
}

int machine_profile_load(const char *text, size_t len, const char *const *sets, size_t n_sets,
			 struct machine_profile *ret_profile, char *err, size_t err_len)
{
	struct machine_err report = { .text = err, .len = err_len };
	struct machine_profile *m = vkf_zalloc(sizeof(*m));
	int e;

	if (!m)
		return -ENOMEM;
	if (err_len)
		*err = '\0';
	e = load(text, len, sets, n_sets, m, &report);
	if (!e)
		*ret_profile = *m;
	vkf_free(m);
	return e;
}
