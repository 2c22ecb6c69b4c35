/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VA_PLAN_H
#define VKFD_MM_VA_PLAN_H

/**
 * DOC: What a change of a VM does to the mappings that are there
 *
 * Mappings may be parts of buffers, and a request may fall across some of them. A plan
 * says, without changing anything, which mappings go, which are cut, and what comes; it
 * has every node that this takes. Applying it cannot fail.
 *
 * The four requests are those of DRM_IOCTL_AMDGPU_GEM_VA: MAP refuses to overlap; UNMAP
 * takes away the one mapping that begins at the address, if it is of the buffer, however
 * long it is; REPLACE maps over whatever is there; CLEAR takes a range away. What falls
 * partly into the range of the last two is cut: its rest keeps buffer and flags, and an
 * offset that fits. The cases are those of "Split and Merge" in the kernel's drm_gpuvm.
 *
 * A mapping is cut by a new node for what is left before and one for what is left behind;
 * the old one leaves the tree. Where the old mapping and the request say the same of some
 * addresses (same buffer, same place in it, same flags), the step is marked @keep: the
 * page-table entries there are right as they are, but for fragments that reach across a
 * cut. mm_va_plan_next_change() gives what is to be written inside the request.
 *
 * Ranges without a buffer (partially resident textures: they read as 0) take part like
 * all others; of them only the flags count.
 *
 * Addresses are first and last, inclusive. All of it needs the VM's lock, from making a
 * plan to applying it. Nodes in the tree are the caller's, allocated with vkf_zalloc().
 */
#include "mm/va.h"

struct mm_va_node {
	struct vkf_range range;
	void *bo;        /* whose bytes; NULL: none. Only compared here */
	uint64_t offset; /* of the first byte in @bo; 0 without */
	uint64_t flags;  /* the caller's; mappings with different ones are different */
};

enum mm_va_op { MM_VA_MAP, MM_VA_UNMAP, MM_VA_REPLACE, MM_VA_CLEAR };

struct mm_va_request {
	enum mm_va_op op;
	vkf_gpuva addr;
	uint64_t bytes;         /* not looked at by UNMAP */
	void *bo;               /* not looked at by CLEAR, as all that follow */
	uint64_t bo_bytes;      /* MAP, REPLACE: how long @bo is, if there is one */
	uint64_t offset, flags; /* MAP, REPLACE */
	bool merge;             /* MAP, REPLACE: become one with neighbours that go on in @bo */
	size_t node_bytes;      /* of what begins with a node; 0: the node's own */
};

enum mm_va_step_kind {
	MM_VA_STEP_MAP,   /* @node comes */
	MM_VA_STEP_UNMAP, /* @old goes */
	MM_VA_STEP_REMAP, /* @old goes; @prev and @next, one of which may be NULL, come */
	MM_VA_STEP_KEEP,  /* @old is what was asked for: nothing changes. The only step then */
};

struct mm_va_step {
	enum mm_va_step_kind kind;
	bool keep;               /* UNMAP, REMAP: the entries of @first..@last stay right */
	uint64_t first, last;    /* UNMAP, REMAP: what @old loses. KEEP, MAP: the whole node */
	struct mm_va_node *old;  /* UNMAP, REMAP, KEEP */
	struct mm_va_node *node; /* MAP */
	struct mm_va_node *prev, *next; /* REMAP */
};

#define MM_VA_FEW_STEPS 4

struct mm_va_plan {
	struct mm_va *va;
	struct mm_va_step *steps; /* in order of address, MAP last; @few, or allocated */
	size_t n_steps, room, node_bytes;
	bool applied;
	struct mm_va_step few[MM_VA_FEW_STEPS];
};

/**
 * mm_va_plan_make() - work out what @req does to @va
 *
 * Return: 0, and mm_va_plan_fini() is due; -EINVAL: addresses that are 0, no whole pages or beyond
 * the end; not UNMAP: no bytes; MAP and REPLACE: an offset that is no whole page, or a range beyond
 * the buffer; MAP: something is there. -ENOENT: UNMAP, and no mapping of the buffer begins in the
 * page of the address. -ENOMEM.
 */
int mm_va_plan_make(struct mm_va_plan *plan, struct mm_va *va,
		    const struct mm_va_request *req) VKF_MUST_CHECK;
/*
 * Change the tree. The new nodes are the caller's from here on, and so are the old ones of UNMAP
 * and REMAP, which are in no tree; the steps stay to be read.
 */
void mm_va_plan_apply(struct mm_va_plan *plan);
/* Free the steps, and the new nodes if they were not applied. */
void mm_va_plan_fini(struct mm_va_plan *plan);

/* Addresses in a row whose entries must be written. */
struct mm_va_change {
	uint64_t first, last;
	struct mm_va_node *node; /* what they lead to, once applied; NULL: nowhere */
};

/*
 * The next of them in order of address; start with *@pos 0. Together they are all that differs
 * between before and after, and what of the request was a part of a mapping that is cut.
 */
bool mm_va_plan_next_change(const struct mm_va_plan *plan, size_t *pos,
			    struct mm_va_change *ret_change);

#endif
