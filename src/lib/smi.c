/* SPDX-License-Identifier: MIT */
#include "lib/smi.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "host/lines.h"

struct lib_smi {
	struct vkf_list link;
	struct kfd_smi_sink sink;
	struct kfd_smi *smi;
	struct host_lines lines; /* with the sink only */
	atomic_bool ended;
};

static uint64_t sink_mask(struct kfd_smi_sink *sink, uint64_t mask)
{
	struct lib_smi *s = vkf_container_of(sink, struct lib_smi, sink);

	if (host_lines_word(&s->lines, &mask))
		atomic_store(&s->ended, true);
	return mask;
}

static bool sink_put(struct kfd_smi_sink *sink, const char *line, size_t len)
{
	struct lib_smi *s = vkf_container_of(sink, struct lib_smi, sink);

	return host_lines_put(&s->lines, line, len, KFD_SMI_FIFO_BYTES);
}

int lib_smi_add(struct vkf_list *list, struct kfd_smi *smi)
{
	struct lib_smi *s = calloc(1, sizeof(*s));
	int r, fd;

	if (!s)
		return -ENOMEM;
	r = host_lines_create(&s->lines, &fd);
	if (r) {
		free(s);
		return r;
	}
	s->smi = smi;
	s->sink.mask = sink_mask;
	s->sink.put = sink_put;
	vkf_list_add_tail(&s->link, list);
	kfd_smi_set_sink(smi, &s->sink);
	return fd;
}

static void end(struct lib_smi *s)
{
	vkf_list_del(&s->link);
	kfd_smi_set_sink(s->smi, NULL);
	kfd_smi_close(s->smi);
	host_lines_destroy(&s->lines);
	free(s);
}

void lib_smi_sweep(struct vkf_list *list)
{
	struct lib_smi *s, *tmp;

	vkf_list_for_each_safe(s, tmp, list, link) {
		kfd_smi_look(s->smi);
		if (atomic_load(&s->ended))
			end(s);
	}
}

void lib_smi_end(struct vkf_list *list)
{
	struct lib_smi *s, *tmp;

	vkf_list_for_each_safe(s, tmp, list, link)
		end(s);
}
