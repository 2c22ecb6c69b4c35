/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_lru lru;
static struct mm_lru_node node[6];

static int setup(void **state)
{
	mm_lru_init(&lru);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(node); i++)
		mm_lru_node_init(&node[i]);
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
		TEST(adding_twice_dies),
		TEST(the_check_sees_what_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
