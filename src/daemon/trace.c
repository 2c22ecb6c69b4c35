/* SPDX-License-Identifier: MIT */
/**
 * DOC: Tracing, as long as somebody holds a connection of its kind
 *
 * Records go straight from whoever makes them into a ring that the tracer maps as
 * well; the driver writes no file. What engines told is told on by a task, again and
 * again, which also ends the tracing: with the connection, or when it is asked to,
 * and then only when all that was known by then is in the ring.
 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/trace.h"
#include "trace/ring.h"

#define RING_RECORDS UINT64_C(65536)
#define PERIOD_NS    UINT64_C(5000000)
/* Records of one engine in a period: two hundred thousand a second are more than anybody reads. */
#define MAX_RECORDS 1024u

struct tracer {
	struct vkf_list link; /* in server.traced */
	struct server *server;
	const struct conn *conn; /* only to compare */
	struct vkf_task *task;
	struct host_region region;
	int fd; /* a copy of the connection's descriptor */
	atomic_bool ending;
};

/* One at a time; set while nobody emits. */
static struct trace_ring ring;

static void emit(const struct vkf_trace_record *record)
{
	trace_ring_put(&ring, record);
}

static const struct vkf_trace_ops ring_ops = { emit };

static void trace_task(void *arg)
{
	struct tracer *t = arg;
	struct wire_welcome done = { .magic = WIRE_MAGIC };

	driver_trace_begin(t->server->driver);
	while (!atomic_load(&t->ending)) {
		driver_trace_drain(t->server->driver, MAX_RECORDS);
		vkf_sleep_ns(PERIOD_NS, false);
	}
	driver_trace_drain(t->server->driver, UINT32_MAX);
	vkf_trace_set(NULL);
	driver_trace_drain(t->server->driver, 0);
	conn_reply(t->fd, &done, NULL, 0);
	close(t->fd);
	host_region_destroy(&t->region);
	server_hand_over(t->server, &t->server->traced, &t->link);
}

static int open_ring(struct tracer *t)
{
	int r = host_region_create("vkfd-trace", trace_ring_bytes(RING_RECORDS), 0, true,
				   &t->region);

	if (!r)
		trace_ring_init(&ring, t->region.base, t->region.size);
	return r;
}

int trace_start(struct server *s, struct conn *c)
{
	struct wire_welcome w = { .magic = WIRE_MAGIC };
	struct tracer *t;
	int r;

	if (s->tracer)
		return -EBUSY;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->server = s;
	t->conn = c;
	t->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
	r = t->fd < 0 ? -errno : open_ring(t);
	if (r)
		goto err_free;
	vkf_trace_set(&ring_ops);
	r = vkf_spawn("vkfd-trace", trace_task, t, &t->task);
	if (r)
		goto err_ring;
	s->tracer = t;
	w.region_bytes[0] = t->region.size;
	return conn_reply(c->fd, &w, &t->region.fd, 1);

err_ring:
	vkf_trace_set(NULL);
	host_region_destroy(&t->region);
err_free:
	if (t->fd >= 0)
		close(t->fd);
	free(t);
	return r;
}

void trace_end(struct server *s, const struct conn *c)
{
	if (s->tracer && (!c || s->tracer->conn == c))
		atomic_store(&s->tracer->ending, true);
}

void trace_collect(struct server *s)
{
	struct vkf_list *item = server_take_over(s, &s->traced);
	struct tracer *t;

	if (!item)
		return;
	t = vkf_container_of(item, struct tracer, link);
	vkf_join(t->task);
	s->tracer = NULL;
	free(t);
}
