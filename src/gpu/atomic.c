/* SPDX-License-Identifier: MIT */
#include "gpu/atomic.h"
#include "gpu/vmem.h"
#include "spec/tc_op.h"

/* So often the word may change under an operation before the queue has to wait. */
#define TRIES 64

bool gpu_atomic_known(uint32_t op)
{
	uint64_t kind = tc_op_get_kind(op);

	return kind == TC_OP_SWAP || kind == TC_OP_CMPSWAP ||
	       (kind >= TC_OP_ADD && kind <= TC_OP_DEC);
}

bool gpu_atomic_wide(uint32_t op)
{
	return tc_op_get_wide(op);
}

bool gpu_atomic_compares(uint32_t op)
{
	return tc_op_get_kind(op) == TC_OP_CMPSWAP;
}

static uint64_t smin(int64_t a, int64_t b)
{
	return (uint64_t)VKF_MIN(a, b);
}

static uint64_t smax(int64_t a, int64_t b)
{
	return (uint64_t)VKF_MAX(a, b);
}

/* What the word becomes. All three operands are extended alike: by sign for the signed kinds. */
static uint64_t result(uint32_t kind, uint64_t old, uint64_t src, uint64_t cmp)
{
	switch (kind) {
	case TC_OP_CMPSWAP:
		return old == cmp ? src : old;
	case TC_OP_ADD:
		return old + src;
	case TC_OP_SUB:
		return old - src;
	case TC_OP_SMIN:
		return smin((int64_t)old, (int64_t)src);
	case TC_OP_UMIN:
		return VKF_MIN(old, src);
	case TC_OP_SMAX:
		return smax((int64_t)old, (int64_t)src);
	case TC_OP_UMAX:
		return VKF_MAX(old, src);
	case TC_OP_AND:
		return old & src;
	case TC_OP_OR:
		return old | src;
	case TC_OP_XOR:
		return old ^ src;
	case TC_OP_INC:
		return old >= src ? 0 : old + 1;
	case TC_OP_DEC:
		return old == 0 || old > src ? src : old - 1;
	default: /* TC_OP_SWAP */
		return src;
	}
}

static uint64_t extend(uint32_t kind, uint32_t v)
{
	if (kind == TC_OP_SMIN || kind == TC_OP_SMAX)
		return (uint64_t)(int64_t)(int32_t)v;
	return v;
}

static int run32(struct gpu_worker *w, unsigned int gpu, const struct gpu_atomic *a,
		 uint64_t *ret_old)
{
	uint32_t kind = (uint32_t)tc_op_get_kind(a->op), old;
	uint64_t src = extend(kind, (uint32_t)a->src), cmp = extend(kind, (uint32_t)a->cmp);
	int e = gpu_vmem_load32(w, gpu, a->va, &old);

	for (unsigned int i = 0; !e && i < TRIES; i++) {
		uint32_t found = old;

		e = gpu_vmem_cas32(w, gpu, a->va, &found,
				   (uint32_t)result(kind, extend(kind, old), src, cmp));
		if (!e && found == old) {
			*ret_old = old;
			return 0;
		}
		old = found;
	}
	return e ? e : -EAGAIN;
}

static int run64(struct gpu_worker *w, unsigned int gpu, const struct gpu_atomic *a,
		 uint64_t *ret_old)
{
	uint32_t kind = (uint32_t)tc_op_get_kind(a->op);
	uint64_t old;
	int e = gpu_vmem_load64(w, gpu, a->va, &old);

	for (unsigned int i = 0; !e && i < TRIES; i++) {
		uint64_t found = old;

		e = gpu_vmem_cas64(w, gpu, a->va, &found, result(kind, old, a->src, a->cmp));
		if (!e && found == old) {
			*ret_old = old;
			return 0;
		}
		old = found;
	}
	return e ? e : -EAGAIN;
}

int gpu_atomic_run(struct gpu_worker *w, unsigned int gpu, const struct gpu_atomic *a,
		   uint64_t *ret_old)
{
	return (gpu_atomic_wide(a->op) ? run64 : run32)(w, gpu, a, ret_old);
}
