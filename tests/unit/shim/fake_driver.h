/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_FAKE_DRIVER_H
#define VKFD_TESTS_FAKE_DRIVER_H

/**
 * DOC: A driver that does nothing but what a test can see
 *
 * It speaks the wire protocol on DIR/sock, in a process of its own, and keeps
 * count. Its tree (DIR/root) has a device of each kind, a few files, links and a
 * live file. Its ioctls:
 *
 *	GET_VERSION         writes 1.17
 *	GET_CLOCK_COUNTERS  adds 1 to gpu_clock_counter and writes the block back
 *	WAIT_EVENTS         reads the array; waits @timeout ms or until cancelled; writes the
 *	                    array back with all bits flipped; wait_result 1 in time, 2 cancelled
 *	MAP_MEMORY          reads the ids; n_success = how many, handle = their sum
 *	SET_CU_MASK         reads the words; -ENOSPC when it got them all
 *	ACQUIRE_VM          writes the file number behind drm_fd to gpu_id
 *	APERTURES_NEW       fills the array with 0x5a
 *	DESTROY_QUEUE       never answers
 *	CREATE_QUEUE        answers 0
 *	EXPORT_DMABUF       makes a file: a dma-buf of FAKE_DMABUF_BYTES and inode @handle;
 *	                    its claim is refused for @handle 2, and cut off for 3
 *	DRM VERSION         "fake", "0", and a description
 *	others              -ENOTTY
 *
 * mmap: offset bits 63:62 = 0 the arena, 3 the first GPU's doorbells (not copied by
 * fork), 2 the control block; 1 -EINVAL.
 *
 * QUERY "counts" answers struct fake_counts; "file:/sys/class/kfd/live" a number that grows.
 */
#include <stdint.h>
#include <sys/types.h>

#define FAKE_KFD_MAJOR   240
#define FAKE_ARENA_BYTES (UINT64_C(1) << 40)
#define FAKE_DMABUF_BYTES UINT64_C(0x345000)

struct fake_counts {
	uint32_t sessions, files, engines;       /* open now */
	uint32_t opened, calls, cancels, idents, nops; /* ever */
};

struct fake_driver {
	pid_t pid;
	int lifetime; /* the driver ends when this is closed */
	char dir[64];
};

/* Make a directory with a tree in it and start a driver on it. Return: 0 or -1. */
int fake_driver_start(struct fake_driver *d);
/* End it and remove the directory. */
void fake_driver_stop(struct fake_driver *d);

#endif
