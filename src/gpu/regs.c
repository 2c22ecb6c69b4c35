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

/* Only the first four have places that all chips agree on. */
void gpu_regs_load(struct gpu_queue *q)
{
	static const uint32_t reg[] = { PM4_REG_CU_MASK_SE0, PM4_REG_CU_MASK_SE1,
					PM4_REG_CU_MASK_SE2, PM4_REG_CU_MASK_SE3 };

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(reg); i++)
		q->sh[reg[i] - PM4_REG_COMPUTE] =
			atomic_load_explicit(&q->cq->cu_mask[i], memory_order_relaxed);
}
