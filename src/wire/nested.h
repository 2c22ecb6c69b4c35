/* SPDX-License-Identifier: MIT */
#ifndef VKFD_WIRE_NESTED_H
#define VKFD_WIRE_NESTED_H

/**
 * DOC: Which fields of an argument block point elsewhere
 *
 * One row per pointer: where it stands, how many bytes it names, which way they
 * go. The shim marshals by this table and knows nothing else of any ioctl.
 */
#include <stdint.h>

/* PROBE: no bytes travel, only whether all of the range is memory that the program may write.
 * NEW_STREAM: the field is where the descriptor of a STREAM goes that the call makes.
 * NEW_FD: the field is where a descriptor goes that the call makes; @count is where open's flags for
 * it are. */
enum wire_dir { WIRE_IN = 1, WIRE_OUT = 2, WIRE_INOUT = 3, WIRE_PROBE = 4, WIRE_NEW_FD = 5,
		WIRE_NEW_STREAM = 6 };

enum wire_dev { WIRE_DEV_KFD, WIRE_DEV_DRM, WIRE_DEV_DMABUF };

struct wire_nested {
	uint8_t dev;         /* enum wire_dev */
	uint8_t nr;          /* _IOC_NR */
	uint8_t dir;         /* enum wire_dir; 0: the field is a file descriptor (s32 or u32) */
	uint8_t ptr_bytes;   /* size of the field: 4 or 8 */
	uint16_t ptr;        /* offset of the field in the block */
	uint16_t count;      /* offset of the count field, or WIRE_NO_COUNT */
	uint8_t count_bytes; /* 4 or 8 */
	uint32_t elem;       /* bytes of one; without a count field: bytes of all */
};

#define WIRE_NO_COUNT UINT16_MAX

extern const struct wire_nested wire_nested[];
extern const unsigned int wire_n_nested;

#endif
