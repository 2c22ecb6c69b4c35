/* SPDX-License-Identifier: MIT */
#ifndef VKFD_WIRE_PROTO_H
#define VKFD_WIRE_PROTO_H

/**
 * DOC: Messages between a program (its shim and engine) and the driver
 *
 * Every connection is a SOCK_SEQPACKET to the driver's socket. The first message
 * is a wire_hello and says what the connection is; the answer is a wire_welcome,
 * with file descriptors where noted. What a connection is never changes, and its
 * end is the end of the thing: closing the last copy of a FILE is the last close.
 *
 * - SESSION: one address space. The answer carries the five regions, in the order
 *   of enum wire_region. Later messages on it: SLOT_OPEN, CANCEL. Its end ends
 *   the address space, as far as the driver is concerned. The hello is answered when
 *   all that sessions had which have ended by then is free again.
 * - FILE: one open of a character device; this socket is the program's descriptor.
 *   Later message: IDENT, answered with a wire_welcome. Or the dma-buf that a call has
 *   made: then the wire_welcome stays in the socket for whoever looks (MSG_PEEK), the
 *   driver sends no more, so that it polls as readable, and drops what it is sent.
 * - ENGINE: the engine of a session. The driver sends one byte when the engine has
 *   something to look at; its end tells either side that the other is gone.
 * - STREAM: takes, as a FILE does, what a call has made that is no file but a stream of
 *   text; the answer carries its end of the stream, and ends the connection.
 * - QUERY: a named text; the answer carries a memfd with it.
 * - TRACE: all that happens is recorded while it lasts; the answer carries the ring
 *   (trace/ring.h) and its size. Later message: TRACE_END, answered when all that was
 *   known is in the ring. One at a time: -EBUSY.
 *
 * Both sides are on one machine and of one build (the version says so), so words
 * are in host order. The driver checks every field; a message it cannot take is
 * answered with its errno, and the connection is closed.
 */
#include <stdint.h>

#define WIRE_MAGIC UINT32_C(0x766b6664) /* "vkfd" */
#define WIRE_VERSION 4 /* another for each change of a message or a slot */
#define WIRE_NAME_MAX 192
/* The environment variable that names the driver's directory: socket "sock", tree "root/". */
#define WIRE_ENV_RUNTIME "VKFD_RUNTIME"
#define WIRE_ENV_ENGINE "VKFD_ENGINE" /* process, thread or none */
#define WIRE_SOCKET_NAME "sock"
#define WIRE_ROOT_NAME "root"
/* A device in the tree is a symbolic link with this text, then "MAJOR:MINOR". */
#define WIRE_CHARDEV_PREFIX "vkfd-char:"
/* A live file in the tree is an empty file with the sticky bit: its content comes by QUERY
 * "file:" followed by the path as the program names it. */

enum wire_kind { WIRE_SESSION = 1, WIRE_FILE, WIRE_ENGINE, WIRE_QUERY, WIRE_TRACE, WIRE_STREAM };

enum wire_region {
	WIRE_REGION_CTRL,  /* struct gpu_ctrl; read and written by both */
	WIRE_REGION_PT,    /* page tables; read-only in the program */
	WIRE_REGION_ARENA, /* buffers; sparse */
	WIRE_REGION_BAR,   /* doorbells and MMIO */
	WIRE_REGION_SLOTS, /* struct wire_slots */
	WIRE_N_REGIONS,
};

struct wire_hello {
	uint32_t magic, version;
	uint32_t kind;      /* enum wire_kind */
	uint32_t flags;     /* FILE: open's flags */
	uint64_t session;   /* FILE, ENGINE: the session's id; 0 for others */
	uint64_t token;     /* FILE, ENGINE: the session's secret */
	uint32_t major, minor; /* FILE: the device */
	uint64_t file;      /* FILE: 0; or instead of a device what the call in slot @minor has made;
			     * STREAM: that */
	char name[WIRE_NAME_MAX]; /* QUERY: what; SESSION: the program's name (comm); NUL-terminated */
};

struct wire_welcome {
	uint32_t magic;
	int32_t status;     /* 0 or a negative errno */
	uint64_t session, token; /* SESSION; IDENT on a FILE: session that opened it, token 0 */
	uint64_t file;      /* FILE, IDENT: number of the open file, never 0, never used again */
	uint32_t major, minor;
	uint64_t dmabuf_bytes; /* FILE, IDENT: 0 for a device */
	uint64_t dmabuf_inode, dmabuf_writable;
	uint64_t region_bytes[WIRE_N_REGIONS]; /* SESSION; TRACE: the first */
};

/* After the hello, from the program. */
enum wire_op { WIRE_SLOT_OPEN = 1, WIRE_CANCEL, WIRE_IDENT, WIRE_TRACE_END };

struct wire_msg {
	uint32_t op;   /* enum wire_op */
	uint32_t slot; /* SLOT_OPEN: serve this slot from now on; CANCEL */
	uint32_t seq;  /* CANCEL: the call's, so that a late one cannot hit the next */
	uint32_t pad;
};

#endif
