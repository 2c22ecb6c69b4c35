/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DAEMON_PLACE_H
#define VKFD_DAEMON_PLACE_H

/**
 * DOC: On which CPU a slot's task runs
 *
 * The task is the other half of a thread of the program: while one works, the other
 * waits. So it is bound to the CPU where that thread made its last call, and a call
 * costs two switches there; to wake a sleeper on another CPU can cost ten times that.
 *
 * When calls follow one another at once, the task moves away to another CPU and looks
 * for the next request instead of sleeping, while the program's thread looks for the
 * answer: then nobody is woken. It comes home when no request has come for
 * PLACE_LOOK_NS, and for a while, which grows with each time, when it finds that
 * somebody else wants the CPU it looks on. No more than half of the CPUs are looked
 * on, but always one.
 *
 * CPUs are those that the driver was started on (taskset(1)). A task whose thread is
 * on none of them is away from the first call on. Where they cannot be learned or
 * chosen, the task stays wherever the system puts it, and does not look.
 *
 * One task calls these for its own place; place_setup() once, before there are any.
 */
#include <stdbool.h>
#include <stdint.h>

#define PLACE_LOOK_NS UINT64_C(20000)

struct place {
	int home; /* the CPU it is bound to; -1: none */
	bool away;
	bool homeless;        /* its thread's last call came from where it may not run */
	unsigned int n_quick; /* requests that came right after an answer */
	uint64_t answered_ns;
	uint64_t left_ns;       /* when it went away */
	uint64_t stay_ns;       /* how long it stayed home after the last loss */
	uint64_t stay_until_ns; /* not to go away before */
};

void place_setup(void);
void place_init(struct place *p);
/* The task ends. */
void place_fini(struct place *p);
/* A request has come at @now_ns from a thread on @client_cpu. */
void place_asked(struct place *p, int client_cpu, uint64_t now_ns);
/* It is answered at @now_ns. */
static inline void place_answered(struct place *p, uint64_t now_ns)
{
	p->answered_ns = now_ns;
}

/* How long to look for the next request before place_rest(); 0: not at all. */
static inline uint64_t place_look_ns(const struct place *p)
{
	return p->away ? PLACE_LOOK_NS : 0;
}
/* Two looks in a row were at @before_ns and @now_ns. False: look no longer. */
bool place_may_look(struct place *p, uint64_t before_ns, uint64_t now_ns);
/* It is about to sleep; the program's thread last was on @client_cpu. */
void place_rest(struct place *p, int client_cpu);

#endif
