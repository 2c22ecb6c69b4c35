/* SPDX-License-Identifier: MIT */
/*
 * MAP fails on GPU k of n, for every k, in both modes: what is then mapped, what the block says, and
 * that the same call goes on from there. Through libvkfd all of it; through the shim what the driver
 * was started with: UAPI_FAULT is "POINT K ERRNO" and UAPI_MODE the mode.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kfd_calls.h"

#define N 4

struct trial {
	const char *point; /* of the driver */
	unsigned int gpu;  /* where it fails */
	int error;
	bool transactional;
	uint32_t flags;    /* of the buffer */
	bool second_half;  /* of an AQL buffer */
	unsigned int before; /* a bit for each GPU that is mapped before the call */
	uint64_t va;
};

static struct prog prog;

static void begin(bool transactional)
{
	static const char *const sets[] = { "kfd.map=transactional" };

	if (transactional ? !uapi_machine("mi100x4", sets, 1) : !uapi_machine("mi100x4", NULL, 0))
		skip();
	prog_start(&prog);
	assert_int_equal(prog.n_gpus, N);
}

/* Whether something is mapped on @gpu at @va: then nothing else can be. Changes nothing. */
static bool is_taken(uint64_t va, unsigned int gpu)
{
	uint64_t handle;
	int r;

	assert_int_equal(alloc_mem(&prog, 0, va, PAGE, F_GTT, &handle, NULL), 0);
	r = map_one(&prog, handle, gpu);
	if (r == 0)
		assert_int_equal(unmap_one(&prog, handle, gpu), 0);
	else
		assert_int_equal(r, -EINVAL);
	assert_int_equal(free_mem(&prog, handle), 0);
	return r != 0;
}

/* A bit for each GPU that has the first page of it. */
static unsigned int taken(uint64_t va)
{
	unsigned int gpus = 0;

	for (unsigned int i = 0; i < N; i++)
		gpus |= (unsigned int)is_taken(va, i) << i;
	return gpus;
}

static unsigned int below(unsigned int gpu)
{
	return (1u << gpu) - 1;
}

/* MAP to all GPUs has failed; @first was n_success before. */
static void check_failed(const struct trial *t, uint32_t first, uint32_t n_success)
{
	unsigned int seconds = t->before;

	if (t->transactional) {
		assert_int_equal(n_success, first);
		assert_int_equal(taken(t->va), t->before);
		assert_int_equal(taken(t->va + 4 * PAGE), t->flags & F_AQL ? t->before : 0);
		return;
	}
	assert_int_equal(n_success, t->gpu);
	seconds |= below(t->gpu) & ~below(first);
	/* There is no way back from the first half when the second fails. */
	assert_int_equal(taken(t->va), seconds | (t->second_half ? 1u << t->gpu : 0));
	assert_int_equal(taken(t->va + 4 * PAGE), t->flags & F_AQL ? seconds : 0);
}

static void try_map(const struct trial *t)
{
	uint64_t size = 4 * PAGE, handle;
	uint32_t done = 0;

	assert_int_equal(alloc_mem(&prog, 0, t->va, t->flags & F_AQL ? 2 * size : size,
				   t->flags | F_WRITE, &handle, NULL), 0);
	for (unsigned int i = 0; i < N; i++) {
		if (t->before & 1u << i)
			assert_int_equal(map_one(&prog, handle, i), 0);
	}
	if (!uapi_through_shim()) {
		char spec[128];

		snprintf(spec, sizeof(spec), "%s:arg=%u,errno=%s,count=1%s", t->point, t->gpu,
			 t->error == -EINTR ? "ERESTARTSYS" : strerrorname_np(-t->error),
			 t->second_half ? ",after=1" : "");
		assert_true(uapi_fault(spec));
	}
	assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), t->error);
	uapi_fault(NULL);
	check_failed(t, 0, done);
	assert_int_equal(free_mem(&prog, handle), taken(t->va) ? -EBUSY : 0);
	if (!taken(t->va))
		assert_int_equal(alloc_mem(&prog, 0, t->va, t->flags & F_AQL ? 2 * size : size,
					   t->flags | F_WRITE, &handle, NULL), 0);
	/* The same block again is all it takes. */
	assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), 0);
	assert_int_equal(done, N);
	assert_int_equal(taken(t->va), below(N));
	done = 0;
	assert_int_equal(unmap_gpus(&prog, handle, prog.gpu, N, &done), 0);
	assert_int_equal(done, N);
	assert_int_equal(taken(t->va), 0);
	assert_int_equal(taken(t->va + 4 * PAGE), 0);
	assert_int_equal(free_mem(&prog, handle), 0);
}

/* Every GPU, what came before, every kind of failure. */
static void try_all(bool transactional)
{
	static const struct {
		const char *point;
		int error;
		uint32_t flags;
		bool second_half;
	} kinds[] = {
		{ "kfd.map", -ENOMEM, F_VRAM, false },
		{ "kfd.map", -EINTR, F_VRAM, false },
		{ "kfd.map", -EINVAL, F_GTT | F_AQL, false },
		{ "mm.map", -ENOMEM, F_VRAM, false },
		{ "mm.map", -EINTR, F_GTT, false },
		{ "mm.map", -EBUSY, F_GTT | F_AQL, false },
		{ "mm.map", -ENOMEM, F_VRAM | F_AQL, true },
		{ "mm.map", -EINTR, F_GTT | F_AQL, true },
		{ "mm.pt", -ENOMEM, F_VRAM, false },
	};

	uint64_t va = VA(1);

	if (uapi_through_shim())
		skip();
	begin(transactional);
	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (unsigned int gpu = 0; gpu < N; gpu++) {
			for (unsigned int before = 0; before < 1u << N; before++) {
				struct trial t = { kinds[k].point, gpu, kinds[k].error,
						   transactional,  kinds[k].flags,
						   kinds[k].second_half, before, va };

				/* Nothing is done there that could fail. */
				if (before & 1u << gpu)
					continue;
				try_map(&t);
				/* Where no page table is left of this one. */
				va += 1024 * MIB;
			}
		}
	}
}

static void a_failure_on_any_gpu_leaves_the_earlier_ones(void **state)
{
	try_all(false);
}

static void a_failure_on_any_gpu_takes_all_back(void **state)
{
	try_all(true);
}

/* A signal that comes when all is mapped: the call that is repeated only waits. */
static void a_signal_when_all_is_mapped_leaves_only_the_wait(void **state)
{
	uint64_t handle;
	uint32_t done = 0;

	if (uapi_through_shim())
		skip();
	begin(false);
	assert_int_equal(alloc_mem(&prog, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_true(uapi_fault("kfd.sync:errno=ERESTARTSYS,count=2"));
	assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), -EINTR);
	assert_int_equal(done, N);
	/* Nothing is looked at, for nothing is to be mapped. */
	assert_int_equal(map_gpus(&prog, handle, (uint32_t[]){ 1, 2, 3, 4 }, N, &done), -EINTR);
	assert_int_equal(done, N);
	assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), 0);
	assert_int_equal(done, N);
	/* The same for UNMAP: gone is gone. */
	assert_true(uapi_fault("kfd.sync:errno=ERESTARTSYS,count=1"));
	done = 0;
	assert_int_equal(unmap_gpus(&prog, handle, prog.gpu, N, &done), -EINTR);
	assert_int_equal(done, N);
	assert_int_equal(unmap_gpus(&prog, handle, prog.gpu, N, &done), 0);
	assert_int_equal(unmap_one(&prog, handle, 0), -EINVAL);
	assert_int_equal(free_mem(&prog, handle), 0);
}

/* Where there is no half way, no signal ends the call any more. */
static void a_signal_when_all_is_mapped_comes_too_late(void **state)
{
	uint64_t handle;
	uint32_t done = 0;

	if (uapi_through_shim())
		skip();
	begin(true);
	assert_int_equal(alloc_mem(&prog, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_true(uapi_fault("kfd.sync:errno=ERESTARTSYS,count=1"));
	assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), 0);
	assert_int_equal(done, N);
	assert_int_equal(taken(VA(1)), below(N));
}

/* On from where it came to: what is before n_success is neither mapped nor taken back. */
static void a_call_that_goes_on_leaves_alone_what_was_done(void **state)
{
	for (int transactional = 0; transactional < 2; transactional++) {
		uint32_t done = 2;
		struct trial t = { .gpu = 3, .transactional = transactional, .va = VA(1) };
		uint64_t handle;

		if (uapi_through_shim())
			skip();
		begin(transactional);
		assert_int_equal(alloc_mem(&prog, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
		assert_true(uapi_fault("kfd.map:arg=3,errno=ENOMEM,count=1"));
		assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), -ENOMEM);
		check_failed(&t, 2, done);
		assert_int_equal(map_gpus(&prog, handle, prog.gpu, N, &done), 0);
		assert_int_equal(taken(VA(1)), 1u << 2 | 1u << 3);
	}
}

/* n_success is written back whatever the call says, and so is all else of the block. */
static void the_block_comes_back_on_every_refusal(void **state)
{
	static const struct {
		uint64_t handle;
		uint32_t n, done, after;
		int error;
	} rows[] = {
		{ 0, 0, 0, 0, -EINVAL },	    /* no GPU at all */
		{ 0, 2, 3, 3, -EINVAL },	    /* more done than asked for */
		{ 0, UINT32_MAX, 7, 7, -ENOMEM },   /* an array beyond reason */
		{ 5, 2, 1, 1, -EINVAL },	    /* a handle of no GPU */
		{ 77, 2, 1, 1, -ENOMEM },	    /* a number that is none */
		{ 0, 3, 0, 1, -EINVAL },	    /* the second is no GPU */
	};

	if (uapi_through_shim())
		skip();
	begin(false);
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t ids[3] = { prog.gpu[0], i == 5 ? 99 : prog.gpu[1], prog.gpu[2] };
		uint32_t done = rows[i].done;
		uint64_t handle, asked;

		assert_int_equal(alloc_mem(&prog, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
		asked = rows[i].handle == 5 ? 5 : handle + rows[i].handle;
		assert_int_equal(map_gpus(&prog, asked, ids, rows[i].n, &done), rows[i].error);
		assert_int_equal(done, rows[i].after);
		done = rows[i].done;
		assert_int_equal(unmap_gpus(&prog, asked, ids, rows[i].n, &done), rows[i].error);
		assert_int_equal(done, rows[i].after);
		assert_int_equal(free_mem(&prog, handle), 0);
	}
}

/* What the driver was started with. */
static void what_was_set_when_the_driver_started_happens(void **state)
{
	const char *fault = getenv("UAPI_FAULT"), *mode = getenv("UAPI_MODE");
	struct trial t = { .flags = F_VRAM, .va = VA(1) };
	char point[32], error[32];

	if (!uapi_through_shim() || !fault)
		skip();
	assert_int_equal(sscanf(fault, "%31s %u %31s", point, &t.gpu, error), 3);
	t.point = point;
	t.error = !strcmp(error, "ENOMEM") ? -ENOMEM : -EINTR;
	t.transactional = mode && !strcmp(mode, "transactional");
	assert_true(uapi_machine("mi100x4", NULL, 0));
	prog_start(&prog);
	try_map(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_failure_on_any_gpu_leaves_the_earlier_ones),
	cmocka_unit_test(a_failure_on_any_gpu_takes_all_back),
	cmocka_unit_test(a_signal_when_all_is_mapped_leaves_only_the_wait),
	cmocka_unit_test(a_signal_when_all_is_mapped_comes_too_late),
	cmocka_unit_test(a_call_that_goes_on_leaves_alone_what_was_done),
	cmocka_unit_test(the_block_comes_back_on_every_refusal),
	cmocka_unit_test(what_was_set_when_the_driver_started_happens),
};

UAPI_MAIN(tests)
