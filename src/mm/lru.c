/* SPDX-License-Identifier: MIT */
#include "mm/lru.h"

#include "base/macro.h"

void mm_lru_init(struct mm_lru *lru)
{
	for (unsigned int i = 0; i < MM_LRU_PRIORITIES; i++) {
		vkf_list_init(&lru->list[i]);
		lru->n_of[i] = 0;
	}
	lru->n = 0;
}

void mm_lru_node_init(struct mm_lru_node *node)
{
	vkf_list_init(&node->link);
	node->priority = MM_LRU_USER;
	node->is_mark = false;
	node->bulk = NULL;
}

void mm_lru_bulk_init(struct mm_lru_bulk *bulk)
{
	*bulk = (struct mm_lru_bulk){ 0 };
}

void mm_lru_bulk_fini(struct mm_lru_bulk *bulk)
{
	VKF_ASSERT(bulk->n == 0);
}

static struct mm_lru_node *to_node(struct vkf_list *link)
{
	return vkf_list_entry(link, struct mm_lru_node, link);
}

static struct mm_lru_run *run_of(const struct mm_lru_node *node)
{
	return &node->bulk->run[node->priority];
}

/* @node, which is in a list, becomes the last of its run. */
static void run_add(struct mm_lru_node *node)
{
	struct mm_lru_run *run = run_of(node);

	if (run->first) {
		vkf_list_del(&node->link);
		vkf_list_add(&node->link, &run->last->link);
	} else {
		run->first = node;
	}
	run->last = node;
	node->bulk->n++;
}

/* @node, which is still in its list, is no part of its run any more. */
static void run_remove(struct mm_lru_node *node)
{
	struct mm_lru_run *run = run_of(node);

	if (run->first == run->last)
		run->first = run->last = NULL;
	else if (run->first == node)
		run->first = to_node(node->link.next);
	else if (run->last == node)
		run->last = to_node(node->link.prev);
	node->bulk->n--;
}

void mm_lru_add(struct mm_lru *lru, struct mm_lru_node *node, enum mm_lru_priority priority)
{
	VKF_ASSERT(!mm_lru_has(node));
	node->priority = priority;
	vkf_list_add_tail(&node->link, &lru->list[priority]);
	if (node->bulk)
		run_add(node);
	lru->n_of[priority]++;
	lru->n++;
}

void mm_lru_touch(struct mm_lru *lru, struct mm_lru_node *node)
{
	if (!mm_lru_has(node))
		return;
	if (node->bulk) {
		run_remove(node);
		run_add(node);
	} else {
		vkf_list_move_tail(&node->link, &lru->list[node->priority]);
	}
}

void mm_lru_remove(struct mm_lru *lru, struct mm_lru_node *node)
{
	if (!mm_lru_has(node))
		return;
	if (node->bulk)
		run_remove(node);
	vkf_list_del(&node->link);
	lru->n_of[node->priority]--;
	lru->n--;
}

/* A run must stay in one piece, so who leaves its midst goes behind it. */
static void leave_run(struct mm_lru_node *node)
{
	struct mm_lru_run *run = run_of(node);

	run_remove(node);
	if (!run->last)
		return;
	vkf_list_del(&node->link);
	vkf_list_add(&node->link, &run->last->link);
}

void mm_lru_set_bulk(struct mm_lru *lru, struct mm_lru_node *node, struct mm_lru_bulk *bulk)
{
	if (node->bulk == bulk)
		return;
	if (node->bulk && mm_lru_has(node))
		leave_run(node);
	node->bulk = bulk;
	if (bulk && mm_lru_has(node))
		run_add(node);
}

static void move_run_tail(struct mm_lru_run *run, struct vkf_list *list)
{
	struct vkf_list *first = &run->first->link, *last = &run->last->link;

	first->prev->next = last->next;
	last->next->prev = first->prev;
	first->prev = list->prev;
	last->next = list;
	list->prev->next = first;
	list->prev = last;
}

void mm_lru_touch_bulk(struct mm_lru *lru, struct mm_lru_bulk *bulk)
{
	for (unsigned int i = 0; i < MM_LRU_PRIORITIES; i++) {
		if (bulk->run[i].first)
			move_run_tail(&bulk->run[i], &lru->list[i]);
	}
}

static struct mm_lru_node *first_from(const struct mm_lru *lru, unsigned int priority)
{
	for (; priority < MM_LRU_PRIORITIES; priority++) {
		if (!vkf_list_empty(&lru->list[priority]))
			return vkf_list_first(&lru->list[priority], struct mm_lru_node, link);
	}
	return NULL;
}

/* The same, or a mark. */
static struct mm_lru_node *next_or_mark(const struct mm_lru *lru, const struct mm_lru_node *prev)
{
	if (!prev)
		return first_from(lru, 0);
	if (prev->link.next != &lru->list[prev->priority])
		return to_node(prev->link.next);
	return first_from(lru, prev->priority + 1);
}

struct mm_lru_node *mm_lru_next(const struct mm_lru *lru, const struct mm_lru_node *prev)
{
	struct mm_lru_node *node = next_or_mark(lru, prev);

	while (node && node->is_mark)
		node = next_or_mark(lru, node);
	return node;
}

void mm_lru_mark_init(struct mm_lru_mark *mark)
{
	mm_lru_node_init(&mark->node);
	mark->node.is_mark = true;
}

void mm_lru_mark_before(struct mm_lru_mark *mark, struct mm_lru_node *node)
{
	struct mm_lru_node *next = node->bulk ? run_of(node)->first : node;

	VKF_ASSERT(mm_lru_has(node) && !node->is_mark);
	mm_lru_mark_remove(mark);
	mark->node.priority = next->priority;
	vkf_list_add_tail(&mark->node.link, &next->link);
}

void mm_lru_mark_remove(struct mm_lru_mark *mark)
{
	if (mm_lru_has(&mark->node))
		vkf_list_del(&mark->node.link);
}

/* @prev and @node follow each other in the list of @priority; NULL: its ends. A bulk's nodes lie
 * between its first and its last one, and nobody else does. */
static const char *check_step(const struct mm_lru_node *prev, const struct mm_lru_node *node,
			      unsigned int priority)
{
	const struct mm_lru_bulk *from = prev ? prev->bulk : NULL, *to = node ? node->bulk : NULL;

	if (prev && node && from && from == to)
		return from->run[priority].last == prev || from->run[priority].first == node ?
			       "a bulk ends before its last node" : NULL;
	if (from && from->run[priority].last != prev)
		return "a bulk is not in one piece";
	if (to && to->run[priority].first != node)
		return "a bulk does not begin with its first node";
	return NULL;
}

static const char *check_list(const struct mm_lru *lru, unsigned int priority)
{
	const struct vkf_list *head = &lru->list[priority], *link;
	const struct mm_lru_node *prev = NULL, *node;
	const char *why = NULL;
	uint64_t n = 0;

	for (link = head->next; link != head && !why && n <= lru->n_of[priority]; link = link->next) {
		node = vkf_list_entry(link, const struct mm_lru_node, link);
		if (link->prev->next != link || link->next->prev != link)
			return "an LRU list is broken";
		if (node->priority != priority)
			return "an LRU list holds a node of another priority";
		if (node->is_mark) {
			why = check_step(prev, NULL, priority);
			continue;
		}
		why = check_step(prev, node, priority);
		prev = node;
		n++;
	}
	if (!why && n != lru->n_of[priority])
		why = "an LRU list has not as many nodes as were added";
	return why ? why : check_step(prev, NULL, priority);
}

const char *mm_lru_check(const struct mm_lru *lru)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < MM_LRU_PRIORITIES; i++) {
		const char *why = check_list(lru, i);

		if (why)
			return why;
		n += lru->n_of[i];
	}
	return n == lru->n ? NULL : "an LRU list has not as many nodes as were added";
}
