/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_MACHINE_SIM_H
#define VKFD_TESTS_MACHINE_SIM_H

/**
 * DOC: A whole machine in the simulator
 *
 * The driver (driver/driver.h), the engine (gpu/engine.h) of each process, and the
 * processes themselves, as coroutines of sim/: one thread, virtual time, one seed.
 * A process has an address space of regions and of user memory, an engine from its
 * first queue on, a task that takes its interrupts, and any number of threads that
 * make calls. A signal may hit a call, and the call is then restarted as the kernel
 * does; a process may be killed in the middle of anything.
 *
 * What is watched all the time: every access of an engine must lead to a window of
 * the arena that has not been given back; mm_check() holds whenever no call is
 * inside the memory manager; at the end nothing is left of any process, and no
 * allocation.
 *
 * What goes wrong ends the operating system's process: msim_fail() says what, who
 * waited where, and how to see it again, so nothing here returns errors that a
 * test would have to pass on.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "driver/call.h"
#include "driver/look.h"
#include "gpu/engine.h"
#include "kfd/smi.h"
#include "mm/system.h"
#include "sim/region_sim.h"
#include "sim/sched_sim.h"

#define MSIM_MAX_FILES   16
#define MSIM_MAX_THREADS 4
#define MSIM_MAX_SMI     2
#define MSIM_USER_BYTES  VKF_MIB(64) /* of each thread */
#define MSIM_SCRATCH     VKF_KIB(64) /* at its start: for what calls point to */

struct msim_config {
	uint64_t seed;
	const char *machine; /* a file of machines/, without its ending */
	const char *const *sets;
	unsigned int n_sets;
	/* One in so many; 0: none. Allocations refused, fault points that fire, calls hit by a
	 * signal. */
	unsigned int alloc_odds, fault_odds, signal_odds;
	bool resets;               /* some program resets GPUs */
	unsigned int restore_odds; /* allocations refused, and fault points, in restores */
	unsigned int check_odds;   /* one in so many steps stops the world for a check; 0: none */
	uint64_t max_steps;        /* of the scheduler; 0: no limit */
};

struct msim_counts {
	uint64_t calls, restarts, refused, checks, deaths, faults, accesses;
	uint64_t stops, lost, resets, batches, smi_lines, flights; /* lost: engines given up */
	uint64_t evicted, restored, not_restored;                  /* at the end */
	uint64_t with_evictions; /* of many runs: how many had any */
};

struct msim {
	struct msim_config config;
	struct sim *sim;
	struct machine_profile profile;
	struct driver *driver;
	struct vkf_list processes;
	unsigned int n_processes;         /* ever started */
	unsigned int n_inside;            /* calls that may be inside mm */
	bool checking;                    /* no call may begin */
	bool looking;                     /* nobody may be in mm */
	uint64_t n_live;                  /* allocations not yet freed */
	unsigned int n_mute;              /* processes that do not answer, and nobody knows yet */
	uint64_t last_mute;               /* when the last one ceased to be */
	const struct vkf_task *restoring; /* who brings a process back, NULL: nobody */
	unsigned int resetting;           /* resets under way */
	uint64_t restore_storm;           /* until then most restores fail */
	struct msim_vram *vram;           /* who could reach which page of it */
	struct machine_usage start;
	struct mm_system_usage start_system;
	/* What programs have, or are asking for. */
	uint64_t wanted[MACHINE_MAX_GPUS], wanted_system; /* bytes of VRAM, and of the rest */
	unsigned int wanted_sdma[MACHINE_MAX_GPUS];       /* SDMA queues */
	uint64_t sdma_shortages[MACHINE_MAX_GPUS]; /* how often that was more than there are */
	struct msim_counts n;
};

enum { MSIM_CTRL, MSIM_PT, MSIM_ARENA, MSIM_BAR, MSIM_N_REGIONS };

struct msim_thread {
	struct msim_process *process;
	struct vkf_task *task;
	char name[16];
	void (*fn)(struct msim_thread *t);
	void *arg;
	unsigned char *user; /* its own part of the user memory */
	const char *call;    /* the call it is in, or NULL */
	uint64_t call_since, call_number;
	bool in_call;          /* a signal would reach it */
	uint64_t signalled_at; /* when one did, in this attempt; 0: none did */
	const void *block;     /* of the call */
	size_t block_bytes;
	unsigned int n_injected;   /* failures that were injected into its last call */
	unsigned int n_restarts;   /* of its last call */
	const unsigned char *hole; /* pages of its user memory that are gone for now, or NULL */
	size_t hole_bytes;
};

/* What is known of a process after a reset: nothing runs any more, or that depends. */
enum msim_reset { MSIM_NOT_RESET, MSIM_MAYBE_RESET, MSIM_RESET };

/* struct msim_smi - one descriptor for SMI events, as the other end of its socket */
struct msim_smi {
	struct kfd_smi_sink sink;
	int fd; /* -1: free */
	uint64_t mask;
	char text[KFD_SMI_FIFO_BYTES];
	size_t len;
};

struct msim_process {
	struct msim *m;
	struct vkf_list link;
	int32_t pid;
	char name[16];
	struct sim_region regions[MSIM_N_REGIONS];
	struct sim_region user;
	struct driver_client *client;
	struct mm_client *mm; /* its part of the memory manager, only to know it by */
	struct driver_file *files[MSIM_MAX_FILES];
	struct msim_thread threads[MSIM_MAX_THREADS];
	unsigned int n_threads, n_started;
	bool dying;             /* killed: calls end, threads must too */
	bool closing;           /* its tasks end */
	bool mute;              /* counts in msim.n_mute */
	uint64_t stopped_until; /* SIGSTOP: neither threads nor engine do anything before */
	uint64_t n_stops;
	unsigned int n_sigbus;
	enum msim_reset reset;
	uint64_t reset_ticket;
	struct msim_smi smi[MSIM_MAX_SMI];
	/* the engine */
	struct gpu_engine *engine;
	void *engine_storage;
	struct vkf_task *engine_task;
	bool armed;             /* a doorbell's store would wake it */
	unsigned int n_ringing; /* threads whose store waits to be let through */
	bool engine_left;       /* its loop */
	unsigned int grace;     /* how often a killed engine still does something; 0: no end */
	jmp_buf engine_end;
	uint64_t *gone; /* a bit for each page of the arena that was given back */
	/* interrupts and signals */
	struct vkf_task *irq_task, *signal_task;
	struct msim_thread *signal_to;
	uint64_t signal_call, signal_delay;
	unsigned int signal_storm; /* how many more follow the first */
	void *program;             /* the test's, from malloc(); freed with the process */
	void (*forgotten)(struct msim_process *p); /* by the driver; or NULL */
};

/* The machine of @config, its simulator installed. */
void msim_create(struct msim *m, const struct msim_config *config);
/* Let everybody run to the end, see that all is as it was, and take the machine apart. */
void msim_run(struct msim *m);
void msim_destroy(struct msim *m);

/* A process whose first thread runs @fn. From main or from any thread. */
void msim_start(struct msim *m, const char *name, void (*fn)(struct msim_thread *t), void *arg);
/* Another thread of the same process. */
void msim_thread(struct msim_process *p, void (*fn)(struct msim_thread *t), void *arg);
/* SIGKILL: threads find out at their next call, or in the one that they are in. */
void msim_kill(struct msim_process *p);
/* The same in @delay_ns, if it is still there. */
void msim_kill_later(struct msim_process *p, uint64_t delay_ns);

/* SIGSTOP, and SIGCONT after @ns. */
void msim_stop(struct msim_process *p, uint64_t ns);
/* A task of @p goes no further while it is stopped. */
void msim_hold(struct msim_process *p);
/* The driver has given its engine up. */
bool msim_engine_is_lost(const struct msim_process *p);
/* And it does nothing any more. */
static inline bool msim_engine_has_left(const struct msim_process *p)
{
	return p->engine_left;
}
/* GPU @gpu is reset: no process that is there now runs anything ever again. */
void msim_reset_gpu(struct msim *m, unsigned int gpu);

/* SIGBUS, which is counted, and left at that. For driver_poison(). Return: 0. */
int msim_sigbus(int32_t pid);

/* Return: a descriptor of the process, or a negative errno. */
int msim_open(struct msim_thread *t, unsigned int major, unsigned int minor);
void msim_close(struct msim_thread *t, int fd);
/*
 * Pointers inside the block must lead to the process's user memory. Restarted after a signal.
 * Return: as ioctl(), and -EINTR when the process was killed.
 */
int msim_ioctl(struct msim_thread *t, int fd, unsigned long cmd, void *block);
/* Return: where it is, or NULL with the errno (negative) in *@ret_errno. */
void *msim_mmap(struct msim_thread *t, int fd, uint64_t offset, uint64_t len, int *ret_errno);
/* SMI events that came to @fd, up to @len - 1 bytes of text. Return: how many. */
size_t msim_smi_read(struct msim_thread *t, int fd, char *text, size_t len);
void msim_smi_write(struct msim_thread *t, int fd, uint64_t mask);
/* The hardware, if it is not there yet. */
void msim_start_engine(struct msim_process *p);
/* Store to a doorbell, which lets an engine that sleeps go first. */
void msim_ring(struct msim_thread *t, volatile uint64_t *doorbell, uint64_t value);

/* After each step of a program: now and then everything is checked. */
void msim_step(struct msim_thread *t);
/* Wait until no call is inside mm, and check it. */
void msim_check(struct msim *m);

static inline uint64_t msim_random(struct msim *m, uint64_t bound)
{
	return sim_random(m->sim, bound);
}

/* One in @n; never for 0. */
static inline bool msim_chance(struct msim *m, unsigned int n)
{
	return n && sim_random(m->sim, n) == 0;
}

/* Into the trace, with the time and the task. Print no addresses. */
#define msim_trace(m, ...) sim_trace((m)->sim, __VA_ARGS__)

/* Say what is wrong, who is where, the end of the trace, and how to run it again; then exit(1). */
__attribute__((noreturn)) void msim_fail(struct msim *m, const char *fmt, ...) VKF_PRINTF(2, 3);
/* The command that runs a seed again: "VKFD_SIM_SEED=%u <program>". */
void msim_replay_command(char *out, size_t len, uint64_t seed);

#endif
