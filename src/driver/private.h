/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_PRIVATE_H
#define VKFD_DRIVER_PRIVATE_H

/**
 * DOC: The driver's objects, as its own files see them
 *
 * Who looks at a client (look.c) holds it without the driver's lock, and whoever ends
 * it waits for him. A file belongs to no client: it outlives the one that opened it.
 */
#include "base/lock.h"
#include "base/ref.h"
#include "driver/driver.h"
#include "driver/file.h"

/* A power of two. A program has about twenty files of a machine with sixteen GPUs. */
#define FILE_BUCKETS 64

struct driver {
	struct machine *machine;
	struct kfd_driver *kfd;
	struct vkf_mutex lock;   /* rank DRIVER; protects all below */
	struct vkf_cond looked;  /* somebody has done with a client: see driver_client.n_looking */
	struct vkf_list clients; /* of driver_client.link, oldest first, which is in order of id */
	struct vkf_list files[FILE_BUCKETS]; /* of driver_file.link, by id */
	uint64_t next_id;
	unsigned int n_clients, n_files;
};

/* What a client's open files are counted as. */
enum { QUOTA_FILES, QUOTA_EXPORTS, N_FILE_QUOTAS };

struct driver_client {
	struct driver *driver;
	struct vkf_list link;   /* protected by driver.lock */
	unsigned int n_looking; /* protected by driver.lock; keeps the client alive */
	atomic_bool going;      /* set with driver.lock: who comes to look now finds nothing in it */
	uint64_t id;
	int32_t pid;
	char comm[16];
	struct machine_client *hw;
	struct vkf_mutex lock;             /* rank CLIENT: making @kfd */
	unsigned int n_open[N_FILE_QUOTAS]; /* protected by driver.lock */
	_Atomic(struct kfd_process *) kfd; /* from the first open of /dev/kfd to the client's end */
};

enum file_kind { FILE_KFD, FILE_RENDER, FILE_CARD, FILE_DMABUF, FILE_SMI };

struct driver_file {
	struct driver *driver;
	struct vkf_ref ref;   /* the open file, and each call under way */
	struct vkf_ref fds;   /* descriptors, see driver_file_drop() */
	struct vkf_list link; /* protected by driver.lock */
	uint64_t id, client;
	enum file_kind kind;
	struct machine_render *render;       /* RENDER, CARD */
	struct machine_dmabuf *dmabuf;       /* DMABUF */
	struct kfd_smi *smi;                 /* SMI; owned */
	_Atomic(struct kfd_process *) owner; /* KFD: NULL once its process is gone */
};

/* file.c: calls on files of /dev/kfd that are of @p fail from here on. The driver is locked. */
void driver_orphan_files(struct driver *d, const struct kfd_process *p) VKF_REQUIRES(d->lock);
/* file.c: open dma-bufs that @client exported. */
unsigned int driver_count_dmabufs(struct driver *d, uint64_t client);

/* look.c: the oldest client younger than @id, held until driver_done_looking(); or NULL. */
struct driver_client *driver_look_after(struct driver *d, uint64_t id);
void driver_done_looking(struct driver *d, struct driver_client *c);

#endif
