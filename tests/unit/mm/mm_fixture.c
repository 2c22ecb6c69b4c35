/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static void punch(void *cookie, uint64_t off, uint64_t len)
{
	struct mm_fixture_client *c = cookie;

	c->n_punched++;
	c->punched_off = off;
	c->punched_len = len;
}

static void invalidate(void *cookie, unsigned int gpu)
{
	struct mm_fixture_client *c = cookie;

	c->n_invalidated[gpu]++;
}

static bool evict(void *cookie)
{
	struct mm_fixture_client *c = cookie;

	atomic_fetch_add(&c->n_asked, 1);
	return c->runs;
}

static const struct mm_client_ops client_ops = {
	.evict = evict, .punch = punch, .invalidate = invalidate
};

static void run_job(void *cookie, struct mm_paging_job *job)
{
	struct mm_fixture *f = cookie;

	if (!atomic_load(&f->delay)) {
		mm_paging_job_run(job);
		return;
	}
	assert_true(f->n_jobs < FIXTURE_MAX_JOBS);
	f->jobs[f->n_jobs] = job;
	atomic_fetch_add(&f->n_jobs, 1);
}

static const struct mm_device_ops device_ops = { .run_job = run_job };

int mm_fixture_client_init(struct mm_fixture *f, struct mm_fixture_client *c)
{
	struct mm_client_config config = {
		.pt_tables = f->config.pt_tables ? f->config.pt_tables : 256,
		.arena_bytes = f->config.arena ? f->config.arena : VKF_GIB(1024),
		.max_buffers = f->config.max_buffers,
		.max_mappings = f->config.max_mappings,
		.ops = &client_ops,
		.cookie = c,
	};
	int r;

	memset(c, 0, sizeof(*c));
	c->pt = calloc(config.pt_tables, MM_PT_BYTES);
	assert_non_null(c->pt);
	config.pt_base = c->pt;
	r = mm_client_create(f->system, &config, &c->mm);
	if (r)
		free(c->pt);
	return r;
}

void mm_fixture_client_fini(struct mm_fixture_client *c)
{
	mm_client_destroy(c->mm);
	free(c->pt);
}

static int create_device(struct mm_fixture *f, unsigned int i)
{
	uint64_t vram = f->config.vram ? f->config.vram : VKF_MIB(256);
	struct mm_device_config config = {
		.index = i,
		.vram_bytes = vram,
		.visible_bytes = f->config.visible ? f->config.visible : vram,
		.va_bits = f->config.va_bits ? f->config.va_bits : 48,
		.bar_base = VKF_GIB(1024) * (i + 1),
		.hive_base = VKF_GIB(64) * i,
		.gtt_bytes = f->config.gtt,
		.policy = f->config.policy,
		.ops = &device_ops,
		.cookie = f,
	};

	return mm_device_create(f->system, &config, &f->dev[i]);
}

static void destroy_devices(struct mm_fixture *f)
{
	for (unsigned int i = 0; i < FIXTURE_MAX_GPUS; i++)
		mm_device_destroy(f->dev[i]);
	mm_system_destroy(f->system);
}

int mm_fixture_try_init(struct mm_fixture *f, const struct mm_fixture_config *config)
{
	struct mm_system_config system = { .bus_base = VKF_GIB(4) };
	int r;

	memset(f, 0, sizeof(*f));
	if (config)
		f->config = *config;
	f->config.n_gpus = f->config.n_gpus ? f->config.n_gpus : 1;
	f->delay = f->config.delay;
	system.ram_bytes = f->config.ram ? f->config.ram : VKF_GIB(64);
	system.overcommit = f->config.overcommit;
	system.system_limit = f->config.system_limit;
	system.ttm_limit = f->config.ttm_limit;
	r = mm_system_create(&system, &f->system);
	for (unsigned int i = 0; !r && i < f->config.n_gpus; i++)
		r = create_device(f, i);
	if (!r)
		r = mm_fixture_client_init(f, &f->a);
	if (r)
		destroy_devices(f);
	return r;
}

void mm_fixture_init(struct mm_fixture *f, const struct mm_fixture_config *config)
{
	host_sched_install();
	assert_int_equal(mm_fixture_try_init(f, config), 0);
}

void mm_fixture_fini(struct mm_fixture *f)
{
	struct mm_device_usage usage;
	struct mm_system_usage system;

	mm_fixture_check(f);
	mm_fixture_client_fini(&f->a);
	for (unsigned int i = 0; i < f->config.n_gpus; i++) {
		mm_device_usage(f->dev[i], &usage);
		assert_int_equal(usage.vram_managed, 0);
		assert_int_equal(usage.vram_used, 0);
		assert_int_equal(usage.vram_used_aligned, 0);
		assert_int_equal(usage.visible_managed, 0);
		assert_int_equal(usage.page_tables, 0);
		assert_int_equal(usage.gtt_used, 0);
	}
	mm_system_usage(f->system, &system);
	assert_int_equal(system.system_used, 0);
	assert_int_equal(system.ttm_used, 0);
	mm_fixture_check(f);
	destroy_devices(f);
}

void mm_fixture_run(struct mm_fixture *f, unsigned int n)
{
	while (n-- && f->n_run < f->n_jobs) {
		unsigned int i = atomic_fetch_add(&f->n_run, 1);

		mm_paging_job_run(f->jobs[i]);
	}
	if (f->n_run == f->n_jobs)
		f->n_run = f->n_jobs = 0;
}

void mm_fixture_run_all(struct mm_fixture *f)
{
	mm_fixture_run(f, FIXTURE_MAX_JOBS);
}

void mm_fixture_check(struct mm_fixture *f)
{
	char why[200] = "";

	if (mm_check(f->system, why, sizeof(why)))
		fail_msg("an invariant does not hold: %s", why);
}

struct mm_bo *mm_fixture_bo(struct mm_fixture *f, enum mm_bo_kind kind, uint64_t size)
{
	struct mm_bo_params params = {
		.kind = kind,
		.size = size,
		.user_addr = UINT64_C(0x7f0000000000),
		.bar_bus = UINT64_C(0xd0000000),
	};
	struct mm_bo *bo = NULL;

	assert_int_equal(mm_bo_create(f->a.mm, f->dev[0], &params, &bo), 0);
	return bo;
}

struct mm_vm *mm_fixture_vm(struct mm_fixture *f, unsigned int gpu)
{
	struct mm_vm *vm = NULL;

	assert_int_equal(mm_vm_create(f->a.mm, f->dev[gpu], &vm), 0);
	return vm;
}

struct mm_mapping *mm_fixture_map(struct mm_vm *vm, struct mm_bo *bo, uint64_t va)
{
	struct mm_pte_attr attr = { .writeable = true };
	struct mm_mapping *m = NULL;

	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ va }, &attr, &m), 0);
	return m;
}

struct mm_fixture_found mm_fixture_walk(struct mm_fixture_client *c, struct mm_vm *vm, uint64_t va)
{
	const struct mm_pt_words *tables = c->pt;
	struct mm_fixture_found found = { 0 };
	uint32_t table = mm_vm_root(vm);

	for (unsigned int level = 0; level < 4; level++) {
		unsigned int slot = (unsigned int)(va >> (39 - 9 * level)) & 511;

		found.level = level;
		found.entry = tables[table].entry[slot];
		found.link = tables[table].link[slot];
		if (!(found.entry & 1) || level == 3 || found.entry >> 54 & 1)
			break;
		table = (uint32_t)found.link;
	}
	return found;
}
