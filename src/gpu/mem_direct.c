/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "gpu/copy_x86.h"
#include "gpu/mem_direct.h"

/* Below this a call of memcpy starts up faster. */
#define STRING_BYTES 512

#if defined(__x86_64__)
void gpu_direct_copy_x86(void *dst, const void *src, size_t len);
__asm__(".text\n"
	".p2align 4\n"
	".globl gpu_direct_copy_x86\n.hidden gpu_direct_copy_x86\n"
	".type gpu_direct_copy_x86, @function\n"
	"gpu_direct_copy_x86:\n" GPU_COPY_X86 "	ret\n"
	".size gpu_direct_copy_x86, . - gpu_direct_copy_x86\n");
#endif

static int direct_copy(void *cookie, void *dst, const void *src, size_t len)
{
#if defined(__x86_64__)
	if (len >= STRING_BYTES) {
		gpu_direct_copy_x86(dst, src, len);
		return 0;
	}
#endif
	memcpy(dst, src, len);
	return 0;
}

static int direct_fill(void *cookie, void *dst, uint32_t word, size_t len)
{
	unsigned char *to = dst;

	if (word == (word & 0xff) * 0x01010101u) {
		memset(dst, (int)(word & 0xff), len);
		return 0;
	}
	for (; len >= sizeof(word); len -= sizeof(word), to += sizeof(word))
		memcpy(to, &word, sizeof(word));
	return 0;
}

static int direct_load32(void *cookie, const void *addr, uint32_t *ret)
{
	*ret = __atomic_load_n((const uint32_t *)addr, __ATOMIC_ACQUIRE);
	return 0;
}

static int direct_load64(void *cookie, const void *addr, uint64_t *ret)
{
	*ret = __atomic_load_n((const uint64_t *)addr, __ATOMIC_ACQUIRE);
	return 0;
}

static int direct_store32(void *cookie, void *addr, uint32_t v)
{
	__atomic_store_n((uint32_t *)addr, v, __ATOMIC_RELEASE);
	return 0;
}

static int direct_store64(void *cookie, void *addr, uint64_t v)
{
	__atomic_store_n((uint64_t *)addr, v, __ATOMIC_RELEASE);
	return 0;
}

static int direct_add64(void *cookie, void *addr, uint64_t v)
{
	__atomic_fetch_add((uint64_t *)addr, v, __ATOMIC_SEQ_CST);
	return 0;
}

static int direct_cas32(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	__atomic_compare_exchange_n((uint32_t *)addr, expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return 0;
}

static int direct_cas64(void *cookie, void *addr, uint64_t *expected, uint64_t desired)
{
	__atomic_compare_exchange_n((uint64_t *)addr, expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return 0;
}

const struct gpu_mem_ops gpu_mem_direct = {
	.copy = direct_copy,
	.fill = direct_fill,
	.load32 = direct_load32,
	.load64 = direct_load64,
	.store32 = direct_store32,
	.store64 = direct_store64,
	.add64 = direct_add64,
	.cas32 = direct_cas32,
	.cas64 = direct_cas64,
};
