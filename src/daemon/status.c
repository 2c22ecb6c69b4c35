/* SPDX-License-Identifier: MIT */
/**
 * DOC: What is, as JSON
 *
 * For vkfd status and vkfd top; the keys are in vkfd(1).
 */
#include "daemon/server.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>
#include "base/waits.h"
#include "mm/device.h"
#include "mm/system.h"

#define MAX_RESIDENTS 64 /* clients told apart by what they have in VRAM; more have 0 */

/* struct residents - VRAM that clients have now, per GPU */
struct residents {
	unsigned int n, gpu;
	struct {
		uint32_t client;
		uint64_t bytes[MACHINE_MAX_GPUS];
	} of[MAX_RESIDENTS];
};

struct status {
	struct server *server;
	json_t *clients;
	struct residents residents;
};

/* A program's name is any bytes, and cut off anywhere; a JSON text is UTF-8. */
static void printable(char to[16], const char from[16])
{
	json_t *as_it_is = json_string(from);

	memcpy(to, from, 16);
	for (char *c = to; !as_it_is && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json_decref(as_it_is);
}

/* ------------------------------------------------ memory */

static void add_resident(void *cookie, uint32_t client, uint64_t bytes)
{
	struct residents *r = cookie;
	unsigned int i = 0;

	while (i < r->n && r->of[i].client != client)
		i++;
	if (i == MAX_RESIDENTS)
		return;
	if (i == r->n)
		r->of[r->n++].client = client;
	r->of[i].bytes[r->gpu] += bytes;
}

static uint64_t resident(const struct residents *r, uint64_t client, unsigned int gpu)
{
	for (unsigned int i = 0; i < r->n; i++)
		if (r->of[i].client == client)
			return r->of[i].bytes[gpu];
	return 0;
}

static void look_at_residents(struct server *s, struct residents *r)
{
	for (r->gpu = 0; r->gpu < s->config->profile->n_gpus; r->gpu++)
		mm_device_residents(machine_device(driver_machine(s->driver), r->gpu),
				    add_resident, r);
}

/* ------------------------------------------------ clients */

static void add_queue(void *cookie, const struct kfd_queue_stat *stat)
{
	static const char *const types[] = {
		[GPU_QUEUE_PM4] = "PM4",
		[GPU_QUEUE_SDMA] = "SDMA",
		[GPU_QUEUE_AQL] = "AQL",
		[GPU_QUEUE_SDMA_XGMI] = "SDMA_XGMI",
	};
	static const char *const states[] = {
		[KFD_QUEUE_IDLE] = "idle",
		[KFD_QUEUE_RUNNING] = "running",
		[KFD_QUEUE_WAITING] = "waiting",
		[KFD_QUEUE_STOPPED] = "stopped",
		[KFD_QUEUE_EVICTED] = "evicted",
		[KFD_QUEUE_FAULTED] = "faulted",
	};

	json_array_append_new(cookie, json_pack("{s:i, s:i, s:s, s:s, s:I}", "id", stat->id, "gpu",
						stat->gpu, "type", types[stat->type], "state",
						states[stat->state], "packets",
						(json_int_t)stat->packets));
}

static json_t *client_gpus(const struct status *st, const struct driver_client_stat *stat)
{
	const struct machine_profile *p = st->server->config->profile;
	json_t *gpus = json_array();

	for (unsigned int i = 0; i < p->n_gpus; i++)
		json_array_append_new(
			gpus, json_pack("{s:i, s:i, s:I, s:I, s:i}", "gpu", i, "gpu_id",
					p->gpus[i].gpu_id, "vram", (json_int_t)stat->kfd.vram[i],
					"resident",
					(json_int_t)resident(&st->residents, stat->id, i), "queues",
					stat->kfd.queues[i]));
	return gpus;
}

static void add_client(void *cookie, const struct driver_client_stat *stat)
{
	struct status *st = cookie;
	char comm[sizeof(stat->comm)];
	json_t *queues = json_array();
	json_t *o;

	printable(comm, stat->comm);
	driver_for_each_queue(st->server->driver, stat->id, add_queue, queues);
	o = json_pack("{s:i, s:s, s:o, s:I, s:I, s:i, s:i, s:i, s:i}", "pid", stat->pid, "comm",
		      comm, "gpus", client_gpus(st, stat), "gtt", (json_int_t)stat->kfd.gtt,
		      "userptr", (json_int_t)stat->kfd.userptr, "queues", stat->kfd.n_queues,
		      "events", stat->kfd.n_events, "buffers", stat->kfd.n_buffers, "dmabufs",
		      stat->n_dmabufs);
	if (o)
		json_object_update_new(
			o, json_pack("{s:I, s:b, s:b, s:I, s:I, s:o}", "client",
				     (json_int_t)stat->id, "evicted", stat->kfd.evicted, "lost",
				     stat->kfd.lost, "evictions",
				     (json_int_t)stat->kfd.n_evictions, "evicted_ms",
				     (json_int_t)(stat->kfd.evicted_ns / VKF_NSEC_PER_MSEC),
				     "queue_list", queues));
	json_array_append_new(st->clients, o);
}

/* Those of programs; the driver's own are over soon. */
static json_t *waits(void)
{
	struct vkf_wait_seen seen[VKF_WAITS];
	unsigned int n = vkf_waits_look(seen, VKF_WAITS);
	uint64_t now = vkf_now_ns();
	json_t *list = json_array();

	for (unsigned int i = 0; i < n; i++) {
		uint64_t ns = now > seen[i].since_ns ? now - seen[i].since_ns : 0;

		if (seen[i].client)
			json_array_append_new(
				list, json_pack("{s:I, s:I, s:s, s:I}", "client",
						(json_int_t)seen[i].client, "owner",
						(json_int_t)seen[i].owner, "what", seen[i].what,
						"us", (json_int_t)(ns / 1000)));
	}
	return list;
}

/* ------------------------------------------------ the whole */

static json_t *gpu_status(struct server *s, unsigned int i)
{
	const struct machine_gpu *g = &s->config->profile->gpus[i];
	struct mm_device *dev = machine_device(driver_machine(s->driver), i);
	struct mm_device_usage u;
	json_t *o;

	mm_device_usage(dev, &u);
	o = json_pack("{s:i, s:i, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "gpu", i, "gpu_id",
		      g->gpu_id, "name", g->asic.name, "product", g->product, "render_minor",
		      g->render_minor, "vram_total", (json_int_t)u.vram_total, "vram_used",
		      (json_int_t)u.vram_managed, "vram_charged", (json_int_t)u.vram_used,
		      "page_tables", (json_int_t)u.page_tables, "available",
		      (json_int_t)mm_device_available(dev));
	if (o)
		json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I}", "gtt_used",
						    (json_int_t)u.gtt_used, "gtt_total",
						    (json_int_t)u.gtt_total, "evictions",
						    (json_int_t)u.n_evicted, "evicted_bytes",
						    (json_int_t)u.evicted_bytes));
	return o;
}

char *status_text(struct server *s)
{
	struct status st = { .server = s, .clients = json_array() };
	json_t *gpus = json_array(), *root;
	struct mm_system_usage u;
	char *text;

	look_at_residents(s, &st.residents);
	/* Clients first: memory of one that is not among them is not among what is used either. */
	driver_for_each_client(s->driver, add_client, &st);
	for (unsigned int i = 0; i < s->config->profile->n_gpus; i++)
		json_array_append_new(gpus, gpu_status(s, i));
	mm_system_usage(machine_system(driver_machine(s->driver)), &u);
	root = json_pack("{s:s, s:i, s:I, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}}", "machine",
			 s->config->profile->name, "pid", getpid(), "now_us",
			 (json_int_t)(vkf_now_ns() / 1000), "gpus", gpus, "clients", st.clients,
			 "waits", waits(), "system", "used", (json_int_t)u.system_used, "limit",
			 (json_int_t)u.system_limit, "ttm_used", (json_int_t)u.ttm_used,
			 "ttm_limit", (json_int_t)u.ttm_limit);
	text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	return text;
}
