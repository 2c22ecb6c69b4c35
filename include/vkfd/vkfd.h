/* SPDX-License-Identifier: MIT */
#ifndef VKFD_VKFD_H
#define VKFD_VKFD_H

/**
 * DOC: libvkfd: a machine with AMD GPUs inside one process
 *
 * The same driver and the same hardware as behind `vkfd run`, without sockets and
 * without a shim: for tests, fuzzers, benchmarks and other emulators. A machine has
 * clients (what processes are to the kernel); a client opens device files and makes
 * the kernel's calls on them, with pointers into this process.
 *
 * Any number of threads may use one machine. Errors are negative errnos; outputs
 * are untouched on failure.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vkfd_machine;
struct vkfd_client;

/**
 * vkfd_machine_open() - build a machine
 * @json, @len: a machine file, vkfd-machine(5)
 * @sets, @n_sets: "key=value" overrides
 * @err: on -EINVAL one line that says what was expected
 *
 * Tasks are threads and time is the monotonic clock, unless the caller has installed another
 * scheduler before. Return: 0, -EINVAL, -ENOMEM.
 */
int vkfd_machine_open(const char *json, size_t len, const char *const *sets, size_t n_sets,
		      struct vkfd_machine **ret_machine, char *err, size_t err_len);
/* Every client is closed by then. */
void vkfd_machine_close(struct vkfd_machine *m);

/* A new address space, named @name, with @pid as its process id. */
int vkfd_client_open(struct vkfd_machine *m, pid_t pid, const char *name,
		     struct vkfd_client **ret_client);
/* As when the process dies: whatever it left open ends, and its engine with it. */
void vkfd_client_close(struct vkfd_client *c);

/* Open "/dev/kfd", "/dev/dri/renderD<N>" or "/dev/dri/card<N>". Return: a descriptor of this client
 * (from 0, lowest free), or -ENOENT, -ENODEV, -EMFILE, -ENOMEM. */
int vkfd_open(struct vkfd_client *c, const char *path);
/* The same open file under another number, in @to (a fork child's inherited descriptor when @to is
 * another client). */
int vkfd_dup(struct vkfd_client *from, int fd, struct vkfd_client *to);
int vkfd_close(struct vkfd_client *c, int fd);

/* Return: 0 or a negative errno, -EINTR when vkfd_interrupt() ended it. A bad @arg is -EFAULT. The
 * descriptor that SMI_EVENTS makes is one of this process's own: read(), write(), poll(), close(). */
int vkfd_ioctl(struct vkfd_client *c, int fd, unsigned long request, void *arg);

/* mmap() of a device. Return: 0 with *@ret_addr, or the kernel's errno. */
int vkfd_mmap(struct vkfd_client *c, void *addr, size_t len, int prot, int flags, int fd,
	      off_t offset, void **ret_addr);

/* lseek() of a dma-buf: its size at SEEK_END, 0 at SEEK_SET; any other offset or place is -EINVAL, and
 * any other file -ESPIPE. */
int64_t vkfd_lseek(struct vkfd_client *c, int fd, int64_t offset, int whence);

/**
 * vkfd_engine_step() - let the hardware of @c do some work, in the calling thread
 *
 * Return: what is left: 0 nothing to do, 1 worked, 2 waiting for memory to change. Interrupts are
 * delivered before it returns. Not while vkfd_engine_start() is in force.
 */
int vkfd_engine_step(struct vkfd_client *c);
/* A thread of its own does it, as fast as work comes, until stopped or the client is closed. */
int vkfd_engine_start(struct vkfd_client *c);
void vkfd_engine_stop(struct vkfd_client *c);

/* A signal arrives at every thread that is inside a call of @c. */
void vkfd_interrupt(struct vkfd_client *c);

/* Verify every invariant of the memory manager; no call may be under way. Return: 0, or -EUCLEAN
 * with a line in @why. */
int vkfd_check(struct vkfd_machine *m, char *why, size_t why_len);

#ifdef __cplusplus
}
#endif

#endif
