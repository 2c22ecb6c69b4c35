/* SPDX-License-Identifier: MIT */
#include "shim/state.h"

#include <sys/mman.h>

static _Atomic(struct shim_state *) state;

static struct shim_state *make(void)
{
	struct shim_state *expected = NULL;
	long p = SYS6(mmap, NULL, sizeof(struct shim_state), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sys_is_error(p))
		return NULL;
	if (SYS3(madvise, p, sizeof(struct shim_state), MADV_WIPEONFORK) < 0) {
		SYS2(munmap, p, sizeof(struct shim_state));
		return NULL;
	}
	if (atomic_compare_exchange_strong(&state, &expected, (struct shim_state *)p))
		return (struct shim_state *)p;
	SYS2(munmap, p, sizeof(struct shim_state));
	return expected;
}

struct shim_state *state_peek(void)
{
	return atomic_load_explicit(&state, memory_order_acquire);
}

struct shim_state *state_get(void)
{
	struct shim_state *s = state_peek();

	return s ? s : make();
}

void shim_lock(struct shim_lock *l, uint64_t *ret_signals)
{
	uint32_t free = 0;

	sys_signals_block(ret_signals);
	if (atomic_compare_exchange_strong(&l->word, &free, 1))
		return;
	while (atomic_exchange(&l->word, 2) != 0)
		sys_futex_wait(&l->word, 2, NULL);
}

void shim_unlock(struct shim_lock *l, const uint64_t *signals)
{
	if (atomic_exchange(&l->word, 0) == 2)
		sys_futex_wake(&l->word, 1);
	sys_signals_restore(signals);
}
