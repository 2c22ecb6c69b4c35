/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_STORM_H
#define VKFD_TESTS_STORM_H

/**
 * DOC: Signals, again and again
 *
 * A timer sends a signal to the thread that started the storm, every so often, until
 * that thread stops it. What it does meanwhile is interrupted wherever it is; whether
 * a system call notices is for the handler's SA_RESTART to say.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define STORM_PERIOD_US 50
#define STORM_SECONDS   1

struct storm {
	timer_t timer;
	struct sigaction old;
	uint64_t end_ns;
	bool restart;
};

/* How many signals have come since the last storm_start(). */
extern volatile sig_atomic_t storm_n_signals;

/* @restart: the handler has SA_RESTART. @also: what the handler does besides counting; or NULL. */
void storm_start(struct storm *s, bool restart, void (*also)(void));
/* STORM_SECONDS have passed. */
bool storm_is_over(const struct storm *s);
void storm_stop(struct storm *s);

#endif
