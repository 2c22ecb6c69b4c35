/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_CALL_H
#define VKFD_DRIVER_CALL_H

/**
 * DOC: What a program asks of an open file, and what its hardware asks of the driver
 */
#include "base/call.h"
#include "driver/file.h"

/* Return: 0 or a negative errno; -VKF_ERESTARTSYS when interrupted. A buffer is mapped only by the
 * client whose it is: -EACCES for another's through an inherited render node or a dma-buf, where the
 * kernel would map it. */
int driver_ioctl(struct driver_client *c, struct driver_file *f, struct vkf_call *call,
		 uint32_t cmd, uint64_t arg);
int driver_mmap(struct driver_client *c, struct driver_file *f, uint64_t offset, uint64_t len,
		int prot, int flags, struct machine_map *ret_map);

/* Take the interrupts out of the client's ring, at most as many as it holds; @log is told what the driver's log should say. */
void driver_interrupts(struct driver_client *c, void (*log)(const char *line));

#endif
