/* SPDX-License-Identifier: MIT */
/**
 * DOC: GPUs that processes take turns on, with engines that the test is itself
 *
 * An engine here has work for a GPU or has not, and does what gpu/ctrl.h says: it looks
 * at its grant before each packet, answers, asks by an interrupt, and sleeps. It may be
 * deaf, which is a task that is not scheduled any more, in a packet or between two.
 *
 * What must hold whenever a packet is executed: no more processes are on that GPU than it
 * has VMIDs, and no two whose queues have GWS. Who is deaf does not count once the driver
 * has given it up.
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
#include "sim/sched_sim.h"

#define PT_TABLES 64
#define MAX_PROCS 8
#define N_GPUS    2
#define US        UINT64_C(1000)
#define MS        VKF_NSEC_PER_MSEC
#define QUANTUM   KFD_SHARE_QUANTUM_NS
#define N_SEEDS   40
#define ENDLESS   UINT64_MAX

struct proc {
	struct machine_regions regions;
	struct machine_client *mc;
	struct kfd_process *p;
	struct vkf_task *engine, *irq_task;
	bool ends, deaf, rung;
	bool irq[N_GPUS];      /* raised, and not taken yet */
	uint64_t work[N_GPUS], done[N_GPUS];
	bool inside[N_GPUS];   /* executes a packet */
	bool with_gws[N_GPUS]; /* and had GWS when it began */
	bool overdue;          /* and was deaf in it */
	bool runs[N_GPUS];     /* has a queue there that may run, as its engine has it */
	uint32_t grant[N_GPUS], answer[N_GPUS];
	bool given_back[N_GPUS];
	uint64_t first[N_GPUS]; /* when the first packet after clear_marks() was executed; 0: none was */
	unsigned int n_turns[N_GPUS], n_looks;
};

static struct {
	struct sim *sim;
	struct machine *machine;
	struct kfd_driver *driver;
	struct proc procs[MAX_PROCS];
	unsigned int n, vmids;
	bool slow_irqs;
} w;

/* ------------------------------------------------ engines */

static bool has_gws(const struct proc *pr, unsigned int gpu)
{
	return pr->p && pr->p->pdds[gpu].gws_queue;
}

/* The driver does not wait for it any more, whatever it has begun. */
static bool given_up(const struct proc *pr, unsigned int gpu)
{
	return pr->overdue && pr->p->pdds[gpu].share.slow;
}

static void check_room(const struct proc *me, unsigned int gpu)
{
	unsigned int n = 1;

	for (unsigned int i = 0; i < w.n; i++) {
		const struct proc *other = &w.procs[i];

		if (other == me || !other->p || !other->inside[gpu] || given_up(other, gpu))
			continue;
		n++;
		assert_false(has_gws(me, gpu) && other->with_gws[gpu]);
	}
	assert_in_range(n, 1, w.vmids);
}

static void be_deaf(struct proc *pr)
{
	while (pr->deaf && !pr->ends) {
		pr->overdue = true;
		vkf_sleep_ns(100 * US, false);
	}
}

static void execute(struct proc *pr, unsigned int gpu)
{
	check_room(pr, gpu);
	if (!pr->first[gpu])
		pr->first[gpu] = vkf_now_ns();
	pr->inside[gpu] = true;
	pr->with_gws[gpu] = has_gws(pr, gpu);
	vkf_sleep_ns(20 * US + sim_random(w.sim, 80 * US), false);
	be_deaf(pr);
	pr->inside[gpu] = pr->overdue = false;
	if (pr->work[gpu] != ENDLESS)
		pr->work[gpu]--;
	pr->done[gpu]++;
}

static bool busy(const struct proc *pr, unsigned int gpu)
{
	return pr->runs[gpu] && pr->work[gpu];
}

static bool barred(const struct proc *pr, unsigned int gpu)
{
	return pr->given_back[gpu] || pr->grant[gpu] & GPU_GRANT_OFF;
}

static void look(struct proc *pr)
{
	struct gpu_ctrl *ctrl = pr->regions.ctrl;

	pr->n_looks++;
	for (unsigned int i = 0; i < N_GPUS; i++) {
		uint32_t grant = atomic_load(&ctrl->vm[i].grant);

		if (grant == pr->grant[i])
			continue;
		pr->n_turns[i] += barred(pr, i) && !(grant & GPU_GRANT_OFF);
		pr->grant[i] = grant;
		pr->given_back[i] = false;
	}
	pr->runs[0] = pr->runs[1] = false;
	for (unsigned int i = 0; i < atomic_load(&ctrl->n_queues); i++) {
		struct gpu_ctrl_queue *hw = &ctrl->queue[i];
		uint32_t seq = atomic_load(&hw->want_seq);

		pr->runs[hw->gpu] |= atomic_load(&hw->want) == GPU_WANT_RUN;
		atomic_store(&hw->ack_seq, seq);
	}
}

static void answer(struct proc *pr, unsigned int gpu)
{
	enum gpu_share share;
	uint32_t word;

	if (!pr->grant[gpu])
		return;
	if (pr->grant[gpu] & GPU_GRANT_WANTED && !busy(pr, gpu))
		pr->given_back[gpu] = true;
	share = !busy(pr, gpu) ? GPU_SHARE_IDLE : barred(pr, gpu) ? GPU_SHARE_ASKS : GPU_SHARE_USES;
	word = (pr->grant[gpu] & GPU_GRANT_NUMBER) | share;
	if (word == pr->answer[gpu])
		return;
	pr->answer[gpu] = word;
	atomic_store(&pr->regions.ctrl->vm[gpu].answer, word);
	vkf_point("answered");
	if (!barred(pr, gpu))
		return;
	pr->irq[gpu] = true;
	vkf_unpark(pr->irq_task);
}

/* Interrupts come when they come; most at once. */
static void irq_main(void *arg)
{
	struct proc *pr = arg;

	while (!pr->ends) {
		char line[192];

		if (!pr->irq[0] && !pr->irq[1])
			vkf_park(VKF_FOREVER);
		if (sim_random(w.sim, 20) == 0)
			vkf_sleep_ns(sim_random(w.sim, w.slow_irqs ? 8 * MS : 50 * US), false);
		for (unsigned int i = 0; i < N_GPUS; i++) {
			struct gpu_irq irq = { .type = GPU_IRQ_SHARE, .gpu = i };

			if (!pr->irq[i])
				continue;
			pr->irq[i] = false;
			kfd_interrupt(pr->p, &irq, line, sizeof(line));
		}
	}
}

static bool step(struct proc *pr)
{
	bool worked = false;

	pr->rung = false;
	look(pr);
	for (unsigned int i = 0; i < N_GPUS; i++) {
		if (!busy(pr, i) || barred(pr, i) ||
		    atomic_load(&pr->regions.ctrl->vm[i].grant) != pr->grant[i])
			continue;
		execute(pr, i);
		worked = true;
	}
	for (unsigned int i = 0; i < N_GPUS; i++)
		answer(pr, i);
	return worked;
}

static void rest(struct proc *pr, uint32_t cmd_seq)
{
	struct gpu_ctrl *ctrl = pr->regions.ctrl;

	atomic_store(&ctrl->engine, GPU_ENGINE_ASLEEP);
	vkf_point("asleep");
	if (!pr->rung && atomic_load(&ctrl->cmd_seq) == cmd_seq && !pr->ends)
		vkf_park(VKF_FOREVER);
	atomic_store(&ctrl->engine, GPU_ENGINE_RUNNING);
	vkf_point("awake");
}

static void engine_main(void *arg)
{
	struct proc *pr = arg;

	atomic_store(&pr->regions.ctrl->engine, GPU_ENGINE_RUNNING);
	while (!pr->ends) {
		uint32_t cmd_seq = atomic_load(&pr->regions.ctrl->cmd_seq);

		be_deaf(pr);
		if (!step(pr))
			rest(pr, cmd_seq);
	}
}

static void wake(void *cookie)
{
	struct proc *pr = cookie;

	if (pr->engine)
		vkf_unpark(pr->engine);
}

/* As a doorbell. */
static void give_work(struct proc *pr, unsigned int gpu, uint64_t packets)
{
	pr->work[gpu] = packets;
	pr->rung = true;
	wake(pr);
}

/* ------------------------------------------------ processes */

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
}

/* As CREATE_QUEUE would, without memory to live on. */
static struct kfd_queue *add_queue(struct proc *pr, unsigned int gpu, enum gpu_queue_type type)
{
	struct kfd_process *p = pr->p;
	struct kfd_queue *q = vkf_zalloc(sizeof(*q));
	struct machine_queue mq = { .type = type, .gpu = gpu };
	struct kfd_pdd *pdd = &p->pdds[gpu];

	q->gpu = gpu;
	q->type = type;
	q->ring_va = q->ring_bytes = 4096;
	q->percent = 100;
	q->slot = -1;
	vkf_mutex_lock(&p->lock);
	vkf_mutex_lock(&p->queue_lock);
	assert_int_equal(vkf_handles_add(&p->queues, q, &q->id), 0);
	vkf_mutex_unlock(&p->queue_lock);
	assert_int_equal(kfd_gpu_count_queue(w.driver, gpu), 0);
	assert_int_equal(kfd_doorbell_take(pdd, &kfd_gpu_profile(w.driver, gpu)->asic, q->id, NULL,
					   &q->doorbell),
			 0);
	vkf_mutex_lock(&p->queue_lock);
	q->running = !pdd->evicted;
	kfd_queues_count(p, pdd);
	q->slot = machine_queue_load(pr->mc, &mq, q->running);
	vkf_mutex_unlock(&p->queue_lock);
	pdd->n_queues++;
	vkf_mutex_unlock(&p->lock);
	return q;
}

static void drop_queue(struct proc *pr, const struct kfd_queue *q)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = q->id };

	assert_int_equal(kfd_destroy_queue(pr->p, NULL, &args), 0);
}

static int set_gws(struct proc *pr, const struct kfd_queue *q, bool on)
{
	struct kfd_ioctl_alloc_queue_gws_args args = { .queue_id = q->id, .num_gws = on };

	return kfd_alloc_gws(pr->p, NULL, &args);
}

static struct kfd_queue *add_gws_queue(struct proc *pr, unsigned int gpu)
{
	struct kfd_queue *q = add_queue(pr, gpu, GPU_QUEUE_AQL);

	assert_int_equal(set_gws(pr, q, true), 0);
	return q;
}

static void open_proc(struct proc *pr, int32_t pid)
{
	*pr = (struct proc){
		.regions = {
			.ctrl = calloc(1, sizeof(struct gpu_ctrl)),
			.pt = aligned_alloc(4096, PT_TABLES * GPU_PT_TABLE_BYTES),
			.pt_tables = PT_TABLES,
			.arena_bytes = VKF_GIB(1),
			.bar_bytes = N_GPUS * GPU_BAR_STRIDE,
			.punch = no_punch,
			.wake_engine = wake,
			.cookie = pr,
		},
	};
	memset(pr->regions.pt, 0, PT_TABLES * GPU_PT_TABLE_BYTES);
	assert_int_equal(machine_client_create(w.machine, &pr->regions, &pr->mc), 0);
	assert_int_equal(kfd_process_create(w.driver, pr->mc, pid, &pr->p), 0);
	assert_int_equal(vkf_spawn("irq", irq_main, pr, &pr->irq_task), 0);
	assert_int_equal(vkf_spawn("engine", engine_main, pr, &pr->engine), 0);
}

/* The engine goes first, as when a program ends. */
static void close_proc(struct proc *pr)
{
	if (!pr->p)
		return;
	pr->ends = true;
	wake(pr);
	vkf_join(pr->engine);
	pr->engine = NULL;
	vkf_unpark(pr->irq_task);
	vkf_join(pr->irq_task);
	atomic_store(&pr->regions.ctrl->engine, GPU_ENGINE_DEAD);
	kfd_process_destroy(pr->p);
	pr->p = NULL;
	machine_client_destroy(pr->mc);
	free(pr->regions.ctrl);
	free(pr->regions.pt);
}

static void open_world(uint64_t seed, unsigned int n, unsigned int vmids)
{
	static char text[65536], set[64];
	const char *const sets[] = { set };
	struct machine_profile profile;
	char err[256];
	FILE *file = fopen(MACHINES_DIR "/mi210x2.json", "r");
	size_t len = fread(text, 1, sizeof(text), file);

	fclose(file);
	memset(&w, 0, sizeof(w));
	w.vmids = vmids;
	snprintf(set, sizeof(set), "kfd.hws_max_conc_proc=%u", vmids);
	w.sim = sim_create(seed);
	sim_install(w.sim);
	assert_int_equal(machine_profile_load(text, len, sets, 1, &profile, err, sizeof(err)), 0);
	assert_int_equal(machine_create(&profile, &w.machine), 0);
	assert_int_equal(kfd_driver_create(w.machine, &w.driver), 0);
	w.n = n;
	for (unsigned int i = 0; i < n; i++)
		open_proc(&w.procs[i], 100 + (int32_t)i);
}

static void close_world(void)
{
	for (unsigned int i = 0; i < w.n; i++)
		close_proc(&w.procs[i]);
	for (unsigned int i = 0; i < N_GPUS; i++) {
		assert_false(w.driver->gpus[i].sharing.shared);
		assert_int_equal(w.driver->gpus[i].sharing.n_shares, 0);
	}
	kfd_driver_destroy(w.driver);
	machine_destroy(w.machine);
	sim_destroy(w.sim);
}

static void clear_marks(void)
{
	for (unsigned int i = 0; i < w.n; i++) {
		for (unsigned int gpu = 0; gpu < N_GPUS; gpu++) {
			w.procs[i].first[gpu] = w.procs[i].done[gpu] = 0;
			w.procs[i].n_turns[gpu] = 0;
		}
		w.procs[i].n_looks = 0;
	}
}

/* How long after @then its first packet was executed. */
static uint64_t waited(struct proc *pr, unsigned int gpu, uint64_t then)
{
	while (!pr->first[gpu])
		vkf_sleep_ns(20 * US, false);
	return pr->first[gpu] - then;
}

/* ------------------------------------------------ turns */

static void who_is_alone_is_told_nothing(void **state)
{
	struct proc *pr = w.procs;

	open_world(1, 3, 3);
	add_gws_queue(&pr[0], 0);
	for (unsigned int i = 1; i < 3; i++)
		add_queue(&pr[i], 0, GPU_QUEUE_AQL);
	for (unsigned int i = 0; i < 3; i++)
		give_work(&pr[i], 0, 50);
	vkf_sleep_ns(100 * MS, false);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(pr[i].done[0], 50);
		assert_int_equal(atomic_load(&pr[i].regions.ctrl->vm[0].grant), 0);
		assert_int_equal(atomic_load(&pr[i].regions.ctrl->vm[0].cp_queues), 24);
	}
	close_world();
}

static void two_with_gws_take_turns_of_a_quantum(void **state)
{
	struct proc *pr = w.procs;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 3, 8);
		for (unsigned int i = 0; i < 2; i++) {
			add_gws_queue(&pr[i], 0);
			give_work(&pr[i], 0, ENDLESS);
		}
		/* Others are not concerned, nor is another GPU. */
		add_queue(&pr[2], 0, GPU_QUEUE_AQL);
		add_gws_queue(&pr[0], 1);
		give_work(&pr[2], 0, ENDLESS);
		give_work(&pr[0], 1, ENDLESS);
		vkf_sleep_ns(10 * QUANTUM, false);
		clear_marks();
		vkf_sleep_ns(100 * QUANTUM, false);
		for (unsigned int i = 0; i < 2; i++)
			assert_in_range(pr[i].n_turns[0], 45, 51);
		assert_in_range(pr[0].done[0] * 100 / pr[1].done[0], 30, 130);
		assert_int_equal(pr[2].n_turns[0], 0);
		assert_int_equal(pr[0].n_turns[1], 0);
		close_world();
	}
}

static void an_idle_one_gives_way_at_once(void **state)
{
	struct proc *pr = w.procs;
	uint64_t then;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 2, 8);
		for (unsigned int i = 0; i < 2; i++)
			add_gws_queue(&pr[i], 0);
		for (unsigned int n = 0; n < 6; n++) {
			vkf_sleep_ns(sim_random(w.sim, 3 * MS), false);
			clear_marks();
			then = vkf_now_ns();
			give_work(&pr[n % 2], 0, 3);
			assert_in_range(waited(&pr[n % 2], 0, then), 0, MS);
			while (pr[n % 2].work[0])
				vkf_sleep_ns(50 * US, false);
		}
		close_world();
	}
}

/* Two milliseconds of work, of a quantum of ten. */
static void who_becomes_idle_gives_back_what_is_wanted(void **state)
{
	struct proc *pr = w.procs;
	uint64_t then;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 2, 8);
		for (unsigned int i = 0; i < 2; i++)
			add_gws_queue(&pr[i], 0);
		/* On another GPU it goes on, so its engine does not sleep. */
		add_queue(&pr[0], 1, GPU_QUEUE_SDMA);
		give_work(&pr[0], 1, ENDLESS);
		give_work(&pr[0], 0, 20);
		vkf_sleep_ns(500 * US, false);
		then = vkf_now_ns();
		give_work(&pr[1], 0, ENDLESS);
		assert_in_range(waited(&pr[1], 0, then), MS / 2, 5 * MS);
		/* It asks again, and is let in when the other has had its time. */
		clear_marks();
		then = vkf_now_ns();
		give_work(&pr[0], 0, 5);
		assert_in_range(waited(&pr[0], 0, then), 2 * MS, QUANTUM + MS);
		close_world();
	}
}

static void more_processes_than_vmids_all_progress(void **state)
{
	struct proc *pr = w.procs;

	for (uint64_t seed = 1; seed <= N_SEEDS / 2; seed++) {
		uint64_t least = UINT64_MAX, most = 0;

		open_world(seed, 5, 2);
		for (unsigned int i = 0; i < 5; i++) {
			/* With GWS or without, compute or not. */
			if (i < 2)
				add_gws_queue(&pr[i], 0);
			else
				add_queue(&pr[i], 0, i == 2 ? GPU_QUEUE_SDMA : GPU_QUEUE_PM4);
			give_work(&pr[i], 0, ENDLESS);
		}
		vkf_sleep_ns(200 * QUANTUM, false);
		for (unsigned int i = 0; i < 5; i++) {
			least = VKF_MIN(least, pr[i].done[0]);
			most = VKF_MAX(most, pr[i].done[0]);
		}
		assert_true(least * 2 > most);
		close_world();
	}
}

/* Nobody looks at a clock, and no engine wakes up. */
static void idle_ones_cost_nothing(void **state)
{
	struct proc *pr = w.procs;

	open_world(1, 5, 2);
	for (unsigned int i = 0; i < 5; i++)
		add_gws_queue(&pr[i], 0);
	vkf_sleep_ns(100 * MS, false);
	clear_marks();
	vkf_sleep_ns(3600 * 1000 * MS, false);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(pr[i].n_looks, 0);
	/* Nor do those that wait while one works. */
	give_work(&pr[0], 0, ENDLESS);
	vkf_sleep_ns(1000 * MS, false);
	for (unsigned int i = 1; i < 5; i++)
		assert_in_range(pr[i].n_looks, 0, 5);
	assert_false(vkf_work_is_pending(&w.driver->gpus[0].sharing.tick));
	close_world();
}

/* ------------------------------------------------ those that do not answer */

static void who_does_not_answer_holds_up_others_once(void **state)
{
	struct proc *pr = w.procs;
	uint64_t then;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 3, 8);
		for (unsigned int i = 0; i < 3; i++)
			add_gws_queue(&pr[i], 0);
		give_work(&pr[0], 0, ENDLESS);
		vkf_sleep_ns(MS, false);
		pr[0].deaf = true;
		then = vkf_now_ns();
		give_work(&pr[1], 0, ENDLESS);
		assert_in_range(waited(&pr[1], 0, then), 0, QUANTUM + KFD_SHARE_GRACE_NS + MS);
		/* From then on those who answer are among themselves. */
		clear_marks();
		give_work(&pr[2], 0, ENDLESS);
		vkf_sleep_ns(20 * QUANTUM, false);
		assert_in_range(pr[1].n_turns[0], 8, 11);
		assert_in_range(pr[2].n_turns[0], 8, 11);
		assert_int_equal(pr[0].n_turns[0], 0);
		/* When it is back it is one of them. */
		pr[0].deaf = false;
		clear_marks();
		vkf_sleep_ns(30 * QUANTUM, false);
		for (unsigned int i = 0; i < 3; i++)
			assert_in_range(pr[i].n_turns[0], 8, 11);
		assert_false(pr[0].p->pdds[0].share.slow);
		close_world();
	}
}

static void who_is_evicted_loses_its_turn(void **state)
{
	struct proc *pr = w.procs;
	uint64_t then;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 2, 8);
		for (unsigned int i = 0; i < 2; i++)
			add_gws_queue(&pr[i], 0);
		give_work(&pr[0], 0, ENDLESS);
		vkf_sleep_ns(MS, false);
		give_work(&pr[1], 0, ENDLESS);
		vkf_sleep_ns(MS, false);
		clear_marks();
		then = vkf_now_ns();
		assert_int_equal(kfd_queues_evict(pr[0].p, NULL), 0);
		assert_in_range(waited(&pr[1], 0, then), 0, MS);
		/* Alone with GWS that runs: nothing is shared. */
		assert_false(w.driver->gpus[0].sharing.shared);
		vkf_sleep_ns(10 * QUANTUM, false);
		clear_marks();
		then = vkf_now_ns();
		kfd_queues_restore(pr[0].p, NULL);
		assert_in_range(waited(&pr[0], 0, then), 0, QUANTUM + MS);
		close_world();
	}
}

static void who_ends_lets_the_next_one_in(void **state)
{
	struct proc *pr = w.procs;
	uint64_t then;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		open_world(seed, 4, 2);
		for (unsigned int i = 0; i < 4; i++) {
			add_gws_queue(&pr[i], 0);
			give_work(&pr[i], 0, ENDLESS);
		}
		vkf_sleep_ns(sim_random(w.sim, 30 * MS), false);
		pr[sim_random(w.sim, 3)].deaf = seed % 2;
		for (unsigned int i = 0; i < 3; i++) {
			clear_marks();
			then = vkf_now_ns();
			close_proc(&pr[i]);
			assert_in_range(waited(&pr[3], 0, then), 0,
					3 * (QUANTUM + KFD_SHARE_GRACE_NS));
		}
		close_world();
	}
}

/* ------------------------------------------------ compute queues */

static uint32_t slots(const struct proc *pr)
{
	return atomic_load(&pr->regions.ctrl->vm[0].cp_queues);
}

static void slots_are_dealt_out_fairly(void **state)
{
	static const unsigned int queues[] = { 3, 20, 30 };
	unsigned int last = 0;
	struct proc *pr = w.procs;

	open_world(1, 3, 8);
	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int k = 0; k < queues[i]; k++)
			last = add_queue(&pr[i], 0, GPU_QUEUE_AQL)->id;
		/* SDMA queues need none. */
		add_queue(&pr[i], 0, GPU_QUEUE_SDMA);
	}
	/* 24: three, and of 21 one has ten and the other eleven. */
	assert_int_equal(slots(&pr[0]), 3);
	assert_int_equal(slots(&pr[1]) + slots(&pr[2]), 21);
	assert_in_range(slots(&pr[1]), 10, 11);
	/* Queues that are stopped count for nothing. */
	assert_int_equal(kfd_queues_evict(pr[1].p, NULL), 0);
	assert_int_equal(slots(&pr[0]), 3);
	assert_int_equal(slots(&pr[2]), 21);
	for (unsigned int i = 0; i < 9; i++)
		drop_queue(&pr[2], vkf_handles_find(&pr[2].p->queues, last - i));
	assert_int_equal(slots(&pr[0]), 24);
	assert_int_equal(slots(&pr[2]), 24);
	kfd_queues_restore(pr[1].p, NULL);
	assert_int_equal(slots(&pr[0]), 3);
	close_world();
}

/* ------------------------------------------------ anything */

static void change(struct proc *pr, struct kfd_queue **q)
{
	unsigned int gpu = (unsigned int)sim_random(w.sim, N_GPUS);

	switch (sim_random(w.sim, 8)) {
	case 0:
		if (q[gpu])
			drop_queue(pr, q[gpu]);
		q[gpu] = NULL;
		break;
	case 1:
	case 2:
		if (!q[gpu])
			q[gpu] = add_queue(pr, gpu, GPU_QUEUE_AQL);
		break;
	case 3:
		if (q[gpu])
			(void)set_gws(pr, q[gpu], sim_random(w.sim, 2));
		break;
	case 4:
		assert_int_equal(kfd_queues_evict(pr->p, NULL), 0);
		vkf_sleep_ns(sim_random(w.sim, 5 * MS), false);
		kfd_queues_restore(pr->p, NULL);
		break;
	case 5:
		pr->deaf = true;
		vkf_sleep_ns(sim_random(w.sim, 100 * MS), false);
		pr->deaf = false;
		break;
	default:
		give_work(pr, gpu, pr->work[gpu] + sim_random(w.sim, 100));
		break;
	}
}

static void changer_task(void *arg)
{
	struct kfd_queue *q[N_GPUS] = { NULL };
	struct proc *pr = arg;

	for (unsigned int i = 0; i < 60; i++) {
		vkf_sleep_ns(sim_random(w.sim, 4 * MS), false);
		change(pr, q);
	}
	for (unsigned int gpu = 0; gpu < N_GPUS; gpu++) {
		if (!q[gpu])
			add_queue(pr, gpu, GPU_QUEUE_SDMA);
	}
}

static bool all_done(void)
{
	for (unsigned int i = 0; i < w.n; i++) {
		if (w.procs[i].work[0] || w.procs[i].work[1])
			return false;
	}
	return true;
}

/* Whatever they do, in the end all their work is done: nobody is forgotten. */
static void nobody_is_forgotten(void **state)
{
	for (uint64_t seed = 1; seed <= 10 * N_SEEDS; seed++) {
		struct vkf_task *tasks[MAX_PROCS];

		open_world(seed, 2 + (unsigned int)(seed % (MAX_PROCS - 1)),
			   1 + (unsigned int)(seed % 3));
		w.slow_irqs = seed % 2;
		for (unsigned int i = 0; i < w.n; i++)
			assert_int_equal(vkf_spawn("changer", changer_task, &w.procs[i], &tasks[i]),
					 0);
		for (unsigned int i = 0; i < w.n; i++)
			vkf_join(tasks[i]);
		for (unsigned int ms = 0; !all_done(); ms++) {
			assert_in_range(ms, 0, 20000);
			vkf_sleep_ns(MS, false);
		}
		close_world();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_alone_is_told_nothing),
		cmocka_unit_test(two_with_gws_take_turns_of_a_quantum),
		cmocka_unit_test(an_idle_one_gives_way_at_once),
		cmocka_unit_test(who_becomes_idle_gives_back_what_is_wanted),
		cmocka_unit_test(more_processes_than_vmids_all_progress),
		cmocka_unit_test(idle_ones_cost_nothing),
		cmocka_unit_test(who_does_not_answer_holds_up_others_once),
		cmocka_unit_test(who_is_evicted_loses_its_turn),
		cmocka_unit_test(who_ends_lets_the_next_one_in),
		cmocka_unit_test(slots_are_dealt_out_fairly),
		cmocka_unit_test(nobody_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
