/* SPDX-License-Identifier: MIT */
/**
 * DOC: A process's engine, as a coroutine
 *
 * The code of gpu/, a scheduling point before each of its accesses, and a loop that
 * sleeps as the shim's does.
 */
#include "machine_sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "gpu/mem_direct.h"
#include "machine_sim_priv.h"

#define NAP_NS    UINT64_C(1000)
#define SHORT_NS  UINT64_C(20000) /* a nap of which nobody is told */
#define SECOND_NS UINT64_C(1000000000)

/* A killed one stops at the next moment that its time is up. */
static void engine_may_die(struct msim_process *p)
{
	if (p->grace && --p->grace == 0)
		longjmp(p->engine_end, 1);
}

static bool is_in_hole(const struct msim_process *p, const void *addr, size_t len)
{
	for (unsigned int i = 0; i < p->n_started; i++) {
		const struct msim_thread *t = &p->threads[i];

		if (t->hole && (const unsigned char *)addr + len > t->hole &&
		    (const unsigned char *)addr < t->hole + t->hole_bytes)
			return true;
	}
	return false;
}

/* Return: 0, or -EFAULT when the host has taken a page of the program's away. */
static int engine_access(struct msim_process *p, const void *addr, size_t len)
{
	uint64_t off = (uintptr_t)addr - (uintptr_t)p->regions[MSIM_ARENA].base;

	p->m->n.accesses++;
	vkf_point("gpu");
	msim_hold(p);
	engine_may_die(p);
	if (is_in_hole(p, addr, len))
		return -EFAULT;
	/* One that was given up may do as it likes with what was its program's alone. */
	if (off >= p->regions[MSIM_ARENA].size || p->dying || msim_engine_is_lost(p))
		return 0;
	for (uint64_t page = off / VKF_PAGE_SIZE; page <= (off + len - 1) / VKF_PAGE_SIZE; page++) {
		if (vkf_bit_test(p->gone, (unsigned int)page))
			msim_fail(p->m,
				  "pid %d: its engine reaches memory that was given back: page "
				  "%" PRIu64 " of the arena",
				  p->pid, page);
	}
	return 0;
}

/* Moving many bytes takes time, in which others act: the addresses are known by now. */
static void engine_linger(struct msim_process *p, size_t len)
{
	for (uint64_t n = len < VKF_PAGE_SIZE ? 0 : msim_random(p->m, 4); n; n--)
		vkf_relax();
}

static int access_copy(void *cookie, void *dst, const void *src, size_t len)
{
	if (engine_access(cookie, src, len))
		return -EFAULT;
	engine_linger(cookie, len);
	if (engine_access(cookie, dst, len))
		return -EFAULT;
	return gpu_mem_direct.copy(NULL, dst, src, len);
}

static int access_fill(void *cookie, void *dst, uint32_t word, size_t len)
{
	if (engine_access(cookie, dst, len))
		return -EFAULT;
	return gpu_mem_direct.fill(NULL, dst, word, len);
}

static int access_load32(void *cookie, const void *addr, uint32_t *ret)
{
	if (engine_access(cookie, addr, sizeof(*ret)))
		return -EFAULT;
	return gpu_mem_direct.load32(NULL, addr, ret);
}

static int access_load64(void *cookie, const void *addr, uint64_t *ret)
{
	if (engine_access(cookie, addr, sizeof(*ret)))
		return -EFAULT;
	return gpu_mem_direct.load64(NULL, addr, ret);
}

static int access_store32(void *cookie, void *addr, uint32_t v)
{
	if (engine_access(cookie, addr, sizeof(v)))
		return -EFAULT;
	return gpu_mem_direct.store32(NULL, addr, v);
}

static int access_store64(void *cookie, void *addr, uint64_t v)
{
	if (engine_access(cookie, addr, sizeof(v)))
		return -EFAULT;
	return gpu_mem_direct.store64(NULL, addr, v);
}

static int access_add64(void *cookie, void *addr, uint64_t v)
{
	if (engine_access(cookie, addr, sizeof(v)))
		return -EFAULT;
	return gpu_mem_direct.add64(NULL, addr, v);
}

static int access_cas32(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	if (engine_access(cookie, addr, sizeof(desired)))
		return -EFAULT;
	return gpu_mem_direct.cas32(NULL, addr, expected, desired);
}

static int access_cas64(void *cookie, void *addr, uint64_t *expected, uint64_t desired)
{
	if (engine_access(cookie, addr, sizeof(desired)))
		return -EFAULT;
	return gpu_mem_direct.cas64(NULL, addr, expected, desired);
}

static const struct gpu_mem_ops access_ops = {
	.copy = access_copy,
	.fill = access_fill,
	.load32 = access_load32,
	.load64 = access_load64,
	.store32 = access_store32,
	.store64 = access_store64,
	.add64 = access_add64,
	.cas32 = access_cas32,
	.cas64 = access_cas64,
};

static uint64_t engine_now(void *cookie)
{
	return vkf_now_ns();
}

static void engine_irq(void *cookie)
{
	struct msim_process *p = cookie;

	if (p->irq_task)
		vkf_unpark(p->irq_task);
}

static void engine_relax(void *cookie)
{
	vkf_relax();
}

static const struct gpu_engine_ops engine_ops = {
	.mem = &access_ops,
	.now_ns = engine_now,
	.irq = engine_irq,
	.relax = engine_relax,
};

/* Stores that were let go have landed, or had their time. */
static void engine_let_land(struct msim_process *p)
{
	for (unsigned int i = 0; p->n_ringing && !p->dying && i < 100; i++)
		vkf_relax();
}

/* Arm, look again, sleep, at most until @deadline: a doorbell before the look is seen, one after it
 * wakes. */
static void engine_rest(struct msim_process *p, struct gpu_ctrl *ctrl, uint32_t cmd_seq,
			uint64_t deadline)
{
	engine_let_land(p);
	p->armed = true;
	gpu_engine_set_state(p->engine, GPU_ENGINE_ASLEEP);
	vkf_point("asleep");
	if (!gpu_engine_pending(p->engine) && atomic_load(&ctrl->cmd_seq) == cmd_seq && !p->closing)
		vkf_park(deadline);
	msim_hold(p);
	gpu_engine_set_state(p->engine, GPU_ENGINE_RUNNING);
	p->armed = false;
	engine_may_die(p);
}

/* A queue waits for memory that nobody announces: look again, less and less often, and soon not
 * without being asleep for all others. */
static void engine_wait(struct msim_process *p, struct gpu_ctrl *ctrl, uint32_t cmd_seq,
			uint64_t *nap)
{
	if (*nap < SHORT_NS)
		vkf_sleep_ns(*nap, false);
	else
		engine_rest(p, ctrl, cmd_seq, vkf_now_ns() + *nap);
	*nap = VKF_MIN(*nap + *nap / 4, SECOND_NS);
}

static void engine_loop(struct msim_process *p)
{
	struct gpu_ctrl *ctrl = p->regions[MSIM_CTRL].base;
	uint64_t nap = NAP_NS;

	while (!p->closing) {
		uint32_t cmd_seq = atomic_load(&ctrl->cmd_seq);
		unsigned int found;

		msim_hold(p);
		found = gpu_engine_step(p->engine);

		if (found & GPU_STEP_QUIT)
			break;
		if (found & GPU_STEP_WORKED)
			nap = NAP_NS;
		if (found & GPU_STEP_WAITING)
			engine_wait(p, ctrl, cmd_seq, &nap);
		else if (found)
			vkf_relax();
		else
			engine_rest(p, ctrl, cmd_seq, VKF_FOREVER);
	}
	gpu_engine_set_state(p->engine, GPU_ENGINE_DEAD);
}

/* A killed engine stops wherever it is, and says nothing. */
static void engine_main(void *arg)
{
	struct msim_process *p = arg;

	if (!setjmp(p->engine_end))
		engine_loop(p);
	p->armed = false;
	p->engine_left = true;
}

void msim_start_engine(struct msim_process *p)
{
	size_t bytes = VKF_ALIGN_UP(gpu_engine_size(), (size_t)64);
	struct gpu_engine_config config = {
		.ctrl = p->regions[MSIM_CTRL].base,
		.pt = p->regions[MSIM_PT].base,
		.arena = p->regions[MSIM_ARENA].base,
		.bar = p->regions[MSIM_BAR].base,
		.ops = &engine_ops,
		.cookie = p,
	};

	if (p->engine_task || p->dying)
		return;
	p->engine_storage = aligned_alloc(64, bytes);
	memset(p->engine_storage, 0, bytes);
	if (gpu_engine_init(p->engine_storage, &config, &p->engine))
		msim_fail(p->m, "pid %d: the engine refuses its control block", p->pid);
	gpu_engine_set_state(p->engine, GPU_ENGINE_RUNNING);
	if (sim_spawn(p->m->sim, "engine", engine_main, p, &p->engine_task))
		msim_fail(p->m, "no memory for an engine");
}

/* As under userfaultfd: the store waits until the engine has let it through. */
void msim_ring(struct msim_thread *t, volatile uint64_t *doorbell, uint64_t value)
{
	struct msim_process *p = t->process;

	vkf_point("doorbell");
	msim_hold(p);
	p->n_ringing++;
	while (p->armed && !p->dying) {
		vkf_unpark(p->engine_task);
		vkf_relax();
		msim_hold(p);
	}
	*doorbell = value;
	p->n_ringing--;
}

void msim_end_engine(struct msim_process *p)
{
	if (!p->engine_task)
		return;
	vkf_unpark(p->engine_task);
	vkf_join(p->engine_task);
	p->engine_task = NULL;
}
