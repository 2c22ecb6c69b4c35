/* SPDX-License-Identifier: MIT */
/* Who hears what, and the text; the descriptor is tested in tests/uapi. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "base/env.h"
#include "base/sched.h"
#include "kfd/device.h"
#include "kfd/kfd.h"
#include "kfd/process.h"
#include "kfd/smi.h"

#include <cmocka.h>

#define PT_TABLES  64
#define BIT(event) (UINT64_C(1) << ((event)-1))
#define ALL        (UINT64_C(1) << 63)

/* struct listener - a descriptor, as far as the driver sees it */
struct listener {
	struct kfd_smi_sink sink;
	struct kfd_smi *smi;
	uint64_t written; /* the mask */
	bool full;
	unsigned int n;
	char last[128];
};

static struct machine *machine;
static struct kfd_driver *driver;
static struct machine_regions regions[2];
static struct machine_client *clients[2];
static struct kfd_process *processes[2]; /* 4711 and 4712 */
static uint32_t gpu_ids[2];

static struct kfd_smi *given;
static bool admin;
static int give_errno;

static int give_smi(struct vkf_call *call, struct kfd_smi *smi, int *ret_fd)
{
	(void)call;
	if (give_errno)
		return give_errno;
	given = smi;
	*ret_fd = 42;
	return 0;
}

static bool is_admin(struct vkf_call *call)
{
	(void)call;
	return admin;
}

static const struct vkf_call_ops call_ops = { .give_smi = give_smi, .is_admin = is_admin };

static uint64_t sink_mask(struct kfd_smi_sink *sink, uint64_t mask)
{
	(void)mask;
	return vkf_container_of(sink, struct listener, sink)->written;
}

static bool sink_put(struct kfd_smi_sink *sink, const char *line, size_t len)
{
	struct listener *l = vkf_container_of(sink, struct listener, sink);

	if (l->full)
		return false;
	l->n++;
	snprintf(l->last, sizeof(l->last), "%.*s", (int)len, line);
	return true;
}

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
}

static void no_wake(void *cookie)
{
}

static int setup(void **state)
{
	static char text[65536];
	struct machine_profile profile;
	char err[256];
	FILE *file = fopen(MACHINES_DIR "/mi210x2.json", "r");
	size_t len = fread(text, 1, sizeof(text), file);

	fclose(file);
	if (machine_profile_load(text, len, NULL, 0, &profile, err, sizeof(err)) ||
	    machine_create(&profile, &machine) || kfd_driver_create(machine, &driver))
		return -1;
	for (unsigned int i = 0; i < 2; i++) {
		gpu_ids[i] = profile.gpus[i].gpu_id;
		regions[i] = (struct machine_regions){
			.ctrl = calloc(1, sizeof(struct gpu_ctrl)),
			.pt = aligned_alloc(4096, PT_TABLES * GPU_PT_TABLE_BYTES),
			.pt_tables = PT_TABLES,
			.arena_bytes = VKF_GIB(1),
			.bar_bytes = 2 * GPU_BAR_STRIDE,
			.punch = no_punch,
			.wake_engine = no_wake,
		};
		memset(regions[i].pt, 0, PT_TABLES * GPU_PT_TABLE_BYTES);
		if (machine_client_create(machine, &regions[i], &clients[i]) ||
		    kfd_process_create(driver, clients[i], 4711 + (int)i, &processes[i]))
			return -1;
		kfd_process_set_comm(processes[i], i ? "other" : "program");
	}
	admin = false;
	give_errno = 0;
	return 0;
}

static int teardown(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		kfd_process_destroy(processes[i]);
		machine_client_destroy(clients[i]);
		free(regions[i].ctrl);
		free(regions[i].pt);
	}
	kfd_driver_destroy(driver);
	machine_destroy(machine);
	return 0;
}

static int call_smi(struct kfd_process *p, uint32_t gpu_id, uint32_t *fd)
{
	struct vkf_call call = { &call_ops };
	struct kfd_ioctl_smi_events_args args = { .gpuid = gpu_id, .anon_fd = *fd };
	int r = kfd_smi_events(p, &call, &args);

	*fd = args.anon_fd;
	return r;
}

static void listen_to(struct listener *l, struct kfd_process *p, unsigned int gpu, uint64_t mask)
{
	uint32_t fd = 7;

	assert_int_equal(call_smi(p, gpu_ids[gpu], &fd), 0);
	assert_int_equal(fd, 42);
	*l = (struct listener){ .sink = { sink_mask, sink_put }, .smi = given, .written = mask };
	kfd_smi_set_sink(l->smi, &l->sink);
}

static void refusals_leave_nothing(void **state)
{
	uint32_t fd = 7;

	assert_int_equal(call_smi(processes[0], 12345, &fd), -EINVAL);
	assert_int_equal(call_smi(processes[0], 0, &fd), -EINVAL);
	give_errno = -EMFILE;
	assert_int_equal(call_smi(processes[0], gpu_ids[0], &fd), -EMFILE);
	assert_int_equal(fd, 7);
}

static void nothing_is_told_before_a_mask_or_without_a_sink(void **state)
{
	struct listener l;

	listen_to(&l, processes[0], 0, 0);
	kfd_smi_vm_fault(processes[0], 0);
	assert_int_equal(l.n, 0);
	l.written = BIT(1);
	kfd_smi_set_sink(l.smi, NULL);
	kfd_smi_vm_fault(processes[0], 0);
	assert_int_equal(l.n, 0);
	kfd_smi_set_sink(l.smi, &l.sink);
	kfd_smi_vm_fault(processes[0], 0);
	assert_int_equal(l.n, 1);
	kfd_smi_close(l.smi);
	kfd_smi_vm_fault(processes[0], 0);
	assert_int_equal(l.n, 1);
}

static void expect_text(const struct listener *l, const char *head, const char *tail)
{
	uint64_t ns;
	int at = 0;

	assert_memory_equal(l->last, head, strlen(head));
	assert_int_equal(sscanf(l->last + strlen(head), "%" SCNu64 "%n", &ns, &at), 1);
	assert_string_equal(l->last + strlen(head) + at, tail);
}

static void the_text_is_the_kernels(void **state)
{
	struct listener l;
	char tail[64];

	listen_to(&l, processes[0], 1, ~ALL);
	kfd_smi_vm_fault(processes[0], 1);
	assert_string_equal(l.last, "1 1267:program\n");
	kfd_smi_queue_eviction(processes[0], 1, KFD_EVICT_TTM);
	snprintf(tail, sizeof(tail), " -4711 %x 2\n", gpu_ids[1]);
	expect_text(&l, "9 ", tail);
	kfd_smi_queue_eviction(processes[0], 1, KFD_EVICT_USERPTR);
	snprintf(tail, sizeof(tail), " -4711 %x 1\n", gpu_ids[1]);
	expect_text(&l, "9 ", tail);
	kfd_smi_queue_restore(processes[0], 1, false);
	snprintf(tail, sizeof(tail), " -4711 %x 0\n", gpu_ids[1]);
	expect_text(&l, "a ", tail);
	kfd_smi_queue_restore(processes[0], 1, true);
	snprintf(tail, sizeof(tail), " -4711 %x R\n", gpu_ids[1]);
	expect_text(&l, "a ", tail);
	kfd_smi_reset(driver, 1, false, "user trigger");
	assert_string_equal(l.last, "3 1 user trigger\n");
	kfd_smi_reset(driver, 1, true, "user trigger");
	assert_string_equal(l.last, "4 1 user trigger\n");
	kfd_smi_reset(driver, 1, false, "unknown");
	assert_string_equal(l.last, "3 2 unknown\n");
	assert_int_equal(l.n, 8);
	/* Of this GPU only. */
	kfd_smi_queue_eviction(processes[0], 0, KFD_EVICT_TTM);
	kfd_smi_reset(driver, 0, false, "unknown");
	assert_int_equal(l.n, 8);
	kfd_smi_close(l.smi);
}

static struct vkf_task task;

static struct vkf_task *this_task(void)
{
	return &task;
}

static uint64_t now(void)
{
	return 1000;
}

static uint64_t since_boot(void)
{
	return 4444444000;
}

static void times_go_on_while_the_machine_is_suspended(void **state)
{
	const struct vkf_sched_ops ops = { .current = this_task,
					   .now_ns = now,
					   .boot_ns = since_boot };
	struct kfd_ioctl_get_clock_counters_args clocks = { .gpu_id = gpu_ids[0] };
	struct listener l;

	listen_to(&l, processes[0], 1, ~ALL);
	vkf_task_init(&task, "test");
	vkf_sched_set(&ops);
	kfd_smi_queue_eviction(processes[0], 1, KFD_EVICT_TTM);
	assert_int_equal(kfd_get_clock_counters(processes[0], NULL, &clocks), 0);
	vkf_sched_set(NULL);
	assert_memory_equal(l.last, "9 4444444000 -", 14);
	assert_int_equal(clocks.system_clock_counter, 4444444000);
	assert_int_equal(clocks.cpu_clock_counter, 1000);
	kfd_smi_close(l.smi);
}

static void a_process_hears_of_others_only_what_concerns_the_gpu(void **state)
{
	struct listener l;

	listen_to(&l, processes[0], 0, ~UINT64_C(0));
	kfd_smi_queue_eviction(processes[1], 0, KFD_EVICT_TTM);
	kfd_smi_queue_restore(processes[1], 0, false);
	assert_int_equal(l.n, 0);
	/* The kernel gives these no process. */
	kfd_smi_vm_fault(processes[1], 0);
	assert_string_equal(l.last, "1 1268:other\n");
	kfd_smi_reset(driver, 0, false, "unknown");
	assert_int_equal(l.n, 2);
	kfd_smi_close(l.smi);
}

static void an_administrator_hears_of_all_if_he_asks_for_it(void **state)
{
	struct listener l;

	admin = true;
	listen_to(&l, processes[0], 0, BIT(9));
	/* What he was when he opened it counts. */
	admin = false;
	kfd_smi_queue_eviction(processes[1], 0, KFD_EVICT_TTM);
	assert_int_equal(l.n, 0);
	l.written = BIT(9) | ALL;
	kfd_smi_queue_eviction(processes[1], 0, KFD_EVICT_TTM);
	assert_int_equal(l.n, 1);
	kfd_smi_queue_restore(processes[1], 0, false);
	assert_int_equal(l.n, 1);
	kfd_smi_close(l.smi);
}

static void who_is_full_keeps_nobody_else_from_hearing(void **state)
{
	struct listener a, b;

	listen_to(&a, processes[0], 0, BIT(1));
	listen_to(&b, processes[1], 0, BIT(1));
	a.full = true;
	kfd_smi_vm_fault(processes[0], 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(b.n, 1);
	kfd_smi_close(a.smi);
	kfd_smi_close(b.smi);
}

static void a_listener_outlives_its_process(void **state)
{
	struct listener l;

	listen_to(&l, processes[1], 0, BIT(3));
	kfd_process_destroy(processes[1]);
	assert_int_equal(kfd_process_create(driver, clients[1], 4713, &processes[1]), 0);
	kfd_smi_reset(driver, 0, false, "unknown");
	assert_int_equal(l.n, 1);
	kfd_smi_close(l.smi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refusals_leave_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_told_before_a_mask_or_without_a_sink,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_text_is_the_kernels, setup, teardown),
		cmocka_unit_test_setup_teardown(times_go_on_while_the_machine_is_suspended, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_process_hears_of_others_only_what_concerns_the_gpu, setup, teardown),
		cmocka_unit_test_setup_teardown(an_administrator_hears_of_all_if_he_asks_for_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_full_keeps_nobody_else_from_hearing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_listener_outlives_its_process, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
