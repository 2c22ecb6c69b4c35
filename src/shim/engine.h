/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ENGINE_H
#define VKFD_SHIM_ENGINE_H

/**
 * DOC: What runs the engine
 *
 * The engine proper (gpu/engine.h) is pure code. Here is what gives it life in a
 * program's address space: a loop, a connection to the driver, sleep without cost
 * while nothing is rung, and memory accesses that survive a page that is gone.
 *
 * engine_start.c (with libc, in the program's thread) prepares a struct engine and
 * starts it; engine_process.c, engine_loop.c, engine_linger.c, engine_door.c,
 * engine_mem.c and engine_libc.c are freestanding: they may run in a process that has
 * no TLS and no libc of its own, and call nothing but each other, gpu/ and sys_raw.h.
 *
 * The loop ends when the driver says quit or closes its end, within ENGINE_LOOK_STEPS
 * steps or at once when it sleeps; the driver learns from the session's connection and
 * from the process's end that the program is gone.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>
#include "gpu/engine.h"
#include "shim/engine_linger.h"

#define ENGINE_LOOK_STEPS  16
#define ENGINE_STACK_BYTES (UINT64_C(256) << 10)
#define ENGINE_ALT_BYTES   (UINT64_C(64) << 10) /* room for the widest registers there are */

/* How the program's doorbell mappings are known to the engine, beside gpu_ctrl.trap: which part of
 * the BAR it is, and a number that changes when the mapping is made anew. */
struct engine_trap {
	_Atomic uint64_t offset;
	_Atomic uint32_t generation;
};

struct engine_traps {
	struct engine_trap trap[GPU_MAX_TRAPS];
	atomic_bool lost; /* a mapping found no room: only polling sees its stores */
};

/* One word in a page of its own, which the engine write-protects together with the doorbells:
 * whoever changes it wakes the engine, and knows no descriptor for it. */
struct engine_poke {
	_Atomic uint32_t seq;
};

enum engine_status { ENGINE_STARTING, ENGINE_RUNNING }; /* negative: an errno */

#define ENGINE_LANDINGS 8

/* struct engine_landing - a store that faulted and was let go, but may not have happened yet */
struct engine_landing {
	uint64_t addr, old, until_ns; /* addr 0: free */
};

struct engine {
	/* filled by the starter */
	struct gpu_ctrl *ctrl;
	uint8_t *bar;
	struct engine_traps *traps;
	struct engine_poke *poke;
	struct gpu_engine *gpu;
	const struct gpu_mem_ops *mem;
	uint64_t session, token;
	struct sockaddr_un sock;
	uint8_t *stack, *alt_stack;
	/* told to the starter, who sleeps on it */
	_Atomic int32_t status;

	/* the engine's own */
	int fd;                             /* to the driver */
	int uffd;                           /* or -1: poll */
	bool exact;                         /* faults tell the very address */
	uint32_t registered[GPU_MAX_TRAPS]; /* the generation that is watched, 0: none */
	bool armed[GPU_MAX_TRAPS];          /* protected: the next store faults */
	bool awaited[GPU_MAX_TRAPS];        /* somebody waits in a store there */
	bool anybody_waits;
	bool poke_armed;
	bool blind;                         /* something is not watched: poll */
	uint32_t cmd_seq;                   /* seen before the last step */
	unsigned int steps;                 /* since the driver was looked at */
	uint64_t last_work_ns, wait_since_ns;
	uint64_t landing_nap_ns;            /* how long the next is, see engine_loop.c */
	unsigned int busy_steps;            /* in a row */
	struct engine_linger linger;
	struct engine_landing landing[ENGINE_LANDINGS];
	uint32_t rings;                     /* taken when it was last asked whether they landed */
};

/* engine_loop.c */
extern const struct gpu_engine_ops engine_ops;
uint64_t engine_now_ns(void *engine);
uint64_t engine_ticks(void *engine);
void engine_wake_interrupt_task(void *engine);
void engine_relax(void *engine);
/* Say hello on @e->fd, a fresh connection. Return: 0 or -errno. */
int engine_hello(struct engine *e);
/* Run until there is no more reason to; the control block says so then. */
void engine_run(struct engine *e);

/* engine_process.c: the first thing the new process does; never returns. */
__attribute__((noreturn)) void engine_process_main(void *engine);
/**
 * engine_clone() - a new process on @stack_top that runs @fn(@arg), which never returns
 *
 * Return: in the caller the process id or -errno.
 */
long engine_clone(unsigned long flags, void *stack_top, void (*fn)(void *), void *arg);

/* engine_door.c */
/* Return: 0, or -errno: the engine polls then. */
int engine_door_open(struct engine *e);
/* Watch what is new, forget what is gone, and make every store to a doorbell fault. */
void engine_door_arm(struct engine *e);
/* Ring for those who wait in a store; sets @e->anybody_waits, and nobody may have to for long. */
void engine_door_take(struct engine *e);
/* Let them go; the other doorbells stay armed. */
void engine_door_let_go(struct engine *e);
/* Let all stores through: the engine looks at the doorbells from now on. */
void engine_door_disarm(struct engine *e);
/* Stores that were let go have landed, or had their time: arming again finds none of them. */
bool engine_door_landed(struct engine *e, uint64_t now);

/* engine_mem.c: accesses that answer -EFAULT by the process's own signal handler. */
extern const struct gpu_mem_ops engine_mem_ops;
/* Where to go on from @ip after a fault; 0: nowhere, it was no access of these. */
uint64_t engine_mem_fixup(uint64_t ip);

#endif
