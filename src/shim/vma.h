/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_VMA_H
#define VKFD_SHIM_VMA_H

/**
 * DOC: What the kernel says of the program's address space
 *
 * The areas of this address space, with ascending addresses, each as the kernel has
 * it: nothing is touched, so a range of any size costs what its areas cost, and no
 * memory. Asked of /proc/self/maps: by PROCMAP_QUERY (Linux 6.11), which finds an
 * area without looking at those before it, otherwise from its text.
 *
 * The answer may be old when it is used: another thread can unmap meanwhile.
 */
#include <stdbool.h>
#include <stdint.h>

struct vma {
	uint64_t start, end; /* half open */
	bool readable, writable;
	uint32_t major, minor; /* of the file that is mapped; @inode 0: none */
	uint64_t inode;
};

struct vma_reader {
	int fd;
	bool text;           /* there is no PROCMAP_QUERY */
	uint32_t at, len;    /* of @buf: what was read, and not yet looked at */
	struct vma last;     /* text: the area that was read last */
	char buf[4096];
};

/* Return: 0, or -errno where there is no /proc; @as_text: do not try PROCMAP_QUERY. */
int vma_open(struct vma_reader *r, bool as_text);
void vma_close(struct vma_reader *r);
/**
 * vma_find() - the area that holds @addr, or the first above it
 * @addr: not less than in the call before
 *
 * Return: 0 with @ret filled, -ENOENT: there is none, or what reading said.
 */
int vma_find(struct vma_reader *r, uint64_t addr, struct vma *ret);

#endif
