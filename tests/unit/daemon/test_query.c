/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void expect_error(const char *name, int want)
{
	int err = 0;
	char *text = dx_query(&dx, name, &err);

	assert_null(text);
	assert_int_equal(err, want);
}

static void unknown_names_are_enoent(void **state)
{
	expect_error("", -ENOENT);
	expect_error("statu", -ENOENT);
	expect_error("status ", -ENOENT);
	expect_error("file", -ENOENT);
	expect_error("file:", -ENOENT);
	expect_error("file:/etc/passwd", -ENOENT);
	expect_error("file:../../etc/passwd", -ENOENT);
	expect_error("memory", -ENOENT);
	expect_error("vm", -ENOENT);
}

static void runtime_is_where_it_is(void **state)
{
	int err;
	char *text = dx_query(&dx, "runtime", &err);

	assert_int_equal(err, 0);
	assert_string_equal(text, dx.runtime);
	free(text);
}

static json_int_t number(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("no number '%s'", key);
	return json_integer_value(v);
}

static uint64_t live(const char *dir, const char *file)
{
	char name[192], *text, *end;
	uint64_t value;
	int err;

	snprintf(name, sizeof(name), "file:%s/%s", dir, file);
	text = dx_query(&dx, name, &err);
	assert_int_equal(err, 0);
	value = strtoull(text, &end, 10);
	assert_string_equal(end, "\n");
	free(text);
	return value;
}

static void live_files_have_their_present_content(void **state)
{
	uint64_t kfd, render, used;
	struct dx_session s;
	json_t *root, *gpu;
	int a, b;

	assert_int_equal(live("/sys/class/drm/renderD128/device", "mem_info_vram_used"), 0);
	assert_int_equal(live("/sys/class/drm/card1/device", "mem_info_gtt_used"), 0);
	/* Page tables are memory. */
	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	a = dx_open_kfd(&s, &kfd);
	b = dx_open(&s, DX_DRM_MAJOR, 128, &render);
	dx_acquire_begin(&s, 0, kfd, render, dx_gpu_id(&dx, 0));
	assert_int_equal(dx_answer(&s, 0, 20000), 0);
	used = live("/sys/class/drm/card0/device", "mem_info_vram_used");
	assert_true(used > 0);
	assert_int_equal(live("/sys/class/drm/card1/device", "mem_info_vram_used"), 0);
	root = dx_status(&dx);
	gpu = json_array_get(json_object_get(root, "gpus"), 0);
	assert_int_equal(number(gpu, "vram_used"), used);
	json_decref(root);
	close(a);
	close(b);
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
	assert_int_equal(live("/sys/class/drm/card0/device", "mem_info_vram_used"), 0);
}

static void status_of_an_idle_machine(void **state)
{
	json_t *root = dx_status(&dx), *gpus = json_object_get(root, "gpus");

	assert_string_equal(json_string_value(json_object_get(root, "machine")), "mi210x2");
	assert_int_equal(number(root, "pid"), dx.pid);
	assert_int_equal(json_array_size(json_object_get(root, "clients")), 0);
	assert_int_equal(json_array_size(gpus), 2);
	for (size_t i = 0; i < 2; i++) {
		json_t *g = json_array_get(gpus, i);

		assert_int_equal(number(g, "gpu"), i);
		assert_int_equal(number(g, "render_minor"), 128 + i);
		assert_int_equal(number(g, "vram_total"), INT64_C(64) << 30);
		assert_int_equal(number(g, "vram_used"), 0);
	}
	assert_int_equal(number(json_object_get(root, "system"), "used"), 0);
	json_decref(root);
}

static void status_names_clients_and_what_they_have(void **state)
{
	struct dx_session a, b;
	json_t *root, *clients, *c;
	uint64_t kfd;
	int fd;

	dx_session_open(&dx, &a, "first one");
	dx_session_open(&dx, &b, "second");
	dx_slot(&b, 0);
	fd = dx_open_kfd(&b, &kfd);
	dx_create_event(&b, 0, kfd);
	root = dx_status(&dx);
	clients = json_object_get(root, "clients");
	assert_int_equal(json_array_size(clients), 2);
	c = json_array_get(clients, 0);
	assert_string_equal(json_string_value(json_object_get(c, "comm")), "first one");
	assert_int_equal(number(c, "events"), 0);
	c = json_array_get(clients, 1);
	assert_string_equal(json_string_value(json_object_get(c, "comm")), "second");
	assert_int_equal(number(c, "events"), 1);
	assert_int_equal(number(c, "queues"), 0);
	assert_int_equal(json_array_size(json_object_get(c, "gpus")), 2);
	json_decref(root);
	close(fd);
	dx_session_close(&a);
	dx_session_close(&b);
}

/* ------------------------------------------------ memory */

static json_t *ask_json(const char *name)
{
	int err = 0;
	char *text = dx_query(&dx, name, &err);
	json_t *root;

	if (!text)
		fail_msg("%s: %d", name, err);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		fail_msg("no JSON:\n%s", text);
	free(text);
	return root;
}

static void all_memory_is_told_as_json_and_as_text(void **state)
{
	json_t *root, *gpu, *client, *vm;
	uint64_t kfd, render, id = dx_gpu_id(&dx, 1);
	struct dx_session s;
	int a, b, err;
	char *text;

	dx_session_open(&dx, &s, "a\"b\xff");
	dx_slot(&s, 0);
	a = dx_open_kfd(&s, &kfd);
	b = dx_open(&s, DX_DRM_MAJOR, 129, &render);
	dx_acquire_begin(&s, 0, kfd, render, (uint32_t)id);
	assert_int_equal(dx_answer(&s, 0, 20000), 0);
	root = ask_json("memory:json");
	assert_string_equal(json_string_value(json_object_get(root, "machine")), "mi210x2");
	assert_int_equal(json_array_size(json_object_get(root, "gpus")), 2);
	gpu = json_array_get(json_object_get(root, "gpus"), 1);
	assert_int_equal(number(gpu, "gpu_id"), id);
	assert_true(number(gpu, "page_tables") > 0);
	assert_int_equal(number(json_object_get(json_object_get(gpu, "vram"), "usage"), "used"),
			 number(gpu, "page_tables"));
	assert_int_equal(number(json_object_get(json_object_get(gpu, "vram"), "usage"), "size"),
			 INT64_C(64) << 30);
	assert_int_equal(json_array_size(json_object_get(root, "clients")), 1);
	client = json_array_get(json_object_get(root, "clients"), 0);
	assert_string_equal(json_string_value(json_object_get(client, "program")), "a\"b?");
	assert_int_equal(json_array_size(json_object_get(client, "vms")), 1);
	vm = json_array_get(json_object_get(client, "vms"), 0);
	assert_int_equal(number(vm, "gpu"), 1);
	json_decref(root);
	text = dx_query(&dx, "memory:text", &err);
	assert_non_null(text);
	assert_non_null(strstr(text, "machine: mi210x2\n"));
	assert_non_null(strstr(text, "program: a\"b?\n"));
	assert_null(strchr(text, '{'));
	free(text);
	close(a);
	close(b);
	dx_session_close(&s);
}

static void a_vm_is_told_by_process_and_gpu(void **state)
{
	uint64_t kfd, render;
	uint32_t id = dx_gpu_id(&dx, 1);
	struct dx_session s;
	char name[80];
	json_t *root;
	int a, b, pid;

	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	a = dx_open_kfd(&s, &kfd);
	b = dx_open(&s, DX_DRM_MAJOR, 129, &render);
	dx_acquire_begin(&s, 0, kfd, render, id);
	assert_int_equal(dx_answer(&s, 0, 20000), 0);
	root = dx_status(&dx);
	pid = (int)number(json_array_get(json_object_get(root, "clients"), 0), "pid");
	json_decref(root);
	for (unsigned int by_id = 0; by_id < 2; by_id++) {
		snprintf(name, sizeof(name), "vm:json:%d:%u", pid, by_id ? id : 1);
		root = ask_json(name);
		assert_int_equal(number(root, "pid"), pid);
		assert_int_equal(number(root, "gpu"), 1);
		assert_true(number(json_object_get(root, "page_tables"), "tables") > 0);
		assert_true(json_is_array(json_object_get(root, "mappings")));
		json_decref(root);
	}
	snprintf(name, sizeof(name), "vm:text:%d:0", pid);
	expect_error(name, -ENXIO);
	snprintf(name, sizeof(name), "vm:text:%d:2", pid);
	expect_error(name, -ENODEV);
	close(a);
	close(b);
	dx_session_close(&s);
}

static void what_is_no_vm_is_refused(void **state)
{
	expect_error("vm:text:1:0", -ESRCH);
	expect_error("vm:text:9999999999:0", -ESRCH);
	expect_error("vm:text:1:9999999999", -ENODEV);
	expect_error("vm:text:1:0 ", -EINVAL);
	expect_error("vm:text:1", -EINVAL);
	expect_error("vm:text:-1:0", -EINVAL);
	expect_error("vm:yaml:1:0", -EINVAL);
	expect_error("memory:yaml", -EINVAL);
	expect_error("memory:text:1", -EINVAL);
}

/* Cut off in the middle of a character, and bytes that are none. */
static void a_name_that_is_no_text_is_shown_all_the_same(void **state)
{
	static const char *const names[] = { "\xff\xfe",
					     "na\xc3\xafve \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
					     "a\"b\\c\n\x01" };
	static const char *const shown[] = { "??", "na??ve ????????", "a\"b\\c\n\x01" };

	for (size_t i = 0; i < 3; i++) {
		struct dx_session s;
		json_t *root, *c;

		dx_session_open(&dx, &s, names[i]);
		root = dx_status(&dx);
		c = json_array_get(json_object_get(root, "clients"), 0);
		assert_non_null(c);
		if (i == 1) /* 15 bytes: the last é is whole, or both bytes are gone */
			assert_non_null(json_object_get(c, "comm"));
		else
			assert_string_equal(json_string_value(json_object_get(c, "comm")),
					    shown[i]);
		json_decref(root);
		dx_session_close(&s);
		dx_wait_clients(&dx, 0);
	}
}

static void many_may_ask_at_once_and_go_without_the_answer(void **state)
{
	struct wire_hello h = dx_hello(WIRE_QUERY);
	unsigned int fds = dx_n_fds(&dx);
	int fd[60];

	snprintf(h.name, sizeof(h.name), "status");
	for (int i = 0; i < 60; i++) {
		fd[i] = dx_connect(&dx);
		assert_int_equal(send(fd[i], &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
		if (i & 1)
			close(fd[i]);
	}
	for (int i = 0; i < 60; i += 2) {
		struct wire_welcome w;
		int text = -1, r = dx_recv(fd[i], &w, &text, 1);

		/* So many at once, and no more. */
		assert_true(r == 0 || r == -EAGAIN);
		assert_int_equal(text >= 0, r == 0);
		assert_true(dx_closed(fd[i]));
		close(text);
		close(fd[i]);
	}
	dx_wait_small(&dx, fds);
}

/* A client's call that waits for an engine holds its process; who asks for the status waits, and
 * nobody else. */
static void a_status_that_waits_keeps_nobody(void **state)
{
	struct wire_hello h = dx_hello(WIRE_QUERY);
	struct dx_session s, other;
	uint64_t kfd, render, begin;
	uint32_t id = dx_gpu_id(&dx, 0);
	struct wire_welcome w;
	int a, b, q, more[15], text = -1, err;

	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	a = dx_open_kfd(&s, &kfd);
	b = dx_open(&s, DX_DRM_MAJOR, 128, &render);
	dx_hang_engine(&s);
	begin = dx_now_ms();
	dx_acquire_begin(&s, 0, kfd, render, id);
	dx_nap(50);
	q = dx_connect(&dx);
	snprintf(h.name, sizeof(h.name), "status");
	assert_int_equal(send(q, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	for (int i = 0; i < 15; i++) {
		more[i] = dx_connect(&dx);
		assert_int_equal(send(more[i], &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	}
	/* So many may wait. */
	assert_null(dx_query(&dx, "status", &err));
	assert_int_equal(err, -EAGAIN);
	/* The whole life of another program. */
	dx_session_open(&dx, &other, "other");
	dx_slot(&other, 0);
	close(dx_open_kfd(&other, &kfd));
	assert_int_equal(dx_nop(&other, 0), 0);
	dx_session_close(&other);
	assert_int_equal(atomic_load(&dx_head(&s, 0)->state), WIRE_SUBMITTED);
	assert_true(dx_now_ms() - begin < 1900);
	assert_int_equal(dx_recv(q, &w, &text, 1), 0);
	assert_true(dx_now_ms() - begin >= 1900);
	assert_int_equal(dx_answer(&s, 0, 20000), 0);
	for (int i = 0; i < 15; i++) {
		assert_true(dx_closed(more[i]));
		close(more[i]);
	}
	close(text);
	close(q);
	close(a);
	close(b);
	dx_session_close(&s);
}

static void it_may_end_while_it_is_asked(void **state)
{
	for (int round = 0; round < 5; round++) {
		struct wire_hello h = dx_hello(WIRE_QUERY);
		struct dx_daemon d;
		int fd[10];

		snprintf(h.name, sizeof(h.name), "status");
		dx_start(&d, NULL);
		for (int i = 0; i < 10; i++) {
			fd[i] = dx_connect(&d);
			assert_int_equal(send(fd[i], &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
		}
		dx_stop(&d);
		for (int i = 0; i < 10; i++) {
			assert_true(dx_closed(fd[i]));
			close(fd[i]);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		DX_TEST(unknown_names_are_enoent),
		DX_TEST(runtime_is_where_it_is),
		DX_TEST(live_files_have_their_present_content),
		DX_TEST(status_of_an_idle_machine),
		DX_TEST(status_names_clients_and_what_they_have),
		DX_TEST(all_memory_is_told_as_json_and_as_text),
		DX_TEST(a_vm_is_told_by_process_and_gpu),
		DX_TEST(what_is_no_vm_is_refused),
		DX_TEST(a_name_that_is_no_text_is_shown_all_the_same),
		DX_TEST(many_may_ask_at_once_and_go_without_the_answer),
		DX_TEST(a_status_that_waits_keeps_nobody),
		cmocka_unit_test(it_may_end_while_it_is_asked),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
