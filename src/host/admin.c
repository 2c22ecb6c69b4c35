/* SPDX-License-Identifier: MIT */
#include "host/admin.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

bool host_is_admin(int pid)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, pid };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[CAP_SYS_ADMIN / 32].effective & UINT32_C(1) << CAP_SYS_ADMIN % 32;
}
