/* SPDX-License-Identifier: MIT */
/**
 * DOC: Files that take long to close
 *
 * The last descriptor of a dma-buf may be all that a buffer of gigabytes was kept for,
 * and to give its memory back takes longer than the main loop may be away. So a task
 * closes them, one after the other; it ends when there are no more.
 */
#include <errno.h>
#include <stdlib.h>
#include "daemon/server.h"

struct closing {
	struct vkf_task *task; /* main loop; the last one that was started, or NULL */
	struct vkf_mutex lock; /* rank LEAF; protects the rest */
	struct vkf_list files; /* of struct closing_file.link */
	bool runs;             /* a task is going to look at @files again */
};

struct closing_file {
	struct vkf_list link;
	struct driver_file *file;
};

int closing_create(struct closing **ret_closing)
{
	struct closing *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	vkf_mutex_init(&c->lock, VKF_RANK_LEAF);
	vkf_list_init(&c->files);
	*ret_closing = c;
	return 0;
}

static struct closing_file *next_file(struct closing *c)
{
	struct closing_file *next = NULL;

	vkf_mutex_lock(&c->lock);
	if (!vkf_list_empty(&c->files)) {
		next = vkf_list_first(&c->files, struct closing_file, link);
		vkf_list_del(&next->link);
	} else {
		c->runs = false;
	}
	vkf_mutex_unlock(&c->lock);
	return next;
}

static void close_files(void *arg)
{
	struct closing *c = arg;
	struct closing_file *next;

	while ((next = next_file(c))) {
		driver_close(next->file);
		free(next);
	}
}

static void join(struct closing *c)
{
	if (c->task)
		vkf_join(c->task);
	c->task = NULL;
}

void closing_add(struct closing *c, struct driver_file *f)
{
	struct closing_file *item = malloc(sizeof(*item));
	bool ran;

	if (!item) {
		driver_close(f);
		return;
	}
	item->file = f;
	vkf_mutex_lock(&c->lock);
	vkf_list_add_tail(&item->link, &c->files);
	ran = c->runs;
	c->runs = true;
	vkf_mutex_unlock(&c->lock);
	if (ran)
		return;
	join(c);
	if (vkf_spawn("vkfd-close", close_files, c, &c->task))
		close_files(c);
}

void closing_destroy(struct closing *c)
{
	if (!c)
		return;
	join(c);
	vkf_mutex_fini(&c->lock);
	free(c);
}
