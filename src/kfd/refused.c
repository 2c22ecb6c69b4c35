/* SPDX-License-Identifier: MIT */
#include "kfd/refused.h"

#include <errno.h>

int kfd_refuse_eperm(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	(void)p;
	(void)call;
	(void)arg;
	return -EPERM;
}

int kfd_refuse_enotty(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	(void)p;
	(void)call;
	(void)arg;
	return -ENOTTY;
}

int kfd_get_dmabuf_info(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	(void)p;
	(void)call;
	(void)arg;
	return -EINVAL;
}

int kfd_import_dmabuf(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	const struct kfd_ioctl_import_dmabuf_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);
	int r;

	(void)call;
	if (!pdd)
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	r = kfd_pdd_bind(pdd);
	vkf_mutex_unlock(&p->lock);
	return r ? r : -EINVAL;
}
