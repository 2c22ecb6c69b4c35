/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_SYS_RAW_H
#define VKFD_SHIM_SYS_RAW_H

/**
 * DOC: System calls without libc
 *
 * The engine runs with the program's memory but without a thread of its own as libc
 * knows it: no errno, no TLS, no locks. The shim, too, calls the kernel here rather
 * than through the functions that it stands in for. Every result is the kernel's:
 * a negative errno, or the value. x86-64.
 */
#include <asm/unistd.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __x86_64__
#error "vkfd's shim knows the system calls of x86-64 only"
#endif

static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define SYS6(nr, a, b, c, d, e, f)                                                                 \
	sys_call(__NR_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS5(nr, a, b, c, d, e) SYS6(nr, a, b, c, d, e, 0)
#define SYS4(nr, a, b, c, d)    SYS6(nr, a, b, c, d, 0, 0)
#define SYS3(nr, a, b, c)       SYS6(nr, a, b, c, 0, 0, 0)
#define SYS2(nr, a, b)          SYS6(nr, a, b, 0, 0, 0, 0)
#define SYS1(nr, a)             SYS6(nr, a, 0, 0, 0, 0, 0)
#define SYS0(nr)                SYS6(nr, 0, 0, 0, 0, 0, 0)

static inline int sys_is_error(long r)
{
	return (unsigned long)r >= (unsigned long)-4095;
}

/* A full mask of the kernel's 64 signals; SIGKILL and SIGSTOP take no notice. */
#define SYS_ALL_SIGNALS UINT64_MAX

/* Block every signal; @ret_old is for sys_signals_restore(). */
static inline void sys_signals_block(uint64_t *ret_old)
{
	uint64_t all = SYS_ALL_SIGNALS;

	SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, ret_old, 8);
}

static inline void sys_signals_restore(const uint64_t *old)
{
	SYS4(rt_sigprocmask, 2, old, 0, 8);
}

/* Waits on words that several processes share: never FUTEX_PRIVATE. */
static inline long sys_futex_wait(const void *word, uint32_t expected,
				  const struct __kernel_timespec *relative)
{
	return SYS4(futex, word, 0 /* FUTEX_WAIT */, expected, relative);
}

static inline long sys_futex_wake(const void *word, int n)
{
	return SYS3(futex, word, 1 /* FUTEX_WAKE */, n);
}

static inline uint64_t sys_now_ns(void)
{
	struct __kernel_timespec ts;

	SYS2(clock_gettime, 1 /* CLOCK_MONOTONIC */, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static inline void sys_sleep_ns(uint64_t ns)
{
	struct __kernel_timespec ts = { (long long)(ns / UINT64_C(1000000000)),
					(long long)(ns % UINT64_C(1000000000)) };

	SYS2(nanosleep, &ts, 0);
}

static inline long sys_close(int fd)
{
	return SYS1(close, fd);
}

#endif
