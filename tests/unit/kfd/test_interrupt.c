/* SPDX-License-Identifier: MIT */
/* What the log says of an interrupt; what programs see of it is tested in tests/uapi. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kfd/kfd.h"
#include "kfd/process.h"

#include <cmocka.h>

#define PT_TABLES 4096
#define LINE 192

/* struct fixture - a machine, and one process on it without a VM */
struct fixture {
	struct machine *machine;
	struct kfd_driver *driver;
	struct machine_regions regions;
	struct machine_client *client;
	struct kfd_process *process;
	char line[LINE];
};

static void no_punch(void *cookie, uint64_t off, uint64_t len)
{
	(void)cookie;
	(void)off;
	(void)len;
}

static void no_wake(void *cookie)
{
	(void)cookie;
}

static int setup(void **state)
{
	static char text[65536];
	struct fixture *f = calloc(1, sizeof(*f));
	struct machine_profile profile;
	char err[256];
	FILE *file = fopen(MACHINES_DIR "/mi210x2.json", "r");
	size_t len = fread(text, 1, sizeof(text), file);

	fclose(file);
	if (machine_profile_load(text, len, NULL, 0, &profile, err, sizeof(err)))
		return -1;
	f->regions = (struct machine_regions){
		.ctrl = calloc(1, sizeof(struct gpu_ctrl)),
		.pt = aligned_alloc(4096, PT_TABLES * GPU_PT_TABLE_BYTES),
		.pt_tables = PT_TABLES,
		.arena_bytes = VKF_GIB(1),
		.bar_bytes = 2 * GPU_BAR_STRIDE,
		.punch = no_punch,
		.wake_engine = no_wake,
	};
	memset(f->regions.pt, 0, PT_TABLES * GPU_PT_TABLE_BYTES);
	if (machine_create(&profile, &f->machine) || kfd_driver_create(f->machine, &f->driver) ||
	    machine_client_create(f->machine, &f->regions, &f->client) ||
	    kfd_process_create(f->driver, f->client, 4711, &f->process))
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kfd_process_destroy(f->process);
	machine_client_destroy(f->client);
	kfd_driver_destroy(f->driver);
	machine_destroy(f->machine);
	free(f->regions.ctrl);
	free(f->regions.pt);
	free(f);
	return 0;
}

static const char *interrupt(struct fixture *f, struct gpu_irq irq)
{
	memset(f->line, 'x', sizeof(f->line));
	kfd_interrupt(f->process, &irq, f->line, sizeof(f->line));
	return f->line;
}

static void an_event_is_not_worth_a_line(void **state)
{
	assert_string_equal(interrupt(*state, (struct gpu_irq){ .type = GPU_IRQ_EVENT }), "");
	assert_string_equal(interrupt(*state, (struct gpu_irq){ .type = 99 }), "");
}

static void a_fault_names_process_gpu_address_and_reason(void **state)
{
	struct gpu_irq irq = { .type = GPU_IRQ_VM_FAULT, .gpu = 1, .va = 0x123456789abc,
			       .status = GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE };
	const char *line = interrupt(*state, irq);

	assert_non_null(strstr(line, "pid 4711"));
	assert_non_null(strstr(line, "GPU 1"));
	assert_non_null(strstr(line, "0x123456789abc"));
	assert_non_null(strstr(line, "write, not mapped"));
	irq.status = GPU_FAULT_READ_ONLY | GPU_FAULT_WRITE;
	assert_non_null(strstr(interrupt(*state, irq), "read-only"));
	irq.status = GPU_FAULT_HOST;
	assert_non_null(strstr(interrupt(*state, irq), "read, page is gone"));
}

static void a_bad_packet_names_its_opcode(void **state)
{
	struct gpu_irq irq = { .type = GPU_IRQ_BAD_PACKET, .ctx = 0x3f, .status = 0x3f };
	const char *line = interrupt(*state, irq);

	assert_non_null(strstr(line, "illegal packet"));
	assert_non_null(strstr(line, "0x0000003f"));
	/* No such queue: what the program wrote there is not believed. */
	assert_non_null(strstr(line, "unknown"));
}

static void fields_that_the_program_wrote_are_checked(void **state)
{
	struct gpu_irq irq = { .type = GPU_IRQ_VM_FAULT, .gpu = 2, .slot = UINT32_MAX };

	assert_string_equal(interrupt(*state, irq), "");
	irq.gpu = UINT32_MAX;
	irq.type = GPU_IRQ_BAD_PACKET;
	assert_string_equal(interrupt(*state, irq), "");
	irq.gpu = 0;
	assert_string_not_equal(interrupt(*state, irq), "");
}

static void a_line_is_never_longer_than_there_is_room(void **state)
{
	struct fixture *f = *state;
	struct gpu_irq irq = { .type = GPU_IRQ_VM_FAULT };

	memset(f->line, 'x', sizeof(f->line));
	kfd_interrupt(f->process, &irq, f->line, 10);
	assert_int_equal(strlen(f->line), 9);
	assert_int_equal(f->line[10], 'x');
	kfd_interrupt(f->process, &irq, f->line, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_is_not_worth_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fault_names_process_gpu_address_and_reason, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_bad_packet_names_its_opcode, setup, teardown),
		cmocka_unit_test_setup_teardown(fields_that_the_program_wrote_are_checked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_line_is_never_longer_than_there_is_room, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
