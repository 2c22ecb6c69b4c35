/* SPDX-License-Identifier: MIT */
#include "wire/nested.h"

#include <linux/kfd_ioctl.h>
#include <stddef.h>

#include <amdgpu_drm.h>
#include <drm.h>

/* 1.12; older headers lack it. */
struct export_dmabuf_args {
	uint64_t handle;
	uint32_t flags;
	uint32_t dmabuf_fd;
};

#define KFD(nr_, type, ptr_, count_, elem_, dir_)                                                  \
	{                                                                                          \
		.dev = WIRE_DEV_KFD, .nr = (nr_), .dir = (dir_),                                   \
		.ptr = offsetof(struct type, ptr_), .ptr_bytes = sizeof(((struct type *)0)->ptr_), \
		.count = offsetof(struct type, count_),                                            \
		.count_bytes = sizeof(((struct type *)0)->count_), .elem = (elem_),                \
	}

#define DRM(nr_, type, ptr_, count_, elem_, dir_)                                                  \
	{                                                                                          \
		.dev = WIRE_DEV_DRM, .nr = (nr_), .dir = (dir_),                                   \
		.ptr = offsetof(struct type, ptr_), .ptr_bytes = sizeof(((struct type *)0)->ptr_), \
		.count = offsetof(struct type, count_),                                            \
		.count_bytes = sizeof(((struct type *)0)->count_), .elem = (elem_),                \
	}

#define FD(nr_, type, ptr_)                                                                        \
	{                                                                                          \
		.dev = WIRE_DEV_KFD, .nr = (nr_), .dir = 0, .ptr = offsetof(struct type, ptr_),    \
		.ptr_bytes = sizeof(((struct type *)0)->ptr_), .count = WIRE_NO_COUNT,             \
	}

const struct wire_nested wire_nested[] = {
	KFD(0x0c, kfd_ioctl_wait_events_args, events_ptr, num_events,
	    sizeof(struct kfd_event_data), WIRE_INOUT),
	KFD(0x12, kfd_ioctl_get_tile_config_args, tile_config_ptr, num_tile_configs, 4, WIRE_OUT),
	KFD(0x12, kfd_ioctl_get_tile_config_args, macro_tile_config_ptr, num_macro_tile_configs, 4,
	    WIRE_OUT),
	KFD(0x14, kfd_ioctl_get_process_apertures_new_args, kfd_process_device_apertures_ptr,
	    num_of_nodes, sizeof(struct kfd_process_device_apertures), WIRE_OUT),
	FD(0x15, kfd_ioctl_acquire_vm_args, drm_fd),
	KFD(0x16, kfd_ioctl_alloc_memory_of_gpu_args, mmap_offset, size, 1, WIRE_PROBE),
	KFD(0x18, kfd_ioctl_map_memory_to_gpu_args, device_ids_array_ptr, n_devices, 4, WIRE_IN),
	KFD(0x19, kfd_ioctl_unmap_memory_from_gpu_args, device_ids_array_ptr, n_devices, 4, WIRE_IN),
	/* num_cu_mask counts bits in words of 32: the elements are bits rounded up by the shim. */
	KFD(0x1a, kfd_ioctl_set_cu_mask_args, cu_mask_ptr, num_cu_mask, 1, WIRE_IN),
	/* The header of a save area, whatever the size of the area. */
	{ .dev = WIRE_DEV_KFD, .nr = 0x1b, .dir = WIRE_OUT, .ptr_bytes = 8,
	  .ptr = offsetof(struct kfd_ioctl_get_queue_wave_state_args, ctl_stack_address),
	  .count = WIRE_NO_COUNT, .elem = 16 },
	KFD(0x1c, kfd_ioctl_get_dmabuf_info_args, metadata_ptr, metadata_size, 1, WIRE_OUT),
	FD(0x1c, kfd_ioctl_get_dmabuf_info_args, dmabuf_fd),
	FD(0x1d, kfd_ioctl_import_dmabuf_args, dmabuf_fd),
	{ .dev = WIRE_DEV_KFD, .nr = 0x1f, .dir = WIRE_NEW_STREAM, .ptr_bytes = 4,
	  .ptr = offsetof(struct kfd_ioctl_smi_events_args, anon_fd), .count = WIRE_NO_COUNT },
	KFD(0x24, export_dmabuf_args, dmabuf_fd, flags, 1, WIRE_NEW_FD),
	DRM(0x00, drm_version, name, name_len, 1, WIRE_OUT),
	DRM(0x00, drm_version, date, date_len, 1, WIRE_OUT),
	DRM(0x00, drm_version, desc, desc_len, 1, WIRE_OUT),
	DRM(0x01, drm_unique, unique, unique_len, 1, WIRE_OUT),
	DRM(DRM_COMMAND_BASE + DRM_AMDGPU_INFO, drm_amdgpu_info, return_pointer, return_size, 1,
	    WIRE_OUT),
};

const unsigned int wire_n_nested = sizeof(wire_nested) / sizeof(wire_nested[0]);
