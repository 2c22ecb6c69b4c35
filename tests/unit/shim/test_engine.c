/* SPDX-License-Identifier: MIT */
/* What runs the engine: it starts, is not seen, sleeps without missing a doorbell, and ends. */
#include "shim_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kfd_ioctl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "engine_program.h"
#include "stub_engine.h"

#define PAGE    4096
#define STORES  25000 /* of each of THREADS */
#define FEWER   8000  /* the same where what is different is not in the protocol */
#define THREADS 4

static int field_of_status(const char *field)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	int v = -1;

	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			v = atoi(line + strlen(field));
	fclose(f);
	return v;
}

/* ------------------------------------------------ as a process */

static volatile sig_atomic_t children_ended;

static void on_child(int sig)
{
	children_ended++;
}

static int invisible(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_child };
	struct program p;

	sigaction(SIGCHLD, &sa, NULL);
	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	if (shim_counts().engines != 1)
		return 2;
	if (waitpid(-1, NULL, 0) != -1 || errno != ECHILD)
		return 3;
	if (waitpid(-1, NULL, __WALL | WNOHANG) != -1 || errno != ECHILD)
		return 4;
	if (field_of_status("Threads:") != 1 || children_ended)
		return 5;
	return create_queue(p.kfd) || shim_counts().engines != 1 ? 6 : 0;
}

static void the_engine_is_not_seen_by_its_program(void **state)
{
	assert_int_equal(shim_child("invisible"), 0);
	assert_true(shim_engines_become(0));
}

static bool file_has(pid_t pid, const char *name, const char *text)
{
	char path[64], buf[16384];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, buf, sizeof(buf));
	if (fd >= 0)
		close(fd);
	return n > 0 && memmem(buf, (size_t)n, text, strlen(text));
}

/* Find ours as the system sees it: it has our memory, and so our environment. Return: 0: none. */
static pid_t engine_pid(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while ((e = readdir(dir))) {
		pid_t pid = atoi(e->d_name);

		if (pid > 0 && file_has(pid, "comm", "vkfd-engine\n") &&
		    file_has(pid, "environ", getenv("VKFD_RUNTIME")))
			found = pid;
	}
	closedir(dir);
	return found;
}

/* The same where it is a thread of this program. Return: 0: none. */
static pid_t engine_tid(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	pid_t found = 0;

	while ((e = readdir(dir))) {
		pid_t tid = atoi(e->d_name);

		if (tid > 0 && file_has(tid, "comm", "vkfd-engine\n"))
			found = tid;
	}
	closedir(dir);
	return found;
}

static int no_inheritance(int argc, char **argv)
{
	struct program p;
	char path[64], link[64];
	unsigned int n = 0;
	struct dirent *e;
	pid_t pid;
	DIR *dir;

	if (program_start(&p) < 0)
		return 1;
	pid = engine_pid();
	if (!pid || getpgid(pid) == getpgid(0) || getsid(pid) == getsid(0))
		return 2;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while ((e = readdir(dir))) {
		char name[400];
		ssize_t len;

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		len = readlink(name, link, sizeof(link) - 1);
		if (len < 0)
			continue;
		link[len] = '\0';
		n++;
		if (strncmp(link, "socket:", 7) && !strstr(link, "userfaultfd"))
			return 3;
	}
	closedir(dir);
	return n == 2 ? 0 : 4;
}

static void the_engine_has_nothing_of_its_programs_descriptors(void **state)
{
	assert_int_equal(shim_child("no_inheritance"), 0);
}

static int just_start(int argc, char **argv)
{
	struct program p;

	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	printf("started\n");
	fflush(stdout);
	if (!strcmp(argv[0], "exit"))
		exit(7);
	if (!strcmp(argv[0], "exec"))
		execlp("sleep", "sleep", "3", NULL);
	if (!strcmp(argv[0], "endless"))
		atomic_store(&p.bell[STUB_ENDLESS], 1);
	if (!strcmp(argv[0], "waiting"))
		atomic_store(&p.bell[STUB_WAITING], 1);
	for (;;)
		pause();
}

static pid_t start_and_wait(const char *how)
{
	int out[2];
	char buf[16];
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execl("/proc/self/exe", "test", "--child", "just_start", how, NULL);
	}
	close(out[1]);
	assert_true(read(out[0], buf, sizeof(buf)) > 0);
	close(out[0]);
	return pid;
}

static void the_engine_ends_with_its_program(void **state)
{
	static const char *const how[] = { "exit", "exec", "sleep", "endless", "waiting" };

	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		pid_t pid = start_and_wait(how[i]);

		if (i > 1)
			assert_int_equal(shim_counts().engines, 1);
		shim_sleep_ms(20);
		/* Long before what was exec'ed ends. */
		if (i > 1)
			kill(pid, SIGKILL);
		assert_true(shim_engines_become(0));
		if (i == 1)
			kill(pid, SIGKILL);
		shim_child_wait(pid);
	}
}

static void a_pipeline_that_reads_the_program_ends(void **state)
{
	pid_t pid;
	int out[2];
	char buf[64];

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		execl("/proc/self/exe", "test", "--child", "just_start", "exit", NULL);
	}
	close(out[1]);
	while (read(out[0], buf, sizeof(buf)) > 0)
		;
	close(out[0]);
	assert_int_equal(shim_child_wait(pid), 7);
}

static int driver_killed(int argc, char **argv)
{
	struct program p;

	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	if (!strcmp(argv[1], "endless"))
		atomic_store(&p.bell[STUB_ENDLESS], 1);
	kill(atoi(argv[0]), SIGKILL);
	if (state_becomes(&p, GPU_ENGINE_DEAD) != GPU_ENGINE_DEAD)
		return 2;
	/* Nobody holds the doorbells any more. */
	atomic_store(&p.bell[1], 5);
	return 0;
}

static void the_engine_ends_with_its_driver(void **state)
{
	static const char *const how[] = { "idle", "endless" };

	for (size_t i = 0; i < 2; i++) {
		struct fake_driver d;
		char pid[16];

		assert_int_equal(fake_driver_start(&d), 0);
		snprintf(pid, sizeof(pid), "%d", d.pid);
		assert_int_equal(
			shim_child_wait(shim_child_start(&d, "driver_killed", pid, how[i], NULL)),
			0);
		fake_driver_stop(&d);
	}
}

/* ------------------------------------------------ doorbells */

struct ringer {
	struct program *program;
	unsigned int index;
	unsigned int stores;
	unsigned int lost;
};

static void *ring_often(void *arg)
{
	struct ringer *r = arg;
	unsigned int seed = r->index + 1;
	struct timespec pause;

	for (unsigned int i = 1; i <= r->stores; i++) {
		if (!ring(r->program, r->index, i)) {
			r->lost++;
			break;
		}
		/* Around the time that the engine lingers before it arms. */
		seed = seed * 1103515245 + 12345;
		pause = (struct timespec){ 0, (seed >> 16) % 60000 };
		if (seed & 1)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static int stress(int argc, char **argv)
{
	struct ringer r[THREADS];
	pthread_t t[THREADS];
	struct program p;
	unsigned int lost = 0;

	if (program_start(&p) < 0)
		return 1;
	for (unsigned int i = 0; i < THREADS; i++) {
		r[i] = (struct ringer){ &p, i, (unsigned int)atoi(argv[0]), 0 };
		pthread_create(&t[i], NULL, ring_often, &r[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		lost += r[i].lost;
	}
	return lost ? 2 : 0;
}

/* How many stores each thread makes, as text. */
static const char *stores_of_each(int by_default, char text[16])
{
	const char *n = getenv("SHIM_TEST_STORES");

	snprintf(text, 16, "%d", n ? atoi(n) / THREADS : by_default);
	return text;
}

static void no_doorbell_is_lost(void **state)
{
	char text[16];
	const char *stores = stores_of_each(STORES, text);

	assert_int_equal(shim_child_wait(shim_child_start(NULL, "stress", stores, NULL)), 0);
}

/* A store after a long sleep, and mappings that come and go while the engine sleeps. */
static int sleepy(int argc, char **argv)
{
	struct program p;
	uint64_t v = 1;

	if (program_start(&p) < 0 || !ring(&p, 0, v++))
		return 1;
	if (state_becomes(&p, GPU_ENGINE_ASLEEP) != GPU_ENGINE_ASLEEP)
		return 2;
	for (int i = 0; i < 20; i++) {
		shim_sleep_ms(15);
		if (!ring(&p, 0, v++))
			return 3;
	}
	for (int i = 0; i < 100; i++) {
		void *old = (void *)p.bell;

		shim_sleep_ms(i % 3);
		p.bell = mmap(NULL, BELLS, PROT_READ | PROT_WRITE, MAP_SHARED, p.kfd,
			      (off_t)(3ULL << 62));
		/* Something else where the doorbells were: a file can be read into it. */
		if (mmap(old, BELLS, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != old)
			return 4;
		shim_sleep_ms(i % 2);
		if (i % 4 == 0) {
			int fd = open("/proc/self/exe", O_RDONLY);

			if (read(fd, old, BELLS) != BELLS)
				return 5;
			close(fd);
		}
		if (!ring(&p, 0, v++))
			return 6;
		/* The same place again. */
		if (i % 5 == 0)
			p.bell = mmap((void *)p.bell, BELLS, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, p.kfd, (off_t)(3ULL << 62));
		if (!ring(&p, 0, v++))
			return 7;
		munmap(old, BELLS);
	}
	return 0;
}

static void a_sleeping_engine_sees_new_mappings(void **state)
{
	assert_int_equal(shim_child("sleepy"), 0);
}

/* What a doorbell rings for is begun while its store waits: who is let go may want the CPU. */
static int begun_first(int argc, char **argv)
{
	struct program p;

	/* Once it has been rung it knows the mapping, and sleeps only with that armed. */
	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	for (uint64_t v = 5; v < 25; v++) {
		uint64_t before = atomic_load(&p.bell[STUB_PEEK]);

		if (state_becomes(&p, GPU_ENGINE_ASLEEP) != GPU_ENGINE_ASLEEP)
			return 2;
		if (!ring(&p, STUB_PEEK, v))
			return 3;
		if (atomic_load(&p.ctrl->queue[STUB_PEEK].packets) != 1 + before)
			return 4;
	}
	return 0;
}

static void what_is_rung_for_is_begun_before_the_store_is_let_go(void **state)
{
	assert_int_equal(shim_child("begun_first"), 0);
}

/* How often the engine has given its CPU up by itself; -1: there is none. */
static long engine_sleeps(void)
{
	char path[64], line[256];
	pid_t pid = engine_pid();
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid ? pid : engine_tid());
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (f)
		fclose(f);
	return n;
}

/* Asleep, it may not have given its CPU up yet; after that it sleeps through. */
static int idle_is_free(int argc, char **argv)
{
	struct program p;
	long before;

	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	if (state_becomes(&p, GPU_ENGINE_ASLEEP) != GPU_ENGINE_ASLEEP)
		return 2;
	before = engine_sleeps();
	shim_sleep_ms(1000);
	if (state_becomes(&p, GPU_ENGINE_ASLEEP) != GPU_ENGINE_ASLEEP)
		return 3;
	return before < 0 || engine_sleeps() - before > 1 ? 4 : 0;
}

static void an_idle_engine_never_wakes(void **state)
{
	assert_int_equal(shim_child("idle_is_free"), 0);
}

static int child_of_fork_stores(int argc, char **argv)
{
	struct program p;
	pid_t pid;

	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	pid = fork();
	if (pid == 0) {
		struct program mine;

		if (program_start(&mine) < 0 || !ring(&mine, 0, 99))
			_exit(1);
		_exit(0);
	}
	if (shim_child_wait(pid) != 0)
		return 2;
	return ring(&p, 0, 2) ? 0 : 3;
}

static void a_forked_child_has_an_engine_of_its_own(void **state)
{
	assert_int_equal(shim_child("child_of_fork_stores"), 0);
}

/* ------------------------------------------------ memory */

static int memory(int argc, char **argv)
{
	volatile uint64_t *good =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile uint64_t on_stack = 5;
	struct program p;

	if (program_start(&p) < 0)
		return 1;
	if (load_result(&p, STUB_LOAD, good) != 1 || load_result(&p, STUB_LOAD, &on_stack) != 1)
		return 2;
	if (load_result(&p, STUB_ADD, &on_stack) != 1 || on_stack != 6)
		return 3;
	good[3] = 33;
	if (load_result(&p, STUB_COPY, good) != 1 || good[PAGE / 8 + 3] != 33)
		return 4;
	if (load_result(&p, STUB_LOAD, (void *)8) != 2 ||
	    load_result(&p, STUB_LOAD, (void *)(1UL << 60)) != 2)
		return 5;
	mprotect((void *)good, 4 * PAGE, PROT_READ);
	if (load_result(&p, STUB_ADD, good) != 2 || load_result(&p, STUB_COPY, good) != 2)
		return 6;
	munmap((void *)good, PAGE);
	if (load_result(&p, STUB_LOAD, good) != 2 || load_result(&p, STUB_COPY, good) != 2)
		return 7;
	/* And the engine goes on. */
	return ring(&p, 0, 1) ? 0 : 8;
}

static void memory_that_is_gone_is_efault(void **state)
{
	assert_int_equal(shim_child("memory"), 0);
}

static int crash(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };
	struct program p;

	/* The program's own signal actions are none of the engine's. */
	sigaction(SIGSEGV, &sa, NULL);
	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	atomic_store(&p.bell[STUB_CRASH], 0x10);
	if (state_becomes(&p, GPU_ENGINE_DEAD) != GPU_ENGINE_DEAD)
		return 2;
	return shim_engines_become(0) ? 0 : 3;
}

static void an_engine_that_breaks_takes_nobody_along(void **state)
{
	assert_int_equal(shim_child("crash"), 0);
}

/* ------------------------------------------------ as a thread, and not at all */

static void with_mode(const char *mode, const char *child, const char *arg)
{
	setenv("VKFD_ENGINE", mode, 1);
	assert_int_equal(shim_child_wait(shim_child_start(NULL, child, arg, NULL)), 0);
	unsetenv("VKFD_ENGINE");
}

static int as_thread(int argc, char **argv)
{
	struct program p;
	int max = (int)sysconf(_SC_OPEN_MAX), hidden = 0;

	if (program_start(&p) < 0 || !ring(&p, 0, 1))
		return 1;
	if (field_of_status("Threads:") != 2)
		return 2;
	for (int i = max - 10; i < max; i++)
		hidden += fcntl(i, F_GETFD) >= 0;
	if (hidden != 3)
		return 3;
	closefrom(3);
	shim_sleep_ms(50);
	return ring(&p, 0, 2) ? 0 : 4;
}

static void the_engine_can_be_a_thread(void **state)
{
	with_mode("thread", "as_thread", NULL);
	assert_true(shim_engines_become(0));
	with_mode("thread", "memory", NULL);
	with_mode("thread", "sleepy", NULL);
	with_mode("thread", "child_of_fork_stores", NULL);
	with_mode("thread", "crash", NULL);
}

static void no_doorbell_of_a_thread_is_lost(void **state)
{
	char text[16];

	with_mode("thread", "stress", stores_of_each(FEWER, text));
}

static void an_idle_thread_never_wakes(void **state)
{
	with_mode("thread", "idle_is_free", NULL);
}

static int without_engine(int argc, char **argv)
{
	struct program p;

	if (program_start(&p) < 0)
		return 1;
	atomic_store(&p.bell[0], 1);
	shim_sleep_ms(100);
	return atomic_load(&p.ctrl->queue[0].rptr) || shim_counts().engines ||
	       field_of_status("Threads:") != 1;
}

static void there_need_not_be_an_engine(void **state)
{
	with_mode("none", "without_engine", NULL);
}

/* clone() with CLONE_VM and neither CLONE_THREAD nor CLONE_VFORK is EPERM, as in a sandbox. */
static int forbid_clone(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_VM | CLONE_THREAD),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLONE_VM, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static int refused(int argc, char **argv)
{
	struct program p;
	char text[256];
	int err[2];
	ssize_t n;

	if (forbid_clone() < 0 || pipe(err) < 0 || dup2(err[1], 2) < 0)
		return 1;
	if (program_start(&p) < 0 || !ring(&p, 0, 1) || create_queue(p.kfd) < 0)
		return 2;
	if (field_of_status("Threads:") != 2)
		return 3;
	/* It says so, once. */
	n = read(err[0], text, sizeof(text));
	if (n <= 0 || memcmp(text, "vkfd: ", 6) || memchr(text, '\n', (size_t)n) != text + n - 1)
		return 4;
	return 0;
}

static void a_refused_process_becomes_a_thread(void **state)
{
	assert_int_equal(shim_child("refused"), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_engine_is_not_seen_by_its_program),
		cmocka_unit_test(the_engine_has_nothing_of_its_programs_descriptors),
		cmocka_unit_test(the_engine_ends_with_its_program),
		cmocka_unit_test(a_pipeline_that_reads_the_program_ends),
		cmocka_unit_test(the_engine_ends_with_its_driver),
		cmocka_unit_test(no_doorbell_is_lost),
		cmocka_unit_test(a_sleeping_engine_sees_new_mappings),
		cmocka_unit_test(what_is_rung_for_is_begun_before_the_store_is_let_go),
		cmocka_unit_test(an_idle_engine_never_wakes),
		cmocka_unit_test(a_forked_child_has_an_engine_of_its_own),
		cmocka_unit_test(memory_that_is_gone_is_efault),
		cmocka_unit_test(an_engine_that_breaks_takes_nobody_along),
		cmocka_unit_test(the_engine_can_be_a_thread),
		cmocka_unit_test(no_doorbell_of_a_thread_is_lost),
		cmocka_unit_test(an_idle_thread_never_wakes),
		cmocka_unit_test(there_need_not_be_an_engine),
		cmocka_unit_test(a_refused_process_becomes_a_thread),
	};
	static const struct shim_child children[] = {
		{ "invisible", invisible },
		{ "no_inheritance", no_inheritance },
		{ "just_start", just_start },
		{ "driver_killed", driver_killed },
		{ "stress", stress },
		{ "sleepy", sleepy },
		{ "begun_first", begun_first },
		{ "idle_is_free", idle_is_free },
		{ "child_of_fork_stores", child_of_fork_stores },
		{ "memory", memory },
		{ "crash", crash },
		{ "as_thread", as_thread },
		{ "without_engine", without_engine },
		{ "refused", refused },
	};
	static const struct shim_suite suite = { "shim_engine", tests,
						 sizeof(tests) / sizeof(tests[0]), children,
						 sizeof(children) / sizeof(children[0]) };

	return shim_test_main(argc, argv, &suite);
}
