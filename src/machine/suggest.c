/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/nearest.h"
#include "machine/fields.h"

int machine_fail_unknown(struct machine_err *err, const char *where, const char *what,
			 const char *name, const char *const *names)
{
	const char *near = vkf_nearest(name, names);
	char all[512];
	size_t n = 0;

	if (near)
		return machine_fail(err, where, "unknown %s \"%.40s\"; did you mean \"%s\"?", what,
				    name, near);
	all[0] = '\0';
	for (; *names && n < sizeof(all); names++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "", *names);
	return machine_fail(err, where, "unknown %s \"%.40s\"; expected one of: %s", what, name,
			    all);
}
