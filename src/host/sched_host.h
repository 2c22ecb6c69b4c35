/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_SCHED_HOST_H
#define VKFD_HOST_SCHED_HOST_H

/**
 * DOC: Tasks as threads
 *
 * The back end of base/sched.h for a real machine: a task is a pthread, time is
 * CLOCK_MONOTONIC (CLOCK_BOOTTIME for programs to read), parking is a private futex.
 *
 * A thread that vkf_spawn() did not make is a task as well, from its first call
 * to its end; nobody may keep its vkf_task longer. Spawned threads have a small
 * stack (256 KiB) and every signal blocked, so that a process's signals go where
 * its owner wants them; the first 15 bytes of the name show in /proc.
 */

void host_sched_install(void);

#endif
