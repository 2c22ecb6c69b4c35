/* SPDX-License-Identifier: MIT */
/* SMI_EVENTS: the descriptor, and what is read from it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kfd_calls.h"

#define SDMA       KFD_IOC_QUEUE_TYPE_SDMA
#define OP_FENCE   5u
#define PATIENCE   5000 /* ms */
#define BIT(event) (1ull << ((event)-1))

static int smi_open(struct prog *p, unsigned int gpu)
{
	struct kfd_ioctl_smi_events_args args = { .gpuid = p->gpu[gpu], .anon_fd = 77 };

	assert_int_equal(uapi_ioctl(p->kfd, K_SMI_EVENTS, &args), 0);
	assert_int_equal(args.gpuid, p->gpu[gpu]);
	assert_true(fcntl((int)args.anon_fd, F_GETFD) >= 0);
	return (int)args.anon_fd;
}

static void mask(int fd, uint64_t bits)
{
	assert_int_equal(write(fd, &bits, sizeof(bits)), 8);
}

static void expect_nothing(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[64];

	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), -1);
	assert_int_equal(errno, EAGAIN);
}

/* The next line, waited for by poll(). */
static void next_line(int fd, char *line, size_t len)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t n = 0;

	do {
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		assert_int_equal(p.revents, POLLIN);
		assert_int_equal(read(fd, line + n, 1), 1);
	} while (line[n++] != '\n' && n < len - 1);
	line[n] = '\0';
}

/* One store to where nothing is mapped: a VM fault of GPU @gpu. */
static void fault(struct prog *p, unsigned int gpu)
{
	const uint32_t packet[] = { OP_FENCE, (uint32_t)VA(77), (uint32_t)(VA(77) >> 32), 1 };
	struct user_queue q = { 0 };

	queue_start(p, gpu, SDMA, 1 + gpu, &q);
	uapi_run_engine();
	memcpy((void *)q.ring_cpu, packet, sizeof(packet));
	__atomic_store_n((uint64_t *)q.wptr, sizeof(packet), __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)q.doorbell, sizeof(packet), __ATOMIC_RELEASE);
}

static void wait_fault(struct prog *p, uint32_t id)
{
	uint32_t result = 0;

	assert_int_equal(wait_event(p, id, PATIENCE, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
}

static void a_gpu_that_is_none_is_refused(void **state)
{
	struct kfd_ioctl_smi_events_args args = { .gpuid = 1, .anon_fd = 77 };
	struct prog p;

	prog_start(&p);
	assert_int_equal(uapi_ioctl(p.kfd, K_SMI_EVENTS, &args), -EINVAL);
	args.gpuid = 0;
	assert_int_equal(uapi_ioctl(p.kfd, K_SMI_EVENTS, &args), -EINVAL);
	assert_int_equal(args.anon_fd, 77);
}

/* It needs no VM, and is inherited over exec, as an anonymous file of the kernel is. */
static void the_descriptor_never_blocks_and_survives_exec(void **state)
{
	struct prog p;
	int fd, other;

	prog_open(&p);
	fd = smi_open(&p, 0);
	other = smi_open(&p, 0);
	assert_true(fd != other);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	expect_nothing(fd);
	mask(fd, ~0ull);
	expect_nothing(fd);
	assert_int_equal(close(fd), 0);
	expect_nothing(other);
	assert_int_equal(close(other), 0);
}

static void a_vm_fault_is_told_to_who_asked_for_it(void **state)
{
	int asked, silent, elsewhere, others;
	char line[128], want[64];
	struct prog p;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_MEMORY, false);
	asked = smi_open(&p, 1);
	silent = smi_open(&p, 1);
	elsewhere = smi_open(&p, 0);
	others = smi_open(&p, 1);
	mask(asked, BIT(KFD_SMI_EVENT_VMFAULT));
	mask(elsewhere, BIT(KFD_SMI_EVENT_VMFAULT));
	mask(others, ~BIT(KFD_SMI_EVENT_VMFAULT));
	/* The last mask counts, from when it is written. */
	mask(silent, BIT(KFD_SMI_EVENT_VMFAULT));
	mask(silent, 0);
	fault(&p, 1);
	wait_fault(&p, id);
	next_line(asked, line, sizeof(line));
	snprintf(want, sizeof(want), "1 %x:", getpid());
	assert_memory_equal(line, want, strlen(want));
	assert_true(strlen(line) > strlen(want) + 1);
	expect_nothing(asked);
	expect_nothing(silent);
	expect_nothing(elsewhere);
	expect_nothing(others);
	close(asked);
	close(silent);
	close(elsewhere);
	close(others);
}

/* Half of what a GPU has, and a queue that runs there. */
static void settle(struct prog *p, struct user_queue *q)
{
	uint64_t handle;

	prog_start(p);
	assert_int_equal(alloc_mem(p, 0, VA(100), 40 * MIB, F_VRAM | F_WRITE, &handle, NULL), 0);
	assert_int_equal(map_one(p, handle, 0), 0);
	queue_start(p, 0, SDMA, 1, q);
	uapi_run_engine();
}

static int take_room(int fd)
{
	struct user_queue q = { 0 };
	struct prog p;

	(void)fd;
	settle(&p, &q);
	return 0;
}

static void expect_queues(int fd, const char *event, uint32_t gpu_id, const char *tail)
{
	unsigned long long ns;
	char line[128], end[8];
	unsigned int id;
	int pid;

	do
		next_line(fd, line, sizeof(line));
	while (strncmp(line, event, strlen(event)));
	assert_int_equal(sscanf(line + strlen(event), "%llu -%d %x %7s", &ns, &pid, &id, end), 4);
	assert_int_equal(pid, getpid());
	assert_int_equal(id, gpu_id);
	assert_string_equal(end, tail);
	assert_true(ns > 0);
}

/* Another one's memory takes the place of ours: all our queues stop, on every GPU. */
static void an_eviction_and_its_restore_are_told_for_each_gpu(void **state)
{
	const char *sets[] = { "gpu.vram=64MiB", "policy.vram_limit=overcommit" };
	struct user_queue q = { 0 };
	struct prog p;
	int fds[2];

	if (!uapi_machine("mi210x2", sets, 2))
		skip();
	settle(&p, &q);
	for (unsigned int i = 0; i < 2; i++) {
		fds[i] = smi_open(&p, i);
		mask(fds[i], BIT(KFD_SMI_EVENT_QUEUE_EVICTION) | BIT(KFD_SMI_EVENT_QUEUE_RESTORE));
	}
	assert_int_equal(uapi_in_child(take_room, -1), 0);
	for (unsigned int i = 0; i < 2; i++) {
		/* KFD_QUEUE_EVICTION_TRIGGER_TTM */
		expect_queues(fds[i], "9 ", p.gpu[i], "2");
		expect_queues(fds[i], "a ", p.gpu[i], "0");
		close(fds[i]);
	}
}

static void many_come_and_go(void **state)
{
	struct prog p;

	prog_open(&p);
	for (unsigned int i = 0; i < 200; i++) {
		int fd = smi_open(&p, 0);

		mask(fd, ~0ull);
		close(fd);
	}
}

static void without_descriptors_there_is_none(void **state)
{
	struct kfd_ioctl_smi_events_args args = { .anon_fd = 77 };
	struct prog p;
	int r, fds[256], n = 0;

	prog_open(&p);
	args.gpuid = p.gpu[0];
	uapi_few_descriptors();
	while (n < 256 && (fds[n] = dup(0)) >= 0)
		n++;
	if (n == 256)
		skip();
	r = uapi_ioctl(p.kfd, K_SMI_EVENTS, &args);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	assert_int_equal(r, -EMFILE);
	/* And there is one again. */
	close(smi_open(&p, 0));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_gpu_that_is_none_is_refused),
	cmocka_unit_test(the_descriptor_never_blocks_and_survives_exec),
	cmocka_unit_test(a_vm_fault_is_told_to_who_asked_for_it),
	cmocka_unit_test(an_eviction_and_its_restore_are_told_for_each_gpu),
	cmocka_unit_test(many_come_and_go),
	cmocka_unit_test(without_descriptors_there_is_none),
};

UAPI_MAIN(tests)
