/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_FILE_H
#define VKFD_DRIVER_FILE_H

/**
 * DOC: Open files
 *
 * What open() of a device gives, or a call that gives a descriptor. A file is open as
 * long as a descriptor leads to it, and each call under way holds it as well: so it may
 * outlive the client that opened it.
 */
#include "driver/driver.h"
#include "kfd/smi.h"
#include "machine/dmabuf.h"

struct driver_file;

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
unsigned int driver_n_files(struct driver *d);

#endif
