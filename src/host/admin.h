/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_ADMIN_H
#define VKFD_HOST_ADMIN_H

/**
 * DOC: What a process may do
 */
#include <stdbool.h>

/* Whether process @pid (0: this one) has CAP_SYS_ADMIN in effect, in whatever namespace it is. */
bool host_is_admin(int pid);

#endif
