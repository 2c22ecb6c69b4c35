/* SPDX-License-Identifier: MIT */
#include "gpu/dispatch.h"
#include "spec/aql.h"

int gpu_dispatch(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_dispatch *d)
{
	(void)q;
	if (!d->grid[0] || !d->grid[1] || !d->grid[2])
		return 0;
	return gpu_bad(w, d->word, d->opcode, AQL_ERROR_ILLEGAL);
}
