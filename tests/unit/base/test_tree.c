/* SPDX-License-Identifier: MIT */
#include "base/tree.h"

#include "support.h"

#define N_RANGES 400

static struct vkf_range ranges[N_RANGES];
static bool inside[N_RANGES];

/* How many of the twin's ranges overlap [first, last]; the smallest first of them. */
static unsigned int twin_overlaps(uint64_t first, uint64_t last, uint64_t *ret_smallest)
{
	unsigned int i, n = 0;

	*ret_smallest = UINT64_MAX;
	for (i = 0; i < N_RANGES; i++) {
		if (!inside[i] || ranges[i].last < first || ranges[i].first > last)
			continue;
		n++;
		*ret_smallest = VKF_MIN(*ret_smallest, ranges[i].first);
	}
	return n;
}

static void assert_search_agrees(const struct vkf_ranges *t, uint64_t first, uint64_t last)
{
	uint64_t smallest, prev = 0;
	unsigned int n = 0, want = twin_overlaps(first, last, &smallest);
	bool seen[N_RANGES] = { false };
	struct vkf_range *r = vkf_ranges_first_overlap(t, first, last);

	if (r)
		assert_true(r->first == smallest);
	for (; r; r = vkf_ranges_next_overlap(r, first, last)) {
		assert_true(r->first >= prev);
		assert_true(r->first <= last && r->last >= first);
		assert_true(inside[r - ranges]);
		assert_false(seen[r - ranges]);
		seen[r - ranges] = true;
		prev = r->first;
		n++;
	}
	assert_int_equal(n, want);
}

/* A random last for @first, at most @longest further. */
static uint64_t rnd_last(uint64_t first, uint64_t longest)
{
	uint64_t more = rnd(longest);

	return first + VKF_MIN(more, UINT64_MAX - first);
}

/* Random insertions, removals and searches over an address space of @space. */
static void run_twin(uint64_t space, uint64_t longest, unsigned int steps)
{
	struct vkf_ranges t;
	struct vkf_range *r;
	unsigned int i, k;
	uint64_t first;

	vkf_ranges_init(&t);
	memset(inside, 0, sizeof(inside));
	for (i = 0; i < steps; i++) {
		k = rnd(N_RANGES);
		r = &ranges[k];
		if (inside[k]) {
			vkf_ranges_remove(&t, r);
		} else {
			r->first = rnd(space);
			r->last = rnd_last(r->first, longest);
			vkf_ranges_insert(&t, r);
		}
		inside[k] = !inside[k];
		if (i % 16 == 0)
			assert_true(vkf_ranges_valid(&t));
		first = rnd(space);
		assert_search_agrees(&t, first, rnd_last(first, longest));
	}
	for (k = 0; k < N_RANGES; k++) {
		if (!inside[k])
			continue;
		vkf_ranges_remove(&t, &ranges[k]);
		assert_true(vkf_ranges_valid(&t));
	}
	assert_null(t.root);
	assert_int_equal(t.n, 0);
}

static void sparse_ranges_agree_with_a_slow_twin(void **state)
{
	run_twin(1000000, 2000, 20000);
}

static void crowded_ranges_with_equal_firsts_agree_with_a_slow_twin(void **state)
{
	run_twin(40, 15, 10000);
}

static void ranges_up_to_the_highest_address_agree_with_a_slow_twin(void **state)
{
	run_twin(UINT64_MAX, UINT64_MAX / 4, 10000);
}

static void ends_are_inclusive(void **state)
{
	struct vkf_ranges t;
	struct vkf_range r = { .first = 10, .last = 20 };

	vkf_ranges_init(&t);
	assert_null(vkf_ranges_first(&t));
	assert_null(vkf_ranges_first_overlap(&t, 0, UINT64_MAX));
	vkf_ranges_insert(&t, &r);
	assert_null(vkf_ranges_first_overlap(&t, 0, 9));
	assert_ptr_equal(vkf_ranges_first_overlap(&t, 0, 10), &r);
	assert_ptr_equal(vkf_ranges_first_overlap(&t, 20, 30), &r);
	assert_null(vkf_ranges_first_overlap(&t, 21, UINT64_MAX));
	assert_ptr_equal(vkf_ranges_first(&t), &r);
	assert_null(vkf_ranges_next(&r));
}

static void sorted_insertion_stays_shallow(void **state)
{
	static struct vkf_range r[1 << 14];
	struct vkf_ranges t;
	unsigned int i;

	vkf_ranges_init(&t);
	for (i = 0; i < VKF_ARRAY_SIZE(r); i++) {
		r[i].first = r[i].last = i;
		vkf_ranges_insert(&t, &r[i]);
	}
	assert_true(vkf_ranges_valid(&t));
	/* An AVL tree of n nodes is lower than 1.45 log2(n + 2). */
	assert_true(t.root->level <= 20);
	for (i = 0; i < VKF_ARRAY_SIZE(r); i += 2)
		vkf_ranges_remove(&t, &r[i]);
	assert_true(vkf_ranges_valid(&t));
	assert_ptr_equal(vkf_ranges_first(&t), &r[1]);
	assert_ptr_equal(vkf_ranges_next(&r[1]), &r[3]);
}

static void valid_sees_each_kind_of_damage(void **state)
{
	struct vkf_range r[3] = { { .first = 1, .last = 1 },
				  { .first = 5, .last = 9 },
				  { .first = 7, .last = 7 } };
	struct vkf_ranges t;
	int i;

	vkf_ranges_init(&t);
	for (i = 0; i < 3; i++)
		vkf_ranges_insert(&t, &r[i]);
	assert_true(vkf_ranges_valid(&t));
	r[1].max_last = 8;
	assert_false(vkf_ranges_valid(&t));
	r[1].max_last = 9;
	r[0].first = 6;
	assert_false(vkf_ranges_valid(&t));
	r[0].first = 1;
	r[2].level = 2;
	assert_false(vkf_ranges_valid(&t));
	r[2].level = 1;
	t.n = 2;
	assert_false(vkf_ranges_valid(&t));
	t.n = 3;
	assert_true(vkf_ranges_valid(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sparse_ranges_agree_with_a_slow_twin),
		cmocka_unit_test(crowded_ranges_with_equal_firsts_agree_with_a_slow_twin),
		cmocka_unit_test(ranges_up_to_the_highest_address_agree_with_a_slow_twin),
		cmocka_unit_test(ends_are_inclusive),
		cmocka_unit_test(sorted_insertion_stays_shallow),
		cmocka_unit_test(valid_sees_each_kind_of_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
