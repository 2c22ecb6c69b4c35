/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_COPY_X86_H
#define VKFD_GPU_COPY_X86_H

/**
 * DOC: The fastest copy of a long piece
 *
 * The body of a routine in assembly: rdi = destination, rsi = source, rdx = bytes,
 * distinct ranges. It clobbers rcx, rdx, rsi, rdi and xmm0 to xmm7, uses no stack,
 * calls nothing, has only numeric labels, and falls out at its end with the copy
 * done and in order before what follows. So it can stand in a function of its own
 * and between the labels of a fault handler alike.
 *
 * Above 512 KiB it bypasses the cache. A string move would do so by itself, but
 * only for pieces far longer than a worker may take at once: at GPU_CHUNK_BYTES it
 * reaches two thirds of what this does.
 */
/* clang-format off */
#define GPU_COPY_X86 \
	"\tmov %rdx, %rcx\n" \
	"\tcmp $0x80000, %rdx\n" \
	"\tjbe 2f\n" \
	"\tmov %edi, %ecx\n" \
	"\tneg %ecx\n" \
	"\tand $63, %ecx\n" \
	"\tsub %rcx, %rdx\n" \
	"\trep movsb\n" \
	"\tmov %rdx, %rcx\n" \
	"\tshr $7, %rcx\n" \
	"1:\tprefetchnta 256(%rsi)\n" \
	"\tprefetchnta 320(%rsi)\n" \
	"\tmovdqu (%rsi), %xmm0\n" \
	"\tmovdqu 16(%rsi), %xmm1\n" \
	"\tmovdqu 32(%rsi), %xmm2\n" \
	"\tmovdqu 48(%rsi), %xmm3\n" \
	"\tmovntdq %xmm0, (%rdi)\n" \
	"\tmovntdq %xmm1, 16(%rdi)\n" \
	"\tmovntdq %xmm2, 32(%rdi)\n" \
	"\tmovntdq %xmm3, 48(%rdi)\n" \
	"\tmovdqu 64(%rsi), %xmm4\n" \
	"\tmovdqu 80(%rsi), %xmm5\n" \
	"\tmovdqu 96(%rsi), %xmm6\n" \
	"\tmovdqu 112(%rsi), %xmm7\n" \
	"\tmovntdq %xmm4, 64(%rdi)\n" \
	"\tmovntdq %xmm5, 80(%rdi)\n" \
	"\tmovntdq %xmm6, 96(%rdi)\n" \
	"\tmovntdq %xmm7, 112(%rdi)\n" \
	"\tsub $-128, %rsi\n" \
	"\tsub $-128, %rdi\n" \
	"\tdec %rcx\n" \
	"\tjnz 1b\n" \
	"\tsfence\n" \
	"\tmov %edx, %ecx\n" \
	"\tand $127, %ecx\n" \
	"2:\trep movsb\n"
/* clang-format on */

#endif
