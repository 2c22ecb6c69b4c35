/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#define BIG VKF_MIB(200) /* most of VRAM */

static struct mm_fixture f;
static struct mm_fixture_client b;
static const struct mm_op op;

static const struct mm_places vram_or_gtt = {
	.n = 2, .place = { { MM_DOMAIN_VRAM }, { MM_DOMAIN_GTT, .fallback = true } }
};
static const struct mm_places vram_if_free = {
	.n = 2, .place = { { MM_DOMAIN_VRAM, .desired = true }, { MM_DOMAIN_GTT } }
};

static int setup(void **state)
{
	mm_fixture_init(&f, NULL);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	return 0;
}

static int teardown(void **state)
{
	mm_fixture_client_fini(&b);
	mm_fixture_fini(&f);
	return 0;
}

static struct mm_bo *create(struct mm_fixture_client *c, const struct mm_places *places)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = BIG, .charge_as_gtt = true };
	struct mm_bo *bo;

	if (places)
		params.places = *places;
	assert_int_equal(mm_bo_create(c->mm, f.dev[0], &params, &bo), 0);
	return bo;
}

static void lists_that_make_no_sense_are_refused(void **state)
{
	static const struct mm_places bad[] = {
		{ .n = 2, .place = { { MM_DOMAIN_VRAM }, { MM_DOMAIN_VRAM } } },
		{ .n = 1, .place = { { MM_DOMAINS } } },
		{ .n = 1, .place = { { MM_DOMAIN_GTT, true, true } } },
		{ .n = MM_DOMAINS + 1,
		  .place = { { MM_DOMAIN_VRAM }, { MM_DOMAIN_GTT }, { MM_DOMAIN_SYSTEM } } },
	};
	struct mm_bo *bo;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct mm_bo_params params = { .size = 1, .places = bad[i] };

		assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &bo), -EINVAL);
	}
	assert_false(mm_places_valid(&(struct mm_places){ 0 }));
	assert_true(mm_places_valid(&vram_or_gtt) && mm_places_valid(&vram_if_free));
}

static void the_first_that_has_room_is_taken(void **state)
{
	struct mm_bo *bo = create(&f.a, &vram_or_gtt), *other = create(&b, &vram_if_free);

	assert_true(mm_bo_in_vram(bo));
	assert_true(other->res.man == &f.dev[0]->gtt.man);
	mm_fixture_check(&f);
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void for_a_desired_place_nobody_is_evicted_but_before_a_fallback_somebody_is(void **state)
{
	struct mm_bo *old = create(&f.a, NULL), *desired = create(&b, &vram_if_free), *next;

	assert_true(mm_bo_in_vram(old) && !mm_bo_in_vram(desired));
	next = create(&b, &vram_or_gtt);
	assert_true(mm_bo_in_vram(next) && !mm_bo_in_vram(old));
	mm_bo_put(old);
	mm_bo_put(desired);
	mm_bo_put(next);
}

static void a_fallback_is_for_when_nothing_else_can_be_had(void **state)
{
	struct mm_bo *pinned = create(&f.a, NULL), *bo;

	assert_int_equal(mm_bo_pin(pinned), 0);
	bo = create(&b, &vram_or_gtt);
	assert_false(mm_bo_in_vram(bo));
	/* It stays while that is so, and leaves when there is room. */
	assert_int_equal(mm_bo_validate(bo, false), 0);
	assert_false(mm_bo_in_vram(bo));
	mm_bo_unpin(pinned);
	mm_bo_put(pinned);
	assert_int_equal(mm_bo_validate(bo, false), 0);
	assert_true(mm_bo_in_vram(bo));
	mm_bo_put(bo);
}

static void what_is_in_a_place_of_the_list_stays(void **state)
{
	struct mm_bo *first = create(&f.a, NULL), *bo = create(&b, &vram_if_free);

	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	assert_true(mm_places_hold(&bo->places, bo, false));
	assert_true(mm_places_hold(&bo->places, bo, true));
	mm_resv_unlock(bo->resv);
	/* Though there is room now where it would rather be. */
	mm_bo_put(first);
	assert_int_equal(mm_bo_validate(bo, false), 0);
	assert_false(mm_bo_in_vram(bo));
	mm_bo_put(bo);
}

static void without_any_room_there_is_none(void **state)
{
	struct mm_places only = mm_places_of(MM_DOMAIN_VRAM);
	struct mm_bo *pinned = create(&f.a, NULL), *other = create(&b, &vram_if_free);
	struct mm_resource res = { 0 };

	assert_int_equal(mm_bo_pin(pinned), 0);
	assert_int_equal(mm_places_alloc(&only, other, &op, false, &res), -ENOSPC);
	assert_int_equal(mm_places_alloc(&only, other, &op, true, &res), -ENOSPC);
	assert_null(res.man);
	mm_bo_put(pinned);
	mm_bo_put(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_that_make_no_sense_are_refused),
		TEST(the_first_that_has_room_is_taken),
		TEST(for_a_desired_place_nobody_is_evicted_but_before_a_fallback_somebody_is),
		TEST(a_fallback_is_for_when_nothing_else_can_be_had),
		TEST(what_is_in_a_place_of_the_list_stays),
		TEST(without_any_room_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
