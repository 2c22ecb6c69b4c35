/* SPDX-License-Identifier: MIT */
/**
 * DOC: Sessions
 *
 * A session is one address space of a program. It begins with its regions and ends
 * when its connection or its process does, whichever is seen first; a reaper task
 * then stops its slots, ends its calls, frees what it had, and hands the empty
 * session back to the main loop.
 */
#include "daemon/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "daemon/place.h"
#include "gpu/ctrl.h"
#include "host/futex.h"

#define PT_TABLES    (UINT32_C(1) << 20)
#define MAX_SESSIONS 512
/* How long the reaper lets tasks that it woke run before it looks again. */
#define FIRST_NAP_NS UINT64_C(20000)
#define LAST_NAP_NS  UINT64_C(10000000)

static struct gpu_ctrl *session_ctrl(struct session *s)
{
	return s->regions[WIRE_REGION_CTRL].base;
}

static struct wire_slots *session_slots(struct session *s)
{
	return s->regions[WIRE_REGION_SLOTS].base;
}

/* ------------------------------------------------ regions */

/* Room for all that the limits allow at once, twice over, so that windows do not run out before
 * memory does. Costs address space only. */
static uint64_t arena_bytes(const struct machine_profile *p)
{
	uint64_t need = 0;

	for (unsigned int i = 0; i < p->n_gpus; i++)
		need += p->gpus[i].vram;
	for (unsigned int i = 0; i < p->n_sockets; i++)
		need += p->sockets[i].ram;
	return VKF_ALIGN_UP(2 * need, VKF_GIB(1));
}

static int create_regions(struct session *s, const struct machine_profile *p)
{
	const struct {
		const char *name;
		uint64_t size;
		bool map, seal_later;
	} plan[WIRE_N_REGIONS] = {
		[WIRE_REGION_CTRL] = { "vkfd-ctrl", sizeof(struct gpu_ctrl), true, false },
		[WIRE_REGION_PT] = { "vkfd-pt", PT_TABLES * GPU_PT_TABLE_BYTES, true, true },
		[WIRE_REGION_ARENA] = { "vkfd-arena", arena_bytes(p), false, false },
		[WIRE_REGION_BAR] = { "vkfd-bar", p->n_gpus * GPU_BAR_STRIDE, false, false },
		[WIRE_REGION_SLOTS] = { "vkfd-slots", sizeof(struct wire_slots), true, false },
	};

	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++) {
		int r = host_region_create(plan[i].name, plan[i].size,
					   plan[i].seal_later ? HOST_REGION_OPEN_SEALS : 0,
					   plan[i].map, &s->regions[i]);

		if (!r && plan[i].seal_later)
			r = host_region_seal_future_write(&s->regions[i]);
		if (r)
			return r;
	}
	return 0;
}

static void destroy_regions(struct session *s)
{
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++)
		if (s->regions[i].fd >= 0)
			host_region_destroy(&s->regions[i]);
}

static void session_free(struct session *s)
{
	for (unsigned int i = 0; i < WIRE_SLOTS; i++)
		vkf_mutex_fini(&s->slots[i].lock);
	vkf_mutex_fini(&s->engine_lock);
	free(s);
}

static void session_punch(void *cookie, uint64_t off, uint64_t len)
{
	struct session *s = cookie;

	if (host_region_punch(&s->regions[WIRE_REGION_ARENA], off, len))
		server_log("a freed buffer's memory could not be given back");
}

/* Through the descriptor: the driver does not map the arena. */
static void session_fill(void *cookie, uint64_t off, uint64_t len, uint8_t byte)
{
	struct session *s = cookie;
	char page[4096];

	memset(page, byte, sizeof(page));
	while (len) {
		size_t part = VKF_MIN(len, sizeof(page));
		ssize_t n = pwrite(s->regions[WIRE_REGION_ARENA].fd, page, part, (off_t)off);

		if (n < 0 && errno != EINTR) {
			server_log("the event page could not be written");
			return;
		}
		if (n > 0) {
			off += (uint64_t)n;
			len -= (uint64_t)n;
		}
	}
}

/* Any task. With the lock, for the main loop may close the descriptor, and its number then be
 * another connection's. */
static void session_wake_engine(void *cookie)
{
	struct session *s = cookie;

	vkf_mutex_lock(&s->engine_lock);
	if (s->engine_fd >= 0)
		(void)!send(s->engine_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	vkf_mutex_unlock(&s->engine_lock);
}

void session_set_engine(struct session *s, struct conn *engine)
{
	s->engine = engine;
	vkf_mutex_lock(&s->engine_lock);
	s->engine_fd = engine ? engine->fd : -1;
	vkf_mutex_unlock(&s->engine_lock);
	/* Whatever one that has gone was doing, it does no more. */
	if (!engine)
		atomic_store(&session_ctrl(s)->engine, GPU_ENGINE_DEAD);
}

/* The program may be ending, too, and then has nobody left to tell. */
void session_lose_engine(struct session *s)
{
	session_set_engine(s, NULL);
	driver_client_engine_lost(s->client);
}

/* ------------------------------------------------ tasks */

/* The last that a task does: nobody has to wake it any more. */
static void task_ends(struct session *s)
{
	atomic_fetch_sub(&s->n_tasks, 1);
}

static int start_task(struct session *s, const char *name, void (*fn)(void *arg), void *arg,
		      struct vkf_task **ret_task)
{
	int r;

	atomic_fetch_add(&s->n_tasks, 1);
	r = vkf_spawn(name, fn, arg, ret_task);
	if (r)
		task_ends(s);
	return r;
}

static void slot_task(void *arg)
{
	struct session_slot *slot = arg;

	serve_slot(slot);
	task_ends(slot->session);
}

/* ------------------------------------------------ interrupts */

static void irq_loop(void *arg)
{
	struct session *s = arg;
	struct gpu_ctrl *ctrl = session_ctrl(s);
	struct place place;

	place_init(&place);
	while (!atomic_load(&s->closing)) {
		uint32_t seen = atomic_load(&ctrl->irq_wptr);

		driver_interrupts(s->client, server_log);
		/* An interrupt mostly wakes a thread that waits, where it waits. */
		place_rest(&place, atomic_load_explicit(&s->client_cpu, memory_order_relaxed));
		if (atomic_load(&ctrl->irq_wptr) == seen)
			host_futex_wait(&ctrl->irq_wptr, seen, VKF_FOREVER);
	}
	place_fini(&place);
	task_ends(s);
}

/* ------------------------------------------------ begin */

static int on_pidfd(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct session *s = userdata;
	struct server *server = s->server;

	session_end(s);
	server_check_idle(server);
	return 0;
}

/* The process's end is seen even when a child of it keeps the connection open. Where pids mean
 * something else to us (another pid namespace) the connection's end has to do. */
static void watch_process(struct session *s)
{
	int fd = s->pid > 0 ? (int)syscall(SYS_pidfd_open, s->pid, 0) : -1;

	if (fd < 0)
		return;
	if (sd_event_add_io(s->server->event, &s->pidfd, fd, EPOLLIN, on_pidfd, s) < 0) {
		close(fd);
		return;
	}
	sd_event_source_set_io_fd_own(s->pidfd, true);
}

static int create_client(struct session *s, const char *comm)
{
	struct driver_client_config config = {
		.pid = s->pid,
		.comm = comm,
		.regions = {
			.ctrl = session_ctrl(s),
			.pt = s->regions[WIRE_REGION_PT].base,
			.pt_tables = PT_TABLES,
			.arena_bytes = s->regions[WIRE_REGION_ARENA].size,
			.bar_bytes = s->regions[WIRE_REGION_BAR].size,
			.punch = session_punch,
			.fill = session_fill,
			.wake_engine = session_wake_engine,
			.cookie = s,
		},
	};

	return driver_client_create(s->server->driver, &config, &s->client);
}

/* A process that begins anew (exec) has no use for what it was before. */
static void end_namesake(struct server *server, int32_t pid)
{
	struct session *s, *next;

	vkf_list_for_each_safe(s, next, &server->sessions, link) {
		if (pid > 0 && s->pid == pid && !atomic_load(&s->closing))
			session_end(s);
	}
}

bool session_make_way(struct server *server, int32_t pid)
{
	struct session *s;

	end_namesake(server, pid);
	vkf_list_for_each(s, &server->sessions, link) {
		if (atomic_load(&s->closing) && !atomic_load(&s->gave_back))
			return true;
	}
	return false;
}

int session_create(struct server *server, struct conn *c, int32_t pid, const char *comm,
		   struct session **ret_session)
{
	struct session *s;
	int r;

	if (driver_n_clients(server->driver) >= MAX_SESSIONS)
		return -EMFILE;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->server = server;
	s->pid = pid;
	s->conn = c;
	s->engine_fd = -1;
	vkf_mutex_init(&s->engine_lock, VKF_RANK_LEAF);
	for (unsigned int i = 0; i < WIRE_N_REGIONS; i++)
		s->regions[i].fd = -1;
	for (unsigned int i = 0; i < WIRE_SLOTS; i++) {
		s->slots[i].session = s;
		vkf_mutex_init(&s->slots[i].lock, VKF_RANK_LEAF);
	}
	r = create_regions(s, server->config->profile);
	if (!r && getrandom(&s->token, sizeof(s->token), 0) != sizeof(s->token))
		r = -EIO;
	if (!r)
		r = create_client(s, comm);
	if (r)
		goto err_free;
	s->id = driver_client_id(s->client);
	r = start_task(s, "vkfd-irq", irq_loop, s, &s->irq_task);
	if (r)
		goto err_client;
	vkf_list_add_tail(&s->link, &server->sessions);
	watch_process(s);
	*ret_session = s;
	return 0;

err_client:
	driver_client_destroy(s->client);
err_free:
	destroy_regions(s);
	session_free(s);
	return r;
}

struct driver_file *session_take_made(struct session *s, unsigned int slot, uint64_t id)
{
	struct driver_file *f = NULL;
	struct session_slot *sl;

	if (slot >= WIRE_SLOTS)
		return NULL;
	sl = &s->slots[slot];
	vkf_mutex_lock(&sl->lock);
	if (sl->made && driver_file_id(sl->made) == id) {
		f = sl->made;
		sl->made = NULL;
	}
	vkf_mutex_unlock(&sl->lock);
	return f;
}

struct session *session_find(struct server *server, uint64_t id, uint64_t token)
{
	struct session *s;

	vkf_list_for_each(s, &server->sessions, link) {
		if (s->id == id && s->token == token && !atomic_load(&s->closing))
			return s;
	}
	return NULL;
}

int session_open_slot(struct session *s, unsigned int slot)
{
	if (slot >= WIRE_SLOTS || s->slots[slot].task || atomic_load(&s->closing))
		return -EINVAL;
	return start_task(s, "vkfd-call", slot_task, &s->slots[slot], &s->slots[slot].task);
}

void session_cancel(struct session *s, unsigned int slot, uint32_t seq)
{
	struct session_slot *sl;

	if (slot >= WIRE_SLOTS || !s->slots[slot].task)
		return;
	sl = &s->slots[slot];
	vkf_mutex_lock(&sl->lock);
	if (sl->busy && sl->seq == seq) {
		vkf_task_interrupt(sl->task);
	} else {
		/* Late for an answered call, or early for one that its task has not seen. */
		sl->cancelled = true;
		sl->cancelled_seq = seq;
	}
	vkf_mutex_unlock(&sl->lock);
}

/* ------------------------------------------------ end */

/* Calls under way are interrupted, sleepers look up and see that the session is closing. */
static void wake_tasks(struct session *s)
{
	host_futex_wake(&session_ctrl(s)->irq_wptr, INT32_MAX);
	for (unsigned int i = 0; i < WIRE_SLOTS; i++) {
		if (!s->slots[i].task)
			continue;
		vkf_task_interrupt(s->slots[i].task);
		host_futex_wake(&session_slots(s)->slot[i].head.state, INT32_MAX);
	}
}

/* Again and again: the words they sleep on are the program's too, so no change of them would be
 * sure to be seen by one that is just going to sleep. */
static void stop_tasks(struct session *s)
{
	uint64_t nap = FIRST_NAP_NS;

	for (wake_tasks(s); atomic_load(&s->n_tasks); wake_tasks(s)) {
		vkf_sleep_ns(nap, false);
		nap = VKF_MIN(2 * nap, LAST_NAP_NS);
	}
	for (unsigned int i = 0; i < WIRE_SLOTS; i++)
		if (s->slots[i].task)
			vkf_join(s->slots[i].task);
	vkf_join(s->irq_task);
}

/* Calls that nobody will serve end with EIO for whoever still waits. */
static void answer_rest(struct session *s)
{
	for (unsigned int i = 0; i < WIRE_SLOTS; i++) {
		struct wire_slot_head *h = &session_slots(s)->slot[i].head;

		if (atomic_load(&h->state) != WIRE_SUBMITTED)
			continue;
		h->result = -EIO;
		atomic_store(&h->state, WIRE_DONE);
		host_futex_wake(&h->state, INT32_MAX);
	}
}

/* Files that calls have made and nobody will take any more. No task of the session is left. */
static void drop_made(struct session *s)
{
	for (unsigned int i = 0; i < WIRE_SLOTS; i++) {
		if (s->slots[i].made)
			driver_close(s->slots[i].made);
	}
}

static void reap(void *arg)
{
	struct session *s = arg;

	stop_tasks(s);
	answer_rest(s);
	drop_made(s);
	driver_client_destroy(s->client);
	atomic_store(&s->gave_back, true);
	server_poke(s->server);
	/* Giving back what a program has touched can take long, too. */
	destroy_regions(s);
	server_hand_over(s->server, &s->server->reaped, &s->reaped_link);
}

void session_end(struct session *s)
{
	struct conn *engine = s->engine, *conn = s->conn;

	if (atomic_exchange(&s->closing, true))
		return;
	session_set_engine(s, NULL);
	s->conn = NULL;
	driver_client_gone(s->client);
	s->pidfd = sd_event_source_disable_unref(s->pidfd);
	if (engine) {
		/* The engine sees the end of its connection, and ends. */
		engine->session = NULL;
		conn_close(engine);
	}
	if (conn) {
		conn->session = NULL;
		conn_close(conn);
	}
	if (vkf_spawn("vkfd-reap", reap, s, &s->reaper))
		reap(s);
}

void session_collect(struct server *server)
{
	struct vkf_list *item;

	while ((item = server_take_over(server, &server->reaped))) {
		struct session *s = vkf_container_of(item, struct session, reaped_link);

		if (s->reaper)
			vkf_join(s->reaper);
		vkf_list_del(&s->link);
		session_free(s);
	}
}
