/* SPDX-License-Identifier: MIT */
/**
 * DOC: The calls of simulated programs
 */
#include "machine_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "kfd/kfd.h"
#include "machine_sim_priv.h"

#define SLEEPER_NS (100 * VKF_NSEC_PER_MSEC)
#define WORKER_NS  (60000 * VKF_NSEC_PER_MSEC)
#define LONGEST_NS (180000 * VKF_NSEC_PER_MSEC)

struct msim_call {
	struct vkf_call call;
	struct msim_thread *thread;
};

static bool within(uint64_t at, size_t len, const void *start, uint64_t size)
{
	uint64_t off = at - (uintptr_t)start;

	return off <= size && len <= size - off;
}

/* What a program may name: the argument block, and its user memory. */
static bool user_ok(const struct msim_thread *t, uint64_t uptr, size_t len)
{
	return within(uptr, len, t->block, t->block_bytes) ||
	       within(uptr, len, t->process->user.base, t->process->user.size);
}

static int call_copy_from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	struct msim_call *mc = vkf_container_of(call, struct msim_call, call);

	vkf_point("copy_from_user");
	if (!user_ok(mc->thread, uptr, len))
		return -EFAULT;
	memcpy(dst, (const void *)(uintptr_t)uptr, len);
	return 0;
}

static int call_copy_to_user(struct vkf_call *call, uint64_t uptr, const void *src, size_t len)
{
	struct msim_call *mc = vkf_container_of(call, struct msim_call, call);

	vkf_point("copy_to_user");
	if (!user_ok(mc->thread, uptr, len))
		return -EFAULT;
	memcpy((void *)(uintptr_t)uptr, src, len);
	return 0;
}

static struct driver_file *file_of(const struct msim_thread *t, int fd)
{
	return fd >= 0 && fd < MSIM_MAX_FILES ? t->process->files[fd] : NULL;
}

/* The lowest free number. Without one, the file is dropped. */
static int install_file(struct msim_thread *t, struct driver_file *f)
{
	for (int fd = 0; fd < MSIM_MAX_FILES; fd++) {
		if (!t->process->files[fd]) {
			t->process->files[fd] = f;
			return fd;
		}
	}
	driver_file_drop(f);
	return -EMFILE;
}

static struct machine_render *call_render_of_fd(struct vkf_call *call, int fd)
{
	struct msim_call *mc = vkf_container_of(call, struct msim_call, call);
	struct driver_file *f = file_of(mc->thread, fd);

	return f ? driver_file_render(f) : NULL;
}

static int call_dmabuf_of_fd(struct vkf_call *call, int fd, struct machine_dmabuf **ret_dmabuf)
{
	struct msim_call *mc = vkf_container_of(call, struct msim_call, call);
	struct driver_file *f = file_of(mc->thread, fd);

	if (!f)
		return -EBADF;
	if (!driver_file_dmabuf(f))
		return -EINVAL;
	*ret_dmabuf = driver_file_dmabuf(f);
	return 0;
}

static int call_give_dmabuf(struct vkf_call *call, struct machine_dmabuf *dmabuf, int *ret_fd)
{
	struct msim_call *mc = vkf_container_of(call, struct msim_call, call);
	struct driver_file *f;
	int r = driver_open_dmabuf(mc->thread->process->client, dmabuf, &f);

	if (r)
		return r;
	r = install_file(mc->thread, f);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

static uint64_t smi_mask(struct kfd_smi_sink *sink, uint64_t mask)
{
	return vkf_container_of(sink, struct msim_smi, sink)->mask;
}

static bool smi_put(struct kfd_smi_sink *sink, const char *line, size_t len)
{
	struct msim_smi *smi = vkf_container_of(sink, struct msim_smi, sink);

	if (len > sizeof(smi->text) - smi->len)
		return false;
	memcpy(smi->text + smi->len, line, len);
	smi->len += len;
	return true;
}

static struct msim_smi *smi_of(struct msim_process *p, int fd)
{
	for (unsigned int i = 0; i < MSIM_MAX_SMI; i++) {
		if (p->smi[i].fd == fd)
			return &p->smi[i];
	}
	return NULL;
}

static int call_give_smi(struct vkf_call *call, struct kfd_smi *smi, int *ret_fd)
{
	struct msim_thread *t = vkf_container_of(call, struct msim_call, call)->thread;
	struct msim_smi *end = smi_of(t->process, -1);
	struct driver_file *f;
	unsigned int n = 0;
	int r;

	for (unsigned int i = 0; i < MSIM_MAX_FILES; i++)
		n += !t->process->files[i];
	/* Others may take one each in the meantime. */
	if (!end || n <= MSIM_MAX_THREADS)
		return -EMFILE;
	*end = (struct msim_smi){ .sink = { smi_mask, smi_put }, .fd = MSIM_MAX_FILES };
	r = driver_open_smi(t->process->client, smi, &f);
	if (r) {
		end->fd = -1;
		return r;
	}
	/* From here on it is the file's, and must not be closed by who gave it. */
	end->fd = install_file(t, f);
	kfd_smi_set_sink(smi, &end->sink);
	*ret_fd = end->fd;
	return 0;
}

size_t msim_smi_read(struct msim_thread *t, int fd, char *text, size_t len)
{
	struct msim_smi *smi = smi_of(t->process, fd);
	size_t n = smi ? VKF_MIN(smi->len, len - 1) : 0;

	if (smi) {
		memcpy(text, smi->text, n);
		memmove(smi->text, smi->text + n, smi->len - n);
		smi->len -= n;
	}
	text[n] = '\0';
	return n;
}

void msim_smi_write(struct msim_thread *t, int fd, uint64_t mask)
{
	struct msim_smi *smi = smi_of(t->process, fd);

	if (!smi)
		return;
	smi->mask = mask;
	kfd_smi_look(driver_file_smi(t->process->files[fd]));
}

static const struct vkf_call_ops call_ops = {
	.copy_from_user = call_copy_from_user,
	.copy_to_user = call_copy_to_user,
	.render_of_fd = call_render_of_fd,
	.dmabuf_of_fd = call_dmabuf_of_fd,
	.give_dmabuf = call_give_dmabuf,
	.give_smi = call_give_smi,
};

/* From 20 ns to a few microseconds, or to about a second; each length as likely as its double. */
static uint64_t random_delay(struct msim *m, bool sleeps)
{
	uint64_t scale = UINT64_C(20) << msim_random(m, sleeps ? 26 : 8);

	return scale + msim_random(m, scale);
}

static void order_signal(struct msim_thread *t, bool sleeps)
{
	struct msim_process *p = t->process;

	if (p->signal_to || !msim_chance(p->m, p->m->config.signal_odds))
		return;
	p->signal_to = t;
	p->signal_call = t->call_number;
	p->signal_delay = random_delay(p->m, sleeps);
	p->signal_storm = msim_chance(p->m, 4) ? (unsigned int)msim_random(p->m, 20) : 0;
	vkf_unpark(p->signal_task);
}

static const char *call_name(unsigned long cmd)
{
	const struct kfd_feature *f = kfd_feature((unsigned int)(cmd & 0xff) - 1);

	return f && (cmd >> 8 & 0xff) == 'K' ? f->name : "ioctl";
}

static void begin_call(struct msim_thread *t, const char *name)
{
	t->call = name;
	t->call_since = vkf_now_ns();
	t->call_number++;
	t->n_injected = 0;
	t->n_restarts = 0;
	t->process->m->n.calls++;
}

void msim_signal(struct msim_thread *t)
{
	if (!t->signalled_at)
		t->signalled_at = vkf_now_ns();
	vkf_task_interrupt(t->task);
}

/* Who sleeps in a call hears a signal at once; others finish, or wait for hardware that is gone. */
static void check_heard(const struct msim_thread *t, bool sleeps)
{
	uint64_t took = vkf_now_ns() - t->signalled_at;

	if (t->signalled_at && took > (sleeps ? SLEEPER_NS : WORKER_NS))
		msim_fail(t->process->m, "%s: %s heard a signal after %" PRIu64 " ns", t->name,
			  t->call, took);
}

/* One attempt. Sleeping in WAIT_EVENTS is not being inside mm. */
static int attempt(struct msim_thread *t, struct driver_file *f, unsigned long cmd, void *block,
		   bool sleeps)
{
	struct msim_call mc = { { &call_ops }, t };
	struct msim *m = t->process->m;
	uint64_t begun;
	int r;

	if (!sleeps)
		msim_enter_mm(m);
	begun = vkf_now_ns();
	vkf_task_clear_interrupt();
	t->in_call = true;
	t->signalled_at = 0;
	if (t->process->dying)
		msim_signal(t);
	r = driver_ioctl(t->process->client, f, &mc.call, (uint32_t)cmd, (uintptr_t)block);
	t->in_call = false;
	check_heard(t, sleeps);
	vkf_task_clear_interrupt();
	if (!sleeps)
		msim_leave_mm(m);
	/* Others may not answer, each for as long as the kernel waits for one. */
	if (!sleeps && vkf_now_ns() - begun > LONGEST_NS)
		msim_fail(m, "%s: %s took %" PRIu64 " ns", t->name, t->call, vkf_now_ns() - begun);
	msim_hold(t->process);
	return r;
}

int msim_ioctl(struct msim_thread *t, int fd, unsigned long cmd, void *block)
{
	bool sleeps = (cmd & 0xff) == 0x0c;
	struct driver_file *f = file_of(t, fd);
	struct msim *m = t->process->m;
	int r;

	msim_hold(t->process);
	if (t->process->dying)
		return -EINTR;
	begin_call(t, call_name(cmd));
	t->block = block;
	t->block_bytes = cmd >> 16 & 0x3fff;
	order_signal(t, sleeps);
	for (;;) {
		r = f ? attempt(t, f, cmd, block, sleeps) : -EBADF;
		if (r != -VKF_ERESTARTSYS)
			break;
		t->n_restarts++;
		m->n.restarts++;
		if (t->process->dying) {
			r = -EINTR;
			break;
		}
	}
	msim_trace(m, "%s: %d after %u signals", t->call, r, t->n_restarts);
	t->call = NULL;
	t->block = NULL;
	t->block_bytes = 0;
	return r;
}

int msim_open(struct msim_thread *t, unsigned int major, unsigned int minor)
{
	struct driver_file *f;
	int r;

	begin_call(t, "open");
	r = driver_open(t->process->client, major, minor, &f);
	t->call = NULL;
	if (r)
		return r;
	return install_file(t, f);
}

void msim_close(struct msim_thread *t, int fd)
{
	struct msim_smi *smi = smi_of(t->process, fd);
	struct driver_file *f = file_of(t, fd);

	if (!f)
		return;
	t->process->files[fd] = NULL;
	/* Another thread may get the number now; this end is not free before the sink is not used.
	 */
	if (smi) {
		smi->fd = MSIM_MAX_FILES;
		kfd_smi_set_sink(driver_file_smi(f), NULL);
		smi->fd = -1;
	}
	/* A dma-buf may be the last that holds its buffer. */
	msim_enter_mm(t->process->m);
	driver_file_drop(f);
	msim_leave_mm(t->process->m);
}

void *msim_mmap(struct msim_thread *t, int fd, uint64_t offset, uint64_t len, int *ret_errno)
{
	struct driver_file *f = file_of(t, fd);
	struct machine_map map;
	int r = -EBADF;

	begin_call(t, "mmap");
	if (f)
		r = driver_mmap(t->process->client, f, offset, len, PROT_READ | PROT_WRITE,
				MAP_SHARED, &map);
	t->call = NULL;
	if (r) {
		*ret_errno = r;
		return NULL;
	}
	if (map.kind == MACHINE_MAP_BAR)
		return (char *)t->process->regions[MSIM_BAR].base + map.offset;
	msim_mark_pages(t->process, map.offset, len, false);
	return (char *)t->process->regions[MSIM_ARENA].base + map.offset;
}
