/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "driver/file.h"
#include "lib/private.h"
#include "machine/sysfs.h"

/* DRM's own: cards have minors from 0, render nodes from 128. */
#define FIRST_CARD   0
#define FIRST_RENDER 128
#define N_MINORS     64

/* @path is @prefix and a minor of those from @first on, as the kernel writes it. */
static bool is_node(const char *path, const char *prefix, unsigned int first,
		    unsigned int *ret_minor)
{
	size_t len = strlen(prefix);
	char name[64];

	if (strncmp(path, prefix, len))
		return false;
	*ret_minor = (unsigned int)strtoul(path + len, NULL, 10);
	snprintf(name, sizeof(name), "%s%u", prefix, *ret_minor);
	return !strcmp(path, name) && *ret_minor >= first && *ret_minor - first < N_MINORS;
}

static int parse_device(const char *path, unsigned int *ret_major, unsigned int *ret_minor)
{
	if (!strcmp(path, "/dev/kfd")) {
		*ret_major = MACHINE_KFD_MAJOR;
		*ret_minor = 0;
		return 0;
	}
	*ret_major = MACHINE_DRM_MAJOR;
	if (is_node(path, "/dev/dri/renderD", FIRST_RENDER, ret_minor) ||
	    is_node(path, "/dev/dri/card", FIRST_CARD, ret_minor))
		return 0;
	return -ENOENT;
}

int lib_fd_install(struct vkfd_client *c, struct driver_file *f)
{
	unsigned int fd;
	int r;

	vkf_mutex_lock(&c->lock);
	r = vkf_handles_add(&c->fds, f, &fd);
	vkf_mutex_unlock(&c->lock);
	if (r)
		return r == -ENOSPC ? -EMFILE : r;
	return (int)fd;
}

int vkfd_open(struct vkfd_client *c, const char *path)
{
	unsigned int major, minor;
	struct driver_file *f;
	int r = parse_device(path, &major, &minor);

	if (!r)
		r = driver_open(c->client, major, minor, &f);
	if (r)
		return r;
	r = lib_fd_install(c, f);
	if (r < 0)
		driver_file_drop(f);
	return r;
}

struct driver_file *lib_fd_lookup(struct vkfd_client *c, int fd)
{
	struct driver_file *f;

	vkf_mutex_lock(&c->lock);
	f = fd < 0 ? NULL : vkf_handles_find(&c->fds, (unsigned int)fd);
	if (f)
		driver_file_get(f);
	vkf_mutex_unlock(&c->lock);
	return f;
}

int vkfd_dup(struct vkfd_client *from, int fd, struct vkfd_client *to)
{
	struct driver_file *f;
	int r;

	/* While the number stands in the table it is a descriptor, and the file is open. */
	vkf_mutex_lock(&from->lock);
	f = fd < 0 ? NULL : vkf_handles_find(&from->fds, (unsigned int)fd);
	if (f)
		driver_file_share(f);
	vkf_mutex_unlock(&from->lock);
	if (!f)
		return -EBADF;
	r = lib_fd_install(to, f);
	if (r < 0)
		driver_file_drop(f);
	return r;
}

int vkfd_close(struct vkfd_client *c, int fd)
{
	struct driver_file *f = NULL;

	vkf_mutex_lock(&c->lock);
	if (fd >= 0)
		f = vkf_handles_remove(&c->fds, (unsigned int)fd);
	vkf_mutex_unlock(&c->lock);
	if (!f)
		return -EBADF;
	driver_file_drop(f);
	return 0;
}
