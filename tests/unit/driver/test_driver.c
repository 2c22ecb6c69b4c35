/* SPDX-License-Identifier: MIT */
/*
 * The driver without a transport. Calls come from this process with its own pointers; the helpers
 * of tests/uapi make buffers and queues through them.
 */
#include "../../uapi/kfd_calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../base/support.h"
#include "capture.h"
#include "driver/call.h"
#include "driver/look.h"
#include "host/sched_host.h"

#define PT_TABLES   1024
#define ARENA_BYTES (UINT64_C(4) << 30)
#define MAX_FILES   16

struct space {
	struct driver_client *c;
	struct gpu_ctrl *ctrl;
	struct machine_regions regions;
	unsigned char *arena;
	struct driver_file *files[MAX_FILES]; /* descriptors of uapi.h's functions */
	void (*on_punch)(struct space *s);
	unsigned int n_punched;
};

static struct machine_profile profile;
static struct driver *d;
static struct space a; /* who calls through uapi.h */

/* ------------------------------------------------ address spaces */

static void *sparse(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void punch(void *cookie, uint64_t off, uint64_t len)
{
	struct space *s = cookie;

	s->n_punched++;
	if (s->on_punch)
		s->on_punch(s);
}

static void fill(void *cookie, uint64_t off, uint64_t len, uint8_t byte)
{
	struct space *s = cookie;

	memset(s->arena + off, byte, len);
}

static void wake_engine(void *cookie)
{
}

static int try_open_space(struct space *s, int32_t pid, const char *comm)
{
	struct driver_client_config config = { .pid = pid, .comm = comm };

	memset(s, 0, sizeof(*s));
	s->ctrl = sparse(sizeof(*s->ctrl));
	s->arena = sparse(ARENA_BYTES);
	s->regions = (struct machine_regions){
		.ctrl = s->ctrl,
		.pt = sparse(PT_TABLES * GPU_PT_TABLE_BYTES),
		.pt_tables = PT_TABLES,
		.arena_bytes = ARENA_BYTES,
		.bar_bytes = profile.n_gpus * GPU_BAR_STRIDE,
		.punch = punch,
		.fill = fill,
		.wake_engine = wake_engine,
		.cookie = s,
	};
	config.regions = s->regions;
	return driver_client_create(d, &config, &s->c);
}

static void open_space(struct space *s, int32_t pid, const char *comm)
{
	assert_int_equal(try_open_space(s, pid, comm), 0);
}

static void unmap_space(struct space *s)
{
	munmap(s->ctrl, sizeof(*s->ctrl));
	munmap(s->arena, ARENA_BYTES);
	munmap(s->regions.pt, PT_TABLES * GPU_PT_TABLE_BYTES);
}

static void close_space(struct space *s)
{
	driver_client_destroy(s->c);
	unmap_space(s);
}

static int setup(void **state)
{
	static const char *const sets[] = { "gpu.vram=1GiB" };

	host_sched_install();
	capture_load("mi210x2", sets, 1, &profile);
	assert_int_equal(driver_create(&profile, &d), 0);
	open_space(&a, 100, "first");
	return 0;
}

static int teardown(void **state)
{
	struct machine_usage u;

	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (a.files[i])
			driver_close(a.files[i]);
	if (a.c)
		close_space(&a);
	assert_int_equal(driver_n_clients(d), 0);
	assert_int_equal(driver_n_files(d), 0);
	driver_usage(d, &u);
	for (unsigned int i = 0; i < profile.n_gpus; i++)
		assert_int_equal(u.vram_used[i], 0);
	driver_destroy(d);
	return 0;
}

/* ------------------------------------------------ calls of one */

static struct driver_file *file_of(int fd)
{
	return fd >= 0 && fd < MAX_FILES ? a.files[fd] : NULL;
}

static int from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	if (!uptr)
		return -EFAULT;
	memcpy(dst, (const void *)(uintptr_t)uptr, len);
	return 0;
}

static int to_user(struct vkf_call *call, uint64_t uptr, const void *src, size_t len)
{
	if (!uptr)
		return -EFAULT;
	memcpy((void *)(uintptr_t)uptr, src, len);
	return 0;
}

static struct machine_render *render_of_fd(struct vkf_call *call, int fd)
{
	return file_of(fd) ? driver_file_render(file_of(fd)) : NULL;
}

static int dmabuf_of_fd(struct vkf_call *call, int fd, struct machine_dmabuf **ret_dmabuf)
{
	if (!file_of(fd))
		return -EBADF;
	if (!driver_file_dmabuf(file_of(fd)))
		return -EINVAL;
	*ret_dmabuf = driver_file_dmabuf(file_of(fd));
	return 0;
}

static int give_dmabuf(struct vkf_call *call, struct machine_dmabuf *dmabuf, int *ret_fd)
{
	int fd = 0, r;

	while (fd < MAX_FILES && a.files[fd])
		fd++;
	r = fd < MAX_FILES ? driver_open_dmabuf(a.c, dmabuf, &a.files[fd]) : -EMFILE;
	if (!r)
		*ret_fd = fd;
	return r;
}

static const struct vkf_call_ops call_ops = {
	.copy_from_user = from_user,
	.copy_to_user = to_user,
	.render_of_fd = render_of_fd,
	.dmabuf_of_fd = dmabuf_of_fd,
	.give_dmabuf = give_dmabuf,
};

static int do_ioctl(struct driver_client *c, struct driver_file *f, unsigned long cmd, void *arg)
{
	struct vkf_call call = { &call_ops };

	return driver_ioctl(c, f, &call, (uint32_t)cmd, (uintptr_t)arg);
}

static int open_fd(unsigned int major, unsigned int minor)
{
	for (int fd = 0; fd < MAX_FILES; fd++)
		if (!a.files[fd])
			return driver_open(a.c, major, minor, &a.files[fd]) ?: fd;
	return -EMFILE;
}

int uapi_open_kfd(void)
{
	return open_fd(MACHINE_KFD_MAJOR, 0);
}

int uapi_open_render(unsigned int gpu)
{
	return open_fd(MACHINE_DRM_MAJOR, 128 + gpu);
}

int uapi_ioctl(int fd, unsigned long cmd, void *arg)
{
	return file_of(fd) ? do_ioctl(a.c, file_of(fd), cmd, arg) : -EBADF;
}

int uapi_mmap(void *addr, size_t len, int prot, int flags, int fd, uint64_t offset, void **ret)
{
	static unsigned char doorbells[8192];
	struct machine_map map;
	int r = driver_mmap(a.c, file_of(fd), offset, len, prot, flags, &map);

	if (!r)
		*ret = map.kind == MACHINE_MAP_ARENA ? a.arena + map.offset : doorbells;
	return r;
}

/* ------------------------------------------------ clients */

static void ids_are_never_used_again(void **state)
{
	struct space s;
	uint64_t last = driver_client_id(a.c);

	for (int i = 0; i < 5; i++) {
		open_space(&s, 7, "again");
		assert_true(driver_client_id(s.c) > last);
		last = driver_client_id(s.c);
		close_space(&s);
	}
	assert_int_equal(driver_n_clients(d), 1);
}

static struct driver_client_stat stats[8];
static unsigned int n_stats;

static void collect(void *cookie, const struct driver_client_stat *stat)
{
	/* May look at the driver: no lock of it is held. */
	assert_true(driver_n_clients(d) > 0);
	assert_true(n_stats < VKF_ARRAY_SIZE(stats));
	stats[n_stats++] = *stat;
}

static void look(void)
{
	n_stats = 0;
	driver_for_each_client(d, collect, NULL);
}

static void clients_are_shown_oldest_first(void **state)
{
	struct space b, c;

	open_space(&b, 300, "a name that is longer than a comm");
	open_space(&c, 200, "");
	look();
	assert_int_equal(n_stats, 3);
	assert_int_equal(stats[0].pid, 100);
	assert_string_equal(stats[0].comm, "first");
	assert_int_equal(stats[0].id, driver_client_id(a.c));
	assert_false(stats[0].has_kfd);
	assert_int_equal(stats[1].pid, 300);
	assert_string_equal(stats[1].comm, "a name that is ");
	assert_int_equal(stats[2].pid, 200);
	assert_string_equal(stats[2].comm, "");
	close_space(&b);
	look();
	assert_int_equal(n_stats, 2);
	assert_int_equal(stats[1].pid, 200);
	close_space(&c);
}

static void what_a_client_has_is_shown(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_start(&p, 1, KFD_IOC_QUEUE_TYPE_SDMA, 1, &q);
	event(&p, KFD_IOC_EVENT_SIGNAL, true);
	event(&p, KFD_IOC_EVENT_SIGNAL, true);
	look();
	assert_true(stats[0].has_kfd);
	assert_int_equal(stats[0].kfd.n_queues, 1);
	assert_int_equal(stats[0].kfd.queues[0], 0);
	assert_int_equal(stats[0].kfd.queues[1], 1);
	assert_int_equal(stats[0].kfd.n_events, 2);
	assert_int_equal(stats[0].kfd.n_buffers, 3);
	assert_int_equal(queue_destroy(&p, q.args.queue_id), 0);
	look();
	assert_int_equal(stats[0].kfd.n_queues, 0);
}

static void dma_bufs_are_counted_by_who_exported_them(void **state)
{
	struct driver_file *f;
	struct space b;
	struct prog p;
	uint64_t handle;
	int fd;

	open_space(&b, 200, "b");
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), MIB, F_VRAM, &handle, NULL), 0);
	fd = export_mem(&p, handle);
	f = a.files[export_mem(&p, handle)];
	look();
	assert_int_equal(stats[0].n_dmabufs, 2);
	assert_int_equal(stats[1].n_dmabufs, 0);
	assert_int_equal(driver_file_client(f), driver_client_id(a.c));
	assert_null(driver_file_render(f));
	assert_ptr_equal(driver_file_dmabuf(f), driver_file_dmabuf(a.files[fd]));
	assert_null(driver_file_dmabuf(a.files[p.kfd]));
	driver_close(a.files[fd]);
	a.files[fd] = NULL;
	look();
	assert_int_equal(stats[0].n_dmabufs, 1);
	close_space(&b);
}

/* A buffer is the process's once, by whichever of its handles; and no more when that one is freed. */
static void an_import_is_no_memory_of_its_own(void **state)
{
	struct prog p;
	uint64_t vram, gtt, import[2] = { 0 };

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), MIB, F_VRAM, &vram, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 2 * MIB, F_GTT, &gtt, NULL), 0);
	assert_int_equal(import_mem(&p, 0, export_mem(&p, vram), VA(3), &import[0]), 0);
	assert_int_equal(import_mem(&p, 0, export_mem(&p, gtt), VA(4), &import[1]), 0);
	look();
	assert_int_equal(stats[0].kfd.n_buffers, 4);
	assert_int_equal(stats[0].kfd.vram[0], MIB);
	assert_int_equal(stats[0].kfd.gtt, 2 * MIB);
	assert_int_equal(free_mem(&p, import[0]), 0);
	assert_int_equal(free_mem(&p, import[1]), 0);
	look();
	assert_int_equal(stats[0].kfd.vram[0], MIB);
	assert_int_equal(stats[0].kfd.gtt, 2 * MIB);
	assert_int_equal(free_mem(&p, vram), 0);
	look();
	assert_int_equal(stats[0].kfd.vram[0], 0);
}

/* Its space is still charged, though its bytes are gone with the address space they were in; and
 * somebody who needs the room may have it. */
static void a_dma_buf_outlives_its_exporter(void **state)
{
	struct machine_usage u;
	struct driver_file *f;
	struct machine_map m;
	struct space first;
	struct prog p;
	uint64_t handle;
	int fd;

	prog_start(&p);
	/* Charged as GTT, so that the next one's limit is no reason to refuse. */
	assert_int_equal(alloc_mem(&p, 0, VA(1), 600 * MIB, F_VRAM | F_GTT, &handle, NULL), 0);
	fd = export_mem(&p, handle);
	f = a.files[fd];
	a.files[fd] = NULL;
	for (unsigned int i = 0; i < MAX_FILES; i++)
		if (a.files[i])
			driver_close(a.files[i]);
	first = a;
	close_space(&first);
	open_space(&a, 101, "second");
	driver_usage(d, &u);
	assert_int_equal(u.vram_used[0], 600 * MIB);
	assert_int_equal(machine_dmabuf_size(driver_file_dmabuf(f)), 600 * MIB);
	assert_int_equal(driver_mmap(a.c, f, 0, MIB, PROT_READ, MAP_SHARED, &m), -EACCES);

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 600 * MIB, F_VRAM | F_GTT, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
	driver_usage(d, &u);
	assert_in_range(u.vram_used[0], 600 * MIB, 700 * MIB);
	driver_close(f);
	driver_usage(d, &u);
	assert_in_range(u.vram_used[0], 600 * MIB, 700 * MIB);
}

static void without_memory_no_descriptor_of_a_dma_buf(void **state)
{
	struct prog p;
	uint64_t handle;
	unsigned int n_files;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), MIB, F_VRAM, &handle, NULL), 0);
	n_files = driver_n_files(d);
	/* The dma-buf, then its file. */
	for (unsigned int n = 1; n <= 2; n++) {
		fail_alloc(n);
		assert_int_equal(export_mem(&p, handle), -ENOMEM);
		vkf_env_set(NULL);
		assert_int_equal(driver_n_files(d), n_files);
	}
	assert_true(export_mem(&p, handle) >= 0);
}

static void regions_too_small_make_no_client(void **state)
{
	struct driver_client_config config = { .pid = 1, .comm = "x", .regions = a.regions };
	struct driver_client *c = NULL;

	config.regions.pt_tables = 1;
	assert_int_equal(driver_client_create(d, &config, &c), -EINVAL);
	assert_null(c);
	assert_int_equal(driver_n_clients(d), 1);
}

static unsigned int listed_then;
static bool had_kfd;

static void note_kfd(void *cookie, const struct driver_client_stat *stat)
{
	if (stat->pid == 100) {
		listed_then++;
		had_kfd = stat->has_kfd;
	}
}

static void *look_from_beside(void *arg)
{
	driver_for_each_client(d, note_kfd, NULL);
	return NULL;
}

/* Called with locks held, so somebody else looks. */
static void is_still_listed(struct space *s)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, look_from_beside, NULL))
		pthread_join(thread, NULL);
}

static void a_client_is_listed_until_its_memory_is_back(void **state)
{
	struct space b;
	struct prog p;
	uint64_t handle;

	open_space(&b, 1, "b");
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(0), MIB, F_VRAM | F_WRITE, &handle, NULL), 0);
	a.on_punch = is_still_listed;
	listed_then = 0;
	driver_client_destroy(a.c);
	a.c = NULL;
	assert_true(a.n_punched >= 1);
	assert_int_equal(listed_then, a.n_punched);
	/* But nobody looks into what is being taken down. */
	assert_false(had_kfd);
	look();
	assert_int_equal(n_stats, 1);
	unmap_space(&a);
	close_space(&b);
}

struct seen {
	atomic_bool stop;
	atomic_uint n, disordered;
	uint64_t last;
};

static void note(void *cookie, const struct driver_client_stat *stat)
{
	struct seen *seen = cookie;

	atomic_fetch_add(&seen->n, 1);
	if (stat->id <= seen->last)
		atomic_fetch_add(&seen->disordered, 1);
	seen->last = stat->id;
}

static void *looker(void *arg)
{
	struct seen *seen = arg;

	while (!atomic_load(&seen->stop)) {
		seen->last = 0;
		driver_for_each_client(d, note, seen);
	}
	return NULL;
}

static void clients_may_come_and_go_while_somebody_looks(void **state)
{
	struct seen seen = { 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, looker, &seen), 0);
	for (int i = 0; i < 200; i++) {
		struct driver_file *f;
		struct space s;

		open_space(&s, i, "s");
		assert_int_equal(driver_open(s.c, MACHINE_KFD_MAJOR, 0, &f), 0);
		close_space(&s);
		driver_close(f);
	}
	while (!atomic_load(&seen.n))
		;
	atomic_store(&seen.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(seen.disordered, 0);
}

/* ------------------------------------------------ files */

static struct driver_file *open_file(struct driver_client *c, unsigned int major,
				     unsigned int minor)
{
	struct driver_file *f = NULL;

	assert_int_equal(driver_open(c, major, minor, &f), 0);
	return f;
}

static void every_device_of_the_machine_opens(void **state)
{
	struct driver_file *kfd = open_file(a.c, MACHINE_KFD_MAJOR, 0);
	struct driver_file *render = open_file(a.c, MACHINE_DRM_MAJOR, 129);
	struct driver_file *card = open_file(a.c, MACHINE_DRM_MAJOR, 1);

	assert_null(driver_file_render(kfd));
	assert_int_equal(machine_render_gpu(driver_file_render(render)), 1);
	assert_int_equal(machine_render_gpu(driver_file_render(card)), 1);
	assert_int_equal(driver_n_files(d), 3);
	assert_true(driver_file_id(kfd) != 0);
	assert_true(driver_file_id(kfd) < driver_file_id(render));
	assert_true(driver_file_id(render) < driver_file_id(card));
	assert_int_equal(driver_file_client(card), driver_client_id(a.c));
	driver_close(kfd);
	driver_close(render);
	driver_close(card);
	assert_int_equal(driver_n_files(d), 0);
}

static void other_devices_do_not(void **state)
{
	const struct {
		unsigned int major, minor;
		int error;
	} cases[] = {
		{ MACHINE_KFD_MAJOR, 1, -ENODEV },
		{ MACHINE_DRM_MAJOR, 2, -ENODEV },
		{ MACHINE_DRM_MAJOR, 127, -ENODEV },
		{ MACHINE_DRM_MAJOR, 130, -ENODEV },
		{ MACHINE_DRM_MAJOR, UINT32_MAX, -ENODEV },
		{ 1, 3, -ENXIO },
		{ 0, 0, -ENXIO },
		{ UINT32_MAX, 0, -ENXIO },
	};

	for (size_t i = 0; i < VKF_ARRAY_SIZE(cases); i++) {
		struct driver_file *f = NULL;

		assert_int_equal(driver_open(a.c, cases[i].major, cases[i].minor, &f),
				 cases[i].error);
		assert_null(f);
	}
	assert_int_equal(driver_n_files(d), 0);
}

static void a_file_is_found_by_its_number_until_it_is_closed(void **state)
{
	struct driver_file *f = open_file(a.c, MACHINE_DRM_MAJOR, 128), *found;
	uint64_t id = driver_file_id(f);

	assert_null(driver_file_lookup(d, 0));
	assert_null(driver_file_lookup(d, id + 1));
	found = driver_file_lookup(d, id);
	assert_ptr_equal(found, f);
	driver_close(f);
	assert_null(driver_file_lookup(d, id));
	/* A call that is under way may finish. */
	assert_int_equal(machine_render_gpu(driver_file_render(found)), 0);
	driver_file_put(found);
	driver_file_put(NULL);
}

static void the_last_descriptor_closes_the_file(void **state)
{
	struct driver_file *f = open_file(a.c, MACHINE_KFD_MAJOR, 0);

	driver_file_share(f);
	driver_file_share(f);
	driver_file_drop(f);
	driver_file_drop(f);
	assert_int_equal(driver_n_files(d), 1);
	driver_file_get(f);
	driver_file_drop(f);
	assert_int_equal(driver_n_files(d), 0);
	driver_file_put(f);
}

static int version(struct driver_client *c, struct driver_file *f)
{
	struct kfd_ioctl_get_version_args args = { 0 };
	int r = do_ioctl(c, f, K_GET_VERSION, &args);

	if (!r)
		assert_int_equal(args.minor_version, KFD_VERSION_MINOR);
	return r;
}

static void a_kfd_file_serves_its_own_process_only(void **state)
{
	struct driver_file *f = open_file(a.c, MACHINE_KFD_MAJOR, 0), *own;
	struct space child;

	open_space(&child, 101, "child");
	assert_int_equal(version(a.c, f), 0);
	assert_int_equal(version(child.c, f), -EBADF);
	own = open_file(child.c, MACHINE_KFD_MAJOR, 0);
	assert_int_equal(version(child.c, own), 0);
	assert_int_equal(version(child.c, f), -EBADF);
	assert_int_equal(version(a.c, own), -EBADF);
	driver_close(own);
	close_space(&child);
	driver_close(f);
}

/* An allocator that gives out what was freed last, so that a new object lies where a dead one did.
 */
struct kept {
	struct kept *next;
	size_t size;
};

static struct kept *kept;

static void *reusing_zalloc(size_t size)
{
	struct kept **at, *k;

	for (at = &kept; *at && (*at)->size != size; at = &(*at)->next)
		;
	k = *at;
	if (k)
		*at = k->next;
	else
		k = malloc(sizeof(*k) + size);
	k->size = size;
	return memset(k + 1, 0, size);
}

static void reusing_free(void *p)
{
	struct kept *k = (struct kept *)p - 1;

	k->next = kept;
	kept = k;
}

static const struct vkf_env_ops reusing_env = { reusing_zalloc, reusing_free, no_fault };

static void a_new_process_in_the_place_of_a_dead_one_is_another(void **state)
{
	struct driver *was = d;
	struct driver_file *f, *own;
	struct space s;

	vkf_env_set(&reusing_env);
	assert_int_equal(driver_create(&profile, &d), 0);
	open_space(&s, 1, "dead");
	f = open_file(s.c, MACHINE_KFD_MAJOR, 0);
	close_space(&s);
	open_space(&s, 2, "new");
	own = open_file(s.c, MACHINE_KFD_MAJOR, 0);
	assert_int_equal(version(s.c, own), 0);
	assert_int_equal(version(s.c, f), -EBADF);
	close_space(&s);
	driver_close(own);
	driver_close(f);
	driver_destroy(d);
	d = was;
	vkf_env_set(NULL);
	while (kept) {
		struct kept *next = kept->next;

		free(kept);
		kept = next;
	}
}

static void a_kfd_file_that_outlives_its_process_serves_nobody(void **state)
{
	struct driver_file *f;
	struct machine_map map;
	struct space child;

	open_space(&child, 101, "child");
	f = open_file(child.c, MACHINE_KFD_MAJOR, 0);
	close_space(&child);
	assert_int_equal(driver_n_files(d), 1);
	assert_int_equal(version(a.c, f), -EBADF);
	assert_int_equal(driver_mmap(a.c, f, 0, 4096, PROT_READ, MAP_SHARED, &map), -EINVAL);
	driver_close(f);
}

static void every_open_of_a_process_is_the_same_process(void **state)
{
	struct kfd_ioctl_create_event_args args = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct driver_file *one = open_file(a.c, MACHINE_KFD_MAJOR, 0);
	struct driver_file *two = open_file(a.c, MACHINE_KFD_MAJOR, 0);
	struct kfd_ioctl_destroy_event_args gone;

	assert_int_equal(do_ioctl(a.c, one, K_CREATE_EVENT, &args), 0);
	driver_close(one);
	gone.event_id = args.event_id;
	assert_int_equal(do_ioctl(a.c, two, K_DESTROY_EVENT, &gone), 0);
	driver_close(two);
	/* The process outlives its last file. */
	look();
	assert_true(stats[0].has_kfd);
}

static void a_render_file_outlives_its_process(void **state)
{
	struct driver_file *f;
	struct space child;

	open_space(&child, 101, "child");
	f = open_file(child.c, MACHINE_DRM_MAJOR, 128);
	close_space(&child);
	assert_int_equal(machine_render_gpu(driver_file_render(f)), 0);
	driver_close(f);
}

static void pointers_are_the_calls_business(void **state)
{
	struct driver_file *f = open_file(a.c, MACHINE_KFD_MAJOR, 0);

	assert_int_equal(do_ioctl(a.c, f, K_GET_VERSION, NULL), -EFAULT);
	assert_int_equal(do_ioctl(a.c, f, NR(0x7f, int), NULL), -ENOTTY);
	driver_close(f);
}

/* ------------------------------------------------ memory */

static void without_memory_nothing_is_made(void **state)
{
	unsigned int n;

	for (n = 1;; n++) {
		struct driver *other = NULL;
		int r;

		n_live_allocs = 0;
		fail_alloc(n);
		r = driver_create(&profile, &other);
		if (!r) {
			driver_destroy(other);
			assert_int_equal(n_live_allocs, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(other);
		assert_int_equal(n_live_allocs, 0);
	}
	vkf_env_set(NULL);
	assert_true(n > 5);
}

static void without_memory_no_client_and_no_file(void **state)
{
	static const unsigned int devices[][2] = { { MACHINE_KFD_MAJOR, 0 },
						   { MACHINE_DRM_MAJOR, 128 } };
	unsigned int n, which;
	struct space s;

	for (n = 1;; n++) {
		int r;

		n_live_allocs = 0;
		fail_alloc(n);
		r = try_open_space(&s, 1, "s");
		vkf_env_set(NULL);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(n_live_allocs, 0);
		unmap_space(&s);
	}
	assert_true(n > 2);
	for (which = 0; which < 2; which++) {
		for (n = 1;; n++) {
			struct driver_file *f = NULL;
			int r;

			fail_alloc(n);
			r = driver_open(s.c, devices[which][0], devices[which][1], &f);
			vkf_env_set(NULL);
			if (!r) {
				driver_close(f);
				break;
			}
			assert_int_equal(r, -ENOMEM);
			assert_null(f);
			assert_int_equal(driver_n_files(d), 0);
		}
		assert_true(n > 1);
	}
	close_space(&s);
}

static void usage_is_what_the_devices_say(void **state)
{
	struct machine_usage u;
	struct prog p;
	uint64_t handle, gtt;

	prog_start(&p);
	driver_usage(d, &u);
	assert_true(u.vram_used[0] < 4 * MIB); /* page tables */
	gtt = u.gtt_used[0];
	assert_int_equal(alloc_mem(&p, 0, VA(0), 64 * MIB, F_VRAM | F_WRITE, &handle, NULL), 0);
	driver_usage(d, &u);
	assert_true(u.vram_used[0] >= 64 * MIB);
	assert_true(u.vram_used[1] < 4 * MIB);
	assert_int_equal(u.gtt_used[0], gtt);
	assert_int_equal(free_mem(&p, handle), 0);
}

/* ------------------------------------------------ interrupts and engines */

static unsigned int n_lines;
static char last_line[256];

static void log_line(const char *line)
{
	n_lines++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void push(struct gpu_irq irq)
{
	a.ctrl->irq[a.ctrl->irq_wptr % GPU_IRQ_ENTRIES] = irq;
	a.ctrl->irq_wptr++;
}

static void interrupts_reach_the_process_and_the_log(void **state)
{
	struct prog p;

	n_lines = 0;
	push((struct gpu_irq){ .type = GPU_IRQ_BAD_PACKET, .ctx = 0xbad });
	/* There is no process yet who could care. */
	driver_interrupts(a.c, log_line);
	assert_int_equal(n_lines, 0);
	assert_int_equal(a.ctrl->irq_rptr, 1);
	prog_open(&p);
	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .ctx = 5 });
	push((struct gpu_irq){ .type = GPU_IRQ_BAD_PACKET, .ctx = 0xbad, .status = 0xad });
	push((struct gpu_irq){ .type = 99 });
	driver_interrupts(a.c, log_line);
	assert_int_equal(n_lines, 1);
	assert_non_null(strstr(last_line, "pid 100"));
	assert_non_null(strstr(last_line, "0x00000bad"));
	assert_int_equal(a.ctrl->irq_rptr, 4);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct destroyer {
	struct prog *p;
	uint32_t queue;
	int result;
	atomic_bool done;
};

static void *destroy_queue(void *arg)
{
	struct destroyer *x = arg;

	x->result = queue_destroy(x->p, x->queue);
	atomic_store(&x->done, true);
	return NULL;
}

static void nap(void)
{
	struct timespec ts = { .tv_nsec = 20000000 };

	nanosleep(&ts, NULL);
}

static void who_waits_for_a_hung_engine_holds_nobody_else(void **state)
{
	struct destroyer x = { 0 };
	struct driver_file *f;
	struct user_queue q;
	struct space b;
	struct prog p;
	pthread_t thread;
	uint64_t begin;

	prog_start(&p);
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_SDMA, 1, &q);
	open_space(&b, 2, "b");
	atomic_store(&a.ctrl->engine, GPU_ENGINE_RUNNING);
	x.p = &p;
	x.queue = q.args.queue_id;
	begin = now_ms();
	assert_int_equal(pthread_create(&thread, NULL, destroy_queue, &x), 0);
	while (atomic_load(&a.ctrl->queue[0].want) != GPU_WANT_STOP)
		nap();
	/* The others open, look up and close meanwhile. */
	f = open_file(b.c, MACHINE_KFD_MAJOR, 0);
	assert_int_equal(version(b.c, f), 0);
	driver_close(f);
	assert_false(atomic_load(&x.done));
	/* The client is going: nobody waits for its engine any longer, whatever it writes. */
	driver_client_gone(a.c);
	atomic_store(&a.ctrl->engine, GPU_ENGINE_RUNNING);
	pthread_join(thread, NULL);
	assert_true(now_ms() - begin < 6000);
	assert_int_equal(x.result, 0);
	close_space(&b);
}

static void a_client_goes_without_waiting_for_its_engine(void **state)
{
	struct user_queue q[3];
	struct prog p;
	uint64_t begin;

	prog_start(&p);
	for (unsigned int i = 0; i < 3; i++)
		queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_SDMA, i, &q[i]);
	atomic_store(&a.ctrl->engine, GPU_ENGINE_RUNNING);
	atomic_store(&a.ctrl->worker[0].seq, 1);
	begin = now_ms();
	close_space(&a);
	a.c = NULL;
	assert_true(now_ms() - begin < 1500);
}

static void a_queues_priority_is_the_hardwares(void **state)
{
	struct kfd_ioctl_update_queue_args args = { .queue_percentage = 100, .queue_priority = 15 };
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 1, &q);
	q.args.queue_priority = 3;
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(a.ctrl->queue[0].priority, 3);
	args.queue_id = q.args.queue_id;
	args.ring_base_address = q.args.ring_base_address;
	args.ring_size = q.args.ring_size;
	assert_int_equal(uapi_ioctl(p.kfd, K_UPDATE_QUEUE, &args), 0);
	assert_int_equal(a.ctrl->queue[0].priority, 15);
}

static void a_queues_units_are_dealt_out_to_its_engines(void **state)
{
	static const uint32_t mask[] = { 0x1ff };
	struct kfd_ioctl_set_cu_mask_args args = { .num_cu_mask = 32, .cu_mask_ptr = (uintptr_t)mask };
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 1, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(a.ctrl->queue[0].cu_mask[7], UINT32_MAX);
	args.queue_id = q.args.queue_id;
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_CU_MASK, &args), 0);
	assert_int_equal(a.ctrl->queue[0].cu_mask[0], 3);
	assert_int_equal(a.ctrl->queue[0].cu_mask[7], 1);
}

static void take_mm(void *cookie, int32_t pid, const char *comm, struct mm_client *mm)
{
	if (pid == 100)
		*(struct mm_client **)cookie = mm;
}

static void a_program_may_have_so_many_files_and_exports(void **state)
{
	static const char *const sets[] = { "gpu.vram=1GiB", "quota.files=3", "quota.exports=1" };
	const struct mm_bo_params params = { .kind = MM_BO_GTT, .size = 4096 };
	struct machine_dmabuf_config config = { .gpu = 0 };
	struct driver_file *f[4], *e[2], *of_b;
	struct machine_dmabuf *dmabuf;
	struct mm_client *mm = NULL;
	struct space b;

	close_space(&a);
	driver_destroy(d);
	capture_load("mi210x2", sets, 3, &profile);
	assert_int_equal(driver_create(&profile, &d), 0);
	open_space(&a, 100, "first");
	open_space(&b, 101, "second");
	f[0] = open_file(a.c, MACHINE_KFD_MAJOR, 0);
	f[1] = open_file(a.c, MACHINE_DRM_MAJOR, 128);
	f[2] = open_file(a.c, MACHINE_DRM_MAJOR, 129);
	f[3] = NULL;
	assert_int_equal(driver_open(a.c, MACHINE_KFD_MAJOR, 0, &f[3]), -EMFILE);
	assert_int_equal(driver_open(a.c, MACHINE_DRM_MAJOR, 128, &f[3]), -EMFILE);
	/* A listener that is refused is not looked at. */
	assert_int_equal(driver_open_smi(a.c, (struct kfd_smi *)&b, &f[3]), -EMFILE);
	assert_null(f[3]);
	assert_int_equal(driver_n_files(d), 3);
	of_b = open_file(b.c, MACHINE_KFD_MAJOR, 0);
	driver_close(f[1]);
	f[1] = open_file(a.c, MACHINE_DRM_MAJOR, 128);
	/* dma-bufs are counted by themselves. */
	driver_for_each_mm(d, take_mm, &mm);
	assert_int_equal(mm_bo_create(mm, machine_device(driver_machine(d), 0), &params,
				      &config.bo), 0);
	assert_int_equal(machine_dmabuf_create(driver_machine(d), &config, &dmabuf), 0);
	assert_int_equal(driver_open_dmabuf(a.c, dmabuf, &e[0]), 0);
	assert_int_equal(driver_open_dmabuf(a.c, dmabuf, &e[1]), -EMFILE);
	assert_int_equal(driver_n_files(d), 5);
	driver_close(e[0]);
	assert_int_equal(driver_open_dmabuf(a.c, dmabuf, &e[1]), 0);
	driver_close(e[1]);
	machine_dmabuf_put(dmabuf);
	mm_bo_put(config.bo);
	/* One that outlives its program is nobody's. */
	close_space(&b);
	driver_close(of_b);
	for (unsigned int i = 0; i < 3; i++)
		driver_close(f[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(ids_are_never_used_again),
		T(a_queues_priority_is_the_hardwares),
		T(a_queues_units_are_dealt_out_to_its_engines),
		T(clients_are_shown_oldest_first),
		T(what_a_client_has_is_shown),
		T(dma_bufs_are_counted_by_who_exported_them),
		T(an_import_is_no_memory_of_its_own),
		T(a_dma_buf_outlives_its_exporter),
		T(without_memory_no_descriptor_of_a_dma_buf),
		T(regions_too_small_make_no_client),
		T(a_client_is_listed_until_its_memory_is_back),
		T(clients_may_come_and_go_while_somebody_looks),
		T(every_device_of_the_machine_opens),
		T(other_devices_do_not),
		T(a_file_is_found_by_its_number_until_it_is_closed),
		T(the_last_descriptor_closes_the_file),
		T(a_kfd_file_serves_its_own_process_only),
		T(a_new_process_in_the_place_of_a_dead_one_is_another),
		T(a_kfd_file_that_outlives_its_process_serves_nobody),
		T(every_open_of_a_process_is_the_same_process),
		T(a_render_file_outlives_its_process),
		T(pointers_are_the_calls_business),
		T(without_memory_nothing_is_made),
		T(without_memory_no_client_and_no_file),
		T(usage_is_what_the_devices_say),
		T(interrupts_reach_the_process_and_the_log),
		T(who_waits_for_a_hung_engine_holds_nobody_else),
		T(a_client_goes_without_waiting_for_its_engine),
		T(a_program_may_have_so_many_files_and_exports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
