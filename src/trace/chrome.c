/* SPDX-License-Identifier: MIT */
#include "trace/chrome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include "base/env.h"
#include "base/hash.h"
#include "trace/value.h"

#define BUFFER_BYTES (64u << 10)
#define EVENT_BYTES  2048u /* more than any event takes */
#define MAX_TRACKS   4096u
#define BUCKETS      1024u
#define MAX_CLIENTS  1024u
#define MAX_FLOWS    1024u
#define MAX_GPUS     64u
#define LANES        32u /* buffers of one GPU that move at once */
#define NONE         UINT32_MAX

/* Groups, in the order in which they are shown. */
#define GROUP_DRIVER 1u
#define GROUP_GPU    2u
#define GROUP_CLIENT 100u
/* Tracks of a group, also in their order. */
#define TRACK_WHOLE  1u
#define TRACK_QUEUE  0x100u
#define TRACK_ENGINE 0x1000u
#define TRACK_LANE   0x0f000000u
#define TRACK_TASK   0x10000000u
/*
 * What they are called in the file. A program has its own pid; all else has a number above every
 * pid (2^22), and no track that of another or of a group, for viewers take a track's number for a
 * thread's id, which belongs to one process, and one that is its process's for that one's main thread.
 */
#define PID_OTHERS   10000000u
#define PID_STRANGER 10001000u
#define MAX_STRANGER 9000000u
#define TID_FIRST    20000000u

/* struct track - one that has been named; slices on it never go back in time */
struct track {
	uint32_t group, kind;
	uint32_t pid, tid; /* in the file */
	uint32_t next;     /* in its bucket, or among the free ones; NONE: the last */
	uint32_t depth;    /* slices that are open */
	uint64_t begin_ns; /* not before the innermost of them began */
	uint64_t last_ns;
};

struct client {
	uint32_t id; /* 0: free */
	int32_t pid;
	uint32_t shown; /* its group's number in the file */
	char comm[16];
};

/* struct flow - where an arrow may begin; the oldest gives way */
struct flow {
	int flow; /* 0: free */
	uint64_t a, b;
	uint32_t pid, tid;
	uint64_t ns;
};

struct lane {
	bool busy;
	uint32_t client;
	uint64_t bo;
};

struct trace_chrome {
	struct trace_chrome_config config;
	struct trace_names names;
	int error;  /* the first of write() */
	bool begun; /* something has been written */
	uint64_t n_arrows, last_ns;
	struct track track[MAX_TRACKS];
	uint32_t bucket[BUCKETS], free_track, n_tids;
	struct client client[MAX_CLIENTS];
	unsigned int n_clients;
	char client_name[64];
	struct flow flow[MAX_FLOWS];
	unsigned int next_flow;
	struct lane lane[MAX_GPUS][LANES];
	bool gpu_named[MAX_GPUS];
	struct trace_text out;
	char buf[BUFFER_BYTES];
};

/* ------------------------------------------------ text */

int trace_chrome_flush(struct trace_chrome *c)
{
	if (!c->error && c->out.len)
		c->error = c->config.write(c->config.cookie, c->buf, c->out.len);
	trace_text_init(&c->out, c->buf, sizeof(c->buf));
	return c->error;
}

/* The beginning of an event, for which there is room. */
static struct trace_text *event(struct trace_chrome *c, char ph, uint32_t pid, uint32_t tid)
{
	if (c->out.size - c->out.len < EVENT_BYTES)
		trace_chrome_flush(c);
	trace_text_add(&c->out, "%s{\"ph\":\"%c\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32,
		       c->begun ? ",\n" : "[\n", ph, pid, tid);
	c->begun = true;
	return &c->out;
}

/* Microseconds, as all that times anything in this format. */
static void add_time(struct trace_text *t, const char *name, uint64_t ns)
{
	trace_text_add(t, ",\"%s\":%" PRIu64 ".%03u", name, ns / 1000, (unsigned int)(ns % 1000));
}

static uint64_t since_begin(const struct trace_chrome *c, uint64_t ns)
{
	return ns > c->config.begin_ns ? ns - c->config.begin_ns : 0;
}

static void meta(struct trace_chrome *c, const char *what, uint32_t pid, uint32_t tid,
		 const char *name)
{
	trace_text_add(event(c, 'M', pid, tid), ",\"name\":\"%s\",\"args\":{\"name\":\"%s\"}}",
		       what, name);
}

static void sort_index(struct trace_chrome *c, const char *what, uint32_t pid, uint32_t tid,
		       uint32_t index)
{
	trace_text_add(event(c, 'M', pid, tid),
		       ",\"name\":\"%s\",\"args\":{\"sort_index\":%" PRIu32 "}}", what, index);
}

static void meta_group(struct trace_chrome *c, uint32_t group, uint32_t pid, const char *name)
{
	meta(c, "process_name", pid, pid, name);
	sort_index(c, "process_sort_index", pid, pid, group);
}

static void add_name(struct trace_chrome *c, const struct trace_desc *d,
		     const struct vkf_trace_record *rec)
{
	trace_text_add(&c->out, ",\"cat\":\"%s\",\"name\":\"", d->name);
	trace_label_text(&c->out, d, rec, &c->names);
	trace_text_add(&c->out, "\"");
	if (d->colour)
		trace_text_add(&c->out, ",\"cname\":\"%s\"", d->colour);
	trace_text_add(&c->out, ",\"args\":");
	trace_args_json(&c->out, d, rec, &c->names);
	trace_text_add(&c->out, "}");
}

/* ------------------------------------------------ clients */

static struct client *find_client(struct trace_chrome *c, uint32_t id)
{
	for (unsigned int i = 0; i < MAX_CLIENTS; i++)
		if (c->client[i].id == id)
			return &c->client[i];
	return NULL;
}

static const char *client_name(void *cookie, uint32_t id)
{
	struct trace_chrome *c = cookie;
	struct client *cl = id ? find_client(c, id) : NULL;
	struct trace_text t;

	if (!cl)
		return NULL;
	trace_text_init(&t, c->client_name, sizeof(c->client_name));
	trace_text_escaped(&t, cl->comm, sizeof(cl->comm));
	trace_text_add(&t, " (%" PRId32 ")", cl->pid);
	return c->client_name;
}

/* Something was told of a program before it was told who it is: its group has a number. */
static bool is_stranger(const struct trace_chrome *c, uint32_t group)
{
	for (unsigned int b = 0; b < BUCKETS; b++)
		for (uint32_t i = c->bucket[b]; i != NONE; i = c->track[i].next)
			if (c->track[i].group == group)
				return true;
	return false;
}

static uint32_t stranger_pid(uint32_t group)
{
	return PID_STRANGER + (group - GROUP_CLIENT) % MAX_STRANGER;
}

static void client_starts(struct trace_chrome *c, const struct vkf_trace_record *rec)
{
	const struct vkf_trace_client_start *a = (const void *)rec->payload;
	struct client *cl = a->client ? find_client(c, a->client) : NULL;

	if (cl || !a->client)
		return;
	cl = find_client(c, 0);
	if (!cl)
		return;
	cl->id = a->client;
	cl->pid = a->pid;
	memcpy(cl->comm, a->comm, sizeof(cl->comm));
	c->n_clients++;
	cl->shown = a->pid <= 0 || is_stranger(c, GROUP_CLIENT + a->client) ?
			    stranger_pid(GROUP_CLIENT + a->client) : (uint32_t)a->pid;
	meta_group(c, GROUP_CLIENT + a->client, cl->shown, client_name(c, a->client));
}

/* ------------------------------------------------ tracks */

static uint32_t *bucket_of(struct trace_chrome *c, uint32_t group, uint32_t kind)
{
	return &c->bucket[vkf_hash_u64((uint64_t)group << 32 | kind) % BUCKETS];
}

/* The number of a group in the file. */
static uint32_t pid_of(struct trace_chrome *c, uint32_t group)
{
	const struct client *cl;

	if (group < GROUP_CLIENT)
		return PID_OTHERS + group;
	cl = group > GROUP_CLIENT ? find_client(c, group - GROUP_CLIENT) : NULL;
	return cl ? cl->shown : stranger_pid(group);
}

static void gpu_name(struct trace_chrome *c, uint32_t gpu)
{
	char name[16];

	if (c->gpu_named[gpu])
		return;
	c->gpu_named[gpu] = true;
	snprintf(name, sizeof(name), "GPU %" PRIu32, gpu);
	meta_group(c, GROUP_GPU + gpu, pid_of(c, GROUP_GPU + gpu), name);
}

static void engine_name(struct trace_chrome *c, const struct trace_desc *d,
			const struct vkf_trace_record *rec, char *name, size_t size)
{
	static const char *const types[] = { "PM4", "SDMA", "AQL", "SDMA_XGMI" };
	uint64_t type = (uint64_t)trace_value_of(d, rec, "type");
	const char *client = client_name(c, (uint32_t)trace_value_of(d, rec, "client"));

	snprintf(name, size, "%s of %s", type < VKF_ARRAY_SIZE(types) ? types[type] : "?",
		 client ? client : "a program");
}

/* A program that nobody has told of, or is gone already. */
static void name_stranger(struct trace_chrome *c, const struct track *t)
{
	uint32_t id = t->group - GROUP_CLIENT;
	char name[32];

	if (id && find_client(c, id))
		return;
	snprintf(name, sizeof(name), "program %" PRIu32, id);
	meta_group(c, t->group, t->pid, name);
}

static void name_track(struct trace_chrome *c, const struct track *t, const struct trace_desc *d,
		       const struct vkf_trace_record *rec)
{
	char name[96];

	switch (d->track) {
	case TRACE_TRACK_TASK:
		snprintf(name, sizeof(name), "%s, task %" PRIu32, rec->client ? "calls" : "driver",
			 rec->task);
		break;
	case TRACE_TRACK_WORKER:
		snprintf(name, sizeof(name), "evictions, task %" PRIu32, rec->task);
		break;
	case TRACE_TRACK_QUEUE:
		snprintf(name, sizeof(name), "queue %" PRIu32, t->kind - TRACK_QUEUE);
		break;
	case TRACE_TRACK_MOVE:
		snprintf(name, sizeof(name), "moves %" PRIu32, t->kind - TRACK_LANE + 1);
		break;
	case TRACE_TRACK_ENGINE:
		engine_name(c, d, rec, name, sizeof(name));
		break;
	default:
		snprintf(name, sizeof(name), "%s",
			 d->track == TRACE_TRACK_TRACE ? "trace" : "process");
	}
	if (t->group >= GROUP_CLIENT)
		name_stranger(c, t);
	meta(c, "thread_name", t->pid, t->tid, name);
	sort_index(c, "thread_sort_index", t->pid, t->tid, t->kind);
}

/* NULL: there are too many. */
static struct track *find_track(struct trace_chrome *c, uint32_t group, uint32_t kind,
				bool *ret_new)
{
	uint32_t *head = bucket_of(c, group, kind), i;

	for (i = *head; i != NONE; i = c->track[i].next)
		if (c->track[i].group == group && c->track[i].kind == kind)
			return &c->track[i];
	i = c->free_track;
	if (i == NONE)
		return NULL;
	c->free_track = c->track[i].next;
	c->track[i] = (struct track){ .group = group, .kind = kind, .pid = pid_of(c, group),
				      .tid = TID_FIRST + ++c->n_tids, .next = *head };
	*head = i;
	*ret_new = true;
	return &c->track[i];
}

/* The lane of a buffer that moves, or of none; LANES: all are busy, or it is in none. */
static unsigned int find_lane(struct trace_chrome *c, uint32_t gpu, bool busy, uint32_t client,
			      uint64_t bo)
{
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		const struct lane *l = &c->lane[gpu][i];

		if (l->busy == busy && (!busy || (l->client == client && l->bo == bo)))
			break;
	}
	return i;
}

static unsigned int take_lane(struct trace_chrome *c, const struct trace_desc *d,
			      const struct vkf_trace_record *rec, uint32_t gpu)
{
	uint32_t client = (uint32_t)trace_value_of(d, rec, "client");
	uint64_t bo = (uint64_t)trace_value_of(d, rec, "bo");
	bool begins = d->shape == TRACE_SHAPE_BEGIN;
	unsigned int i = find_lane(c, gpu, !begins, client, bo);

	if (i < LANES && d->shape != TRACE_SHAPE_INSTANT)
		c->lane[gpu][i] = (struct lane){ .busy = begins, .client = client, .bo = bo };
	return i;
}

/* False: it cannot be shown. */
static bool place_on_gpu(struct trace_chrome *c, const struct trace_desc *d,
			 const struct vkf_trace_record *rec, uint32_t *ret_group, uint32_t *ret_kind)
{
	uint32_t gpu = (uint32_t)trace_value_of(d, rec, "gpu");
	unsigned int lane;

	if (gpu >= MAX_GPUS)
		return false;
	gpu_name(c, gpu);
	*ret_group = GROUP_GPU + gpu;
	if (d->track == TRACE_TRACK_ENGINE) {
		*ret_kind = TRACK_ENGINE + (uint32_t)trace_value_of(d, rec, "client") * 4 +
			   (trace_value_of(d, rec, "type") & 3);
		return true;
	}
	lane = take_lane(c, d, rec, gpu);
	*ret_kind = TRACK_LANE + lane;
	return lane < LANES;
}

static bool place_record(struct trace_chrome *c, const struct trace_desc *d,
			 const struct vkf_trace_record *rec, uint32_t *ret_group, uint32_t *ret_kind)
{
	uint32_t client = (uint32_t)trace_value_of(d, rec, "client");

	switch (d->track) {
	case TRACE_TRACK_MOVE:
	case TRACE_TRACK_ENGINE:
		return place_on_gpu(c, d, rec, ret_group, ret_kind);
	case TRACE_TRACK_TASK:
	case TRACE_TRACK_WORKER:
		*ret_group = rec->client ? GROUP_CLIENT + rec->client : GROUP_DRIVER;
		*ret_kind = TRACK_TASK + rec->task;
		return true;
	case TRACE_TRACK_QUEUE:
		*ret_group = GROUP_CLIENT + client;
		*ret_kind = TRACK_QUEUE + (uint32_t)trace_value_of(d, rec, "queue");
		return true;
	default:
		*ret_group = d->track == TRACE_TRACK_PROCESS ? GROUP_CLIENT + client : GROUP_DRIVER;
		*ret_kind = TRACK_WHOLE;
		return true;
	}
}

static struct track *track_of(struct trace_chrome *c, const struct trace_desc *d,
			      const struct vkf_trace_record *rec)
{
	uint32_t group, kind;
	bool is_new = false;
	struct track *t;

	if (!place_record(c, d, rec, &group, &kind))
		return NULL;
	t = find_track(c, group, kind, &is_new);
	if (t && is_new)
		name_track(c, t, d, rec);
	return t;
}

/* ------------------------------------------------ arrows */

static void arrow_key(const struct trace_desc *d, const struct trace_arrow *arrow,
		      const struct vkf_trace_record *rec, struct flow *ret)
{
	ret->flow = arrow->flow;
	ret->a = (uint64_t)trace_value(&d->field[arrow->a], rec);
	ret->b = arrow->b < 0 ? 0 : (uint64_t)trace_value(&d->field[arrow->b], rec);
}

static void arrow_begins(struct trace_chrome *c, const struct trace_desc *d,
			 const struct vkf_trace_record *rec, const struct track *t, uint64_t ns)
{
	struct flow *f = &c->flow[c->next_flow++ % MAX_FLOWS];

	arrow_key(d, &d->out, rec, f);
	f->pid = t->pid;
	f->tid = t->tid;
	f->ns = ns;
}

/*
 * The latest of that key before the arrow's end, at @key->ns; it may have several ends. Of two tasks
 * the later one's record may come first.
 */
static const struct flow *find_flow(const struct trace_chrome *c, const struct flow *key)
{
	const struct flow *found = NULL;

	for (unsigned int i = 0; i < MAX_FLOWS; i++) {
		const struct flow *f = &c->flow[i];

		if (f->flow == key->flow && f->a == key->a && f->b == key->b && f->ns <= key->ns &&
		    (!found || f->ns >= found->ns))
			found = f;
	}
	return found;
}

static void arrow_end(struct trace_chrome *c, char ph, int flow, uint32_t pid, uint32_t tid,
		      uint64_t ns)
{
	struct trace_text *t = event(c, ph, pid, tid);

	add_time(t, "ts", ns);
	/* Viewers let one choose arrows by their category. */
	trace_text_add(t, ",\"id\":%" PRIu64 ",\"cat\":\"%s\",\"name\":\"%s\"%s}", c->n_arrows,
		       trace_flow_name(flow), trace_flow_name(flow),
		       ph == 'f' ? ",\"bp\":\"e\"" : "");
}

static void arrow_ends(struct trace_chrome *c, const struct trace_desc *d,
		       const struct vkf_trace_record *rec, const struct track *t, uint64_t ns)
{
	struct flow key = { .ns = ns };
	const struct flow *f;

	arrow_key(d, &d->in, rec, &key);
	f = find_flow(c, &key);
	if (!f)
		return;
	c->n_arrows++;
	arrow_end(c, 's', f->flow, f->pid, f->tid, f->ns);
	arrow_end(c, 'f', f->flow, t->pid, t->tid, ns);
}

/* Of an event that lies in a slice at @ns. */
static void arrows(struct trace_chrome *c, const struct trace_desc *d,
		   const struct vkf_trace_record *rec, const struct track *t, uint64_t ns)
{
	if (d->in.flow)
		arrow_ends(c, d, rec, t, ns);
	if (d->out.flow)
		arrow_begins(c, d, rec, t, ns);
}

/* ------------------------------------------------ shapes */

static void begin_slice(struct trace_chrome *c, const struct trace_desc *d,
			const struct vkf_trace_record *rec, struct track *t, uint64_t ns)
{
	add_time(event(c, 'B', t->pid, t->tid), "ts", ns);
	add_name(c, d, rec);
	t->depth++;
	t->begin_ns = ns;
	arrows(c, d, rec, t, ns);
}

static void close_slice(struct trace_chrome *c, struct track *t, uint64_t ns)
{
	add_time(event(c, 'E', t->pid, t->tid), "ts", ns);
	trace_text_add(&c->out, "}");
	t->depth--;
	t->last_ns = ns;
}

/* So that a call that was refused is seen without looking into it. */
static void mark_failure(struct trace_chrome *c, const struct trace_desc *d,
			 const struct vkf_trace_record *rec, const struct track *t, uint64_t ns)
{
	for (unsigned int i = 0; i < d->n_fields; i++) {
		const struct trace_field *f = &d->field[i];

		if (f->format != TRACE_FORMAT_ERRNO || !trace_value(f, rec))
			continue;
		add_time(event(c, 'i', t->pid, t->tid), "ts", ns);
		trace_text_add(&c->out, ",\"s\":\"t\",\"cat\":\"error\",\"cname\":\"terrible\","
					"\"name\":\"");
		trace_value_text(&c->out, f, rec, &c->names);
		trace_text_add(&c->out, "\",\"args\":{}}");
	}
}

/* It lasts a nanosecond at least, so that there is room in it for an arrow's end. */
static void end_slice(struct trace_chrome *c, const struct trace_desc *d,
		      const struct vkf_trace_record *rec, struct track *t, uint64_t ns)
{
	if (!t->depth)
		return;
	ns = VKF_MAX(ns, t->begin_ns + 1);
	arrows(c, d, rec, t, ns - 1);
	mark_failure(c, d, rec, t, ns - 1);
	add_time(event(c, 'E', t->pid, t->tid), "ts", ns);
	trace_text_add(&c->out, ",\"args\":");
	trace_args_json(&c->out, d, rec, &c->names);
	trace_text_add(&c->out, "}");
	t->depth--;
	t->last_ns = ns;
}

/* One that an arrow is tied to needs a slice: the one that is open, or a short one of its own. */
static void mark(struct trace_chrome *c, const struct trace_desc *d,
		 const struct vkf_trace_record *rec, struct track *t, uint64_t ns)
{
	bool tied = d->in.flow || d->out.flow;
	struct trace_text *text = event(c, tied && !t->depth ? 'X' : 'i', t->pid, t->tid);

	add_time(text, "ts", ns);
	if (tied && !t->depth) {
		add_time(text, "dur", 1);
		t->last_ns = ns + 1;
	} else {
		trace_text_add(text, ",\"s\":\"t\"");
	}
	add_name(c, d, rec);
	arrows(c, d, rec, t, ns);
}

static void span(struct trace_chrome *c, const struct trace_desc *d,
		 const struct vkf_trace_record *rec, const struct track *t, uint64_t ns)
{
	struct trace_text *text = event(c, 'X', t->pid, t->tid);

	add_time(text, "ts", ns);
	add_time(text, "dur", (uint64_t)trace_value_of(d, rec, "dur"));
	add_name(c, d, rec);
}

/* ------------------------------------------------ records */

static void close_tracks(struct trace_chrome *c, uint32_t group, bool all, uint64_t ns)
{
	for (unsigned int b = 0; b < BUCKETS; b++) {
		for (uint32_t i = c->bucket[b]; i != NONE; i = c->track[i].next) {
			struct track *t = &c->track[i];

			while (t->depth && (all || t->group == group))
				close_slice(c, t, VKF_MAX(ns, VKF_MAX(t->last_ns, t->begin_ns)));
		}
	}
}

static void forget_tracks(struct trace_chrome *c, uint32_t group)
{
	for (unsigned int b = 0; b < BUCKETS; b++) {
		uint32_t *link = &c->bucket[b];

		while (*link != NONE) {
			struct track *t = &c->track[*link];
			uint32_t i = *link;

			if (t->group != group) {
				link = &t->next;
				continue;
			}
			*link = t->next;
			t->next = c->free_track;
			c->free_track = i;
		}
	}
}

static void client_ends(struct trace_chrome *c, const struct vkf_trace_record *rec, uint64_t ns)
{
	const struct vkf_trace_client_exit *a = (const void *)rec->payload;
	struct client *cl = a->client ? find_client(c, a->client) : NULL;

	close_tracks(c, GROUP_CLIENT + a->client, false, ns);
	forget_tracks(c, GROUP_CLIENT + a->client);
	if (!cl)
		return;
	cl->id = 0;
	c->n_clients--;
}

/* Its track is called what it is, now that this is known. */
static void name_queue(struct trace_chrome *c, const struct vkf_trace_record *rec)
{
	static const char *const types[] = { "PM4", "SDMA", "AQL", "SDMA_XGMI" };
	const struct vkf_trace_queue_create *a = (const void *)rec->payload;
	const struct track *t;
	bool is_new = false;
	char name[48];

	t = find_track(c, GROUP_CLIENT + a->client, TRACK_QUEUE + a->queue, &is_new);
	if (!t)
		return;
	snprintf(name, sizeof(name), "queue %" PRIu32 ", %s, GPU %u", a->queue,
		 a->type < VKF_ARRAY_SIZE(types) ? types[a->type] : "?", a->gpu);
	meta(c, "thread_name", t->pid, t->tid, name);
	if (is_new)
		sort_index(c, "thread_sort_index", t->pid, t->tid, t->kind);
}

void trace_chrome_record(struct trace_chrome *c, const struct vkf_trace_record *rec)
{
	const struct trace_desc *d = trace_desc(rec->event);
	uint64_t ns = since_begin(c, rec->ns);
	struct track *t;

	if (!d)
		return;
	c->last_ns = VKF_MAX(c->last_ns, ns);
	if (rec->event == VKF_TRACE_CLIENT_START)
		client_starts(c, rec);
	t = track_of(c, d, rec);
	if (!t)
		return;
	if (d->shape == TRACE_SHAPE_SPAN) {
		span(c, d, rec, t, ns);
		return;
	}
	ns = VKF_MAX(ns, t->last_ns);
	t->last_ns = ns;
	if (d->shape == TRACE_SHAPE_BEGIN)
		begin_slice(c, d, rec, t, ns);
	else if (d->shape == TRACE_SHAPE_END)
		end_slice(c, d, rec, t, ns);
	else
		mark(c, d, rec, t, ns);
	if (rec->event == VKF_TRACE_QUEUE_CREATE)
		name_queue(c, rec);
	else if (rec->event == VKF_TRACE_CLIENT_EXIT)
		client_ends(c, rec, ns);
}

void trace_chrome_lost(struct trace_chrome *c, uint64_t ns, uint64_t n)
{
	struct vkf_trace_record rec = { .ns = ns, .event = VKF_TRACE_LOST };

	close_tracks(c, 0, true, since_begin(c, ns));
	memset(c->lane, 0, sizeof(c->lane));
	memcpy(rec.payload, &n, sizeof(n));
	trace_chrome_record(c, &rec);
}

unsigned int trace_chrome_n_clients(const struct trace_chrome *c)
{
	return c->n_clients;
}

/* ------------------------------------------------ begin and end */

int trace_chrome_open(const struct trace_chrome_config *config, struct trace_chrome **ret_chrome)
{
	struct trace_chrome *c = vkf_zalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->names = (struct trace_names){ config->ioctl_name, client_name, c };
	for (uint32_t i = 0; i < BUCKETS; i++)
		c->bucket[i] = NONE;
	for (uint32_t i = 0; i < MAX_TRACKS; i++)
		c->track[i].next = i + 1 < MAX_TRACKS ? i + 1 : NONE;
	trace_text_init(&c->out, c->buf, sizeof(c->buf));
	meta_group(c, GROUP_DRIVER, pid_of(c, GROUP_DRIVER), "vkfd");
	*ret_chrome = c;
	return 0;
}

void trace_chrome_drop(struct trace_chrome *c)
{
	vkf_free(c);
}

int trace_chrome_close(struct trace_chrome *c)
{
	int r;

	close_tracks(c, 0, true, c->last_ns);
	r = trace_chrome_flush(c);
	trace_chrome_drop(c);
	return r;
}
