/* SPDX-License-Identifier: MIT */
/**
 * DOC: More memory wanted than there is, in every interleaving that a seed can make
 *
 * Clients whose buffers together are more than VRAM make, map, unmap and free them, and each
 * has hardware that touches what its page tables lead to for as long as it runs. When memory
 * is wanted its owner is asked to stop; it does, some time later, is told to be evicted, and
 * is restored. Allocations are refused and calls interrupted at any time.
 *
 * What is watched: at no time can two clients that run reach one page of VRAM. Whoever
 * touches a page that another client touched before him sees to it that the other's entry is
 * gone, or that it does not run. Also: after an unmap has been waited for, nothing is reached
 * there; nobody waits for ever; everybody runs again; and in the end nothing is left.
 *
 * usage: test_mm_evict_sim [SEED], or VKFD_SEED in the environment
 */
#include "mm_fixture.h"

#include "base/env.h"
#include "mm/evict.h"
#include "sim/sched_sim.h"

#define N_GPUS 2
#define N_CLIENTS 4
#define N_BUFS 10
#define N_ROUNDS 300
#define N_SEEDS 40
#define VRAM VKF_MIB(32)
#define N_PAGES (VRAM / VKF_PAGE_SIZE)
#define VA_OF(i) (VKF_GIB(1) + (uint64_t)(i) * VKF_MIB(64))
#define MSEC VKF_NSEC_PER_MSEC

struct buf {
	struct mm_bo *bo;
	struct mm_mapping *m[N_GPUS];
};

struct client {
	unsigned int number;
	struct mm_client *mm;
	struct mm_vm *vm[N_GPUS];
	void *pt;
	struct buf bufs[N_BUFS];
	struct vkf_task *worker;
	/* the hardware */
	bool running;
	unsigned int n_touching;
	uint64_t n_touched, n_steps; /* quiescence: a step is odd inside a touch */
	uint64_t holds[N_GPUS];      /* the address it has translated and will access, or 0 */
	/* who stops it */
	struct vkf_mutex lock; /* rank LEAF; protects the next two */
	struct vkf_cond asked;
	unsigned int n_asked;
	bool end;
	unsigned int n_evicted, n_failed, n_interrupted, n_refused;
};

/* struct page - who touched it last, and how he got there */
struct page {
	struct client *by;
	uint64_t va;
};

static struct sim *sim;
static struct mm_system *sys;
static struct mm_device *dev[N_GPUS];
static struct client clients[N_CLIENTS];
static struct page pages[N_GPUS][N_PAGES];
static unsigned int n_working;
static unsigned int n_stopping; /* clients that are being evicted and restored */
static bool refuse;

/* ------------------------------------------------ memory that is refused at times */

static void *sim_zalloc(size_t size)
{
	return refuse && !sim_random(sim, 300) ? NULL : calloc(1, size);
}

static int sim_fault(const char *point, uint64_t arg)
{
	return refuse && !sim_random(sim, 200) ? ENOMEM : 0;
}

static const struct vkf_env_ops env = { .zalloc = sim_zalloc, .free = free, .fault = sim_fault };

/* ------------------------------------------------ the hardware */

static struct mm_fixture_found walk(const struct client *c, unsigned int gpu, uint64_t va)
{
	struct mm_fixture_client as = { .pt = c->pt };

	return mm_fixture_walk(&as, c->vm[gpu], va);
}

static bool leads_to(const struct client *c, unsigned int gpu, uint64_t va, uint64_t page)
{
	struct mm_fixture_found found = walk(c, gpu, va);
	uint64_t span = mm_pte_span(found.level) >> VKF_PAGE_SHIFT;
	uint64_t first = pte_gfx9_get_page(found.entry);

	return found.entry & 1 && !pte_gfx9_get_system(found.entry) && page >= first &&
	       page < first + span;
}

static void touch_page(struct client *c, unsigned int gpu, uint64_t va, uint64_t page)
{
	struct page *p = &pages[gpu][page];

	if (p->by && p->by != c && p->by->running && leads_to(p->by, gpu, p->va, page))
		fail_msg("clients %u and %u both reach page %llu of GPU %u", c->number,
			 p->by->number, (unsigned long long)page, gpu);
	p->by = c;
	p->va = va;
	c->n_touched++;
}

/* The walk and the access are one step, as in the engine: an invalidation waits for its end. */
static void touch(struct client *c, unsigned int gpu, uint64_t va)
{
	struct mm_fixture_found found;

	c->n_steps++;
	found = walk(c, gpu, va);
	c->holds[gpu] = found.entry & 1 ? va : 0;
	vkf_point("translated");
	if (!sim_random(sim, 200))
		vkf_sleep_ns(sim_random(sim, 5 * MSEC), false);
	if (found.entry & 1 && !pte_gfx9_get_system(found.entry)) {
		uint64_t in = va & (mm_pte_span(found.level) - 1);

		touch_page(c, gpu, va, pte_gfx9_get_page(found.entry) + (in >> VKF_PAGE_SHIFT));
	}
	c->holds[gpu] = 0;
	c->n_steps++;
}

/* A page of each buffer, on each GPU. Few different ones, so that others were there before. */
static void touch_all(struct client *c)
{
	static const unsigned int where[] = { 0, 1, 511 };
	uint64_t page = where[sim_random(sim, VKF_ARRAY_SIZE(where))] + 512 * sim_random(sim, 4);

	for (unsigned int i = 0; i < N_BUFS * N_GPUS && c->running; i++)
		touch(c, i % N_GPUS, VA_OF(i / N_GPUS) + page * VKF_PAGE_SIZE);
}

static void hardware(void *arg)
{
	struct client *c = arg;

	while (!c->end) {
		if (c->running) {
			c->n_touching++;
			touch_all(c);
			c->n_touching--;
		}
		vkf_sleep_ns(sim_random(sim, 100000), false);
	}
}

static void wait_for_step(struct client *c)
{
	uint64_t step = c->n_steps;

	while (step & 1 && c->n_steps == step)
		vkf_relax();
}

static void punch(void *cookie, uint64_t off, uint64_t len)
{
}

static void invalidate(void *cookie, unsigned int gpu)
{
	wait_for_step(cookie);
}

/* ------------------------------------------------ who stops it */

static bool evict(void *cookie)
{
	struct client *c = cookie;

	vkf_mutex_lock(&c->lock);
	c->n_asked++;
	vkf_mutex_unlock(&c->lock);
	vkf_cond_broadcast(&c->asked);
	return true;
}

static const struct mm_client_ops client_ops = {
	.evict = evict, .punch = punch, .invalidate = invalidate
};

static bool wait_until_asked(struct client *c)
{
	bool asked;

	vkf_mutex_lock(&c->lock);
	while (!c->n_asked && !c->end)
		vkf_cond_wait(&c->asked, &c->lock, VKF_FOREVER, false);
	asked = c->n_asked;
	c->n_asked = 0;
	n_stopping += asked;
	vkf_mutex_unlock(&c->lock);
	return asked;
}

static void stopper(void *arg)
{
	struct client *c = arg;

	while (wait_until_asked(c)) {
		vkf_sleep_ns(sim_random(sim, 10 * MSEC), false);
		c->running = false;
		while (c->n_touching)
			vkf_relax();
		mm_client_evicted(c->mm);
		c->n_evicted++;
		vkf_sleep_ns(sim_random(sim, 100 * MSEC), false);
		while (mm_client_restore(c->mm)) {
			c->n_failed++;
			vkf_sleep_ns(100 * MSEC, false);
		}
		c->running = true;
		n_stopping--;
	}
}

/* Who is asked to stop must be there to do it for as long as somebody is being restored. */
static bool all_run(void)
{
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		if (clients[i].n_asked)
			return false;
	}
	return !n_stopping;
}

/* ------------------------------------------------ programs */

/* True when @r asks for the same call again. */
static bool again(struct client *c, int r)
{
	if (r == -VKF_ERESTARTSYS) {
		assert_true(vkf_interrupted());
		vkf_task_clear_interrupt();
		c->n_interrupted++;
		return true;
	}
	assert_true(r == 0 || r == -ENOMEM);
	return false;
}

static void create(struct client *c, struct buf *b)
{
	struct mm_bo_params params = {
		.kind = sim_random(sim, 8) ? MM_BO_VRAM : MM_BO_GTT,
		.size = VKF_HUGE_SIZE * (1 + sim_random(sim, 4)),
		.charge_as_gtt = true,
	};
	int r;

	if (!sim_random(sim, 4))
		params.size -= sim_random(sim, VKF_MIB(1));

	do {
		r = mm_bo_create(c->mm, dev[sim_random(sim, N_GPUS)], &params, &b->bo);
	} while (again(c, r));
	if (r)
		b->bo = NULL;
	c->n_refused += !!r;
}

static void map(struct client *c, struct buf *b, unsigned int gpu)
{
	struct mm_pte_attr attr = { .writeable = true };
	int r;

	attr.reach = mm_bo_home(b->bo) == dev[gpu] ? MM_REACH_LOCAL : MM_REACH_BUS;
	do {
		r = mm_vm_map(c->vm[gpu], b->bo, (vkf_gpuva){ VA_OF(b - c->bufs) }, &attr,
			      &b->m[gpu]);
	} while (again(c, r));
	if (r) {
		b->m[gpu] = NULL;
		return;
	}
	do {
		r = mm_vm_sync(b->m[gpu], true);
	} while (again(c, r));
	assert_int_equal(r, 0);
}

static void unmap(struct client *c, struct buf *b, unsigned int gpu)
{
	struct mm_fence *fence;
	int r;

	do {
		r = mm_vm_unmap(b->m[gpu], &fence);
	} while (again(c, r) || r);
	b->m[gpu] = NULL;
	do {
		r = mm_fence_wait(fence, VKF_FOREVER, true);
	} while (again(c, r));
	mm_fence_put(fence);
	assert_int_equal(walk(c, gpu, VA_OF(b - c->bufs)).entry & 1, 0);
	/* Nor is anybody still on his way there. */
	assert_false(c->holds[gpu] >= VA_OF(b - c->bufs) && c->holds[gpu] < VA_OF(b - c->bufs + 1));
}

static void drop(struct client *c, struct buf *b)
{
	for (unsigned int gpu = 0; gpu < N_GPUS; gpu++) {
		if (b->m[gpu])
			unmap(c, b, gpu);
	}
	mm_bo_put(b->bo);
	b->bo = NULL;
}

static void one_round(struct client *c)
{
	struct buf *b = &c->bufs[sim_random(sim, N_BUFS)];
	unsigned int gpu = (unsigned int)sim_random(sim, N_GPUS);

	if (!b->bo) {
		create(c, b);
		/* At once: its place may not be free yet. */
		if (b->bo)
			map(c, b, gpu);
	} else if (!sim_random(sim, 4)) {
		drop(c, b);
	} else if (!b->m[gpu]) {
		map(c, b, gpu);
	} else {
		unmap(c, b, gpu);
	}
	if (!sim_random(sim, 4))
		vkf_sleep_ns(sim_random(sim, 20 * MSEC), false);
}

static void work(void *arg)
{
	struct client *c = arg;

	for (unsigned int i = 0; i < N_ROUNDS; i++)
		one_round(c);
	/* What two of them keep fits, so that everybody may stay in the end. */
	for (unsigned int i = c->number < 2; i < N_BUFS; i++) {
		if (c->bufs[i].bo)
			drop(c, &c->bufs[i]);
	}
	n_working--;
}

static void interrupt(void *arg)
{
	while (n_working) {
		vkf_sleep_ns(sim_random(sim, MSEC), false);
		vkf_task_interrupt(clients[sim_random(sim, N_CLIENTS)].worker);
	}
	refuse = false;
	while (!all_run())
		vkf_sleep_ns(MSEC, false);
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		vkf_mutex_lock(&clients[i].lock);
		clients[i].end = true;
		vkf_mutex_unlock(&clients[i].lock);
		vkf_cond_broadcast(&clients[i].asked);
	}
}

/* ------------------------------------------------ runs */

static void machine_init(enum mm_evict_policy policy)
{
	struct mm_system_config config = { .ram_bytes = VKF_GIB(8), .bus_base = VKF_GIB(4) };

	assert_int_equal(mm_system_create(&config, &sys), 0);
	for (unsigned int i = 0; i < N_GPUS; i++) {
		struct mm_device_config gpu = {
			.index = i,
			.vram_bytes = VRAM,
			.visible_bytes = VRAM,
			.va_bits = 48,
			.bar_base = VKF_GIB(1024) * (i + 1),
			.gtt_bytes = VKF_MIB(24),
			.policy = policy,
		};

		assert_int_equal(mm_device_create(sys, &gpu, &dev[i]), 0);
	}
	memset(pages, 0, sizeof(pages));
}

static void client_init(struct client *c, unsigned int number)
{
	struct mm_client_config config = {
		.pt_tables = 512,
		.arena_bytes = VKF_GIB(64),
		.ops = &client_ops,
		.cookie = c,
	};

	*c = (struct client){ .number = number, .running = true };
	vkf_mutex_init(&c->lock, VKF_RANK_LEAF);
	vkf_cond_init(&c->asked);
	c->pt = calloc(config.pt_tables, MM_PT_BYTES);
	assert_non_null(c->pt);
	config.pt_base = c->pt;
	assert_int_equal(mm_client_create(sys, &config, &c->mm), 0);
	for (unsigned int gpu = 0; gpu < N_GPUS; gpu++)
		assert_int_equal(mm_vm_create(c->mm, dev[gpu], &c->vm[gpu]), 0);
}

static void start(struct client *c)
{
	assert_int_equal(sim_spawn(sim, "worker", work, c, &c->worker), 0);
	assert_int_equal(sim_spawn(sim, "hardware", hardware, c, NULL), 0);
	assert_int_equal(sim_spawn(sim, "stopper", stopper, c, NULL), 0);
}

static void check(void)
{
	char why[200];

	if (mm_check(sys, why, sizeof(why)))
		fail_msg("%s", why);
}

static void client_fini(struct client *c)
{
	for (unsigned int i = 0; i < N_BUFS; i++)
		mm_bo_put(c->bufs[i].bo);
	mm_client_destroy(c->mm);
	free(c->pt);
	check();
}

static void machine_fini(void)
{
	for (unsigned int i = 0; i < N_GPUS; i++) {
		struct mm_device_usage usage;

		mm_device_usage(dev[i], &usage);
		assert_int_equal(usage.vram_managed + usage.gtt_used + usage.page_tables, 0);
		mm_device_destroy(dev[i]);
	}
	mm_system_destroy(sys);
}

static struct client total;

static void add_up(const struct client *c)
{
	total.n_evicted += c->n_evicted;
	total.n_failed += c->n_failed;
	total.n_interrupted += c->n_interrupted;
	total.n_touched += c->n_touched;
}

static uint64_t run(uint64_t seed)
{
	uint64_t hash;

	sim = sim_create(seed);
	assert_non_null(sim);
	sim_install(sim);
	sim_limit_steps(sim, 50000000);
	machine_init((enum mm_evict_policy)(seed % MM_EVICT_NONE));
	for (unsigned int i = 0; i < N_CLIENTS; i++)
		client_init(&clients[i], i);
	n_working = N_CLIENTS;
	vkf_env_set(&env);
	refuse = true;
	for (unsigned int i = 0; i < N_CLIENTS; i++)
		start(&clients[i]);
	assert_int_equal(sim_spawn(sim, "interrupter", interrupt, NULL, NULL), 0);
	if (sim_run(sim))
		fail_msg("%s", sim_report(sim));
	check();
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		vkf_join(clients[i].worker);
		assert_true(clients[i].running);
		add_up(&clients[i]);
		client_fini(&clients[i]);
	}
	machine_fini();
	vkf_env_set(NULL);
	hash = sim_trace_hash(sim);
	sim_destroy(sim);
	return hash;
}

static uint64_t seeds[N_SEEDS];

static void nobody_reaches_what_is_anothers(void **state)
{
	uint64_t seed = *(uint64_t *)*state;

	print_message("seed %llu\n", (unsigned long long)seed);
	run(seed);
}

/* What the runs above were for has happened in them. */
static void memory_was_short(void **state)
{
	print_message("%u evictions, %u restores failed, %u calls interrupted, %llu touches\n",
		      total.n_evicted, total.n_failed, total.n_interrupted,
		      (unsigned long long)total.n_touched);
	assert_true(total.n_evicted > N_SEEDS);
	assert_true(total.n_failed > 0);
	assert_true(total.n_interrupted > N_SEEDS);
	assert_true(total.n_touched > 100 * N_SEEDS);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	uint64_t first = run(7);

	assert_true(run(7) == first);
	assert_true(run(8) != first);
}

int main(int argc, char **argv)
{
	const char *given = argc > 1 ? argv[1] : getenv("VKFD_SEED");
	struct CMUnitTest tests[N_SEEDS + 2];
	unsigned int n = 0;

	for (unsigned int i = 0; i < N_SEEDS; i++) {
		seeds[i] = given ? strtoull(given, NULL, 0) : i + 1;
		tests[n++] = (struct CMUnitTest){ .name = "nobody_reaches_what_is_anothers",
						  .test_func = nobody_reaches_what_is_anothers,
						  .initial_state = &seeds[i] };
		if (given)
			break;
	}
	if (!given) {
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_was_short);
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_same_seed_gives_the_same_run);
	}
	return _cmocka_run_group_tests("mm eviction sim", tests, n, NULL, NULL);
}
