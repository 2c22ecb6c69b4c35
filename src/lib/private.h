/* SPDX-License-Identifier: MIT */
#ifndef VKFD_LIB_PRIVATE_H
#define VKFD_LIB_PRIVATE_H

/**
 * DOC: libvkfd's objects, as its own files see them
 *
 * A client is an address space inside this process: its regions are mapped here, its
 * descriptors are numbers of a table, and its hardware is stepped by whoever uses it, or
 * by a thread.
 */
#include <pthread.h>
#include "base/handle.h"
#include "base/lock.h"
#include "driver/driver.h"
#include "host/memfd.h"
#include "vkfd/vkfd.h"

struct driver_file;
struct gpu_engine;

#define MAX_CALLS 64

struct vkfd_machine {
	struct driver *driver;
	struct machine_profile profile;
};

enum { CTRL, PT, ARENA, BAR, N_REGIONS };

struct vkfd_client {
	struct vkfd_machine *machine;
	struct driver_client *client;
	struct host_region regions[N_REGIONS];
	struct vkf_mutex lock;             /* rank LEAF; protects @fds and @calls */
	struct vkf_handles fds;            /* of struct driver_file */
	struct vkf_task *calls[MAX_CALLS]; /* tasks inside a call */
	struct vkf_mutex smi_lock;         /* rank CLIENT; protects the next */
	struct vkf_list smis;              /* listeners for SMI events */
	struct gpu_engine *engine;
	void *engine_storage;
	atomic_uint kicks; /* bumped to wake the engine's thread */
	atomic_bool engine_stop;
	pthread_t engine_thread, irq_thread;
	bool engine_runs;
};

/* fd.c: a number for @f, whose reference it takes. Return: it, or -EMFILE, -ENOMEM. */
int lib_fd_install(struct vkfd_client *c, struct driver_file *f);
/* fd.c: the file behind @fd, with a reference; or NULL. */
struct driver_file *lib_fd_lookup(struct vkfd_client *c, int fd);

/* engine.c: of a client whose regions are there. Return: 0 or -ENOMEM. */
int lib_engine_create(struct vkfd_client *c);
/* engine.c: its thread has something to do; @cookie is the client. */
void lib_engine_wake(void *cookie);

#endif
