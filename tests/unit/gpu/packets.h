/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_GPU_PACKETS_H
#define VKFD_TESTS_UNIT_GPU_PACKETS_H

/**
 * DOC: Packets as the clients write them, word by word
 *
 * Written out by hand rather than with the generated accessors, so that a wrong
 * layout in spec/ does not agree with itself.
 */
#include "fixture.h"

/* SDMA */
#define S_NOP(n)              ((uint32_t)(n) << 16)
#define S_COPY(src, dst, len) 1, (uint32_t)(len)-1, 0, FX_ADDR(src), FX_ADDR(dst)
#define S_BROADCAST(src, dst, dst2, len)                                                           \
	1 | 1u << 27, (uint32_t)(len)-1, 0, FX_ADDR(src), FX_ADDR(dst), FX_ADDR(dst2)
#define S_WRITE(dst, n)   2, FX_ADDR(dst), (n)-1
#define S_INDIRECT(va, n) 4, FX_ADDR(va), (n), 0, 0
#define S_FENCE(addr, v)  5, FX_ADDR(addr), (v)
#define S_TRAP(ctx)       6, (ctx)
#define S_POLL_N(func, addr, v, mask, retry)                                                       \
	8u | (uint32_t)(func) << 28 | 1u << 31, FX_ADDR(addr), (v), (mask), (retry) << 16 | 4
#define S_POLL(func, addr, v, mask) S_POLL_N(func, addr, v, mask, 0xfffu)
#define S_HDP_FLUSH                 8, 0, 0x80000000, 0, 0, 0
#define S_ATOMIC(op, addr, v)       10u | (uint32_t)(op) << 25, FX_ADDR(addr), FX_ADDR(v), 0, 0, 0
#define S_FILL(size, dst, v, len)   11u | (uint32_t)(size) << 30, FX_ADDR(dst), (v), (uint32_t)(len)-1
#define S_TIMESTAMP(addr)           13u | 2u << 8, FX_ADDR(addr)
#define S_TIMESTAMP_LOCAL(addr)     13u | 1u << 8, FX_ADDR(addr)
#define S_SEM_WAIT(addr)            7, FX_ADDR(addr)
#define S_SEM_SIGNAL(addr)          7u | 1u << 30, FX_ADDR(addr)
#define S_COND(addr, ref, n)        9, FX_ADDR(addr), (ref), (n)
#define S_DUMMY_TRAP                16, 0

/* PM4 */
#define P_HEADER(op, words) (3u << 30 | ((uint32_t)(words)-2) << 16 | (uint32_t)(op) << 8)
#define P_NOP1              0xffff1000u
#define P_NOP(words)        P_HEADER(0x10, words)
#define P_IB(va, n)         P_HEADER(0x3f, 4), FX_ADDR(va), (n) | 1u << 23
#define P_CHAIN(va, n)      P_HEADER(0x3f, 4), FX_ADDR(va), (n) | 1u << 23 | 1u << 20
#define P_WRITE(sel, va, n) P_HEADER(0x37, 4 + (n)), (uint32_t)(sel) << 8, FX_ADDR(va)
#define P_WAIT(func, va, ref, mask)                                                                \
	P_HEADER(0x3c, 7), (func) | 1u << 4, FX_ADDR(va), (ref), (mask), 4
#define P_RELEASE(data_sel, int_sel, va, data, ctx)                                                \
	P_HEADER(0x49, 8), 0x514, (uint32_t)(data_sel) << 29 | (uint32_t)(int_sel) << 24,          \
		FX_ADDR(va), FX_ADDR(data), (ctx)
#define P_COPY_DATA(src_sel, dst_sel, wide, src, dst)                                              \
	P_HEADER(0x40, 6), (src_sel) | (dst_sel) << 8 | (wide) << 16, FX_ADDR(src), FX_ADDR(dst)
#define P_DMA(sel, src, dst, n)                                                                    \
	P_HEADER(0x50, 7), (uint32_t)(sel) << 29, FX_ADDR(src), FX_ADDR(dst), (n)
#define P_ATOMIC(op, va, v)   P_HEADER(0x1e, 9), (op), FX_ADDR(va), FX_ADDR(v), 0, 0, 0
#define P_PRED(n, xccs)       P_HEADER(0x23, 2), (uint32_t)(n) | (uint32_t)(xccs) << 24
#define P_SET_SH(reg, n)      P_HEADER(0x76, 2 + (n)), (reg)
#define P_SET_UCONFIG(reg, n) P_HEADER(0x79, 2 + (n)), (reg)
#define P_COND(va, n)         P_HEADER(0x22, 5), FX_ADDR(va), 0, (n)
#define P_DISPATCH(x, y, z)   P_HEADER(0x15, 5), (x), (y), (z), 0x21
#define P_ACQUIRE             P_HEADER(0x58, 7), 0x28c00000, 0xffffffff, 0xff, 0, 0, 4
#define P_EVENT               P_HEADER(0x46, 2), 0x407

#endif
