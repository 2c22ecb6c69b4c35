/* SPDX-License-Identifier: MIT */
/**
 * DOC: The engine as a process in the program's memory
 *
 * It has the program's address space and nothing else of it: its own table of
 * descriptors (emptied at once, or a reader of the program's output would wait for
 * the engine to end, too), its own signal actions (the program's handlers are not
 * for it), its own session, so that no terminal reaches it.
 */
#include "shim/engine.h"

#include <errno.h>
#include <linux/prctl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <ucontext.h>
#include "shim/sys_raw.h"

#define ARCH_SET_FS        0x1002
#define KERNEL_SA_RESTORER 0x04000000
#define N_SIGNALS          64
/* Descriptors to close one by one where close_range() is missing. */
#define CLOSE_MAX 65536

__asm__(".text\n"
	".p2align 4\n"
	".globl engine_clone\n.hidden engine_clone\n"
	"engine_clone:\n" /* rdi flags, rsi stack, rdx fn, rcx arg */
	"	sub $16, %rsi\n"
	"	mov %rdx, (%rsi)\n"
	"	mov %rcx, 8(%rsi)\n"
	"	xor %edx, %edx\n"
	"	xor %r10d, %r10d\n"
	"	xor %r8d, %r8d\n"
	"	mov $56, %eax\n" /* clone */
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xor %ebp, %ebp\n"
	"	pop %rax\n"
	"	pop %rdi\n"
	"	call *%rax\n"
	"	hlt\n"
	".globl engine_sigreturn\n.hidden engine_sigreturn\n"
	"engine_sigreturn:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n");

void engine_sigreturn(void);
_Static_assert(__NR_clone == 56 && __NR_rt_sigreturn == 15, "the numbers above");

/* struct sigaction as the kernel has it. */
struct kernel_action {
	void (*handler)(int sig, siginfo_t *info, void *context);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* Of this process; a copy of it means nothing in a child of the program. */
static struct engine *current;

__attribute__((noreturn)) static void leave(int code)
{
	for (;;)
		SYS1(exit_group, code);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t to = engine_mem_fixup((uint64_t)uc->uc_mcontext.gregs[REG_RIP]);

	if (to) {
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)to;
		return;
	}
	/* The engine itself is broken, maybe by a wild store of the program. */
	gpu_engine_set_state(current->gpu, GPU_ENGINE_DEAD);
	leave(128 + sig);
}

static void reset_signals(struct engine *e)
{
	struct kernel_action none = { NULL, 0, NULL, 0 };
	struct kernel_action fault = { on_fault, SA_SIGINFO | SA_ONSTACK | KERNEL_SA_RESTORER,
				       engine_sigreturn, SYS_ALL_SIGNALS };
	stack_t alt = { .ss_sp = e->alt_stack, .ss_size = ENGINE_ALT_BYTES };
	uint64_t faults = UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1);

	for (int sig = 1; sig <= N_SIGNALS; sig++)
		SYS4(rt_sigaction, sig, &none, NULL, 8);
	SYS2(sigaltstack, &alt, NULL);
	SYS4(rt_sigaction, SIGSEGV, &fault, NULL, 8);
	SYS4(rt_sigaction, SIGBUS, &fault, NULL, 8);
	SYS4(rt_sigprocmask, SIG_UNBLOCK, &faults, NULL, 8);
}

static void close_inherited(void)
{
	if (SYS3(close_range, 0, ~0u, 0) == 0)
		return;
	for (int fd = 0; fd < CLOSE_MAX; fd++)
		sys_close(fd);
}

static void leave_program(struct engine *e)
{
	struct rlimit none = { 0, 0 };

	/* A use of the program's TLS by mistake is a fault, not a quiet corruption. */
	SYS2(arch_prctl, ARCH_SET_FS, 0);
	reset_signals(e);
	close_inherited();
	SYS0(setsid);
	SYS1(chdir, "/");
	SYS2(setrlimit, RLIMIT_CORE, &none);
	SYS2(prctl, PR_SET_NAME, "vkfd-engine");
	SYS2(prctl, PR_SET_TIMERSLACK, 1);
	engine_linger_init();
}

static int connect_driver(struct engine *e)
{
	long fd = SYS3(socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return (int)fd;
	do
		r = SYS3(connect, fd, &e->sock, sizeof(e->sock));
	while (r == -EINTR || r == -EAGAIN);
	if (r < 0)
		return (int)r;
	e->fd = (int)fd;
	return engine_hello(e);
}

void engine_process_main(void *engine)
{
	struct engine *e = engine;
	int r;

	current = e;
	leave_program(e);
	r = connect_driver(e);
	if (!r)
		engine_door_open(e);
	if (!r)
		gpu_engine_set_state(e->gpu, GPU_ENGINE_RUNNING);
	atomic_store(&e->status, r ? r : ENGINE_RUNNING);
	sys_futex_wake(&e->status, 1);
	if (!r)
		engine_run(e);
	leave(0);
}
