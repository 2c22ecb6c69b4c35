/* SPDX-License-Identifier: MIT */
#include "shim/guard.h"

#include <string.h>
#include <ucontext.h>
#include "shim/engine_thread.h"
#include "shim/real.h"
#include "shim/shim.h"
#include "shim/state.h"

/* struct guarded - one signal, and what the program wants done about it */
struct guarded {
	int sig;
	struct sigaction program;  /* written under guard_lock */
	_Atomic uintptr_t handler; /* of @program, for the handler */
	_Atomic int flags;
};

/* The child of a fork has a copy, which goes on saying what is true of the handler it inherits. */
static struct guarded guarded[] = { { .sig = SIGSEGV }, { .sig = SIGBUS } };
/* The process whose engine is guarded; 0: there never was one. */
static _Atomic int owner;

static struct guarded *find(int sig)
{
	return &guarded[sig == SIGBUS];
}

static void note(struct guarded *g, const struct sigaction *program)
{
	g->program = *program;
	atomic_store(&g->handler, (uintptr_t)program->sa_handler);
	atomic_store(&g->flags, program->sa_flags);
}

/* A lock that no dead thread holds: it is wiped in the child of a fork. */
static struct shim_lock *take_lock(uint64_t *ret_signals)
{
	struct shim_state *s = state_get();

	if (s)
		shim_lock(&s->guard_lock, ret_signals);
	return s ? &s->guard_lock : NULL;
}

static void drop_lock(struct shim_lock *l, const uint64_t *signals)
{
	if (l)
		shim_unlock(l, signals);
}

/* What the kernel would have taken; a handler that is for one time is not there for the next. */
static uintptr_t take_handler(struct guarded *g)
{
	uintptr_t handler = atomic_load(&g->handler);
	struct shim_lock *lock;
	uint64_t signals;

	if (!(atomic_load(&g->flags) & SA_RESETHAND) || handler == (uintptr_t)SIG_IGN)
		return handler;
	lock = take_lock(&signals);
	handler = atomic_load(&g->handler);
	g->program.sa_handler = SIG_DFL;
	atomic_store(&g->handler, (uintptr_t)SIG_DFL);
	drop_lock(lock, &signals);
	return handler;
}

/* Die of it: the same signal once more, as soon as it is not blocked any longer. */
static void die_of(int sig, siginfo_t *info)
{
	struct sigaction none = { .sa_handler = SIG_DFL };

	shim_real()->sigaction(sig, &none, NULL);
	SYS4(rt_tgsigqueueinfo, SYS0(getpid), SYS0(gettid), sig, info);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	bool sent = info->si_code <= 0;
	uintptr_t handler;

	if (!sent && engine_thread_faulted((uint64_t *)ip))
		return;
	handler = take_handler(find(sig));
	if (handler == (uintptr_t)SIG_IGN && sent)
		return;
	if (handler == (uintptr_t)SIG_DFL || handler == (uintptr_t)SIG_IGN)
		die_of(sig, info);
	else
		((void (*)(int, siginfo_t *, void *))handler)(sig, info, context);
}

static bool is_ours(const struct sigaction *kernel)
{
	return kernel->sa_flags & SA_SIGINFO && kernel->sa_sigaction == on_fault;
}

static int install(const struct guarded *g)
{
	struct sigaction ours = g->program;

	if (ours.sa_handler == SIG_DFL || ours.sa_handler == SIG_IGN) {
		ours = (struct sigaction){ .sa_flags = SA_ONSTACK };
		sigemptyset(&ours.sa_mask);
	}
	ours.sa_sigaction = on_fault;
	ours.sa_flags = (ours.sa_flags & ~SA_RESETHAND) | SA_SIGINFO;
	return shim_real()->sigaction(g->sig, &ours, NULL) ? -errno : 0;
}

void guard_begin(void)
{
	uint64_t signals;
	struct shim_lock *lock = take_lock(&signals);

	atomic_store(&owner, (int)SYS0(getpid));
	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		struct sigaction found;

		if (shim_real()->sigaction(guarded[i].sig, NULL, &found))
			continue;
		if (!is_ours(&found))
			note(&guarded[i], &found);
		install(&guarded[i]);
	}
	drop_lock(lock, &signals);
}

bool guard_wants(int sig)
{
	return SHIM_UNLIKELY(atomic_load_explicit(&owner, memory_order_relaxed)) &&
	       (sig == SIGSEGV || sig == SIGBUS);
}

/* In a child there is no engine of ours to guard, and in one of vfork the memory is its parent's:
 * the action is the kernel's alone. */
static int set(struct guarded *g, const struct sigaction *act)
{
	if (atomic_load(&owner) != (int)SYS0(getpid))
		return shim_real()->sigaction(g->sig, act, NULL) ? -errno : 0;
	note(g, act);
	return install(g);
}

int guard_action(int sig, const struct sigaction *act, struct sigaction *ret_old)
{
	struct sigaction wanted, found;
	struct guarded *g = find(sig);
	struct shim_lock *lock;
	uint64_t signals;
	int r;

	/* Bad pointers are for the caller to fault at, before a lock is held, or after. */
	if (act)
		wanted = *act;
	lock = take_lock(&signals);
	r = shim_real()->sigaction(sig, NULL, &found) ? -errno : 0;
	if (!r && is_ours(&found))
		found = g->program;
	if (!r && act)
		r = set(g, &wanted);
	drop_lock(lock, &signals);
	if (!r && ret_old)
		*ret_old = found;
	return r;
}
