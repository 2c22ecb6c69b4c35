/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_KFD_H
#define VKFD_KFD_KFD_H

/**
 * DOC: /dev/kfd as the layers above see it
 *
 * A kfd_process is one address space; every open of /dev/kfd in it shares that
 * object, which lives until the address space dies. A call names both the process
 * the file was opened by and the one that calls: if they differ (a fork child with
 * an inherited descriptor), it is -EBADF.
 */
#include <stdint.h>
#include "base/call.h"
#include "machine/machine.h"

struct kfd_driver;
struct kfd_process;

#define KFD_VERSION_MAJOR 1
#define KFD_VERSION_MINOR 17

int kfd_driver_create(struct machine *m, struct kfd_driver **ret_driver);
/* Every process is gone by then. */
void kfd_driver_destroy(struct kfd_driver *kd);

/* Return: 0, -ENOMEM, -ENOSPC (no PASID), -EAGAIN (nobody to evict it). @mc is borrowed until kfd_process_destroy(). */
int kfd_process_create(struct kfd_driver *kd, struct machine_client *mc, int32_t pid,
		       struct kfd_process **ret_process);
/* The program's name, which SMI events tell. Before anybody else knows the process. */
void kfd_process_set_comm(struct kfd_process *p, const char *comm);
/* No call of it is running any more. Destroys queues, then buffers, VMs and events. */
void kfd_process_destroy(struct kfd_process *p);

/**
 * kfd_ioctl() - serve one ioctl
 * @owner: the process that opened the file
 * @caller: the process that calls
 * @cmd: the whole command word: only its number selects, its size is how much is copied
 * @arg: pointer in the program
 *
 * Return: 0 or a negative errno; -VKF_ERESTARTSYS when a signal ended it. The argument block has
 * been copied back in each case, as the kernel does.
 */
int kfd_ioctl(struct kfd_process *owner, struct kfd_process *caller, struct vkf_call *call,
	      uint32_t cmd, uint64_t arg);

/* mmap() of /dev/kfd. Return: 0 or the kernel's errno (-EINVAL, -ENODEV, -ENOMEM, -EBADF). */
int kfd_mmap(struct kfd_process *owner, struct kfd_process *caller, uint64_t offset, uint64_t len,
	     struct machine_map *ret_map);

/* An interrupt of this process's engine. From the interrupt task only.
 * @line: on return a message for the driver's log, or empty. */
void kfd_interrupt(struct kfd_process *p, const struct gpu_irq *irq, char *line, size_t line_len);

/* Who keeps the tree of files is told which there are below kfd/proc: @path is "<pid>/..."; one that ends
 * in a slash is a directory, and is removed when it is empty. Called with locks held; must not wait. */
struct kfd_procfs_ops {
	void (*add)(void *cookie, const char *path);
	void (*remove)(void *cookie, const char *path);
};

/* Before there is a process. */
void kfd_driver_set_procfs(struct kfd_driver *kd, const struct kfd_procfs_ops *ops, void *cookie);
/* What is in the file @name ("vram_4711") of a process. Return: how many bytes, or -ENOENT. */
int kfd_process_file(struct kfd_process *p, const char *name, char *buf, size_t len);

/* Its engine has ended, and nobody told it to: HW_EXCEPTION events of the GPUs that it has queues on, as of
 * a reset. Any task; waits for nothing. */
void kfd_process_engine_lost(struct kfd_process *p);

/* GPU @gpu is reset: begin, every process, end. No lock is held. Queues of a process that was there
 * never run again. */
void kfd_reset_begin(struct kfd_driver *kd, unsigned int gpu);
void kfd_process_reset(struct kfd_process *p, unsigned int gpu);
void kfd_reset_end(struct kfd_driver *kd, unsigned int gpu);
/* It has used bad memory at @va: its queues on the first GPU that has something there never run again,
 * its events tell, and before anybody hears of them @signal sends it a SIGBUS (with the lock of its
 * events held). Only the first time; then nothing more happens. Return: what @signal returned; 0; or
 * -EFAULT when no GPU has anything there. */
int kfd_process_poison(struct kfd_process *p, uint64_t va, int (*signal)(int32_t pid));

/* How often a process was evicted, was brought back, and could not be brought back yet. */
struct kfd_eviction_stat {
	uint64_t n_evicted, n_restored, n_failed;
};

void kfd_driver_evictions(struct kfd_driver *kd, struct kfd_eviction_stat *ret_stat);

/* For vkfd status and live files. */
struct kfd_process_stat {
	uint64_t vram[MACHINE_MAX_GPUS]; /* bytes, as /sys/class/kfd/kfd/proc/<pid>/vram_<gpuid> */
	uint64_t gtt, userptr;           /* bytes */
	unsigned int n_queues, n_events, n_buffers;
	unsigned int queues[MACHINE_MAX_GPUS];
	bool evicted;                    /* the driver keeps its queues stopped, on some GPU at least */
	bool lost;                       /* for good, on some GPU at least: after a reset, or for poison */
	uint64_t n_evictions;            /* how often it began to */
	uint64_t evicted_ns;             /* how long it did, on the GPU where it was longest */
};

void kfd_process_stat(struct kfd_process *p, struct kfd_process_stat *ret_stat);

/* What a queue does, for those who watch. */
enum kfd_queue_state {
	KFD_QUEUE_IDLE,    /* it has run all that it was given */
	KFD_QUEUE_RUNNING,
	KFD_QUEUE_WAITING, /* a packet of it waits for memory to change, or it for its turn on the GPU */
	KFD_QUEUE_STOPPED, /* by the program: it has no ring or no share */
	KFD_QUEUE_EVICTED, /* by the driver */
	KFD_QUEUE_FAULTED, /* it was given up */
};

struct kfd_queue_stat {
	unsigned int id, gpu;
	enum gpu_queue_type type;
	enum kfd_queue_state state;
	uint64_t packets; /* completed */
	uint64_t ring_bytes;
};

/* Call @fn for each queue, in order of id; it takes no lock of rank QUEUE or outer. */
void kfd_process_queues(struct kfd_process *p,
			void (*fn)(void *cookie, const struct kfd_queue_stat *stat), void *cookie);

/* One row of the fidelity report; the same table dispatches. */
enum kfd_fidelity { KFD_FAITHFUL, KFD_PARTIAL, KFD_REFUSED };

struct kfd_feature {
	unsigned int nr;
	const char *name;
	enum kfd_fidelity level;
	const char *note;  /* how it is partial; for REFUSED the errno's name */
};

/* Bits of a node's capability word that would promise what this driver refuses. */
uint32_t kfd_hidden_capability(void);

/* The @index-th row in order of number, or NULL at the end. */
const struct kfd_feature *kfd_feature(unsigned int index);

#endif
