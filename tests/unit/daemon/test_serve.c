/* SPDX-License-Identifier: MIT */
/* What stands in a slot: heads, segments, descriptors, mappings; and that none of it is believed.
 */
#include "daemon_fixture.h"

#include <errno.h>
#include <linux/kfd_ioctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct dx_session s;
static uint64_t kfd;
static int kfd_fd;

static int setup(void **state)
{
	int r = dx_setup(state);

	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	kfd_fd = dx_open_kfd(&s, &kfd);
	return r;
}

static int teardown(void **state)
{
	close(kfd_fd);
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
	return dx_teardown(state);
}

static unsigned char *data(void)
{
	return s.slots->slot[0].data;
}

/* GET_VERSION whose block is at @uptr, with one segment as given. */
static int version_with(uint64_t uptr, struct wire_seg seg)
{
	struct wire_slot_head *h = dx_head(&s, 0);

	h->call = WIRE_CALL_IOCTL;
	h->file = kfd;
	h->cmd = AMDKFD_IOC_GET_VERSION;
	h->arg = uptr;
	h->n_segs = 1;
	h->n_fds = 0;
	h->seg[0] = seg;
	dx_submit(&s, 0);
	return dx_answer(&s, 0, 20000);
}

static void an_answer_is_in_its_segment_and_says_how_long(void **state)
{
	uint32_t v[2];

	memset(data(), 0x5a, 64);
	assert_int_equal(version_with(0x1000, (struct wire_seg){ 0x1000, 8, 16, 1, 99 }), 0);
	memcpy(v, data() + 16, sizeof(v));
	assert_int_equal(v[0], 1);
	assert_int_equal(v[1], 17);
	assert_int_equal(dx_head(&s, 0)->seg[0].written, 8);
	assert_int_equal(data()[15], 0x5a);
	assert_int_equal(data()[24], 0x5a);
}

static void a_segment_may_hold_more_than_the_block(void **state)
{
	assert_int_equal(version_with(0x1010, (struct wire_seg){ 0x1000, 64, 0, 1, 0 }), 0);
	assert_int_equal(dx_head(&s, 0)->seg[0].written, 24);
	assert_int_equal(data()[16], 1);
}

static void what_was_not_sent_is_efault(void **state)
{
	/* Beside the segment, before it, one byte short, another address altogether. */
	assert_int_equal(version_with(0x1001, (struct wire_seg){ 0x1000, 8, 0, 1, 0 }), -EFAULT);
	assert_int_equal(version_with(0xfff, (struct wire_seg){ 0x1000, 8, 0, 1, 0 }), -EFAULT);
	assert_int_equal(version_with(0x1000, (struct wire_seg){ 0x1000, 7, 0, 1, 0 }), -EFAULT);
	assert_int_equal(version_with(0, (struct wire_seg){ 0x1000, 8, 0, 1, 0 }), -EFAULT);
	assert_int_equal(version_with(UINT64_MAX, (struct wire_seg){ 0x1000, 8, 0, 1, 0 }),
			 -EFAULT);
	dx_head(&s, 0)->n_segs = 0;
	dx_submit(&s, 0);
	assert_int_equal(dx_answer(&s, 0, 20000), -EFAULT);
}

static void what_is_only_a_place_for_answers_is_no_argument(void **state)
{
	struct wire_slot_head *h = dx_head(&s, 0);

	memset(data(), 0, 64);
	h->call = WIRE_CALL_IOCTL;
	h->file = kfd;
	h->cmd = AMDKFD_IOC_CREATE_EVENT;
	h->arg = 0x1000;
	h->n_fds = 0;
	h->n_segs = 1;
	h->seg[0] = (struct wire_seg){ 0x1000, 64, 0, 0, 0 };
	dx_submit(&s, 0);
	assert_int_equal(dx_answer(&s, 0, 20000), -EFAULT);
	h->seg[0].in = 1;
	dx_submit(&s, 0);
	assert_int_equal(dx_answer(&s, 0, 20000), 0);
}

static void nothing_reaches_the_program_that_was_not_written(void **state)
{
	/* An OUT segment that was not sent: what lies before the answer must not be garbage. */
	memset(data(), 0x5a, 64);
	assert_int_equal(version_with(0x1008, (struct wire_seg){ 0x1000, 64, 0, 0, 0 }), 0);
	assert_int_equal(dx_head(&s, 0)->seg[0].written, 16);
	for (int i = 0; i < 8; i++)
		assert_int_equal(data()[i], 0);
	assert_int_equal(data()[8], 1);
}

static void segments_outside_of_the_slot_are_einval(void **state)
{
	static const struct wire_seg bad[] = {
		{ 0x1000, 8, WIRE_SLOT_DATA_BYTES - 7, 1, 0 },
		{ 0x1000, 8, WIRE_SLOT_DATA_BYTES + 1, 1, 0 },
		{ 0x1000, 8, UINT32_MAX, 1, 0 },
		{ 0x1000, UINT32_MAX, 0, 1, 0 },
		{ 0x1000, UINT32_MAX, UINT32_MAX, 1, 0 },
		{ 0x1000, WIRE_SLOT_DATA_BYTES + 1, 0, 1, 0 },
		{ UINT64_MAX - 6, 8, 0, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(version_with(bad[i].uptr, bad[i]), -EINVAL);
	/* The last bytes of it are fine. */
	assert_int_equal(version_with(0x1000, (struct wire_seg){ 0x1000, 8,
								 WIRE_SLOT_DATA_BYTES - 8, 1, 0 }),
			 0);
	assert_int_equal(
		version_with(0x1000, (struct wire_seg){ 0x1000, WIRE_SLOT_DATA_BYTES, 0, 1, 0 }),
		0);
	/* An empty one beyond the end is no harm, and no help. */
	assert_int_equal(
		version_with(0x1000, (struct wire_seg){ 0x1000, 0, WIRE_SLOT_DATA_BYTES, 1, 0 }),
		-EFAULT);
}

static void more_segments_or_descriptors_than_there_are_is_einval(void **state)
{
	static const uint32_t many[] = { WIRE_SLOT_SEGS + 1, UINT32_MAX, 0x80000000 };

	for (size_t i = 0; i < 3; i++) {
		struct wire_slot_head *h = dx_head(&s, 0);

		assert_int_equal(version_with(0x1000, (struct wire_seg){ 0x1000, 8, 0, 1, 0 }), 0);
		h->n_segs = many[i];
		dx_submit(&s, 0);
		assert_int_equal(dx_answer(&s, 0, 20000), -EINVAL);
		h->n_segs = 1;
		h->n_fds = many[i];
		dx_submit(&s, 0);
		assert_int_equal(dx_answer(&s, 0, 20000), -EINVAL);
	}
}

static void calls_that_are_not_are_einval(void **state)
{
	static const uint32_t calls[] = { 0, 4, 77, UINT32_MAX };

	for (size_t i = 0; i < 4; i++) {
		dx_head(&s, 0)->call = calls[i];
		dx_head(&s, 0)->file = kfd;
		dx_submit(&s, 0);
		assert_int_equal(dx_answer(&s, 0, 20000), -EINVAL);
	}
}

static void files_that_are_not_are_ebadf(void **state)
{
	static const uint64_t files[] = { 0, UINT64_MAX, 123456 };
	uint32_t block[2];

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(dx_ioctl(&s, 0, files[i], AMDKFD_IOC_GET_VERSION, block, 8),
				 -EBADF);
		dx_head(&s, 0)->call = WIRE_CALL_MMAP;
		dx_submit(&s, 0);
		assert_int_equal(dx_answer(&s, 0, 20000), -EBADF);
	}
	/* Another session's KFD is that as well. */
	{
		struct dx_session other;
		uint64_t theirs;
		int fd;

		dx_session_open(&dx, &other, "other");
		fd = dx_open_kfd(&other, &theirs);
		assert_int_equal(dx_ioctl(&s, 0, theirs, AMDKFD_IOC_GET_VERSION, block, 8), -EBADF);
		close(fd);
		dx_session_close(&other);
	}
}

static void unknown_ioctls_have_the_kernels_errno(void **state)
{
	uint32_t block[64] = { 0 };

	assert_int_equal(dx_ioctl(&s, 0, kfd, _IOWR('K', 0x7f, block), block, sizeof(block)),
			 -ENOTTY);
	assert_int_equal(dx_ioctl(&s, 0, kfd, UINT32_MAX, block, sizeof(block)), -ENOTTY);
	assert_int_equal(dx_ioctl(&s, 0, kfd, 0, block, sizeof(block)), -ENOTTY);
}

/* ------------------------------------------------ descriptors among the arguments */

static int acquire(uint32_t gpu_id, int fd, const struct wire_slot_fd *fds, unsigned int n)
{
	struct kfd_ioctl_acquire_vm_args args = { .drm_fd = (uint32_t)fd, .gpu_id = gpu_id };
	struct wire_slot_head *h = dx_head(&s, 0);

	h->call = WIRE_CALL_IOCTL;
	h->file = kfd;
	h->cmd = AMDKFD_IOC_ACQUIRE_VM;
	h->arg = 0x1000;
	h->n_segs = 1;
	h->seg[0] = (struct wire_seg){ 0x1000, sizeof(args), 0, 1, 0 };
	h->n_fds = n;
	memcpy(h->fd, fds, n * sizeof(*fds));
	memcpy(data(), &args, sizeof(args));
	dx_submit(&s, 0);
	return dx_answer(&s, 0, 20000);
}

static void a_descriptor_means_the_file_that_the_program_says(void **state)
{
	struct wire_slot_fd fds[2] = { { .fd = 7 }, { .fd = 8 } };
	uint32_t id = dx_gpu_id(&dx, 0);
	struct wire_welcome w;
	uint64_t render, other;
	int a = dx_open(&s, DX_DRM_MAJOR, 128, &render), b = dx_open(&s, DX_DRM_MAJOR, 129, &other);

	/* Not said, not a file, not a render node. */
	assert_int_equal(acquire(id, 7, fds, 0), -EINVAL);
	assert_int_equal(acquire(id, 7, fds, 1), -EINVAL);
	fds[0].file = 123456;
	assert_int_equal(acquire(id, 7, fds, 1), -EINVAL);
	fds[0].file = kfd;
	assert_int_equal(acquire(id, 7, fds, 1), -EINVAL);
	fds[1].file = render;
	assert_int_equal(acquire(id, 7, fds, 2), -EINVAL);
	assert_int_equal(acquire(id, 8, fds, 2), 0);
	/* The same file again, by whatever number; and another one. */
	fds[0].file = render;
	assert_int_equal(acquire(id, 7, fds, 1), 0);
	fds[0].file = other;
	assert_int_equal(acquire(id, 7, fds, 1), -EBUSY);
	/* KFD keeps what it took, whoever closes it; but a closed file has no number any more. */
	close(a);
	dx_send(b, WIRE_IDENT, 0, 0);
	assert_int_equal(dx_recv(b, &w, NULL, 0), 0);
	while (acquire(id, 8, fds, 2) == 0)
		dx_nap(1);
	assert_int_equal(acquire(id, 8, fds, 2), -EINVAL);
	assert_int_equal(acquire(id, 7, fds, 2), -EBUSY);
	close(b);
}

/* ------------------------------------------------ mappings */

static int map(uint64_t file, uint64_t offset, uint64_t len)
{
	struct wire_slot_head *h = dx_head(&s, 0);

	h->call = WIRE_CALL_MMAP;
	h->file = file;
	h->arg = offset;
	h->len = len;
	h->prot = PROT_READ | PROT_WRITE;
	h->flags = MAP_SHARED;
	h->map_region = 77;
	dx_submit(&s, 0);
	return dx_answer(&s, 0, 20000);
}

static void doorbells_are_in_the_bar_region(void **state)
{
	uint64_t doorbells = UINT64_C(3) << 62 | (uint64_t)dx_gpu_id(&dx, 1) << 46;

	assert_int_equal(map(kfd, doorbells, 8192), 0);
	assert_int_equal(dx_head(&s, 0)->map_region, WIRE_REGION_BAR);
	assert_int_equal(dx_head(&s, 0)->map_offset, GPU_BAR_STRIDE);
	assert_true(dx_head(&s, 0)->map_dont_copy);
	assert_int_equal(map(kfd, doorbells, 4096), -EINVAL);
	assert_int_equal(dx_head(&s, 0)->map_region, 77);
	assert_int_equal(map(kfd, UINT64_C(3) << 62, 8192), -ENODEV);
}

static void offsets_of_nothing_are_einval(void **state)
{
	uint64_t render;
	int fd = dx_open(&s, DX_DRM_MAJOR, 128, &render);

	assert_int_equal(map(render, 0, 4096), -EINVAL);
	assert_int_equal(map(render, UINT64_C(1) << 32, 4096), -EINVAL);
	assert_int_equal(map(render, UINT64_MAX, UINT64_MAX), -EINVAL);
	close(fd);
}

/* ------------------------------------------------ a head that changes while it is read */

/* Another process flips the counts and sizes between right and far too large. */
static void a_head_that_changes_under_the_driver_is_read_once(void **state)
{
	struct wire_slot_head *h = dx_head(&s, 0);
	int r, refused = 0;
	pid_t pid;

	for (unsigned int i = 0; i < WIRE_SLOT_SEGS; i++)
		h->seg[i] = (struct wire_seg){ 0x1000, 8, 0, 1, 0 };
	fflush(NULL);
	pid = fork();
	if (!pid) {
		volatile struct wire_slot_head *v = h;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			v->n_segs = 1;
			v->n_fds = 0;
			v->seg[0].len = 8;
			v->seg[0].off = 0;
			for (volatile int n = 0; n < 20; n++)
				;
			v->n_segs = 4000;
			v->n_fds = 4000;
			v->seg[0].len = 0xfffffff0;
			v->seg[0].off = 0x7fffffff;
		}
	}
	h->call = WIRE_CALL_IOCTL;
	h->file = kfd;
	h->cmd = AMDKFD_IOC_GET_VERSION;
	h->arg = 0x1000;
	/* On one CPU the two take turns, and the other's may be long in coming. */
	for (int i = 0; i < 20000 || (!refused && i < 2000000); i++) {
		dx_submit(&s, 0);
		r = dx_answer(&s, 0, 20000);
		assert_true(r == 0 || r == -EINVAL || r == -EFAULT);
		refused += r != 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(refused > 0);
	h->n_segs = 1;
	h->n_fds = 0;
	assert_int_equal(version_with(0x1000, (struct wire_seg){ 0x1000, 8, 0, 1, 0 }), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_answer_is_in_its_segment_and_says_how_long),
		T(a_segment_may_hold_more_than_the_block),
		T(what_was_not_sent_is_efault),
		T(what_is_only_a_place_for_answers_is_no_argument),
		T(nothing_reaches_the_program_that_was_not_written),
		T(segments_outside_of_the_slot_are_einval),
		T(more_segments_or_descriptors_than_there_are_is_einval),
		T(calls_that_are_not_are_einval),
		T(files_that_are_not_are_ebadf),
		T(unknown_ioctls_have_the_kernels_errno),
		T(a_descriptor_means_the_file_that_the_program_says),
		T(doorbells_are_in_the_bar_region),
		T(offsets_of_nothing_are_einval),
		T(a_head_that_changes_under_the_driver_is_read_once),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
