/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_vm [--cpu N] [--ops N]: address spaces by themselves
 *
 * A million random ranges taken and given back, in a tree and in what a textbook has
 * first: a list in order of address. Both get the same sequence, the list only the first
 * tenth of it. Then what it costs to make a VM right again after one buffer has moved,
 * with few buffers mapped and with many, all under the VM's reservation; and to cut a
 * page out of a large mapping and to put it back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "bench.h"
#include "host/sched_host.h"
#include "mm/move.h"
#include "mm/private.h"
#include "mm/va.h"
#include "mm/vm_change.h"
#include "mm/vm_update.h"

#define OPS    1000000
#define SLOWER 10
#define SLOTS  8192
#define FEW    10
#define MANY   100000
#define VA     VKF_GIB(4)

/* ------------------------------------------------ ranges */

static struct slot {
	struct vkf_range range; /* the tree's; the list's first and last too */
	struct slot *next;
	bool taken;
} slots[SLOTS];

static struct mm_va va;
static struct slot *list;

static void tree_init(void)
{
	mm_va_init(&va, 48);
}

static bool tree_take(struct slot *s, uint64_t addr, uint64_t bytes)
{
	if (mm_va_check(&va, (vkf_gpuva){ addr }, bytes))
		return false;
	mm_va_insert(&va, &s->range, (vkf_gpuva){ addr }, bytes);
	return true;
}

static void tree_give(struct slot *s)
{
	mm_va_remove(&va, &s->range);
}

static void list_init(void)
{
	list = NULL;
}

static bool list_take(struct slot *s, uint64_t addr, uint64_t bytes)
{
	struct slot **at = &list;

	while (*at && (*at)->range.last < addr)
		at = &(*at)->next;
	if (*at && (*at)->range.first < addr + bytes)
		return false;
	s->range.first = addr;
	s->range.last = addr + bytes - 1;
	s->next = *at;
	*at = s;
	return true;
}

static void list_give(struct slot *s)
{
	struct slot **at = &list;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

static const struct space {
	const char *name;
	void (*init)(void);
	bool (*take)(struct slot *s, uint64_t addr, uint64_t bytes);
	void (*give)(struct slot *s);
} spaces[] = {
	{ "vm.va.tree", tree_init, tree_take, tree_give },
	{ "vm.va.list", list_init, list_take, list_give },
};

static uint64_t rnd_state;

static uint64_t rnd(uint64_t bound)
{
	rnd_state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(rnd_state) % bound;
}

/* About half of the slots are taken, and about a tenth of what is asked for is refused. */
static double random_ops(const struct space *space, unsigned int ops)
{
	uint64_t begin;

	memset(slots, 0, sizeof(slots));
	space->init();
	rnd_state = 1;
	begin = bench_now_ns();
	for (unsigned int i = 0; i < ops; i++) {
		struct slot *s = &slots[rnd(SLOTS)];
		uint64_t addr = VA + rnd(SLOTS * 5) * VKF_MIB(2);

		if (s->taken)
			space->give(s);
		s->taken = !s->taken && space->take(s, addr, (1 + rnd(512)) * VKF_PAGE_SIZE);
	}
	return (double)(bench_now_ns() - begin) / ops;
}

/* ------------------------------------------------ a VM */

static struct mm_system *sys;
static struct mm_device *dev;
static struct mm_client *client;
static struct mm_vm *vm;

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
}

static void no_invalidate(void *cookie, unsigned int gpu)
{
}

static const struct mm_client_ops ops = { .punch = no_punch, .invalidate = no_invalidate };

static void vm_begin(void)
{
	struct mm_system_config system = { .ram_bytes = VKF_GIB(64), .bus_base = VKF_GIB(4) };
	struct mm_device_config gpu = { .vram_bytes = VKF_GIB(16),
					.visible_bytes = VKF_GIB(16),
					.va_bits = 48 };
	struct mm_client_config config = { .pt_tables = 4096,
					   .arena_bytes = VKF_GIB(1024),
					   .ops = &ops };

	config.pt_base = calloc(config.pt_tables, MM_PT_BYTES);
	if (!config.pt_base || mm_system_create(&system, &sys) ||
	    mm_device_create(sys, &gpu, &dev) || mm_client_create(sys, &config, &client) ||
	    mm_vm_create(client, dev, &vm))
		bench_fail("no VM");
}

static void vm_end(void)
{
	void *pt = client->config.pt_base;

	mm_client_destroy(client);
	mm_device_destroy(dev);
	mm_system_destroy(sys);
	free(pt);
}

static struct mm_bo *create(uint64_t size)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = size, .vm = vm };
	struct mm_bo *bo;

	if (mm_bo_create(client, dev, &params, &bo))
		bench_fail("no buffer");
	return bo;
}

static void change(enum mm_va_op op, uint64_t addr, uint64_t bytes, struct mm_bo *bo,
		   uint64_t offset)
{
	const struct mm_vm_change req = {
		.op = op, .va = { addr }, .bytes = bytes, .bo = bo, .offset = offset
	};

	if (mm_vm_change(vm, &req, NULL))
		bench_fail("a change of the VM was refused");
}

static struct mm_bo *wanderer;

/* Out, and back by what a submission begins with. */
static void move_and_prepare(void *arg)
{
	static const struct mm_placement anywhere;
	const struct mm_op op = { 0 };

	if (mm_resv_lock(wanderer->resv, false) ||
	    mm_bo_move_locked(wanderer, &dev->gtt.man, &anywhere, &op, MM_MOVE_KEEP_OLD))
		bench_fail("a buffer does not move");
	mm_resv_unlock(wanderer->resv);
	if (mm_vm_prepare(vm, NULL) || !mm_bo_in_vram(wanderer))
		bench_fail("a buffer does not come back");
}

static void prepare_figure(const char *name, unsigned int n)
{
	struct mm_bo **bos = calloc(n, sizeof(struct mm_bo *));

	vm_begin();
	for (unsigned int i = 0; i < n; i++) {
		bos[i] = create(VKF_PAGE_SIZE);
		change(MM_VA_MAP, VA + i * VKF_PAGE_SIZE, VKF_PAGE_SIZE, bos[i], 0);
	}
	wanderer = bos[n / 2];
	bench_print(name, bench_time(move_and_prepare, NULL, 100));
	for (unsigned int i = 0; i < n; i++)
		mm_bo_put(bos[i]);
	vm_end();
	free(bos);
}

static void cut_and_mend(void *arg)
{
	struct mm_bo *bo = arg;

	change(MM_VA_CLEAR, VA + VKF_MIB(33), VKF_PAGE_SIZE, NULL, 0);
	change(MM_VA_REPLACE, VA, VKF_MIB(64), bo, 0);
}

static void cut_figure(void)
{
	struct mm_bo *bo;

	vm_begin();
	bo = create(VKF_MIB(64));
	change(MM_VA_MAP, VA, VKF_MIB(64), bo, 0);
	bench_print("vm.cut", bench_time(cut_and_mend, bo, 20));
	mm_bo_put(bo);
	vm_end();
}

int main(int argc, char **argv)
{
	unsigned int n_ops = (unsigned int)bench_option(argc, argv, "--ops", OPS);
	double took[3];

	bench_pin(bench_option(argc, argv, "--cpu", -1));
	host_sched_install();
	for (unsigned int i = 0; i < 3; i++)
		took[i] = random_ops(&spaces[0], n_ops);
	bench_print(spaces[0].name, bench_median(took, 3));
	bench_print(spaces[1].name, random_ops(&spaces[1], n_ops / SLOWER));
	prepare_figure("vm.prepare.few", FEW);
	prepare_figure("vm.prepare.many", MANY);
	cut_figure();
	return 0;
}
