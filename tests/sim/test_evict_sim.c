/* SPDX-License-Identifier: MIT */
/**
 * DOC: Eviction and restore, with engines and fences that the test is itself
 *
 * The memory manager's two calls are wrapped by the linker: a fence here is a few
 * words that say whether anybody waits and whether it has signalled, and a restore
 * succeeds or fails as the test likes. So is the call that says whom to ask for an
 * eviction. An engine is a task that acknowledges what it is told, now and then.
 *
 * What must hold whenever a fence signals: no queue of that process runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "kfd/doorbell.h"
#include "kfd/process.h"
#include "kfd/queue.h"
#include "machine/machine.h"
#include "mm/client.h"
#include "sim/sched_sim.h"

#define PT_TABLES 64
#define N_QUEUES  4 /* of a process, over two GPUs */
#define MAX_PROCS 6
#define MS        VKF_NSEC_PER_MSEC
#define N_SEEDS   60

/* struct proc - a process, its engine, its fence */
struct proc {
	struct machine_regions regions;
	struct machine_client *mc;
	struct kfd_process *p;
	bool (*evict)(void *cookie);
	void *cookie;
	struct vkf_task *engine;
	bool engine_ends, engine_deaf;
	bool runs[N_QUEUES]; /* as the engine has it */
	/* the fence */
	bool signalled; /* the one that is out; false again after a restore */
	uint64_t signalled_at, asked_at, restored_at;
	unsigned int n_signals, n_restores, n_failures; /* to come */
};

static struct {
	struct sim *sim;
	struct machine *machine;
	struct kfd_driver *driver;
	struct proc procs[MAX_PROCS];
	unsigned int n;
} w;

static struct proc *by_mm(struct mm_client *mm)
{
	for (unsigned int i = 0; i < w.n; i++)
		if (w.procs[i].mc && machine_client_mm(w.procs[i].mc) == mm)
			return &w.procs[i];
	return NULL;
}

static unsigned int n_running(const struct proc *pr)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < N_QUEUES; i++)
		n += pr->runs[i];
	return n;
}

/* ------------------------------------------------ the other side */

void __wrap_mm_client_evicted(struct mm_client *mm);
void __wrap_mm_client_evicted(struct mm_client *mm)
{
	struct proc *pr = by_mm(mm);

	if (pr->signalled)
		return;
	if (!pr->engine_deaf)
		assert_int_equal(n_running(pr), 0);
	pr->signalled = true;
	pr->signalled_at = vkf_now_ns();
	pr->n_signals++;
}

int __wrap_mm_client_restore(struct mm_client *mm);
int __wrap_mm_client_restore(struct mm_client *mm)
{
	struct proc *pr = by_mm(mm);

	assert_int_equal(n_running(pr), 0);
	pr->n_restores++;
	vkf_sleep_ns(sim_random(w.sim, 3 * MS), false);
	assert_int_equal(n_running(pr), 0);
	pr->restored_at = vkf_now_ns();
	if (pr->n_failures) {
		pr->n_failures--;
		return -ENOMEM;
	}
	/* A new fence is out, and may be waited for from now on. */
	pr->signalled = false;
	return 0;
}

void __real_machine_client_set_evict(struct machine_client *mc, bool (*evict)(void *cookie),
				     void *cookie);
void __wrap_machine_client_set_evict(struct machine_client *mc, bool (*evict)(void *cookie),
				     void *cookie);
void __wrap_machine_client_set_evict(struct machine_client *mc, bool (*evict)(void *cookie),
				     void *cookie)
{
	for (unsigned int i = 0; i < w.n; i++) {
		if (w.procs[i].mc != mc)
			continue;
		w.procs[i].evict = evict;
		w.procs[i].cookie = cookie;
	}
	__real_machine_client_set_evict(mc, evict, cookie);
}

/* Somebody waits for the fence of @pr: once for each. */
static void ask(struct proc *pr)
{
	pr->asked_at = vkf_now_ns();
	if (pr->evict && !pr->evict(pr->cookie))
		__wrap_mm_client_evicted(machine_client_mm(pr->mc));
}

static void wait_signalled(const struct proc *pr)
{
	while (!pr->signalled)
		vkf_sleep_ns(MS / 5, false);
}

static void wait_restored(const struct proc *pr)
{
	while (pr->signalled || n_running(pr) < N_QUEUES)
		vkf_sleep_ns(MS / 10, false);
}

/* ------------------------------------------------ engines */

static void engine_main(void *arg)
{
	struct proc *pr = arg;
	struct gpu_ctrl *ctrl = pr->regions.ctrl;

	while (!pr->engine_ends && !atomic_load(&ctrl->quit)) {
		vkf_sleep_ns(1000 + sim_random(w.sim, MS / 5), false);
		if (pr->engine_deaf)
			continue;
		for (unsigned int i = 0; i < N_QUEUES; i++) {
			uint32_t seq = atomic_load(&ctrl->queue[i].want_seq);

			if (atomic_load(&ctrl->queue[i].ack_seq) == seq)
				continue;
			pr->runs[i] = atomic_load(&ctrl->queue[i].want) == GPU_WANT_RUN;
			atomic_store(&ctrl->queue[i].ack_seq, seq);
		}
	}
}

/* ------------------------------------------------ processes */

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
}

static void no_wake(void *cookie)
{
}

/* As CREATE_QUEUE would, without memory to live on. */
static void add_queue(struct proc *pr, unsigned int number)
{
	struct kfd_process *p = pr->p;
	struct kfd_queue *q = vkf_zalloc(sizeof(*q));
	struct machine_queue mq = { .type = GPU_QUEUE_SDMA };
	struct kfd_pdd *pdd;

	q->gpu = mq.gpu = number % 2;
	pdd = &p->pdds[q->gpu];
	q->type = GPU_QUEUE_SDMA;
	q->ring_va = q->ring_bytes = 4096;
	q->percent = 100;
	q->slot = -1;
	vkf_mutex_lock(&p->lock);
	vkf_mutex_lock(&p->queue_lock);
	assert_int_equal(vkf_handles_add(&p->queues, q, &q->id), 0);
	vkf_mutex_unlock(&p->queue_lock);
	assert_int_equal(kfd_gpu_count_queue(w.driver, q->gpu), 0);
	assert_int_equal(kfd_doorbell_take(pdd, &kfd_gpu_profile(w.driver, q->gpu)->asic, q->id,
					   NULL, &q->doorbell),
			 0);
	vkf_mutex_lock(&p->queue_lock);
	q->running = !pdd->evicted;
	q->slot = machine_queue_load(pr->mc, &mq, q->running);
	vkf_mutex_unlock(&p->queue_lock);
	assert_int_equal(q->slot, number);
	pdd->n_queues++;
	vkf_mutex_unlock(&p->lock);
}

static void open_proc(struct proc *pr, int32_t pid)
{
	*pr = (struct proc){
		.regions = {
			.ctrl = calloc(1, sizeof(struct gpu_ctrl)),
			.pt = aligned_alloc(4096, PT_TABLES * GPU_PT_TABLE_BYTES),
			.pt_tables = PT_TABLES,
			.arena_bytes = VKF_GIB(1),
			.bar_bytes = 2 * GPU_BAR_STRIDE,
			.punch = no_punch,
			.wake_engine = no_wake,
		},
	};
	memset(pr->regions.pt, 0, PT_TABLES * GPU_PT_TABLE_BYTES);
	assert_int_equal(machine_client_create(w.machine, &pr->regions, &pr->mc), 0);
	assert_int_equal(kfd_process_create(w.driver, pr->mc, pid, &pr->p), 0);
	atomic_store(&pr->regions.ctrl->engine, GPU_ENGINE_RUNNING);
	assert_int_equal(vkf_spawn("engine", engine_main, pr, &pr->engine), 0);
	for (unsigned int i = 0; i < N_QUEUES; i++)
		add_queue(pr, i);
	while (n_running(pr) < N_QUEUES)
		vkf_sleep_ns(MS / 10, false);
}

static void close_proc(struct proc *pr)
{
	if (!pr->p)
		return;
	kfd_process_destroy(pr->p);
	pr->p = NULL;
	pr->engine_ends = true;
	vkf_join(pr->engine);
	machine_client_destroy(pr->mc);
	pr->mc = NULL;
	free(pr->regions.ctrl);
	free(pr->regions.pt);
}

static void open_world(uint64_t seed, unsigned int n)
{
	static char text[65536];
	struct machine_profile profile;
	char err[256];
	FILE *file = fopen(MACHINES_DIR "/mi210x2.json", "r");
	size_t len = fread(text, 1, sizeof(text), file);

	fclose(file);
	memset(&w, 0, sizeof(w));
	w.sim = sim_create(seed);
	sim_install(w.sim);
	assert_int_equal(machine_profile_load(text, len, NULL, 0, &profile, err, sizeof(err)), 0);
	assert_int_equal(machine_create(&profile, &w.machine), 0);
	assert_int_equal(kfd_driver_create(w.machine, &w.driver), 0);
	w.n = n;
	for (unsigned int i = 0; i < n; i++)
		open_proc(&w.procs[i], 100 + (int32_t)i);
	/* A process that is new is spared for as long as one that has been restored. */
	vkf_sleep_ns(10 * MS, false);
}

static void close_world(void)
{
	for (unsigned int i = 0; i < w.n; i++)
		close_proc(&w.procs[i]);
	kfd_driver_destroy(w.driver);
	machine_destroy(w.machine);
	sim_destroy(w.sim);
}

/* ------------------------------------------------ one process */

static void queues_stop_at_once_and_come_back_in_100_ms(void **state)
{
	struct proc *pr = &w.procs[0];

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 1);
		ask(pr);
		wait_signalled(pr);
		assert_in_range(pr->signalled_at - pr->asked_at, 0, MS);
		wait_restored(pr);
		assert_in_range(pr->restored_at - pr->signalled_at, 100 * MS, 105 * MS);
		assert_int_equal(pr->n_signals, 1);
		assert_int_equal(pr->n_restores, 1);
		close_world();
	}
}

static void a_new_process_runs_10_ms_first(void **state)
{
	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct proc *pr = &w.procs[1];
		uint64_t began;

		open_world(seed, 1);
		w.n = 2;
		began = vkf_now_ns();
		open_proc(pr, 101);
		ask(pr);
		wait_signalled(pr);
		assert_in_range(pr->signalled_at - began, 10 * MS, 11 * MS);
		wait_restored(pr);
		close_world();
	}
}

static void a_process_runs_10_ms_from_when_its_restore_began(void **state)
{
	struct proc *pr = &w.procs[0];

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		uint64_t began;

		open_world(seed, 1);
		for (unsigned int i = 0; i < 4; i++) {
			ask(pr);
			wait_signalled(pr);
			wait_restored(pr);
			began = atomic_load(&pr->p->evict.last_restore);
			ask(pr);
			wait_signalled(pr);
			assert_in_range(pr->signalled_at - began, 10 * MS, 11 * MS);
			wait_restored(pr);
			/* One that has run long enough is not spared. */
			vkf_sleep_ns(20 * MS, false);
			ask(pr);
			wait_signalled(pr);
			assert_in_range(pr->signalled_at - pr->asked_at, 0, MS);
			wait_restored(pr);
		}
		close_world();
	}
}

static void what_cannot_be_restored_is_tried_every_100_ms(void **state)
{
	struct proc *pr = &w.procs[0];
	uint64_t wait;

	open_world(3, 1);
	pr->n_failures = 5;
	ask(pr);
	wait_signalled(pr);
	wait_restored(pr);
	assert_int_equal(pr->n_restores, 6);
	wait = pr->restored_at - pr->signalled_at;
	assert_in_range(wait, 600 * MS, 630 * MS);
	/* Each reason came with one count, and went with it. */
	assert_int_equal(pr->p->pdds[0].evicted, 0);
	assert_in_range(pr->p->pdds[0].evicted_ns, 600 * MS, 630 * MS);
	assert_in_range(pr->p->pdds[1].evicted_ns, 600 * MS, 630 * MS);
	close_world();
}

/* Another reason, on one GPU, outlasts the eviction there, and there only. */
static void reasons_nest_for_each_gpu(void **state)
{
	struct proc *pr = &w.procs[0];

	open_world(4, 1);
	assert_int_equal(kfd_queues_evict(pr->p, &pr->p->pdds[1]), 0);
	assert_int_equal(n_running(pr), 2);
	assert_true(pr->runs[0] && pr->runs[2]);
	ask(pr);
	wait_signalled(pr);
	assert_int_equal(pr->p->pdds[0].evicted, 1);
	assert_int_equal(pr->p->pdds[1].evicted, 2);
	while (pr->signalled || !n_running(pr))
		vkf_sleep_ns(MS, false);
	vkf_sleep_ns(MS, false);
	assert_true(pr->runs[0] && pr->runs[2]);
	assert_int_equal(n_running(pr), 2);
	kfd_queues_restore(pr->p, &pr->p->pdds[1]);
	vkf_sleep_ns(MS, false);
	assert_int_equal(n_running(pr), N_QUEUES);
	close_world();
}

/* A reset signals the fence; the eviction that comes too late takes its count back. */
static void an_eviction_that_finds_the_fence_signalled_leaves_no_trace(void **state)
{
	struct proc *pr = &w.procs[0];

	open_world(5, 1);
	ask(pr);
	wait_signalled(pr);
	wait_restored(pr);
	/* Within the 10 ms: somebody else is faster. */
	ask(pr);
	atomic_store(&pr->p->evict.wanted, false);
	vkf_sleep_ns(500 * MS, false);
	assert_int_equal(pr->n_signals, 1);
	assert_int_equal(pr->n_restores, 1);
	assert_int_equal(pr->p->pdds[0].evicted, 0);
	assert_int_equal(n_running(pr), N_QUEUES);
	close_world();
}

/* One restore ends one eviction, and there is only one to come. */
static void an_eviction_while_a_restore_is_due_adds_nothing(void **state)
{
	struct proc *pr = &w.procs[0];

	open_world(7, 1);
	ask(pr);
	wait_signalled(pr);
	vkf_sleep_ns(50 * MS, false);
	ask(pr);
	vkf_sleep_ns(20 * MS, false);
	assert_int_equal(n_running(pr), 0);
	wait_restored(pr);
	/* 100 ms from the second one. */
	assert_in_range(pr->restored_at - pr->asked_at, 100 * MS, 105 * MS);
	assert_int_equal(pr->n_restores, 1);
	assert_int_equal(pr->p->pdds[0].evicted, 0);
	close_world();
}

static void a_queue_made_while_evicted_waits_for_the_restore(void **state)
{
	struct proc *pr = &w.procs[0];
	struct kfd_queue *q;

	open_world(6, 1);
	ask(pr);
	wait_signalled(pr);
	/* Stopped by the program itself, and run again by it: still not. */
	vkf_mutex_lock(&pr->p->queue_lock);
	q = kfd_queue_by_slot(pr->p, 2);
	q->percent = 0;
	assert_int_equal(kfd_queue_apply(pr->p, q), 0);
	q->percent = 100;
	assert_int_equal(kfd_queue_apply(pr->p, q), 0);
	assert_false(q->running);
	q->percent = 0;
	vkf_mutex_unlock(&pr->p->queue_lock);
	while (pr->signalled || n_running(pr) < N_QUEUES - 1)
		vkf_sleep_ns(MS, false);
	/* And what the program has stopped, no restore starts. */
	vkf_sleep_ns(MS, false);
	assert_false(pr->runs[2]);
	close_world();
}

/* ------------------------------------------------ user pages */

static void meet_gone_page(struct proc *pr, unsigned int slot, uint64_t va)
{
	struct gpu_irq irq = { .type = GPU_IRQ_VM_FAULT,
			       .gpu = slot % 2,
			       .slot = slot,
			       .va = va,
			       .status = GPU_FAULT_HOST };
	char line[192];

	kfd_interrupt(pr->p, &irq, line, sizeof(line));
}

static void a_user_page_that_is_gone_stops_all_queues_for_a_millisecond(void **state)
{
	struct proc *pr = &w.procs[0];
	uint64_t then;

	open_world(11, 1);
	then = vkf_now_ns();
	meet_gone_page(pr, 1, 0x5000);
	assert_int_equal(n_running(pr), 0);
	/* Another one that comes to the same while they stop adds nothing. */
	meet_gone_page(pr, 2, 0x5000);
	while (n_running(pr) < N_QUEUES)
		vkf_sleep_ns(MS / 10, false);
	assert_in_range(vkf_now_ns() - then, MS, 3 * MS);
	assert_int_equal(pr->p->pdds[0].evicted + pr->p->pdds[1].evicted, 0);
	/* No fence is touched, and nothing restored. */
	assert_int_equal(pr->n_signals + pr->n_restores, 0);
	close_world();
}

static void without_progress_it_is_a_fault_of_its_gpu(void **state)
{
	struct proc *pr = &w.procs[0];

	open_world(12, 1);
	meet_gone_page(pr, 1, 0x5000);
	while (n_running(pr) < N_QUEUES)
		vkf_sleep_ns(MS / 10, false);
	/* Elsewhere, or after more packets, it is another one. */
	meet_gone_page(pr, 1, 0x9000);
	while (n_running(pr) < N_QUEUES)
		vkf_sleep_ns(MS / 10, false);
	atomic_store(&pr->regions.ctrl->queue[1].packets, 5);
	meet_gone_page(pr, 1, 0x9000);
	while (n_running(pr) < N_QUEUES)
		vkf_sleep_ns(MS / 10, false);
	meet_gone_page(pr, 1, 0x9000);
	vkf_sleep_ns(20 * MS, false);
	assert_int_equal(pr->p->pdds[1].evicted, 1);
	assert_int_equal(pr->p->pdds[0].evicted, 0);
	assert_true(pr->runs[0] && pr->runs[2] && !pr->runs[1] && !pr->runs[3]);
	close_world();
}

/* ------------------------------------------------ an engine that does not leave an instruction */

/* Whoever waits for that cannot tell the process; but it must be told. */
static void an_engine_given_up_in_an_invalidation_is_a_reset_for_its_process(void **state)
{
	struct proc *pr = &w.procs[0];
	uint64_t begun;

	open_world(13, 1);
	pr->engine_deaf = true;
	atomic_store(&pr->regions.ctrl->worker[0].seq, 1);
	begun = vkf_now_ns();
	machine_client_set_vm(pr->mc, 0, NULL);
	assert_in_range(vkf_now_ns() - begun, 2000 * MS, 2100 * MS);
	vkf_sleep_ns(MS, false);
	vkf_mutex_lock(&pr->p->queue_lock);
	assert_true(pr->p->lost);
	for (unsigned int i = 0; i < N_QUEUES; i++)
		assert_false(kfd_queue_by_slot(pr->p, (int)i)->running);
	vkf_mutex_unlock(&pr->p->queue_lock);
	close_world();
}

/* ------------------------------------------------ the end of a process */

static void a_process_that_ends_keeps_nobody_waiting(void **state)
{
	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct proc *pr = &w.procs[0];

		open_world(seed, 2);
		if (seed % 3 == 0) {
			/* Within its 10 ms, so that the eviction is still to come. */
			ask(pr);
			wait_signalled(pr);
			wait_restored(pr);
		}
		ask(pr);
		if (seed % 3 == 1)
			vkf_sleep_ns(sim_random(w.sim, 200 * MS), false);
		kfd_process_destroy(pr->p);
		assert_true(pr->signalled || !pr->asked_at || pr->n_restores);
		assert_null(pr->evict);
		pr->p = NULL;
		/* Nothing of it is left to happen. */
		vkf_sleep_ns(300 * MS, false);
		pr->engine_ends = true;
		vkf_join(pr->engine);
		machine_client_destroy(pr->mc);
		pr->mc = NULL;
		free(pr->regions.ctrl);
		free(pr->regions.pt);
		close_world();
	}
}

/* ------------------------------------------------ several processes */

static void one_that_does_not_answer_delays_nobody(void **state)
{
	struct proc *deaf = &w.procs[0];

	open_world(9, MAX_PROCS);
	deaf->engine_deaf = true;
	for (unsigned int i = 0; i < w.n; i++)
		ask(&w.procs[i]);
	for (unsigned int i = 1; i < w.n; i++) {
		if (!w.procs[i].n_signals)
			wait_signalled(&w.procs[i]);
		assert_in_range(w.procs[i].signalled_at - w.procs[i].asked_at, 0, 2 * MS);
		wait_restored(&w.procs[i]);
	}
	assert_false(deaf->signalled);
	wait_signalled(deaf);
	/* queue_preemption_timeout_ms */
	assert_in_range(deaf->signalled_at - deaf->asked_at, 9000 * MS, 9100 * MS);
	assert_true(deaf->p->lost);
	assert_int_equal(atomic_load(&deaf->regions.ctrl->quit), 1);
	vkf_sleep_ns(1000 * MS, false);
	/* As after a reset: its queues never run again. */
	assert_int_equal(deaf->n_restores, 0);
	assert_true(deaf->p->pdds[0].evicted > 0 && deaf->p->pdds[1].evicted > 0);
	close_world();
}

static void two_engines_that_do_not_answer_are_waited_for_at_once(void **state)
{
	open_world(10, 3);
	for (unsigned int i = 0; i < w.n; i++) {
		w.procs[i].engine_deaf = true;
		ask(&w.procs[i]);
	}
	for (unsigned int i = 0; i < w.n; i++) {
		wait_signalled(&w.procs[i]);
		assert_in_range(w.procs[i].signalled_at - w.procs[i].asked_at, 9000 * MS,
				9100 * MS);
	}
	close_world();
}

/* In MAP, a process holds its lock while it waits for the memory of another, who does the same. */
static void map_task(void *arg)
{
	struct proc *mine = arg, *other = mine == &w.procs[0] ? &w.procs[1] : &w.procs[0];

	vkf_mutex_lock(&mine->p->lock);
	vkf_sleep_ns(sim_random(w.sim, MS), false);
	ask(other);
	wait_signalled(other);
	vkf_mutex_unlock(&mine->p->lock);
}

static void two_that_wait_for_each_other_with_their_locks_held_both_go_on(void **state)
{
	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct vkf_task *tasks[2];

		open_world(seed, 2);
		sim_limit_steps(w.sim, 2000000);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(vkf_spawn("map", map_task, &w.procs[i], &tasks[i]), 0);
		for (unsigned int i = 0; i < 2; i++)
			vkf_join(tasks[i]);
		for (unsigned int i = 0; i < 2; i++)
			wait_restored(&w.procs[i]);
		sim_limit_steps(w.sim, 0);
		close_world();
	}
}

/* Everybody asks for everybody; restores fail; faults come and go. */
struct asker {
	struct proc *pr;
	unsigned int n;
};

static void asker_task(void *arg)
{
	struct asker *a = arg;

	for (unsigned int i = 0; i < a->n; i++) {
		struct proc *pr = a->pr;
		bool nested = sim_random(w.sim, 3) == 0;
		struct kfd_pdd *pdd = &pr->p->pdds[sim_random(w.sim, 2)];

		vkf_sleep_ns(sim_random(w.sim, 30 * MS), false);
		pr->n_failures = (unsigned int)sim_random(w.sim, 3);
		if (nested)
			assert_int_equal(kfd_queues_evict(pr->p, pdd), 0);
		ask(pr);
		wait_signalled(pr);
		if (nested) {
			vkf_sleep_ns(sim_random(w.sim, 250 * MS), false);
			kfd_queues_restore(pr->p, pdd);
		}
		wait_restored(pr);
	}
}

static void after_any_number_of_evictions_everything_runs(void **state)
{
	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct asker askers[MAX_PROCS];
		struct vkf_task *tasks[MAX_PROCS];

		open_world(seed, 2 + (unsigned int)(seed % (MAX_PROCS - 1)));
		for (unsigned int i = 0; i < w.n; i++) {
			askers[i] = (struct asker){ &w.procs[i], 6 };
			assert_int_equal(vkf_spawn("asker", asker_task, &askers[i], &tasks[i]), 0);
		}
		for (unsigned int i = 0; i < w.n; i++)
			vkf_join(tasks[i]);
		for (unsigned int i = 0; i < w.n; i++) {
			assert_int_equal(w.procs[i].n_signals, 6);
			assert_int_equal(n_running(&w.procs[i]), N_QUEUES);
			assert_int_equal(w.procs[i].p->pdds[0].evicted, 0);
			assert_int_equal(w.procs[i].p->pdds[1].evicted, 0);
		}
		close_world();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_stop_at_once_and_come_back_in_100_ms),
		cmocka_unit_test(a_new_process_runs_10_ms_first),
		cmocka_unit_test(a_process_runs_10_ms_from_when_its_restore_began),
		cmocka_unit_test(what_cannot_be_restored_is_tried_every_100_ms),
		cmocka_unit_test(reasons_nest_for_each_gpu),
		cmocka_unit_test(an_eviction_that_finds_the_fence_signalled_leaves_no_trace),
		cmocka_unit_test(an_eviction_while_a_restore_is_due_adds_nothing),
		cmocka_unit_test(a_queue_made_while_evicted_waits_for_the_restore),
		cmocka_unit_test(a_user_page_that_is_gone_stops_all_queues_for_a_millisecond),
		cmocka_unit_test(without_progress_it_is_a_fault_of_its_gpu),
		cmocka_unit_test(an_engine_given_up_in_an_invalidation_is_a_reset_for_its_process),
		cmocka_unit_test(a_process_that_ends_keeps_nobody_waiting),
		cmocka_unit_test(one_that_does_not_answer_delays_nobody),
		cmocka_unit_test(two_engines_that_do_not_answer_are_waited_for_at_once),
		cmocka_unit_test(two_that_wait_for_each_other_with_their_locks_held_both_go_on),
		cmocka_unit_test(after_any_number_of_evictions_everything_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
