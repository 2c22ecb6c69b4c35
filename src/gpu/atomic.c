/* SPDX-License-Identifier: MIT */
#include "gpu/atomic.h"
#include "gpu/vmem.h"
#include "spec/tc_op.h"

/* So often the word may change under an operation before the queue has to wait. */
#define TRIES 64

/* Kinds that take their operands as floating-point numbers; the second row treats denormal ones as
 * zeros. */
static bool is_float(uint64_t kind)
{
	return (kind >= TC_OP_FCMPSWAP && kind <= TC_OP_FMAX) ||
	       (kind >= TC_OP_FCMPSWAP_FLUSH && kind <= TC_OP_FMAX_FLUSH);
}

bool gpu_atomic_known(uint32_t op)
{
	uint64_t kind = tc_op_get_kind(op);

	return kind == TC_OP_SWAP || kind == TC_OP_CMPSWAP || is_float(kind) ||
	       (kind >= TC_OP_ADD && kind <= TC_OP_DEC);
}

bool gpu_atomic_wide(uint32_t op)
{
	return tc_op_get_wide(op);
}

bool gpu_atomic_compares(uint32_t op)
{
	uint64_t kind = tc_op_get_kind(op);

	return kind == TC_OP_CMPSWAP || kind == TC_OP_FCMPSWAP || kind == TC_OP_FCMPSWAP_FLUSH;
}

/* ------------------------------------------------ floating point, without a register of it */

static uint64_t fp_sign(bool wide)
{
	return wide ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
}

static uint64_t fp_infinity(bool wide)
{
	return wide ? UINT64_C(0x7ff0000000000000) : UINT64_C(0x7f800000);
}

static bool fp_is_nan(uint64_t v, bool wide)
{
	return (v & ~fp_sign(wide)) > fp_infinity(wide);
}

/* Numbers compare as these do; both zeros are 0. */
static int64_t fp_order(uint64_t v, bool wide)
{
	int64_t size = (int64_t)(v & ~fp_sign(wide));

	return v & fp_sign(wide) ? -size : size;
}

static bool fp_less(uint64_t a, uint64_t b, bool wide)
{
	return !fp_is_nan(a, wide) && !fp_is_nan(b, wide) && fp_order(a, wide) < fp_order(b, wide);
}

static bool fp_equal(uint64_t a, uint64_t b, bool wide)
{
	return !fp_is_nan(a, wide) && !fp_is_nan(b, wide) && fp_order(a, wide) == fp_order(b, wide);
}

/* A denormal number becomes the zero of its sign. */
static uint64_t fp_flush(uint64_t v, bool wide)
{
	return v & fp_infinity(wide) ? v : v & fp_sign(wide);
}

/* Whatever is compared with a NaN leaves the word as it was. */
static uint64_t fp_result(uint32_t kind, uint64_t old, uint64_t src, uint64_t cmp, bool wide)
{
	if (kind >= TC_OP_FCMPSWAP_FLUSH) {
		kind -= TC_OP_FCMPSWAP_FLUSH - TC_OP_FCMPSWAP;
		old = fp_flush(old, wide);
		src = fp_flush(src, wide);
		cmp = fp_flush(cmp, wide);
	}
	switch (kind) {
	case TC_OP_FCMPSWAP:
		return fp_equal(old, cmp, wide) ? src : old;
	case TC_OP_FMIN:
		return fp_less(src, old, wide) ? src : old;
	default: /* TC_OP_FMAX */
		return fp_less(old, src, wide) ? src : old;
	}
}

bool gpu_atomic_matched(const struct gpu_atomic *a, uint64_t old)
{
	bool wide = gpu_atomic_wide(a->op);
	uint64_t cmp = wide ? a->cmp : (uint32_t)a->cmp;

	switch (tc_op_get_kind(a->op)) {
	case TC_OP_FCMPSWAP:
		return fp_equal(old, cmp, wide);
	case TC_OP_FCMPSWAP_FLUSH:
		return fp_equal(fp_flush(old, wide), fp_flush(cmp, wide), wide);
	default:
		return old == cmp;
	}
}

/* ------------------------------------------------ all of them */

static uint64_t smin(int64_t a, int64_t b)
{
	return (uint64_t)VKF_MIN(a, b);
}

static uint64_t smax(int64_t a, int64_t b)
{
	return (uint64_t)VKF_MAX(a, b);
}

/* What the word becomes. All three operands are extended alike: by sign for the signed kinds. */
static uint64_t result(uint32_t kind, uint64_t old, uint64_t src, uint64_t cmp, bool wide)
{
	if (is_float(kind))
		return fp_result(kind, old, src, cmp, wide);
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
				   (uint32_t)result(kind, extend(kind, old), src, cmp, false));
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

		e = gpu_vmem_cas64(w, gpu, a->va, &found, result(kind, old, a->src, a->cmp, true));
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
