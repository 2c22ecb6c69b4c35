/* SPDX-License-Identifier: MIT */
#include "gpu/regs.h"
#include "spec/pm4.h"

_Static_assert(GPU_SH_REGS == PM4_COMPUTE_COUNT && GPU_UCONFIG_REGS == PM4_UCONFIG_COUNT,
	       "one word per register");

static bool within(uint32_t reg, uint32_t n, uint32_t first, uint32_t count)
{
	return reg >= first && reg - first <= count && n <= count - (reg - first);
}

uint32_t *gpu_reg_range(struct gpu_worker *w, struct gpu_queue *q, uint32_t reg, uint32_t n)
{
	if (within(reg, n, PM4_REG_COMPUTE, PM4_COMPUTE_COUNT))
		return q->sh + (reg - PM4_REG_COMPUTE);
	if (within(reg, n, PM4_REG_UCONFIG, PM4_UCONFIG_COUNT))
		return w->engine->uconfig[q->gpu] + (reg - PM4_REG_UCONFIG);
	return NULL;
}

uint32_t *gpu_reg_find(struct gpu_worker *w, struct gpu_queue *q, uint32_t reg)
{
	return gpu_reg_range(w, q, reg, 1);
}

void gpu_regs_reset(struct gpu_queue *q)
{
	memset(q->sh, 0, sizeof(q->sh));
	q->atomic_old = 0;
}

/* Of the compute units of the shader engines; only the first four have places that all chips agree
 * on. */
static const uint32_t cu_mask_reg[] = { PM4_REG_CU_MASK_SE0, PM4_REG_CU_MASK_SE1,
					PM4_REG_CU_MASK_SE2, PM4_REG_CU_MASK_SE3 };

static uint32_t cu_mask(const struct gpu_queue *q, unsigned int i)
{
	return atomic_load_explicit(&q->cq->cu_mask[i], memory_order_relaxed);
}

void gpu_regs_load(struct gpu_queue *q)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(cu_mask_reg); i++)
		q->sh[cu_mask_reg[i] - PM4_REG_COMPUTE] = cu_mask(q, i);
}

void gpu_regs_mask(struct gpu_queue *q, uint32_t reg, uint32_t n)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(cu_mask_reg); i++) {
		if (cu_mask_reg[i] >= reg && cu_mask_reg[i] - reg < n)
			q->sh[cu_mask_reg[i] - PM4_REG_COMPUTE] &= cu_mask(q, i);
	}
}
