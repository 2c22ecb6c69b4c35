/* SPDX-License-Identifier: MIT */
/**
 * DOC: No access after an unmap, and no reuse before
 *
 * Two clients share a GPU whose VRAM is too small for both. Each has two workers that
 * put parts of buffers into windows of their own, over what is there, take ranges away,
 * and drop buffers; and an engine, which walks the tables word by word and then touches
 * what it found, with pauses in between in which anything may happen. Buffers are
 * evicted, their clients stopped and restored; jobs are executed late.
 *
 * The twin knows for each page which backing it may lead to: what was asked for, from
 * the moment it is asked, and what was there, until the change that takes it away has
 * been waited for. An engine that touches anything else has seen memory after its unmap.
 * And when the memory behind a buffer is given back, no engine may still be about to
 * touch it.
 *
 * usage: test_mm_access [SEED], or VKFD_SEED in the environment
 */
#include "mm_fixture.h"

#include "mm/vm_change.h"
#include "mm/vm_update.h"
#include "sim/sched_sim.h"

#define N_CLIENTS    2
#define N_WORKERS    2 /* of each client */
#define N_BOS        3 /* of each worker */
#define N_ROUNDS     60
#define N_SEEDS      100
#define WINDOW_PAGES 1280 /* 5 MiB, from the middle of what a large entry covers */
#define WINDOW(w)    (VKF_GIB(1) * ((w) + 1) - VKF_MIB(1))
#define N_LINKS      3
#define P            VKF_PAGE_SIZE
#define MAX_JOBS     64

/* struct allowed - what one page may lead to; 0: no more */
struct allowed {
	uint64_t link[N_LINKS];
};

struct client {
	struct mm_client *mm;
	struct mm_vm *vm;
	void *pt;
	struct allowed page[N_WORKERS][WINDOW_PAGES];
	/* The engine. */
	unsigned int section; /* odd: it may hold something it found */
	uint64_t holding;     /* a link, or 0 */
	bool stop, is_stopped, end;
	unsigned int n_asked;    /* to stop it, once for each eviction fence */
	struct vkf_mutex lock;   /* rank LEAF; of @changed */
	struct vkf_cond changed; /* @stop, @is_stopped or @end */
	uint64_t n_touched, n_stops;
};

struct worker {
	struct client *client;
	unsigned int number; /* in its client */
	struct mm_bo *bo[N_BOS];
	struct vkf_task *task;
	struct allowed before[WINDOW_PAGES];
};

static struct sim *sim;
static struct mm_system *sys;
static struct mm_device *dev;
static struct client client[N_CLIENTS];
static struct worker worker[N_CLIENTS * N_WORKERS];
static struct mm_paging_job *job[MAX_JOBS];
static unsigned int n_jobs;
static struct vkf_mutex job_lock; /* rank LEAF; of @job_came */
static struct vkf_cond job_came;
static bool jobs_end;
static unsigned int n_working;

/* ------------------------------------------------ jobs, executed late */

static void queue_job(void *cookie, struct mm_paging_job *j)
{
	vkf_mutex_lock(&job_lock);
	assert_true(n_jobs < MAX_JOBS);
	job[n_jobs++] = j;
	vkf_mutex_unlock(&job_lock);
	vkf_cond_broadcast(&job_came);
}

static const struct mm_device_ops device_ops = { .run_job = queue_job };

static void execute(void *arg)
{
	for (;;) {
		struct mm_paging_job *j = NULL;

		vkf_mutex_lock(&job_lock);
		while (!n_jobs && !jobs_end)
			vkf_cond_wait(&job_came, &job_lock, VKF_FOREVER, false);
		if (n_jobs) {
			unsigned int i = (unsigned int)sim_random(sim, n_jobs);

			j = job[i];
			job[i] = job[--n_jobs];
		}
		vkf_mutex_unlock(&job_lock);
		if (!j)
			return;
		if (sim_random(sim, 2))
			vkf_sleep_ns(sim_random(sim, 20000), false);
		mm_paging_job_run(j);
	}
}

/* ------------------------------------------------ the engine */

static void wake(struct client *c)
{
	vkf_mutex_lock(&c->lock);
	vkf_mutex_unlock(&c->lock);
	vkf_cond_broadcast(&c->changed);
}

/* The link of the page at @va, or 0: entry and link are read one after the other. */
static uint64_t walk(const struct client *c, uint64_t va)
{
	const struct mm_pt_words *tables = c->pt;
	uint64_t table = mm_vm_root(c->vm), entry, link;

	for (unsigned int level = 0; level < MM_PTE_LEVELS; level++) {
		unsigned int slot = mm_pte_slot(va, level);

		vkf_point("walk");
		entry = tables[table].entry[slot];
		vkf_point("walk");
		link = tables[table].link[slot];
		if (!(entry & 1))
			return 0;
		if (level == MM_PTB || pte_gfx9_get_pde_pte(entry))
			return link + (va & (mm_pte_span(level) - 1));
		assert_true(link && link < 256);
		table = link;
	}
	return 0;
}

static bool may_lead_to(const struct allowed *a, uint64_t link)
{
	for (unsigned int i = 0; i < N_LINKS; i++) {
		if (a->link[i] == link)
			return true;
	}
	return false;
}

static void touch_something(struct client *c)
{
	unsigned int w = (unsigned int)sim_random(sim, N_WORKERS);
	unsigned int page = (unsigned int)sim_random(sim, WINDOW_PAGES);

	c->section++;
	c->holding = walk(c, WINDOW(w) + page * P);
	if (c->holding) {
		if (sim_random(sim, 2))
			vkf_sleep_ns(sim_random(sim, 5000), false);
		if (!may_lead_to(&c->page[w][page], c->holding))
			fail_msg("page %u of window %u was touched after its unmap", page, w);
		c->n_touched++;
	}
	c->holding = 0;
	c->section++;
	if (sim_random(sim, 4) == 0)
		vkf_sleep_ns(500, false);
	else
		vkf_point("engine");
}

static void be_stopped(struct client *c)
{
	vkf_mutex_lock(&c->lock);
	c->is_stopped = true;
	while (c->stop && !c->end) {
		vkf_cond_broadcast(&c->changed);
		vkf_cond_wait(&c->changed, &c->lock, VKF_FOREVER, false);
	}
	c->is_stopped = false;
	vkf_mutex_unlock(&c->lock);
}

static void run_engine(void *arg)
{
	struct client *c = arg;

	while (!c->end) {
		if (c->stop)
			be_stopped(c);
		else
			touch_something(c);
	}
}

/* ------------------------------------------------ what mm asks of the outside */

static void punch(void *cookie, uint64_t off, uint64_t len)
{
	const struct client *c = cookie;
	uint64_t at = c->holding & ~UINT64_C(0xfff);

	if (c->holding && at >= off && at < off + len)
		fail_msg("memory was given back while it is touched");
}

/* Until the engine has begun anew. */
static void invalidate(void *cookie, unsigned int gpu)
{
	const struct client *c = cookie;
	unsigned int before = c->section;

	while (before % 2 && c->section == before)
		vkf_sleep_ns(1000, false);
}

static bool ask_to_stop(void *cookie)
{
	struct client *c = cookie;

	if (c->end)
		return false;
	c->n_asked++;
	c->stop = true;
	vkf_cond_broadcast(&c->changed);
	return true;
}

static const struct mm_client_ops client_ops = {
	.evict = ask_to_stop,
	.punch = punch,
	.invalidate = invalidate,
};

/* Stops a client when it is asked to, and brings it back. */
static void run_stopper(void *arg)
{
	struct client *c = arg;

	while (!c->end) {
		unsigned int n_asked;

		vkf_mutex_lock(&c->lock);
		while (!c->end && !(c->stop && c->is_stopped))
			vkf_cond_wait(&c->changed, &c->lock, VKF_FOREVER, false);
		vkf_mutex_unlock(&c->lock);
		n_asked = c->n_asked;
		mm_client_evicted(c->mm);
		c->n_stops++;
		vkf_sleep_ns(sim_random(sim, 100000), false);
		while (!c->end && mm_client_restore(c->mm))
			vkf_sleep_ns(100000, false);
		/* Somebody may have asked again already. */
		c->stop = c->n_asked != n_asked;
		wake(c);
	}
	/* Others may wait for it still. */
	mm_client_evicted(c->mm);
}

/* ------------------------------------------------ workers */

static void allow(struct allowed *a, uint64_t link)
{
	for (unsigned int i = 0; i < N_LINKS; i++) {
		if (!a->link[i] || a->link[i] == link) {
			a->link[i] = link;
			return;
		}
	}
	fail_msg("a page leads to more than the twin can tell");
}

static uint64_t link_of(const struct mm_bo *bo, uint64_t offset)
{
	return (mm_bo_arena(bo).v + offset) | MM_LINK_ARENA;
}

static int change(struct worker *w, const struct mm_vm_change *change)
{
	struct mm_fence *fence;
	int r;

	while ((r = mm_vm_change(w->client->vm, change, &fence)) == -VKF_ERESTARTSYS)
		vkf_task_clear_interrupt();
	if (r)
		return r;
	while (fence && mm_fence_wait(fence, VKF_FOREVER, true))
		vkf_task_clear_interrupt();
	mm_fence_put(fence);
	return 0;
}

/* From here on nothing else may be found there. */
static void settle(struct allowed *a, unsigned int n, const struct mm_bo *bo, uint64_t offset)
{
	for (unsigned int i = 0; i < n; i++) {
		memset(&a[i], 0, sizeof(a[i]));
		if (bo)
			a[i].link[0] = link_of(bo, offset + i * P);
	}
}

static void change_range(struct worker *w, unsigned int first, unsigned int n, struct mm_bo *bo,
			 uint64_t offset)
{
	struct allowed *a = &w->client->page[w->number][first];
	const struct mm_vm_change req = {
		.op = bo ? MM_VA_REPLACE : MM_VA_CLEAR,
		.va = { WINDOW(w->number) + first * P },
		.bytes = n * P,
		.bo = bo,
		.offset = offset,
		.attr = { .writeable = true },
	};
	int r;

	memcpy(w->before, a, n * sizeof(*a));
	for (unsigned int i = 0; i < n && bo; i++)
		allow(&a[i], link_of(bo, offset + i * P));
	r = change(w, &req);
	assert_true(r == 0 || r == -ENOMEM);
	if (r)
		memcpy(a, w->before, n * sizeof(*a));
	else
		settle(a, n, bo, offset);
}

static void one_change(struct worker *w)
{
	struct mm_bo *bo = sim_random(sim, 3) ? w->bo[sim_random(sim, N_BOS)] : NULL;
	unsigned int first = (unsigned int)sim_random(sim, WINDOW_PAGES);
	unsigned int n = 1 + (unsigned int)sim_random(sim, WINDOW_PAGES - first);
	uint64_t max = bo ? bo->size / P : WINDOW_PAGES;

	n = VKF_MIN(n, (unsigned int)max);
	change_range(w, first, n, bo, bo ? sim_random(sim, max - n + 1) * P : 0);
}

/* All in one piece, where a large entry fits; to be cut by what follows. */
static void one_large(struct worker *w)
{
	struct mm_bo *bo = w->bo[sim_random(sim, N_BOS)];

	if (bo && bo->size >= VKF_MIB(4))
		change_range(w, 256, 1024, bo, 0);
}

static void other_buffer(struct worker *w)
{
	struct mm_bo **bo = &w->bo[sim_random(sim, N_BOS)];
	struct mm_bo_params params = {
		.kind = sim_random(sim, 3) ? MM_BO_VRAM : MM_BO_GTT,
		.size = sim_random(sim, 2) ? VKF_MIB(4) : (1 + sim_random(sim, 1200)) * P,
		.charge_as_gtt = true,
		.vm = sim_random(sim, 2) ? w->client->vm : NULL,
	};
	int r;

	mm_bo_put(*bo);
	*bo = NULL;
	r = mm_bo_create(w->client->mm, dev, &params, bo);
	assert_true(r == 0 || r == -ENOMEM || r == -VKF_ERESTARTSYS);
	if (r == -VKF_ERESTARTSYS)
		vkf_task_clear_interrupt();
}

static void work(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < N_ROUNDS; i++) {
		if (sim_random(sim, 3) == 0)
			other_buffer(w);
		if (sim_random(sim, 4) == 0)
			one_large(w);
		one_change(w);
	}
	for (unsigned int i = 0; i < N_BOS; i++)
		mm_bo_put(w->bo[i]);
	n_working--;
}

static void end_all(void *arg)
{
	while (n_working) {
		vkf_sleep_ns(sim_random(sim, 200000), false);
		vkf_task_interrupt(worker[sim_random(sim, N_CLIENTS * N_WORKERS)].task);
	}
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		client[i].end = true;
		wake(&client[i]);
	}
}

/* ------------------------------------------------ runs */

static void client_init(struct client *c)
{
	struct mm_client_config config = {
		.pt_tables = 256,
		.arena_bytes = VKF_GIB(1),
		.ops = &client_ops,
		.cookie = c,
	};

	memset(c, 0, sizeof(*c));
	vkf_mutex_init(&c->lock, VKF_RANK_LEAF);
	vkf_cond_init(&c->changed);
	c->pt = config.pt_base = calloc(256, MM_PT_BYTES);
	assert_int_equal(mm_client_create(sys, &config, &c->mm), 0);
	assert_int_equal(mm_vm_create(c->mm, dev, &c->vm), 0);
}

static void machine_init(void)
{
	struct mm_system_config config = { .ram_bytes = VKF_GIB(8), .bus_base = VKF_GIB(4) };
	struct mm_device_config gpu = {
		.vram_bytes = VKF_MIB(28),
		.visible_bytes = VKF_MIB(28),
		.va_bits = 48,
		.ops = &device_ops,
	};

	n_jobs = 0;
	jobs_end = false;
	vkf_mutex_init(&job_lock, VKF_RANK_LEAF);
	vkf_cond_init(&job_came);
	assert_int_equal(mm_system_create(&config, &sys), 0);
	assert_int_equal(mm_device_create(sys, &gpu, &dev), 0);
	for (unsigned int i = 0; i < N_CLIENTS; i++)
		client_init(&client[i]);
}

static void machine_fini(void)
{
	char why[200];

	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		mm_client_evicted(client[i].mm);
		mm_client_destroy(client[i].mm);
		free(client[i].pt);
	}
	if (mm_check(sys, why, sizeof(why)))
		fail_msg("%s", why);
	jobs_end = true;
	vkf_cond_broadcast(&job_came);
	mm_device_destroy(dev);
	mm_system_destroy(sys);
}

static void main_task(void *arg)
{
	struct vkf_task *task[3 * N_CLIENTS + 2 + N_CLIENTS * N_WORKERS];
	unsigned int n = 0;

	machine_init();
	assert_int_equal(vkf_spawn("executor", execute, NULL, &task[n++]), 0);
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		assert_int_equal(vkf_spawn("engine", run_engine, &client[i], &task[n++]), 0);
		assert_int_equal(vkf_spawn("stopper", run_stopper, &client[i], &task[n++]), 0);
	}
	n_working = N_CLIENTS * N_WORKERS;
	for (unsigned int i = 0; i < N_CLIENTS * N_WORKERS; i++) {
		struct worker *w = &worker[i];

		*w = (struct worker){ .client = &client[i / N_WORKERS], .number = i % N_WORKERS };
		assert_int_equal(vkf_spawn("worker", work, w, &w->task), 0);
		task[n++] = w->task;
	}
	assert_int_equal(vkf_spawn("end", end_all, NULL, &task[n++]), 0);
	for (unsigned int i = 1; i < n; i++)
		vkf_join(task[i]);
	machine_fini();
	vkf_join(task[0]);
}

static uint64_t n_touched, n_stops;

static void run(uint64_t seed)
{
	struct vkf_task *task;

	sim = sim_create(seed);
	assert_non_null(sim);
	sim_install(sim);
	sim_limit_steps(sim, 50000000);
	assert_int_equal(sim_spawn(sim, "main", main_task, NULL, &task), 0);
	if (sim_run(sim))
		fail_msg("seed %llu: %s", (unsigned long long)seed, sim_report(sim));
	vkf_join(task);
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		n_touched += client[i].n_touched;
		n_stops += client[i].n_stops;
	}
	sim_destroy(sim);
}

static uint64_t first_seed = 1;
static unsigned int n_seeds = N_SEEDS;

static void nothing_is_touched_after_its_unmap(void **state)
{
	for (unsigned int i = 0; i < n_seeds; i++) {
		if (n_seeds == 1)
			print_message("seed %llu\n", (unsigned long long)first_seed);
		run(first_seed + i);
	}
	/* It was worth it: engines found something, and buffers were on the move. */
	assert_true(n_touched > n_seeds * 50);
	assert_true(n_stops > n_seeds);
	print_message("%llu touches, %llu stops\n", (unsigned long long)n_touched,
		      (unsigned long long)n_stops);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_touched_after_its_unmap),
	};
	const char *seed = argc > 1 ? argv[1] : getenv("VKFD_SEED");

	if (seed) {
		first_seed = strtoull(seed, NULL, 0);
		n_seeds = 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
