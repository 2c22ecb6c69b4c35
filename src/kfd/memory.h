/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_MEMORY_H
#define VKFD_KFD_MEMORY_H

/**
 * DOC: Buffers that a program allocated, and where they are mapped
 *
 * A kfd_mem is one handle: a buffer, the address all GPUs shall see it at, and its
 * mappings. An AQL queue's ring may be asked for with its pages twice in a row;
 * then a GPU has two mappings of it. All under the process's lock.
 */
#include "kfd/process.h"
#include "mm/bo.h"
#include "mm/vm.h"

/* struct kfd_mem_gpu - a buffer on one GPU */
struct kfd_mem_gpu {
	struct mm_mapping *map[2];
	struct mm_fence *unmapped; /* of the last UNMAP, until it is done or waited for */
};

struct kfd_mem {
	struct mm_bo *bo;
	uint64_t va;                      /* 0: has none, cannot be mapped */
	uint64_t size;                    /* of the buffer: half of what was asked for when @aql */
	struct machine_dmabuf *dmabuf;    /* a reference: exported as, or imported from; or NULL */
	uint64_t mmap_offset;             /* for the render node of GPU @mmap_gpu; 0: none */
	struct machine_access access;
	uint32_t flags;                   /* KFD_ALLOC_* */
	unsigned int home : 8;            /* GPU of its handle */
	unsigned int mmap_gpu : 8;
	unsigned int n_mapped : 8;        /* mappings below */
	unsigned int n_gpus : 6;          /* of the machine */
	bool aql : 1;                     /* mapped twice, back to back */
	bool imported : 1;                /* the buffer is another handle's, and so its charge */
	struct kfd_mem_gpu on[];          /* by GPU */
};

/* The buffer behind the low half of a handle, or NULL. */
struct kfd_mem *kfd_mem_find(const struct kfd_pdd *pdd, uint64_t handle);

/* memory.c: for dmabuf.c */
struct kfd_mem *kfd_mem_new(struct kfd_process *p); /* NULL: no memory */
/* With no mapping left, and its handle taken away; NULL is fine. */
void kfd_mem_destroy(struct kfd_process *p, struct kfd_mem *mem);

/* memory.c: for process.c */
int kfd_mems_map_internal(struct kfd_process *p, struct kfd_pdd *pdd);
/* The VMs are about to go with all that is mapped. */
void kfd_mems_forget_mappings(struct kfd_process *p);
void kfd_mems_destroy_all(struct kfd_process *p);
void kfd_mems_stat(struct kfd_process *p, struct kfd_process_stat *stat);

int kfd_alloc_memory(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_free_memory(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_available_memory(struct kfd_process *p, struct vkf_call *call, void *arg);

/* map.c */
int kfd_map_memory(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_unmap_memory(struct kfd_process *p, struct vkf_call *call, void *arg);
/* Drop the fences of unmapping. */
void kfd_mem_forget_unmaps(struct kfd_mem *mem);
/* A buffer of our own, which is not mapped on @pdd yet. Return: as mm_vm_map(). */
int kfd_mem_map(struct kfd_process *p, struct kfd_mem *mem, struct kfd_pdd *pdd);

#endif
