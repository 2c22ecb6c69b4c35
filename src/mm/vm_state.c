/* SPDX-License-Identifier: MIT */
#include "mm/vm_state.h"

/* ------------------------------------------------ the table */

#define MAY_NOT MM_VM_N_STATES

/* A state that is not named has no business here: everything in it is MAY_NOT. */
struct row {
	bool is_used;
	uint8_t next[MM_VM_N_EVENTS];
};

/* clang-format off */
#define ROW(...) { true, { __VA_ARGS__ } }
#define NO MAY_NOT
#define NOWHERE MM_VM_NOWHERE
#define EVICTED MM_VM_EVICTED
#define RELOCATED MM_VM_RELOCATED
#define MOVED MM_VM_MOVED
#define INVALID MM_VM_INVALIDATED
#define IDLE MM_VM_IDLE
#define DONE MM_VM_DONE
#define FREED MM_VM_FREED

/*
 * An evicted one stays evicted until it was validated, wherever it moves meanwhile, and though its
 * entries were written to where it is. A freed one no longer follows its buffer.
 */
static const struct row table[MM_VM_N_KINDS][MM_VM_N_STATES] = {
	[MM_VM_SHARED] = {
		/*           added      +evicted  +written  moved      evicted  validated  updated  cleared  unmapped */
		[NOWHERE] = ROW(MOVED,     EVICTED,  IDLE,     NO,        NO,      NO,        NO,      NO,      NO),
		[EVICTED] = ROW(NO,        NO,       NO,       EVICTED,   EVICTED, MOVED,     EVICTED, NO,      FREED),
		[MOVED]   = ROW(NO,        NO,       NO,       MOVED,     EVICTED, MOVED,     IDLE,    NO,      FREED),
		[IDLE]    = ROW(NO,        NO,       NO,       MOVED,     EVICTED, IDLE,      IDLE,    NO,      FREED),
		[FREED]   = ROW(NO,        NO,       NO,       FREED,     FREED,   FREED,     NOWHERE, NO,      NO),
	},
	[MM_VM_OWN] = {
		[NOWHERE] = ROW(INVALID,   INVALID,  DONE,     NO,        NO,      NO,        NO,      NO,      NO),
		[INVALID] = ROW(NO,        NO,       NO,       INVALID,   INVALID, INVALID,   DONE,    DONE,    FREED),
		[DONE]    = ROW(NO,        NO,       NO,       INVALID,   INVALID, DONE,      DONE,    DONE,    FREED),
		[FREED]   = ROW(NO,        NO,       NO,       FREED,     FREED,   FREED,     NOWHERE, NO,      NO),
	},
	[MM_VM_TABLE] = {
		[NOWHERE]   = ROW(RELOCATED, EVICTED, IDLE,    NO,        NO,      NO,        NO,      NO,      NO),
		[EVICTED]   = ROW(NO,        NO,      NO,      EVICTED,   EVICTED, RELOCATED, EVICTED, NO,      NOWHERE),
		[RELOCATED] = ROW(NO,        NO,      NO,      RELOCATED, EVICTED, RELOCATED, IDLE,    NO,      NOWHERE),
		[IDLE]      = ROW(NO,        NO,      NO,      RELOCATED, EVICTED, IDLE,      IDLE,    NO,      NOWHERE),
	},
};
/* clang-format on */

enum mm_vm_state mm_vm_state_after(enum mm_vm_kind kind, enum mm_vm_state state,
				   enum mm_vm_event event)
{
	const struct row *row = &table[kind][state];

	return row->is_used ? (enum mm_vm_state)row->next[event] : MAY_NOT;
}

/* ------------------------------------------------ lists */

void mm_vm_lists_init(struct mm_vm_lists *l)
{
	vkf_mutex_init(&l->lock, VKF_RANK_LEAF);
	for (unsigned int i = 0; i < MM_VM_N_STATES; i++) {
		vkf_list_init(&l->list[i]);
		l->n[i] = 0;
	}
	l->stamp = 0;
}

void mm_vm_lists_fini(struct mm_vm_lists *l)
{
	for (unsigned int i = 0; i < MM_VM_N_STATES; i++)
		VKF_ASSERT(vkf_list_empty(&l->list[i]));
	vkf_mutex_fini(&l->lock);
}

void mm_vm_node_init(struct mm_vm_node *node, enum mm_vm_kind kind)
{
	vkf_list_init(&node->link);
	node->stamp = 0;
	node->kind = kind;
	node->state = MM_VM_NOWHERE;
	node->is_stale = false;
}

/* To the end of @state's list; NOWHERE has none. */
static void put(struct mm_vm_lists *l, struct mm_vm_node *node, enum mm_vm_state state)
	VKF_REQUIRES(l->lock)
{
	if (node->state != MM_VM_NOWHERE) {
		vkf_list_del(&node->link);
		l->n[node->state]--;
	}
	node->state = state;
	if (state == MM_VM_NOWHERE)
		return;
	vkf_list_add_tail(&node->link, &l->list[state]);
	l->n[state]++;
	node->stamp = ++l->stamp;
}

/* That somebody has to write it is what these say. */
static bool is_to_be_written(enum mm_vm_state state)
{
	return state == MM_VM_MOVED || state == MM_VM_INVALIDATED || state == MM_VM_RELOCATED;
}

enum mm_vm_state mm_vm_node_event(struct mm_vm_lists *l, struct mm_vm_node *node,
				  enum mm_vm_event event)
{
	enum mm_vm_state next;

	vkf_mutex_lock(&l->lock);
	next = mm_vm_state_after(node->kind, node->state, event);
	VKF_ASSERT(next != MAY_NOT);
	if (next != node->state)
		put(l, node, next);
	if (event == MM_VM_UPDATED || event == MM_VM_ADDED_WRITTEN)
		node->is_stale = false;
	else if (event != MM_VM_UNMAPPED && (event != MM_VM_VALIDATED || is_to_be_written(next)))
		node->is_stale = true;
	vkf_mutex_unlock(&l->lock);
	return next;
}

void mm_vm_node_remove(struct mm_vm_lists *l, struct mm_vm_node *node)
{
	vkf_mutex_lock(&l->lock);
	put(l, node, MM_VM_NOWHERE);
	vkf_mutex_unlock(&l->lock);
}

bool mm_vm_node_is_stale(struct mm_vm_lists *l, const struct mm_vm_node *node)
{
	bool is_stale;

	vkf_mutex_lock(&l->lock);
	is_stale = node->is_stale;
	vkf_mutex_unlock(&l->lock);
	return is_stale;
}

enum mm_vm_state mm_vm_node_state(struct mm_vm_lists *l, const struct mm_vm_node *node)
{
	enum mm_vm_state state;

	vkf_mutex_lock(&l->lock);
	state = node->state;
	vkf_mutex_unlock(&l->lock);
	return state;
}

uint64_t mm_vm_lists_count(struct mm_vm_lists *l, enum mm_vm_state state)
{
	uint64_t n;

	vkf_mutex_lock(&l->lock);
	n = l->n[state];
	vkf_mutex_unlock(&l->lock);
	return n;
}

bool mm_vm_lists_is_stale(struct mm_vm_lists *l)
{
	bool is_stale;

	vkf_mutex_lock(&l->lock);
	is_stale = l->n[MM_VM_EVICTED] || l->n[MM_VM_RELOCATED] || l->n[MM_VM_MOVED] ||
		   l->n[MM_VM_INVALIDATED] || l->n[MM_VM_FREED];
	vkf_mutex_unlock(&l->lock);
	return is_stale;
}

/* ------------------------------------------------ walks */

void mm_vm_walk_begin(struct mm_vm_walk *walk, struct mm_vm_lists *l, enum mm_vm_state state)
{
	walk->state = state;
	vkf_mutex_lock(&l->lock);
	walk->until = l->stamp;
	vkf_mutex_unlock(&l->lock);
}

struct mm_vm_node *mm_vm_walk_next(const struct mm_vm_walk *walk, struct mm_vm_lists *l)
{
	struct mm_vm_node *node = NULL;
	struct vkf_list *head = &l->list[walk->state];

	vkf_mutex_lock(&l->lock);
	if (!vkf_list_empty(head))
		node = vkf_list_first(head, struct mm_vm_node, link);
	if (node && node->stamp > walk->until)
		node = NULL;
	vkf_mutex_unlock(&l->lock);
	return node;
}

void mm_vm_walk_skip(const struct mm_vm_walk *walk, struct mm_vm_lists *l, struct mm_vm_node *node)
{
	vkf_mutex_lock(&l->lock);
	if (node->state == walk->state && node->stamp <= walk->until)
		put(l, node, node->state);
	vkf_mutex_unlock(&l->lock);
}

/* ------------------------------------------------ check */

static const char *check_node(const struct mm_vm_lists *l, const struct mm_vm_node *node,
			      unsigned int state, uint64_t before)
{
	if (node->state != state)
		return "a VM's list has a node of another state";
	if (!table[node->kind][state].is_used)
		return "a VM's node is in a state its kind never has";
	if (node->stamp <= before || node->stamp > l->stamp)
		return "a VM's list is not in order of arrival";
	if (is_to_be_written(state) && !node->is_stale)
		return "a VM's node is to be written that says what is";
	if (state == MM_VM_IDLE && node->is_stale)
		return "a VM's node is to be left alone that does not say what is";
	return NULL;
}

const char *mm_vm_lists_check(const struct mm_vm_lists *l)
{
	if (!vkf_list_empty(&l->list[MM_VM_NOWHERE]))
		return "a VM lists a node that is nowhere";
	for (unsigned int i = 0; i < MM_VM_N_STATES; i++) {
		const struct mm_vm_node *node;
		uint64_t n = 0, before = 0;

		vkf_list_for_each(node, &l->list[i], link) {
			const char *why = check_node(l, node, i, before);

			if (why)
				return why;
			before = node->stamp;
			n++;
		}
		if (n != l->n[i])
			return "a VM's list is not as long as it counts";
	}
	return NULL;
}
