/* SPDX-License-Identifier: MIT */
#include "trace/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/sched.h"
#include "host/sched_host.h"

#define WRITERS 4
#define EACH    20000

struct fixture {
	void *memory;
	struct trace_ring writer, reader;
};

static void make(struct fixture *f, uint64_t n)
{
	size_t bytes = (trace_ring_bytes(n) + 63) & ~(size_t)63;

	f->memory = aligned_alloc(64, bytes);
	assert_non_null(f->memory);
	memset(f->memory, 0, bytes);
	trace_ring_init(&f->writer, f->memory, trace_ring_bytes(n));
	trace_ring_init(&f->reader, f->memory, trace_ring_bytes(n));
}

static void put(struct fixture *f, uint64_t ns)
{
	struct vkf_trace_record rec = { .ns = ns, .task = (uint32_t)ns };

	trace_ring_put(&f->writer, &rec);
}

static void records_come_out_as_and_in_the_order_they_went_in(void **state)
{
	struct vkf_trace_record rec;
	struct fixture f;

	make(&f, 4);
	assert_false(trace_ring_get(&f.reader, &rec));
	for (uint64_t i = 1; i <= 30; i += 3) {
		for (uint64_t k = i; k < i + 3; k++)
			put(&f, k);
		for (uint64_t k = i; k < i + 3; k++) {
			assert_true(trace_ring_get(&f.reader, &rec));
			assert_int_equal(rec.ns, k);
			assert_int_equal(rec.task, k);
		}
		assert_false(trace_ring_get(&f.reader, &rec));
	}
	assert_int_equal(trace_ring_lost(&f.reader), 0);
	free(f.memory);
}

static void what_finds_no_room_is_counted_and_the_rest_stays(void **state)
{
	struct vkf_trace_record rec;
	struct fixture f;

	make(&f, 4);
	for (uint64_t k = 1; k <= 7; k++)
		put(&f, k);
	assert_int_equal(trace_ring_lost(&f.reader), 3);
	for (uint64_t k = 1; k <= 4; k++) {
		assert_true(trace_ring_get(&f.reader, &rec));
		assert_int_equal(rec.ns, k);
	}
	assert_false(trace_ring_get(&f.reader, &rec));
	put(&f, 8);
	assert_true(trace_ring_get(&f.reader, &rec));
	assert_int_equal(rec.ns, 8);
	trace_ring_lose(&f.writer, 5);
	assert_int_equal(trace_ring_lost(&f.reader), 8);
	free(f.memory);
}

/* The other side is a process that may do as it likes with the memory. */
static void scribbling_costs_records_only(void **state)
{
	struct vkf_trace_record rec = { .ns = 1 };
	struct fixture f;

	make(&f, 8);
	for (unsigned int seed = 1; seed < 200; seed++) {
		srand(seed);
		for (size_t i = 0; i < trace_ring_bytes(8); i++)
			((unsigned char *)f.memory)[i] = (unsigned char)rand();
		for (int i = 0; i < 20; i++) {
			trace_ring_put(&f.writer, &rec);
			(void)trace_ring_get(&f.reader, &rec);
		}
	}
	free(f.memory);
}

struct writer {
	struct fixture *f;
	uint32_t number;
};

static void write_many(void *arg)
{
	struct writer *w = arg;

	for (uint64_t i = 1; i <= EACH; i++) {
		struct vkf_trace_record rec = { .ns = i, .task = w->number };

		trace_ring_put(&w->f->writer, &rec);
		if (i % 64 == 0)
			vkf_relax();
	}
}

static void writers_at_once_lose_nothing_that_is_not_counted(void **state)
{
	uint64_t seen[WRITERS] = { 0 }, n = 0;
	struct writer w[WRITERS];
	struct vkf_task *task[WRITERS];
	struct vkf_trace_record rec;
	struct fixture f;

	make(&f, 512);
	host_sched_install();
	for (unsigned int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ &f, i };
		assert_int_equal(vkf_spawn("writer", write_many, &w[i], &task[i]), 0);
	}
	while (n + trace_ring_lost(&f.reader) < WRITERS * EACH) {
		if (!trace_ring_get(&f.reader, &rec)) {
			vkf_relax();
			continue;
		}
		n++;
		assert_true(rec.task < WRITERS);
		assert_true(rec.ns > seen[rec.task]);
		seen[rec.task] = rec.ns;
	}
	for (unsigned int i = 0; i < WRITERS; i++)
		vkf_join(task[i]);
	assert_false(trace_ring_get(&f.reader, &rec));
	assert_int_equal(n + trace_ring_lost(&f.reader), WRITERS * EACH);
	vkf_sched_set(NULL);
	free(f.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_and_in_the_order_they_went_in),
		cmocka_unit_test(what_finds_no_room_is_counted_and_the_rest_stays),
		cmocka_unit_test(scribbling_costs_records_only),
		cmocka_unit_test(writers_at_once_lose_nothing_that_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
