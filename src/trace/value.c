/* SPDX-License-Identifier: MIT */
#include "trace/value.h"

#include <errno.h>
#include <inttypes.h>

#define TEXT_BYTES 16

static bool is_text(const struct trace_field *f)
{
	return f->size == TEXT_BYTES;
}

static void call_text(struct trace_text *t, uint32_t call, const struct trace_names *names)
{
	static const char *const devices[] = { "kfd", "drm", "drm", "dma-buf" };
	uint32_t device = call >> 8;
	const char *name = names->ioctl ? names->ioctl(call) : NULL;

	if (name)
		trace_text_add(t, "%s", name);
	else
		trace_text_add(t, "%s ioctl 0x%02x",
			       device < VKF_ARRAY_SIZE(devices) ? devices[device] : "?",
			       call & 0xff);
}

static void packet_text(struct trace_text *t, uint32_t packet)
{
	const char *name = trace_packet_name(packet);

	if (name)
		trace_text_add(t, "%s", name);
	else
		trace_text_add(t, "packet 0x%04x", packet & 0xffff);
}

/* The errors that a driver answers. */
static void errno_text(struct trace_text *t, int64_t v)
{
	static const struct {
		int number;
		const char *name;
	} errors[] = {
		{ EPERM, "EPERM" },   { ENOENT, "ENOENT" },   { ESRCH, "ESRCH" },
		{ EINTR, "EINTR" },   { EIO, "EIO" },         { ENXIO, "ENXIO" },
		{ EBADF, "EBADF" },   { EAGAIN, "EAGAIN" },   { ENOMEM, "ENOMEM" },
		{ EACCES, "EACCES" }, { EFAULT, "EFAULT" },   { EBUSY, "EBUSY" },
		{ EEXIST, "EEXIST" }, { ENODEV, "ENODEV" },   { EINVAL, "EINVAL" },
		{ EMFILE, "EMFILE" }, { ENOTTY, "ENOTTY" },   { ENOSPC, "ENOSPC" },
		{ ERANGE, "ERANGE" }, { EDEADLK, "EDEADLK" }, { ENOSYS, "ENOSYS" },
		{ ENODATA, "ENODATA" }, { ETIME, "ETIME" },   { EPROTO, "EPROTO" },
		{ EOVERFLOW, "EOVERFLOW" }, { EOPNOTSUPP, "EOPNOTSUPP" },
		{ ETIMEDOUT, "ETIMEDOUT" }, { EALREADY, "EALREADY" },
		{ ECANCELED, "ECANCELED" },
	};

	for (size_t i = 0; v < 0 && i < VKF_ARRAY_SIZE(errors); i++) {
		if (v == -errors[i].number) {
			trace_text_add(t, "-%s", errors[i].name);
			return;
		}
	}
	trace_text_add(t, "%" PRId64, v);
}

static void client_text(struct trace_text *t, uint32_t client, const struct trace_names *names)
{
	const char *name = names->client ? names->client(names->cookie, client) : NULL;

	if (name)
		trace_text_add(t, "%s", name);
	else if (client)
		trace_text_add(t, "program %" PRIu32, client);
	else
		trace_text_add(t, "the driver");
}

/* Those that have a word. False: the number is all there is to say. */
static bool word_text(struct trace_text *t, const struct trace_field *f, uint64_t v,
		      const struct trace_names *names)
{
	switch (f->format) {
	case TRACE_FORMAT_IOCTL:
		call_text(t, (uint32_t)v, names);
		return true;
	case TRACE_FORMAT_PACKET:
		packet_text(t, (uint32_t)v);
		return true;
	case TRACE_FORMAT_CLIENT:
		client_text(t, (uint32_t)v, names);
		return true;
	case TRACE_FORMAT_ENUM:
		if (v < f->n_names)
			trace_text_add(t, "%s", f->names[v]);
		return v < f->n_names;
	case TRACE_FORMAT_ERRNO:
		errno_text(t, (int64_t)v);
		return true;
	case TRACE_FORMAT_HEX:
		trace_text_add(t, "0x%" PRIx64, v);
		return true;
	default:
		return false;
	}
}

void trace_value_text(struct trace_text *t, const struct trace_field *f,
		      const struct vkf_trace_record *rec, const struct trace_names *names)
{
	int64_t v = trace_value(f, rec);

	if (is_text(f))
		trace_text_escaped(t, (const char *)rec->payload + f->offset, TEXT_BYTES);
	else if (!word_text(t, f, (uint64_t)v, names))
		trace_text_add(t, "%" PRId64, v);
}

static const struct trace_field *find_field(const struct trace_desc *d, const char *name,
					    size_t len)
{
	for (unsigned int i = 0; i < d->n_fields; i++)
		if (strlen(d->field[i].name) == len && !memcmp(d->field[i].name, name, len))
			return &d->field[i];
	return NULL;
}

void trace_label_text(struct trace_text *t, const struct trace_desc *d,
		      const struct vkf_trace_record *rec, const struct trace_names *names)
{
	const char *p = d->label;

	while (*p) {
		size_t plain = strcspn(p, "{"), len;
		const struct trace_field *f;

		trace_text_add(t, "%.*s", (int)plain, p);
		p += plain;
		if (!*p)
			return;
		len = strcspn(++p, "}");
		f = find_field(d, p, len);
		if (f)
			trace_value_text(t, f, rec, names);
		p += len + (p[len] == '}');
	}
}

static void value_json(struct trace_text *t, const struct trace_field *f,
		       const struct vkf_trace_record *rec, const struct trace_names *names)
{
	bool quoted = is_text(f) || f->format == TRACE_FORMAT_HEX ||
		      f->format >= TRACE_FORMAT_IOCTL ||
		      (f->format == TRACE_FORMAT_ERRNO && trace_value(f, rec));

	if (quoted)
		trace_text_add(t, "\"");
	trace_value_text(t, f, rec, names);
	if (quoted)
		trace_text_add(t, "\"");
}

void trace_args_json(struct trace_text *t, const struct trace_desc *d,
		     const struct vkf_trace_record *rec, const struct trace_names *names)
{
	const char *comma = "";

	trace_text_add(t, "{");
	for (unsigned int i = 0; i < d->n_fields; i++) {
		if (d->field[i].told)
			continue;
		trace_text_add(t, "%s\"%s\":", comma, d->field[i].name);
		value_json(t, &d->field[i], rec, names);
		comma = ",";
	}
	trace_text_add(t, "}");
}
