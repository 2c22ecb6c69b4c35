/* SPDX-License-Identifier: MIT */
/* An engine that is a thread survives memory that is gone, and the program's signal actions are
 * what the program made them. */
#include "shim_test.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engine_program.h"
#include "stub_engine.h"

#define PAGE   4096
#define ROUNDS 6000

static void *volatile bad = (void *)8;

static void fault(void)
{
	*(volatile int *)bad = 1;
}

/* ------------------------------------------------ memory that comes and goes */

struct flicker {
	void *at;
	atomic_bool stop;
};

static void *flicker(void *arg)
{
	struct flicker *f = arg;

	while (!atomic_load(&f->stop)) {
		munmap(f->at, 2 * PAGE);
		mmap(f->at, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		mprotect(f->at, 2 * PAGE, PROT_READ | PROT_WRITE);
		*(volatile int *)f->at = 1;
	}
	return NULL;
}

static int vanishing(int argc, char **argv)
{
	static const unsigned int words[] = { STUB_LOAD, STUB_ADD, STUB_COPY };
	struct flicker f = { .at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
	struct program p;
	pthread_t t;
	int r = 0;

	if (program_start(&p) < 0)
		return 1;
	pthread_create(&t, NULL, flicker, &f);
	for (int i = 0; i < ROUNDS && !r; i++)
		r = load_result(&p, words[i % 3], f.at) ? 0 : 2;
	atomic_store(&f.stop, true);
	pthread_join(t, NULL);
	if (r || load_result(&p, STUB_ADD, f.at) != 1)
		return r ? r : 3;
	munmap(f.at, PAGE);
	return load_result(&p, STUB_ADD, f.at) == 2 ? 0 : 4;
}

static void memory_that_vanishes_under_an_access_is_efault(void **state)
{
	assert_int_equal(shim_child("vanishing"), 0);
}

/* ------------------------------------------------ handlers */

static sigjmp_buf back;
static volatile sig_atomic_t n_calls, blocked_usr1, was_sent;
static void *volatile fault_addr;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	sigset_t now;

	n_calls++;
	fault_addr = info->si_addr;
	was_sent = info->si_code <= 0;
	sigprocmask(SIG_BLOCK, NULL, &now);
	blocked_usr1 = sigismember(&now, SIGUSR1);
	if (!was_sent)
		siglongjmp(back, 1);
}

static void on_plain(int sig)
{
	n_calls++;
	siglongjmp(back, 1);
}

static int set_handler(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigaddset(&sa.sa_mask, SIGUSR1);
	return sigaction(sig, &sa, NULL);
}

static bool is_reported(int sig)
{
	struct sigaction sa;

	return !sigaction(sig, NULL, &sa) && sa.sa_sigaction == on_fault &&
	       (sa.sa_flags & (SA_SIGINFO | SA_RESTART | SA_RESETHAND | SA_ONSTACK)) ==
		       (SA_SIGINFO | SA_RESTART) &&
	       sigismember(&sa.sa_mask, SIGUSR1) == 1 && sigismember(&sa.sa_mask, SIGUSR2) == 0;
}

/* A fault of the engine's, of which the program learns nothing; then one of the program's. */
static bool both_fault(struct program *p)
{
	n_calls = 0;
	if (load_result(p, STUB_LOAD, bad) != 2 || n_calls)
		return false;
	if (!sigsetjmp(back, 1))
		fault();
	return n_calls == 1;
}

static int handlers(int argc, char **argv)
{
	bool before = !strcmp(argv[0], "before");
	struct program p;

	if ((before && set_handler(SIGSEGV)) || program_start(&p) < 0 ||
	    (!before && set_handler(SIGSEGV)))
		return 1;
	if (!is_reported(SIGSEGV) || is_reported(SIGBUS))
		return 2;
	if (!both_fault(&p) || fault_addr != bad || !blocked_usr1 || was_sent)
		return 3;
	if (raise(SIGSEGV) || n_calls != 2 || !was_sent)
		return 4;
	/* And again: nothing was used up. */
	return is_reported(SIGSEGV) && both_fault(&p) ? 0 : 5;
}

static void the_programs_handler_is_called_for_its_own_faults(void **state)
{
	assert_int_equal(shim_child_wait(shim_child_start(NULL, "handlers", "before", NULL)), 0);
	assert_int_equal(shim_child_wait(shim_child_start(NULL, "handlers", "after", NULL)), 0);
}

static int bus(int argc, char **argv)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	volatile int *empty = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct program p;

	if (program_start(&p) < 0 || set_handler(SIGBUS))
		return 1;
	if (load_result(&p, STUB_LOAD, empty) != 2 || n_calls)
		return 2;
	if (!sigsetjmp(back, 1))
		*empty = 1;
	return n_calls == 1 && is_reported(SIGBUS) && !is_reported(SIGSEGV) ? 0 : 3;
}

static void a_file_that_is_too_short_is_efault_too(void **state)
{
	assert_int_equal(shim_child("bus"), 0);
}

/* The two traditions of signal(), and a handler for one time. */
static int traditions(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESETHAND };
	struct sigaction old;
	struct program p;

	if (program_start(&p) < 0 || signal(SIGSEGV, on_plain) != SIG_DFL)
		return 1;
	if (!both_fault(&p) || !both_fault(&p))
		return 2;
	if (signal(SIGSEGV, SIG_ERR) != SIG_ERR || errno != EINVAL)
		return 3;
	if (sysv_signal(SIGSEGV, on_plain) != on_plain || !both_fault(&p))
		return 4;
	if (signal(SIGSEGV, SIG_IGN) != SIG_DFL || raise(SIGSEGV))
		return 5;
	if (sigaction(SIGSEGV, &sa, &old) || old.sa_handler != SIG_IGN || !both_fault(&p))
		return 6;
	return sigaction(SIGSEGV, NULL, &old) || old.sa_handler != SIG_DFL ||
	       !(old.sa_flags & SA_RESETHAND);
}

static void signal_and_one_time_handlers_are_what_they_were(void **state)
{
	assert_int_equal(shim_child("traditions"), 0);
}

static int dies(int argc, char **argv)
{
	struct program p;

	if (program_start(&p) < 0 || load_result(&p, STUB_LOAD, bad) != 2)
		return 1;
	if (strstr(argv[0], "ignored"))
		signal(SIGSEGV, SIG_IGN);
	if (strstr(argv[0], "sent"))
		raise(SIGSEGV);
	else
		fault();
	return 2;
}

static void without_a_handler_the_program_dies_of_its_fault(void **state)
{
	static const struct {
		const char *how;
		int status;
	} ends[] = { { "faults", 1000 + SIGSEGV },
		     { "faults, ignored", 1000 + SIGSEGV },
		     { "sent", 1000 + SIGSEGV },
		     { "sent, ignored", 2 } };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		assert_int_equal(shim_child_wait(shim_child_start(NULL, "dies", ends[i].how, NULL)),
				 ends[i].status);
	assert_true(shim_engines_become(0));
}

/* ------------------------------------------------ children */

static int in_fork(void)
{
	struct program mine;

	if (!is_reported(SIGSEGV) || sigsetjmp(back, 1))
		_exit(1);
	n_calls = 0;
	if (!sigsetjmp(back, 1))
		fault();
	if (n_calls != 1 || program_start(&mine) < 0 || !both_fault(&mine))
		_exit(2);
	signal(SIGSEGV, SIG_DFL);
	fault();
	_exit(3);
}

static int children(int argc, char **argv)
{
	struct program p;
	int status;
	pid_t pid;

	if (program_start(&p) < 0 || set_handler(SIGSEGV))
		return 1;
	pid = fork();
	if (pid == 0)
		in_fork();
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
		return 2;
	pid = vfork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return is_reported(SIGSEGV) && both_fault(&p) ? 0 : 3;
}

static void a_childs_actions_are_its_own(void **state)
{
	assert_int_equal(shim_child("children"), 0);
}

/* What the kernel knows as the action, whoever set it. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static int past_libc(int argc, char **argv)
{
	struct kernel_action none = { 0 }, now;
	struct sigaction sa;
	struct program p;

	if (program_start(&p) < 0 || set_handler(SIGSEGV))
		return 1;
	syscall(SYS_rt_sigaction, SIGSEGV, &none, NULL, 8);
	if (sigaction(SIGSEGV, NULL, &sa) || sa.sa_handler != SIG_DFL)
		return 2;
	if (set_handler(SIGSEGV) || !is_reported(SIGSEGV))
		return 3;
	syscall(SYS_rt_sigaction, SIGSEGV, NULL, &now, 8);
	return now.handler != (void *)on_fault && both_fault(&p) ? 0 : 4;
}

static void actions_that_were_set_past_libc_are_seen(void **state)
{
	assert_int_equal(shim_child("past_libc"), 0);
}

/* With the engine in a process of its own the kernel has the program's handler. */
static int untouched(int argc, char **argv)
{
	struct kernel_action now;
	struct program p;

	if (set_handler(SIGSEGV) || program_start(&p) < 0 || !both_fault(&p))
		return 1;
	syscall(SYS_rt_sigaction, SIGSEGV, NULL, &now, 8);
	return now.handler != (void *)on_fault;
}

static void a_program_without_such_a_thread_keeps_its_actions(void **state)
{
	unsetenv("VKFD_ENGINE");
	assert_int_equal(shim_child("untouched"), 0);
	setenv("VKFD_ENGINE", "thread", 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_vanishes_under_an_access_is_efault),
		cmocka_unit_test(the_programs_handler_is_called_for_its_own_faults),
		cmocka_unit_test(a_file_that_is_too_short_is_efault_too),
		cmocka_unit_test(signal_and_one_time_handlers_are_what_they_were),
		cmocka_unit_test(without_a_handler_the_program_dies_of_its_fault),
		cmocka_unit_test(a_childs_actions_are_its_own),
		cmocka_unit_test(actions_that_were_set_past_libc_are_seen),
		cmocka_unit_test(a_program_without_such_a_thread_keeps_its_actions),
	};
	static const struct shim_child children_of[] = {
		{ "vanishing", vanishing },   { "handlers", handlers },   { "bus", bus },
		{ "traditions", traditions }, { "dies", dies },           { "children", children },
		{ "past_libc", past_libc },   { "untouched", untouched },
	};
	static const struct shim_suite suite = { "shim_guard", tests,
						 sizeof(tests) / sizeof(tests[0]), children_of,
						 sizeof(children_of) / sizeof(children_of[0]) };

	if (argc < 2)
		setenv("VKFD_ENGINE", "thread", 1);
	return shim_test_main(argc, argv, &suite);
}
