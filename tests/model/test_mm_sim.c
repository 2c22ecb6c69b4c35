/* SPDX-License-Identifier: MIT */
/**
 * DOC: mm with many tasks, in every interleaving that a seed can make
 *
 * Two clients with two workers each on two GPUs make, map, wait for, unmap and free
 * buffers, give them away half way, and are interrupted at any time. A task per GPU
 * executes paging jobs, late and in an order of its own. One worker of each client
 * also destroys its VM and makes another. When all have ended nothing is left, and
 * the same seed gives the same run. A deadlock, or a wake-up that is lost, ends the
 * simulation with an error and a report.
 *
 * usage: test_mm_sim [SEED], or VKFD_SEED in the environment
 */
#include "mm_fixture.h"

#include "sim/sched_sim.h"

#define N_GPUS 2
#define N_CLIENTS 2
#define N_WORKERS 4
#define N_ROUNDS 30
#define N_SEEDS 60
#define MAX_JOBS 64

struct executor {
	struct vkf_mutex lock; /* rank LEAF; protects what follows */
	struct vkf_cond more;
	struct mm_paging_job *job[MAX_JOBS];
	unsigned int n;
	bool end;
};

struct worker {
	unsigned int number;
	struct mm_fixture_client *client;
	struct mm_vm **vm; /* of the client, by GPU; its own one is vm[1] of number 1 and 3 */
	struct vkf_task *task;
	unsigned int n_done, n_interrupted;
};

static struct sim *sim;
static struct mm_system *sys;
static struct mm_device *dev[N_GPUS];
static struct mm_fixture fix; /* for its clients only */
static struct mm_fixture_client client[N_CLIENTS];
static struct mm_vm *vm[N_CLIENTS][N_GPUS];
static struct executor executor[N_GPUS];
static struct worker worker[N_WORKERS];
static atomic_uint n_working;

/* ------------------------------------------------ the machine */

static void queue_job(void *cookie, struct mm_paging_job *job)
{
	struct executor *x = cookie;

	vkf_mutex_lock(&x->lock);
	assert_true(x->n < MAX_JOBS);
	x->job[x->n++] = job;
	vkf_mutex_unlock(&x->lock);
	vkf_cond_broadcast(&x->more);
}

static const struct mm_device_ops device_ops = { .run_job = queue_job };

static struct mm_paging_job *take_job(struct executor *x)
{
	struct mm_paging_job *job = NULL;

	vkf_mutex_lock(&x->lock);
	while (!x->n && !x->end)
		vkf_cond_wait(&x->more, &x->lock, VKF_FOREVER, false);
	if (x->n) {
		unsigned int i = (unsigned int)sim_random(sim, x->n);

		job = x->job[i];
		x->job[i] = x->job[--x->n];
	}
	vkf_mutex_unlock(&x->lock);
	return job;
}

static void execute(void *arg)
{
	struct mm_paging_job *job;

	while ((job = take_job(arg))) {
		if (sim_random(sim, 2))
			vkf_sleep_ns(sim_random(sim, 50000), false);
		mm_paging_job_run(job);
	}
}

/* ------------------------------------------------ the clients */

static bool was_interrupted(struct worker *w, int r)
{
	if (r != -VKF_ERESTARTSYS)
		return false;
	assert_true(vkf_interrupted());
	vkf_task_clear_interrupt();
	w->n_interrupted++;
	return true;
}

static void map_one(struct worker *w, struct mm_bo *bo, unsigned int gpu, struct mm_mapping **ret_m)
{
	struct mm_pte_attr attr = { .writeable = true, .reach = MM_REACH_BUS };
	vkf_gpuva va = { VKF_GIB(1) * (w->number + 1) + VKF_PAGE_SIZE * sim_random(sim, 1000) };
	int r;

	do {
		r = mm_vm_map(w->vm[gpu], bo, va, &attr, ret_m);
	} while (was_interrupted(w, r));
	assert_int_equal(r, 0);
	do {
		r = sim_random(sim, 2) ? mm_vm_sync(*ret_m, true) : 0;
	} while (was_interrupted(w, r));
	assert_int_equal(r, 0);
}

static void unmap_one(struct worker *w, struct mm_mapping *m)
{
	struct mm_fence *fence;
	int r;

	do {
		r = mm_vm_unmap(m, &fence);
	} while (was_interrupted(w, r));
	assert_int_equal(r, 0);
	do {
		r = sim_random(sim, 2) ? mm_fence_wait(fence, VKF_FOREVER, true) : 0;
	} while (was_interrupted(w, r));
	mm_fence_put(fence);
}

/* Only numbers 0 and 2 share a VM with others: 1 and 3 have GPU 1 for themselves. */
static bool may_use(const struct worker *w, unsigned int gpu)
{
	return gpu == 0 || w->number % 2 == 1;
}

static void one_round(struct worker *w)
{
	struct mm_bo_params params = { .kind = sim_random(sim, 2) ? MM_BO_VRAM : MM_BO_GTT };
	struct mm_mapping *m[N_GPUS] = { NULL };
	struct mm_bo *bo;
	int r;

	params.size = 1 + sim_random(sim, VKF_MIB(5));
	r = mm_bo_create(w->client->mm, dev[sim_random(sim, N_GPUS)], &params, &bo);
	assert_true(r == 0 || r == -ENOMEM || r == -VKF_ERESTARTSYS);
	if (r == -VKF_ERESTARTSYS)
		vkf_task_clear_interrupt();
	if (r)
		return;
	for (unsigned int gpu = 0; gpu < N_GPUS; gpu++) {
		if (may_use(w, gpu))
			map_one(w, bo, gpu, &m[gpu]);
	}
	if (sim_random(sim, 2)) {
		mm_bo_put(bo);
		bo = NULL;
	}
	if (m[1] && !sim_random(sim, 3)) {
		mm_vm_destroy(w->vm[1]);
		m[1] = NULL;
		assert_int_equal(mm_vm_create(w->client->mm, dev[1], &w->vm[1]), 0);
	}
	for (unsigned int gpu = 0; gpu < N_GPUS; gpu++) {
		if (m[gpu])
			unmap_one(w, m[gpu]);
	}
	mm_bo_put(bo);
	w->n_done++;
}

static void work(void *arg)
{
	for (unsigned int i = 0; i < N_ROUNDS; i++)
		one_round(arg);
	atomic_fetch_sub(&n_working, 1);
}

/*
 * All goes while executors may still be on their way back from the last job: nothing of mm may be
 * touched by them any more.
 */
static void finish(void)
{
	char why[200];

	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		mm_client_destroy(client[i].mm);
		free(client[i].pt);
	}
	if (mm_check(sys, why, sizeof(why)))
		fail_msg("%s", why);
	for (unsigned int i = 0; i < N_GPUS; i++) {
		struct mm_device_usage usage;

		mm_device_usage(dev[i], &usage);
		assert_int_equal(usage.vram_managed + usage.gtt_used + usage.page_tables, 0);
		mm_device_destroy(dev[i]);
	}
	mm_system_destroy(sys);
}

static void interrupt(void *arg)
{
	while (atomic_load(&n_working)) {
		vkf_sleep_ns(sim_random(sim, 100000), false);
		/* It is joined, and so there, until all have ended. */
		vkf_task_interrupt(worker[sim_random(sim, N_WORKERS)].task);
	}
	finish();
	for (unsigned int i = 0; i < N_GPUS; i++) {
		vkf_mutex_lock(&executor[i].lock);
		executor[i].end = true;
		vkf_mutex_unlock(&executor[i].lock);
		vkf_cond_broadcast(&executor[i].more);
	}
}

/* ------------------------------------------------ runs */

static void machine_init(void)
{
	struct mm_system_config config = { .ram_bytes = VKF_GIB(8), .bus_base = VKF_GIB(4) };

	memset(&fix, 0, sizeof(fix));
	assert_int_equal(mm_system_create(&config, &sys), 0);
	fix.system = sys;
	for (unsigned int i = 0; i < N_GPUS; i++) {
		struct mm_device_config gpu = {
			.index = i,
			.vram_bytes = VKF_MIB(32),
			.visible_bytes = VKF_MIB(32),
			.va_bits = 48,
			.bar_base = VKF_GIB(1024) * (i + 1),
			.ops = &device_ops,
			.cookie = &executor[i],
		};

		vkf_mutex_init(&executor[i].lock, VKF_RANK_LEAF);
		vkf_cond_init(&executor[i].more);
		executor[i].n = 0;
		executor[i].end = false;
		assert_int_equal(mm_device_create(sys, &gpu, &dev[i]), 0);
	}
}

static void tasks_init(void)
{
	struct vkf_task *task;

	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		assert_int_equal(mm_fixture_client_init(&fix, &client[i]), 0);
		for (unsigned int gpu = 0; gpu < N_GPUS; gpu++)
			assert_int_equal(mm_vm_create(client[i].mm, dev[gpu], &vm[i][gpu]), 0);
	}
	n_working = N_WORKERS;
	for (unsigned int i = 0; i < N_GPUS; i++)
		assert_int_equal(sim_spawn(sim, "executor", execute, &executor[i], NULL), 0);
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		worker[i] =
			(struct worker){ .number = i, .client = &client[i / 2], .vm = vm[i / 2] };
		assert_int_equal(sim_spawn(sim, "worker", work, &worker[i], &worker[i].task), 0);
	}
	assert_int_equal(sim_spawn(sim, "interrupter", interrupt, NULL, &task), 0);
	if (sim_run(sim))
		fail_msg("%s", sim_report(sim));
	vkf_join(task);
	for (unsigned int i = 0; i < N_WORKERS; i++)
		vkf_join(worker[i].task);
}

static uint64_t run(uint64_t seed)
{
	unsigned int n_done = 0, n_interrupted = 0;
	uint64_t hash;

	sim = sim_create(seed);
	assert_non_null(sim);
	sim_install(sim);
	sim_limit_steps(sim, 20000000);
	machine_init();
	tasks_init();
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		n_done += worker[i].n_done;
		n_interrupted += worker[i].n_interrupted;
	}
	assert_true(n_done > N_WORKERS * N_ROUNDS / 4);
	assert_true(n_interrupted > 0);
	hash = sim_trace_hash(sim);
	sim_destroy(sim);
	return hash;
}

static uint64_t seeds[N_SEEDS];

static void all_get_through_and_nothing_is_left(void **state)
{
	uint64_t seed = *(uint64_t *)*state;

	print_message("seed %llu\n", (unsigned long long)seed);
	run(seed);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	uint64_t first = run(7);

	assert_true(run(7) == first);
	assert_true(run(8) != first);
}

/* ------------------------------------------------ who comes last */

/* Two tasks, so that one often gets far ahead of the other. */
#define N_SHORT_SEEDS 20000

static struct mm_fence *last_fence;
static struct mm_paging_job *last_job;

static void signal_last(void *arg)
{
	if (last_job)
		mm_paging_job_run(last_job);
	else
		mm_fence_signal(last_fence, 0);
}

static void keep_job(void *cookie, struct mm_paging_job *job)
{
	last_job = job;
}

static void do_nothing(struct mm_paging_job *job)
{
}

static const struct mm_device_ops keeping_ops = { .run_job = keep_job };

/* Let a task signal while main does @go; @sim is set up. */
static void race(void (*go)(void))
{
	struct vkf_task *task;

	assert_int_equal(sim_spawn(sim, "signaller", signal_last, NULL, &task), 0);
	go();
	vkf_join(task);
}

static struct mm_timeline *timeline;

static void end_timeline(void)
{
	assert_int_equal(mm_fence_wait(&last_job->fence, VKF_FOREVER, false), 0);
	mm_timeline_fini(timeline);
	free(timeline);
}

static void a_timeline_may_go_as_soon_as_its_last_fence_has_signalled(void **state)
{
	for (uint64_t seed = 1; seed <= N_SHORT_SEEDS; seed++) {
		struct mm_paging_job *job = calloc(1, sizeof(*job));

		sim = sim_create(seed);
		sim_install(sim);
		timeline = calloc(1, sizeof(*timeline));
		mm_timeline_init(timeline, 1, &keeping_ops, NULL);
		mm_paging_job_init(job, NULL, do_nothing);
		mm_timeline_submit(timeline, job);
		race(end_timeline);
		mm_fence_put(&job->fence);
		sim_destroy(sim);
	}
	last_job = NULL;
}

static void end_system(void)
{
	mm_client_destroy(client[0].mm);
	mm_device_destroy(dev[0]);
	mm_device_destroy(dev[1]);
	mm_system_destroy(sys);
}

static void a_system_may_go_as_soon_as_its_last_client_has(void **state)
{
	for (uint64_t seed = 1; seed <= N_SHORT_SEEDS; seed++) {
		struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_PAGE_SIZE };
		struct mm_bo *bo;

		sim = sim_create(seed);
		sim_install(sim);
		machine_init();
		fix.config.pt_tables = 2;
		assert_int_equal(mm_fixture_client_init(&fix, &client[0]), 0);
		assert_int_equal(mm_bo_create(client[0].mm, dev[0], &params, &bo), 0);
		last_fence = calloc(1, sizeof(*last_fence));
		mm_fence_init(last_fence, NULL, 99, 1);
		assert_int_equal(mm_resv_lock(bo->resv, false), 0);
		assert_int_equal(mm_resv_reserve_locked(bo->resv, 1), 0);
		mm_resv_add_locked(bo->resv, last_fence, MM_RESV_BOOKKEEP);
		mm_resv_unlock(bo->resv);
		mm_bo_put(bo);
		race(end_system);
		assert_int_equal(client[0].n_punched, 1);
		mm_fence_put(last_fence);
		free(client[0].pt);
		sim_destroy(sim);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[N_SEEDS + 3];
	const char *given = argc > 1 ? argv[1] : getenv("VKFD_SEED");
	size_t n = given ? 1 : N_SEEDS;

	for (size_t i = 0; i < n; i++) {
		seeds[i] = given ? strtoull(given, NULL, 0) : i + 1;
		tests[i] = (struct CMUnitTest)cmocka_unit_test_prestate(
			all_get_through_and_nothing_is_left, &seeds[i]);
	}
	if (!given) {
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_same_seed_gives_the_same_run);
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(
			a_timeline_may_go_as_soon_as_its_last_fence_has_signalled);
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(
			a_system_may_go_as_soon_as_its_last_client_has);
	}
	return _cmocka_run_group_tests("mm sim", tests, n, NULL, NULL);
}
