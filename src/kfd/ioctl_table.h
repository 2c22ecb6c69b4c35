/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_IOCTL_TABLE_H
#define VKFD_KFD_IOCTL_TABLE_H

/**
 * DOC: One row per ioctl number
 *
 * The row says everything about a number: how big the kernel's argument block is,
 * which way it goes, who serves it, and how faithful that is. kfd_ioctl() and
 * kfd_feature() read the same rows.
 *
 * A handler gets the block zero-extended to at least its own size, and what it
 * leaves there goes back to the program whatever it returns. It is called with no
 * lock held.
 */
#include "kfd/kfd.h"

enum kfd_ioctl_dir { KFD_DIR_IN = 1, KFD_DIR_OUT = 2, KFD_DIR_INOUT = 3 };

struct kfd_ioctl_row {
	struct kfd_feature feature; /* number, name, how faithful */
	uint16_t size;
	uint8_t dir;     /* enum kfd_ioctl_dir */
	int (*handler)(struct kfd_process *p, struct vkf_call *call, void *arg);
	/* The block carries its own size: -EINVAL when the program's is shorter. */
	int (*check_size)(const void *arg, size_t user_size);
	uint32_t capability; /* bits of a node's capability word that promise this call */
	bool needs_rights; /* -EACCES without CAP_CHECKPOINT_RESTORE, which no program has here */
};

/* The row of number @nr, or NULL: beyond the table. */
const struct kfd_ioctl_row *kfd_ioctl_row(unsigned int nr);

#endif
