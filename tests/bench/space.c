/* SPDX-License-Identifier: MIT */
#include "space.h"

#include <stddef.h>
#include <stdlib.h>
#include "base/env.h"
#include "bench.h"

/* ------------------------------------------------ memory that is counted */

static uint64_t n_bytes;

/* struct counted - before each piece of memory */
struct counted {
	size_t size;
	max_align_t memory[];
};

static void *counting_zalloc(size_t size)
{
	struct counted *c = calloc(1, sizeof(*c) + size);

	if (!c)
		return NULL;
	c->size = size;
	n_bytes += size;
	return c->memory;
}

static void counting_free(void *p)
{
	struct counted *c = (struct counted *)((char *)p - offsetof(struct counted, memory));

	if (!p)
		return;
	n_bytes -= c->size;
	free(c);
}

static int no_fault(const char *point, uint64_t arg)
{
	(void)point;
	(void)arg;
	return 0;
}

uint64_t space_bytes(void)
{
	return n_bytes;
}

/* ------------------------------------------------ the GPU */

void space_open(struct space *s, uint64_t vram_bytes)
{
	static const struct vkf_env_ops env = { counting_zalloc, counting_free, no_fault };
	const struct mm_system_config system_config = {
		.ram_bytes = VKF_GIB(64),
		.overcommit = true,
	};
	const struct mm_device_config device_config = {
		.vram_bytes = vram_bytes,
		.visible_bytes = vram_bytes,
		.va_bits = 48,
	};

	vkf_env_set(&env);
	if (mm_system_create(&system_config, &s->system) ||
	    mm_device_create(s->system, &device_config, &s->dev))
		bench_fail("no GPU");
}

void space_close(struct space *s)
{
	mm_device_destroy(s->dev);
	mm_system_destroy(s->system);
	vkf_env_set(NULL);
}

/* ------------------------------------------------ clients */

/* It says so later. */
static bool stop_later(void *cookie)
{
	(void)cookie;
	return true;
}

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
	(void)cookie;
	(void)off;
	(void)len;
}

static void no_invalidate(void *cookie, unsigned int gpu)
{
	(void)cookie;
	(void)gpu;
}

void space_client_open(struct space *s, unsigned int n_tables, struct space_client *ret_client)
{
	static const struct mm_client_ops ops = { stop_later, no_punch, no_invalidate };
	struct space_client c = { .tables = calloc(n_tables, MM_PT_BYTES) };
	const struct mm_client_config config = {
		.pt_base = c.tables,
		.pt_tables = n_tables,
		.arena_bytes = VKF_GIB(64),
		.ops = &ops,
	};

	if (!c.tables || mm_client_create(s->system, &config, &c.mm) ||
	    mm_vm_create(c.mm, s->dev, &c.vm))
		bench_fail("no client");
	*ret_client = c;
}

void space_client_add(struct space *s, struct space_client *c, unsigned int n)
{
	const struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_PAGE_SIZE };

	c->bo = realloc(c->bo, (c->n + n) * sizeof(struct mm_bo *));
	if (!c->bo)
		bench_fail("no memory");
	for (; n; n--) {
		if (mm_bo_create(c->mm, s->dev, &params, &c->bo[c->n]))
			bench_fail("no buffer");
		c->n++;
	}
}

void space_client_map(struct space_client *c)
{
	const struct mm_pte_attr attr = { .writeable = true };
	struct mm_mapping *m;

	for (unsigned int i = 0; i < c->n; i++) {
		vkf_gpuva va = { SPACE_VA + i * VKF_PAGE_SIZE };

		if (mm_vm_map(c->vm, c->bo[i], va, &attr, &m))
			bench_fail("no mapping");
	}
}

void space_stop(struct space_client *c)
{
	mm_client_evicted(c->mm);
}

void space_client_close(struct space_client *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		mm_bo_put(c->bo[i]);
	mm_client_destroy(c->mm);
	free(c->bo);
	free(c->tables);
}
