/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_ASICS_H
#define VKFD_MACHINE_ASICS_H

/**
 * DOC: The chips a machine file may name
 *
 * Each is what Linux 6.12 knows of the chip, from its own tables (kfd_device.c,
 * kfd_crat.c, gfx_v8_0.c, gfx_v9_0.c) and from real boards' topology; what a board
 * changes (disabled CUs, clocks, firmware) the machine file overrides.
 */
#include "machine/profile.h"

/* The preset called @name, or NULL. */
const struct machine_asic *machine_asic_find(const char *name);
/* Names of all presets, NULL-terminated. */
extern const char *const machine_asic_names[];

/* Compute what CREATE_QUEUE wants of a chip with this many CUs: @eop_bytes, @cwsr_bytes,
 * @ctl_stack_bytes. kfd_queue_ctx_save_restore_size() of Linux 6.12. */
void machine_asic_fill_cwsr(struct machine_asic *asic);

/* VRAM and caches are checked for errors. */
bool machine_asic_has_ecc(const struct machine_asic *asic);

/* Which CUs of shader array (@engine, @array) work, one bit each. */
uint32_t machine_asic_cu_mask(const struct machine_asic *asic, unsigned int engine,
			      unsigned int array);

#endif
