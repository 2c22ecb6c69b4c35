/* SPDX-License-Identifier: MIT */
/**
 * DOC: LRU lists and bulks beside arrays
 *
 * The twin keeps each priority as an array of node numbers, oldest first, and moves
 * them about by taking them out and putting them in. After each step both must give
 * the same walk, and the lists must be sound. Marks lie about in them, which the twin
 * does not know of.
 */
#include "mm_fixture.h"

#define NODES 24
#define BULKS 3
#define MARKS 4
#define STEPS 200000

static struct mm_lru lru;
static struct mm_lru_node node[NODES];
static struct mm_lru_bulk bulk[BULKS];
static struct mm_lru_mark mark[MARKS];

/* The twin. */
static int order[MM_LRU_PRIORITIES][NODES];
static unsigned int n_in[MM_LRU_PRIORITIES];
static int bulk_of[NODES]; /* -1: none */

static int find(unsigned int priority, int who)
{
	for (unsigned int i = 0; i < n_in[priority]; i++)
		if (order[priority][i] == who)
			return (int)i;
	return -1;
}

static int priority_of(int who)
{
	for (unsigned int p = 0; p < MM_LRU_PRIORITIES; p++)
		if (find(p, who) >= 0)
			return (int)p;
	return -1;
}

static void insert_at(unsigned int priority, unsigned int at, int who)
{
	memmove(&order[priority][at + 1], &order[priority][at],
		(n_in[priority] - at) * sizeof(int));
	order[priority][at] = who;
	n_in[priority]++;
}

static void take_out(unsigned int priority, int who)
{
	unsigned int at = (unsigned int)find(priority, who);

	n_in[priority]--;
	memmove(&order[priority][at], &order[priority][at + 1],
		(n_in[priority] - at) * sizeof(int));
}

/* One past the last node of bulk @b, or -1 when it has none of this priority. */
static int end_of(unsigned int priority, int b)
{
	for (int i = (int)n_in[priority] - 1; i >= 0; i--)
		if (bulk_of[order[priority][i]] == b)
			return i + 1;
	return -1;
}

/* Behind its bulk's last, or at the end, or where it was (-1: nowhere) if it is its bulk's first. */
static void twin_put(unsigned int priority, int who, int otherwise)
{
	int end = bulk_of[who] < 0 ? -1 : end_of(priority, bulk_of[who]);

	if (end < 0)
		end = otherwise < 0 ? (int)n_in[priority] : otherwise;
	insert_at(priority, (unsigned int)end, who);
}

static void twin_touch(int who)
{
	int p = priority_of(who), at;

	if (p < 0)
		return;
	at = find((unsigned int)p, who);
	take_out((unsigned int)p, who);
	twin_put((unsigned int)p, who, bulk_of[who] < 0 ? -1 : at);
}

static void twin_set_bulk(int who, int b)
{
	int p = priority_of(who), at, end;

	if (bulk_of[who] == b)
		return;
	if (p < 0) {
		bulk_of[who] = b;
		return;
	}
	at = find((unsigned int)p, who);
	take_out((unsigned int)p, who);
	end = bulk_of[who] < 0 ? -1 : end_of((unsigned int)p, bulk_of[who]);
	if (end >= 0)
		at = end;
	bulk_of[who] = b;
	twin_put((unsigned int)p, who, at);
}

static void twin_touch_bulk(int b)
{
	for (unsigned int p = 0; p < MM_LRU_PRIORITIES; p++) {
		int moved[NODES];
		unsigned int n = 0;

		for (unsigned int i = 0; i < n_in[p]; i++)
			if (bulk_of[order[p][i]] == b)
				moved[n++] = order[p][i];
		for (unsigned int i = 0; i < n; i++) {
			take_out(p, moved[i]);
			insert_at(p, n_in[p], moved[i]);
		}
	}
}

static void compare(unsigned int step)
{
	const struct mm_lru_node *at = NULL;
	const char *why = mm_lru_check(&lru);
	uint64_t n_bulk[BULKS] = { 0 };

	if (why)
		fail_msg("step %u: %s", step, why);
	for (unsigned int p = 0; p < MM_LRU_PRIORITIES; p++) {
		assert_int_equal(lru.n_of[p], n_in[p]);
		for (unsigned int i = 0; i < n_in[p]; i++) {
			at = mm_lru_next(&lru, at);
			if (at != &node[order[p][i]])
				fail_msg("step %u: place %u of priority %u has node %d", step, i, p,
					 at ? (int)(at - node) : -1);
			if (bulk_of[order[p][i]] >= 0)
				n_bulk[bulk_of[order[p][i]]]++;
		}
	}
	assert_null(mm_lru_next(&lru, at));
	for (unsigned int b = 0; b < BULKS; b++)
		assert_int_equal(bulk[b].n, n_bulk[b]);
}

static void step_random(void)
{
	int who = (int)rnd(NODES), b = (int)rnd(BULKS + 1) - 1;
	enum mm_lru_priority p = (enum mm_lru_priority)rnd(MM_LRU_PRIORITIES);

	switch (rnd(7)) {
	case 0:
	case 1:
		if (mm_lru_has(&node[who]))
			break;
		mm_lru_add(&lru, &node[who], p);
		twin_put(p, who, -1);
		break;
	case 2:
		if (priority_of(who) >= 0)
			take_out((unsigned int)priority_of(who), who);
		mm_lru_remove(&lru, &node[who]);
		break;
	case 3:
		mm_lru_touch(&lru, &node[who]);
		twin_touch(who);
		break;
	case 4:
		mm_lru_set_bulk(&lru, &node[who], b < 0 ? NULL : &bulk[b]);
		twin_set_bulk(who, b);
		break;
	case 5:
		if (mm_lru_has(&node[who]))
			mm_lru_mark_before(&mark[rnd(MARKS)], &node[who]);
		else
			mm_lru_mark_remove(&mark[rnd(MARKS)]);
		break;
	default:
		b = (int)rnd(BULKS);
		mm_lru_touch_bulk(&lru, &bulk[b]);
		twin_touch_bulk(b);
		break;
	}
}

static void lists_and_bulks_are_as_arrays_would_be(void **state)
{
	rnd_state = 2024;
	mm_lru_init(&lru);
	for (unsigned int i = 0; i < NODES; i++) {
		mm_lru_node_init(&node[i]);
		bulk_of[i] = -1;
	}
	for (unsigned int b = 0; b < BULKS; b++)
		mm_lru_bulk_init(&bulk[b]);
	for (unsigned int i = 0; i < MARKS; i++)
		mm_lru_mark_init(&mark[i]);
	for (unsigned int step = 0; step < STEPS; step++) {
		step_random();
		compare(step);
	}
	for (unsigned int i = 0; i < MARKS; i++)
		mm_lru_mark_remove(&mark[i]);
	for (unsigned int i = 0; i < NODES; i++)
		mm_lru_remove(&lru, &node[i]);
	for (unsigned int b = 0; b < BULKS; b++)
		mm_lru_bulk_fini(&bulk[b]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_bulks_are_as_arrays_would_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
