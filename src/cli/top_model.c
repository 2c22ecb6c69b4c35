/* SPDX-License-Identifier: MIT */
#include "cli/top_model.h"

#include <stdlib.h>
#include <string.h>

int64_t top_num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

const char *top_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* ------------------------------------------------ what there is */

static const json_t *same_client(const struct top_model *m, const json_t *client)
{
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(m->before, "clients"), i, c)
		if (top_num(c, "client") == top_num(client, "client"))
			return c;
	return NULL;
}

static const json_t *same_queue(const json_t *client, const json_t *queue)
{
	size_t i;
	json_t *q;

	json_array_foreach(json_object_get(client, "queue_list"), i, q)
		if (top_num(q, "id") == top_num(queue, "id"))
			return q;
	return NULL;
}

double top_growth(const struct top_model *m, const json_t *before, const json_t *now,
		  const char *key)
{
	int64_t n = top_num(now, key), from = before ? top_num(before, key) : 0;

	if (m->seconds <= 0)
		return 0;
	return (double)(n >= from ? n - from : n) / m->seconds;
}

static char letter(size_t i)
{
	if (i >= TOP_LETTERS)
		return '*';
	return i < 26 ? (char)('A' + i) : (char)('a' + i - 26);
}

static void take_queues(struct top_model *m, struct top_program *p, const json_t *before)
{
	size_t i;
	json_t *q;

	json_array_foreach(json_object_get(p->now, "queue_list"), i, q) {
		struct top_queue *to = &m->queues[m->n_queues++];

		*to = (struct top_queue){ .now = q, .program = p };
		to->packets = top_growth(m, same_queue(before, q), q, "packets");
		p->packets += to->packets;
	}
}

static void take_program(struct top_model *m, const json_t *client)
{
	struct top_program *p = &m->programs[m->n_programs];
	const json_t *before = same_client(m, client);
	size_t i;
	json_t *g;

	*p = (struct top_program){ .now = client, .letter = letter(m->n_programs++) };
	json_array_foreach(json_object_get(client, "gpus"), i, g)
		p->resident += (double)top_num(g, "resident");
	/* What it did before we looked for the first time is no rate. */
	if (before) {
		p->evictions = top_growth(m, before, client, "evictions");
		p->out = top_growth(m, before, client, "evicted_ms") / 1e3;
	}
	if (p->out > 1)
		p->out = 1;
	take_queues(m, p, before ? before : client);
}

bool top_model_make(struct top_model *m, const json_t *before, const json_t *now)
{
	const json_t *clients = json_object_get(now, "clients");
	size_t n_queues = 0, i;
	json_t *c;

	*m = (struct top_model){ .before = before, .now = now };
	json_array_foreach(clients, i, c)
		n_queues += json_array_size(json_object_get(c, "queue_list"));
	m->programs = calloc(json_array_size(clients) + 1, sizeof(*m->programs));
	m->queues = calloc(n_queues + 1, sizeof(*m->queues));
	if (!m->programs || !m->queues) {
		top_model_drop(m);
		return false;
	}
	if (before)
		m->seconds = (double)(top_num(now, "now_us") - top_num(before, "now_us")) / 1e6;
	json_array_foreach(clients, i, c)
		take_program(m, c);
	return true;
}

void top_model_drop(struct top_model *m)
{
	free(m->programs);
	free(m->queues);
	m->programs = NULL;
	m->queues = NULL;
}

/* ------------------------------------------------ order */

const char *top_sort_name(enum top_sort sort)
{
	static const char *const names[TOP_SORTS] = {
		[TOP_BY_MEMORY] = "memory",
		[TOP_BY_PACKETS] = "packets",
		[TOP_BY_EVICTIONS] = "evictions",
		[TOP_BY_PID] = "pid",
	};

	return names[sort];
}

static double sort_key(const struct top_program *p, enum top_sort sort)
{
	switch (sort) {
	case TOP_BY_PACKETS:
		return p->packets;
	case TOP_BY_EVICTIONS:
		return p->evictions * 1e12 + (double)top_num(p->now, "evictions");
	case TOP_BY_MEMORY:
		return p->resident;
	default:
		return 0;
	}
}

static int compare(const struct top_program *a, const struct top_program *b, enum top_sort sort)
{
	double x = sort_key(a, sort), y = sort_key(b, sort);

	if (x != y)
		return x < y ? 1 : -1;
	return top_num(a->now, "pid") < top_num(b->now, "pid") ? -1 : 1;
}

/* Pointers, so that queues find their program. Few, and sorted once a frame. */
const struct top_program **top_model_sorted(const struct top_model *m, enum top_sort sort)
{
	const struct top_program **list =
		calloc(m->n_programs + 1, sizeof(const struct top_program *));

	for (size_t i = 0; list && i < m->n_programs; i++) {
		size_t k = i;

		while (k && compare(&m->programs[i], list[k - 1], sort) < 0) {
			list[k] = list[k - 1];
			k--;
		}
		list[k] = &m->programs[i];
	}
	return list;
}

/* ------------------------------------------------ one program */

const struct top_program *top_model_program(const struct top_model *m, int64_t client)
{
	for (size_t i = 0; i < m->n_programs; i++)
		if (top_num(m->programs[i].now, "client") == client)
			return &m->programs[i];
	return NULL;
}

double top_resident(const struct top_program *p, size_t gpu)
{
	return (double)top_num(json_array_get(json_object_get(p->now, "gpus"), gpu), "resident");
}

const char *top_program_state(const struct top_program *p)
{
	size_t i;
	json_t *q;

	if (json_is_true(json_object_get(p->now, "lost")))
		return "lost";
	if (json_is_true(json_object_get(p->now, "evicted")))
		return "evicted";
	json_array_foreach(json_object_get(p->now, "queue_list"), i, q)
		if (!strcmp(top_str(q, "state"), "running"))
			return "running";
	return p->packets > 0 ? "running" : "idle";
}

/* The longest; those for events say least. */
const json_t *top_wait(const struct top_model *m, const struct top_program *p)
{
	const json_t *found = NULL;
	size_t i;
	json_t *w;

	json_array_foreach(json_object_get(m->now, "waits"), i, w) {
		bool event = !strcmp(top_str(w, "what"), "an event");

		if (top_num(w, "client") != top_num(p->now, "client"))
			continue;
		if (!found || (!event && !strcmp(top_str(found, "what"), "an event")) ||
		    (!event && top_num(w, "us") > top_num(found, "us")))
			found = w;
	}
	return found;
}
