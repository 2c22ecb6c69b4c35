/* SPDX-License-Identifier: MIT */
#ifndef VKFD_CLI_TOP_VIEW_H
#define VKFD_CLI_TOP_VIEW_H

/**
 * DOC: One frame of vkfd top
 *
 * Two looks at a driver (the answers to the query "status") become lines of text: the
 * GPUs with a bar of who has their memory, the programs with what they wait for, the
 * queues with what they do. Rates are what has changed between the two looks.
 *
 * A line is at most as wide as the screen, in columns; a letter stands for a program,
 * in the bars and in front of its line. Pure: text in, text out.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum top_sort { TOP_BY_MEMORY, TOP_BY_PACKETS, TOP_BY_EVICTIONS, TOP_BY_PID, TOP_SORTS };

struct top_screen {
	unsigned int width;  /* columns; less than 40 is taken for 40 */
	unsigned int height; /* lines; 0: as many as there are */
	bool colours;
	enum top_sort sort;
	unsigned int scroll; /* queues that are left out at the top */
};

const char *top_sort_name(enum top_sort sort);
/* Lines with newlines between them, to be freed; NULL without memory. @before may be NULL: no rates. */
char *top_frame(const json_t *before, const json_t *now, const struct top_screen *screen);

#endif
