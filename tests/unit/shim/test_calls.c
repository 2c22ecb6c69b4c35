/* SPDX-License-Identifier: MIT */
/* An ioctl is a system call to its caller: pointers, signals, threads, a driver that dies. */
#include "shim_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <drm.h>

#define PAGE 4096

static int kfd;

static int open_kfd(void **state)
{
	kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	return kfd < 0;
}

static int close_kfd(void **state)
{
	return close(kfd);
}

/* Two pages of which the second is not there. */
static uint8_t *page_before_nothing(void)
{
	uint8_t *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p + PAGE, PAGE);
	return p;
}

static int call(unsigned long cmd, void *arg)
{
	return ioctl(kfd, cmd, arg) < 0 ? -errno : 0;
}

static void a_block_goes_both_ways(void **state)
{
	struct kfd_ioctl_get_clock_counters_args args = { .gpu_clock_counter = 41, .pad = 7 };

	errno = 4242;
	assert_int_equal(ioctl(kfd, AMDKFD_IOC_GET_CLOCK_COUNTERS, &args), 0);
	assert_int_equal(args.gpu_clock_counter, 42);
	assert_int_equal(args.pad, 7);
	assert_int_equal(errno, 4242);
	assert_int_equal(call(_IOWR('K', 0x70, args), &args), -ENOTTY);
	/* The driver answers even a number that is not of its type. */
	assert_int_equal(call(_IO('z', 0x70), NULL), -EINVAL);
}

static void a_bad_block_is_efault(void **state)
{
	struct kfd_ioctl_get_version_args *half =
		(struct kfd_ioctl_get_version_args *)(page_before_nothing() + PAGE - 4);
	void *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(call(AMDKFD_IOC_GET_VERSION, NULL), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_VERSION, (void *)8), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_VERSION, (void *)-4096L), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_VERSION, (void *)-1L), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_VERSION, (void *)(1L << 47)), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_VERSION, half), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_CLOCK_COUNTERS, half), -EFAULT);
	assert_int_equal(call(AMDKFD_IOC_GET_CLOCK_COUNTERS, read_only), -EFAULT);
	munmap(read_only, PAGE);
	munmap((void *)((uintptr_t)half & ~(uintptr_t)(PAGE - 1)), PAGE);
}

static void a_block_across_pages_is_whole(void **state)
{
	uint8_t *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kfd_ioctl_get_clock_counters_args *args = (void *)(p + PAGE - 4);

	args->gpu_clock_counter = 9;
	args->pad = 1234;
	assert_int_equal(call(AMDKFD_IOC_GET_CLOCK_COUNTERS, args), 0);
	assert_int_equal(args->gpu_clock_counter, 10);
	assert_int_equal(args->pad, 1234);
	munmap(p, 2 * PAGE);
}

static int map_ids(uint32_t *ids, uint32_t n, struct kfd_ioctl_map_memory_to_gpu_args *ret)
{
	*ret = (struct kfd_ioctl_map_memory_to_gpu_args){
		.device_ids_array_ptr = (uintptr_t)ids,
		.n_devices = n,
	};
	return call(AMDKFD_IOC_MAP_MEMORY_TO_GPU, ret);
}

static void an_input_array_is_taken_along(void **state)
{
	struct kfd_ioctl_map_memory_to_gpu_args args;
	uint32_t ids[] = { 5, 6, 7 };
	uint8_t *p = page_before_nothing();
	uint32_t *last = (uint32_t *)(p + PAGE - 8);

	assert_int_equal(map_ids(ids, 3, &args), 0);
	assert_int_equal(args.n_success, 3);
	assert_int_equal(args.handle, 18);
	last[0] = 30;
	last[1] = 12;
	assert_int_equal(map_ids(last, 2, &args), 0);
	assert_int_equal(args.handle, 42);
	assert_int_equal(map_ids(last, 3, &args), -EFAULT);
	assert_int_equal(map_ids(NULL, 1, &args), -EFAULT);
	assert_int_equal(map_ids((uint32_t *)16, 1, &args), -EFAULT);
	assert_int_equal(map_ids(ids, UINT32_MAX, &args), -EFAULT);
	munmap(p, PAGE);
}

static void a_mask_is_counted_in_bits(void **state)
{
	uint8_t *p = page_before_nothing();
	struct kfd_ioctl_set_cu_mask_args args = { .num_cu_mask = 64,
						   .cu_mask_ptr = (uintptr_t)(p + PAGE - 8) };

	assert_int_equal(call(AMDKFD_IOC_SET_CU_MASK, &args), -ENOSPC);
	args.num_cu_mask = 65;
	assert_int_equal(call(AMDKFD_IOC_SET_CU_MASK, &args), -EFAULT);
	args.cu_mask_ptr -= 4;
	assert_int_equal(call(AMDKFD_IOC_SET_CU_MASK, &args), -ENOSPC);
	munmap(p, PAGE);
}

static void an_output_array_is_written(void **state)
{
	struct kfd_process_device_apertures a[4];
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a,
		.num_of_nodes = 3,
	};
	uint8_t *p = page_before_nothing();

	memset(a, 0, sizeof(a));
	assert_int_equal(call(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args), 0);
	for (size_t i = 0; i < 3 * sizeof(a[0]); i++)
		assert_int_equal(((uint8_t *)a)[i], 0x5a);
	assert_int_equal(((uint8_t *)&a[3])[0], 0);
	/* As far as it can be written, it is. */
	args.kfd_process_device_apertures_ptr = (uintptr_t)(p + PAGE - sizeof(a[0]));
	assert_int_equal(call(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args), -EFAULT);
	assert_int_equal(p[PAGE - 1], 0x5a);
	mprotect(p, PAGE, PROT_READ);
	args.num_of_nodes = 1;
	assert_int_equal(call(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args), -EFAULT);
	args.kfd_process_device_apertures_ptr = 0;
	assert_int_equal(call(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args), -EFAULT);
	munmap(p, PAGE);
}

static void an_output_may_be_smaller_than_the_answer(void **state)
{
	int fd = open("/dev/dri/renderD128", O_RDWR);
	char name[8] = "xxxxxxx", desc[64] = { 0 };
	struct drm_version v = { .name = name, .name_len = 2, .desc = desc, .desc_len = 1ul << 40 };

	assert_int_equal(ioctl(fd, DRM_IOCTL_VERSION, &v), 0);
	assert_string_equal(name, "faxxxxx");
	assert_int_equal(v.name_len, 4);
	assert_string_equal(desc, "a driver for tests");
	close(fd);
}

/* ------------------------------------------------ signals */

static volatile sig_atomic_t handled, nested;

static void on_signal(int sig)
{
	handled++;
}

static void on_signal_nested(int sig)
{
	struct kfd_ioctl_get_version_args v = { 0 };
	int saved = errno;

	nested = ioctl(kfd, AMDKFD_IOC_GET_VERSION, &v) == 0 ? (int)v.minor_version : -1;
	handled++;
	errno = saved;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	handled = 0;
	sigaction(sig, &sa, NULL);
}

static void alarm_in_ms(unsigned int ms)
{
	struct itimerval t = { .it_value = { 0, (suseconds_t)ms * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static int wait_ms(uint32_t ms, struct kfd_ioctl_wait_events_args *args,
		   struct kfd_event_data *event)
{
	*args = (struct kfd_ioctl_wait_events_args){
		.events_ptr = (uintptr_t)event,
		.num_events = event ? 1 : 0,
		.timeout = ms,
	};
	return call(AMDKFD_IOC_WAIT_EVENTS, args);
}

static void a_handler_interrupts_a_call(void **state)
{
	struct kfd_ioctl_wait_events_args args;
	struct kfd_event_data event = { .event_id = 1 };
	uint32_t cancels = shim_counts().cancels;

	handle(SIGALRM, on_signal, 0);
	alarm_in_ms(50);
	assert_int_equal(wait_ms(5000, &args, &event), -EINTR);
	assert_int_equal(handled, 1);
	/* The block comes back, as it does from the kernel, and the array. */
	assert_int_equal(args.wait_result, 2);
	assert_int_equal(event.event_id, ~1u);
	assert_int_equal(shim_counts().cancels, cancels + 1);
	assert_int_equal(wait_ms(1, &args, NULL), 0);
}

static void a_handler_with_restart_is_not_noticed(void **state)
{
	struct kfd_ioctl_wait_events_args args;
	uint32_t cancels = shim_counts().cancels;

	handle(SIGALRM, on_signal, SA_RESTART);
	alarm_in_ms(50);
	assert_int_equal(wait_ms(200, &args, NULL), 0);
	assert_int_equal(handled, 1);
	assert_int_equal(args.wait_result, 1);
	assert_int_equal(shim_counts().cancels, cancels);
}

/* Also when the wait is longer than the time between two looks at the driver. */
static void a_long_wait_is_restarted_too(void **state)
{
	struct kfd_ioctl_wait_events_args args;
	struct itimerval t = { { 0, 300000 }, { 0, 300000 } }, none = { 0 };

	handle(SIGALRM, on_signal, SA_RESTART);
	setitimer(ITIMER_REAL, &t, NULL);
	assert_int_equal(wait_ms(1500, &args, NULL), 0);
	setitimer(ITIMER_REAL, &none, NULL);
	assert_true(handled >= 3);
}

static void a_handler_may_make_a_call(void **state)
{
	struct kfd_ioctl_wait_events_args args;

	handle(SIGALRM, on_signal_nested, SA_RESTART);
	alarm_in_ms(30);
	assert_int_equal(wait_ms(100, &args, NULL), 0);
	assert_int_equal(handled, 1);
	assert_int_equal(nested, 17);
	handle(SIGALRM, on_signal_nested, 0);
	alarm_in_ms(30);
	assert_int_equal(wait_ms(5000, &args, NULL), -EINTR);
	assert_int_equal(nested, 17);
}

static pid_t handler_child;

static void on_signal_fork(int sig)
{
	handler_child = fork();
	handled++;
}

static void a_handler_may_fork(void **state)
{
	struct kfd_ioctl_wait_events_args args;
	int r;

	handle(SIGALRM, on_signal_fork, SA_RESTART);
	alarm_in_ms(30);
	r = wait_ms(200, &args, NULL);
	if (handler_child == 0)
		_exit(r == -EBADF ? 0 : 1);
	assert_int_equal(r, 0);
	assert_int_equal(shim_child_wait(handler_child), 0);
}

static void the_signal_mask_stays(void **state)
{
	struct kfd_ioctl_wait_events_args args;
	sigset_t before, after, all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, NULL, &before);
	wait_ms(1, &args, NULL);
	close(open("/dev/dri/renderD128", O_RDWR));
	sigprocmask(SIG_SETMASK, &all, &after);
	for (int sig = 1; sig < 64; sig++)
		assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
	wait_ms(1, &args, NULL);
	sigprocmask(SIG_SETMASK, &before, &after);
	assert_true(sigismember(&after, SIGUSR1));
}

/* ------------------------------------------------ threads */

#define THREADS 80 /* more than there are slots */
#define CALLS   200

static void *call_often(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; i < CALLS; i++) {
		struct kfd_ioctl_map_memory_to_gpu_args args;
		uint32_t ids[2] = { id * CALLS + i, 1 };

		if (map_ids(ids, 2, &args) || args.handle != ids[0] + 1)
			return (void *)1;
	}
	return NULL;
}

static void answers_reach_the_thread_that_asked(void **state)
{
	pthread_t t[THREADS];
	void *bad;

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, call_often, (void *)i), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
}

static void *wait_a_while(void *arg)
{
	struct kfd_ioctl_wait_events_args args;

	return (void *)(intptr_t)wait_ms(150, &args, NULL);
}

static void more_calls_than_slots_wait_their_turn(void **state)
{
	pthread_t t[THREADS];
	void *r;

	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, wait_a_while, NULL), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &r);
		assert_null(r);
	}
}

static _Atomic uint32_t open_failures;

static void *open_and_call(void *arg)
{
	for (int i = 0; i < 20; i++) {
		int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
		struct kfd_ioctl_get_version_args v = { 0 };

		if (fd < 0 || ioctl(fd, AMDKFD_IOC_GET_VERSION, &v) < 0 || v.minor_version != 17)
			open_failures++;
		close(fd);
	}
	return NULL;
}

/* The first open of many threads at once makes one session. */
static int first_open_race(int argc, char **argv)
{
	uint32_t sessions = shim_counts().sessions;
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, open_and_call, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	return open_failures || shim_counts().sessions != sessions + 1;
}

static void threads_that_open_first_share_a_session(void **state)
{
	assert_int_equal(shim_child("first_open_race"), 0);
}

/* Forks while other threads hold whatever they hold. */
static int fork_under_load(int argc, char **argv)
{
	pthread_t t[4];

	kfd = open("/dev/kfd", O_RDWR);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, open_and_call, NULL);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			open_and_call(NULL);
			_exit(open_failures != 0);
		}
		if (shim_child_wait(pid) != 0)
			return 1;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return open_failures != 0;
}

static void a_fork_among_threads_leaves_the_child_able(void **state)
{
	assert_int_equal(shim_child("fork_under_load"), 0);
}

/* ------------------------------------------------ the driver goes */

static struct fake_driver own_driver;

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void *never_answered(void *arg)
{
	struct kfd_ioctl_destroy_queue_args args = { 0 };

	return (void *)(intptr_t)call(AMDKFD_IOC_DESTROY_QUEUE, &args);
}

/* argv[0]: the driver's pid. */
static int survive_driver(int argc, char **argv)
{
	struct kfd_ioctl_wait_events_args args;
	double start;
	pthread_t t;
	void *r;
	int fd;

	kfd = open("/dev/kfd", O_RDWR);
	if (kfd < 0 || wait_ms(1, &args, NULL))
		return 1;
	pthread_create(&t, NULL, never_answered, NULL);
	shim_sleep_ms(100);
	start = seconds();
	kill(atoi(argv[0]), SIGKILL);
	pthread_join(t, &r);
	if ((intptr_t)r != -EIO || seconds() - start > 3)
		return 2;
	if (wait_ms(1, &args, NULL) != -EIO)
		return 3;
	fd = open("/dev/kfd", O_RDWR);
	if (fd >= 0 || errno != ENODEV)
		return 4;
	fd = open("/dev/dri/renderD128", O_RDWR);
	if (fd >= 0 || errno != ENODEV)
		return 5;
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, kfd, 0) != MAP_FAILED || errno != EIO)
		return 6;
	return access("/dev/kfd", R_OK);
}

static void a_killed_driver_ends_calls_and_opens(void **state)
{
	char pid[16];

	assert_int_equal(fake_driver_start(&own_driver), 0);
	snprintf(pid, sizeof(pid), "%d", own_driver.pid);
	assert_int_equal(
		shim_child_wait(shim_child_start(&own_driver, "survive_driver", pid, NULL)), 0);
	fake_driver_stop(&own_driver);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_kfd, close_kfd)
	static const struct CMUnitTest tests[] = {
		TEST(a_block_goes_both_ways),
		TEST(a_bad_block_is_efault),
		TEST(a_block_across_pages_is_whole),
		TEST(an_input_array_is_taken_along),
		TEST(a_mask_is_counted_in_bits),
		TEST(an_output_array_is_written),
		TEST(an_output_may_be_smaller_than_the_answer),
		TEST(a_handler_interrupts_a_call),
		TEST(a_handler_with_restart_is_not_noticed),
		TEST(a_long_wait_is_restarted_too),
		TEST(a_handler_may_make_a_call),
		TEST(a_handler_may_fork),
		TEST(the_signal_mask_stays),
		TEST(answers_reach_the_thread_that_asked),
		TEST(more_calls_than_slots_wait_their_turn),
		TEST(threads_that_open_first_share_a_session),
		TEST(a_fork_among_threads_leaves_the_child_able),
		TEST(a_killed_driver_ends_calls_and_opens),
	};
	static const struct shim_child children[] = {
		{ "first_open_race", first_open_race },
		{ "fork_under_load", fork_under_load },
		{ "survive_driver", survive_driver },
	};
	static const struct shim_suite suite = { "shim_calls", tests,
						 sizeof(tests) / sizeof(tests[0]), children,
						 sizeof(children) / sizeof(children[0]) };

	return shim_test_main(argc, argv, &suite);
}
