/* SPDX-License-Identifier: MIT */
#include "machine_fixture.h"

#include <sys/mman.h>
#include "base/sched.h"
#include "capture.h"
#include "gpu/mem_direct.h"

#define MAX_STEPS 10000

struct machine_fixture fx;

/* ------------------------------------------------ one task, virtual time, and the engine */

static struct vkf_task task;
static uint64_t now = 1000000;
static bool in_wait;

uint64_t fx_now(void)
{
	return now;
}

static struct vkf_task *current(void)
{
	return &task;
}

/* The driver waits: whoever it waits for does something. */
static void others_run(void)
{
	if (in_wait)
		return;
	in_wait = true;
	if (fx.on_wait)
		fx.on_wait(&fx);
	else if (fx.engine_runs)
		gpu_engine_step(fx.a.engine);
	in_wait = false;
}

static void park(uint64_t deadline)
{
	others_run();
	if (deadline == VKF_FOREVER)
		fail_msg("waits for something that nobody will do: %s", task.waits_in);
	now = VKF_MAX(now, deadline);
}

static void unpark(struct vkf_task *t)
{
	(void)t;
}

static void relax(void)
{
	now += 100;
	others_run();
}

static const struct vkf_sched_ops sched = {
	.current = current,
	.now_ns = fx_now,
	.park = park,
	.unpark = unpark,
	.relax = relax,
};

/* ------------------------------------------------ clients */

static void punch(void *cookie, uint64_t off, uint64_t len)
{
	struct fx_client *c = cookie;

	assert_int_equal(madvise(c->arena + off, len, MADV_DONTNEED), 0);
	c->n_punched++;
}

static void fill(void *cookie, uint64_t off, uint64_t len, uint8_t byte)
{
	struct fx_client *c = cookie;

	memset(c->arena + off, byte, len);
	c->filled_off = off;
	c->filled_len = len;
}

static void wake_engine(void *cookie)
{
	struct fx_client *c = cookie;

	c->n_wakes++;
}

static uint64_t engine_now(void *cookie)
{
	return now;
}

static void engine_irq(void *cookie)
{
	fx.n_irq_calls++;
}

static void engine_relax(void *cookie)
{
}

static const struct gpu_engine_ops engine_ops = {
	.mem = &gpu_mem_direct,
	.now_ns = engine_now,
	.irq = engine_irq,
	.relax = engine_relax,
};

static void *sparse(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void create_engine(struct fx_client *c)
{
	struct gpu_engine_config config = {
		.ctrl = c->regions.ctrl,
		.pt = c->regions.pt,
		.arena = c->arena,
		.bar = c->bar,
		.ops = &engine_ops,
	};

	c->engine_storage = aligned_alloc(64, VKF_ALIGN_UP(gpu_engine_size(), (size_t)64));
	assert_non_null(c->engine_storage);
	memset(c->engine_storage, 0, gpu_engine_size());
	assert_int_equal(gpu_engine_init(c->engine_storage, &config, &c->engine), 0);
}

void fx_client_open(struct fx_client *c)
{
	*c = (struct fx_client){
		.arena = sparse(FX_ARENA_BYTES),
		.bar = sparse(GPU_MAX_GPUS * GPU_BAR_STRIDE),
		.regions = {
			.ctrl = sparse(sizeof(struct gpu_ctrl)),
			.pt = sparse(FX_PT_TABLES * GPU_PT_TABLE_BYTES),
			.pt_tables = FX_PT_TABLES,
			.arena_bytes = FX_ARENA_BYTES,
			.bar_bytes = machine_profile(fx.m)->n_gpus * GPU_BAR_STRIDE,
			.punch = punch,
			.fill = fill,
			.wake_engine = wake_engine,
			.cookie = c,
		},
	};
	assert_int_equal(machine_client_create(fx.m, &c->regions, &c->mc), 0);
	create_engine(c);
}

void fx_client_close(struct fx_client *c)
{
	machine_client_destroy(c->mc);
	free(c->engine_storage);
	munmap(c->arena, FX_ARENA_BYTES);
	munmap(c->bar, GPU_MAX_GPUS * GPU_BAR_STRIDE);
	munmap(c->regions.ctrl, sizeof(struct gpu_ctrl));
	munmap(c->regions.pt, FX_PT_TABLES * GPU_PT_TABLE_BYTES);
}

void fx_engine_start(void)
{
	gpu_engine_set_state(fx.a.engine, GPU_ENGINE_RUNNING);
	fx.engine_runs = true;
}

/* ------------------------------------------------ machines */

static struct machine_profile profile;

void fx_open(const char *name, const char *const *sets)
{
	size_t n = 0;

	while (sets && sets[n])
		n++;
	memset(&fx, 0, sizeof(fx));
	vkf_task_init(&task, "test");
	vkf_sched_set(&sched);
	capture_load(name, sets, n, &profile);
	assert_int_equal(machine_create(&profile, &fx.m), 0);
	fx_client_open(&fx.a);
}

void fx_close(void)
{
	char why[200] = "";

	if (mm_check(machine_system(fx.m), why, sizeof(why)))
		fail_msg("an invariant does not hold: %s", why);
	fx_client_close(&fx.a);
	for (unsigned int i = 0; i < profile.n_gpus; i++) {
		struct mm_device_usage u;

		mm_device_usage(machine_device(fx.m, i), &u);
		assert_int_equal(u.vram_managed, 0);
		assert_int_equal(u.gtt_used, 0);
	}
	machine_destroy(fx.m);
	vkf_sched_set(NULL);
}

int fx_setup(void **state)
{
	static const char *const sets[] = { "gpu.vram=256MiB", "gpu.visible_vram=256MiB", NULL };

	fx_open("mi210x2", sets);
	return 0;
}

int fx_teardown(void **state)
{
	fx_close();
	return 0;
}

/* ------------------------------------------------ memory */

struct mm_vm *fx_vm(unsigned int gpu)
{
	struct mm_vm *vm = NULL;

	assert_int_equal(mm_vm_create(machine_client_mm(fx.a.mc), machine_device(fx.m, gpu), &vm),
			 0);
	machine_client_set_vm(fx.a.mc, gpu, vm);
	return vm;
}

struct mm_bo *fx_bo(unsigned int home, enum mm_bo_kind kind, uint64_t size)
{
	struct mm_bo_params params = { .kind = kind,
				       .size = size,
				       .cpu_access = true,
				       .user_addr = UINT64_C(0x7f0000000000) };
	struct mm_bo *bo = NULL;

	assert_int_equal(
		mm_bo_create(machine_client_mm(fx.a.mc), machine_device(fx.m, home), &params, &bo),
		0);
	return bo;
}

struct mm_mapping *fx_map(struct mm_vm *vm, unsigned int gpu, struct mm_bo *bo, uint64_t va)
{
	struct machine_access access = { .kind = mm_bo_kind(bo),
					 .writeable = true,
					 .executable = true };
	unsigned int home = mm_device_index(mm_bo_home(bo));
	struct mm_mapping *mapping = NULL;
	struct mm_pte_attr attr;

	assert_int_equal(machine_reach(fx.m, home, gpu, &access, &attr), 0);
	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ va }, &attr, &mapping), 0);
	assert_int_equal(mm_vm_sync(mapping, false), 0);
	return mapping;
}

void *fx_bytes(const struct mm_bo *bo)
{
	return fx.a.arena + mm_bo_arena(bo).v;
}

/* ------------------------------------------------ queues */

#define RING_OFF 0x1000
#define RPTR_OFF 0x80
#define WPTR_OFF 0x38

void fx_queue_open(struct fx_queue *fq, struct mm_vm *vm, unsigned int gpu)
{
	unsigned char *bytes;

	fq->bo = fx_bo(gpu, MM_BO_GTT, RING_OFF + FX_RING_BYTES);
	fq->mapping = fx_map(vm, gpu, fq->bo, FX_QUEUE_VA);
	fq->q = (struct machine_queue){
		.type = GPU_QUEUE_SDMA,
		.gpu = gpu,
		.queue_id = 7,
		.ring_va = FX_QUEUE_VA + RING_OFF,
		.ring_bytes = FX_RING_BYTES,
		.rptr_va = FX_QUEUE_VA + RPTR_OFF,
		.wptr_va = FX_QUEUE_VA + WPTR_OFF,
	};
	bytes = fx_bytes(fq->bo);
	fq->ring = (uint32_t *)(bytes + RING_OFF);
	fq->rptr = (uint64_t *)(bytes + RPTR_OFF);
	fq->wptr = (uint64_t *)(bytes + WPTR_OFF);
	fq->written = 0;
}

void fx_queue_close(struct fx_queue *fq)
{
	assert_int_equal(mm_vm_unmap(fq->mapping, NULL), 0);
	mm_bo_put(fq->bo);
}

void fx_queue_put(struct fx_queue *fq, const uint32_t *words, unsigned int n)
{
	memcpy((char *)fq->ring + fq->written, words, n * 4);
	fq->written += n * 4;
	*fq->wptr = fq->written;
}

void fx_run(void)
{
	unsigned int n = 0;

	while (gpu_engine_step(fx.a.engine) & GPU_STEP_WORKED)
		assert_true(++n < MAX_STEPS);
}
