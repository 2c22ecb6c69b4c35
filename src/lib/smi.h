/* SPDX-License-Identifier: MIT */
#ifndef VKFD_LIB_SMI_H
#define VKFD_LIB_SMI_H

/**
 * DOC: SMI events of a client of libvkfd
 *
 * SMI_EVENTS gives a descriptor of this very process. Who closes it is noticed at the
 * client's next SMI_EVENTS, or at its end.
 */
#include "base/list.h"
#include "kfd/smi.h"

/* Add a listener to @list, which has an owner who locks. Return: its descriptor, or -EMFILE, -ENFILE,
 * -ENOMEM with @smi still the caller's. */
int lib_smi_add(struct vkf_list *list, struct kfd_smi *smi);
/* Those whose descriptor is closed. */
void lib_smi_sweep(struct vkf_list *list);
void lib_smi_end(struct vkf_list *list);

#endif
