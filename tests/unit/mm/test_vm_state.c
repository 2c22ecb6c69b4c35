/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/vm_state.h"

static struct mm_vm_lists lists;

static int setup(void **state)
{
	mm_vm_lists_init(&lists);
	return 0;
}

static int teardown(void **state)
{
	mm_vm_lists_fini(&lists);
	return 0;
}

static void whole(void)
{
	const char *why = mm_vm_lists_check(&lists);

	if (why)
		fail_msg("%s", why);
}

/* ------------------------------------------------ transitions */

/* Written down by event, the other way round than the table under test. */
struct transition {
	enum mm_vm_event event;
	enum mm_vm_kind kind;
	enum mm_vm_state from, to;
};

/* clang-format off */
static const struct transition transitions[] = {
	{ MM_VM_ADDED, MM_VM_SHARED, MM_VM_NOWHERE, MM_VM_MOVED },
	{ MM_VM_ADDED, MM_VM_OWN, MM_VM_NOWHERE, MM_VM_INVALIDATED },
	{ MM_VM_ADDED, MM_VM_TABLE, MM_VM_NOWHERE, MM_VM_RELOCATED },
	{ MM_VM_ADDED_EVICTED, MM_VM_SHARED, MM_VM_NOWHERE, MM_VM_EVICTED },
	{ MM_VM_ADDED_EVICTED, MM_VM_OWN, MM_VM_NOWHERE, MM_VM_INVALIDATED },
	{ MM_VM_ADDED_EVICTED, MM_VM_TABLE, MM_VM_NOWHERE, MM_VM_EVICTED },

	{ MM_VM_ADDED_WRITTEN, MM_VM_SHARED, MM_VM_NOWHERE, MM_VM_IDLE },
	{ MM_VM_ADDED_WRITTEN, MM_VM_OWN, MM_VM_NOWHERE, MM_VM_DONE },
	{ MM_VM_ADDED_WRITTEN, MM_VM_TABLE, MM_VM_NOWHERE, MM_VM_IDLE },

	{ MM_VM_BO_MOVED, MM_VM_SHARED, MM_VM_IDLE, MM_VM_MOVED },
	{ MM_VM_BO_MOVED, MM_VM_SHARED, MM_VM_MOVED, MM_VM_MOVED },
	{ MM_VM_BO_MOVED, MM_VM_SHARED, MM_VM_EVICTED, MM_VM_EVICTED },
	{ MM_VM_BO_MOVED, MM_VM_SHARED, MM_VM_FREED, MM_VM_FREED },
	{ MM_VM_BO_MOVED, MM_VM_OWN, MM_VM_DONE, MM_VM_INVALIDATED },
	{ MM_VM_BO_MOVED, MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_INVALIDATED },
	{ MM_VM_BO_MOVED, MM_VM_OWN, MM_VM_FREED, MM_VM_FREED },
	{ MM_VM_BO_MOVED, MM_VM_TABLE, MM_VM_IDLE, MM_VM_RELOCATED },
	{ MM_VM_BO_MOVED, MM_VM_TABLE, MM_VM_RELOCATED, MM_VM_RELOCATED },
	{ MM_VM_BO_MOVED, MM_VM_TABLE, MM_VM_EVICTED, MM_VM_EVICTED },

	{ MM_VM_BO_EVICTED, MM_VM_SHARED, MM_VM_IDLE, MM_VM_EVICTED },
	{ MM_VM_BO_EVICTED, MM_VM_SHARED, MM_VM_MOVED, MM_VM_EVICTED },
	{ MM_VM_BO_EVICTED, MM_VM_SHARED, MM_VM_EVICTED, MM_VM_EVICTED },
	{ MM_VM_BO_EVICTED, MM_VM_SHARED, MM_VM_FREED, MM_VM_FREED },
	{ MM_VM_BO_EVICTED, MM_VM_OWN, MM_VM_DONE, MM_VM_INVALIDATED },
	{ MM_VM_BO_EVICTED, MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_INVALIDATED },
	{ MM_VM_BO_EVICTED, MM_VM_OWN, MM_VM_FREED, MM_VM_FREED },
	{ MM_VM_BO_EVICTED, MM_VM_TABLE, MM_VM_IDLE, MM_VM_EVICTED },
	{ MM_VM_BO_EVICTED, MM_VM_TABLE, MM_VM_RELOCATED, MM_VM_EVICTED },
	{ MM_VM_BO_EVICTED, MM_VM_TABLE, MM_VM_EVICTED, MM_VM_EVICTED },

	{ MM_VM_VALIDATED, MM_VM_SHARED, MM_VM_EVICTED, MM_VM_MOVED },
	{ MM_VM_VALIDATED, MM_VM_SHARED, MM_VM_MOVED, MM_VM_MOVED },
	{ MM_VM_VALIDATED, MM_VM_SHARED, MM_VM_IDLE, MM_VM_IDLE },
	{ MM_VM_VALIDATED, MM_VM_SHARED, MM_VM_FREED, MM_VM_FREED },
	{ MM_VM_VALIDATED, MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_INVALIDATED },
	{ MM_VM_VALIDATED, MM_VM_OWN, MM_VM_DONE, MM_VM_DONE },
	{ MM_VM_VALIDATED, MM_VM_OWN, MM_VM_FREED, MM_VM_FREED },
	{ MM_VM_VALIDATED, MM_VM_TABLE, MM_VM_EVICTED, MM_VM_RELOCATED },
	{ MM_VM_VALIDATED, MM_VM_TABLE, MM_VM_RELOCATED, MM_VM_RELOCATED },
	{ MM_VM_VALIDATED, MM_VM_TABLE, MM_VM_IDLE, MM_VM_IDLE },

	{ MM_VM_UPDATED, MM_VM_SHARED, MM_VM_MOVED, MM_VM_IDLE },
	{ MM_VM_UPDATED, MM_VM_SHARED, MM_VM_IDLE, MM_VM_IDLE },
	{ MM_VM_UPDATED, MM_VM_SHARED, MM_VM_EVICTED, MM_VM_EVICTED },
	{ MM_VM_UPDATED, MM_VM_SHARED, MM_VM_FREED, MM_VM_NOWHERE },
	{ MM_VM_UPDATED, MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_DONE },
	{ MM_VM_UPDATED, MM_VM_OWN, MM_VM_DONE, MM_VM_DONE },
	{ MM_VM_UPDATED, MM_VM_OWN, MM_VM_FREED, MM_VM_NOWHERE },
	{ MM_VM_UPDATED, MM_VM_TABLE, MM_VM_RELOCATED, MM_VM_IDLE },
	{ MM_VM_UPDATED, MM_VM_TABLE, MM_VM_IDLE, MM_VM_IDLE },
	{ MM_VM_UPDATED, MM_VM_TABLE, MM_VM_EVICTED, MM_VM_EVICTED },

	{ MM_VM_CLEARED, MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_DONE },
	{ MM_VM_CLEARED, MM_VM_OWN, MM_VM_DONE, MM_VM_DONE },

	{ MM_VM_UNMAPPED, MM_VM_SHARED, MM_VM_EVICTED, MM_VM_FREED },
	{ MM_VM_UNMAPPED, MM_VM_SHARED, MM_VM_MOVED, MM_VM_FREED },
	{ MM_VM_UNMAPPED, MM_VM_SHARED, MM_VM_IDLE, MM_VM_FREED },
	{ MM_VM_UNMAPPED, MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_FREED },
	{ MM_VM_UNMAPPED, MM_VM_OWN, MM_VM_DONE, MM_VM_FREED },
	{ MM_VM_UNMAPPED, MM_VM_TABLE, MM_VM_EVICTED, MM_VM_NOWHERE },
	{ MM_VM_UNMAPPED, MM_VM_TABLE, MM_VM_RELOCATED, MM_VM_NOWHERE },
	{ MM_VM_UNMAPPED, MM_VM_TABLE, MM_VM_IDLE, MM_VM_NOWHERE },
};
/* clang-format on */

/* How a node of a kind gets to a state; NOWHERE ends it. */
static const enum mm_vm_event *way_to(enum mm_vm_kind kind, enum mm_vm_state state)
{
	static const enum mm_vm_event ways[MM_VM_N_STATES][4] = {
		[MM_VM_NOWHERE] = { MM_VM_N_EVENTS },
		[MM_VM_EVICTED] = { MM_VM_ADDED_EVICTED, MM_VM_N_EVENTS },
		[MM_VM_RELOCATED] = { MM_VM_ADDED, MM_VM_N_EVENTS },
		[MM_VM_MOVED] = { MM_VM_ADDED, MM_VM_N_EVENTS },
		[MM_VM_INVALIDATED] = { MM_VM_ADDED, MM_VM_N_EVENTS },
		[MM_VM_IDLE] = { MM_VM_ADDED, MM_VM_UPDATED, MM_VM_N_EVENTS },
		[MM_VM_DONE] = { MM_VM_ADDED, MM_VM_UPDATED, MM_VM_N_EVENTS },
		[MM_VM_FREED] = { MM_VM_ADDED, MM_VM_UNMAPPED, MM_VM_N_EVENTS },
	};

	return ways[state];
}

static void node_in(struct mm_vm_node *n, enum mm_vm_kind kind, enum mm_vm_state state)
{
	mm_vm_node_init(n, kind);
	for (const enum mm_vm_event *e = way_to(kind, state); *e != MM_VM_N_EVENTS; e++)
		mm_vm_node_event(&lists, n, *e);
	assert_int_equal(n->state, state);
}

static void each_event_takes_a_node_where_the_table_says(void **state)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(transitions); i++) {
		const struct transition *t = &transitions[i];
		struct mm_vm_node n, other;
		uint64_t before;

		node_in(&other, t->kind, t->to);
		before = mm_vm_lists_count(&lists, t->to);
		node_in(&n, t->kind, t->from);
		assert_int_equal(mm_vm_node_event(&lists, &n, t->event), t->to);
		assert_int_equal(mm_vm_node_state(&lists, &n), t->to);
		if (t->to != MM_VM_NOWHERE)
			assert_int_equal(mm_vm_lists_count(&lists, t->to), before + 1);
		whole();
		mm_vm_node_remove(&lists, &n);
		mm_vm_node_remove(&lists, &other);
	}
}

static enum mm_vm_state expected(enum mm_vm_kind kind, enum mm_vm_state from, enum mm_vm_event e)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(transitions); i++) {
		const struct transition *t = &transitions[i];

		if (t->kind == kind && t->from == from && t->event == e)
			return t->to;
	}
	return MM_VM_N_STATES;
}

static void what_is_not_in_the_table_does_not_happen(void **state)
{
	for (unsigned int k = 0; k < MM_VM_N_KINDS; k++) {
		for (unsigned int s = 0; s < MM_VM_N_STATES; s++) {
			for (unsigned int e = 0; e < MM_VM_N_EVENTS; e++)
				assert_int_equal(mm_vm_state_after(k, s, e), expected(k, s, e));
		}
	}
}

static void an_event_that_cannot_be_is_a_panic(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_vm_node n;

	node_in(&n, MM_VM_SHARED, MM_VM_IDLE);
	EXPECT_PANIC("MAY_NOT", mm_vm_node_event(&lists, &n, MM_VM_CLEARED));
	vkf_mutex_unlock(&lists.lock); /* the panic jumped out of it */
	mm_vm_node_remove(&lists, &n);
#else
	skip();
#endif
}

static bool stale_after(enum mm_vm_kind kind, enum mm_vm_state from, enum mm_vm_event event)
{
	struct mm_vm_node n;
	bool r;

	node_in(&n, kind, from);
	mm_vm_node_event(&lists, &n, event);
	r = mm_vm_node_is_stale(&lists, &n);
	mm_vm_node_remove(&lists, &n);
	return r;
}

static void a_node_knows_whether_its_entries_lead_to_it(void **state)
{
	assert_true(stale_after(MM_VM_OWN, MM_VM_NOWHERE, MM_VM_ADDED));
	assert_true(stale_after(MM_VM_SHARED, MM_VM_NOWHERE, MM_VM_ADDED_EVICTED));
	assert_true(stale_after(MM_VM_SHARED, MM_VM_IDLE, MM_VM_BO_MOVED));
	assert_true(stale_after(MM_VM_SHARED, MM_VM_IDLE, MM_VM_BO_EVICTED));
	assert_true(stale_after(MM_VM_OWN, MM_VM_DONE, MM_VM_CLEARED));
	assert_true(stale_after(MM_VM_TABLE, MM_VM_EVICTED, MM_VM_VALIDATED));
	assert_false(stale_after(MM_VM_OWN, MM_VM_NOWHERE, MM_VM_ADDED_WRITTEN));
	assert_false(stale_after(MM_VM_SHARED, MM_VM_EVICTED, MM_VM_UPDATED));
	assert_false(stale_after(MM_VM_OWN, MM_VM_INVALIDATED, MM_VM_UPDATED));
	assert_false(stale_after(MM_VM_OWN, MM_VM_DONE, MM_VM_VALIDATED));
	assert_false(stale_after(MM_VM_TABLE, MM_VM_IDLE, MM_VM_VALIDATED));
}

static void a_vm_is_stale_while_somebody_has_to_do_something(void **state)
{
	static const enum mm_vm_kind kinds[MM_VM_N_STATES] = {
		[MM_VM_RELOCATED] = MM_VM_TABLE,
		[MM_VM_INVALIDATED] = MM_VM_OWN,
		[MM_VM_DONE] = MM_VM_OWN,
	};

	assert_false(mm_vm_lists_is_stale(&lists));
	for (unsigned int s = MM_VM_EVICTED; s < MM_VM_N_STATES; s++) {
		bool is_right = s == MM_VM_IDLE || s == MM_VM_DONE;
		struct mm_vm_node n;

		node_in(&n, kinds[s], s);
		assert_int_equal(mm_vm_lists_is_stale(&lists), !is_right);
		mm_vm_node_remove(&lists, &n);
		assert_false(mm_vm_lists_is_stale(&lists));
	}
}

/* ------------------------------------------------ walks */

#define N 5

static struct mm_vm_node nodes[N];

static void five_moved(void)
{
	for (unsigned int i = 0; i < N; i++)
		node_in(&nodes[i], MM_VM_SHARED, MM_VM_MOVED);
}

static void remove_five(void)
{
	for (unsigned int i = 0; i < N; i++)
		mm_vm_node_remove(&lists, &nodes[i]);
}

static void a_walk_takes_each_once_in_order_of_arrival(void **state)
{
	struct mm_vm_walk walk;

	five_moved();
	mm_vm_walk_begin(&walk, &lists, MM_VM_MOVED);
	for (unsigned int i = 0; i < N; i++) {
		assert_ptr_equal(mm_vm_walk_next(&walk, &lists), &nodes[i]);
		mm_vm_node_event(&lists, &nodes[i], MM_VM_UPDATED);
	}
	assert_null(mm_vm_walk_next(&walk, &lists));
	assert_int_equal(mm_vm_lists_count(&lists, MM_VM_MOVED), 0);
	whole();
	remove_five();
}

/* What moves again as soon as it is written would keep a walk until empty for ever. */
static void a_walk_ends_though_what_it_wrote_moves_again(void **state)
{
	struct mm_vm_walk walk;
	struct mm_vm_node *n;
	unsigned int seen = 0;

	five_moved();
	mm_vm_walk_begin(&walk, &lists, MM_VM_MOVED);
	while ((n = mm_vm_walk_next(&walk, &lists))) {
		mm_vm_node_event(&lists, n, MM_VM_UPDATED);
		mm_vm_node_event(&lists, n, MM_VM_BO_MOVED);
		assert_true(++seen <= N);
	}
	assert_int_equal(seen, N);
	assert_int_equal(mm_vm_lists_count(&lists, MM_VM_MOVED), N);
	whole();
	remove_five();
}

static void a_walk_still_comes_to_what_moved_once_more_before(void **state)
{
	struct mm_vm_walk walk;

	five_moved();
	mm_vm_walk_begin(&walk, &lists, MM_VM_MOVED);
	mm_vm_node_event(&lists, &nodes[0], MM_VM_BO_MOVED);
	assert_ptr_equal(mm_vm_walk_next(&walk, &lists), &nodes[0]);
	remove_five();
}

static void a_walk_does_not_come_to_what_left_meanwhile(void **state)
{
	struct mm_vm_walk walk;

	five_moved();
	mm_vm_walk_begin(&walk, &lists, MM_VM_MOVED);
	mm_vm_node_remove(&lists, &nodes[0]);
	mm_vm_node_event(&lists, &nodes[1], MM_VM_BO_EVICTED);
	assert_ptr_equal(mm_vm_walk_next(&walk, &lists), &nodes[2]);
	assert_ptr_equal(mm_vm_walk_next(&walk, &lists), &nodes[2]);
	remove_five();
}

static void what_is_skipped_waits_for_the_next_walk(void **state)
{
	struct mm_vm_walk walk;
	unsigned int seen = 0;
	struct mm_vm_node *n;

	five_moved();
	for (unsigned int round = 1; round <= 2; round++) {
		mm_vm_walk_begin(&walk, &lists, MM_VM_MOVED);
		while ((n = mm_vm_walk_next(&walk, &lists))) {
			mm_vm_walk_skip(&walk, &lists, n);
			assert_true(++seen <= round * N);
		}
		assert_int_equal(seen, round * N);
	}
	mm_vm_walk_begin(&walk, &lists, MM_VM_MOVED);
	mm_vm_node_event(&lists, &nodes[0], MM_VM_UPDATED);
	mm_vm_walk_skip(&walk, &lists, &nodes[0]); /* it left by itself */
	assert_int_equal(nodes[0].state, MM_VM_IDLE);
	whole();
	remove_five();
}

/* ------------------------------------------------ the check checks */

static void a_list_with_a_fault_in_it_is_found(void **state)
{
	struct mm_vm_node a, b;

	node_in(&a, MM_VM_SHARED, MM_VM_MOVED);
	node_in(&b, MM_VM_SHARED, MM_VM_MOVED);
	whole();
	a.state = MM_VM_IDLE;
	assert_non_null(mm_vm_lists_check(&lists));
	a.state = MM_VM_MOVED;
	a.kind = MM_VM_TABLE;
	assert_non_null(mm_vm_lists_check(&lists));
	a.kind = MM_VM_SHARED;
	a.stamp = b.stamp;
	assert_non_null(mm_vm_lists_check(&lists));
	a.stamp = b.stamp - 1;
	b.is_stale = false;
	assert_non_null(mm_vm_lists_check(&lists));
	b.is_stale = true;
	lists.n[MM_VM_MOVED] = 3;
	assert_non_null(mm_vm_lists_check(&lists));
	lists.n[MM_VM_MOVED] = 2;
	lists.stamp = 1;
	assert_non_null(mm_vm_lists_check(&lists));
	lists.stamp = b.stamp;
	whole();
	mm_vm_node_remove(&lists, &a);
	mm_vm_node_remove(&lists, &b);
}

/* ------------------------------------------------ many at once */

#define N_TASKS 4
#define N_EACH  40

static struct mm_vm_node crowd[N_TASKS][N_EACH];

/* Each task moves its own nodes about, and one walks over everybody's. */
static void mover(void *arg)
{
	struct mm_vm_node *mine = arg;

	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < N_EACH; i++)
			mm_vm_node_event(&lists, &mine[i],
					 (round + i) % 3 ? MM_VM_BO_MOVED : MM_VM_BO_EVICTED);
	}
}

static void walker(void *arg)
{
	for (unsigned int round = 0; round < 400; round++) {
		enum mm_vm_event event = round % 2 ? MM_VM_UPDATED : MM_VM_VALIDATED;
		unsigned int seen = 0;
		struct mm_vm_walk walk;
		struct mm_vm_node *n;

		mm_vm_walk_begin(&walk, &lists, round % 2 ? MM_VM_MOVED : MM_VM_EVICTED);
		while ((n = mm_vm_walk_next(&walk, &lists))) {
			if (mm_vm_node_event(&lists, n, event) == MM_VM_EVICTED)
				mm_vm_walk_skip(&walk, &lists, n);
			assert_true(++seen <= N_TASKS * N_EACH);
		}
	}
}

static void movers_and_a_walker_do_not_lose_a_node(void **state)
{
	struct vkf_task *tasks[N_TASKS + 1];

	host_sched_install();
	for (unsigned int t = 0; t < N_TASKS; t++) {
		for (unsigned int i = 0; i < N_EACH; i++)
			node_in(&crowd[t][i], MM_VM_SHARED, MM_VM_MOVED);
	}
	for (unsigned int t = 0; t < N_TASKS; t++)
		assert_int_equal(vkf_spawn("mover", mover, crowd[t], &tasks[t]), 0);
	assert_int_equal(vkf_spawn("walker", walker, NULL, &tasks[N_TASKS]), 0);
	for (unsigned int t = 0; t <= N_TASKS; t++)
		vkf_join(tasks[t]);
	whole();
	assert_int_equal(mm_vm_lists_count(&lists, MM_VM_MOVED) +
				 mm_vm_lists_count(&lists, MM_VM_EVICTED) +
				 mm_vm_lists_count(&lists, MM_VM_IDLE),
			 N_TASKS * N_EACH);
	for (unsigned int t = 0; t < N_TASKS; t++) {
		for (unsigned int i = 0; i < N_EACH; i++)
			mm_vm_node_remove(&lists, &crowd[t][i]);
	}
	vkf_sched_set(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_event_takes_a_node_where_the_table_says),
		TEST(what_is_not_in_the_table_does_not_happen),
		TEST(an_event_that_cannot_be_is_a_panic),
		TEST(a_node_knows_whether_its_entries_lead_to_it),
		TEST(a_vm_is_stale_while_somebody_has_to_do_something),
		TEST(a_walk_takes_each_once_in_order_of_arrival),
		TEST(a_walk_ends_though_what_it_wrote_moves_again),
		TEST(a_walk_still_comes_to_what_moved_once_more_before),
		TEST(a_walk_does_not_come_to_what_left_meanwhile),
		TEST(what_is_skipped_waits_for_the_next_walk),
		TEST(a_list_with_a_fault_in_it_is_found),
		TEST(movers_and_a_walker_do_not_lose_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
