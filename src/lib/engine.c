/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "driver/call.h"
#include "gpu/engine.h"
#include "gpu/mem_direct.h"
#include "host/futex.h"
#include "lib/private.h"

/* ------------------------------------------------ what it needs */

void lib_engine_wake(void *cookie)
{
	struct vkfd_client *c = cookie;

	atomic_fetch_add(&c->kicks, 1);
	host_futex_wake_private(&c->kicks, INT_MAX);
}

static uint64_t engine_now(void *cookie)
{
	return vkf_now_ns();
}

/* Delivered by somebody else: the driver may have to wait for the engine, who is the caller here.
 */
static void engine_irq(void *cookie)
{
	struct vkfd_client *c = cookie;
	struct gpu_ctrl *ctrl = c->regions[CTRL].base;

	host_futex_wake(&ctrl->irq_wptr, INT_MAX);
}

static void engine_relax(void *cookie)
{
	vkf_relax();
}

static const struct gpu_engine_ops engine_ops = {
	.mem = &gpu_mem_direct,
	.now_ns = engine_now,
	.irq = engine_irq,
	.relax = engine_relax,
};

int lib_engine_create(struct vkfd_client *c)
{
	struct gpu_engine_config config = {
		.ctrl = c->regions[CTRL].base,
		.pt = c->regions[PT].base,
		.arena = c->regions[ARENA].base,
		.bar = c->regions[BAR].base,
		.ops = &engine_ops,
		.cookie = c,
	};

	c->engine_storage = aligned_alloc(64, VKF_ALIGN_UP(gpu_engine_size(), (size_t)64));
	if (!c->engine_storage)
		return -ENOMEM;
	memset(c->engine_storage, 0, gpu_engine_size());
	return gpu_engine_init(c->engine_storage, &config, &c->engine);
}

/* ------------------------------------------------ one step, or a thread */

static void drop_line(const char *line)
{
	(void)line;
}

int vkfd_engine_step(struct vkfd_client *c)
{
	unsigned int done = gpu_engine_step(c->engine);

	driver_interrupts(c->client, drop_line);
	return done & GPU_STEP_WORKED ? 1 : done & GPU_STEP_WAITING ? 2 : 0;
}

/* Doorbells are plain stores here, so an idle engine looks again every 50 us. */
#define IDLE_NS UINT64_C(50000)
/* An interrupt wakes its thread; this only bounds how long the end goes unnoticed. */
#define IRQ_LOOK_NS UINT64_C(5000000)

static void *engine_main(void *arg)
{
	struct vkfd_client *c = arg;

	while (!atomic_load(&c->engine_stop)) {
		unsigned int kicks = atomic_load(&c->kicks);

		if (!(gpu_engine_step(c->engine) & GPU_STEP_WORKED))
			host_futex_wait_private(&c->kicks, kicks, vkf_now_ns() + IDLE_NS);
	}
	return NULL;
}

static void *irq_main(void *arg)
{
	struct vkfd_client *c = arg;
	struct gpu_ctrl *ctrl = c->regions[CTRL].base;

	while (!atomic_load(&c->engine_stop)) {
		uint32_t seen = atomic_load(&ctrl->irq_wptr);

		driver_interrupts(c->client, drop_line);
		if (atomic_load(&ctrl->irq_wptr) == seen)
			host_futex_wait(&ctrl->irq_wptr, seen, vkf_now_ns() + IRQ_LOOK_NS);
	}
	return NULL;
}

int vkfd_engine_start(struct vkfd_client *c)
{
	int r;

	if (c->engine_runs)
		return -EBUSY;
	atomic_store(&c->engine_stop, false);
	r = -pthread_create(&c->irq_thread, NULL, irq_main, c);
	if (r)
		return r;
	gpu_engine_set_state(c->engine, GPU_ENGINE_RUNNING);
	r = -pthread_create(&c->engine_thread, NULL, engine_main, c);
	c->engine_runs = !r;
	if (r) {
		gpu_engine_set_state(c->engine, GPU_ENGINE_NONE);
		atomic_store(&c->engine_stop, true);
		pthread_join(c->irq_thread, NULL);
	}
	return r;
}

void vkfd_engine_stop(struct vkfd_client *c)
{
	if (!c->engine_runs)
		return;
	atomic_store(&c->engine_stop, true);
	lib_engine_wake(c);
	pthread_join(c->engine_thread, NULL);
	gpu_engine_set_state(c->engine, GPU_ENGINE_NONE);
	engine_irq(c);
	pthread_join(c->irq_thread, NULL);
	driver_interrupts(c->client, drop_line);
	c->engine_runs = false;
}
