/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include <stdio.h>
#include "mm/va_plan.h"

/* Addresses, offsets and lengths are in pages, from address BASE on. */
#define BASE     0x100000u
#define PAGES    64
#define BO_PAGES 100

static char buffers[4]; /* their addresses are what plans compare */

/* 'a', 'b' ... are buffers, '-' is none. */
static void *bo_named(char name)
{
	return name == '-' ? NULL : &buffers[name - 'a'];
}

static char name_of(const struct mm_va_node *n)
{
	return n->bo ? (char)('a' + ((char *)n->bo - buffers)) : '-';
}

static uint64_t addr_of(unsigned int page)
{
	return BASE + page * VKF_PAGE_SIZE;
}

static unsigned int page_of(uint64_t addr)
{
	return (unsigned int)((addr - BASE) / VKF_PAGE_SIZE);
}

/* struct piece - a mapping, written down; no pages: nothing */
struct piece {
	char bo;
	unsigned int first, n, offset, flags;
};

static struct mm_va va;

static struct mm_va_node *add_piece(const struct piece *p)
{
	struct mm_va_node *n = calloc(1, sizeof(*n));

	n->bo = bo_named(p->bo);
	n->offset = n->bo ? p->offset * VKF_PAGE_SIZE : 0;
	n->flags = p->flags;
	mm_va_insert(&va, &n->range, (vkf_gpuva){ addr_of(p->first) }, p->n * VKF_PAGE_SIZE);
	return n;
}

static struct mm_va_request request(enum mm_va_op op, const struct piece *p)
{
	return (struct mm_va_request){
		.op = op,
		.addr = { addr_of(p->first) },
		.bytes = p->n * VKF_PAGE_SIZE,
		.bo = bo_named(p->bo),
		.bo_bytes = BO_PAGES * VKF_PAGE_SIZE,
		.offset = p->offset * VKF_PAGE_SIZE,
		.flags = p->flags,
	};
}

static void remove_all(void)
{
	struct vkf_range *r;

	while ((r = vkf_ranges_first(&va.ranges))) {
		vkf_ranges_remove(&va.ranges, r);
		vkf_free(vkf_container_of(r, struct mm_va_node, range));
	}
}

static void start(void)
{
	mm_va_init(&va, 48);
}

/* The old nodes of what was applied are ours. */
static void free_old(const struct mm_va_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		if (plan->steps[i].kind != MM_VA_STEP_KEEP)
			vkf_free(plan->steps[i].old);
	}
}

/* The tree, as "a0+4@2 -4+1": name, first page, pages, offset if any, flags if any. */
static const char *tree_text(void)
{
	static char text[1024];
	struct vkf_range *r;
	size_t len = 0;

	text[0] = 0;
	for (r = vkf_ranges_first(&va.ranges); r; r = vkf_ranges_next(r)) {
		const struct mm_va_node *n = vkf_container_of(r, struct mm_va_node, range);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%u+%u", len ? " " : "",
					name_of(n), page_of(r->first),
					page_of(r->last + 1) - page_of(r->first));
		if (n->offset)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "@%u",
						(unsigned int)(n->offset / VKF_PAGE_SIZE));
		if (n->flags)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "!%u",
						(unsigned int)n->flags);
	}
	return text;
}

/*
 * Steps, each with what it takes away or brings: U unmaps, R remaps ("<" a rest before, ">" one
 * behind), M maps, K is there already; "=" says that entries may stay.
 */
static const char *steps_text(const struct mm_va_plan *plan)
{
	static const char letters[] = { 'M', 'U', 'R', 'K' };
	static char text[512];
	size_t len = 0;

	text[0] = 0;
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct mm_va_step *s = &plan->steps[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%u-%u%s%s%s",
					len ? " " : "", letters[s->kind], page_of(s->first),
					page_of(s->last), s->prev ? "<" : "", s->next ? ">" : "",
					s->keep ? "=" : "");
	}
	return text;
}

/* What is to be written: "3-4" leads somewhere, "x3-4" nowhere. */
static const char *changes_text(const struct mm_va_plan *plan)
{
	static char text[512];
	struct mm_va_change c;
	size_t len = 0, pos = 0;

	text[0] = 0;
	while (mm_va_plan_next_change(plan, &pos, &c))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%u-%u", len ? " " : "",
					c.node ? "" : "x", page_of(c.first), page_of(c.last));
	return text;
}

/* ------------------------------------------------ the documented cases */

/* struct overlap - one way a request can lie across what is there */
struct overlap {
	const char *name;
	struct piece old[3];
	enum mm_va_op op;
	struct piece req;
	bool merge;
	const char *steps, *changes, *result;
};

#define REPLACE MM_VA_REPLACE
#define CLEAR   MM_VA_CLEAR
#define UNMAP   MM_VA_UNMAP
#define MAP     MM_VA_MAP

/* The numbers are those of the cases in the kernel's documentation of drm_gpuvm; its 0, 1, 2, 3 are
 * pages 2, 4, 6, 8 here, its n is 10. */
/* clang-format off */
static const struct overlap overlaps[] = {
	{ "1 identical", {{ 'a', 2, 2, 10 }}, REPLACE, { 'a', 2, 2, 10 }, false,
	  "K2-3", "", "a2+2@10" },
	{ "2 other offset", {{ 'a', 2, 2, 10 }}, REPLACE, { 'a', 2, 2, 20 }, false,
	  "U2-3 M2-3", "2-3", "a2+2@20" },
	{ "3 other buffer", {{ 'a', 2, 2, 10 }}, REPLACE, { 'b', 2, 2, 10 }, false,
	  "U2-3 M2-3", "2-3", "b2+2@10" },
	{ "1f other flags", {{ 'a', 2, 2, 10 }}, REPLACE, { 'a', 2, 2, 10, 7 }, false,
	  "U2-3 M2-3", "2-3", "a2+2@10!7" },
	{ "4 left part of the request", {{ 'a', 2, 2, 10 }}, REPLACE, { 'a', 2, 4, 10 }, false,
	  "U2-3= M2-5", "4-5", "a2+4@10" },
	{ "4 other buffer", {{ 'a', 2, 2, 10 }}, REPLACE, { 'b', 2, 4, 10 }, false,
	  "U2-3 M2-5", "2-5", "b2+4@10" },
	{ "4 not contiguous", {{ 'a', 2, 2, 10 }}, REPLACE, { 'a', 2, 4, 20 }, false,
	  "U2-3 M2-5", "2-5", "a2+4@20" },
	{ "5 request is the left part, other buffer", {{ 'a', 2, 4, 10 }}, REPLACE, { 'b', 2, 2, 10 }, false,
	  "R2-3> M2-3", "2-3", "b2+2@10 a4+2@12" },
	{ "5 not contiguous", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 2, 2, 20 }, false,
	  "R2-3> M2-3", "2-3", "a2+2@20 a4+2@12" },
	{ "6 request is the left part, contiguous", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 2, 2, 10 }, false,
	  "R2-3>= M2-3", "2-3", "a2+2@10 a4+2@12" },
	{ "7 request is the right part, other buffer", {{ 'a', 2, 4, 10 }}, REPLACE, { 'b', 4, 2, 20 }, false,
	  "R4-5< M4-5", "4-5", "a2+2@10 b4+2@20" },
	{ "7 not contiguous", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 4, 2, 10 }, false,
	  "R4-5< M4-5", "4-5", "a2+2@10 a4+2@10" },
	{ "8 request is the right part, contiguous", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 4, 2, 12 }, false,
	  "R4-5<= M4-5", "4-5", "a2+2@10 a4+2@12" },
	{ "9 over the end, other buffer", {{ 'a', 2, 4, 10 }}, REPLACE, { 'b', 4, 4, 20 }, false,
	  "R4-5< M4-7", "4-7", "a2+2@10 b4+4@20" },
	{ "10 over the end, contiguous", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 4, 4, 12 }, false,
	  "R4-5<= M4-7", "4-7", "a2+2@10 a4+4@12" },
	{ "11 in the middle, other buffer", {{ 'a', 2, 6, 10 }}, REPLACE, { 'b', 4, 2, 20 }, false,
	  "R4-5<> M4-5", "4-5", "a2+2@10 b4+2@20 a6+2@14" },
	{ "11 not contiguous", {{ 'a', 2, 6, 10 }}, REPLACE, { 'a', 4, 2, 13 }, false,
	  "R4-5<> M4-5", "4-5", "a2+2@10 a4+2@13 a6+2@14" },
	{ "12 in the middle, contiguous", {{ 'a', 2, 6, 10 }}, REPLACE, { 'a', 4, 2, 12 }, false,
	  "R4-5<>= M4-5", "4-5", "a2+2@10 a4+2@12 a6+2@14" },
	{ "13 right part of the request", {{ 'a', 4, 2, 12 }}, REPLACE, { 'a', 2, 4, 10 }, false,
	  "U4-5= M2-5", "2-3", "a2+4@10" },
	{ "13 other buffer", {{ 'a', 4, 2, 12 }}, REPLACE, { 'b', 2, 4, 10 }, false,
	  "U4-5 M2-5", "2-5", "b2+4@10" },
	{ "13 not contiguous", {{ 'a', 4, 2, 10 }}, REPLACE, { 'a', 2, 4, 10 }, false,
	  "U4-5 M2-5", "2-5", "a2+4@10" },
	{ "14 middle of the request", {{ 'a', 4, 2, 12 }}, REPLACE, { 'a', 2, 6, 10 }, false,
	  "U4-5= M2-7", "2-3 6-7", "a2+6@10" },
	{ "14 other buffer", {{ 'a', 4, 2, 12 }}, REPLACE, { 'b', 2, 6, 10 }, false,
	  "U4-5 M2-7", "2-7", "b2+6@10" },
	{ "14 not contiguous", {{ 'a', 4, 2, 10 }}, REPLACE, { 'a', 2, 6, 10 }, false,
	  "U4-5 M2-7", "2-7", "a2+6@10" },
	{ "15 over the beginning, other buffer", {{ 'a', 4, 4, 10 }}, REPLACE, { 'b', 2, 4, 20 }, false,
	  "R4-5> M2-5", "2-5", "b2+4@20 a6+2@12" },
	{ "15 contiguous", {{ 'a', 4, 4, 12 }}, REPLACE, { 'a', 2, 4, 10 }, false,
	  "R4-5>= M2-5", "2-5", "a2+4@10 a6+2@14" },

	{ "nothing there", {{ 'a', 8, 2, 0 }}, REPLACE, { 'b', 2, 2, 3 }, false,
	  "M2-3", "2-3", "b2+2@3 a8+2" },
	{ "neighbours are left alone", {{ 'a', 0, 2, 8 }, { 'a', 4, 2, 12 }}, REPLACE, { 'a', 2, 2, 10 }, false,
	  "M2-3", "2-3", "a0+2@8 a2+2@10 a4+2@12" },
	{ "two cut, one swallowed", {{ 'a', 2, 4, 10 }, { 'b', 6, 1, 0 }, { 'c', 8, 4, 5 }}, REPLACE, { 'd', 4, 6, 1 }, false,
	  "R4-5< U6-6 R8-9> M4-9", "4-9", "a2+2@10 d4+6@1 c10+2@7" },
	{ "kept between others", {{ 'a', 2, 2, 0 }, { 'b', 5, 1, 3 }, { 'a', 6, 2, 4 }}, REPLACE, { 'a', 2, 8, 0 }, false,
	  "U2-3= U5-5 U6-7= M2-9", "4-5 8-9", "a2+8" },

	{ "clear: identical", {{ 'a', 2, 2, 10 }}, CLEAR, { '-', 2, 2 }, false, "U2-3", "x2-3", "" },
	{ "clear: all of it and more", {{ 'a', 3, 2, 10 }, { 'b', 6, 1, 0 }}, CLEAR, { '-', 2, 7 }, false,
	  "U3-4 U6-6", "x3-4 x6-6", "" },
	{ "clear: left part", {{ 'a', 2, 4, 10 }}, CLEAR, { '-', 1, 3 }, false, "R2-3>", "x2-3", "a4+2@12" },
	{ "clear: right part", {{ 'a', 2, 4, 10 }}, CLEAR, { '-', 4, 9 }, false, "R4-5<", "x4-5", "a2+2@10" },
	{ "clear: middle", {{ 'a', 2, 6, 10, 7 }}, CLEAR, { '-', 4, 2 }, false,
	  "R4-5<>", "x4-5", "a2+2@10!7 a6+2@14!7" },
	{ "clear: nothing there", {{ 'a', 2, 2, 10 }}, CLEAR, { '-', 4, 9 }, false, "", "", "a2+2@10" },
	{ "clear: a range without buffer", {{ '-', 2, 6, 0, 7 }}, CLEAR, { '-', 4, 2 }, false,
	  "R4-5<>", "x4-5", "-2+2!7 -6+2!7" },

	{ "unmap: however long", {{ 'a', 2, 6, 10 }}, UNMAP, { 'a', 2, 1 }, false, "U2-7", "x2-7", "" },
	{ "unmap: without buffer", {{ '-', 2, 6, 0, 7 }, { 'a', 8, 1, 0 }}, UNMAP, { '-', 2, 0 }, false,
	  "U2-7", "x2-7", "a8+1" },

	{ "map: between", {{ 'a', 0, 2, 8 }, { 'a', 4, 2, 12 }}, MAP, { 'a', 2, 2, 10 }, false,
	  "M2-3", "2-3", "a0+2@8 a2+2@10 a4+2@12" },
	{ "map: without buffer", {{ 'a', 0, 2, 8 }}, MAP, { '-', 2, 2, 10, 7 }, false,
	  "M2-3", "2-3", "a0+2@8 -2+2!7" },
	{ "replace: without buffer, in the middle", {{ 'a', 2, 6, 10 }}, REPLACE, { '-', 4, 2, 99, 7 }, false,
	  "R4-5<> M4-5", "4-5", "a2+2@10 -4+2!7 a6+2@14" },
	{ "replace: of none by some", {{ '-', 2, 6, 0, 7 }}, REPLACE, { 'a', 4, 2, 3, 7 }, false,
	  "R4-5<> M4-5", "4-5", "-2+2!7 a4+2@3!7 -6+2!7" },
	{ "replace: of none by none", {{ '-', 2, 2, 0, 7 }}, REPLACE, { '-', 1, 6, 5, 7 }, false,
	  "U2-3= M1-6", "1-1 4-6", "-1+6!7" },

	{ "merge: both sides", {{ 'a', 0, 2, 8 }, { 'a', 4, 2, 12 }}, MAP, { 'a', 2, 2, 10 }, true,
	  "U0-1= U4-5= M0-5", "2-3", "a0+6@8" },
	{ "merge: left only", {{ 'a', 0, 2, 8 }, { 'a', 4, 2, 13 }}, MAP, { 'a', 2, 2, 10 }, true,
	  "U0-1= M0-3", "2-3", "a0+4@8 a4+2@13" },
	{ "merge: right only", {{ 'b', 0, 2, 8 }, { 'a', 4, 2, 12 }}, MAP, { 'a', 2, 2, 10 }, true,
	  "U4-5= M2-5", "2-3", "b0+2@8 a2+4@10" },
	{ "merge: not other flags", {{ 'a', 0, 2, 8, 1 }, { 'a', 4, 2, 12, 2 }}, MAP, { 'a', 2, 2, 10, 3 }, true,
	  "M2-3", "2-3", "a0+2@8!1 a2+2@10!3 a4+2@12!2" },
	{ "merge: not over a gap", {{ 'a', 0, 1, 8 }}, MAP, { 'a', 2, 2, 10 }, true,
	  "M2-3", "2-3", "a0+1@8 a2+2@10" },
	{ "merge: 6, is there", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 2, 2, 10 }, true, "K2-5", "", "a2+4@10" },
	{ "merge: 12, is there", {{ 'a', 2, 6, 10 }}, REPLACE, { 'a', 4, 2, 12 }, true, "K2-7", "", "a2+6@10" },
	{ "merge: 10, longer", {{ 'a', 2, 4, 10 }}, REPLACE, { 'a', 4, 4, 12 }, true,
	  "U2-5= M2-7", "6-7", "a2+6@10" },
	{ "merge: 15, contiguous", {{ 'a', 4, 4, 12 }}, REPLACE, { 'a', 2, 4, 10 }, true,
	  "U4-7= M2-7", "2-3", "a2+6@10" },
	{ "merge: over others", {{ 'a', 0, 4, 0 }, { 'b', 4, 2, 0 }, { 'a', 6, 4, 6 }}, REPLACE, { 'a', 3, 4, 3 }, true,
	  "U0-3= U4-5 U6-9= M0-9", "4-5", "a0+10" },
	{ "merge: without buffer", {{ '-', 0, 2, 0, 7 }}, MAP, { '-', 2, 2, 9, 7 }, true,
	  "U0-1= M0-3", "2-3", "-0+4!7" },
};
/* clang-format on */

static void run_overlap(const struct overlap *o)
{
	struct mm_va_request req = request(o->op, &o->req);
	struct mm_va_plan plan;
	const char *text;

	start();
	for (unsigned int i = 0; i < 3 && o->old[i].n; i++)
		add_piece(&o->old[i]);
	req.merge = o->merge;
	assert_int_equal(mm_va_plan_make(&plan, &va, &req), 0);
	text = steps_text(&plan);
	if (strcmp(text, o->steps))
		fail_msg("%s: steps %s, not %s", o->name, text, o->steps);
	text = changes_text(&plan);
	if (strcmp(text, o->changes))
		fail_msg("%s: changes %s, not %s", o->name, text, o->changes);
	mm_va_plan_apply(&plan);
	text = tree_text();
	if (strcmp(text, o->result))
		fail_msg("%s: gives %s, not %s", o->name, text, o->result);
	assert_true(vkf_ranges_valid(&va.ranges));
	free_old(&plan);
	mm_va_plan_fini(&plan);
	remove_all();
}

static void every_overlap_comes_out_as_documented(void **state)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(overlaps); i++)
		run_overlap(&overlaps[i]);
}

static void a_plan_that_is_not_applied_changes_nothing(void **state)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(overlaps); i++) {
		const struct overlap *o = &overlaps[i];
		struct mm_va_request req = request(o->op, &o->req);
		struct mm_va_plan plan;
		char before[1024];

		start();
		for (unsigned int j = 0; j < 3 && o->old[j].n; j++)
			add_piece(&o->old[j]);
		snprintf(before, sizeof(before), "%s", tree_text());
		fail_alloc(0);
		n_live_allocs = 0;
		req.merge = o->merge;
		assert_int_equal(mm_va_plan_make(&plan, &va, &req), 0);
		mm_va_plan_fini(&plan);
		assert_int_equal(n_live_allocs, 0);
		vkf_env_set(NULL);
		assert_string_equal(tree_text(), before);
		remove_all();
	}
}

/* ------------------------------------------------ refusals */

static int try(enum mm_va_op op, struct mm_va_request req)
{
	struct mm_va_plan plan;
	int r;

	req.op = op;
	r = mm_va_plan_make(&plan, &va, &req);
	if (!r)
		mm_va_plan_fini(&plan);
	return r;
}

static void refuses_what_gem_va_refuses(void **state)
{
	static const enum mm_va_op with_bo[] = { MAP, REPLACE };
	static const enum mm_va_op with_range[] = { MAP, REPLACE, CLEAR };
	const struct piece there = { 'a', 8, 4, 0 }, free_place = { 'b', 2, 2, 3 };
	const struct mm_va_request ok = request(MAP, &free_place);
	struct mm_va_request req;

	start();
	add_piece(&there);
	for (unsigned int i = 0; i < 3; i++) {
		enum mm_va_op op = with_range[i];

		assert_int_equal(try(op, ok), 0);
		req = ok, req.addr.v = 0;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.addr.v += 0x800;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.bytes = 0;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.bytes += 0x800;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.addr.v = (UINT64_C(1) << 48) - VKF_PAGE_SIZE;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.addr.v = 0 - 2 * VKF_PAGE_SIZE;
		assert_int_equal(try(op, req), -EINVAL);
	}
	for (unsigned int i = 0; i < 2; i++) {
		enum mm_va_op op = with_bo[i];

		req = ok, req.offset += 0x800;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.offset = (BO_PAGES - 2) * VKF_PAGE_SIZE;
		assert_int_equal(try(op, req), 0);
		req = ok, req.offset = (BO_PAGES - 1) * VKF_PAGE_SIZE;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.offset = 0 - VKF_PAGE_SIZE;
		assert_int_equal(try(op, req), -EINVAL);
		req = ok, req.bytes = (BO_PAGES + 1) * VKF_PAGE_SIZE, req.offset = 0;
		assert_int_equal(try(op, req), -EINVAL);
	}
	req = ok, req.addr.v = addr_of(7);
	assert_int_equal(try(MAP, req), -EINVAL);
	req = ok, req.addr.v = addr_of(11);
	assert_int_equal(try(MAP, req), -EINVAL);
	assert_int_equal(try(REPLACE, req), 0);
	assert_string_equal(tree_text(), "a8+4");
	remove_all();
}

static void a_range_without_buffer_has_no_offset_to_refuse(void **state)
{
	const struct piece p = { '-', 2, 2, 0 };
	struct mm_va_request req = request(MAP, &p);

	start();
	req.offset = 0x801;
	req.bo_bytes = 0;
	assert_int_equal(try(MAP, req), 0);
	assert_int_equal(try(REPLACE, req), 0);
}

static void unmap_wants_the_start_and_the_buffer(void **state)
{
	const struct piece there = { 'a', 8, 4, 0 };
	struct mm_va_request req = request(UNMAP, &there);

	start();
	add_piece(&there);
	assert_int_equal(try(UNMAP, req), 0);
	req.addr.v += 0xfff; /* the page counts */
	assert_int_equal(try(UNMAP, req), 0);
	req.addr.v = addr_of(9);
	assert_int_equal(try(UNMAP, req), -ENOENT);
	req.addr.v = addr_of(7);
	assert_int_equal(try(UNMAP, req), -ENOENT);
	req.addr.v = UINT64_MAX;
	assert_int_equal(try(UNMAP, req), -ENOENT);
	req = request(UNMAP, &there), req.bo = bo_named('b');
	assert_int_equal(try(UNMAP, req), -ENOENT);
	req = request(UNMAP, &there), req.bo = NULL;
	assert_int_equal(try(UNMAP, req), -ENOENT);
	req = request(UNMAP, &there), req.bytes = 0, req.offset = 1;
	assert_int_equal(try(UNMAP, req), 0);
	remove_all();
}

static void a_vm_of_40_bits_ends_earlier(void **state)
{
	const struct piece p = { 'a', 0, 2, 0 };
	struct mm_va_request req = request(MAP, &p);

	mm_va_init(&va, 40);
	req.addr.v = (UINT64_C(1) << 40) - 2 * VKF_PAGE_SIZE;
	assert_int_equal(try(MAP, req), 0);
	assert_int_equal(try(CLEAR, req), 0);
	req.addr.v += VKF_PAGE_SIZE;
	assert_int_equal(try(MAP, req), -EINVAL);
	assert_int_equal(try(CLEAR, req), -EINVAL);
}

/* The last page there is, and the first: looking at neighbours beyond them finds nothing. */
static void the_ends_of_the_address_space_have_no_neighbours(void **state)
{
	const struct piece p = { 'a', 0, 1, 1 };
	struct mm_va_request req = request(MAP, &p);
	struct mm_va_plan plan;

	start();
	req.merge = true;
	for (unsigned int i = 0; i < 2; i++) {
		req.addr.v = i ? va.end - VKF_PAGE_SIZE : VKF_PAGE_SIZE;
		assert_int_equal(mm_va_plan_make(&plan, &va, &req), 0);
		assert_int_equal(plan.n_steps, 1);
		mm_va_plan_apply(&plan);
		mm_va_plan_fini(&plan);
	}
	remove_all();
}

static void new_nodes_are_as_long_as_asked_for(void **state)
{
	const struct piece there = { 'a', 2, 6, 10 }, cut = { 'b', 4, 2, 0 };
	struct mm_va_request req = request(REPLACE, &cut);
	struct mm_va_plan plan;

	start();
	add_piece(&there);
	req.node_bytes = sizeof(struct mm_va_node) + 4096;
	assert_int_equal(mm_va_plan_make(&plan, &va, &req), 0);
	mm_va_plan_apply(&plan);
	for (struct vkf_range *r = vkf_ranges_first(&va.ranges); r; r = vkf_ranges_next(r)) {
		char *behind = (char *)(vkf_container_of(r, struct mm_va_node, range) + 1);

		for (unsigned int i = 0; i < 4096; i++)
			assert_int_equal(behind[i], 0);
		memset(behind, 1, 4096);
	}
	free_old(&plan);
	mm_va_plan_fini(&plan);
	remove_all();
}

/* ------------------------------------------------ without memory */

static void without_memory_nothing_is_changed(void **state)
{
	static const struct piece there[] = {
		{ 'a', 0, 4, 0 },  { 'b', 4, 1, 0 },  { 'b', 6, 1, 0 },  { 'b', 8, 1, 0 },
		{ 'b', 10, 1, 0 }, { 'b', 12, 1, 0 }, { 'b', 14, 1, 0 }, { 'b', 16, 1, 0 },
		{ 'b', 18, 1, 0 }, { 'b', 20, 1, 0 }, { 'c', 22, 8, 1 },
	};
	const struct piece over = { 'd', 2, 22, 0 };
	struct mm_va_request req = request(REPLACE, &over);
	struct mm_va_plan plan;
	char before[1024];
	unsigned int n = 0;
	int r;

	start();
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(there); i++)
		add_piece(&there[i]);
	snprintf(before, sizeof(before), "%s", tree_text());
	do {
		n_live_allocs = 0;
		fail_alloc(++n);
		r = mm_va_plan_make(&plan, &va, &req);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(n_live_allocs, 0);
		assert_string_equal(tree_text(), before);
	} while (n < 100);
	assert_int_equal(r, 0);
	assert_int_equal(n - 1, 3 + 2); /* three nodes, and room for the steps twice */
	fail_alloc(1);                  /* applying has all it needs */
	mm_va_plan_apply(&plan);
	assert_int_equal(fail_countdown, 1);
	vkf_env_set(NULL);
	assert_string_equal(tree_text(), "a0+2 d2+22 c24+6@3");
	free_old(&plan);
	mm_va_plan_fini(&plan);
	remove_all();
}

/* ------------------------------------------------ against a page at a time */

/* struct page - what the twin knows of one address; @serial says which mapping it is of, 0 none */
struct page {
	unsigned int serial;
	char bo;
	unsigned int offset, flags;
};

static struct page pages[PAGES], entries[PAGES];
static unsigned int next_serial;

static bool goes_on(const struct page *left, const struct page *right)
{
	if (!left->serial || !right->serial || left->bo != right->bo || left->flags != right->flags)
		return false;
	return left->bo == '-' || left->offset + 1 == right->offset;
}

/* All of one mapping, or one side of a cut one, becomes another. */
static void relabel(unsigned int from, unsigned int to, unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++) {
		if (pages[i].serial == from)
			pages[i].serial = to;
	}
}

static void twin_clear(unsigned int first, unsigned int end)
{
	unsigned int left = first ? pages[first - 1].serial : 0;
	unsigned int right = end < PAGES ? pages[end].serial : 0;

	if (left && left == right)
		relabel(right, ++next_serial, end, PAGES);
	for (unsigned int i = first; i < end; i++)
		pages[i] = (struct page){ 0 };
}

static void twin_set(const struct piece *p, bool merge)
{
	unsigned int end = p->first + p->n, mine = ++next_serial;

	twin_clear(p->first, end);
	for (unsigned int i = p->first; i < end; i++)
		pages[i] = (struct page){ mine, p->bo, p->bo == '-' ? 0 : p->offset + i - p->first,
					  p->flags };
	if (merge && p->first && goes_on(&pages[p->first - 1], &pages[p->first]))
		relabel(pages[p->first - 1].serial, mine, 0, PAGES);
	if (merge && end < PAGES && goes_on(&pages[end - 1], &pages[end]))
		relabel(pages[end].serial, mine, 0, PAGES);
}

static bool is_start(unsigned int i)
{
	return pages[i].serial && (!i || pages[i - 1].serial != pages[i].serial);
}

static int twin_expects(enum mm_va_op op, const struct piece *p)
{
	bool is_free = true;

	if (op == UNMAP)
		return is_start(p->first) && pages[p->first].bo == p->bo ? 0 : -ENOENT;
	for (unsigned int i = p->first; i < p->first + p->n; i++)
		is_free = is_free && !pages[i].serial;
	if ((op == MAP && !is_free) || !p->n)
		return -EINVAL;
	return op != CLEAR && p->bo != '-' && p->offset + p->n > BO_PAGES ? -EINVAL : 0;
}

static void twin_perform(enum mm_va_op op, const struct piece *p, bool merge)
{
	unsigned int serial = pages[p->first].serial, end = p->first;

	if (op == MAP || op == REPLACE) {
		twin_set(p, merge);
		return;
	}
	while (op == UNMAP && end < PAGES && pages[end].serial == serial)
		end++;
	twin_clear(p->first, op == UNMAP ? end : p->first + p->n);
}

/* Do to the entries only what the plan says has to be done. */
static void write_changes(const struct mm_va_plan *plan)
{
	struct mm_va_change c;
	size_t pos = 0;

	while (mm_va_plan_next_change(plan, &pos, &c)) {
		for (unsigned int i = page_of(c.first); i <= page_of(c.last); i++) {
			unsigned int along;

			entries[i] = (struct page){ 0 };
			if (!c.node)
				continue;
			along = (unsigned int)((addr_of(i) - c.node->range.first) / VKF_PAGE_SIZE);
			entries[i].serial = 1;
			entries[i].bo = name_of(c.node);
			entries[i].flags = (unsigned int)c.node->flags;
			if (c.node->bo)
				entries[i].offset =
					(unsigned int)(c.node->offset / VKF_PAGE_SIZE) + along;
		}
	}
}

static void compare_entries(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		assert_int_equal(!entries[i].serial, !pages[i].serial);
		assert_int_equal(entries[i].bo, pages[i].bo);
		assert_int_equal(entries[i].offset, pages[i].offset);
		assert_int_equal(entries[i].flags, pages[i].flags);
	}
}

static void compare_tree(void)
{
	struct vkf_range *r = vkf_ranges_first(&va.ranges);
	unsigned int end;

	assert_true(vkf_ranges_valid(&va.ranges));
	for (unsigned int i = 0; i < PAGES; i = end) {
		struct mm_va_node *n = r ? vkf_container_of(r, struct mm_va_node, range) : NULL;

		end = i + 1;
		if (!pages[i].serial)
			continue;
		while (end < PAGES && pages[end].serial == pages[i].serial)
			end++;
		assert_non_null(n);
		assert_int_equal(page_of(r->first), i);
		assert_int_equal(page_of(r->last + 1), end);
		assert_int_equal(name_of(n), pages[i].bo);
		assert_int_equal(n->offset, pages[i].offset * VKF_PAGE_SIZE);
		assert_int_equal(n->flags, pages[i].flags);
		r = vkf_ranges_next(r);
	}
	assert_null(r);
}

static void one_random_request(void)
{
	struct piece p = {
		.bo = "ab-"[rnd(3)],
		.first = (unsigned int)rnd(PAGES),
		.flags = (unsigned int)rnd(8) ? 0 : 1,
	};
	enum mm_va_op op = (enum mm_va_op)rnd(4);
	struct mm_va_request req;
	struct mm_va_plan plan;
	int r;

	p.n = (unsigned int)rnd(VKF_MIN(PAGES - p.first, 20u) + 1);
	p.offset = rnd(4) ? p.first + (unsigned int)rnd(2) : (unsigned int)rnd(BO_PAGES);
	if (op == UNMAP && rnd(2) && pages[p.first].serial)
		p.bo = pages[p.first].bo;
	req = request(op, &p);
	req.merge = rnd(2);
	r = mm_va_plan_make(&plan, &va, &req);
	assert_int_equal(r, twin_expects(op, &p));
	if (r)
		return;
	write_changes(&plan);
	if (rnd(8) == 0) {
		mm_va_plan_fini(&plan);
		compare_tree();
		memcpy(entries, pages, sizeof(entries));
		return;
	}
	mm_va_plan_apply(&plan);
	free_old(&plan);
	mm_va_plan_fini(&plan);
	twin_perform(op, &p, req.merge);
}

static void random_requests_give_what_a_page_at_a_time_gives(void **state)
{
	for (unsigned int seed = 0; seed < 40; seed++) {
		rnd_state = seed * UINT64_C(0x10001);
		start();
		memset(pages, 0, sizeof(pages));
		memset(entries, 0, sizeof(entries));
		next_serial = 0;
		for (unsigned int i = 0; i < 1500; i++) {
			one_random_request();
			compare_tree();
			compare_entries();
		}
		remove_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_overlap_comes_out_as_documented),
		cmocka_unit_test(a_plan_that_is_not_applied_changes_nothing),
		cmocka_unit_test(refuses_what_gem_va_refuses),
		cmocka_unit_test(a_range_without_buffer_has_no_offset_to_refuse),
		cmocka_unit_test(unmap_wants_the_start_and_the_buffer),
		cmocka_unit_test(a_vm_of_40_bits_ends_earlier),
		cmocka_unit_test(the_ends_of_the_address_space_have_no_neighbours),
		cmocka_unit_test(new_nodes_are_as_long_as_asked_for),
		cmocka_unit_test(without_memory_nothing_is_changed),
		cmocka_unit_test(random_requests_give_what_a_page_at_a_time_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
