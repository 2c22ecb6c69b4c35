/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_LOOK_H
#define VKFD_DRIVER_LOOK_H

/**
 * DOC: All clients, looked at from outside; and what is injected
 *
 * None of it holds the driver's lock while it looks, so nobody who comes or goes waits
 * for an engine that does not answer; but who ends a client waits for whoever looks at it.
 */
#include "driver/driver.h"
#include "kfd/kfd.h"
#include "machine/sysfs.h"

struct driver_client_stat {
	uint64_t id;
	int32_t pid;
	char comm[16];
	unsigned int n_dmabufs; /* open files of dma-bufs that it exported */
	bool has_kfd;
	struct kfd_process_stat kfd;
};

/* Call @fn, with no lock held, for each client, oldest first. Waits for a call that changes a
 * client's queues, so it may take as long as an engine that does not answer is waited for. */
void driver_for_each_client(struct driver *d,
			    void (*fn)(void *cookie, const struct driver_client_stat *stat),
			    void *cookie);

struct mm_client;
typedef void (*driver_mm_fn)(void *cookie, int32_t pid, const char *comm, struct mm_client *mm);
/* The same with each client's memory, which stays for the time of the call; one that is ending is
 * left out. */
void driver_for_each_mm(struct driver *d, driver_mm_fn fn, void *cookie);
/* Call @fn for each queue of the client with that id, if it still is there. Waits as the one before;
 * @fn takes no lock. */
void driver_for_each_queue(struct driver *d, uint64_t client,
			   void (*fn)(void *cookie, const struct kfd_queue_stat *stat), void *cookie);

/* Tell of all clients and queues that are there, as if they began now. */
void driver_trace_begin(struct driver *d);
/* Tell on what engines told, at most @max records of each; when tracing has just begun or ended, let
 * them know. */
void driver_trace_drain(struct driver *d, unsigned int max);
unsigned int driver_n_clients(struct driver *d);
void driver_usage(struct driver *d, struct machine_usage *ret_usage);
/* Files below kfd/proc, see kfd/kfd.h. Before there is a client. */
void driver_set_procfs(struct driver *d, const struct kfd_procfs_ops *ops, void *cookie);
/* What is in the file @name of process @pid there. May wait for an engine. Return: how many bytes, or
 * -ENOENT. */
int driver_proc_file(struct driver *d, int32_t pid, const char *name, char *buf, size_t len);
/* GPU @gpu is reset, with all that follows for whoever is there. Waits for engines. Return: 0, or -ENODEV. */
int driver_reset_gpu(struct driver *d, unsigned int gpu);
/* The client @pid has used bad memory at @va; @signal sends it a SIGBUS, and takes no lock. Return: 0;
 * -ESRCH: no client of KFD has this pid; -EFAULT: none of its GPUs has anything there; or what @signal
 * returned. */
int driver_poison(struct driver *d, int32_t pid, uint64_t va, int (*signal)(int32_t pid));
void driver_evictions(struct driver *d, struct kfd_eviction_stat *ret_stat);

#endif
