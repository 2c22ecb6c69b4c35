/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_LIST_H
#define VKFD_BASE_LIST_H

/**
 * DOC: Intrusive doubly linked lists
 *
 * A head is a node that is linked to itself when the list is empty. A node that
 * is in no list is linked to itself too, so vkf_list_del() may be repeated.
 * Nothing here locks: the owner of the head says which lock protects it.
 */
#include <stdbool.h>
#include <stddef.h>

struct vkf_list {
	struct vkf_list *next, *prev;
};

#define VKF_LIST_INIT(name)                                                                        \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

#define vkf_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void vkf_list_init(struct vkf_list *l)
{
	l->next = l->prev = l;
}

static inline bool vkf_list_empty(const struct vkf_list *l)
{
	return l->next == l;
}

static inline void vkf_list_link(struct vkf_list *n, struct vkf_list *prev, struct vkf_list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* Put @n at the front, or at the back, of @head. @n must be in no list. */
static inline void vkf_list_add(struct vkf_list *n, struct vkf_list *head)
{
	vkf_list_link(n, head, head->next);
}

static inline void vkf_list_add_tail(struct vkf_list *n, struct vkf_list *head)
{
	vkf_list_link(n, head->prev, head);
}

static inline void vkf_list_del(struct vkf_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	vkf_list_init(n);
}

static inline void vkf_list_move_tail(struct vkf_list *n, struct vkf_list *head)
{
	vkf_list_del(n);
	vkf_list_add_tail(n, head);
}

/* Move all of @from to the back of @to; @from is empty afterwards. */
static inline void vkf_list_splice_tail(struct vkf_list *from, struct vkf_list *to)
{
	if (vkf_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	vkf_list_init(from);
}

#define vkf_list_entry(ptr, type, member) vkf_container_of(ptr, type, member)
#define vkf_list_first(head, type, member) vkf_list_entry((head)->next, type, member)

#define vkf_list_for_each(pos, head, member)                                                       \
	for (pos = vkf_list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = vkf_list_entry(pos->member.next, __typeof__(*pos), member))

/* As above; @pos may be removed, or freed, in the body. */
#define vkf_list_for_each_safe(pos, tmp, head, member)                                             \
	for (pos = vkf_list_entry((head)->next, __typeof__(*pos), member),                         \
	    tmp = vkf_list_entry(pos->member.next, __typeof__(*pos), member);                      \
	     &pos->member != (head);                                                               \
	     pos = tmp, tmp = vkf_list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
