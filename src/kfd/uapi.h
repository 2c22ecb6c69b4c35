/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_UAPI_H
#define VKFD_KFD_UAPI_H

/**
 * DOC: The uAPI of KFD 1.17
 *
 * <linux/kfd_ioctl.h> as distributions ship it may be older (Debian 12: 1.11).
 * What came later is declared here under names of our own, so that a newer header
 * does not collide; every size that the dispatcher relies on is checked.
 */
#include <linux/kfd_ioctl.h>
#include <stddef.h>
#include <stdint.h>

/* 1.17: the struct grew; an older program's 88 bytes are zero-extended. */
struct kfd_create_queue_args {
	uint64_t ring_base_address;
	uint64_t write_pointer_address;
	uint64_t read_pointer_address;
	uint64_t doorbell_offset;
	uint32_t ring_size;
	uint32_t gpu_id;
	uint32_t queue_type;
	uint32_t queue_percentage; /* bits 0-7; 8-15 name a partition for PM4 */
	uint32_t queue_priority;
	uint32_t queue_id;
	uint64_t eop_buffer_address;
	uint64_t eop_buffer_size;
	uint64_t ctx_save_restore_address;
	uint32_t ctx_save_restore_size;
	uint32_t ctl_stack_size;
	uint32_t sdma_engine_id;
	uint32_t pad;
};

#define KFD_QUEUE_TYPE_SDMA_BY_ENG_ID 4 /* 1.17 */

/* 1.12 */
struct kfd_export_dmabuf_args {
	uint64_t handle;
	uint32_t flags;
	uint32_t dmabuf_fd;
};

/* 1.13 */
struct kfd_runtime_enable_args {
	uint64_t r_debug;
	uint32_t mode_mask;
	uint32_t capabilities_mask;
};

struct kfd_dbg_trap_args {
	uint32_t pid;
	uint32_t op;
	uint8_t data[24];
};

/* Flags of ALLOC_MEMORY_OF_GPU; the uAPI's own shift a signed 1 into the sign. */
#define KFD_ALLOC_VRAM (UINT32_C(1) << 0)
#define KFD_ALLOC_GTT (UINT32_C(1) << 1)
#define KFD_ALLOC_USERPTR (UINT32_C(1) << 2)
#define KFD_ALLOC_DOORBELL (UINT32_C(1) << 3)
#define KFD_ALLOC_MMIO_REMAP (UINT32_C(1) << 4)
#define KFD_ALLOC_CONTIGUOUS (UINT32_C(1) << 23)   /* 1.16 */
#define KFD_ALLOC_EXT_COHERENT (UINT32_C(1) << 24) /* between 1.13 and 1.16 */
#define KFD_ALLOC_UNCACHED (UINT32_C(1) << 25)
#define KFD_ALLOC_COHERENT (UINT32_C(1) << 26)
#define KFD_ALLOC_AQL_QUEUE_MEM (UINT32_C(1) << 27)
#define KFD_ALLOC_PUBLIC (UINT32_C(1) << 29)
#define KFD_ALLOC_EXECUTABLE (UINT32_C(1) << 30)
#define KFD_ALLOC_WRITABLE (UINT32_C(1) << 31)

/* 1.14: what stands at the start of kfd_event_data's union for signal events. */
struct kfd_signal_event_data {
	uint64_t last_event_age;
};

/* struct kfd_wave_state - what GET_QUEUE_WAVE_STATE writes at the control stack's start */
struct kfd_wave_state {
	uint32_t control_stack_offset;
	uint32_t control_stack_size;
	uint32_t wave_state_offset;
	uint32_t wave_state_size;
};

/* Offsets for mmap() of /dev/kfd. */
#define KFD_MMAP_TYPE_SHIFT 62
#define KFD_MMAP_GPU_SHIFT 46
#define KFD_MMAP_GPU_MASK UINT64_C(0xffff)

enum kfd_mmap_type {
	KFD_MMAP_MMIO = 0,
	KFD_MMAP_RESERVED = 1,
	KFD_MMAP_EVENTS = 2,
	KFD_MMAP_DOORBELL = 3,
};

static inline uint64_t kfd_mmap_offset(enum kfd_mmap_type type, uint32_t gpu_id)
{
	return (uint64_t)type << KFD_MMAP_TYPE_SHIFT |
	       ((uint64_t)gpu_id & KFD_MMAP_GPU_MASK) << KFD_MMAP_GPU_SHIFT;
}

_Static_assert(sizeof(struct kfd_ioctl_get_version_args) == 8, "get_version");
_Static_assert(sizeof(struct kfd_create_queue_args) == 96, "create_queue");
_Static_assert(offsetof(struct kfd_create_queue_args, sdma_engine_id) ==
		       sizeof(struct kfd_ioctl_create_queue_args) ||
		       sizeof(struct kfd_ioctl_create_queue_args) >= 96,
	       "create_queue grew at its end");
_Static_assert(sizeof(struct kfd_ioctl_destroy_queue_args) == 8, "destroy_queue");
_Static_assert(sizeof(struct kfd_ioctl_get_clock_counters_args) == 40, "clock");
_Static_assert(sizeof(struct kfd_ioctl_get_process_apertures_args) == 400, "apertures");
_Static_assert(sizeof(struct kfd_process_device_apertures) == 56, "aperture");
_Static_assert(sizeof(struct kfd_ioctl_update_queue_args) == 24, "update_queue");
_Static_assert(sizeof(struct kfd_ioctl_create_event_args) == 32, "create_event");
_Static_assert(sizeof(struct kfd_ioctl_wait_events_args) == 24, "wait_events");
_Static_assert(sizeof(struct kfd_event_data) == 48, "event_data");
_Static_assert(sizeof(struct kfd_ioctl_set_scratch_backing_va_args) == 16, "scratch");
_Static_assert(sizeof(struct kfd_ioctl_get_tile_config_args) == 40, "tile");
_Static_assert(sizeof(struct kfd_ioctl_set_trap_handler_args) == 24, "trap");
_Static_assert(sizeof(struct kfd_ioctl_get_process_apertures_new_args) == 16, "apertures_new");
_Static_assert(sizeof(struct kfd_ioctl_acquire_vm_args) == 8, "acquire_vm");
_Static_assert(sizeof(struct kfd_ioctl_alloc_memory_of_gpu_args) == 40, "alloc");
_Static_assert(sizeof(struct kfd_ioctl_free_memory_of_gpu_args) == 8, "free");
_Static_assert(sizeof(struct kfd_ioctl_map_memory_to_gpu_args) == 24, "map");
_Static_assert(sizeof(struct kfd_ioctl_unmap_memory_from_gpu_args) == 24, "unmap");
_Static_assert(sizeof(struct kfd_ioctl_set_cu_mask_args) == 16, "cu_mask");
_Static_assert(sizeof(struct kfd_ioctl_get_queue_wave_state_args) == 24, "wave_state");
_Static_assert(sizeof(struct kfd_ioctl_get_dmabuf_info_args) == 32, "dmabuf_info");
_Static_assert(sizeof(struct kfd_ioctl_import_dmabuf_args) == 24, "import");
_Static_assert(sizeof(struct kfd_ioctl_alloc_queue_gws_args) == 16, "gws");
_Static_assert(sizeof(struct kfd_ioctl_smi_events_args) == 8, "smi");
_Static_assert(sizeof(struct kfd_ioctl_svm_args) == 24, "svm");
_Static_assert(sizeof(struct kfd_ioctl_set_xnack_mode_args) == 4, "xnack");
_Static_assert(sizeof(struct kfd_ioctl_criu_args) == 56, "criu");
_Static_assert(sizeof(struct kfd_ioctl_get_available_memory_args) == 16, "available");
_Static_assert(sizeof(struct kfd_export_dmabuf_args) == 16, "export");
_Static_assert(sizeof(struct kfd_runtime_enable_args) == 16, "runtime_enable");
_Static_assert(sizeof(struct kfd_dbg_trap_args) == 32, "dbg_trap");

#endif
