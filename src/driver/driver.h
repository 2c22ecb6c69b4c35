/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_DRIVER_H
#define VKFD_DRIVER_DRIVER_H

/**
 * DOC: The driver without a transport
 *
 * What the daemon and the library have in common: a machine, its KFD, the open
 * files of its devices, and the clients (address spaces) that call. Who serves a
 * call is a task of base/sched.h; any number of them may be inside at once.
 *
 * A client's id and a file's id are never used twice.
 */
#include <stdint.h>
#include <sys/types.h>
#include "base/call.h"
#include "kfd/kfd.h"
#include "kfd/smi.h"
#include "machine/dmabuf.h"
#include "machine/machine.h"
#include "machine/sysfs.h"

struct driver;
struct driver_client;
struct driver_file;

int driver_create(const struct machine_profile *profile, struct driver **ret_driver);
/* Every client and file is gone. */
void driver_destroy(struct driver *d);
struct machine *driver_machine(struct driver *d);

struct driver_client_config {
	int32_t pid;
	const char *comm;
	struct machine_regions regions;
};

/* A new address space. Return: 0, -ENOMEM, -EINVAL. */
int driver_client_create(struct driver *d, const struct driver_client_config *config,
			 struct driver_client **ret_client);
/* The address space is gone or going: calls that are still served wait for its engine no longer. */
void driver_client_gone(struct driver_client *c);
/* The address space is gone, and no call of it is being served any more: all that it had ends. Waits
 * for whoever looks at it (driver_for_each_client()), and for no engine. */
void driver_client_destroy(struct driver_client *c);
uint64_t driver_client_id(const struct driver_client *c);

/**
 * driver_open() - open a character device
 *
 * Return: 0; -ENODEV or -ENXIO: no such device; -ENOMEM; -ENOSPC: no PASID left; -EMFILE: the client
 * has too many files.
 */
int driver_open(struct driver_client *c, unsigned int major, unsigned int minor,
		struct driver_file **ret_file);
/* An open file of @dmabuf, which takes a reference of its own. Return: 0, -ENOMEM, or -EMFILE: the
 * client has too many exports. */
int driver_open_dmabuf(struct driver_client *c, struct machine_dmabuf *dmabuf,
		       struct driver_file **ret_file);
/* An open file through which @smi is read, which is its from now on. No call names it. Return: 0;
 * -ENOMEM, or -EMFILE: the client has too many files; @smi is still the caller's. */
int driver_open_smi(struct driver_client *c, struct kfd_smi *smi, struct driver_file **ret_file);
/* The last descriptor of it was closed. */
void driver_close(struct driver_file *f);
/* For transports that count descriptors themselves: one more, and one less, which may be the last. */
void driver_file_share(struct driver_file *f);
void driver_file_drop(struct driver_file *f);
uint64_t driver_file_id(const struct driver_file *f);
/* The client that opened it, by id. */
uint64_t driver_file_client(const struct driver_file *f);
/* A reference to an open file by its id, for the time of a call; NULL when there is none. */
struct driver_file *driver_file_lookup(struct driver *d, uint64_t id);
void driver_file_get(struct driver_file *f);
void driver_file_put(struct driver_file *f);
/* Borrowed, or NULL when it is no render node. */
struct machine_render *driver_file_render(struct driver_file *f);
/* Borrowed, or NULL when it is no dma-buf. */
struct machine_dmabuf *driver_file_dmabuf(struct driver_file *f);
/* Borrowed, or NULL when it is not for SMI events. */
struct kfd_smi *driver_file_smi(struct driver_file *f);

/* Return: 0 or a negative errno; -VKF_ERESTARTSYS when interrupted. A buffer is mapped only by the
 * client whose it is: -EACCES for another's through an inherited render node or a dma-buf, where the
 * kernel would map it. */
int driver_ioctl(struct driver_client *c, struct driver_file *f, struct vkf_call *call,
		 uint32_t cmd, uint64_t arg);
int driver_mmap(struct driver_client *c, struct driver_file *f, uint64_t offset, uint64_t len,
		int prot, int flags, struct machine_map *ret_map);

/* Take the interrupts out of the client's ring, at most as many as it holds; @log is told what the driver's log should say. */
void driver_interrupts(struct driver_client *c, void (*log)(const char *line));

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
unsigned int driver_n_files(struct driver *d);
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
