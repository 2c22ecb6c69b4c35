/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <string.h>
#include "base/macro.h"

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

const char *vkf_nearest(const char *word, const char *const *names)
{
	unsigned int best = (unsigned int)strnlen(word, NAME_LEN) / 2 + 1;
	const char *found = NULL;

	for (; *names; names++) {
		unsigned int d = edit_distance(word, *names);

		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}
