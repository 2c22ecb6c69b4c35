/* SPDX-License-Identifier: MIT */
/**
 * DOC: Texts that are asked for by name
 *
 *	status		a JSON object: what vkfd status shows
 *	runtime		the runtime directory
 *	file:PATH	the present content of a live file of the tree
 */
#include "daemon/server.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "mm/device.h"
#include "mm/system.h"

static int text_fd(const char *text, size_t len)
{
	int fd = memfd_create("vkfd-text", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

struct status {
	struct server *server;
	json_t *clients;
};

static void add_client(void *cookie, const struct driver_client_stat *stat)
{
	struct status *st = cookie;
	const struct machine_profile *p = st->server->config->profile;
	json_t *gpus = json_array();

	for (unsigned int i = 0; i < p->n_gpus; i++)
		json_array_append_new(gpus, json_pack("{s:i, s:i, s:I, s:i}", "gpu", i, "gpu_id",
						      p->gpus[i].gpu_id, "vram",
						      (json_int_t)stat->kfd.vram[i], "queues",
						      stat->kfd.queues[i]));
	json_array_append_new(
		st->clients,
		json_pack("{s:i, s:s, s:o, s:I, s:I, s:i, s:i, s:i}", "pid", stat->pid, "comm",
			  stat->comm, "gpus", gpus, "gtt", (json_int_t)stat->kfd.gtt, "userptr",
			  (json_int_t)stat->kfd.userptr, "queues", stat->kfd.n_queues, "events",
			  stat->kfd.n_events, "buffers", stat->kfd.n_buffers));
}

static json_t *gpu_status(struct server *s, unsigned int i)
{
	const struct machine_gpu *g = &s->config->profile->gpus[i];
	struct mm_device *dev = machine_device(driver_machine(s->driver), i);
	struct mm_device_usage u;

	mm_device_usage(dev, &u);
	return json_pack("{s:i, s:i, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "gpu", i, "gpu_id",
			 g->gpu_id, "name", g->asic.name, "product", g->product, "render_minor",
			 g->render_minor, "vram_total", (json_int_t)u.vram_total, "vram_used",
			 (json_int_t)u.vram_managed, "vram_charged", (json_int_t)u.vram_used,
			 "page_tables", (json_int_t)u.page_tables, "available",
			 (json_int_t)mm_device_available(dev));
}

static int query_status(struct server *s)
{
	struct status st = { s, json_array() };
	json_t *gpus = json_array(), *root;
	struct mm_system_usage u;
	char *text;
	int fd;

	for (unsigned int i = 0; i < s->config->profile->n_gpus; i++)
		json_array_append_new(gpus, gpu_status(s, i));
	driver_for_each_client(s->driver, add_client, &st);
	mm_system_usage(machine_system(driver_machine(s->driver)), &u);
	root = json_pack("{s:s, s:i, s:o, s:o, s:{s:I, s:I, s:I, s:I}}", "machine",
			 s->config->profile->name, "pid", getpid(), "gpus", gpus, "clients",
			 st.clients, "system", "used", (json_int_t)u.system_used, "limit",
			 (json_int_t)u.system_limit, "ttm_used", (json_int_t)u.ttm_used, "ttm_limit",
			 (json_int_t)u.ttm_limit);
	text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return -ENOMEM;
	fd = text_fd(text, strlen(text));
	free(text);
	return fd;
}

static int query_file(struct server *s, const char *path)
{
	struct machine_usage usage;
	char buf[4096];
	int n;

	driver_usage(s->driver, &usage);
	n = machine_live_file(s->config->profile, &usage, path, buf, sizeof(buf));
	return n < 0 ? n : text_fd(buf, (size_t)n);
}

int query_open(struct server *s, const char *name)
{
	if (!strcmp(name, "status"))
		return query_status(s);
	if (!strcmp(name, "runtime"))
		return text_fd(s->config->runtime, strlen(s->config->runtime));
	if (!strncmp(name, "file:", 5))
		return query_file(s, name + 5);
	return -ENOENT;
}
