/* SPDX-License-Identifier: MIT */
/**
 * DOC: The program's memory, as the engine process touches it
 *
 * Each access is a routine of a few instructions without a stack frame, all of them
 * between two labels. When one faults, the signal handler lets it return -EFAULT.
 */
#include "shim/engine.h"

#include <errno.h>
#include "gpu/copy_x86.h"

_Static_assert(EFAULT == 14, "the fix-up below says so");

__asm__(".text\n"
	".p2align 4\n"
	".globl engine_access_begin, engine_access_end, engine_access_fault\n"
	".hidden engine_access_begin, engine_access_end, engine_access_fault\n"
	"engine_access_begin:\n"
	".globl engine_access_copy\n.hidden engine_access_copy\n"
	"engine_access_copy:\n" /* rdi dst, rsi src, rdx len */
	GPU_COPY_X86
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_fill8\n.hidden engine_access_fill8\n"
	"engine_access_fill8:\n" /* rdi dst, esi byte, rdx len */
	"	mov %rdx, %rcx\n"
	"	mov %esi, %eax\n"
	"	rep stosb\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_fill32\n.hidden engine_access_fill32\n"
	"engine_access_fill32:\n" /* rdi dst, esi word, rdx words */
	"	mov %rdx, %rcx\n"
	"	mov %esi, %eax\n"
	"	rep stosl\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_load32\n.hidden engine_access_load32\n"
	"engine_access_load32:\n" /* rdi addr, rsi ret */
	"	mov (%rdi), %eax\n"
	"	mov %eax, (%rsi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_load64\n.hidden engine_access_load64\n"
	"engine_access_load64:\n"
	"	mov (%rdi), %rax\n"
	"	mov %rax, (%rsi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_store32\n.hidden engine_access_store32\n"
	"engine_access_store32:\n" /* rdi addr, esi value */
	"	mov %esi, (%rdi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_store64\n.hidden engine_access_store64\n"
	"engine_access_store64:\n"
	"	mov %rsi, (%rdi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_add64\n.hidden engine_access_add64\n"
	"engine_access_add64:\n"
	"	lock addq %rsi, (%rdi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_cas32\n.hidden engine_access_cas32\n"
	"engine_access_cas32:\n" /* rdi addr, rsi expected, edx desired */
	"	mov (%rsi), %eax\n"
	"	lock cmpxchgl %edx, (%rdi)\n"
	"	mov %eax, (%rsi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl engine_access_cas64\n.hidden engine_access_cas64\n"
	"engine_access_cas64:\n"
	"	mov (%rsi), %rax\n"
	"	lock cmpxchgq %rdx, (%rdi)\n"
	"	mov %rax, (%rsi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	"engine_access_end:\n"
	"engine_access_fault:\n"
	"	mov $-14, %eax\n"
	"	ret\n");

extern const char engine_access_begin[], engine_access_end[], engine_access_fault[];
int engine_access_copy(void *dst, const void *src, size_t len);
int engine_access_fill8(void *dst, uint32_t byte, size_t len);
int engine_access_fill32(void *dst, uint32_t word, size_t words);
int engine_access_load32(const void *addr, uint32_t *ret);
int engine_access_load64(const void *addr, uint64_t *ret);
int engine_access_store32(void *addr, uint32_t v);
int engine_access_store64(void *addr, uint64_t v);
int engine_access_add64(void *addr, uint64_t v);
int engine_access_cas32(void *addr, uint32_t *expected, uint32_t desired);
int engine_access_cas64(void *addr, uint64_t *expected, uint64_t desired);

uint64_t engine_mem_fixup(uint64_t ip)
{
	if (ip < (uintptr_t)engine_access_begin || ip >= (uintptr_t)engine_access_end)
		return 0;
	return (uintptr_t)engine_access_fault;
}

static int mem_copy(void *cookie, void *dst, const void *src, size_t len)
{
	return engine_access_copy(dst, src, len);
}

static int mem_fill(void *cookie, void *dst, uint32_t word, size_t len)
{
	if (word == (word & 0xff) * 0x01010101u)
		return engine_access_fill8(dst, word, len);
	return engine_access_fill32(dst, word, len / 4);
}

static int mem_load32(void *cookie, const void *addr, uint32_t *ret)
{
	return engine_access_load32(addr, ret);
}

static int mem_load64(void *cookie, const void *addr, uint64_t *ret)
{
	return engine_access_load64(addr, ret);
}

static int mem_store32(void *cookie, void *addr, uint32_t v)
{
	return engine_access_store32(addr, v);
}

static int mem_store64(void *cookie, void *addr, uint64_t v)
{
	return engine_access_store64(addr, v);
}

static int mem_add64(void *cookie, void *addr, uint64_t v)
{
	return engine_access_add64(addr, v);
}

static int mem_cas32(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	return engine_access_cas32(addr, expected, desired);
}

static int mem_cas64(void *cookie, void *addr, uint64_t *expected, uint64_t desired)
{
	return engine_access_cas64(addr, expected, desired);
}

const struct gpu_mem_ops engine_mem_ops = {
	.copy = mem_copy,
	.fill = mem_fill,
	.load32 = mem_load32,
	.load64 = mem_load64,
	.store32 = mem_store32,
	.store64 = mem_store64,
	.add64 = mem_add64,
	.cas32 = mem_cas32,
	.cas64 = mem_cas64,
};
