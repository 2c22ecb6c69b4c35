/* SPDX-License-Identifier: MIT */
#include "host/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC UINT64_C(1000000000)

_Static_assert(sizeof(atomic_uint) == 4, "a futex is 32 bits");

/* FUTEX_WAIT_BITSET, unlike FUTEX_WAIT, takes an absolute time. */
static int futex_wait(atomic_uint *word, unsigned int expect, uint64_t deadline_ns, int flags)
{
	struct timespec ts = {
		.tv_sec = deadline_ns / NSEC_PER_SEC,
		.tv_nsec = deadline_ns % NSEC_PER_SEC,
	};

	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | flags, expect,
		    deadline_ns == VKF_FOREVER ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY) < 0)
		return -errno;
	return 0;
}

static int futex_wake(atomic_uint *word, unsigned int n, int flags)
{
	long r = syscall(SYS_futex, word, FUTEX_WAKE | flags, VKF_MIN(n, (unsigned int)INT_MAX));

	return r < 0 ? -errno : (int)r;
}

int host_futex_wait(atomic_uint *word, unsigned int expect, uint64_t deadline_ns)
{
	return futex_wait(word, expect, deadline_ns, 0);
}

int host_futex_wait_private(atomic_uint *word, unsigned int expect, uint64_t deadline_ns)
{
	return futex_wait(word, expect, deadline_ns, FUTEX_PRIVATE_FLAG);
}

int host_futex_wake(atomic_uint *word, unsigned int n)
{
	return futex_wake(word, n, 0);
}

int host_futex_wake_private(atomic_uint *word, unsigned int n)
{
	return futex_wake(word, n, FUTEX_PRIVATE_FLAG);
}
