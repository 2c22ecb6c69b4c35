/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_HIDDEN_H
#define VKFD_SHIM_HIDDEN_H

/**
 * DOC: Descriptors that the program does not know of
 *
 * The program owns its table of descriptors, so a hidden one stands as high as the
 * limit allows, and is recognised by its cookie, or its inode when it is no socket:
 * numbers may have been reused by means that the shim does not see. close(), close_range() and closefrom() go round it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HIDDEN_MAX 4

/* Move @fd up and remember it. Return: the new number, @fd itself when no other is free;
 * -EMFILE, @fd still open, when HIDDEN_MAX are hidden already. */
int hidden_add(int fd);
/* Close and forget it. */
void hidden_close(int fd);
/* Whether @fd is hidden, and no other file has taken its number. One load when it is not. */
bool hidden_is(int fd);
/* The lowest hidden descriptor in [first, last], or -1. */
int hidden_next(unsigned int first, unsigned int last);
/* When no session of this address space lives: they are a dead one's, or the parent's. */
void hidden_close_all(void);

#endif
