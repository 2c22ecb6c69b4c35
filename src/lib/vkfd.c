/* SPDX-License-Identifier: MIT */
/**
 * DOC: libvkfd
 *
 * The driver (driver/driver.h) with the engine (gpu/engine.h) in one process. A
 * client's regions are memory files mapped here, so that a buffer can be mapped a
 * second time where its user wants it, as the shim does in a program.
 */
#include "vkfd/vkfd.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/handle.h"
#include "base/lock.h"
#include "driver/call.h"
#include "gpu/engine.h"
#include "gpu/mem_direct.h"
#include "host/admin.h"
#include "host/futex.h"
#include "host/memfd.h"
#include "host/probe.h"
#include "host/sched_host.h"
#include "lib/smi.h"
#include "machine/sysfs.h"
#include "mm/system.h"

#define PT_TABLES (UINT32_C(1) << 18)
#define MAX_FDS   1024
#define MAX_CALLS 64

struct vkfd_machine {
	struct driver *driver;
	struct machine_profile profile;
};

enum { CTRL, PT, ARENA, BAR, N_REGIONS };

struct vkfd_client {
	struct vkfd_machine *machine;
	struct driver_client *client;
	struct host_region regions[N_REGIONS];
	struct vkf_mutex lock;             /* rank LEAF; protects @fds and @calls */
	struct vkf_handles fds;            /* of struct driver_file */
	struct vkf_task *calls[MAX_CALLS]; /* tasks inside a call */
	struct vkf_mutex smi_lock;         /* rank CLIENT; protects the next */
	struct vkf_list smis;              /* listeners for SMI events */
	struct gpu_engine *engine;
	void *engine_storage;
	atomic_uint kicks; /* bumped to wake the engine's thread */
	atomic_bool engine_stop;
	pthread_t engine_thread, irq_thread;
	bool engine_runs;
};

/* struct lib_call - a call from this very process */
struct lib_call {
	struct vkf_call call;
	struct vkfd_client *client;
	uintptr_t stack_end;       /* of the page where the call's stack begins */
	struct driver_file *named; /* by a descriptor among the arguments; a reference */
};

/* ------------------------------------------------ machines */

static pthread_once_t host_once = PTHREAD_ONCE_INIT;

static void install_host(void)
{
	if (!vkf_sched_installed())
		host_sched_install();
}

int vkfd_machine_open(const char *json, size_t len, const char *const *sets, size_t n_sets,
		      struct vkfd_machine **ret_machine, char *err, size_t err_len)
{
	struct vkfd_machine *m;
	int r;

	pthread_once(&host_once, install_host);
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = machine_profile_load(json, len, sets, n_sets, &m->profile, err, err_len);
	if (!r)
		r = driver_create(&m->profile, &m->driver);
	if (r) {
		free(m);
		return r;
	}
	*ret_machine = m;
	return 0;
}

void vkfd_machine_close(struct vkfd_machine *m)
{
	if (!m)
		return;
	driver_destroy(m->driver);
	free(m);
}

int vkfd_check(struct vkfd_machine *m, char *why, size_t why_len)
{
	return mm_check(machine_system(driver_machine(m->driver)), why, why_len);
}

/* ------------------------------------------------ clients */

static void lib_punch(void *cookie, uint64_t off, uint64_t len)
{
	struct vkfd_client *c = cookie;

	host_region_punch(&c->regions[ARENA], off, len);
}

static void lib_fill(void *cookie, uint64_t off, uint64_t len, uint8_t byte)
{
	struct vkfd_client *c = cookie;

	memset((char *)c->regions[ARENA].base + off, byte, len);
}

static void lib_wake_engine(void *cookie)
{
	struct vkfd_client *c = cookie;

	atomic_fetch_add(&c->kicks, 1);
	host_futex_wake_private(&c->kicks, INT_MAX);
}

static uint64_t engine_now(void *cookie)
{
	return vkf_now_ns();
}

static void drop_line(const char *line)
{
	(void)line;
}

/* Delivered by somebody else: the driver may have to wait for the engine, who is the caller here.
 */
static void engine_irq(void *cookie)
{
	struct vkfd_client *c = cookie;
	struct gpu_ctrl *ctrl = c->regions[CTRL].base;

	host_futex_wake(&ctrl->irq_wptr, INT_MAX);
}

static void engine_relax(void *cookie)
{
	vkf_relax();
}

static const struct gpu_engine_ops engine_ops = {
	.mem = &gpu_mem_direct,
	.now_ns = engine_now,
	.irq = engine_irq,
	.relax = engine_relax,
};

static int create_regions(struct vkfd_client *c)
{
	const struct machine_profile *p = &c->machine->profile;
	uint64_t arena = 0;
	int r;

	for (unsigned int i = 0; i < p->n_gpus; i++)
		arena += p->gpus[i].vram;
	for (unsigned int i = 0; i < p->n_sockets; i++)
		arena += p->sockets[i].ram;
	r = host_region_create("vkfd-ctrl", sizeof(struct gpu_ctrl), 0, true, &c->regions[CTRL]);
	if (!r)
		r = host_region_create("vkfd-pt", PT_TABLES * GPU_PT_TABLE_BYTES, 0, true,
				       &c->regions[PT]);
	if (!r)
		r = host_region_create("vkfd-arena", VKF_ALIGN_UP(2 * arena, VKF_GIB(1)), 0, true,
				       &c->regions[ARENA]);
	if (!r)
		r = host_region_create("vkfd-bar", p->n_gpus * GPU_BAR_STRIDE, 0, true,
				       &c->regions[BAR]);
	return r;
}

static int create_engine(struct vkfd_client *c)
{
	struct gpu_engine_config config = {
		.ctrl = c->regions[CTRL].base,
		.pt = c->regions[PT].base,
		.arena = c->regions[ARENA].base,
		.bar = c->regions[BAR].base,
		.ops = &engine_ops,
		.cookie = c,
	};

	c->engine_storage = aligned_alloc(64, VKF_ALIGN_UP(gpu_engine_size(), (size_t)64));
	if (!c->engine_storage)
		return -ENOMEM;
	memset(c->engine_storage, 0, gpu_engine_size());
	return gpu_engine_init(c->engine_storage, &config, &c->engine);
}

static int create_client(struct vkfd_client *c, pid_t pid, const char *name)
{
	struct driver_client_config config = {
		.pid = pid,
		.comm = name,
		.regions = {
			.ctrl = c->regions[CTRL].base,
			.pt = c->regions[PT].base,
			.pt_tables = PT_TABLES,
			.arena_bytes = c->regions[ARENA].size,
			.bar_bytes = c->regions[BAR].size,
			.punch = lib_punch,
			.fill = lib_fill,
			.wake_engine = lib_wake_engine,
			.cookie = c,
		},
	};

	return driver_client_create(c->machine->driver, &config, &c->client);
}

static void free_client(struct vkfd_client *c)
{
	for (unsigned int i = 0; i < N_REGIONS; i++)
		if (c->regions[i].fd >= 0)
			host_region_destroy(&c->regions[i]);
	free(c->engine_storage);
	vkf_handles_fini(&c->fds);
	vkf_mutex_fini(&c->smi_lock);
	vkf_mutex_fini(&c->lock);
	free(c);
}

int vkfd_client_open(struct vkfd_machine *m, pid_t pid, const char *name,
		     struct vkfd_client **ret_client)
{
	struct vkfd_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->machine = m;
	for (unsigned int i = 0; i < N_REGIONS; i++)
		c->regions[i].fd = -1;
	vkf_mutex_init(&c->lock, VKF_RANK_LEAF);
	vkf_mutex_init(&c->smi_lock, VKF_RANK_CLIENT);
	vkf_list_init(&c->smis);
	vkf_handles_init(&c->fds, 0, MAX_FDS);
	r = create_regions(c);
	if (!r)
		r = create_client(c, pid, name);
	if (r) {
		free_client(c);
		return r;
	}
	r = create_engine(c);
	if (r) {
		driver_client_destroy(c->client);
		free_client(c);
		return r;
	}
	*ret_client = c;
	return 0;
}

void vkfd_client_close(struct vkfd_client *c)
{
	struct driver_file *f;
	unsigned int fd;

	if (!c)
		return;
	vkfd_engine_stop(c);
	driver_client_destroy(c->client);
	lib_smi_end(&c->smis);
	vkf_handle_for_each(&c->fds, fd, f)
		driver_file_drop(f);
	free_client(c);
}

/* ------------------------------------------------ descriptors */

/* DRM's own: cards have minors from 0, render nodes from 128. */
#define FIRST_CARD   0
#define FIRST_RENDER 128
#define N_MINORS     64

/* @path is @prefix and a minor of those from @first on, as the kernel writes it. */
static bool is_node(const char *path, const char *prefix, unsigned int first,
		    unsigned int *ret_minor)
{
	size_t len = strlen(prefix);
	char name[64];

	if (strncmp(path, prefix, len))
		return false;
	*ret_minor = (unsigned int)strtoul(path + len, NULL, 10);
	snprintf(name, sizeof(name), "%s%u", prefix, *ret_minor);
	return !strcmp(path, name) && *ret_minor >= first && *ret_minor - first < N_MINORS;
}

static int parse_device(const char *path, unsigned int *ret_major, unsigned int *ret_minor)
{
	if (!strcmp(path, "/dev/kfd")) {
		*ret_major = MACHINE_KFD_MAJOR;
		*ret_minor = 0;
		return 0;
	}
	*ret_major = MACHINE_DRM_MAJOR;
	if (is_node(path, "/dev/dri/renderD", FIRST_RENDER, ret_minor) ||
	    is_node(path, "/dev/dri/card", FIRST_CARD, ret_minor))
		return 0;
	return -ENOENT;
}

static int install_fd(struct vkfd_client *c, struct driver_file *f)
{
	unsigned int fd;
	int r;

	vkf_mutex_lock(&c->lock);
	r = vkf_handles_add(&c->fds, f, &fd);
	vkf_mutex_unlock(&c->lock);
	if (r)
		return r == -ENOSPC ? -EMFILE : r;
	return (int)fd;
}

int vkfd_open(struct vkfd_client *c, const char *path)
{
	unsigned int major, minor;
	struct driver_file *f;
	int r = parse_device(path, &major, &minor);

	if (!r)
		r = driver_open(c->client, major, minor, &f);
	if (r)
		return r;
	r = install_fd(c, f);
	if (r < 0)
		driver_file_drop(f);
	return r;
}

static struct driver_file *find_file(struct vkfd_client *c, int fd)
{
	struct driver_file *f;

	vkf_mutex_lock(&c->lock);
	f = fd < 0 ? NULL : vkf_handles_find(&c->fds, (unsigned int)fd);
	if (f)
		driver_file_get(f);
	vkf_mutex_unlock(&c->lock);
	return f;
}

int vkfd_dup(struct vkfd_client *from, int fd, struct vkfd_client *to)
{
	struct driver_file *f;
	int r;

	/* While the number stands in the table it is a descriptor, and the file is open. */
	vkf_mutex_lock(&from->lock);
	f = fd < 0 ? NULL : vkf_handles_find(&from->fds, (unsigned int)fd);
	if (f)
		driver_file_share(f);
	vkf_mutex_unlock(&from->lock);
	if (!f)
		return -EBADF;
	r = install_fd(to, f);
	if (r < 0)
		driver_file_drop(f);
	return r;
}

int vkfd_close(struct vkfd_client *c, int fd)
{
	struct driver_file *f = NULL;

	vkf_mutex_lock(&c->lock);
	if (fd >= 0)
		f = vkf_handles_remove(&c->fds, (unsigned int)fd);
	vkf_mutex_unlock(&c->lock);
	if (!f)
		return -EBADF;
	driver_file_drop(f);
	return 0;
}

/* ------------------------------------------------ calls */

/* From here up to where the call came in is stack in use, and there arguments often are: it need
 * not be asked about. */
static bool is_stack(struct vkf_call *call, uint64_t uptr, size_t len)
{
	const struct lib_call *lc = vkf_container_of(call, struct lib_call, call);

	return uptr >= (uintptr_t)__builtin_frame_address(0) && uptr < lc->stack_end &&
	       len <= lc->stack_end - uptr;
}

static int lib_copy_from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	if (!is_stack(call, uptr, len) &&
	    (!vkf_access_ok(uptr, len) || !host_readable((const void *)(uintptr_t)uptr, len)))
		return -EFAULT;
	memcpy(dst, (const void *)(uintptr_t)uptr, len);
	return 0;
}

static int lib_copy_to_user(struct vkf_call *call, uint64_t uptr, const void *src, size_t len)
{
	if (!is_stack(call, uptr, len) &&
	    (!vkf_access_ok(uptr, len) || !host_writable((void *)(uintptr_t)uptr, len)))
		return -EFAULT;
	memcpy((void *)(uintptr_t)uptr, src, len);
	return 0;
}

static int lib_user_pages(struct vkf_call *call, uint64_t uptr, uint64_t len)
{
	return host_user_pages((void *)(uintptr_t)uptr, len);
}

/* Held until the call ends: another thread may close the descriptor meanwhile. */
static struct machine_render *lib_render_of_fd(struct vkf_call *call, int fd)
{
	struct lib_call *lc = vkf_container_of(call, struct lib_call, call);

	driver_file_put(lc->named);
	lc->named = find_file(lc->client, fd);
	return lc->named ? driver_file_render(lc->named) : NULL;
}

static bool lib_fd_is_open(struct vkf_call *call, int fd)
{
	struct driver_file *f = find_file(vkf_container_of(call, struct lib_call, call)->client, fd);

	driver_file_put(f);
	return f;
}

static int lib_dmabuf_of_fd(struct vkf_call *call, int fd, struct machine_dmabuf **ret_dmabuf)
{
	struct lib_call *lc = vkf_container_of(call, struct lib_call, call);

	driver_file_put(lc->named);
	lc->named = find_file(lc->client, fd);
	if (!lc->named)
		return -EBADF;
	if (!driver_file_dmabuf(lc->named))
		return -EINVAL;
	*ret_dmabuf = driver_file_dmabuf(lc->named);
	return 0;
}

static int lib_give_dmabuf(struct vkf_call *call, struct machine_dmabuf *dmabuf, int *ret_fd)
{
	struct lib_call *lc = vkf_container_of(call, struct lib_call, call);
	struct driver_file *f;
	int r = driver_open_dmabuf(lc->client->client, dmabuf, &f);

	if (r)
		return r;
	r = install_fd(lc->client, f);
	if (r < 0) {
		driver_file_drop(f);
		return r;
	}
	*ret_fd = r;
	return 0;
}

/* The one descriptor that is this process's own. */
static int lib_give_smi(struct vkf_call *call, struct kfd_smi *smi, int *ret_fd)
{
	struct vkfd_client *c = vkf_container_of(call, struct lib_call, call)->client;
	int fd;

	vkf_mutex_lock(&c->smi_lock);
	lib_smi_sweep(&c->smis);
	fd = lib_smi_add(&c->smis, smi);
	vkf_mutex_unlock(&c->smi_lock);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static bool lib_is_admin(struct vkf_call *call)
{
	(void)call;
	return host_is_admin(0);
}

static const struct vkf_call_ops lib_call_ops = {
	.copy_from_user = lib_copy_from_user,
	.copy_to_user = lib_copy_to_user,
	.user_pages = lib_user_pages,
	.render_of_fd = lib_render_of_fd,
	.fd_is_open = lib_fd_is_open,
	.dmabuf_of_fd = lib_dmabuf_of_fd,
	.give_dmabuf = lib_give_dmabuf,
	.give_smi = lib_give_smi,
	.is_admin = lib_is_admin,
};

/* Remember the task while it is inside, for vkfd_interrupt(). Return: where, or -1: no room. */
static int enter_call(struct vkfd_client *c)
{
	int at = -1;

	vkf_mutex_lock(&c->lock);
	for (int i = 0; i < MAX_CALLS && at < 0; i++)
		if (!c->calls[i])
			at = i;
	if (at >= 0)
		c->calls[at] = vkf_current();
	vkf_task_clear_interrupt();
	vkf_mutex_unlock(&c->lock);
	return at;
}

static void leave_call(struct vkfd_client *c, int at)
{
	vkf_mutex_lock(&c->lock);
	if (at >= 0)
		c->calls[at] = NULL;
	vkf_task_clear_interrupt();
	vkf_mutex_unlock(&c->lock);
}

int vkfd_ioctl(struct vkfd_client *c, int fd, unsigned long request, void *arg)
{
	struct lib_call lc = { .call = { &lib_call_ops }, .client = c };
	struct driver_file *f = find_file(c, fd);
	int at, r;

	if (!f)
		return -EBADF;
	lc.stack_end = ((uintptr_t)__builtin_frame_address(0) | (VKF_PAGE_SIZE - 1)) + 1;
	at = enter_call(c);
	r = driver_ioctl(c->client, f, &lc.call, (uint32_t)request, (uintptr_t)arg);
	leave_call(c, at);
	driver_file_put(lc.named);
	driver_file_put(f);
	return r == -VKF_ERESTARTSYS ? -EINTR : r;
}

void vkfd_interrupt(struct vkfd_client *c)
{
	vkf_mutex_lock(&c->lock);
	for (int i = 0; i < MAX_CALLS; i++)
		if (c->calls[i])
			vkf_task_interrupt(c->calls[i]);
	vkf_mutex_unlock(&c->lock);
}

/* A shared mapping that is "moved" from length 0 is a second mapping of the same pages. */
static int map_again(void *old, void *addr, size_t len, int prot, int flags, void **ret_addr)
{
	int how = MREMAP_MAYMOVE | (flags & MAP_FIXED ? MREMAP_FIXED : 0);
	void *p = flags & MAP_FIXED ? mremap(old, 0, len, how, addr) : mremap(old, 0, len, how);

	if (p == MAP_FAILED)
		return -errno;
	if (mprotect(p, len, prot) < 0) {
		int r = -errno;

		munmap(p, len);
		return r;
	}
	*ret_addr = p;
	return 0;
}

static int map_nothing(void *addr, size_t len, int flags, void **ret_addr)
{
	void *p = mmap(addr, len, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (flags & MAP_FIXED), -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret_addr = p;
	return 0;
}

int vkfd_mmap(struct vkfd_client *c, void *addr, size_t len, int prot, int flags, int fd,
	      off_t offset, void **ret_addr)
{
	static const int region[] = { [MACHINE_MAP_ARENA] = ARENA, [MACHINE_MAP_BAR] = BAR };
	struct driver_file *f = find_file(c, fd);
	struct machine_map map;
	int r;

	if (!f)
		return -EBADF;
	r = driver_mmap(c->client, f, (uint64_t)offset, len, prot, flags, &map);
	driver_file_put(f);
	if (r)
		return r;
	if (!(flags & MAP_SHARED))
		return map_nothing(addr, len, flags, ret_addr);
	return map_again((char *)c->regions[region[map.kind]].base + map.offset, addr, len, prot,
			 flags, ret_addr);
}

int64_t vkfd_lseek(struct vkfd_client *c, int fd, int64_t offset, int whence)
{
	struct driver_file *f = find_file(c, fd);
	const struct machine_dmabuf *d;
	int64_t r = -ESPIPE;

	if (!f)
		return -EBADF;
	d = driver_file_dmabuf(f);
	if (d)
		r = offset || (whence != SEEK_SET && whence != SEEK_END) ? -EINVAL
		    : whence == SEEK_END ? (int64_t)machine_dmabuf_size(d)
					 : 0;
	driver_file_put(f);
	return r;
}

/* ------------------------------------------------ the hardware */

int vkfd_engine_step(struct vkfd_client *c)
{
	unsigned int done = gpu_engine_step(c->engine);

	driver_interrupts(c->client, drop_line);
	return done & GPU_STEP_WORKED ? 1 : done & GPU_STEP_WAITING ? 2 : 0;
}

/* Doorbells are plain stores here, so an idle engine looks again every 50 us. */
#define IDLE_NS UINT64_C(50000)
/* An interrupt wakes its thread; this only bounds how long the end goes unnoticed. */
#define IRQ_LOOK_NS UINT64_C(5000000)

static void *engine_main(void *arg)
{
	struct vkfd_client *c = arg;

	while (!atomic_load(&c->engine_stop)) {
		unsigned int kicks = atomic_load(&c->kicks);

		if (!(gpu_engine_step(c->engine) & GPU_STEP_WORKED))
			host_futex_wait_private(&c->kicks, kicks, vkf_now_ns() + IDLE_NS);
	}
	return NULL;
}

static void *irq_main(void *arg)
{
	struct vkfd_client *c = arg;
	struct gpu_ctrl *ctrl = c->regions[CTRL].base;

	while (!atomic_load(&c->engine_stop)) {
		uint32_t seen = atomic_load(&ctrl->irq_wptr);

		driver_interrupts(c->client, drop_line);
		if (atomic_load(&ctrl->irq_wptr) == seen)
			host_futex_wait(&ctrl->irq_wptr, seen, vkf_now_ns() + IRQ_LOOK_NS);
	}
	return NULL;
}

int vkfd_engine_start(struct vkfd_client *c)
{
	int r;

	if (c->engine_runs)
		return -EBUSY;
	atomic_store(&c->engine_stop, false);
	r = -pthread_create(&c->irq_thread, NULL, irq_main, c);
	if (r)
		return r;
	gpu_engine_set_state(c->engine, GPU_ENGINE_RUNNING);
	r = -pthread_create(&c->engine_thread, NULL, engine_main, c);
	c->engine_runs = !r;
	if (r) {
		gpu_engine_set_state(c->engine, GPU_ENGINE_NONE);
		atomic_store(&c->engine_stop, true);
		pthread_join(c->irq_thread, NULL);
	}
	return r;
}

void vkfd_engine_stop(struct vkfd_client *c)
{
	if (!c->engine_runs)
		return;
	atomic_store(&c->engine_stop, true);
	lib_wake_engine(c);
	pthread_join(c->engine_thread, NULL);
	gpu_engine_set_state(c->engine, GPU_ENGINE_NONE);
	engine_irq(c);
	pthread_join(c->irq_thread, NULL);
	driver_interrupts(c->client, drop_line);
	c->engine_runs = false;
}
