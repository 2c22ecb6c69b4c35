/* SPDX-License-Identifier: MIT */
#include "cli/top_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_WIDTH   40
#define LINE_BYTES  1024
#define MAX_PROGRAMS 52 /* that have a letter */
#define NAME_BYTES  16

/* struct program - one client, with its rates */
struct program {
	const json_t *now;
	char letter;
	double packets; /* a second, as the next */
	double evictions;
	double resident; /* bytes, on all GPUs */
};

struct queue {
	const json_t *now;
	const struct program *program;
	double packets;
};

struct view {
	const json_t *before, *now;
	const struct top_screen *screen;
	unsigned int width;
	double seconds; /* between the looks; 0: one look only */
	struct program *programs;
	size_t n_programs;
	struct queue *queues;
	size_t n_queues;
	unsigned int n_lines;
	FILE *out;
};

static int64_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double mib(double bytes)
{
	return bytes / (1 << 20);
}

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

/* ------------------------------------------------ lines */

/* Escapes take no column. Return: the byte at which @s must end to fit @width columns. */
static size_t fit(const char *s, unsigned int width)
{
	size_t i = 0;
	unsigned int column = 0;

	while (s[i]) {
		if (s[i] == '\033') {
			i += strcspn(s + i, "m");
			i += s[i] == 'm';
			continue;
		}
		if (column == width)
			break;
		column++;
		/* What follows the first byte of a character belongs to it. */
		do
			i++;
		while (((unsigned char)s[i] & 0xc0) == 0x80);
	}
	return i;
}

static bool has_room(const struct view *v)
{
	return !v->screen->height || v->n_lines < v->screen->height;
}

static void put_line(struct view *v, const char *s)
{
	if (!has_room(v))
		return;
	fprintf(v->out, "%s%.*s%s", v->n_lines ? "\n" : "", (int)fit(s, v->width), s,
		v->screen->colours && strchr(s, '\033') ? "\033[0m" : "");
	v->n_lines++;
}

static void line(struct view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(struct view *v, const char *fmt, ...)
{
	char buf[LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put_line(v, buf);
}

static void heading(struct view *v, const char *text)
{
	if (v->screen->colours)
		line(v, "\033[7m%-*s", (int)v->width, text);
	else
		line(v, "%s", text);
}

/* "12", "3.4k", "5.6M": five columns */
static const char *rate(char buf[16], double r)
{
	if (r < 9.95)
		snprintf(buf, 16, r > 0 ? "%.1f" : "%.0f", r);
	else if (r < 9999.5)
		snprintf(buf, 16, "%.0f", r);
	else if (r < 999500)
		snprintf(buf, 16, "%.0fk", r / 1e3);
	else
		snprintf(buf, 16, "%.1fM", r / 1e6);
	return buf;
}

/* ------------------------------------------------ what there is */

static const json_t *same_client(const struct view *v, const json_t *client)
{
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(v->before, "clients"), i, c)
		if (num(c, "client") == num(client, "client"))
			return c;
	return NULL;
}

static const json_t *same_queue(const json_t *client, const json_t *queue)
{
	size_t i;
	json_t *q;

	json_array_foreach(json_object_get(client, "queue_list"), i, q)
		if (num(q, "id") == num(queue, "id"))
			return q;
	return NULL;
}

/* How fast it grew; one that began again counts from 0. */
static double growth(const struct view *v, const json_t *before, const json_t *now, const char *key)
{
	int64_t n = num(now, key), from = before ? num(before, key) : 0;

	if (v->seconds <= 0)
		return 0;
	return (double)(n >= from ? n - from : n) / v->seconds;
}

static char letter(size_t i)
{
	if (i >= MAX_PROGRAMS)
		return '*';
	return i < 26 ? (char)('A' + i) : (char)('a' + i - 26);
}

static void take_queues(struct view *v, struct program *p, const json_t *before)
{
	size_t i;
	json_t *q;

	json_array_foreach(json_object_get(p->now, "queue_list"), i, q) {
		struct queue *to = &v->queues[v->n_queues++];

		*to = (struct queue){ .now = q, .program = p };
		to->packets = growth(v, same_queue(before, q), q, "packets");
		p->packets += to->packets;
	}
}

static void take_program(struct view *v, const json_t *client)
{
	struct program *p = &v->programs[v->n_programs];
	const json_t *before = same_client(v, client);
	size_t i;
	json_t *g;

	*p = (struct program){ .now = client, .letter = letter(v->n_programs++) };
	json_array_foreach(json_object_get(client, "gpus"), i, g)
		p->resident += (double)num(g, "resident");
	/* What it did before we looked for the first time is no rate. */
	p->evictions = before ? growth(v, before, client, "evictions") : 0;
	take_queues(v, p, before ? before : client);
}

static bool take_all(struct view *v)
{
	const json_t *clients = json_object_get(v->now, "clients");
	size_t n_queues = 0, i;
	json_t *c;

	json_array_foreach(clients, i, c)
		n_queues += json_array_size(json_object_get(c, "queue_list"));
	v->programs = calloc(json_array_size(clients) + 1, sizeof(*v->programs));
	v->queues = calloc(n_queues + 1, sizeof(*v->queues));
	if (!v->programs || !v->queues)
		return false;
	if (v->before)
		v->seconds = (double)(num(v->now, "now_us") - num(v->before, "now_us")) / 1e6;
	json_array_foreach(clients, i, c)
		take_program(v, c);
	return true;
}

static double sort_key(const struct program *p, enum top_sort sort)
{
	switch (sort) {
	case TOP_BY_PACKETS:
		return p->packets;
	case TOP_BY_EVICTIONS:
		return p->evictions * 1e12 + (double)num(p->now, "evictions");
	case TOP_BY_MEMORY:
		return p->resident;
	default:
		return 0;
	}
}

static int compare_programs(const struct program *a, const struct program *b, enum top_sort sort)
{
	double x = sort_key(a, sort), y = sort_key(b, sort);

	if (x != y)
		return x < y ? 1 : -1;
	return num(a->now, "pid") < num(b->now, "pid") ? -1 : 1;
}

/* Pointers, so that queues find their program. Few, and sorted once a frame. */
static const struct program **sorted_programs(const struct view *v)
{
	const struct program **list = calloc(v->n_programs + 1, sizeof(const struct program *));

	for (size_t i = 0; list && i < v->n_programs; i++) {
		size_t k = i;

		while (k && compare_programs(&v->programs[i], list[k - 1], v->screen->sort) < 0) {
			list[k] = list[k - 1];
			k--;
		}
		list[k] = &v->programs[i];
	}
	return list;
}

/* ------------------------------------------------ GPUs */

static double all_evictions(const struct view *v)
{
	const json_t *before = json_object_get(v->before, "gpus");
	double sum = 0;
	size_t i;
	json_t *g;

	if (!before)
		return 0;
	json_array_foreach(json_object_get(v->now, "gpus"), i, g)
		sum += growth(v, json_array_get(before, i), g, "evictions");
	return sum;
}

static void title(struct view *v)
{
	char buf[16];

	line(v, "vkfd top  %s  driver %" PRId64 "  programs %zu  queues %zu  evictions %s/s",
	     str(v->now, "machine"), num(v->now, "pid"), v->n_programs, v->n_queues,
	     rate(buf, all_evictions(v)));
}

static double resident_on(const struct program *p, size_t gpu)
{
	return (double)num(json_array_get(json_object_get(p->now, "gpus"), gpu), "resident");
}

/* One program's part of a bar: whole columns, of the sum so far, so that errors do not add up. */
static void bar_part(const struct view *v, char *bar, size_t *len, size_t *column, size_t end,
		     const struct program *p)
{
	size_t i = (size_t)(p ? p - v->programs : 0);

	if (*column >= end)
		return;
	if (v->screen->colours && p)
		*len += (size_t)sprintf(bar + *len, "\033[1;3%zum", i % 6 + 1);
	while (*column < end) {
		bar[(*len)++] = p ? p->letter : '#';
		(*column)++;
	}
	if (v->screen->colours && p)
		*len += (size_t)sprintf(bar + *len, "\033[0m");
}

/* Who has the VRAM of a GPU: a letter for a program, # for what is nobody's (page tables, pinned). */
static void vram_bar(const struct view *v, const json_t *g, size_t gpu, size_t width, char *bar)
{
	double total = (double)num(g, "vram_total"), sum = 0;
	size_t len = 0, column = 0;

	if (total <= 0)
		total = 1;
	for (size_t i = 0; i < v->n_programs && i < MAX_PROGRAMS; i++) {
		size_t end;

		sum += resident_on(&v->programs[i], gpu);
		end = (size_t)(sum / total * (double)width + 0.5);
		/* However little it is, it is seen. */
		if (resident_on(&v->programs[i], gpu) > 0 && end == column)
			end++;
		bar_part(v, bar, &len, &column, end < width ? end : width, &v->programs[i]);
	}
	sum = (double)num(g, "vram_used");
	bar_part(v, bar, &len, &column, (size_t)(sum / total * (double)width), NULL);
	while (column++ < width)
		bar[len++] = '.';
	bar[len] = '\0';
}

static void gpu_line(struct view *v, const json_t *g, size_t i)
{
	/* Numbers, name and figures take 41 columns. */
	size_t width = v->width > 51 ? v->width - 41 : 10;
	char bar[LINE_BYTES];

	if (width > 60)
		width = 60;
	vram_bar(v, g, i, width, bar);
	line(v, "%3" PRId64 " %-12.12s [%s] %9.1f /%9.1f", num(g, "gpu"), str(g, "name"), bar,
	     mib((double)num(g, "vram_used")), mib((double)num(g, "vram_total")));
}

static void gpus(struct view *v)
{
	const json_t *system = json_object_get(v->now, "system");
	size_t i;
	json_t *g;

	heading(v, "GPU NAME         VRAM MiB");
	json_array_foreach(json_object_get(v->now, "gpus"), i, g)
		gpu_line(v, g, i);
	line(v, "    GTT %.1f MiB of %.1f, system %.1f MiB of %.1f",
	     mib((double)num(system, "ttm_used")), mib((double)num(system, "ttm_limit")),
	     mib((double)num(system, "used")), mib((double)num(system, "limit")));
}

/* ------------------------------------------------ programs */

static const struct program *program_of(const struct view *v, int64_t client)
{
	for (size_t i = 0; i < v->n_programs; i++)
		if (num(v->programs[i].now, "client") == client)
			return &v->programs[i];
	return NULL;
}

/* The longest of its waits; those for events say least. */
static const json_t *wait_of(const struct view *v, const struct program *p)
{
	const json_t *found = NULL;
	size_t i;
	json_t *w;

	json_array_foreach(json_object_get(v->now, "waits"), i, w) {
		bool event = !strcmp(str(w, "what"), "an event");

		if (num(w, "client") != num(p->now, "client"))
			continue;
		if (!found || (!event && !strcmp(str(found, "what"), "an event")) ||
		    (!event && num(w, "us") > num(found, "us")))
			found = w;
	}
	return found;
}

static void wait_text(const struct view *v, const struct program *p, char *buf, size_t size)
{
	const json_t *w = wait_of(v, p);
	const struct program *owner = w ? program_of(v, num(w, "owner")) : NULL;

	if (!w)
		snprintf(buf, size, "-");
	else if (owner && owner != p)
		snprintf(buf, size, "%s of %c %s", str(w, "what"), owner->letter,
			 str(owner->now, "comm"));
	else
		snprintf(buf, size, "%s", str(w, "what"));
}

static const char *program_state(const struct program *p)
{
	size_t i;
	json_t *q;

	if (json_is_true(json_object_get(p->now, "evicted")))
		return "evicted";
	json_array_foreach(json_object_get(p->now, "queue_list"), i, q)
		if (!strcmp(str(q, "state"), "running"))
			return "running";
	return p->packets > 0 ? "running" : "idle";
}

static void program_line(struct view *v, const struct program *p)
{
	char wait[64], packets[16], evictions[16];

	wait_text(v, p, wait, sizeof(wait));
	line(v, "%c %7" PRId64 " %-12.12s %8.1f %6" PRId64 " %-8s %5s %5s %6" PRId64 "  %s", p->letter,
	     num(p->now, "pid"), str(p->now, "comm"), mib(p->resident), num(p->now, "queues"),
	     program_state(p), rate(packets, p->packets), rate(evictions, p->evictions),
	     num(p->now, "evicted_ms"), wait);
}

static void programs(struct view *v, const struct program **list)
{
	char text[128];

	snprintf(text, sizeof(text), "      PID PROGRAM      VRAM MiB QUEUES STATE    PKT/s EVI/s "
				     "OUT ms  WAITS FOR");
	heading(v, text);
	for (size_t i = 0; i < v->n_programs; i++)
		program_line(v, list[i]);
}

/* ------------------------------------------------ queues */

static void queue_line(struct view *v, const struct queue *q)
{
	static const struct {
		const char *state, *colour;
	} colours[] = { { "running", "\033[32m" }, { "waiting", "\033[33m" },
			{ "evicted", "\033[35m" }, { "faulted", "\033[31m" },
			{ "stopped", "\033[36m" } };
	const char *colour = "", *state = str(q->now, "state");
	char packets[16];

	for (size_t i = 0; v->screen->colours && i < sizeof(colours) / sizeof(colours[0]); i++)
		if (!strcmp(colours[i].state, state))
			colour = colours[i].colour;
	line(v, "%c %7" PRId64 " %5" PRId64 " %3" PRId64 " %-9s %s%-8s%s %9s %14" PRId64,
	     q->program->letter, num(q->program->now, "pid"), num(q->now, "id"), num(q->now, "gpu"),
	     str(q->now, "type"), colour, state, colour[0] ? "\033[0m" : "",
	     rate(packets, q->packets), num(q->now, "packets"));
}

static void queues_of(struct view *v, const struct program *p, size_t *left_out)
{
	for (size_t i = 0; i < v->n_queues; i++) {
		if (v->queues[i].program != p)
			continue;
		if (*left_out)
			(*left_out)--;
		else
			queue_line(v, &v->queues[i]);
	}
}

static void queues(struct view *v, const struct program **list)
{
	size_t left_out = v->screen->scroll < v->n_queues ? v->screen->scroll : 0;

	heading(v, "      PID QUEUE GPU TYPE      STATE    PACKETS/s        PACKETS");
	for (size_t i = 0; i < v->n_programs; i++)
		queues_of(v, list[i], &left_out);
}

char *top_frame(const json_t *before, const json_t *now, const struct top_screen *screen)
{
	struct view v = { .before = before, .now = now, .screen = screen };
	const struct program **list = NULL;
	char *text = NULL;
	size_t size;

	v.width = screen->width < MIN_WIDTH ? MIN_WIDTH : screen->width;
	v.out = open_memstream(&text, &size);
	if (!v.out)
		return NULL;
	if (take_all(&v))
		list = sorted_programs(&v);
	if (list) {
		title(&v);
		gpus(&v);
		programs(&v, list);
		queues(&v, list);
	}
	free(v.programs);
	free(v.queues);
	if (fclose(v.out) || !list) {
		free(text);
		text = NULL;
	}
	free(list);
	return text;
}
