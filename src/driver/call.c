/* SPDX-License-Identifier: MIT */
#include "driver/call.h"

#include <errno.h>
#include "base/trace.h"
#include "dmabuf/ioctl.h"
#include "driver/private.h"
#include "drm/node.h"
#include "kfd/kfd.h"

/* As a trace has it: the device, then the number. */
static uint32_t call_number(const struct driver_file *f, uint32_t cmd)
{
	static const uint8_t device[] = {
		[FILE_KFD] = VKF_TRACE_DEVICE_KFD,
		[FILE_RENDER] = VKF_TRACE_DEVICE_RENDER,
		[FILE_CARD] = VKF_TRACE_DEVICE_CARD,
		[FILE_DMABUF] = VKF_TRACE_DEVICE_DMABUF,
	};

	return (uint32_t)device[f->kind] << 8 | (cmd & 0xff);
}

int driver_ioctl(struct driver_client *c, struct driver_file *f, struct vkf_call *call,
		 uint32_t cmd, uint64_t arg)
{
	int r;

	vkf_trace_work_for(machine_client_number(c->hw));
	vkf_trace_ioctl_begin(call_number(f, cmd));
	if (f->kind == FILE_KFD)
		r = kfd_ioctl(atomic_load(&f->owner), atomic_load(&c->kfd), call, cmd, arg);
	else if (f->kind == FILE_DMABUF)
		r = dmabuf_ioctl(f->dmabuf, call, cmd, arg);
	else
		r = drm_ioctl(f->render, f->kind == FILE_CARD, call, cmd, arg);
	vkf_trace_ioctl_end(r);
	return r;
}

static int map_file(struct driver_client *c, struct driver_file *f, uint64_t offset, uint64_t len,
		    int prot, int flags, struct machine_map *ret_map)
{
	struct machine_map map;
	int r;

	if (f->kind == FILE_KFD)
		return kfd_mmap(atomic_load(&f->owner), atomic_load(&c->kfd), offset, len, ret_map);
	r = f->dmabuf ? machine_dmabuf_mmap(f->dmabuf, offset, len, prot, flags, &map)
		      : machine_render_mmap(f->render, offset, len, prot, flags, &map);
	/* An inherited node shows the parent's buffers, a dma-buf its exporter's; the arena of
	 * another is not here. */
	if (!r && map.owner != machine_client_mm(c->hw))
		r = -EACCES;
	if (!r)
		*ret_map = map;
	return r;
}

int driver_mmap(struct driver_client *c, struct driver_file *f, uint64_t offset, uint64_t len,
		int prot, int flags, struct machine_map *ret_map)
{
	int r;

	vkf_trace_work_for(machine_client_number(c->hw));
	vkf_trace_mmap_begin((uint8_t)(call_number(f, 0) >> 8), offset, len);
	r = map_file(c, f, offset, len, prot, flags, ret_map);
	vkf_trace_mmap_end(r);
	return r;
}

void driver_interrupts(struct driver_client *c, void (*log)(const char *line))
{
	struct kfd_process *p = atomic_load(&c->kfd);
	struct gpu_irq irq;
	char line[192];

	vkf_trace_work_for(machine_client_number(c->hw));
	for (unsigned int n = 0; n < GPU_IRQ_ENTRIES && machine_irq_next(c->hw, &irq); n++) {
		if (!p)
			continue;
		line[0] = '\0';
		kfd_interrupt(p, &irq, line, sizeof(line));
		if (line[0])
			log(line);
	}
}
