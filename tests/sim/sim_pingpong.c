/* SPDX-License-Identifier: MIT */
/**
 * DOC: A process whose threads wait for nothing but one another
 *
 * A ball goes round: whoever has been woken by his event, and finds the gate open, wakes
 * the next. One wake-up that is lost and all of them wait for ever, which ends the run.
 */
#include "sim_random.h"

#include <stdlib.h>

#define N_PLAYERS 3
#define N_ROUNDS  40

/* struct court - the process's; of one player each, its members with an index */
struct court {
	const struct prog_config *config;
	uint32_t ball[N_PLAYERS]; /* events that a wait takes */
	uint32_t gate;            /* one that stays */
	unsigned int turn, n_players;
};

static void make_event(struct prog *pr, bool auto_reset, uint32_t *ret_id)
{
	while (!pr->p->dying && prog_event_create(pr, KFD_IOC_EVENT_SIGNAL, auto_reset, ret_id))
		;
}

static void call(struct prog *pr, unsigned long cmd, uint32_t id)
{
	while (!pr->p->dying && prog_event_call(pr, cmd, id))
		;
}

/* For ever, or again and again for a moment: no wait may take a wake-up with it. */
static bool wait_for_both(struct prog *pr, uint32_t ball, uint32_t gate)
{
	const uint32_t ids[] = { ball, gate };
	uint32_t result = KFD_IOC_WAIT_RESULT_TIMEOUT;

	while (!pr->p->dying && result != KFD_IOC_WAIT_RESULT_COMPLETE) {
		uint32_t ms = prog_once_in(pr, 3) ? (uint32_t)prog_dice(pr, 3) : UINT32_MAX;

		/* All of a wait that runs out stays; what it takes, it takes as a whole. */
		if (prog_wait(pr, ids, 1, false, ms, &result) ||
		    result != KFD_IOC_WAIT_RESULT_COMPLETE)
			continue;
		while (!pr->p->dying && prog_wait(pr, ids + 1, 1, true, UINT32_MAX, &result))
			;
	}
	return !pr->p->dying;
}

static void play(struct prog *pr, struct court *c, unsigned int me)
{
	unsigned int next = (me + 1) % N_PLAYERS;

	for (unsigned int i = 0; i < N_ROUNDS && !pr->p->dying; i++) {
		bool ball_first = prog_once_in(pr, 2);

		if (!wait_for_both(pr, c->ball[me], c->gate))
			return;
		if (c->turn != me)
			msim_fail(pr->m, "%s: woken out of turn", pr->t->name);
		call(pr, K_RESET_EVENT, c->gate);
		c->turn = next;
		/* The one may come long before the other. */
		call(pr, K_SET_EVENT, ball_first ? c->ball[next] : c->gate);
		if (prog_once_in(pr, 4))
			vkf_sleep_ns(prog_dice(pr, MSEC), false);
		call(pr, K_SET_EVENT, ball_first ? c->gate : c->ball[next]);
		msim_step(pr->t);
	}
}

static void player(struct msim_thread *t)
{
	struct court *c = t->arg;
	unsigned int me = c->n_players++;
	struct prog *pr = calloc(1, sizeof(*pr));

	VKF_ASSERT(pr);
	if (!t->process->program)
		prog_share(t->process);
	prog_begin(pr, t);
	if (me == 0) {
		for (unsigned int i = 0; i < N_PLAYERS; i++)
			make_event(pr, true, &c->ball[i]);
		make_event(pr, false, &c->gate);
		for (unsigned int i = 1; i < N_PLAYERS; i++)
			msim_thread(t->process, player, c);
		call(pr, K_SET_EVENT, c->gate);
		call(pr, K_SET_EVENT, c->ball[0]);
	}
	play(pr, c, me);
	prog_end(pr);
	free(pr);
}

void prog_pingpong_main(struct msim_thread *t)
{
	struct msim_process *p = t->process;
	struct court *c = calloc(1, sizeof(*c));

	VKF_ASSERT(c);
	c->config = t->arg;
	t->arg = c;
	player(t);
	/* Others may still play. */
	while (p->n_threads > 1)
		vkf_sleep_ns(MSEC, false);
	free(c);
}
