/* SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "support.h"

struct item {
	int v;
	struct vkf_list node;
};

/* Check that @head holds exactly the @n values, forwards and backwards. */
static void assert_holds(const struct vkf_list *head, const int *v, int n)
{
	const struct vkf_list *p = head;
	int i;

	for (i = 0; i < n; i++) {
		p = p->next;
		assert_ptr_not_equal(p, head);
		assert_int_equal(vkf_list_entry(p, struct item, node)->v, v[i]);
	}
	assert_ptr_equal(p->next, head);
	for (p = head, i = n - 1; i >= 0; i--) {
		p = p->prev;
		assert_int_equal(vkf_list_entry(p, struct item, node)->v, v[i]);
	}
	assert_ptr_equal(p->prev, head);
}

#define HOLDS(head, ...)                                                                           \
	assert_holds(head, (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

static void fill(struct vkf_list *head, struct item *it, int n, int from)
{
	int i;

	vkf_list_init(head);
	for (i = 0; i < n; i++) {
		it[i].v = from + i;
		vkf_list_add_tail(&it[i].node, head);
	}
}

static void add_goes_to_the_front_and_add_tail_to_the_back(void **state)
{
	struct vkf_list head = VKF_LIST_INIT(head);
	struct item a = { .v = 1 }, b = { .v = 2 }, c = { .v = 3 };

	assert_true(vkf_list_empty(&head));
	vkf_list_add(&a.node, &head);
	vkf_list_add(&b.node, &head);
	vkf_list_add_tail(&c.node, &head);
	HOLDS(&head, 2, 1, 3);
	assert_int_equal(vkf_list_first(&head, struct item, node)->v, 2);
}

static void del_may_be_repeated(void **state)
{
	struct vkf_list head;
	struct item it[3];

	fill(&head, it, 3, 0);
	vkf_list_del(&it[1].node);
	vkf_list_del(&it[1].node);
	HOLDS(&head, 0, 2);
	assert_true(vkf_list_empty(&it[1].node));
}

static void move_tail_works_within_and_between_lists(void **state)
{
	struct vkf_list a, b;
	struct item x[3], y[2];

	fill(&a, x, 3, 0);
	fill(&b, y, 2, 10);
	vkf_list_move_tail(&x[0].node, &a);
	HOLDS(&a, 1, 2, 0);
	vkf_list_move_tail(&x[1].node, &b);
	HOLDS(&a, 2, 0);
	HOLDS(&b, 10, 11, 1);
}

static void splice_appends_and_empties_the_source(void **state)
{
	struct vkf_list a, b;
	struct item x[2], y[2];

	fill(&a, x, 2, 0);
	fill(&b, y, 2, 10);
	vkf_list_splice_tail(&b, &a);
	HOLDS(&a, 0, 1, 10, 11);
	assert_true(vkf_list_empty(&b));
	vkf_list_splice_tail(&b, &a);
	HOLDS(&a, 0, 1, 10, 11);
	vkf_list_splice_tail(&a, &b);
	HOLDS(&b, 0, 1, 10, 11);
}

static void safe_walk_survives_removal_of_the_current_one(void **state)
{
	struct vkf_list head;
	struct item it[4], *pos, *tmp;
	int sum = 0;

	fill(&head, it, 4, 1);
	vkf_list_for_each_safe(pos, tmp, &head, node) {
		sum += pos->v;
		if (pos->v % 2 == 0)
			vkf_list_del(&pos->node);
	}
	assert_int_equal(sum, 10);
	HOLDS(&head, 1, 3);
	sum = 0;
	vkf_list_for_each(pos, &head, node)
		sum += pos->v;
	assert_int_equal(sum, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_goes_to_the_front_and_add_tail_to_the_back),
		cmocka_unit_test(del_may_be_repeated),
		cmocka_unit_test(move_tail_works_within_and_between_lists),
		cmocka_unit_test(splice_appends_and_empties_the_source),
		cmocka_unit_test(safe_walk_survives_removal_of_the_current_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
