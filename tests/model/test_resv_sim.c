/* SPDX-License-Identifier: MIT */
/**
 * DOC: Fences and reservations with many tasks, in every interleaving that a seed can make
 *
 * Workers lock sets of reservations in any order, in which others lock them too, are
 * interrupted, and find no memory; they add fences, collect what to wait for, read
 * without locks, wait for any and for all, chain and merge. Signallers signal what
 * was published, late and in an order of their own. Whoever holds a set is alone in
 * it; in the end every fence is gone, and all memory. A deadlock, or a wake-up that
 * is lost, ends the simulation with an error and a report.
 *
 * usage: test_resv_sim [SEED], or VKFD_SEED in the environment
 */
#include "../unit/mm/fence_fixture.h"

#include "mm/deps.h"
#include "mm/fence_chain.h"
#include "mm/fence_merge.h"
#include "mm/fence_wait.h"
#include "mm/lock_ctx.h"
#include "mm/resv_iter.h"
#include "sim/sched_sim.h"

#define N_SEEDS 400
#define N_RESV 6
#define N_WORKERS 4
#define N_ROUNDS 25
#define N_SIGNALLERS 2
#define MAX_PENDING 4096

static struct sim *sim;
static struct mm_resv resv[N_RESV];
static const void *inside[N_RESV]; /* who holds it, as whoever holds it says */
static struct vkf_mutex pending_lock; /* rank LEAF; protects what follows */
static struct mm_fence *pending[MAX_PENDING];
static unsigned int n_pending;
static struct vkf_mutex chain_lock; /* rank LEAF; protects the next */
static struct mm_fence *head;
static atomic_uint n_working, n_contexts;
static bool with_refusals;
static unsigned int n_deadlk, n_interrupted, n_refused, n_waited;

struct worker {
	unsigned int number;
	uint64_t seqno;
	struct vkf_task *task;
};

static struct worker worker[N_WORKERS];

/* ------------------------------------------------ the surroundings */

static void *sometimes_zalloc(size_t size)
{
	if (with_refusals && sim_random(sim, 12) == 0)
		return NULL;
	return counting_zalloc(size);
}

static const struct vkf_env_ops sometimes_env = { sometimes_zalloc, counting_free, no_fault };

static uint64_t dice(uint64_t bound)
{
	return sim_random(sim, bound);
}

static uint64_t new_context(void)
{
	return 1000 + atomic_fetch_add(&n_contexts, 1);
}

/* Known errors are counted, and then it goes on; nothing else may come. */
static void expect_known(int r)
{
	if (r == -VKF_ERESTARTSYS) {
		assert_true(vkf_interrupted());
		vkf_task_clear_interrupt();
		n_interrupted++;
	} else if (r == -ENOMEM) {
		assert_true(with_refusals);
		n_refused++;
	} else {
		assert_true(r == 0 || r == -ETIMEDOUT);
	}
}

/* It will be signalled, by a signaller. */
static struct mm_fence *publish(struct worker *w)
{
	struct mm_fence *f = new_fence(w->number + 1, ++w->seqno);

	vkf_mutex_lock(&pending_lock);
	assert_true(n_pending < MAX_PENDING);
	pending[n_pending++] = mm_fence_get(f);
	vkf_mutex_unlock(&pending_lock);
	return f;
}

static struct mm_fence *take_pending(void)
{
	struct mm_fence *f = NULL;

	vkf_mutex_lock(&pending_lock);
	if (n_pending) {
		unsigned int i = (unsigned int)dice(n_pending);

		f = pending[i];
		pending[i] = pending[--n_pending];
	}
	vkf_mutex_unlock(&pending_lock);
	return f;
}

static void signal_pending(void *arg)
{
	struct mm_fence *f;

	while ((f = take_pending()) || atomic_load(&n_working)) {
		vkf_sleep_ns(1 + dice(3000), false);
		if (!f)
			continue;
		if (dice(4))
			mm_fence_signal(f, dice(4) ? 0 : -EIO);
		else
			to_test(f)->is_done = true;
		/* Whoever waits cannot be told by a hook. */
		mm_fence_poll(f);
		mm_fence_put(f);
	}
}

/* ------------------------------------------------ locking many */

VKF_NO_TS static void use_all(struct worker *w, const unsigned int *set, unsigned int n)
{
	enum mm_resv_usage usage = (enum mm_resv_usage)dice(4);
	struct mm_fence *f = publish(w);
	struct mm_deps d;
	int e = 0;

	for (unsigned int i = 0; i < n; i++) {
		assert_true(vkf_wwlock_is_mine(&resv[set[i]].lock));
		assert_true(!inside[set[i]] || inside[set[i]] == w);
		inside[set[i]] = w;
	}
	mm_deps_init(&d);
	for (unsigned int i = 0; i < n && !e; i++)
		e = mm_deps_add_resv_locked(&d, &resv[set[i]], (enum mm_resv_usage)dice(4));
	/* Fences may be waited for with reservations held. */
	if (!e && !dice(3))
		e = mm_fence_wait_all(d.fences, d.n, VKF_FOREVER, dice(2));
	mm_deps_fini(&d);
	expect_known(e);
	for (unsigned int i = 0; i < n; i++) {
		mm_resv_add_locked(&resv[set[i]], f, usage);
		inside[set[i]] = w;
	}
	if (!dice(4))
		mm_resv_replace_locked(&resv[set[0]], w->number + 1, f, usage);
	for (unsigned int i = 0; i < n; i++)
		inside[set[i]] = NULL;
	mm_fence_put(f);
}

static void lock_some(struct worker *w)
{
	unsigned int set[N_RESV], n = 1 + (unsigned int)dice(N_RESV);
	struct mm_lock_ctx ctx;
	int e;

	/* One may be in it twice. */
	for (unsigned int i = 0; i < n; i++)
		set[i] = (unsigned int)dice(N_RESV);
	mm_lock_ctx_init(&ctx, dice(2));
	do {
		e = 0;
		for (unsigned int i = 0; i < n && !e; i++)
			e = mm_lock_ctx_lock(&ctx, &resv[set[i]], 1 + (unsigned int)dice(3));
		n_deadlk += e == -EDEADLK;
	} while (mm_lock_ctx_retry(&ctx, e));
	if (!e)
		use_all(w, set, n);
	mm_lock_ctx_fini(&ctx);
	assert_int_equal(vkf_current()->n_ww, 0);
	expect_known(e);
}

/* ------------------------------------------------ without locks */

static void wait_for_some(struct mm_fence **fences, size_t n)
{
	uint64_t deadline = dice(2) ? VKF_FOREVER : vkf_now_ns() + dice(4000);
	size_t first = n;
	int e;

	if (n && dice(2)) {
		e = mm_fence_wait_any(fences, n, deadline, dice(2), &first);
		if (!e)
			assert_true(mm_fence_is_signalled(fences[first]));
	} else {
		e = mm_fence_wait_all(fences, n, deadline, dice(2));
		for (size_t i = 0; i < n && !e; i++)
			assert_true(mm_fence_is_signalled(fences[i]));
	}
	n_waited += !e;
	expect_known(e);
}

static void read_one(void)
{
	struct mm_resv *r = &resv[dice(N_RESV)];
	struct mm_fence **fences;
	size_t n;
	int e = mm_resv_get_fences(r, (enum mm_resv_usage)dice(4), &fences, &n);

	expect_known(e);
	if (e)
		return;
	wait_for_some(fences, n);
	put_fences(fences, n);
	vkf_free(fences);
	expect_known(mm_resv_wait(r, MM_RESV_WRITE, vkf_now_ns() + dice(9000), dice(2)));
}

static void merge_two(void)
{
	struct mm_fence *part[2] = { NULL, NULL }, *all = NULL;
	int e = mm_resv_get_singleton(&resv[dice(N_RESV)], MM_RESV_BOOKKEEP, new_context(),
				      &part[0]);

	if (!e) {
		vkf_mutex_lock(&chain_lock);
		part[1] = head ? mm_fence_get(head) : NULL;
		vkf_mutex_unlock(&chain_lock);
		e = mm_fence_merge(part, 2, new_context(), &all);
	}
	expect_known(e);
	if (!e) {
		wait_for_some(&all, 1);
		mm_fence_put(all);
	}
	put_fences(part, 2);
}

static void extend_chain(struct worker *w)
{
	struct mm_fence_chain *l = mm_fence_chain_alloc();
	struct mm_fence *f;

	if (!l) {
		expect_known(-ENOMEM);
		return;
	}
	f = publish(w);
	vkf_mutex_lock(&chain_lock);
	mm_fence_chain_init(l, head, f, 1 + dice(200), new_context());
	head = &l->base;
	vkf_mutex_unlock(&chain_lock);
}

static void wait_for_point(void)
{
	struct mm_fence *h, *f;

	vkf_mutex_lock(&chain_lock);
	h = head ? mm_fence_get(head) : NULL;
	vkf_mutex_unlock(&chain_lock);
	if (h && !mm_fence_chain_find(h, 1 + dice(200), &f) && f) {
		wait_for_some(&f, 1);
		mm_fence_put(f);
	}
	mm_fence_put(h);
}

/* ------------------------------------------------ runs */

static void work(void *arg)
{
	for (unsigned int i = 0; i < N_ROUNDS; i++) {
		switch (dice(6)) {
		case 0:
			read_one();
			break;
		case 1:
			merge_two();
			break;
		case 2:
			extend_chain(arg);
			break;
		case 3:
			wait_for_point();
			break;
		default:
			lock_some(arg);
		}
	}
	atomic_fetch_sub(&n_working, 1);
}

static void interrupt(void *arg)
{
	while (atomic_load(&n_working)) {
		vkf_sleep_ns(dice(4000), false);
		/* It is joined, and so there, until all have ended. */
		vkf_task_interrupt(worker[dice(N_WORKERS)].task);
	}
}

static void init(void)
{
	n_test_fences = 0;
	n_live_allocs = 0;
	n_pending = 0;
	head = NULL;
	vkf_env_set(&sometimes_env);
	for (unsigned int i = 0; i < N_RESV; i++)
		mm_resv_init(&resv[i]);
	vkf_mutex_init(&pending_lock, VKF_RANK_LEAF);
	vkf_mutex_init(&chain_lock, VKF_RANK_LEAF);
	n_working = N_WORKERS;
	n_contexts = 0;
}

static void fini(void)
{
	mm_fence_put(head);
	for (unsigned int i = 0; i < N_RESV; i++)
		mm_resv_fini(&resv[i]);
	assert_int_equal(n_test_fences, 0);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
}

static uint64_t run(uint64_t seed)
{
	uint64_t hash;

	sim = sim_create(seed);
	assert_non_null(sim);
	sim_install(sim);
	sim_limit_steps(sim, 5000000);
	with_refusals = seed % 2;
	init();
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		worker[i] = (struct worker){ .number = i };
		assert_int_equal(sim_spawn(sim, "worker", work, &worker[i], &worker[i].task), 0);
	}
	for (unsigned int i = 0; i < N_SIGNALLERS; i++)
		assert_int_equal(sim_spawn(sim, "signaller", signal_pending, NULL, NULL), 0);
	assert_int_equal(sim_spawn(sim, "interrupter", interrupt, NULL, NULL), 0);
	if (sim_run(sim))
		fail_msg("%s", sim_report(sim));
	for (unsigned int i = 0; i < N_WORKERS; i++)
		vkf_join(worker[i].task);
	fini();
	hash = sim_trace_hash(sim);
	sim_destroy(sim);
	return hash;
}

static uint64_t first_seed = 1, n_seeds = N_SEEDS;

static void all_get_through_and_nothing_is_left(void **state)
{
	for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		run(seed);
	}
	print_message("%u gave way, %u interrupted, %u refused, %u waits\n", n_deadlk,
		      n_interrupted, n_refused, n_waited);
}

/* Or the seeds show nothing. */
static void all_that_can_happen_did(void **state)
{
	assert_true(n_deadlk > N_SEEDS);
	assert_true(n_interrupted > N_SEEDS);
	assert_true(n_refused > N_SEEDS);
	assert_true(n_waited > N_SEEDS);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	uint64_t first = run(7);

	assert_true(run(7) == first);
	assert_true(run(8) != first);
}

/* ------------------------------------------------ a long chain */

#define N_LONG 1000000

static struct mm_fence *long_chain(struct mm_fence *work_of_all)
{
	struct mm_fence *last = NULL;

	for (unsigned int i = 0; i < N_LONG; i++) {
		struct mm_fence_chain *l = mm_fence_chain_alloc();

		assert_non_null(l);
		mm_fence_chain_init(l, last, mm_fence_get(work_of_all), i + 1, 1000);
		last = &l->base;
	}
	return last;
}

/* On the stack of a coroutine: dropped, then walked, enabled and signalled. */
static void handle_long_chains(void *arg)
{
	struct mm_fence *f = new_fence(1, 1), *last = long_chain(f);

	mm_fence_put(last);
	assert_int_equal(vkf_ref_read(&f->ref), 1);
	last = long_chain(f);
	mm_fence_enable(last);
	assert_false(mm_fence_poll(last));
	mm_fence_signal(f, 0);
	assert_true(mm_fence_is_signalled(last));
	mm_fence_put(last);
	assert_int_equal(vkf_ref_read(&f->ref), 1);
	mm_fence_put(f);
}

static void a_million_links_need_little_stack(void **state)
{
	sim = sim_create(1);
	sim_install(sim);
	with_refusals = false;
	init();
	assert_int_equal(sim_spawn(sim, "long", handle_long_chains, NULL, NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	fini();
	sim_destroy(sim);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(all_get_through_and_nothing_is_left),
		cmocka_unit_test(all_that_can_happen_did),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		cmocka_unit_test(a_million_links_need_little_stack),
	};
	const struct CMUnitTest one[] = {
		cmocka_unit_test(all_get_through_and_nothing_is_left),
	};
	const char *given = argc > 1 ? argv[1] : getenv("VKFD_SEED");

	if (!given)
		return cmocka_run_group_tests(all, NULL, NULL);
	first_seed = strtoull(given, NULL, 0);
	n_seeds = 1;
	return cmocka_run_group_tests(one, NULL, NULL);
}
