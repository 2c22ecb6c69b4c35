/* SPDX-License-Identifier: MIT */
#include "cli/top_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 2048
#define MAX_WIDTH  1000u /* of which a line's bytes have room */
#define MAX_BAR    120u
/* A bar that is shorter says little: then some figures are left out. */
#define MIN_BAR    20u

struct view {
	const struct top_model *m;
	struct top_screen *screen;
	unsigned int width;
	const struct top_program **list;
	unsigned int n_lines, n_items; /* items: programs and queues that had their turn */
	FILE *out;
};

static double mib(double bytes)
{
	return bytes / (1 << 20);
}

/* ------------------------------------------------ lines */

/* Behind an escape, or the next character. */
static const char *step(const char *s)
{
	if (*s == '\033') {
		s += strcspn(s, "m");
		return s + (*s == 'm');
	}
	/* What follows the first byte of a character belongs to it. */
	do
		s++;
	while (((unsigned char)*s & 0xc0) == 0x80);
	return s;
}

unsigned int top_columns(const char *text, const char *end)
{
	unsigned int n = 0;

	for (; text < end; text = step(text))
		n += *text != '\033';
	return n;
}

/* The bytes of @s that fit @width columns. */
static int fit(const char *s, unsigned int width)
{
	const char *p = s;

	for (unsigned int column = 0; *p; p = step(p)) {
		if (*p != '\033' && column++ == width)
			break;
	}
	return (int)(p - s);
}

static bool has_room(const struct view *v)
{
	return !v->screen->height || v->n_lines < v->screen->height;
}

static void put_line(struct view *v, const char *s)
{
	if (!has_room(v))
		return;
	fprintf(v->out, "%s%.*s%s", v->n_lines ? "\n" : "", fit(s, v->width), s,
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

/* "1.2", "345", "67k", "8.9M": five columns */
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

static struct view view_of(struct top_screen *screen, FILE *out)
{
	return (struct view){
		.screen = screen,
		.width = screen->width < MAX_WIDTH ? screen->width : MAX_WIDTH,
		.out = out,
	};
}

/* ------------------------------------------------ GPUs */

static double of_all_programs(const struct top_model *m)
{
	double sum = 0;

	for (size_t i = 0; i < m->n_programs; i++)
		sum += m->programs[i].evictions;
	return sum;
}

static void title(struct view *v)
{
	const json_t *now = v->m->now;
	char buf[16];

	line(v, "vkfd top  %s  driver %" PRId64 "  programs %zu  queues %zu  evictions %s/s",
	     top_str(now, "machine"), top_num(now, "pid"), v->m->n_programs, v->m->n_queues,
	     rate(buf, of_all_programs(v->m)));
}

/* One program's part of a bar: whole columns, of the sum so far, so that errors do not add up. */
static void bar_part(const struct view *v, char *bar, size_t *len, size_t *column, size_t end,
		     const struct top_program *p)
{
	size_t i = (size_t)(p ? p - v->m->programs : 0);

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
	double total = (double)top_num(g, "vram_total"), sum = 0;
	size_t len = 0, column = 0;

	if (total <= 0)
		total = 1;
	for (size_t i = 0; i < v->m->n_programs && i < TOP_LETTERS; i++) {
		const struct top_program *p = &v->m->programs[i];
		size_t end;

		sum += top_resident(p, gpu);
		end = (size_t)(sum / total * (double)width + 0.5);
		/* However little it is, it is seen. */
		if (top_resident(p, gpu) > 0 && end == column)
			end++;
		bar_part(v, bar, &len, &column, end < width ? end : width, p);
	}
	sum = (double)top_num(g, "vram_used");
	bar_part(v, bar, &len, &column, (size_t)(sum / total * (double)width), NULL);
	while (column++ < width)
		bar[len++] = '.';
	bar[len] = '\0';
}

/* Columns of a bar; *@ret_all: whether all figures fit beside it. */
static unsigned int bar_width(const struct view *v, bool *ret_all)
{
	const unsigned int few = 36, all = 53;
	unsigned int width = v->width > all ? v->width - all : 0;

	*ret_all = width >= MIN_BAR;
	if (!*ret_all)
		width = v->width > few + 10 ? v->width - few : 10;
	return width < MAX_BAR ? width : MAX_BAR;
}

static void gpu_line(struct view *v, const json_t *g, size_t i)
{
	const json_t *before = json_array_get(json_object_get(v->m->before, "gpus"), i);
	char bar[LINE_BYTES / 2], more[32] = "", buf[16];
	bool all;

	vram_bar(v, g, i, bar_width(v, &all), bar);
	if (all)
		snprintf(more, sizeof(more), " %8.1f %7s", mib((double)top_num(g, "gtt_used")),
			 rate(buf, before ? top_growth(v->m, before, g, "evictions") : 0));
	line(v, "%3" PRId64 " %-9.9s [%s] %8.1f / %8.1f%s", top_num(g, "gpu"), top_str(g, "name"),
	     bar, mib((double)top_num(g, "vram_used")), mib((double)top_num(g, "vram_total")), more);
}

static void gpus(struct view *v)
{
	const json_t *list = json_object_get(v->m->now, "gpus");
	const json_t *system = json_object_get(v->m->now, "system");
	/* Programs are to be seen as well. */
	size_t most = v->screen->height > 8 ? v->screen->height / 2 - 3 : v->screen->height ? 1 : SIZE_MAX;
	char text[LINE_BYTES];
	bool all;
	int bar = (int)bar_width(v, &all);
	size_t i;
	json_t *g;

	snprintf(text, sizeof(text), "GPU NAME      %-*s %8s   %8s%s", bar + 2, "VRAM MiB", "USED", "OF",
		 all ? "  GTT MiB EVICT/s" : "");
	heading(v, text);
	json_array_foreach(list, i, g)
		if (i < most)
			gpu_line(v, g, i);
	if (json_array_size(list) > most)
		line(v, "    and %zu more", json_array_size(list) - most);
	line(v, "    limits: system memory %.1f of %.1f MiB, GTT %.1f of %.1f",
	     mib((double)top_num(system, "used")), mib((double)top_num(system, "limit")),
	     mib((double)top_num(system, "ttm_used")), mib((double)top_num(system, "ttm_limit")));
}

/* ------------------------------------------------ programs */

/* Who is where @p wants to be again. */
static void holders_text(const struct view *v, const struct top_program *p, char *buf, size_t size)
{
	int n = snprintf(buf, size, "VRAM");

	for (size_t i = 0; i < v->m->n_programs && n > 0 && (size_t)n < size; i++) {
		const struct top_program *o = &v->m->programs[i];

		if (o != p && o->resident > 0)
			n += snprintf(buf + n, size - (size_t)n, "%s %c", n == 4 ? " of" : "", o->letter);
	}
}

static void wait_text(const struct view *v, const struct top_program *p, char *buf, size_t size)
{
	const json_t *w = top_wait(v->m, p);
	const struct top_program *owner = w ? top_model_program(v->m, top_num(w, "owner")) : NULL;
	const char *what = top_str(w, "what");

	if (owner && owner != p)
		snprintf(buf, size, "%s of %c %s", what, owner->letter, top_str(owner->now, "comm"));
	else if (!strcmp(top_program_state(p), "evicted"))
		holders_text(v, p, buf, size);
	else
		snprintf(buf, size, "%s", w ? what : "-");
}

/* In a colour of its own, or as it is. */
static const char *state_colour(const struct view *v, const char *state)
{
	static const struct {
		const char *state, *colour;
	} colours[] = { { "running", "\033[32m" }, { "waiting", "\033[33m" },
			{ "evicted", "\033[35m" }, { "faulted", "\033[31m" }, { "lost", "\033[31m" },
			{ "stopped", "\033[36m" } };

	for (size_t i = 0; v->screen->colours && i < sizeof(colours) / sizeof(colours[0]); i++)
		if (!strcmp(colours[i].state, state))
			return colours[i].colour;
	return "";
}

static void program_line(struct view *v, const struct top_program *p)
{
	const char *state = top_program_state(p), *colour = state_colour(v, state);
	char wait[160], packets[16], evictions[16];

	wait_text(v, p, wait, sizeof(wait));
	line(v, "%c %7" PRId64 " %-15.15s %8.1f %3" PRId64 " %s%-8s%s %5s %5s %3.0f%%  %s", p->letter,
	     top_num(p->now, "pid"), top_str(p->now, "comm"), mib(p->resident),
	     top_num(p->now, "queues"), colour, state, colour[0] ? "\033[0m" : "",
	     rate(packets, p->packets), rate(evictions, p->evictions), p->out * 100, wait);
}

static void queue_line(struct view *v, const struct top_queue *q)
{
	const char *state = top_str(q->now, "state"), *colour = state_colour(v, state);
	char packets[16];

	line(v, "%c %7" PRId64 " %5" PRId64 " %3" PRId64 " %-9s %s%-8s%s %9s %14" PRId64,
	     q->program->letter, top_num(q->program->now, "pid"), top_num(q->now, "id"),
	     top_num(q->now, "gpu"), top_str(q->now, "type"), colour, state,
	     colour[0] ? "\033[0m" : "", rate(packets, q->packets), top_num(q->now, "packets"));
}

/* ------------------------------------------------ the list */

/* Whether the next item is to be shown; it is counted in any case. */
static bool next_item(struct view *v)
{
	return v->n_items++ >= v->screen->scroll && has_room(v);
}

static void programs(struct view *v)
{
	if (v->screen->scroll >= v->m->n_programs && v->m->n_programs) {
		v->n_items += (unsigned int)v->m->n_programs;
		return;
	}
	heading(v, "      PID PROGRAM         VRAM MiB  Qs STATE    PKT/s EVI/s  OUT  WAITS FOR");
	for (size_t i = 0; i < v->m->n_programs; i++)
		if (next_item(v))
			program_line(v, v->list[i]);
}

static void queues(struct view *v)
{
	heading(v, "      PID QUEUE GPU TYPE      STATE    PACKETS/s        PACKETS");
	for (size_t i = 0; i < v->m->n_programs; i++)
		for (size_t k = 0; k < v->m->n_queues; k++)
			if (v->m->queues[k].program == v->list[i] && next_item(v))
				queue_line(v, &v->m->queues[k]);
}

/* No further than to where the last item is on the screen; headings take a line each. */
static void bound_scroll(struct view *v)
{
	size_t n = v->m->n_programs, all = n + v->m->n_queues, room;
	struct top_screen *s = v->screen;
	unsigned int most;

	if (!s->height)
		return;
	room = s->height > v->n_lines ? s->height - v->n_lines : 0;
	/* As if only queues are left, which is when one heading is. */
	most = (unsigned int)(all + 1 > room ? all + 1 - room : 0);
	if (most < n)
		most = (unsigned int)(all + 2 > room ? all + 2 - room : 0);
	if (most > all)
		most = (unsigned int)all;
	if (s->scroll > most)
		s->scroll = most;
}

static unsigned int left_below(const struct view *v, unsigned int before)
{
	size_t all = v->m->n_programs + v->m->n_queues, shown = v->n_lines - before;
	size_t headings = 1 + (v->screen->scroll < v->m->n_programs || !v->m->n_programs);

	shown -= shown < headings ? shown : headings;
	return (unsigned int)(all - v->screen->scroll > shown ? all - v->screen->scroll - shown : 0);
}

static void whole(struct view *v)
{
	unsigned int before;

	title(v);
	gpus(v);
	before = v->n_lines;
	bound_scroll(v);
	programs(v);
	queues(v);
	v->screen->below = v->screen->height ? left_below(v, before) : 0;
}

char *top_frame(const json_t *before, const json_t *now, struct top_screen *screen)
{
	char *text = NULL;
	struct top_model m;
	struct view v;
	size_t size;
	FILE *out;

	if (!top_model_make(&m, before, now))
		return NULL;
	out = open_memstream(&text, &size);
	v = view_of(screen, out);
	v.m = &m;
	v.list = out ? top_model_sorted(&m, screen->sort) : NULL;
	if (v.list)
		whole(&v);
	if (out && (fclose(out) || !v.list)) {
		free(text);
		text = NULL;
	}
	free(v.list);
	top_model_drop(&m);
	return text;
}

/* ------------------------------------------------ help */

static const char *const help[] = {
	"vkfd top: the GPUs of a driver, who has their memory, and what queues do",
	"",
	"A letter stands for a program: in bars, before its lines, and in WAITS FOR.",
	"In a bar, # is nobody's (page tables, pinned memory), and . is free.",
	"",
	"GTT MiB   system memory that the GPU reaches: asked for, or moved out of VRAM",
	"EVICT/s   of a GPU: buffers that had to leave it for another program's",
	"EVI/s     of a program: how often it was stopped because its memory was wanted",
	"OUT       how much of the time it was stopped for that",
	"Qs, PKT/s its queues; packets that they ran, a second",
	"WAITS FOR what a call of it waits for, and whose; evicted: who has the VRAM",
	"STATE     running, idle; waiting: for memory or a turn; evicted: its memory is",
	"          wanted; stopped: by the program itself; faulted, lost: it is given up",
	"",
	"s  sort programs by memory, packets, evictions or pid",
	"j k, arrows, page up and down, home, end  scroll programs and queues",
	"?  this; any key leaves it    q  quit",
};

char *top_help(struct top_screen *screen)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct view v;

	if (!out)
		return NULL;
	v = view_of(screen, out);
	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		put_line(&v, help[i]);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

char *top_keys(struct top_screen *screen)
{
	char *text = NULL, more[48] = "";
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct view v;

	if (!out)
		return NULL;
	v = view_of(screen, out);
	if (screen->scroll || screen->below)
		snprintf(more, sizeof(more), "  (%u above, %u below)", screen->scroll, screen->below);
	line(&v, "%sq quit  s sort: %-9s  j/k scroll  ? help%s", screen->colours ? "\033[2m" : "",
	     top_sort_name(screen->sort), more);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
