/* SPDX-License-Identifier: MIT */
#include "kfd/smi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/env.h"
#include "kfd/process.h"

#define LINE_BYTES 96 /* the kernel's KFD_SMI_EVENT_MSG_SIZE */

/* struct kfd_smi - one listener */
struct kfd_smi {
	struct kfd_gpu *gpu; /* constant, as the next two */
	int32_t pid;
	bool all;             /* it may ask for all processes */
	struct vkf_list link; /* in kfd_gpu.listeners; protected by its smi_lock, as the rest */
	uint64_t mask;
	struct kfd_smi_sink *sink;
};

int kfd_smi_events(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_smi_events_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpuid);
	struct kfd_smi *smi;
	int r, fd = 0;

	if (!pdd)
		return -EINVAL;
	if (!call->ops->give_smi)
		return -EMFILE;
	smi = vkf_zalloc(sizeof(*smi));
	if (!smi)
		return -ENOMEM;
	smi->gpu = &p->driver->gpus[pdd->gpu];
	smi->pid = p->pid;
	smi->all = call->ops->is_admin && call->ops->is_admin(call);
	vkf_mutex_lock(&smi->gpu->smi_lock);
	vkf_list_add_tail(&smi->link, &smi->gpu->listeners);
	vkf_mutex_unlock(&smi->gpu->smi_lock);
	r = call->ops->give_smi(call, smi, &fd);
	if (r) {
		kfd_smi_close(smi);
		return r;
	}
	args->anon_fd = (uint32_t)fd;
	return 0;
}

void kfd_smi_set_sink(struct kfd_smi *smi, struct kfd_smi_sink *sink)
{
	vkf_mutex_lock(&smi->gpu->smi_lock);
	smi->sink = sink;
	vkf_mutex_unlock(&smi->gpu->smi_lock);
}

static void look(struct kfd_gpu *gpu, struct kfd_smi *smi) VKF_REQUIRES(gpu->smi_lock)
{
	if (smi->sink)
		smi->mask = smi->sink->mask(smi->sink, smi->mask);
}

void kfd_smi_look(struct kfd_smi *smi)
{
	struct kfd_gpu *gpu = smi->gpu;

	vkf_mutex_lock(&gpu->smi_lock);
	look(gpu, smi);
	vkf_mutex_unlock(&gpu->smi_lock);
}

void kfd_smi_close(struct kfd_smi *smi)
{
	vkf_mutex_lock(&smi->gpu->smi_lock);
	vkf_list_del(&smi->link);
	vkf_mutex_unlock(&smi->gpu->smi_lock);
	vkf_free(smi);
}

/* ------------------------------------------------ events */

/* @pid 0: everybody may know. */
static bool hears(struct kfd_gpu *gpu, struct kfd_smi *smi, int32_t pid, unsigned int event)
	VKF_REQUIRES(gpu->smi_lock)
{
	if (!smi->sink)
		return false;
	look(gpu, smi);
	if (pid && pid != smi->pid &&
	    !(smi->all && smi->mask & KFD_SMI_EVENT_MASK_FROM_INDEX(KFD_SMI_EVENT_ALL_PROCESS)))
		return false;
	return smi->mask & KFD_SMI_EVENT_MASK_FROM_INDEX(event);
}

VKF_PRINTF(4, 5)
static void tell(struct kfd_gpu *gpu, int32_t pid, unsigned int event, const char *fmt, ...)
{
	char line[LINE_BYTES];
	struct kfd_smi *smi;
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "%x ", event);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	vkf_mutex_lock(&gpu->smi_lock);
	vkf_list_for_each(smi, &gpu->listeners, link) {
		if (hears(gpu, smi, pid, event))
			(void)smi->sink->put(smi->sink, line, VKF_MIN((size_t)n, sizeof(line) - 1));
	}
	vkf_mutex_unlock(&gpu->smi_lock);
}

static struct kfd_gpu *gpu_of(struct kfd_process *p, unsigned int gpu)
{
	return &p->driver->gpus[gpu];
}

void kfd_smi_queue_eviction(struct kfd_process *p, unsigned int gpu, enum kfd_evict_trigger trigger)
{
	tell(gpu_of(p, gpu), p->pid, KFD_SMI_EVENT_QUEUE_EVICTION, "%" PRIu64 " -%d %x %d\n",
	     vkf_boot_ns(), p->pid, p->pdds[gpu].gpu_id, trigger);
}

void kfd_smi_queue_restore(struct kfd_process *p, unsigned int gpu, bool again)
{
	tell(gpu_of(p, gpu), p->pid, KFD_SMI_EVENT_QUEUE_RESTORE, "%" PRIu64 " -%d %x %c\n",
	     vkf_boot_ns(), p->pid, p->pdds[gpu].gpu_id, again ? 'R' : '0');
}

/* The kernel tells everybody. */
void kfd_smi_vm_fault(struct kfd_process *p, unsigned int gpu)
{
	tell(gpu_of(p, gpu), 0, KFD_SMI_EVENT_VMFAULT, "%x:%s\n", p->pid, p->comm);
}

void kfd_smi_reset(struct kfd_driver *kd, unsigned int gpu, bool post, const char *cause)
{
	struct kfd_gpu *g = &kd->gpus[gpu];
	unsigned int seq;

	vkf_mutex_lock(&g->smi_lock);
	if (!post)
		g->reset_seq++;
	seq = g->reset_seq;
	vkf_mutex_unlock(&g->smi_lock);
	tell(g, 0, post ? KFD_SMI_EVENT_GPU_POST_RESET : KFD_SMI_EVENT_GPU_PRE_RESET, "%x %s\n",
	     seq, cause);
}
