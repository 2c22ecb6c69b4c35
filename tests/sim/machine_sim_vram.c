/* SPDX-License-Identifier: MIT */
/**
 * DOC: Who could reach which page of VRAM
 *
 * The bytes of a buffer stay where they are when it moves, so no program would notice
 * if the driver gave a place away too early. This reads page tables as the engines do,
 * without a word from the memory manager: a page of VRAM that two buffers, or a buffer
 * and a table, lead to at a time, both of processes whose queues may run, is a fault in
 * the driver. That must hold at any moment.
 */
#include "machine_sim.h"

#include <inttypes.h>
#include <stdlib.h>

#include "machine_sim_priv.h"
#include "spec/pte_gfx9.h"

#define SLOTS         512u
#define LEVEL_BITS    9u
/* Of hives whose GPUs have no more than that. */
#define SEGMENT_PAGES (VKF_GIB(1) / VKF_PAGE_SIZE)
/* Kind of a link that is a table's index. */
#define IS_TABLE UINT64_C(0xfff)

/* struct page - seen in look @stamp, and whose it was */
struct page {
	uint32_t stamp;
	int32_t pid;
	uint64_t link;
};

struct msim_vram {
	uint32_t stamp;
	uint64_t n[MACHINE_MAX_GPUS];
	struct page *pages[MACHINE_MAX_GPUS];
};

void msim_vram_create(struct msim *m)
{
	struct msim_vram *v = calloc(1, sizeof(*v));

	VKF_ASSERT(v);
	for (unsigned int i = 0; i < m->profile.n_gpus; i++) {
		v->n[i] = m->profile.gpus[i].vram / VKF_PAGE_SIZE;
		v->pages[i] = calloc(v->n[i], sizeof(struct page));
		VKF_ASSERT(v->pages[i]);
	}
	m->vram = v;
}

void msim_vram_destroy(struct msim *m)
{
	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++)
		free(m->vram->pages[i]);
	free(m->vram);
}

/* struct look - at one process's view of one GPU */
struct look {
	struct msim *m;
	const struct msim_process *p;
	const struct gpu_pt_table *pt;
	unsigned int gpu;
};

/* @n pages of GPU @gpu from @page on are what @link leads to. */
static void claim(const struct look *l, unsigned int gpu, uint64_t page, uint64_t n, uint64_t link)
{
	struct msim_vram *v = l->m->vram;

	if (page + n > v->n[gpu])
		msim_fail(l->m, "pid %d: an entry leads behind VRAM", l->p->pid);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t its = link + ((link & IS_TABLE) == IS_TABLE ? 0 : i * VKF_PAGE_SIZE);
		struct page *at = &v->pages[gpu][page + i];

		if (at->stamp == v->stamp && (at->pid != l->p->pid || at->link != its))
			msim_fail(l->m,
				  "page %" PRIx64 " of GPU %u is reached by pid %d (link %" PRIx64
				  ") and by pid %d (%" PRIx64 "), and both may run",
				  page + i, gpu, at->pid, at->link, l->p->pid, its);
		*at = (struct page){ v->stamp, l->p->pid, its };
	}
}

static uint64_t page_of(uint64_t pte)
{
	return pte >> VKF_PAGE_SHIFT & ((UINT64_C(1) << 36) - 1);
}

/* Which GPU of its hive @gpu is. */
static unsigned int place_in_hive(const struct machine_profile *m, unsigned int gpu)
{
	unsigned int place = 0;

	for (unsigned int i = 0; i < gpu; i++)
		place += m->gpus[i].hive_id == m->gpus[gpu].hive_id;
	return place;
}

/* Whose VRAM an entry of @gpu means: in a hive each has a segment of addresses. */
static unsigned int whose_vram(const struct look *l, uint64_t *page)
{
	const struct machine_profile *m = &l->m->profile;
	uint64_t place = *page / SEGMENT_PAGES;

	if (!m->gpus[l->gpu].hive_id)
		return l->gpu;
	*page %= SEGMENT_PAGES;
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		if (m->gpus[i].hive_id == m->gpus[l->gpu].hive_id && place_in_hive(m, i) == place)
			return i;
	}
	msim_fail(l->m, "pid %d: an entry leads out of the hive", l->p->pid);
}

static void look_at_table(const struct look *l, uint64_t table, unsigned int level);

static void look_at_entry(const struct look *l, unsigned int level, uint64_t pte, uint64_t link)
{
	bool is_leaf = level == GPU_PT_PTB || pte & PTE_GFX9_PDE_PTE_MASK;
	uint64_t n = UINT64_C(1) << LEVEL_BITS * (GPU_PT_PTB - level), page = page_of(pte);

	if (is_leaf && pte & PTE_GFX9_SYSTEM_MASK)
		return;
	if (is_leaf) {
		unsigned int gpu = whose_vram(l, &page);

		claim(l, gpu, page, n, link);
		return;
	}
	claim(l, l->gpu, page, 1, link << 12 | IS_TABLE);
	look_at_table(l, link, level + 1);
}

static void look_at_table(const struct look *l, uint64_t table, unsigned int level)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		uint64_t pte = atomic_load_explicit(&l->pt[table].pte[i], memory_order_relaxed);

		if (pte & PTE_GFX9_VALID_MASK)
			look_at_entry(l, level, pte, atomic_load(&l->pt[table].link[i]));
	}
}

static bool may_run(const struct gpu_ctrl *ctrl, unsigned int gpu)
{
	for (unsigned int i = 0; i < atomic_load(&ctrl->n_queues); i++) {
		if (atomic_load(&ctrl->queue[i].want) == GPU_WANT_RUN && ctrl->queue[i].gpu == gpu)
			return true;
	}
	return false;
}

static void look_at_process(struct msim *m, const struct msim_process *p, bool is_about_to)
{
	const struct gpu_ctrl *ctrl = p->regions[MSIM_CTRL].base;
	struct look l = { .m = m, .p = p, .pt = p->regions[MSIM_PT].base };

	for (l.gpu = 0; l.gpu < m->profile.n_gpus; l.gpu++) {
		uint32_t root = atomic_load(&ctrl->vm[l.gpu].root);

		if (root && (is_about_to || may_run(ctrl, l.gpu)))
			look_at_table(&l, root, GPU_PT_PDB2);
	}
}

void msim_check_vram(struct msim *m, const struct mm_client *about_to)
{
	const struct msim_process *p;

	m->vram->stamp++;
	vkf_list_for_each(p, &m->processes, link) {
		if (p->client && !p->dying && !p->closing && !msim_engine_is_lost(p))
			look_at_process(m, p, about_to && p->mm == about_to);
	}
}
