/* SPDX-License-Identifier: MIT */
#include "host/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/macro.h"

/* An impossible "how" is looked at only after the set was read: EINVAL means readable. */
#define NO_SUCH_HOW 99

static bool word_readable(uintptr_t word)
{
	int saved = errno;
	bool ok = syscall(SYS_rt_sigprocmask, NO_SUCH_HOW, word, NULL, 8) < 0 && errno == EINVAL;

	errno = saved;
	return ok;
}

/* Adds zero to the word, atomically. */
static bool word_writable(uintptr_t word)
{
	uint32_t nobody = 0;
	int saved = errno;
	bool ok = syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0L, word,
			  FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)) >= 0;

	errno = saved;
	return ok;
}

static bool each_page(uintptr_t first, size_t len, bool (*ok)(uintptr_t word))
{
	/* Much of what is asked about is on the caller's stack. The page that we stand on is good.
	 */
	uintptr_t ours = VKF_ALIGN_DOWN((uintptr_t)__builtin_frame_address(0), VKF_PAGE_SIZE);
	uintptr_t last = first + len - 1;

	if (!len)
		return true;
	if (last < first)
		return false;
	for (uintptr_t page = VKF_ALIGN_DOWN(first, VKF_PAGE_SIZE);; page += VKF_PAGE_SIZE) {
		if (page != ours && !ok(page))
			return false;
		if (last - page < VKF_PAGE_SIZE)
			return true;
	}
}

bool host_readable(const void *addr, size_t len)
{
	return each_page((uintptr_t)addr, len, word_readable);
}

bool host_writable(void *addr, size_t len)
{
	return each_page((uintptr_t)addr, len, word_writable);
}

/* One line of /proc/self/maps: an area, and what the program may do there. */
static int check_area(const char *line, uintptr_t end, uintptr_t *at)
{
	uintptr_t area_start, area_end;
	char may[5];

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &area_start, &area_end, may) != 3)
		return -EFAULT;
	if (area_end <= *at || *at >= end)
		return 0;
	if (area_start > *at || may[0] != 'r')
		return -EFAULT;
	if (may[1] != 'w')
		return -EPERM;
	*at = area_end;
	return 0;
}

int host_user_pages(const void *addr, size_t len)
{
	uintptr_t at = VKF_ALIGN_DOWN((uintptr_t)addr, VKF_PAGE_SIZE);
	uintptr_t end = VKF_ALIGN_UP((uintptr_t)addr + len, VKF_PAGE_SIZE);
	int saved = errno, r = 0;
	char *line = NULL;
	size_t room = 0;
	FILE *f;

	if (!len || end <= at)
		return -EFAULT;
	f = fopen("/proc/self/maps", "re");
	while (f && !r && at < end && getline(&line, &room, f) > 0)
		r = check_area(line, end, &at);
	free(line);
	if (f)
		fclose(f);
	errno = saved;
	return !r && at < end ? -EFAULT : r;
}
