/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ENGINE_START_H
#define VKFD_SHIM_ENGINE_START_H

/**
 * DOC: Starting the engine
 *
 * Done once per session, before the first queue is made: as a process of its own in
 * this address space, or as a thread where that is asked for or a process is refused
 * (said once on stderr). Without one, queues are accepted and never run.
 *
 * The process is cloned twice, so that the program has no child that it did not make.
 */
#include <stddef.h>
#include <stdint.h>

struct session;

void engine_ensure(struct session *s);
/* The program has the doorbells at @offset of the BAR mapped at [addr, addr + len): the engine
 * watches them from the time this returns, or polls if it cannot. */
void engine_trap(struct session *s, uint64_t addr, uint64_t len, uint64_t offset);

#endif
