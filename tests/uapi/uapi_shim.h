/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UAPI_SHIM_H
#define VKFD_TESTS_UAPI_SHIM_H

/**
 * DOC: What only the way through shim and driver has
 *
 * A driver in another process can be asked what it thinks is in use.
 */
#include "uapi.h"

struct uapi_usage {
	unsigned int n_clients;   /* programs */
	unsigned int own_buffers; /* of this one */
	uint64_t vram, system;    /* bytes of all programs, in whatever way they are counted */
};

/* False: the driver does not answer. */
bool uapi_usage(struct uapi_usage *ret_usage);
/* What a process had is given back a moment after its end, as with the kernel. Wait until there are
 * @n_clients programs; when that is none, also until nothing at all is in use. False, and a line on
 * stderr: it does not come to that. */
bool uapi_settle(unsigned int n_clients);

#endif
