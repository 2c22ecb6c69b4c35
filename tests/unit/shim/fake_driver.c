/* SPDX-License-Identifier: MIT */
#include "fake_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/futex.h>
#include <linux/kfd_ioctl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <drm.h>
#include "gpu/ctrl.h"
#include "wire/proto.h"
#include "wire/slot.h"

#define MAX_CONNS 256
#define MADE (UINT64_C(1) << 63)

struct session {
	uint64_t id;
	int fds[WIRE_N_REGIONS];
	uint64_t bytes[WIRE_N_REGIONS];
	struct gpu_ctrl *ctrl;
	struct wire_slots *slots;
	_Atomic uint32_t cancelled[WIRE_SLOTS]; /* seq of the last call to be cancelled */
	int engine_fd;
};

struct slot_arg {
	struct session *session;
	unsigned int index;
};

struct conn {
	int fd;
	enum wire_kind kind;
	struct session *session;
	uint64_t file, owner, inode; /* @inode: of a dma-buf */
	uint32_t major, minor;
};

static struct conn conns[MAX_CONNS];
static struct fake_counts counts;
static uint64_t last_session;
static _Atomic uint64_t last_file;

/* ------------------------------------------------ calls */

static void *seg_data(struct wire_slot *slot, uint64_t uptr, uint64_t len)
{
	for (unsigned int i = 0; i < slot->head.n_segs; i++) {
		struct wire_seg *g = &slot->head.seg[i];

		if (g->uptr == uptr && g->len >= len && g->in)
			return slot->data + g->off;
	}
	return NULL;
}

static struct wire_seg *seg_out(struct wire_slot *slot, uint64_t uptr)
{
	for (unsigned int i = 0; i < slot->head.n_segs; i++)
		if (slot->head.seg[i].uptr == uptr)
			return &slot->head.seg[i];
	return NULL;
}

static int put(struct wire_slot *slot, uint64_t uptr, const void *src, uint32_t len)
{
	struct wire_seg *g = seg_out(slot, uptr);

	if (!g || g->len < len)
		return -EFAULT;
	memcpy(slot->data + g->off, src, len);
	g->written = len;
	return 0;
}

static int wait_events(struct slot_arg *a, struct wire_slot *slot,
		       struct kfd_ioctl_wait_events_args *args)
{
	uint32_t len = args->num_events * (uint32_t)sizeof(struct kfd_event_data);
	uint8_t *events = len ? seg_data(slot, args->events_ptr, len) : NULL;
	struct timespec tick = { 0, 1000000 };

	if (len && !events)
		return -EFAULT;
	args->wait_result = 1;
	for (uint32_t ms = 0; ms < args->timeout; ms++) {
		nanosleep(&tick, NULL);
		if (atomic_load(&a->session->cancelled[a->index]) == slot->head.seq) {
			args->wait_result = 2;
			break;
		}
	}
	for (uint32_t i = 0; i < len; i++)
		events[i] = (uint8_t)~events[i];
	if (len)
		seg_out(slot, args->events_ptr)->written = len;
	return args->wait_result == 2 ? -EINTR : 0;
}

static int map_memory(struct wire_slot *slot, struct kfd_ioctl_map_memory_to_gpu_args *args)
{
	uint32_t *ids = seg_data(slot, args->device_ids_array_ptr, args->n_devices * 4);

	if (!ids)
		return -EFAULT;
	args->handle = 0;
	for (uint32_t i = 0; i < args->n_devices; i++)
		args->handle += ids[i];
	args->n_success = args->n_devices;
	return 0;
}

static int apertures(struct wire_slot *slot, struct kfd_ioctl_get_process_apertures_new_args *args)
{
	uint8_t fill[sizeof(struct kfd_process_device_apertures) * 16];

	memset(fill, 0x5a, sizeof(fill));
	if (args->num_of_nodes > 16)
		return -EINVAL;
	return put(slot, args->kfd_process_device_apertures_ptr, fill,
		   args->num_of_nodes * (uint32_t)sizeof(struct kfd_process_device_apertures));
}

static int kfd_call(struct slot_arg *a, struct wire_slot *slot, void *block)
{
	static const struct kfd_ioctl_get_version_args version = { 1, 17 };
	struct kfd_ioctl_set_cu_mask_args *cu = block;
	struct kfd_ioctl_acquire_vm_args *vm = block;

	switch (_IOC_NR(slot->head.cmd)) {
	case 0x01:
		memcpy(block, &version, sizeof(version));
		return 0;
	case 0x02:
		return 0;
	case 0x03:
		pause();
		return 0;
	case 0x05:
		((struct kfd_ioctl_get_clock_counters_args *)block)->gpu_clock_counter++;
		return 0;
	case 0x0c:
		return wait_events(a, slot, block);
	case 0x14:
		return apertures(slot, block);
	case 0x15:
		vm->gpu_id = slot->head.n_fds && slot->head.fd[0].fd == (int)vm->drm_fd
				     ? (uint32_t)slot->head.fd[0].file
				     : 0;
		return 0;
	case 0x18:
		return map_memory(slot, block);
	case 0x1a:
		return seg_data(slot, cu->cu_mask_ptr, (cu->num_cu_mask + 31) / 32 * 4) ? -ENOSPC
											: -EFAULT;
	case 0x24:
		/* The claim brings back what it was made of. */
		slot->head.made_file = MADE | atomic_fetch_add(&last_file, 1) << 8 | *(uint8_t *)block;
		return 0;
	default:
		return -ENOTTY;
	}
}

static int drm_call(struct wire_slot *slot, struct drm_version *v)
{
	static const char desc[] = "a driver for tests";
	int r = 0;

	if (_IOC_NR(slot->head.cmd) != 0)
		return -EINVAL;
	if (v->name_len)
		r = put(slot, (uintptr_t)v->name, "fake", v->name_len < 4 ? v->name_len : 4);
	if (!r && v->desc_len)
		r = put(slot, (uintptr_t)v->desc, desc,
			v->desc_len < sizeof(desc) ? v->desc_len : sizeof(desc));
	v->name_len = 4;
	v->date_len = 0;
	v->desc_len = sizeof(desc);
	return r;
}

static int serve_ioctl(struct slot_arg *a, struct wire_slot *slot)
{
	uint32_t size = _IOC_SIZE(slot->head.cmd);
	uint8_t *block = size ? seg_data(slot, slot->head.arg, size) : NULL;
	uint8_t copy[16384];
	int r;

	/* As the kernel: a block that only is written need not be readable. */
	if (!block && _IOC_NR(slot->head.cmd) == 0x01 && size) {
		memset(copy, 0, sizeof(copy));
		r = kfd_call(a, slot, copy);
		return r ? r : put(slot, slot->head.arg, copy, size);
	}
	if (!block)
		return size ? -EFAULT : -EINVAL;
	memcpy(copy, block, size);
	r = _IOC_TYPE(slot->head.cmd) == 'd' ? drm_call(slot, (struct drm_version *)copy)
					     : kfd_call(a, slot, copy);
	return put(slot, slot->head.arg, copy, size) ? -EFAULT : r;
}

static int serve_mmap(struct wire_slot *slot)
{
	static const uint32_t region[] = { WIRE_REGION_ARENA, 0, WIRE_REGION_CTRL,
					   WIRE_REGION_BAR };
	unsigned int kind = (unsigned int)(slot->head.arg >> 62);

	if (kind == 1)
		return -EINVAL;
	slot->head.map_region = region[kind];
	slot->head.map_offset = slot->head.arg & (UINT64_MAX >> 2);
	slot->head.map_dont_copy = kind == 3;
	return 0;
}

static void *serve_slot(void *arg)
{
	struct slot_arg *a = arg;
	struct wire_slot *slot = &a->session->slots->slot[a->index];
	struct wire_slot_head *h = &slot->head;

	for (;;) {
		uint32_t state = atomic_load(&h->state);

		if (state != WIRE_SUBMITTED) {
			syscall(SYS_futex, &h->state, FUTEX_WAIT, state, NULL);
			continue;
		}
		__atomic_fetch_add(&counts.calls, 1, __ATOMIC_RELAXED);
		h->made_file = 0;
		if (h->call == WIRE_CALL_NOP)
			__atomic_fetch_add(&counts.nops, 1, __ATOMIC_RELAXED);
		if (h->call == WIRE_CALL_NOP)
			h->result = 0;
		else if (h->call == WIRE_CALL_IOCTL)
			h->result = serve_ioctl(a, slot);
		else
			h->result = h->call == WIRE_CALL_MMAP ? serve_mmap(slot) : -EINVAL;
		atomic_store(&h->state, WIRE_DONE);
		syscall(SYS_futex, &h->state, FUTEX_WAKE, INT32_MAX);
	}
	return NULL;
}

/* ------------------------------------------------ connections */

static void reply(int fd, struct wire_welcome *w, const int *fds, unsigned int n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * WIRE_N_REGIONS)];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { w, sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	w->magic = WIRE_MAGIC;
	if (n) {
		struct cmsghdr *cm;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		cm = CMSG_FIRSTHDR(&msg);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * n);
	}
	(void)!sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static void hello_session(struct conn *c)
{
	static const uint64_t sizes[] = { sizeof(struct gpu_ctrl), 16 * GPU_PT_TABLE_BYTES,
					  FAKE_ARENA_BYTES, GPU_BAR_STRIDE,
					  sizeof(struct wire_slots) };
	struct session *s = calloc(1, sizeof(*s));
	struct wire_welcome w = { 0 };

	s->id = ++last_session;
	s->engine_fd = -1;
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++) {
		s->bytes[i] = (sizes[i] + 4095) & ~UINT64_C(4095);
		w.region_bytes[i] = s->bytes[i];
		s->fds[i] = memfd_create("fake", MFD_CLOEXEC);
		if (ftruncate(s->fds[i], (off_t)s->bytes[i]) < 0)
			abort();
	}
	s->ctrl = mmap(NULL, s->bytes[WIRE_REGION_CTRL], PROT_READ | PROT_WRITE, MAP_SHARED,
		       s->fds[WIRE_REGION_CTRL], 0);
	s->slots = mmap(NULL, s->bytes[WIRE_REGION_SLOTS], PROT_READ | PROT_WRITE, MAP_SHARED,
			s->fds[WIRE_REGION_SLOTS], 0);
	s->ctrl->magic = GPU_CTRL_MAGIC;
	s->ctrl->version = GPU_CTRL_VERSION;
	s->ctrl->n_gpus = 1;
	s->ctrl->pt_tables = 16;
	s->ctrl->arena_bytes = s->bytes[WIRE_REGION_ARENA];
	s->ctrl->bar_bytes = s->bytes[WIRE_REGION_BAR];
	c->session = s;
	counts.sessions++;
	w.session = s->id;
	w.token = s->id * 7;
	reply(c->fd, &w, s->fds, WIRE_N_REGIONS);
}

static struct session *find_session(uint64_t id, uint64_t token)
{
	for (unsigned int i = 0; i < MAX_CONNS; i++)
		if (conns[i].fd && conns[i].kind == WIRE_SESSION && conns[i].session->id == id &&
		    token == id * 7)
			return conns[i].session;
	return NULL;
}

static void describe(struct conn *c, struct wire_welcome *w)
{
	w->file = c->file;
	w->session = c->owner;
	w->major = c->major;
	w->minor = c->minor;
	w->dmabuf_bytes = c->inode ? FAKE_DMABUF_BYTES : 0;
	w->dmabuf_inode = c->inode;
	w->dmabuf_writable = c->inode & 1;
}

static void hello_query(struct conn *c, const char *name)
{
	static unsigned int live;
	struct wire_welcome w = { 0 };
	int fd = memfd_create("text", MFD_CLOEXEC);

	if (!strcmp(name, "counts"))
		(void)!write(fd, &counts, sizeof(counts));
	else if (!strcmp(name, "file:/sys/class/kfd/live"))
		dprintf(fd, "%u\n", ++live);
	else
		w.status = -ENOENT;
	lseek(fd, 0, SEEK_SET);
	reply(c->fd, &w, &fd, w.status ? 0 : 1);
	close(fd);
}

static void take_hello(struct conn *c, const struct wire_hello *h)
{
	struct wire_welcome w = { 0 };
	struct session *s = NULL;

	c->kind = (enum wire_kind)h->kind;
	if (h->kind == WIRE_FILE || h->kind == WIRE_ENGINE) {
		s = find_session(h->session, h->token);
		if (!s)
			w.status = -EACCES;
	}
	if (h->kind == WIRE_SESSION) {
		hello_session(c);
		return;
	}
	if (h->kind == WIRE_QUERY) {
		hello_query(c, h->name);
		return;
	}
	/* The one device that refuses. */
	if (h->kind == WIRE_FILE && h->minor == 77)
		w.status = -EBUSY;
	if (h->kind == WIRE_FILE && h->file)
		c->inode = h->file & 0xff;
	if (c->inode == 2)
		w.status = -ENOENT;
	if (c->inode == 3) {
		c->kind = 0;
		shutdown(c->fd, SHUT_RDWR);
		return;
	}
	if (!w.status && h->kind == WIRE_FILE) {
		c->file = h->file ? h->file : atomic_fetch_add(&last_file, 1) + 1;
		c->owner = h->session;
		c->major = h->major;
		c->minor = h->minor;
		counts.files++;
		counts.opened++;
		describe(c, &w);
	}
	if (!w.status && h->kind == WIRE_ENGINE) {
		counts.engines++;
		c->session = s;
		s->engine_fd = c->fd;
	}
	reply(c->fd, &w, NULL, 0);
	if (w.status)
		c->kind = 0;
	if (c->inode)
		shutdown(c->fd, SHUT_WR);
}

static void take_msg(struct conn *c, const struct wire_msg *m)
{
	struct wire_welcome w = { 0 };
	struct slot_arg *a;
	pthread_t t;

	if (m->op == WIRE_SLOT_OPEN) {
		a = malloc(sizeof(*a));
		*a = (struct slot_arg){ c->session, m->slot };
		pthread_create(&t, NULL, serve_slot, a);
	} else if (m->op == WIRE_CANCEL) {
		counts.cancels++;
		atomic_store(&c->session->cancelled[m->slot], m->seq);
	} else if (m->op == WIRE_IDENT) {
		counts.idents++;
		describe(c, &w);
		reply(c->fd, &w, NULL, 0);
	}
}

static void drop(struct conn *c)
{
	if (c->kind == WIRE_FILE)
		counts.files--;
	if (c->kind == WIRE_ENGINE) {
		counts.engines--;
		c->session->engine_fd = -1;
	}
	if (c->kind == WIRE_SESSION) {
		counts.sessions--;
		atomic_store(&c->session->ctrl->quit, 1);
		if (c->session->engine_fd >= 0)
			(void)!send(c->session->engine_fd, "", 1, MSG_NOSIGNAL);
	}
	close(c->fd);
	*c = (struct conn){ 0 };
}

static void serve_conn(struct conn *c)
{
	union {
		struct wire_hello hello;
		struct wire_msg msg;
	} in;
	ssize_t n = recv(c->fd, &in, sizeof(in), 0);

	if (n <= 0)
		drop(c);
	else if (!c->kind)
		take_hello(c, &in.hello);
	else
		take_msg(c, &in.msg);
}

static void accept_conn(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		if (!conns[i].fd) {
			conns[i] = (struct conn){ .fd = fd };
			return;
		}
	}
	close(fd);
}

static void serve(int listen_fd, int lifetime)
{
	struct pollfd p[MAX_CONNS + 2];

	for (;;) {
		p[0] = (struct pollfd){ listen_fd, POLLIN, 0 };
		p[1] = (struct pollfd){ lifetime, POLLIN, 0 };
		for (unsigned int i = 0; i < MAX_CONNS; i++)
			p[2 + i] = (struct pollfd){ conns[i].fd ? conns[i].fd : -1, POLLIN, 0 };
		if (poll(p, MAX_CONNS + 2, -1) < 0)
			continue;
		if (p[1].revents)
			_exit(0);
		for (unsigned int i = 0; i < MAX_CONNS; i++)
			if (p[2 + i].revents && conns[i].fd)
				serve_conn(&conns[i]);
		if (p[0].revents)
			accept_conn(listen_fd);
	}
}

/* ------------------------------------------------ tree */

static void add(const char *dir, const char *path, const char *text, mode_t mode)
{
	char full[512];
	int fd;

	snprintf(full, sizeof(full), "%s/root%s", dir, path);
	for (char *p = full + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	if (S_ISLNK(mode)) {
		(void)!symlink(text, full);
		return;
	}
	fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	(void)!write(fd, text, strlen(text));
	close(fd);
	chmod(full, mode);
}

static void make_tree(const char *dir)
{
	add(dir, "/dev/kfd", "vkfd-char:240:0", S_IFLNK);
	add(dir, "/dev/dri/card0", "vkfd-char:226:0", S_IFLNK);
	add(dir, "/dev/dri/renderD128", "vkfd-char:226:128", S_IFLNK);
	add(dir, "/dev/dri/renderD200", "vkfd-char:226:77", S_IFLNK);
	add(dir, "/dev/dri/by-path/pci-0000:03:00.0-render", "../renderD128", S_IFLNK);
	add(dir, "/sys/devices/virtual/kfd/kfd/topology/generation_id", "2\n", 0444);
	add(dir, "/sys/devices/virtual/kfd/kfd/topology/nodes/0/name", "cpu\n", 0444);
	add(dir, "/sys/devices/virtual/kfd/kfd/topology/nodes/1/name", "gpu\n", 0444);
	add(dir, "/sys/class/kfd/kfd", "../../devices/virtual/kfd/kfd", S_IFLNK);
	add(dir, "/sys/class/kfd/live", "", 01444);
	add(dir, "/sys/class/drm/card0", "../../devices/pci0000:03/0000:03:00.0/drm/card0",
	    S_IFLNK);
	add(dir, "/sys/devices/pci0000:03/0000:03:00.0/vendor", "0x1002\n", 0444);
	add(dir, "/sys/devices/pci0000:03/0000:03:00.0/drm/card0/dev", "226:0\n", 0444);
	add(dir, "/sys/devices/pci0000:03/0000:03:00.0/drm/card0/device", "../..", S_IFLNK);
	add(dir, "/sys/bus/pci/devices/0000:03:00.0", "../../../devices/pci0000:03/0000:03:00.0",
	    S_IFLNK);
	add(dir, "/sys/dev/char/226:128/name", "render\n", 0444);
	add(dir, "/sys/module/amdgpu/initstate", "live\n", 0444);
	add(dir, "/sys/devices/system/node/node77/cpulist", "64-127\n", 0444);
	add(dir, "/proc/modules", "amdgpu 13000000 0 - Live 0x0\n", 0444);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int fake_driver_start(struct fake_driver *d)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listen_fd, lifetime[2];

	snprintf(d->dir, sizeof(d->dir), "/tmp/vkfd-fake-XXXXXX");
	if (!mkdtemp(d->dir) || pipe2(lifetime, O_CLOEXEC) < 0)
		return -1;
	make_tree(d->dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", d->dir);
	listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(listen_fd, 64) < 0)
		return -1;
	d->pid = fork();
	if (d->pid == 0) {
		close(lifetime[1]);
		signal(SIGPIPE, SIG_IGN);
		setsid();
		serve(listen_fd, lifetime[0]);
	}
	close(listen_fd);
	close(lifetime[0]);
	d->lifetime = lifetime[1];
	return d->pid < 0 ? -1 : 0;
}

void fake_driver_stop(struct fake_driver *d)
{
	close(d->lifetime);
	kill(d->pid, SIGKILL);
	while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
		;
	nftw(d->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
