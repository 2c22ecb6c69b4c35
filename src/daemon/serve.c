/* SPDX-License-Identifier: MIT */
/**
 * DOC: The task that serves one call slot
 *
 * It waits for a request, takes a copy of the request's head (the program may
 * change it at any time), serves it in the kernel's blocking style, and answers.
 * What the call reads and writes of the program's memory are the segments that
 * came along; what did not come along is -EFAULT.
 *
 * Once a call has been answered, by another task perhaps, the slot is the program's:
 * it may hold the next request already.
 */
#include "daemon/server.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include "daemon/place.h"
#include "host/admin.h"
#include "host/futex.h"

struct slot_call {
	struct vkf_call call;
	struct session *session;
	struct wire_slot *slot;
	struct wire_seg seg[WIRE_SLOT_SEGS]; /* checked copies; @written is ours */
	unsigned int n_segs;
	struct wire_slot_fd fd[WIRE_SLOT_FDS];
	uint64_t probe_uptr, probe_len;
	int32_t probe_error;
	struct driver_file *files[WIRE_SLOT_FDS]; /* references taken by named_file() */
	unsigned int n_fds;
	struct driver_file *made;
};

static struct slot_call *to_slot_call(struct vkf_call *call)
{
	return vkf_container_of(call, struct slot_call, call);
}

/* The segment that holds [uptr, uptr + len). */
static struct wire_seg *find_seg(struct slot_call *sc, uint64_t uptr, size_t len)
{
	for (unsigned int i = 0; i < sc->n_segs; i++) {
		struct wire_seg *g = &sc->seg[i];

		if (uptr >= g->uptr && uptr - g->uptr <= g->len && len <= g->len - (uptr - g->uptr))
			return g;
	}
	return NULL;
}

static int slot_copy_from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	struct slot_call *sc = to_slot_call(call);
	struct wire_seg *g = find_seg(sc, uptr, len);

	if (!g || !g->in)
		return -EFAULT;
	memcpy(dst, sc->slot->data + g->off + (uptr - g->uptr), len);
	return 0;
}

static int slot_copy_to_user(struct vkf_call *call, uint64_t uptr, const void *src, size_t len)
{
	struct slot_call *sc = to_slot_call(call);
	struct wire_seg *g = find_seg(sc, uptr, len);
	uint64_t at;

	if (!g)
		return -EFAULT;
	at = uptr - g->uptr;
	/* What lies before and was never sent nor written must not reach the program as garbage. */
	if (!g->in && at > g->written)
		memset(sc->slot->data + g->off + g->written, 0, at - g->written);
	memcpy(sc->slot->data + g->off + at, src, len);
	g->written = VKF_MAX(g->written, (uint32_t)(at + len));
	return 0;
}

static int slot_user_pages(struct vkf_call *call, uint64_t uptr, uint64_t len)
{
	struct slot_call *sc = to_slot_call(call);

	if (uptr >= sc->probe_uptr && uptr - sc->probe_uptr <= sc->probe_len &&
	    len <= sc->probe_len - (uptr - sc->probe_uptr))
		return 0;
	return sc->probe_error == -EPERM ? -EPERM : -EFAULT;
}

/* What the program's descriptor @fd stands for, held until the call is answered. Return: 0; -EBADF:
 * the program says that it is not open, or nothing of it; -EINVAL: no file of ours. */
static int named_file(struct slot_call *sc, int fd, struct driver_file **ret_file)
{
	for (unsigned int i = 0; i < sc->n_fds; i++) {
		if (sc->fd[i].fd != fd || !(sc->fd[i].is_open || sc->fd[i].file))
			continue;
		if (!sc->files[i] && sc->fd[i].file)
			sc->files[i] =
				driver_file_lookup(sc->session->server->driver, sc->fd[i].file);
		if (!sc->files[i])
			return -EINVAL;
		*ret_file = sc->files[i];
		return 0;
	}
	return -EBADF;
}

static struct machine_render *slot_render_of_fd(struct vkf_call *call, int fd)
{
	struct driver_file *f;

	return named_file(to_slot_call(call), fd, &f) ? NULL : driver_file_render(f);
}

static int slot_dmabuf_of_fd(struct vkf_call *call, int fd, struct machine_dmabuf **ret_dmabuf)
{
	struct driver_file *f;
	int r = named_file(to_slot_call(call), fd, &f);

	if (r)
		return r;
	if (!driver_file_dmabuf(f))
		return -EINVAL;
	*ret_dmabuf = driver_file_dmabuf(f);
	return 0;
}

/* The number is the shim's to fill in, once it has the descriptor. */
static int slot_give_dmabuf(struct vkf_call *call, struct machine_dmabuf *dmabuf, int *ret_fd)
{
	struct slot_call *sc = to_slot_call(call);

	(void)ret_fd;
	return driver_open_dmabuf(sc->session->client, dmabuf, &sc->made);
}

static int slot_give_smi(struct vkf_call *call, struct kfd_smi *smi, int *ret_fd)
{
	struct slot_call *sc = to_slot_call(call);

	(void)ret_fd;
	return driver_open_smi(sc->session->client, smi, &sc->made);
}

static bool slot_is_admin(struct vkf_call *call)
{
	return host_is_admin(to_slot_call(call)->session->pid);
}

static bool slot_fd_is_open(struct vkf_call *call, int fd)
{
	struct slot_call *sc = to_slot_call(call);

	for (unsigned int i = 0; i < sc->n_fds; i++)
		if (sc->fd[i].fd == fd)
			return sc->fd[i].is_open;
	return false;
}

/* Only the program and the end of the session leave SUBMITTED otherwise. */
static void say_done(struct wire_slot_head *h, int result)
{
	uint32_t submitted = WIRE_SUBMITTED;

	h->result = result;
	if (atomic_compare_exchange_strong(&h->state, &submitted, WIRE_DONE) &&
	    !atomic_load(&h->client_looks))
		host_futex_wake(&h->state, INT_MAX);
}

static void give_segments(const struct slot_call *sc)
{
	for (unsigned int i = 0; i < sc->n_segs; i++)
		sc->slot->head.seg[i].written = sc->seg[i].written;
}

static void slot_answer(struct vkf_call *call, int result)
{
	struct slot_call *sc = to_slot_call(call);

	sc->slot->head.made_file = 0;
	give_segments(sc);
	say_done(&sc->slot->head, result);
}

static const struct vkf_call_ops slot_call_ops = {
	.copy_from_user = slot_copy_from_user,
	.copy_to_user = slot_copy_to_user,
	.user_pages = slot_user_pages,
	.render_of_fd = slot_render_of_fd,
	.fd_is_open = slot_fd_is_open,
	.dmabuf_of_fd = slot_dmabuf_of_fd,
	.give_dmabuf = slot_give_dmabuf,
	.give_smi = slot_give_smi,
	.is_admin = slot_is_admin,
	.answer = slot_answer,
};

/* What the program said is copied once, as far as it goes: what is checked is what is used,
 * whatever the program makes of its own words meanwhile. */
static void take(void *ret, const void *shared, size_t len)
{
	memcpy(ret, shared, len);
	atomic_signal_fence(memory_order_seq_cst);
}

static bool seg_holds(const struct wire_seg *g)
{
	return g->off <= WIRE_SLOT_DATA_BYTES && g->len <= WIRE_SLOT_DATA_BYTES - g->off &&
	       g->uptr <= UINT64_MAX - g->len;
}

/* @rq is a copy of the head up to @seg. */
static int take_request(struct slot_call *sc, const struct wire_slot_head *rq)
{
	const struct wire_slot_head *h = &sc->slot->head;

	if (rq->n_segs > WIRE_SLOT_SEGS || rq->n_fds > WIRE_SLOT_FDS || rq->n_probes > 1)
		return -EINVAL;
	take(sc->seg, h->seg, rq->n_segs * sizeof(sc->seg[0]));
	take(sc->fd, h->fd, rq->n_fds * sizeof(sc->fd[0]));
	if (rq->n_probes) {
		take(&sc->probe_uptr, &h->probe_uptr, sizeof(sc->probe_uptr));
		take(&sc->probe_len, &h->probe_len, sizeof(sc->probe_len));
		take(&sc->probe_error, &h->probe_error, sizeof(sc->probe_error));
	}
	for (unsigned int i = 0; i < rq->n_segs; i++) {
		if (!seg_holds(&sc->seg[i]))
			return -EINVAL;
		sc->seg[i].written = 0;
	}
	sc->n_segs = rq->n_segs;
	sc->n_fds = rq->n_fds;
	return 0;
}

static void put_files(const struct slot_call *sc)
{
	for (unsigned int i = 0; i < sc->n_fds; i++)
		driver_file_put(sc->files[i]);
}

/* What a call has made is waiting to be taken; a call that failed after all has made nothing. */
static void offer_made(struct slot_call *sc, struct session_slot *sl, int result)
{
	struct driver_file *f = sc->made;

	sc->slot->head.made_file = f && !result ? driver_file_id(f) : 0;
	if (!f)
		return;
	if (result) {
		driver_close(f);
		return;
	}
	vkf_mutex_lock(&sl->lock);
	sl->made = f;
	vkf_mutex_unlock(&sl->lock);
}

static int serve_ioctl(struct slot_call *sc, struct session_slot *sl,
		       const struct wire_slot_head *rq, struct driver_file *f)
{
	int r = take_request(sc, rq);

	if (!r)
		r = driver_ioctl(sc->session->client, f, &sc->call, rq->cmd, rq->arg);
	if (!sc->call.answered) {
		offer_made(sc, sl, r);
		give_segments(sc);
	}
	put_files(sc);
	return r;
}

static int serve_mmap(struct slot_call *sc, struct wire_slot_head *rq, struct driver_file *f)
{
	static const uint32_t region[] = {
		[MACHINE_MAP_ARENA] = WIRE_REGION_ARENA,
		[MACHINE_MAP_BAR] = WIRE_REGION_BAR,
	};
	struct wire_slot_head *h = &sc->slot->head;
	struct machine_map map;
	size_t rest = offsetof(struct wire_slot_head, len);
	int r;

	take((char *)rq + rest, (const char *)h + rest, sizeof(*h) - rest);
	r = driver_mmap(sc->session->client, f, rq->arg, rq->len, rq->prot, rq->flags, &map);
	if (r)
		return r;
	h->map_region = region[map.kind];
	h->map_offset = map.offset;
	h->map_dont_copy = map.dont_copy;
	return 0;
}

/* Return: what to answer, unless @sc has been. */
static int serve_call(struct slot_call *sc, struct session_slot *sl)
{
	struct session *s = sc->session;
	struct wire_slot_head rq;
	struct driver_file *f;
	int r;

	take(&rq, &sc->slot->head, offsetof(struct wire_slot_head, seg));
	if (rq.call == WIRE_CALL_NOP)
		return 0;
	if (rq.call != WIRE_CALL_IOCTL && rq.call != WIRE_CALL_MMAP)
		return -EINVAL;
	f = driver_file_lookup(s->server->driver, rq.file);
	if (!f)
		return -EBADF;
	r = rq.call == WIRE_CALL_IOCTL ? serve_ioctl(sc, sl, &rq, f) : serve_mmap(sc, &rq, f);
	driver_file_put(f);
	if (r != -VKF_ERESTARTSYS)
		return r;
	return atomic_load(&s->closing) ? -EIO : -EINTR;
}

/* Look for a request as long as it is worth it. */
static void look(const struct wire_slot_head *h, struct place *place)
{
	uint64_t now = place->answered_ns, until = now + place_look_ns(place), before;

	while (now < until &&
	       atomic_load_explicit(&h->state, memory_order_acquire) != WIRE_SUBMITTED) {
		__builtin_ia32_pause();
		before = now;
		now = vkf_now_ns();
		if (!place_may_look(place, before, now))
			return;
	}
}

/* Wait for a request. False: the session is closing. */
static bool next_request(struct session *s, struct wire_slot_head *h, struct place *place)
{
	look(h, place);
	for (;;) {
		uint32_t state = atomic_load(&h->state);

		if (atomic_load(&s->closing))
			return false;
		if (state == WIRE_SUBMITTED) {
			atomic_store(&h->driver_looks, 1);
			return true;
		}
		if (atomic_exchange(&h->driver_looks, 0))
			place_rest(place, atomic_load(&h->client_cpu));
		else
			host_futex_wait(&h->state, state, VKF_FOREVER);
	}
}

static void begin_call(struct session_slot *sl, uint32_t seq)
{
	struct driver_file *untaken;

	vkf_mutex_lock(&sl->lock);
	untaken = sl->made;
	sl->made = NULL;
	vkf_task_clear_interrupt();
	sl->busy = true;
	sl->seq = seq;
	if (sl->cancelled && sl->cancelled_seq == seq)
		vkf_task_interrupt(vkf_current());
	sl->cancelled = false;
	vkf_mutex_unlock(&sl->lock);
	if (untaken)
		driver_close(untaken);
}

static void end_call(struct session_slot *sl)
{
	vkf_mutex_lock(&sl->lock);
	sl->busy = false;
	vkf_mutex_unlock(&sl->lock);
}

static void serve_request(struct session *s, struct session_slot *sl, struct wire_slot *slot)
{
	struct slot_call sc = { .call = { &slot_call_ops }, .session = s, .slot = slot };
	int r = serve_call(&sc, sl);

	end_call(sl);
	if (!sc.call.answered)
		say_done(&slot->head, r);
}

void serve_slot(void *arg)
{
	struct session_slot *sl = arg;
	struct session *s = sl->session;
	struct wire_slots *slots = s->regions[WIRE_REGION_SLOTS].base;
	struct wire_slot *slot = &slots->slot[sl - s->slots];
	struct wire_slot_head *h = &slot->head;
	struct place place;

	place_init(&place);
	while (next_request(s, h, &place)) {
		int cpu = atomic_load(&h->client_cpu);

		place_asked(&place, cpu, vkf_now_ns());
		atomic_store_explicit(&s->client_cpu, cpu, memory_order_relaxed);
		atomic_store_explicit(&h->driver_cpu, sched_getcpu(), memory_order_relaxed);
		begin_call(sl, h->seq);
		serve_request(s, sl, slot);
		place_answered(&place, vkf_now_ns());
	}
	place_fini(&place);
}
