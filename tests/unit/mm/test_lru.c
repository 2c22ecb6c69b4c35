/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_lru lru;
static struct mm_lru_node node[6];
static struct mm_lru_bulk bulk[2];

static int setup(void **state)
{
	mm_lru_init(&lru);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(node); i++)
		mm_lru_node_init(&node[i]);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bulk); i++)
		mm_lru_bulk_init(&bulk[i]);
	return 0;
}

/* The walk gives exactly these, in this order. */
static void assert_order(const unsigned int *order, unsigned int n)
{
	struct mm_lru_node *at = NULL;

	assert_null(mm_lru_check(&lru));
	assert_int_equal(lru.n, n);
	for (unsigned int i = 0; i < n; i++) {
		at = mm_lru_next(&lru, at);
		assert_ptr_equal(at, &node[order[i]]);
	}
	assert_null(mm_lru_next(&lru, at));
}

static void the_walk_goes_by_priority_and_then_by_age(void **state)
{
	mm_lru_add(&lru, &node[0], MM_LRU_KERNEL);
	mm_lru_add(&lru, &node[1], MM_LRU_USER);
	mm_lru_add(&lru, &node[2], MM_LRU_USER);
	mm_lru_add(&lru, &node[3], MM_LRU_DISCARDABLE);
	mm_lru_add(&lru, &node[4], MM_LRU_HIGHEST);
	assert_order((unsigned int[]){ 3, 1, 2, 0, 4 }, 5);
}

static void a_used_one_goes_to_the_end_of_its_priority(void **state)
{
	mm_lru_add(&lru, &node[0], MM_LRU_USER);
	mm_lru_add(&lru, &node[1], MM_LRU_USER);
	mm_lru_add(&lru, &node[2], MM_LRU_KERNEL);
	mm_lru_touch(&lru, &node[0]);
	assert_order((unsigned int[]){ 1, 0, 2 }, 3);
	mm_lru_touch(&lru, &node[5]);
	assert_order((unsigned int[]){ 1, 0, 2 }, 3);
}

static void a_removed_one_is_not_met(void **state)
{
	mm_lru_add(&lru, &node[0], MM_LRU_USER);
	mm_lru_add(&lru, &node[1], MM_LRU_USER);
	assert_true(mm_lru_has(&node[0]));
	mm_lru_remove(&lru, &node[0]);
	assert_false(mm_lru_has(&node[0]));
	mm_lru_remove(&lru, &node[0]);
	assert_order((unsigned int[]){ 1 }, 1);
	mm_lru_add(&lru, &node[0], MM_LRU_DISCARDABLE);
	assert_order((unsigned int[]){ 0, 1 }, 2);
}

static void an_empty_one_has_no_first(void **state)
{
	assert_order(NULL, 0);
}

/* 0 to 5 as user's, in that order; those of the word's digits are of the first bulk. */
static void fill(const char *of_bulk)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(node); i++) {
		mm_lru_set_bulk(&lru, &node[i], strchr(of_bulk, '0' + (int)i) ? &bulk[0] : NULL);
		mm_lru_add(&lru, &node[i], MM_LRU_USER);
	}
}

static void a_bulk_stays_together_wherever_its_nodes_come_from(void **state)
{
	fill("024");
	assert_order((unsigned int[]){ 0, 2, 4, 1, 3, 5 }, 6);
	assert_int_equal(bulk[0].n, 3);
	/* One that is in a list joins behind the last. */
	mm_lru_set_bulk(&lru, &node[1], &bulk[0]);
	assert_order((unsigned int[]){ 0, 2, 4, 1, 3, 5 }, 6);
	mm_lru_set_bulk(&lru, &node[5], &bulk[0]);
	assert_order((unsigned int[]){ 0, 2, 4, 1, 5, 3 }, 6);
}

static void a_touched_bulk_goes_to_the_end_whole(void **state)
{
	fill("13");
	mm_lru_touch_bulk(&lru, &bulk[0]);
	assert_order((unsigned int[]){ 0, 2, 4, 5, 1, 3 }, 6);
	mm_lru_touch_bulk(&lru, &bulk[0]);
	assert_order((unsigned int[]){ 0, 2, 4, 5, 1, 3 }, 6);
	mm_lru_touch(&lru, &node[0]);
	assert_order((unsigned int[]){ 2, 4, 5, 1, 3, 0 }, 6);
	mm_lru_touch_bulk(&lru, &bulk[0]);
	assert_order((unsigned int[]){ 2, 4, 5, 0, 1, 3 }, 6);
	/* Nothing in it: nothing happens. */
	mm_lru_touch_bulk(&lru, &bulk[1]);
	assert_order((unsigned int[]){ 2, 4, 5, 0, 1, 3 }, 6);
}

static void a_node_of_a_bulk_is_touched_within_it(void **state)
{
	fill("123");
	mm_lru_touch(&lru, &node[1]);
	assert_order((unsigned int[]){ 0, 2, 3, 1, 4, 5 }, 6);
	mm_lru_touch(&lru, &node[3]);
	assert_order((unsigned int[]){ 0, 2, 1, 3, 4, 5 }, 6);
	mm_lru_touch(&lru, &node[3]);
	assert_order((unsigned int[]){ 0, 2, 1, 3, 4, 5 }, 6);
}

static void any_node_of_a_bulk_may_leave_the_list(void **state)
{
	static const unsigned int gone[] = { 1, 3, 2, 4 };
	static const unsigned int left[4][5] = {
		{ 0, 2, 3, 4, 5 }, { 0, 2, 4, 5 }, { 0, 4, 5 }, { 0, 5 },
	};

	fill("1234");
	for (unsigned int i = 0; i < 4; i++) {
		mm_lru_remove(&lru, &node[gone[i]]);
		assert_order(left[i], 5 - i);
		assert_int_equal(bulk[0].n, 3 - i);
	}
	assert_order((unsigned int[]){ 0, 5 }, 2);
	/* It is still of its bulk when it comes back. */
	mm_lru_add(&lru, &node[2], MM_LRU_USER);
	mm_lru_add(&lru, &node[1], MM_LRU_USER);
	mm_lru_touch(&lru, &node[0]);
	assert_order((unsigned int[]){ 5, 2, 1, 0 }, 4);
	mm_lru_touch_bulk(&lru, &bulk[0]);
	assert_order((unsigned int[]){ 5, 0, 2, 1 }, 4);
}

static void one_that_leaves_its_bulk_does_not_split_it(void **state)
{
	fill("123");
	mm_lru_set_bulk(&lru, &node[2], NULL);
	assert_order((unsigned int[]){ 0, 1, 3, 2, 4, 5 }, 6);
	mm_lru_set_bulk(&lru, &node[1], &bulk[1]);
	assert_order((unsigned int[]){ 0, 3, 1, 2, 4, 5 }, 6);
	mm_lru_touch_bulk(&lru, &bulk[1]);
	assert_order((unsigned int[]){ 0, 3, 2, 4, 5, 1 }, 6);
	mm_lru_set_bulk(&lru, &node[3], NULL);
	assert_int_equal(bulk[0].n, 0);
	mm_lru_bulk_fini(&bulk[0]);
	assert_order((unsigned int[]){ 0, 3, 2, 4, 5, 1 }, 6);
}

static void a_bulk_has_a_run_for_each_priority(void **state)
{
	for (unsigned int i = 0; i < 6; i++) {
		mm_lru_set_bulk(&lru, &node[i], i % 3 ? &bulk[0] : NULL);
		mm_lru_add(&lru, &node[i], i < 3 ? MM_LRU_USER : MM_LRU_KERNEL);
	}
	mm_lru_touch(&lru, &node[0]);
	mm_lru_touch(&lru, &node[3]);
	assert_order((unsigned int[]){ 1, 2, 0, 4, 5, 3 }, 6);
	mm_lru_touch_bulk(&lru, &bulk[0]);
	assert_order((unsigned int[]){ 0, 1, 2, 3, 4, 5 }, 6);
}

static void a_walk_goes_on_from_its_mark_whatever_has_become_of_the_next_one(void **state)
{
	struct mm_lru_mark mark;

	fill("");
	mm_lru_mark_init(&mark);
	assert_false(mm_lru_has(&mark.node));
	mm_lru_mark_before(&mark, &node[2]);
	assert_order((unsigned int[]){ 0, 1, 2, 3, 4, 5 }, 6);
	assert_ptr_equal(mm_lru_next(&lru, &mark.node), &node[2]);
	mm_lru_touch(&lru, &node[2]);
	mm_lru_remove(&lru, &node[3]);
	mm_lru_touch(&lru, &node[1]);
	assert_ptr_equal(mm_lru_next(&lru, &mark.node), &node[4]);
	assert_order((unsigned int[]){ 0, 4, 5, 2, 1 }, 5);
	mm_lru_mark_before(&mark, &node[0]);
	assert_ptr_equal(mm_lru_next(&lru, &mark.node), &node[0]);
	mm_lru_mark_remove(&mark);
	mm_lru_mark_remove(&mark);
	assert_false(mm_lru_has(&mark.node));
}

static void the_mark_of_a_walk_that_is_at_its_end_is_followed_by_nothing(void **state)
{
	struct mm_lru_mark mark, other;

	mm_lru_mark_init(&mark);
	mm_lru_mark_init(&other);
	mm_lru_add(&lru, &node[0], MM_LRU_HIGHEST);
	mm_lru_mark_before(&mark, &node[0]);
	mm_lru_mark_before(&other, &node[0]);
	mm_lru_remove(&lru, &node[0]);
	assert_null(mm_lru_next(&lru, &mark.node));
	assert_null(mm_lru_next(&lru, &other.node));
	assert_order(NULL, 0);
	mm_lru_mark_remove(&mark);
	mm_lru_mark_remove(&other);
}

static void a_mark_lies_before_the_whole_bulk(void **state)
{
	struct mm_lru_mark mark;

	fill("123");
	mm_lru_mark_init(&mark);
	mm_lru_mark_before(&mark, &node[3]);
	assert_ptr_equal(mm_lru_next(&lru, &mark.node), &node[1]);
	mm_lru_touch_bulk(&lru, &bulk[0]);
	assert_ptr_equal(mm_lru_next(&lru, &mark.node), &node[4]);
	assert_order((unsigned int[]){ 0, 4, 5, 1, 2, 3 }, 6);
	vkf_list_move_tail(&mark.node.link, &node[2].link);
	assert_string_equal(mm_lru_check(&lru), "a bulk is not in one piece");
	mm_lru_mark_remove(&mark);
}

static void the_check_sees_a_bulk_that_is_torn(void **state)
{
	fill("123");
	vkf_list_move_tail(&node[2].link, &lru.list[MM_LRU_USER]);
	assert_string_equal(mm_lru_check(&lru), "a bulk does not begin with its first node");
	vkf_list_del(&node[2].link);
	vkf_list_add(&node[2].link, &node[1].link);
	assert_null(mm_lru_check(&lru));
	bulk[0].run[MM_LRU_USER].last = &node[2];
	assert_string_equal(mm_lru_check(&lru), "a bulk ends before its last node");
	bulk[0].run[MM_LRU_USER].last = &node[5];
	assert_string_equal(mm_lru_check(&lru), "a bulk is not in one piece");
}

static void adding_twice_dies(void **state)
{
#ifdef VKFD_DEBUG
	mm_lru_add(&lru, &node[0], MM_LRU_USER);
	EXPECT_PANIC("mm_lru_has", mm_lru_add(&lru, &node[0], MM_LRU_USER));
#else
	skip();
#endif
}

static void the_check_sees_what_is_broken(void **state)
{
	mm_lru_add(&lru, &node[0], MM_LRU_USER);
	mm_lru_add(&lru, &node[1], MM_LRU_USER);
	lru.n++;
	assert_non_null(mm_lru_check(&lru));
	lru.n--;
	node[1].link.prev = &node[1].link;
	assert_string_equal(mm_lru_check(&lru), "an LRU list is broken");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_walk_goes_by_priority_and_then_by_age),
		TEST(a_used_one_goes_to_the_end_of_its_priority),
		TEST(a_removed_one_is_not_met),
		TEST(an_empty_one_has_no_first),
		TEST(a_bulk_stays_together_wherever_its_nodes_come_from),
		TEST(a_touched_bulk_goes_to_the_end_whole),
		TEST(a_node_of_a_bulk_is_touched_within_it),
		TEST(any_node_of_a_bulk_may_leave_the_list),
		TEST(one_that_leaves_its_bulk_does_not_split_it),
		TEST(a_bulk_has_a_run_for_each_priority),
		TEST(a_walk_goes_on_from_its_mark_whatever_has_become_of_the_next_one),
		TEST(the_mark_of_a_walk_that_is_at_its_end_is_followed_by_nothing),
		TEST(a_mark_lies_before_the_whole_bulk),
		TEST(the_check_sees_a_bulk_that_is_torn),
		TEST(adding_twice_dies),
		TEST(the_check_sees_what_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
