/* SPDX-License-Identifier: MIT */
#include "daemon/place.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/macro.h"

/* So many requests, each this soon after an answer, are worth two migrations. */
#define QUICK_CALLS 16
#define QUICK_NS    UINT64_C(30000)
/* Off the CPU for longer: that was no interrupt, but somebody else's turn. */
#define GAP_NS      UINT64_C(50000)
#define STAY_MIN_NS UINT64_C(5000000)
#define STAY_MAX_NS UINT64_C(160000000)
/* To have been away for so long without a loss was worth it. */
#define GOOD_NS UINT64_C(10000000)
/* A task that asks for short turns gets them sooner: it preempts the thread that wakes it, which
 * then finds its answer without having slept. Since Linux 6.12; before, nothing comes of it. */
#define SLICE_NS UINT64_C(100000)

/* struct attr - sched_setattr()'s first version, which the C library does not declare */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static cpu_set_t allowed; /* constant once set up; empty: leave everything to the system */
static int n_allowed;
static atomic_int n_away;

void place_setup(void)
{
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		CPU_ZERO(&allowed);
	n_allowed = CPU_COUNT(&allowed);
}

static void ask_for_short_turns(void)
{
	struct attr attr = { 0 };

	/* What else there is (niceness) stays. */
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0 || attr.policy != SCHED_OTHER)
		return;
	attr.runtime = SLICE_NS;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

void place_init(struct place *p)
{
	*p = (struct place){ .home = -1 };
	ask_for_short_turns();
}

void place_fini(struct place *p)
{
	if (p->away)
		atomic_fetch_sub(&n_away, 1);
	p->away = false;
}

static void go_away(struct place *p, int client_cpu)
{
	cpu_set_t others = allowed;

	if (client_cpu < 0 || client_cpu >= CPU_SETSIZE)
		return;
	CPU_CLR(client_cpu, &others);
	if (CPU_COUNT(&others) == 0)
		return;
	if (atomic_fetch_add(&n_away, 1) >= VKF_MAX(n_allowed / 2, 1) ||
	    sched_setaffinity(0, sizeof(others), &others) < 0) {
		atomic_fetch_sub(&n_away, 1);
		return;
	}
	p->away = true;
	p->home = -1;
}

/* A program may run where the driver must not. */
static bool is_ours(int cpu)
{
	return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed);
}

static void come_home(struct place *p, int client_cpu)
{
	cpu_set_t one;

	if (client_cpu == p->home || !is_ours(client_cpu))
		return;
	CPU_ZERO(&one);
	CPU_SET(client_cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == 0)
		p->home = client_cpu;
}

void place_asked(struct place *p, int client_cpu, uint64_t now_ns)
{
	if (p->away)
		return;
	p->n_quick = now_ns - p->answered_ns < QUICK_NS ? p->n_quick + 1 : 0;
	p->homeless = !is_ours(client_cpu);
	if ((p->n_quick < QUICK_CALLS && !p->homeless) || now_ns < p->stay_until_ns)
		return;
	p->n_quick = 0;
	p->left_ns = now_ns;
	go_away(p, client_cpu);
}

bool place_may_look(struct place *p, uint64_t before_ns, uint64_t now_ns)
{
	if (now_ns - before_ns < GAP_NS)
		return true;
	if (p->stay_ns == 0 || p->homeless || now_ns - p->left_ns >= GOOD_NS)
		p->stay_ns = STAY_MIN_NS;
	else
		p->stay_ns = VKF_MIN(2 * p->stay_ns, STAY_MAX_NS);
	p->stay_until_ns = now_ns + p->stay_ns;
	return false;
}

void place_rest(struct place *p, int client_cpu)
{
	place_fini(p);
	come_home(p, client_cpu);
}
