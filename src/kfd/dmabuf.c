/* SPDX-License-Identifier: MIT */
#include "kfd/dmabuf.h"

#include <errno.h>
#include "kfd/memory.h"
#include "kfd/uapi.h"
#include "machine/dmabuf.h"

/* kmalloc()'s limit, for a copy of the metadata. */
#define METADATA_MAX VKF_MIB(4)

static uint32_t domain_flag(enum mm_bo_kind kind)
{
	return kind == MM_BO_VRAM ? KFD_ALLOC_VRAM : KFD_ALLOC_GTT;
}

/* ------------------------------------------------ out */

/* The handle's dma-buf, made at its first export. A reference for the caller. */
static int export_mem(struct kfd_process *p, struct kfd_mem *mem,
		      struct machine_dmabuf **ret_dmabuf)
{
	const struct machine_dmabuf_config config = {
		.bo = mem->bo,
		.gpu = mem->home,
		.access = mem->access,
		.writable = mem->access.writeable,
	};

	if (mem->access.kind == MM_BO_USERPTR)
		return -EPERM;
	if (!mem->dmabuf) {
		int r = machine_dmabuf_create(p->driver->machine, &config, &mem->dmabuf);

		if (r)
			return r;
	}
	*ret_dmabuf = machine_dmabuf_get(mem->dmabuf);
	return 0;
}

/* Of the flags, O_CLOEXEC alone means something, and that to whoever makes the descriptor. */
int kfd_export_dmabuf(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_export_dmabuf_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, kfd_handle_gpu(args->handle));
	struct machine_dmabuf *dmabuf;
	struct kfd_mem *mem;
	int fd = (int)args->dmabuf_fd, r;

	if (!pdd)
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	mem = kfd_mem_find(pdd, args->handle);
	r = mem ? export_mem(p, mem, &dmabuf) : -EINVAL;
	vkf_mutex_unlock(&p->lock);
	if (r)
		return r;
	r = call->ops->give_dmabuf(call, dmabuf, &fd);
	if (!r)
		args->dmabuf_fd = (uint32_t)fd;
	machine_dmabuf_put(dmabuf);
	return r;
}

/* ------------------------------------------------ in */

/* Whether this process can have it on @pdd's GPU. */
static bool is_within_reach(struct kfd_process *p, const struct kfd_pdd *pdd,
			    const struct machine_dmabuf_config *config)
{
	return mm_bo_client(config->bo) == machine_client_mm(p->mc) && config->gpu == pdd->gpu;
}

static void mem_init(struct kfd_mem *mem, const struct kfd_pdd *pdd, uint64_t va,
		     struct machine_dmabuf *dmabuf)
{
	const struct machine_dmabuf_config *config = machine_dmabuf_config(dmabuf);

	mem->bo = mm_bo_get(config->bo);
	mem->dmabuf = machine_dmabuf_get(dmabuf);
	mem->imported = true;
	mem->home = pdd->gpu;
	mem->va = va;
	mem->size = mm_bo_size(config->bo);
	mem->flags = domain_flag(config->access.kind) | KFD_ALLOC_WRITABLE | KFD_ALLOC_EXECUTABLE;
	mem->access = config->access;
	mem->access.writeable = true;
	mem->access.executable = true;
}

static int import_locked(struct kfd_process *p, struct kfd_pdd *pdd, struct machine_dmabuf *dmabuf,
			 struct kfd_ioctl_import_dmabuf_args *args)
{
	struct kfd_mem *mem;
	unsigned int n;

	if (!is_within_reach(p, pdd, machine_dmabuf_config(dmabuf)))
		return -EINVAL;
	mem = kfd_mem_new(p);
	if (!mem)
		return -ENOMEM;
	mem_init(mem, pdd, args->va_addr, dmabuf);
	if (vkf_handles_add(&pdd->mems, mem, &n)) {
		kfd_mem_destroy(p, mem);
		return -EFAULT; /* so the kernel says it */
	}
	args->handle = kfd_make_handle(args->gpu_id, n);
	return 0;
}

/* The descriptor is looked up first, for that takes locks, and judged where the kernel does. */
int kfd_import_dmabuf(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_import_dmabuf_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);
	struct machine_dmabuf *dmabuf = NULL;
	int found, r;

	if (!pdd)
		return -EINVAL;
	found = call->ops->dmabuf_of_fd(call, (int)args->dmabuf_fd, &dmabuf);
	vkf_mutex_lock(&p->lock);
	r = kfd_pdd_bind(pdd);
	if (!r)
		r = found;
	if (!r)
		r = import_locked(p, pdd, dmabuf, args);
	vkf_mutex_unlock(&p->lock);
	return r;
}

/* ------------------------------------------------ about it */

int kfd_get_dmabuf_info(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_get_dmabuf_info_args *args = arg;
	const struct machine_dmabuf_config *config;
	struct machine_dmabuf *dmabuf;
	int r;

	if (args->metadata_ptr && args->metadata_size > METADATA_MAX)
		return -ENOMEM;
	r = call->ops->dmabuf_of_fd(call, (int)args->dmabuf_fd, &dmabuf);
	if (r)
		return r;
	config = machine_dmabuf_config(dmabuf);
	args->size = machine_dmabuf_size(dmabuf);
	/* Nobody can have set any; without a place for it, its size is not asked for. */
	if (args->metadata_ptr)
		args->metadata_size = 0;
	args->gpu_id = kfd_gpu_profile(p->driver, config->gpu)->gpu_id;
	args->flags = domain_flag(config->access.kind);
	if (mm_bo_has_cpu_access(config->bo))
		args->flags |= KFD_ALLOC_PUBLIC;
	return 0;
}
