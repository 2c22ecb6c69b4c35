/* SPDX-License-Identifier: MIT */
/**
 * DOC: SMI events on their way to a program
 *
 * The program's end is a descriptor of its own that no shim stands before. What it
 * writes is taken when an event comes, and when the main loop sees that something is
 * there: so a mask counts from when write() has returned.
 */
#include "daemon/server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "host/lines.h"

struct stream {
	struct kfd_smi_sink sink;
	struct driver_file *file;
	struct host_lines lines; /* with the sink only */
	atomic_bool ended;
};

static uint64_t stream_mask(struct kfd_smi_sink *sink, uint64_t mask)
{
	struct stream *st = vkf_container_of(sink, struct stream, sink);

	if (host_lines_word(&st->lines, &mask))
		atomic_store(&st->ended, true);
	return mask;
}

static bool stream_put(struct kfd_smi_sink *sink, const char *line, size_t len)
{
	struct stream *st = vkf_container_of(sink, struct stream, sink);

	return host_lines_put(&st->lines, line, len, KFD_SMI_FIFO_BYTES);
}

int stream_create(struct driver_file *file, struct stream **ret_stream, int *ret_fd)
{
	struct stream *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return -ENOMEM;
	st->file = file;
	st->sink.mask = stream_mask;
	st->sink.put = stream_put;
	r = host_lines_create(&st->lines, ret_fd);
	if (r) {
		free(st);
		return r;
	}
	kfd_smi_set_sink(driver_file_smi(file), &st->sink);
	*ret_stream = st;
	return 0;
}

int stream_fd(const struct stream *st)
{
	return st->lines.fd;
}

int stream_look(struct stream *st)
{
	kfd_smi_look(driver_file_smi(st->file));
	return atomic_load(&st->ended) ? -EPIPE : 0;
}

void stream_destroy(struct stream *st)
{
	if (!st)
		return;
	kfd_smi_set_sink(driver_file_smi(st->file), NULL);
	host_lines_destroy(&st->lines);
	free(st);
}
