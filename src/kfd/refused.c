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
