/* SPDX-License-Identifier: MIT */
#include "mm/lru.h"

#include "base/macro.h"

void mm_lru_init(struct mm_lru *lru)
{
	for (unsigned int i = 0; i < MM_LRU_PRIORITIES; i++)
		vkf_list_init(&lru->list[i]);
	lru->n = 0;
}

void mm_lru_node_init(struct mm_lru_node *node)
{
	vkf_list_init(&node->link);
	node->priority = MM_LRU_USER;
}

void mm_lru_add(struct mm_lru *lru, struct mm_lru_node *node, enum mm_lru_priority priority)
{
	VKF_ASSERT(!mm_lru_has(node));
	node->priority = priority;
	vkf_list_add_tail(&node->link, &lru->list[priority]);
	lru->n++;
}

void mm_lru_touch(struct mm_lru *lru, struct mm_lru_node *node)
{
	if (mm_lru_has(node))
		vkf_list_move_tail(&node->link, &lru->list[node->priority]);
}

void mm_lru_remove(struct mm_lru *lru, struct mm_lru_node *node)
{
	if (!mm_lru_has(node))
		return;
	vkf_list_del(&node->link);
	lru->n--;
}

static struct mm_lru_node *first_from(const struct mm_lru *lru, unsigned int priority)
{
	for (; priority < MM_LRU_PRIORITIES; priority++) {
		if (!vkf_list_empty(&lru->list[priority]))
			return vkf_list_first(&lru->list[priority], struct mm_lru_node, link);
	}
	return NULL;
}

struct mm_lru_node *mm_lru_next(const struct mm_lru *lru, const struct mm_lru_node *prev)
{
	if (!prev)
		return first_from(lru, 0);
	if (prev->link.next != &lru->list[prev->priority])
		return vkf_list_entry(prev->link.next, struct mm_lru_node, link);
	return first_from(lru, prev->priority + 1);
}

const char *mm_lru_check(const struct mm_lru *lru)
{
	const struct mm_lru_node *node = NULL, *prev;
	uint64_t n = 0;

	for (;;) {
		prev = node;
		node = mm_lru_next(lru, prev);
		if (!node)
			break;
		if (prev && node->priority < prev->priority)
			return "an LRU list holds a node of another priority";
		if (node->link.prev->next != &node->link || node->link.next->prev != &node->link)
			return "an LRU list is broken";
		if (++n > lru->n)
			break;
	}
	return n == lru->n ? NULL : "an LRU list has not as many nodes as were added";
}
