/* SPDX-License-Identifier: MIT */
#ifndef VKFD_WIRE_SLOT_H
#define VKFD_WIRE_SLOT_H

/**
 * DOC: Calls through shared memory
 *
 * A session has WIRE_SLOTS slots; each is served by one task of the driver, which
 * starts with SLOT_OPEN. A program thread claims a free slot, fills the request,
 * sets @state to SUBMITTED and wakes it (futex, not private: two processes); the
 * driver answers, sets DONE and wakes; the program reads the answer and frees the
 * slot. A signal handler that makes a call of its own claims another slot.
 *
 * @state is the futex word of both directions. Each side says by its own word,
 * @client_looks or @driver_looks, whether it is awake and will look at @state again
 * before it sleeps: then the other need not wake it. Who is about to sleep clears its
 * word, and only then looks at @state for the last time; who changes @state looks at
 * the other's word after that; both sequentially consistent. The program's thread
 * looks for a while before it sleeps when the driver's task is awake on another CPU.
 *
 * The program's memory does not travel by itself: pointers the call may follow are
 * sent as segments. An IN segment carries bytes the program's shim could read; one
 * it could not read is left out, and the driver then answers -EFAULT where the
 * kernel would. Bytes the driver writes to an OUT segment are copied back by the
 * shim for [0, written), whatever the call's result.
 *
 * The driver reads each header field once and checks it: the program may change it
 * at any time.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_SLOTS 64
#define WIRE_SLOT_BYTES (UINT32_C(256) << 10)
#define WIRE_SLOT_SEGS 8
#define WIRE_SLOT_FDS 2

enum wire_slot_state { WIRE_FREE, WIRE_CLAIMED, WIRE_SUBMITTED, WIRE_DONE };

enum wire_call {
	WIRE_CALL_IOCTL = 1, /* @file, @cmd, @arg */
	WIRE_CALL_MMAP,      /* @file, @arg offset, @len, @prot, @flags -> @map_* */
	WIRE_CALL_NOP,       /* answers 0: what the bench calls a round trip */
};

struct wire_seg {
	uint64_t uptr;    /* where in the program */
	uint32_t len;
	uint32_t off;     /* where in @data; 8-byte aligned */
	uint32_t in;      /* bytes are valid on the way in */
	uint32_t written; /* driver: how many of it to copy back */
};

struct wire_slot_fd {
	int32_t fd;
	uint32_t is_open;
	uint64_t file;    /* the number of the open file behind it, 0: not one of ours */
};

/* What every call needs comes first, in one cache line: lines that one side has written cost the
 * other, on another CPU, a tenth of a microsecond each. */
struct wire_slot_head {
	_Atomic uint32_t state;
	uint32_t seq;                /* program: one more with each call */
	_Atomic uint32_t client_looks, driver_looks;
	_Atomic int32_t client_cpu, driver_cpu; /* where each last was */
	uint32_t call;               /* enum wire_call */
	uint32_t cmd;
	uint64_t file;
	uint64_t arg;
	uint32_t n_segs, n_fds;
	uint32_t n_probes;           /* 0 or 1 */
	int32_t result;              /* driver: 0 or a negative errno, never -512 */
	struct wire_seg seg[WIRE_SLOT_SEGS];
	struct wire_slot_fd fd[WIRE_SLOT_FDS];
	uint64_t probe_uptr, probe_len; /* program: this range is memory that can be written */
	int32_t probe_error;         /* program: and this is what is wrong with the page behind it */
	uint32_t pad;
	uint64_t len;                /* MMAP */
	int32_t prot, flags;
	uint32_t map_region;         /* driver: enum wire_region */
	uint32_t map_dont_copy;
	uint64_t map_offset;
	/* driver: IOCTL: an open file that the call has made, or 0. It is waiting for its FILE until
	 * the slot's next call, whatever that is, begins. */
	uint64_t made_file;
};

#define WIRE_SLOT_DATA_OFF 512
#define WIRE_SLOT_DATA_BYTES (WIRE_SLOT_BYTES - WIRE_SLOT_DATA_OFF)

struct wire_slot {
	union {
		struct wire_slot_head head;
		uint8_t pad[WIRE_SLOT_DATA_OFF];
	};
	uint8_t data[WIRE_SLOT_DATA_BYTES];
};

_Static_assert(sizeof(struct wire_slot_head) <= WIRE_SLOT_DATA_OFF, "slot head too large");
_Static_assert(offsetof(struct wire_slot_head, seg) == 64, "the first line is not one line");

struct wire_slots {
	struct wire_slot slot[WIRE_SLOTS];
};

#endif
