/* SPDX-License-Identifier: MIT */
/**
 * DOC: Reservations and chains against slow, obvious twins
 *
 * A reservation's twin remembers each fence that was ever added, with its usage, and
 * forgets only what signals or is replaced. The reservation may keep less, since a
 * later fence of a context stands for an earlier one; but whoever waits for what it
 * answers must have waited for all that the twin knows, and for nothing else. All
 * ways to read it give the same.
 *
 * A chain's twin is an array of works, and a link is done when all before it are.
 *
 * usage: test_resv_model [SEED], or VKFD_SEED in the environment
 */
#include "../unit/mm/fence_fixture.h"

#include "mm/fence_chain.h"
#include "mm/resv_iter.h"
#include "mm/sync.h"

#define N_CONTEXTS 6
#define MAX_FENCES 4000
#define N_STEPS 3000
#define N_SEEDS 40
#define MAX_RESERVED 5

/* struct known - a fence the twin knows of */
struct known {
	struct mm_fence *fence; /* a reference */
	enum mm_resv_usage usage;
};

static struct mm_fence *made[MAX_FENCES];
static unsigned int n_made;
static struct known twin[MAX_FENCES];
static unsigned int n_twin;
static uint64_t last_seqno[N_CONTEXTS];
static struct mm_resv r;
static const char vms[2];

static struct mm_fence *make(void)
{
	uint64_t context = rnd(N_CONTEXTS);
	struct mm_fence *f = new_fence(context + 1, ++last_seqno[context]);
	enum mm_fence_kind kind = (enum mm_fence_kind)rnd(4);
	bool of_vm = kind == MM_FENCE_UPDATE || kind == MM_FENCE_SUBMISSION;

	mm_fence_set_owner(f, kind, of_vm ? (const void *)&vms[rnd(2)] : NULL, NULL);
	return made[n_made++] = f;
}

/* ------------------------------------------------ the twin */

static void twin_drop(bool (*drop)(const struct known *k, uint64_t context), uint64_t context)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n_twin; i++) {
		if (!drop(&twin[i], context))
			twin[kept++] = twin[i];
	}
	n_twin = kept;
}

static bool is_signalled(const struct known *k, uint64_t context)
{
	return mm_fence_is_signalled(k->fence);
}

static bool is_of_context(const struct known *k, uint64_t context)
{
	return k->fence->context == context;
}

static void twin_add(struct mm_fence *f, enum mm_resv_usage usage)
{
	twin[n_twin++] = (struct known){ f, usage };
}

static bool twin_has(const struct mm_fence *f, enum mm_resv_usage usage)
{
	for (unsigned int i = 0; i < n_twin; i++) {
		if (twin[i].fence == f && twin[i].usage <= usage)
			return true;
	}
	return false;
}

/* ------------------------------------------------ what must hold */

static bool covers(struct mm_fence *const *answer, size_t n, const struct mm_fence *f)
{
	for (size_t i = 0; i < n; i++) {
		if (answer[i]->context == f->context && answer[i]->seqno >= f->seqno)
			return true;
	}
	return false;
}

static void check_answer(struct mm_fence *const *answer, size_t n, enum mm_resv_usage usage)
{
	for (size_t i = 0; i < n; i++) {
		assert_false(mm_fence_is_signalled(answer[i]));
		assert_true(twin_has(answer[i], usage));
	}
	for (unsigned int i = 0; i < n_twin; i++) {
		if (twin[i].usage <= usage)
			assert_true(covers(answer, n, twin[i].fence));
	}
}

/* Latest of each context, by the order of contexts. */
static void check_deps(const struct mm_deps *d, struct mm_fence *const *answer, size_t n)
{
	size_t at = 0;

	for (uint64_t context = 1; context <= N_CONTEXTS; context++) {
		struct mm_fence *latest = NULL;

		for (size_t i = 0; i < n; i++) {
			if (answer[i]->context == context &&
			    (!latest || answer[i]->seqno > latest->seqno))
				latest = answer[i];
		}
		if (latest)
			assert_ptr_equal(d->fences[at++], latest);
	}
	assert_int_equal(d->n, at);
}

VKF_NO_TS static void check_sync(struct mm_fence *const *answer, size_t n, enum mm_resv_usage usage)
{
	struct mm_sync_waiter w = { (enum mm_sync_mode)rnd(4),
				    { (enum mm_fence_kind)rnd(4), NULL, NULL } };
	struct mm_fence *passed[MAX_FENCES];
	struct mm_deps d;
	size_t n_passed = 0;

	if (w.owner.kind == MM_FENCE_UPDATE || w.owner.kind == MM_FENCE_SUBMISSION)
		w.owner.vm = (const void *)&vms[0];
	if (mm_sync_usage(&w) != usage)
		return;
	for (size_t i = 0; i < n; i++) {
		if (mm_sync_must_wait(&w, &answer[i]->owner))
			passed[n_passed++] = answer[i];
	}
	mm_deps_init(&d);
	assert_int_equal(mm_sync_collect_locked(&r, &w, &d), 0);
	check_deps(&d, passed, n_passed);
	mm_deps_fini(&d);
}

/* With the lock held. */
VKF_NO_TS static void check_usage(enum mm_resv_usage usage)
{
	struct mm_fence **answer, *f;
	unsigned int pos = 0;
	struct mm_deps d;
	size_t n;

	assert_int_equal(mm_resv_get_fences(&r, usage, &answer, &n), 0);
	check_answer(answer, n, usage);
	for (size_t i = 0; (f = mm_resv_next_locked(&r, usage, &pos)); i++)
		assert_ptr_equal(f, answer[i]);
	assert_true(mm_resv_is_idle_locked(&r, usage) == (n == 0));
	assert_true(mm_resv_test_signalled(&r, usage) == (n == 0));
	mm_deps_init(&d);
	assert_int_equal(mm_deps_add_resv_locked(&d, &r, usage), 0);
	check_deps(&d, answer, n);
	mm_deps_fini(&d);
	check_sync(answer, n, usage);
	for (size_t i = 0; i < n; i++)
		mm_fence_put(answer[i]);
	vkf_free(answer);
}

/* A fence has our reference, and one for each slot that it is in. */
static void check_refs(void)
{
	for (unsigned int i = 0; i < n_made; i++) {
		unsigned int n = 1;

		for (unsigned int j = 0; j < r.n; j++)
			n += r.slots[j].fence == made[i];
		assert_int_equal(vkf_ref_read(&made[i]->ref), n);
	}
}

static void check(void)
{
	twin_drop(is_signalled, 0);
	for (unsigned int usage = 0; usage <= MM_RESV_BOOKKEEP; usage++)
		check_usage((enum mm_resv_usage)usage);
	check_refs();
}

/* ------------------------------------------------ steps */

static void add_some(void)
{
	unsigned int n = 1 + (unsigned int)rnd(MAX_RESERVED);

	mm_resv_assert_held(&r);
	assert_int_equal(mm_resv_reserve_locked(&r, n), 0);
	fail_alloc(1); /* from here on nothing may need memory */
	for (unsigned int i = 0; i < n; i++) {
		enum mm_resv_usage usage = (enum mm_resv_usage)rnd(4);
		/* A new one, or one that is there already: earlier, the same, or stronger. */
		struct mm_fence *f = rnd(3) || !n_made ? make() : made[rnd(n_made)];

		mm_resv_add_locked(&r, f, usage);
		twin_add(f, usage);
	}
	fail_alloc(0);
}

static void replace_some(void)
{
	uint64_t context = 1 + rnd(N_CONTEXTS);
	enum mm_resv_usage usage = (enum mm_resv_usage)rnd(4);
	struct mm_fence *substitute = rnd(4) ? make() : NULL;
	bool any = false;

	mm_resv_assert_held(&r);
	for (unsigned int i = 0; i < r.n; i++)
		any |= r.slots[i].fence->context == context;
	mm_resv_replace_locked(&r, context, substitute, usage);
	twin_drop(is_signalled, 0);
	twin_drop(is_of_context, context);
	if (substitute && any)
		twin_add(substitute, usage);
}

/* Of one context in order, as work is done. */
static void signal_some(void)
{
	struct mm_fence *last = made[rnd(n_made)];
	bool ask = rnd(2);

	for (unsigned int i = 0; i < n_made; i++) {
		if (made[i]->context != last->context || made[i]->seqno > last->seqno)
			continue;
		if (ask)
			to_test(made[i])->is_done = true;
		else
			mm_fence_signal(made[i], 0);
	}
	for (unsigned int i = 0; i < n_made; i++)
		mm_fence_poll(made[i]);
}

VKF_NO_TS static void step(void)
{
	assert_int_equal(mm_resv_lock(&r, false), 0);
	switch (rnd(6)) {
	case 0:
		replace_some();
		break;
	case 1:
	case 2:
		if (n_made)
			signal_some();
		break;
	default:
		add_some();
	}
	if (!rnd(4))
		check();
	mm_resv_unlock(&r);
}

static void forget_made(void)
{
	put_fences(made, n_made);
	n_made = 0;
	n_twin = 0;
}

static uint64_t seeds[N_SEEDS];

static void a_reservation_answers_as_its_twin(void **state)
{
	rnd_state = *(uint64_t *)*state;
	fence_setup(state);
	memset(last_seqno, 0, sizeof(last_seqno));
	mm_resv_init(&r);
	for (unsigned int i = 0; i < N_STEPS && n_made < MAX_FENCES / 2; i++) {
		step();
		if (n_made < 300)
			continue;
		mm_resv_fini(&r);
		mm_resv_init(&r);
		forget_made();
	}
	mm_resv_fini(&r);
	forget_made();
	fence_teardown(state);
}

/* ------------------------------------------------ chains */

#define MAX_LINKS 40

static struct mm_fence *work[MAX_LINKS], *link[MAX_LINKS];
static uint64_t point[MAX_LINKS], context[MAX_LINKS];
static unsigned int n_links;

/* All work up to link @k. */
static bool is_reached(unsigned int k)
{
	for (unsigned int i = 0; i <= k; i++) {
		if (!mm_fence_is_signalled(work[i]))
			return false;
	}
	return true;
}

static void extend(void)
{
	struct mm_fence_chain *l = mm_fence_chain_alloc();
	uint64_t wanted = 1 + rnd(60), last = n_links ? point[n_links - 1] : 0;
	unsigned int k = n_links++;

	assert_non_null(l);
	work[k] = new_fence(1 + k, 1);
	mm_fence_chain_init(l, k ? mm_fence_get(link[k - 1]) : NULL, mm_fence_get(work[k]), wanted,
			    1000 + k);
	link[k] = &l->base;
	point[k] = VKF_MAX(wanted, last);
	context[k] = k && wanted > last ? context[k - 1] : 1000 + k;
	assert_int_equal(link[k]->seqno, point[k]);
	assert_int_equal(link[k]->context, context[k]);
}

/* Whoever waits for what is found waits exactly until the point is reached. */
static void find_one(void)
{
	unsigned int head = (unsigned int)rnd(n_links), k = head;
	uint64_t wanted = 1 + rnd(65);
	struct mm_fence *f = (void *)point;
	int e = mm_fence_chain_find(link[head], wanted, &f);

	if (wanted > point[head]) {
		assert_int_equal(e, -EINVAL);
		assert_ptr_equal(f, point);
		return;
	}
	assert_int_equal(e, 0);
	while (k > 0 && context[k - 1] == context[head] && point[k - 1] >= wanted)
		k--;
	assert_true((!f || mm_fence_poll(f)) == is_reached(k));
	mm_fence_put(f);
}

/* Walking gives links in order, from newest to oldest, and none whose absence matters. */
static void walk_one(void)
{
	unsigned int head = (unsigned int)rnd(n_links), at = head + 1;
	struct mm_fence *pos;

	mm_fence_chain_for_each(pos, link[head]) {
		do {
			assert_true(at > 0);
			at--;
			assert_true(link[at] == pos || at == head ||
				    mm_fence_is_signalled(work[at]));
		} while (link[at] != pos);
	}
	while (at-- > 0)
		assert_true(mm_fence_is_signalled(work[at]));
}

static void a_chain_is_reached_as_its_twin(void **state)
{
	rnd_state = *(uint64_t *)*state;
	fence_setup(state);
	for (unsigned int round = 0; round < 100; round++) {
		n_links = 0;
		extend();
		for (unsigned int i = 0; i < 300; i++) {
			unsigned int k = (unsigned int)rnd(n_links);

			if (n_links < MAX_LINKS && !rnd(4))
				extend();
			else if (!rnd(4))
				mm_fence_signal(work[k], 0);
			else if (!rnd(4))
				mm_fence_enable(link[k]);
			else if (!rnd(3))
				assert_true(mm_fence_poll(link[k]) == is_reached(k));
			else if (!rnd(2))
				walk_one();
			else
				find_one();
		}
		/* Those that wait to be called need their work done, or they stay. */
		for (unsigned int i = 0; i < n_links; i++)
			mm_fence_signal(work[i], 0);
		put_fences(link, n_links);
		put_fences(work, n_links);
	}
	fence_teardown(state);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[2 * N_SEEDS];
	const char *given = argc > 1 ? argv[1] : getenv("VKFD_SEED");
	size_t n = given ? 1 : N_SEEDS;

	for (size_t i = 0; i < n; i++) {
		seeds[i] = given ? strtoull(given, NULL, 0) : i + 1;
		tests[i] = (struct CMUnitTest)cmocka_unit_test_prestate(
			a_reservation_answers_as_its_twin, &seeds[i]);
		tests[n + i] = (struct CMUnitTest)cmocka_unit_test_prestate(
			a_chain_is_reached_as_its_twin, &seeds[i]);
	}
	return _cmocka_run_group_tests("resv model", tests, 2 * n, NULL, NULL);
}
