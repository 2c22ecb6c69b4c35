/* SPDX-License-Identifier: MIT */
#include "kfd/ioctl_table.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"
#include "kfd/aperture.h"
#include "kfd/device.h"
#include "kfd/dmabuf.h"
#include "kfd/event.h"
#include "kfd/memory.h"
#include "kfd/queue.h"
#include "kfd/refused.h"
#include "kfd/smi.h"

/* The command word, as asm-generic/ioctl.h lays it out. */
#define CMD_NR(cmd)   ((cmd)&0xffu)
#define CMD_SIZE(cmd) ((cmd) >> 16 & 0x3fffu)
#define STACK_BLOCK   512u

static int check_svm_size(const void *arg, size_t user_size)
{
	const struct kfd_ioctl_svm_args *args = arg;
	size_t need = sizeof(*args) + (size_t)args->nattr * sizeof(args->attrs[0]);

	return user_size < need ? -EINVAL : 0;
}

#define ROW(nr, name, type, dir, handler, level, note, ...)                                        \
	{                                                                                          \
		{ nr, name, KFD_##level, note }, sizeof(struct type), KFD_DIR_##dir, handler,      \
			##__VA_ARGS__                                                              \
	}
/* HSA_CAP_*: SVM; firmware that can debug; trap and launch control, precise memory and ALU. */
#define CAP_SVM     (1u << 27)
#define CAP_RUNTIME (1u << 29)
#define CAP_DEBUG   (1u << 15 | 1u << 16 | 1u << 17 | 1u << 18 | 1u << 29 | 1u << 30)
#define OLD_DEBUG   "EPERM, as in every kernel since 5.19"

/* Row i is number i + 1: there are no holes. */
/* clang-format off */
static const struct kfd_ioctl_row rows[] = {
	ROW(0x01, "GET_VERSION", kfd_ioctl_get_version_args, OUT, kfd_get_version,
	    FAITHFUL, ""),
	ROW(0x02, "CREATE_QUEUE", kfd_create_queue_args, INOUT, kfd_create_queue,
	    PARTIAL,
	    "kernel dispatches of AQL and PM4 queues stop the queue as an illegal packet does; "
	    "save areas in SVM ranges are refused with EINVAL"),
	ROW(0x03, "DESTROY_QUEUE", kfd_ioctl_destroy_queue_args, INOUT, kfd_destroy_queue,
	    FAITHFUL, ""),
	ROW(0x04, "SET_MEMORY_POLICY", kfd_ioctl_set_memory_policy_args, IN, kfd_set_memory_policy,
	    FAITHFUL, ""),
	ROW(0x05, "GET_CLOCK_COUNTERS", kfd_ioctl_get_clock_counters_args, INOUT, kfd_get_clock_counters,
	    FAITHFUL, ""),
	ROW(0x06, "GET_PROCESS_APERTURES", kfd_ioctl_get_process_apertures_args, OUT, kfd_get_apertures,
	    FAITHFUL, ""),
	ROW(0x07, "UPDATE_QUEUE", kfd_ioctl_update_queue_args, IN, kfd_update_queue,
	    FAITHFUL, ""),
	ROW(0x08, "CREATE_EVENT", kfd_ioctl_create_event_args, INOUT, kfd_create_event,
	    FAITHFUL, ""),
	ROW(0x09, "DESTROY_EVENT", kfd_ioctl_destroy_event_args, IN, kfd_destroy_event,
	    FAITHFUL, ""),
	ROW(0x0a, "SET_EVENT", kfd_ioctl_set_event_args, IN, kfd_set_event,
	    FAITHFUL, ""),
	ROW(0x0b, "RESET_EVENT", kfd_ioctl_reset_event_args, IN, kfd_reset_event,
	    FAITHFUL, ""),
	ROW(0x0c, "WAIT_EVENTS", kfd_ioctl_wait_events_args, INOUT, kfd_wait_events,
	    FAITHFUL, ""),
	ROW(0x0d, "DBG_REGISTER_DEPRECATED", kfd_ioctl_dbg_register_args, IN, kfd_refuse_eperm,
	    FAITHFUL, OLD_DEBUG),
	ROW(0x0e, "DBG_UNREGISTER_DEPRECATED", kfd_ioctl_dbg_unregister_args, IN, kfd_refuse_eperm,
	    FAITHFUL, OLD_DEBUG),
	ROW(0x0f, "DBG_ADDRESS_WATCH_DEPRECATED", kfd_ioctl_dbg_address_watch_args, IN, kfd_refuse_eperm,
	    FAITHFUL, OLD_DEBUG),
	ROW(0x10, "DBG_WAVE_CONTROL_DEPRECATED", kfd_ioctl_dbg_wave_control_args, IN, kfd_refuse_eperm,
	    FAITHFUL, OLD_DEBUG),
	ROW(0x11, "SET_SCRATCH_BACKING_VA", kfd_ioctl_set_scratch_backing_va_args, INOUT, kfd_set_scratch,
	    FAITHFUL, ""),
	ROW(0x12, "GET_TILE_CONFIG", kfd_ioctl_get_tile_config_args, INOUT, kfd_get_tile_config,
	    PARTIAL, "faithful from gfx9 on; before that the tables are zeros"),
	ROW(0x13, "SET_TRAP_HANDLER", kfd_ioctl_set_trap_handler_args, IN, kfd_set_trap_handler,
	    PARTIAL, "kept; no shader runs that could trap"),
	ROW(0x14, "GET_PROCESS_APERTURES_NEW", kfd_ioctl_get_process_apertures_new_args, INOUT, kfd_get_apertures_new,
	    FAITHFUL, ""),
	ROW(0x15, "ACQUIRE_VM", kfd_ioctl_acquire_vm_args, IN, kfd_acquire_vm,
	    FAITHFUL, ""),
	ROW(0x16, "ALLOC_MEMORY_OF_GPU", kfd_ioctl_alloc_memory_of_gpu_args, INOUT, kfd_alloc_memory,
	    PARTIAL, "no SVM range to collide with"),
	ROW(0x17, "FREE_MEMORY_OF_GPU", kfd_ioctl_free_memory_of_gpu_args, IN, kfd_free_memory,
	    FAITHFUL, ""),
	ROW(0x18, "MAP_MEMORY_TO_GPU", kfd_ioctl_map_memory_to_gpu_args, INOUT, kfd_map_memory,
	    FAITHFUL, ""),
	ROW(0x19, "UNMAP_MEMORY_FROM_GPU", kfd_ioctl_unmap_memory_from_gpu_args, INOUT, kfd_unmap_memory,
	    FAITHFUL, ""),
	ROW(0x1a, "SET_CU_MASK", kfd_ioctl_set_cu_mask_args, IN, kfd_set_cu_mask,
	    PARTIAL, "checked, dealt out to the engines, kept; no shader runs that it could confine"),
	ROW(0x1b, "GET_QUEUE_WAVE_STATE", kfd_ioctl_get_queue_wave_state_args, INOUT, kfd_get_wave_state,
	    PARTIAL, "there are never saved waves"),
	ROW(0x1c, "GET_DMABUF_INFO", kfd_ioctl_get_dmabuf_info_args, INOUT, kfd_get_dmabuf_info,
	    PARTIAL,
	    "PUBLIC stands for a mapping of the CPU that could be touched, the kernel's for one "
	    "that was"),
	ROW(0x1d, "IMPORT_DMABUF", kfd_ioctl_import_dmabuf_args, INOUT, kfd_import_dmabuf,
	    PARTIAL,
	    "by the exporting process and GPU; elsewhere EINVAL, as for what is neither VRAM nor "
	    "GTT. No mmap offset is kept alive by it"),
	ROW(0x1e, "ALLOC_QUEUE_GWS", kfd_ioctl_alloc_queue_gws_args, INOUT, kfd_alloc_gws,
	    PARTIAL, "one process at a time; no shader runs that could synchronize"),
	ROW(0x1f, "SMI_EVENTS", kfd_ioctl_smi_events_args, INOUT, kfd_smi_events,
	    PARTIAL,
	    "events 1, 3, 4, 9 and 10; its descriptor is a socket: write() of other than eight bytes is "
	    "not refused, and a line that was read in part counts as unread"),
	ROW(0x20, "SVM", kfd_ioctl_svm_args, INOUT, kfd_refuse_eperm,
	    REFUSED, "EPERM, as without CONFIG_HSA_AMD_SVM", .check_size = check_svm_size, .capability = CAP_SVM),
	ROW(0x21, "SET_XNACK_MODE", kfd_ioctl_set_xnack_mode_args, INOUT, kfd_set_xnack_mode,
	    PARTIAL, "kept; GPU faults are not retried"),
	ROW(0x22, "CRIU_OP", kfd_ioctl_criu_args, INOUT, kfd_refuse_eperm,
	    REFUSED,
	    "EACCES, as for any caller without CAP_CHECKPOINT_RESTORE", .needs_rights = true),
	ROW(0x23, "AVAILABLE_MEMORY", kfd_ioctl_get_available_memory_args, INOUT, kfd_available_memory,
	    FAITHFUL, ""),
	ROW(0x24, "EXPORT_DMABUF", kfd_export_dmabuf_args, INOUT, kfd_export_dmabuf,
	    FAITHFUL, ""),
	ROW(0x25, "RUNTIME_ENABLE", kfd_runtime_enable_args, INOUT, kfd_refuse_enotty,
	    REFUSED, "ENOTTY, as before 1.13", .capability = CAP_RUNTIME),
	ROW(0x26, "DBG_TRAP", kfd_dbg_trap_args, INOUT, kfd_refuse_enotty,
	    REFUSED, "ENOTTY, as before 1.13", .capability = CAP_DEBUG),
};
/* clang-format on */

uint32_t kfd_hidden_capability(void)
{
	uint32_t hidden = 0;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(rows); i++) {
		if (rows[i].feature.level == KFD_REFUSED)
			hidden |= rows[i].capability;
	}
	return hidden;
}

const struct kfd_ioctl_row *kfd_ioctl_row(unsigned int nr)
{
	return nr >= 1 && nr <= VKF_ARRAY_SIZE(rows) ? &rows[nr - 1] : NULL;
}

const struct kfd_feature *kfd_feature(unsigned int index)
{
	return index < VKF_ARRAY_SIZE(rows) ? &rows[index].feature : NULL;
}

/* The block is in @arg; what the row demands before its handler runs. */
static int serve(const struct kfd_ioctl_row *row, struct kfd_process *p, struct vkf_call *call,
		 void *arg, size_t user_size)
{
	int r = row->check_size ? row->check_size(arg, user_size) : 0;

	return r ? r : row->handler(p, call, arg);
}

int kfd_ioctl(struct kfd_process *owner, struct kfd_process *caller, struct vkf_call *call,
	      uint32_t cmd, uint64_t arg)
{
	const struct kfd_ioctl_row *row = kfd_ioctl_row(CMD_NR(cmd));
	uint64_t small[STACK_BLOCK / sizeof(uint64_t)] = { 0 };
	size_t user_size = CMD_SIZE(cmd), size;
	void *block = small;
	int r;

	if (!row)
		return -ENOTTY;
	if (!owner || owner != caller)
		return -EBADF;
	if (row->needs_rights)
		return -EACCES;
	size = VKF_MAX(user_size, (size_t)row->size);
	if (size > sizeof(small))
		block = vkf_zalloc(size);
	if (!block)
		return -ENOMEM;
	if (row->dir & KFD_DIR_IN && vkf_copy_from_user(call, block, arg, user_size)) {
		r = -EFAULT;
		goto out;
	}
	call->block_uptr = arg;
	call->block = block;
	call->block_len = row->dir & KFD_DIR_OUT ? user_size : 0;
	call->answered = false;
	r = serve(row, caller, call, block, user_size);
	if (!call->answered && vkf_copy_to_user(call, call->block_uptr, block, call->block_len))
		r = -EFAULT;
out:
	if (block != small)
		vkf_free(block);
	return r;
}
