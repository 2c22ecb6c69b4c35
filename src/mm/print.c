/* SPDX-License-Identifier: MIT */
#include "mm/print.h"

#include <stdarg.h>

static void put_char(struct mm_print *p, char c)
{
	if (p->used + 1 < p->len) {
		p->buf[p->used] = c;
		p->buf[p->used + 1] = '\0';
	}
	p->used++;
}

static void put_text(struct mm_print *p, const char *text)
{
	while (*text)
		put_char(p, *text++);
}

static void put_number(struct mm_print *p, uint64_t v, unsigned int base)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put_char(p, digits[--n]);
}

void mm_print(struct mm_print *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	for (; *fmt; fmt++) {
		bool wide;

		if (*fmt != '%') {
			put_char(p, *fmt);
			continue;
		}
		fmt++;
		wide = *fmt == 'l';
		while (*fmt == 'l')
			fmt++;
		if (*fmt == '%')
			put_char(p, '%');
		else if (*fmt == 's')
			put_text(p, va_arg(args, const char *));
		else
			put_number(p, wide ? va_arg(args, uint64_t) : va_arg(args, unsigned int),
				   *fmt == 'x' ? 16 : 10);
	}
	va_end(args);
}

/* ------------------------------------------------ begin and end */

void mm_print_init(struct mm_print *p, char *buf, size_t len)
{
	VKF_ASSERT(len > 0);
	*p = (struct mm_print){ .buf = buf, .len = len };
	buf[0] = '\0';
}

void mm_print_init_json(struct mm_print *p, char *buf, size_t len)
{
	mm_print_init(p, buf, len);
	p->json = true;
	put_char(p, '{');
}

void mm_print_finish(struct mm_print *p)
{
	VKF_ASSERT(p->depth == 0);
	if (p->json)
		put_text(p, "\n}\n");
}

static void indent(struct mm_print *p, unsigned int depth)
{
	while (depth--)
		put_text(p, "  ");
}

/* JSON: what follows is in a line of its own, unless it is in a row. */
static void json_name(struct mm_print *p, const char *name)
{
	if (p->any)
		put_char(p, ',');
	if (p->row_depth) {
		put_text(p, p->any ? " " : "");
	} else {
		put_char(p, '\n');
		indent(p, p->depth + 1);
	}
	if (name) {
		put_char(p, '"');
		put_text(p, name);
		put_text(p, "\": ");
	}
	p->any = true;
}

static void text_words(struct mm_print *p, const char *name)
{
	for (; *name; name++)
		put_char(p, *name == '_' ? ' ' : *name);
}

/* Text: fields of a row follow one another, all else has its own line. */
static void text_name(struct mm_print *p, const char *name, const char *then)
{
	if (!p->row_depth)
		indent(p, p->depth);
	else
		put_text(p, p->any ? ", " : "");
	p->any = true;
	if (!name)
		return;
	text_words(p, name);
	put_text(p, then);
}

/* @text: how it begins and ends in the midst of a line. */
static void begin(struct mm_print *p, const char *name, const char json[2], const char text[2])
{
	bool in_line = p->row_depth;

	VKF_ASSERT(p->depth < MM_PRINT_DEPTH);
	if (p->json)
		json_name(p, name);
	else if (in_line || name)
		text_name(p, name, in_line ? " " : ":");
	if (p->json || in_line)
		put_char(p, p->json ? json[0] : text[0]);
	p->close[p->depth++] = p->json ? json[1] : text[1];
	p->any = false;
}

/* What is in it follows in lines of its own. */
static void begin_lines(struct mm_print *p, const char *name)
{
	if (!p->json && !p->row_depth && name)
		put_char(p, '\n');
}

void mm_print_object(struct mm_print *p, const char *name)
{
	VKF_ASSERT(!p->row_depth);
	begin(p, name, "{}", "()");
	begin_lines(p, name);
}

void mm_print_list(struct mm_print *p, const char *name)
{
	begin(p, name, "[]", "[]");
	begin_lines(p, name);
}

void mm_print_row(struct mm_print *p, const char *name)
{
	begin(p, name, "{}", "()");
	if (p->row_depth)
		return;
	if (!p->json && name)
		put_char(p, ' ');
	else if (!p->json)
		indent(p, p->depth - 1);
	p->row_depth = p->depth;
}

void mm_print_end(struct mm_print *p)
{
	bool in_row = p->row_depth, last = p->row_depth == p->depth;
	char close;

	VKF_ASSERT(p->depth > 0);
	close = p->close[--p->depth];
	if (last)
		p->row_depth = 0;
	if (p->json && p->any && !in_row) {
		put_char(p, '\n');
		indent(p, p->depth + 1);
	}
	if (p->json || (in_row && !last))
		put_char(p, close);
	else if (last)
		put_char(p, '\n');
	p->any = true;
}

/* ------------------------------------------------ fields */

static void field(struct mm_print *p, const char *name)
{
	if (p->json)
		json_name(p, name);
	else
		text_name(p, name, p->row_depth ? " " : ": ");
}

static void field_end(struct mm_print *p)
{
	if (!p->json && !p->row_depth)
		put_char(p, '\n');
}

void mm_print_u64(struct mm_print *p, const char *name, uint64_t value)
{
	field(p, name);
	put_number(p, value, 10);
	field_end(p);
}

/* In the largest unit of which it is a whole number. */
static void put_size(struct mm_print *p, uint64_t value)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned int i = 0;

	while (value && value % 1024 == 0 && i + 1 < VKF_ARRAY_SIZE(units)) {
		value /= 1024;
		i++;
	}
	put_number(p, value, 10);
	put_char(p, ' ');
	put_text(p, units[value ? i : 0]);
}

void mm_print_bytes(struct mm_print *p, const char *name, uint64_t value)
{
	field(p, name);
	if (p->json)
		put_number(p, value, 10);
	else
		put_size(p, value);
	field_end(p);
}

void mm_print_addr(struct mm_print *p, const char *name, uint64_t value)
{
	field(p, name);
	put_text(p, p->json ? "" : "0x");
	put_number(p, value, p->json ? 10 : 16);
	field_end(p);
}

void mm_print_bool(struct mm_print *p, const char *name, bool value)
{
	field(p, name);
	if (p->json)
		put_text(p, value ? "true" : "false");
	else
		put_text(p, value ? "yes" : "no");
	field_end(p);
}

void mm_print_str(struct mm_print *p, const char *name, const char *value)
{
	field(p, name);
	put_text(p, p->json ? "\"" : "");
	for (; *value; value++) {
		bool printable = *value >= ' ' && *value <= '~';

		if (p->json && (*value == '"' || *value == '\\'))
			put_char(p, '\\');
		put_char(p, printable ? *value : '?');
	}
	put_text(p, p->json ? "\"" : "");
	field_end(p);
}
