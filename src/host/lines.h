/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_LINES_H
#define VKFD_HOST_LINES_H

/**
 * DOC: A descriptor that is read as lines, and written as words
 *
 * One end of a stream is ours, the other a program's. It reads lines without ever
 * waiting (EAGAIN), polls, and writes 64-bit words to us. No more than a limit of
 * unread bytes is kept for it: a line that does not fit is lost. How much the program
 * has read is known from what the kernel charges our end, which is by whole lines; a
 * line that was read in part counts as unread.
 *
 * Not locked: the owner does that.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_LINES_KEPT 256 /* a power of two */

struct host_lines {
	int fd;            /* our end; does not block */
	unsigned int head; /* of @len: the next line's place */
	unsigned int n;    /* lines that may be unread */
	unsigned int unit; /* what the kernel charges for one; 0: not known yet */
	uint16_t len[HOST_LINES_KEPT];
};

/* Return: 0 with the program's end in @ret_fd, not close-on-exec; or -EMFILE, -ENFILE, -ENOMEM. */
int host_lines_create(struct host_lines *l, int *ret_fd);
/* Ours only. */
void host_lines_destroy(struct host_lines *l);
/* Give it a line of at most 65535 bytes. False: it does not fit, and nothing went. */
bool host_lines_put(struct host_lines *l, const char *line, size_t len, size_t limit);
/* What the program wrote last. Return: 0 with *@word changed if it wrote any, or -EPIPE when its last
 * descriptor is closed. */
int host_lines_word(struct host_lines *l, uint64_t *word);

#endif
