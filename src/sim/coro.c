/* SPDX-License-Identifier: MIT */
#include "sim/coro.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/macro.h"

#if defined(__SANITIZE_ADDRESS__)
#define CORO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CORO_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define CORO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CORO_TSAN 1
#endif
#endif

#ifdef CORO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CORO_TSAN
#include <sanitizer/tsan_interface.h>
#endif
/* VKFD_CORO_UCONTEXT asks for the portable way where there is another. */
#if defined(__x86_64__) && !defined(VKFD_CORO_UCONTEXT)
#define CORO_X86_64 1
#else
#include <ucontext.h>
#endif

/*
 * Thread sanitizer keeps a call stack for each fiber: between its switch and ours no
 * function may be entered or left that it counts.
 */
#if defined(__clang__)
#define CORO_UNSEEN __attribute__((no_sanitize("thread"), disable_sanitizer_instrumentation))
#else
#define CORO_UNSEEN __attribute__((no_sanitize("thread")))
#endif

struct coro {
#ifdef CORO_X86_64
	void *sp; /* while it does not run */
#else
	ucontext_t context;
#endif
	void *map; /* guard page and stack; NULL for an adopted one */
	size_t map_size;
	const void *stack; /* lowest byte; of an adopted one known after its first switch */
	size_t stack_size;
	void *fake_stack; /* address sanitizer's */
	void *fiber;      /* thread sanitizer's */
	void (*fn)(void *arg);
	void *arg;
};

/* Who switched last, for the one that goes on. All coroutines are of one thread. */
static struct coro *came_from;

/* What the sanitizers must hear before a switch; @dies: @from never runs again. */
CORO_UNSEEN static void tell_leaving(struct coro *from, struct coro *to, bool dies)
{
	came_from = from;
#ifdef CORO_ASAN
	__sanitizer_start_switch_fiber(dies ? NULL : &from->fake_stack, to->stack, to->stack_size);
#endif
#ifdef CORO_TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* ... and after it, in the one that goes on, with the fake stack it left behind. */
static void tell_arrived(void *fake_stack)
{
#ifdef CORO_ASAN
	__sanitizer_finish_switch_fiber(fake_stack, &came_from->stack, &came_from->stack_size);
#endif
}

static void coro_main(struct coro *self)
{
	tell_arrived(NULL);
	self->fn(self->arg);
	vkf_panic(__FILE__, __LINE__, "a coroutine returned");
}

#ifdef CORO_X86_64

/*
 * void coro_swap(void **save_sp, void *sp): push what the ABI says a function
 * keeps, the two control words included; change stacks; pop the same there. A new
 * stack is laid out by coro_prepare() to pop into coro_entry, which finds the
 * coroutine in rbx.
 */
__asm__(".text\n"
	".p2align 4\n"
	".type coro_swap,@function\n"
	"coro_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	subq $8, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"	addq $8, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size coro_swap,.-coro_swap\n"
	".type coro_entry,@function\n"
	"coro_entry:\n"
	"	movq %rbx, %rdi\n"
	"	xorl %ebp, %ebp\n"
	"	call *%r12\n"
	"	ud2\n"
	".size coro_entry,.-coro_entry\n");

void coro_swap(void **save_sp, void *sp) __asm__("coro_swap");
void coro_entry(void) __asm__("coro_entry");

/* struct coro_frame - what coro_swap() leaves on a stack, lowest address first */
struct coro_frame {
	uint32_t mxcsr;
	uint16_t fpu_control, pad;
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uint64_t ret;
	uint64_t align[2];
};

static void coro_prepare(struct coro *c)
{
	/* Popped up to and with @ret, the stack is a multiple of 16, as before any call. */
	struct coro_frame *f = (struct coro_frame *)((char *)c->map + c->map_size) - 1;

	*f = (struct coro_frame){
		.mxcsr = 0x1f80,
		.fpu_control = 0x37f,
		.rbx = (uintptr_t)c,
		.r12 = (uintptr_t)coro_main,
		.ret = (uintptr_t)coro_entry,
	};
	c->sp = f;
}

CORO_UNSEEN static void coro_jump(struct coro *from, struct coro *to)
{
	coro_swap(&from->sp, to->sp);
}

#else

static void coro_trampoline(unsigned int high, unsigned int low)
{
	coro_main((struct coro *)((uintptr_t)high << 16 << 16 | low));
}

static void coro_prepare(struct coro *c)
{
	uintptr_t p = (uintptr_t)c;

	getcontext(&c->context);
	c->context.uc_stack.ss_sp = (void *)c->stack;
	c->context.uc_stack.ss_size = c->stack_size;
	makecontext(&c->context, (void (*)(void))coro_trampoline, 2, (unsigned int)(p >> 16 >> 16),
		    (unsigned int)p);
}

CORO_UNSEEN static void coro_jump(struct coro *from, struct coro *to)
{
	swapcontext(&from->context, &to->context);
}

#endif

struct coro *coro_adopt(void)
{
	struct coro *c = calloc(1, sizeof(*c));

#ifdef CORO_TSAN
	if (c)
		c->fiber = __tsan_get_current_fiber();
#endif
	return c;
}

/* Stacks that were used, of one size, with their guard pages: a new one costs system calls and page
 * faults. A simulation makes thousands of coroutines, and few at a time. */
static struct {
	size_t map_size;
	unsigned int n;
	void *map[64];
} spare;

static void *stack_map(size_t size)
{
	void *p;

	if (spare.n && spare.map_size == size)
		return spare.map[--spare.n];
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p != MAP_FAILED)
		mprotect(p, VKF_PAGE_SIZE, PROT_NONE);
	return p;
}

static void stack_unmap(void *map, size_t size)
{
	if (spare.n < VKF_ARRAY_SIZE(spare.map) && (!spare.n || spare.map_size == size)) {
		spare.map_size = size;
		spare.map[spare.n++] = map;
	} else {
		munmap(map, size);
	}
}

struct coro *coro_create(size_t stack_size, void (*fn)(void *arg), void *arg)
{
	struct coro *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->stack_size = VKF_ALIGN_UP(stack_size, (size_t)VKF_PAGE_SIZE);
	c->map_size = c->stack_size + VKF_PAGE_SIZE;
	c->map = stack_map(c->map_size);
	if (c->map == MAP_FAILED) {
		free(c);
		return NULL;
	}
	c->stack = (char *)c->map + VKF_PAGE_SIZE;
#ifdef CORO_ASAN
	/* The address may have been a stack before, left half way with its red zones. */
	__asan_unpoison_memory_region(c->stack, c->stack_size);
#endif
	c->fn = fn;
	c->arg = arg;
#ifdef CORO_TSAN
	c->fiber = __tsan_create_fiber(0);
#endif
	coro_prepare(c);
	return c;
}

void coro_destroy(struct coro *c)
{
#ifdef CORO_TSAN
	if (c->map)
		__tsan_destroy_fiber(c->fiber);
#endif
	if (c->map)
		stack_unmap(c->map, c->map_size);
	free(c);
}

CORO_UNSEEN void coro_switch(struct coro *from, struct coro *to)
{
	tell_leaving(from, to, false);
	coro_jump(from, to);
	tell_arrived(from->fake_stack);
}

CORO_UNSEEN void coro_exit_to(struct coro *from, struct coro *to)
{
	tell_leaving(from, to, true);
	coro_jump(from, to);
	__builtin_unreachable();
}
