/* SPDX-License-Identifier: MIT */
#include "mm/pt_execute.h"

#include "base/env.h"

static void write_run(const struct mm_pt_run *run)
{
	uint64_t step = mm_pt_run_step(run->pt, run->entry);
	struct mm_pt_words *words = run->words;

	for (unsigned int i = 0; i < run->n; i++) {
		unsigned int slot = run->first + i;

		if (run->entry)
			atomic_store_explicit(&words->link[slot], run->link + i * step,
					      memory_order_relaxed);
		atomic_store_explicit(&words->entry[slot], run->entry + i * step,
				      memory_order_release);
	}
}

static void write_runs(const struct mm_pt_update *u, bool early)
{
	for (size_t i = 0; i < u->n_runs; i++) {
		if (u->runs[i].is_early == early)
			write_run(&u->runs[i]);
	}
}

static void copy_words(const struct mm_pt_copy *copy)
{
	struct mm_pt_words *from = copy->body.words, *to = copy->to;

	for (unsigned int i = 0; i < MM_PT_SLOTS; i++) {
		uint64_t entry = atomic_load_explicit(&from->entry[i], memory_order_relaxed);

		if (!entry)
			continue;
		atomic_store_explicit(&to->link[i],
				      atomic_load_explicit(&from->link[i], memory_order_relaxed),
				      memory_order_relaxed);
		atomic_store_explicit(&to->entry[i], entry, memory_order_relaxed);
	}
}

void mm_pt_update_free_copies(struct mm_pt_update *u, bool full)
{
	while (u->copies) {
		struct mm_pt_copy *next = u->copies->next;

		if (full)
			mm_pt_body_clear(&u->copies->body);
		mm_pt_body_free(u->tree, &u->copies->body);
		vkf_free(u->copies);
		u->copies = next;
	}
}

void mm_pt_update_free_tables(struct mm_pt_update *u, struct mm_pt *tables)
{
	while (tables) {
		struct mm_pt *next = tables->next;

		mm_pt_free(u->tree, tables);
		tables = next;
	}
}

void mm_pt_update_drop_runs(struct mm_pt_update *u)
{
	if (u->runs != u->few)
		vkf_free(u->runs);
	u->runs = u->few;
	u->n_runs = 0;
}

void mm_pt_update_execute(struct mm_paging_job *job)
{
	struct mm_pt_update *u = vkf_container_of(job, struct mm_pt_update, job);
	const struct mm_client_config *config = &u->tree->client->config;

	for (const struct mm_pt_copy *copy = u->copies; copy; copy = copy->next)
		copy_words(copy);
	write_runs(u, true);
	write_runs(u, false);
	if (u->invalidates)
		config->ops->invalidate(config->cookie, u->tree->dev->config.index);
	mm_pt_update_free_tables(u, u->dying);
	mm_pt_update_free_copies(u, true);
	mm_pt_update_drop_runs(u);
}
