/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SIM_CORO_H
#define VKFD_SIM_CORO_H

/**
 * DOC: Coroutines
 *
 * Stacks that are switched by hand, all on one thread. On x86-64 a switch is a
 * dozen instructions and no system call; elsewhere it is swapcontext(). Address
 * and thread sanitizer are told of every switch. Each stack has a guard page
 * below it, so an overflow dies at once.
 *
 * Nothing unwinds: what a coroutine that is destroyed half way had on its stack
 * is forgotten.
 */
#include <stddef.h>

struct coro;

/*
 * The calling stack as a coroutine, to be switched away from and back to. Return: NULL without
 * memory.
 */
struct coro *coro_adopt(void);
/* Not started: the first switch to it calls @fn, which must never return. NULL without memory. */
struct coro *coro_create(size_t stack_size, void (*fn)(void *arg), void *arg);
/* Any but the running one. */
void coro_destroy(struct coro *c);
/* Go on in @to; returns when somebody switches back to @from, which is the running one. */
void coro_switch(struct coro *from, struct coro *to);
/* Go on in @to for good: @from may then be destroyed. */
__attribute__((noreturn)) void coro_exit_to(struct coro *from, struct coro *to);

#endif
