/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UAPI_H
#define VKFD_TESTS_UAPI_H

/**
 * DOC: The kernel's calls, by whichever way
 *
 * Each test is written once against these and runs twice: through libvkfd in this
 * process (uapi_lib.c), and with plain system calls on /dev/kfd and /dev/dri under
 * `vkfd run --` (uapi_shim.c). There every test has a process of its own.
 *
 * Every function that returns an int gives 0 or a negative errno, descriptors
 * apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#define UAPI_MAX_GPUS 16

/* A machine by name, with overrides; called once at the start of a test that does not want the
 * default (two MI210). False: this way cannot have it here; the test is skipped. */
bool uapi_machine(const char *name, const char *const *sets, size_t n_sets);

int uapi_open_kfd(void);
int uapi_open_render(unsigned int gpu);
int uapi_open_card(unsigned int gpu);
int uapi_dup(int fd);
int uapi_close(int fd);
int uapi_ioctl(int fd, unsigned long cmd, void *arg);
int uapi_mmap(void *addr, size_t len, int prot, int flags, int fd, uint64_t offset, void **ret);
/* lseek(): the new position, or a negative errno. */
int64_t uapi_lseek(int fd, int64_t offset, int whence);
/* From now on some hundred descriptors at most, where there can be more. */
void uapi_few_descriptors(void);
/* @fn in another address space that has inherited @fd; returns what it returned. */
int uapi_in_child(int (*fn)(int fd), int fd);
/* A signal comes in @ms milliseconds: what sleeps in a call gets -EINTR. */
void uapi_signal_in(unsigned int ms);
/* Where the shim answers before the driver, and not in the kernel's order, a test says so and is
 * skipped there: docs/FIDELITY.md lists these. */
bool uapi_through_shim(void);
#define UAPI_SHIM_DIFFERS()                                                                        \
	do {                                                                                       \
		if (uapi_through_shim())                                                           \
			skip();                                                                    \
	} while (0)
/* Arm a fault, "point:key=value,..."; false where that cannot be. Gone after the test, or with
 * NULL. */
bool uapi_fault(const char *spec);
/* Let the hardware run, where it does not by itself. */
void uapi_run_engine(void);
/* Ids of the GPUs, as the apertures tell them. Return: how many. */
unsigned int uapi_gpus(int kfd, uint32_t ids[UAPI_MAX_GPUS]);

/* What a back end runs each test between. */
int uapi_group(const char *name, const struct CMUnitTest *tests, size_t n);

#define UAPI_MAIN(tests)                                                                           \
	int main(void)                                                                             \
	{                                                                                          \
		return uapi_group(__FILE__, tests, sizeof(tests) / sizeof((tests)[0]));            \
	}

#define UAPI_NEED_MACHINE(name)                                                                    \
	do {                                                                                       \
		if (!uapi_machine(name, NULL, 0))                                                  \
			skip();                                                                    \
	} while (0)
#define UAPI_NEED_SETS(name, sets)                                                                 \
	do {                                                                                       \
		if (!uapi_machine(name, sets, sizeof(sets) / sizeof((sets)[0])))                   \
			skip();                                                                    \
	} while (0)

#endif
