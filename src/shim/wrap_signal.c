/* SPDX-License-Identifier: MIT */
/**
 * DOC: Wrappers of what sets a signal's action
 *
 * They are libc's until an engine that is a thread needs SIGSEGV and SIGBUS (guard.h).
 */
#include <signal.h>
#include "shim/guard.h"
#include "shim/real.h"
#include "shim/shim.h"

/* Of an old standard; headers declare it for programs of that time only. */
sighandler_t bsd_signal(int sig, sighandler_t handler);

SHIM_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	if (guard_wants(sig))
		return (int)shim_ret(guard_action(sig, act, old));
	return shim_real()->sigaction(sig, act, old);
}

/* As signal() of either tradition sets @handler, with the flags of one of them. */
static sighandler_t set_handler(int sig, sighandler_t handler, int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags }, old;

	if (handler == SIG_ERR) {
		shim_ret(-EINVAL);
		return SIG_ERR;
	}
	sigemptyset(&act.sa_mask);
	if (!(flags & SA_NODEFER))
		sigaddset(&act.sa_mask, sig);
	return shim_ret(guard_action(sig, &act, &old)) ? SIG_ERR : old.sa_handler;
}

static sighandler_t set_bsd(int sig, sighandler_t handler)
{
	if (guard_wants(sig))
		return set_handler(sig, handler, SA_RESTART);
	return shim_real()->signal(sig, handler);
}

SHIM_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	return set_bsd(sig, handler);
}

SHIM_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return set_bsd(sig, handler);
}

SHIM_EXPORT sighandler_t ssignal(int sig, sighandler_t handler)
{
	return set_bsd(sig, handler);
}

SHIM_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	if (guard_wants(sig))
		return set_handler(sig, handler, SA_RESETHAND | SA_NODEFER);
	return shim_real()->sysv_signal(sig, handler);
}

SHIM_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
	__attribute__((alias("sysv_signal")));
