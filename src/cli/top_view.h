/* SPDX-License-Identifier: MIT */
#ifndef VKFD_CLI_TOP_VIEW_H
#define VKFD_CLI_TOP_VIEW_H

/**
 * DOC: One frame of vkfd top
 *
 * Two looks at a driver become lines of text: the GPUs with a bar of who has their
 * memory, the programs with what they wait for, the queues with what they do. Programs
 * and queues are one list, which is scrolled; the GPUs and headings stay.
 *
 * A line is at most as wide as the screen, in columns. Pure: text in, text out.
 */
#include "cli/top_model.h"

struct top_screen {
	unsigned int width;  /* columns */
	unsigned int height; /* lines; 0: as many as there are */
	bool colours;
	enum top_sort sort;
	unsigned int scroll; /* programs and queues that are left out at the top; see top_frame() */
	unsigned int below;  /* set by top_frame(): how many are left out at the end */
};

/*
 * Lines with newlines between them, to be freed; NULL without memory. @before may be NULL: no rates.
 * @screen->scroll becomes as small as it can be with the last line seen.
 */
char *top_frame(const json_t *before, const json_t *now, struct top_screen *screen);
/* The same, of what everything means. */
char *top_help(struct top_screen *screen);
/* What keys there are, in one line. */
char *top_keys(struct top_screen *screen);
/* Columns that @text, one line, takes on a terminal. */
unsigned int top_columns(const char *text, const char *end);

#endif
