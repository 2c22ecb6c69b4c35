/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_MACHINE_SIM_PRIV_H
#define VKFD_TESTS_MACHINE_SIM_PRIV_H

/**
 * DOC: What the parts of the harness share
 */
#include "machine_sim.h"

/* The hooks of the environment know no machine: there is one at a time. */
extern struct msim *the_msim;

/* Calls that may be inside mm, so that a check can keep them out. */
void msim_enter_mm(struct msim *m);
void msim_leave_mm(struct msim *m);
/* From now on, or not any more, @p answers nobody although nobody knows. */
void msim_set_mute(struct msim_process *p, bool mute);
/* Pages of VRAM, as the engines would find them. @about_to: whose queues may run next, or NULL. */
void msim_vram_create(struct msim *m);
void msim_vram_destroy(struct msim *m);
void msim_check_vram(struct msim *m, const struct mm_client *about_to);
/* A killed or an ending process's engine has left its loop when this returns. */
void msim_end_engine(struct msim_process *p);
/* @t, which is in a call, has a signal from now on. */
void msim_signal(struct msim_thread *t);
/* Pages of the arena that the driver has given back, or that a buffer has again. */
void msim_mark_pages(struct msim_process *p, uint64_t off, uint64_t len, bool gone);

#endif
