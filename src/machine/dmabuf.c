/* SPDX-License-Identifier: MIT */
#include "machine/dmabuf.h"

#include <errno.h>
#include <sys/mman.h>
#include "base/env.h"
#include "base/ref.h"
#include "machine/priv.h"

struct machine_dmabuf {
	struct vkf_ref ref;
	struct machine_dmabuf_config config; /* constant, as the next */
	uint64_t inode;
};

int machine_dmabuf_create(struct machine *m, const struct machine_dmabuf_config *config,
			  struct machine_dmabuf **ret_dmabuf)
{
	struct machine_dmabuf *d = vkf_zalloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	vkf_ref_init(&d->ref);
	d->config = *config;
	d->inode = atomic_fetch_add(&m->n_dmabufs, 1) + 1;
	mm_bo_get(d->config.bo);
	*ret_dmabuf = d;
	return 0;
}

struct machine_dmabuf *machine_dmabuf_get(struct machine_dmabuf *d)
{
	vkf_ref_get(&d->ref);
	return d;
}

void machine_dmabuf_put(struct machine_dmabuf *d)
{
	if (!d || !vkf_ref_put(&d->ref))
		return;
	mm_bo_put(d->config.bo);
	vkf_free(d);
}

const struct machine_dmabuf_config *machine_dmabuf_config(const struct machine_dmabuf *d)
{
	return &d->config;
}

uint64_t machine_dmabuf_size(const struct machine_dmabuf *d)
{
	return mm_bo_size(d->config.bo);
}

uint64_t machine_dmabuf_inode(const struct machine_dmabuf *d)
{
	return d->inode;
}

static int check_mmap(const struct machine_dmabuf *d, uint64_t offset, uint64_t len, int prot,
		      int flags)
{
	uint64_t size = machine_dmabuf_size(d);

	if (flags & MAP_SHARED && prot & PROT_WRITE && !d->config.writable)
		return -EACCES;
	if (len == 0 || offset > size || len > size - offset)
		return -EINVAL;
	if (mm_bo_arena(d->config.bo).v == UINT64_MAX)
		return -EPERM;
	return machine_mapping_is_cow(prot, flags) ? -EINVAL : 0;
}

int machine_dmabuf_mmap(struct machine_dmabuf *d, uint64_t offset, uint64_t len, int prot,
			int flags, struct machine_map *ret_map)
{
	int r = check_mmap(d, offset, len, prot, flags);

	if (r)
		return r;
	if (prot != PROT_NONE)
		mm_bo_note_cpu_access(d->config.bo);
	*ret_map = (struct machine_map){
		.kind = MACHINE_MAP_ARENA,
		.offset = mm_bo_arena(d->config.bo).v + offset,
		.owner = mm_bo_client(d->config.bo),
	};
	return 0;
}
