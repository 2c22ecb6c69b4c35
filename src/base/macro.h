/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_MACRO_H
#define VKFD_BASE_MACRO_H

/**
 * DOC: Compiler help and arithmetic that every layer uses
 *
 * VKF_ASSERT is for what the code itself has proven: a client's mistake never
 * reaches it. The lock attributes are clang's thread-safety analysis; gcc sees
 * nothing of them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define VKF_ATTR_TS(x) __attribute__((x))
#else
#define VKF_ATTR_TS(x)
#endif

#define VKF_CAPABILITY(name) VKF_ATTR_TS(capability(name))
#define VKF_REQUIRES(...) VKF_ATTR_TS(requires_capability(__VA_ARGS__))
#define VKF_ACQUIRE(...) VKF_ATTR_TS(acquire_capability(__VA_ARGS__))
#define VKF_TRY_ACQUIRE(...) VKF_ATTR_TS(try_acquire_capability(__VA_ARGS__))
#define VKF_RELEASE(...) VKF_ATTR_TS(release_capability(__VA_ARGS__))
#define VKF_NO_TS VKF_ATTR_TS(no_thread_safety_analysis)
#define VKF_MUST_CHECK __attribute__((warn_unused_result))
#define VKF_PRINTF(f, a) __attribute__((format(printf, f, a)))

#define VKF_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define VKF_MIN(a, b) ((a) < (b) ? (a) : (b))
#define VKF_MAX(a, b) ((a) > (b) ? (a) : (b))
#define VKF_ALIGN_UP(x, a) (((x) + ((a)-1)) & ~((a)-1))
#define VKF_ALIGN_DOWN(x, a) ((x) & ~((a)-1))
#define VKF_IS_ALIGNED(x, a) (((x) & ((a)-1)) == 0)
#define VKF_IS_POW2(x) ((x) && !((x) & ((x)-1)))

#define VKF_PAGE_SHIFT 12
#define VKF_PAGE_SIZE UINT64_C(4096)
#define VKF_HUGE_SIZE (UINT64_C(2) << 20) /* what one PDE0 covers, and the window alignment */

#define VKF_KIB(n) ((uint64_t)(n) << 10)
#define VKF_MIB(n) ((uint64_t)(n) << 20)
#define VKF_GIB(n) ((uint64_t)(n) << 30)

/* Kernel-internal errnos that errno.h leaves out, with the kernel's values. */
#define VKF_ERESTARTSYS 512
#define VKF_ENOTSUPP 524

/* Told of a broken invariant; never returns. Replaceable, so that tests can see it die. */
typedef void (*vkf_panic_fn)(const char *file, int line, const char *what);
extern vkf_panic_fn vkf_panic_hook;
__attribute__((noreturn)) void vkf_panic(const char *file, int line, const char *what);

#ifdef VKFD_DEBUG
#define VKF_ASSERT(cond) ((cond) ? (void)0 : vkf_panic(__FILE__, __LINE__, #cond))
#else
#define VKF_ASSERT(cond) ((void)sizeof(!!(cond)))
#endif

#endif
