/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "machine/fields.h"

#define NAME_LEN 64

/* How many letters to insert, delete, replace or swap to turn @a into @b; both cut to NAME_LEN. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][NAME_LEN + 1], *prev2 = rows[0], *prev = rows[1], *cur = rows[2];
	size_t la = strnlen(a, NAME_LEN), lb = strnlen(b, NAME_LEN);

	for (size_t j = 0; j <= lb; j++)
		prev2[j] = prev[j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int *next;

		cur[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int best = prev[j - 1] + (a[i - 1] != b[j - 1]);

			best = VKF_MIN(best, prev[j] + 1);
			best = VKF_MIN(best, cur[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = VKF_MIN(best, prev2[j - 2] + 1);
			cur[j] = best;
		}
		next = prev2;
		prev2 = prev;
		prev = cur;
		cur = next;
	}
	return prev[lb];
}

static const char *nearest(const char *name, const char *const *names)
{
	unsigned int best = (unsigned int)strnlen(name, NAME_LEN) / 2 + 1;
	const char *found = NULL;

	for (; *names; names++) {
		unsigned int d = edit_distance(name, *names);

		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}

int machine_fail_unknown(struct machine_err *err, const char *where, const char *what,
			 const char *name, const char *const *names)
{
	const char *near = nearest(name, names);
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
