/* SPDX-License-Identifier: MIT */
#include "mm/print.h"

#include <stdarg.h>

void mm_print_init(struct mm_print *p, char *buf, size_t len)
{
	VKF_ASSERT(len > 0);
	p->buf = buf;
	p->len = len;
	p->used = 0;
	buf[0] = '\0';
}

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
