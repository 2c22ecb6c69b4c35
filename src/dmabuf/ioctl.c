/* SPDX-License-Identifier: MIT */
#include "dmabuf/ioctl.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include "base/sched.h"
#include "mm/resv.h"

enum { FAITHFUL, PARTIAL, REFUSED }; /* enum kfd_fidelity's numbers */

/* Whoever reads waits for writers, whoever writes for all. There is nothing to do at the end, nor
 * are there caches to flush: amdgpu moves a discrete GPU's buffer for no CPU access. */
static int serve_sync(struct machine_dmabuf *d, struct vkf_call *call, uint64_t arg)
{
	struct dma_buf_sync sync;
	enum mm_resv_usage usage;

	if (vkf_copy_from_user(call, &sync, arg, sizeof(sync)))
		return -EFAULT;
	if (sync.flags & ~(uint64_t)DMA_BUF_SYNC_VALID_FLAGS_MASK ||
	    !(sync.flags & DMA_BUF_SYNC_RW))
		return -EINVAL;
	if (sync.flags & DMA_BUF_SYNC_END)
		return 0;
	usage = sync.flags & DMA_BUF_SYNC_WRITE ? MM_RESV_READ : MM_RESV_WRITE;
	return mm_resv_wait(mm_bo_resv(machine_dmabuf_config(d)->bo), usage, VKF_FOREVER, true);
}

struct row {
	struct dmabuf_feature feature;
	uint32_t cmd;
	int (*serve)(struct machine_dmabuf *d, struct vkf_call *call, uint64_t arg);
};

#define NO_SYNC_FILE "ENOTTY, as without CONFIG_SYNC_FILE"

static const struct row rows[] = {
	{ { 0x00, "SYNC", FAITHFUL, "" }, DMA_BUF_IOCTL_SYNC, serve_sync },
	{ { 0x01, "SET_NAME", REFUSED, "ENOTTY, as before 5.3" }, 0, NULL },
	{ { 0x02, "EXPORT_SYNC_FILE", REFUSED, NO_SYNC_FILE }, 0, NULL },
	{ { 0x03, "IMPORT_SYNC_FILE", REFUSED, NO_SYNC_FILE }, 0, NULL },
};

int dmabuf_ioctl(struct machine_dmabuf *d, struct vkf_call *call, uint32_t cmd, uint64_t arg)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(rows); i++) {
		if (rows[i].serve && rows[i].cmd == cmd)
			return rows[i].serve(d, call, arg);
	}
	return -ENOTTY;
}

const struct dmabuf_feature *dmabuf_feature(unsigned int index)
{
	return index < VKF_ARRAY_SIZE(rows) ? &rows[index].feature : NULL;
}
