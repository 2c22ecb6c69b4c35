/* SPDX-License-Identifier: MIT */
/**
 * DOC: The engine's loop
 *
 * Work as long as there is any; while some queue waits for memory to change, look
 * again after pauses that grow with the time it has waited, an eighth of it up to
 * WAIT_MAX_NS; when there is nothing, linger for a moment (engine_linger.c) and then
 * sleep until a doorbell or the driver wakes it (engine_door.c). They end pauses too.
 *
 * A store that was let go happens only when its thread runs, which may be here: before
 * the doorbells can be armed again the engine naps, first for as long as that takes, then
 * for longer; and longer at once behind an interrupt, whose waiter needs the CPU, too.
 */
#include "shim/engine.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "shim/sys_raw.h"
#include "wire/proto.h"

#define LINGER_NS    UINT64_C(20000)
#define WAIT_SPIN_NS UINT64_C(20000)
#define WAIT_MAX_NS  UINT64_C(4000000)
/* From here on a pause is worth arming the doorbells for. */
#define WAIT_ARMED_NS      UINT64_C(100000)
#define LANDING_NAP_NS     UINT64_C(15000)
#define LANDING_NAP_MAX_NS UINT64_C(100000)
/* After so many steps with work in a row nobody is to wait in a doorbell's store. */
#define BUSY_STEPS 2
#define PAUSES     16
#define LOOKS      128

uint64_t engine_now_ns(void *cookie)
{
	return sys_now_ns();
}

uint64_t engine_ticks(void *cookie)
{
	return __builtin_ia32_rdtsc();
}

void engine_wake_interrupt_task(void *cookie)
{
	struct engine *e = cookie;

	e->landing_nap_ns = LANDING_NAP_MAX_NS;
	sys_futex_wake(&e->ctrl->irq_wptr, INT32_MAX);
}

void engine_relax(void *cookie)
{
	SYS0(sched_yield);
}

static void pause_cpu(void)
{
	for (int i = 0; i < PAUSES; i++)
		__builtin_ia32_pause();
}

int engine_hello(struct engine *e)
{
	struct wire_hello hello = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.kind = WIRE_ENGINE,
		.session = e->session,
		.token = e->token,
	};
	struct wire_welcome w;
	long n;

	do
		n = SYS6(sendto, e->fd, &hello, sizeof(hello), MSG_NOSIGNAL, NULL, 0);
	while (n == -EINTR);
	if (n < 0)
		return (int)n;
	do
		n = SYS6(recvfrom, e->fd, &w, sizeof(w), 0, NULL, NULL);
	while (n == -EINTR);
	if (n != sizeof(w) || w.magic != WIRE_MAGIC)
		return n < 0 ? (int)n : -EPROTO;
	return w.status;
}

/* Take what the driver sent, which says nothing but "look". False: it has closed its end. */
static bool driver_lives(struct engine *e)
{
	char byte[16];
	long n;

	e->steps = 0;
	do
		n = SYS6(recvfrom, e->fd, byte, sizeof(byte), MSG_DONTWAIT, NULL, NULL);
	while (n > 0 || n == -EINTR);
	return n == -EAGAIN;
}

static bool must_quit(struct engine *e)
{
	return atomic_load_explicit(&e->ctrl->quit, memory_order_acquire);
}

/* How long to sleep between looks, when stores to doorbells go unnoticed. */
static uint64_t poll_period(uint64_t idle_ns)
{
	if (idle_ns < UINT64_C(1000000))
		return 50000;
	return idle_ns < UINT64_C(100000000) ? UINT64_C(1000000) : UINT64_C(10000000);
}

/* At most @max_ns long, if it is not 0. False: the driver has gone. */
static bool sleep_until_event(struct engine *e, uint64_t max_ns)
{
	struct pollfd p[2] = { { e->fd, POLLIN, 0 }, { e->uffd, POLLIN, 0 } };
	struct __kernel_timespec t = { 0, (long long)max_ns };

	SYS5(ppoll, p, 2, max_ns ? &t : NULL, NULL, 8);
	if (p[1].revents)
		engine_door_take(e);
	return !p[0].revents || driver_lives(e);
}

/* Nothing to do: sleep, unless something came while the doorbells were being armed. @max_ns, and
 * what is returned, are as above; @idle_ns: for how long there has been nothing. */
static bool rest(struct engine *e, uint64_t idle_ns, uint64_t max_ns)
{
	uint32_t poke = atomic_load(&e->poke->seq);
	bool lives = true;
	uint64_t period;

	engine_linger_go_home(&e->linger, sys_now_ns());
	engine_door_arm(e);
	gpu_engine_set_state(e->gpu, GPU_ENGINE_ASLEEP);
	atomic_thread_fence(memory_order_seq_cst);
	if (e->uffd < 0 || e->blind) {
		period = poll_period(idle_ns);
		max_ns = max_ns && max_ns < period ? max_ns : period;
	}
	if (!gpu_engine_pending(e->gpu) && atomic_load(&e->ctrl->cmd_seq) == e->cmd_seq &&
	    atomic_load(&e->poke->seq) == poke && !must_quit(e))
		lives = sleep_until_event(e, max_ns);
	gpu_engine_set_state(e->gpu, GPU_ENGINE_RUNNING);
	e->landing_nap_ns = LANDING_NAP_NS;
	return lives;
}

/* A store that was let go has not happened yet: it may need this CPU. Returns as the above. */
static bool let_it_land(struct engine *e)
{
	uint64_t nap = e->landing_nap_ns ? e->landing_nap_ns : LANDING_NAP_NS;

	e->landing_nap_ns = 2 * nap < LANDING_NAP_MAX_NS ? 2 * nap : LANDING_NAP_MAX_NS;
	return sleep_until_event(e, nap);
}

/* Some queue waits for a word in memory, which nobody announces. False: the driver has gone. */
static bool wait_for_memory(struct engine *e)
{
	uint64_t now = sys_now_ns(), waited, pause;

	e->last_work_ns = now;
	if (!e->wait_since_ns)
		e->wait_since_ns = now;
	waited = now - e->wait_since_ns;
	pause = waited / 8 < WAIT_MAX_NS ? waited / 8 : WAIT_MAX_NS;
	if (waited < WAIT_SPIN_NS) {
		engine_door_disarm(e);
		pause_cpu();
		return true;
	}
	if (pause < WAIT_ARMED_NS)
		return sleep_until_event(e, pause);
	return engine_door_landed(e, now) ? rest(e, waited, pause) : let_it_land(e);
}

/* Until there is something, or for a few microseconds: to ask for the time takes longer than to
 * look. */
static void look(struct engine *e)
{
	for (int i = 0; i < LOOKS && !gpu_engine_pending(e->gpu); i++)
		__builtin_ia32_pause();
}

/* False: the driver has gone. */
static bool idle(struct engine *e)
{
	uint64_t now = sys_now_ns();

	if (!e->last_work_ns) {
		e->last_work_ns = now;
		if (engine_linger_begin(&e->linger))
			engine_door_disarm(e);
	}
	if (e->linger.on && now - e->last_work_ns < LINGER_NS) {
		look(e);
		return true;
	}
	engine_linger_end(&e->linger, false);
	return engine_door_landed(e, now) ? rest(e, now - e->last_work_ns, 0) : let_it_land(e);
}

static void worked(struct engine *e)
{
	engine_linger_end(&e->linger, true);
	e->last_work_ns = 0;
	e->wait_since_ns = 0;
	if (++e->busy_steps != BUSY_STEPS)
		return;
	engine_door_disarm(e);
	if (e->linger.place == ENGINE_HOME)
		engine_linger_go_anywhere(&e->linger);
}

static unsigned int step(struct engine *e)
{
	unsigned int found;

	if (!e->anybody_waits)
		return gpu_engine_step(e->gpu);
	found = gpu_engine_begin(e->gpu);
	engine_door_let_go(e);
	return found;
}

void engine_run(struct engine *e)
{
	for (;;) {
		unsigned int found;

		e->cmd_seq = atomic_load(&e->ctrl->cmd_seq);
		found = step(e);
		if ((found & GPU_STEP_QUIT) || must_quit(e))
			break;
		if (found & GPU_STEP_WORKED) {
			worked(e);
		} else {
			e->busy_steps = 0;
			if (!(found & GPU_STEP_WAITING))
				e->wait_since_ns = 0;
			if (!(found & GPU_STEP_WAITING ? wait_for_memory(e) : idle(e)))
				break;
		}
		if (++e->steps >= ENGINE_LOOK_STEPS && !driver_lives(e))
			break;
	}
	engine_door_disarm(e);
	gpu_engine_set_state(e->gpu, GPU_ENGINE_DEAD);
}

const struct gpu_engine_ops engine_ops = {
	.mem = &engine_mem_ops,
	.now_ns = engine_now_ns,
	.ticks = engine_ticks,
	.irq = engine_wake_interrupt_task,
	.relax = engine_relax,
};
