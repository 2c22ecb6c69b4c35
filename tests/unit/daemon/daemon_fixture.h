/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_DAEMON_FIXTURE_H
#define VKFD_TESTS_UNIT_DAEMON_FIXTURE_H

/**
 * DOC: A daemon as a process, and the wire as one who need not keep to it
 *
 * The test program runs itself again as the daemon, so what a sanitizer finds there
 * is its exit status. Everything below speaks the protocol with plain system calls:
 * nothing of the shim, and nothing of the daemon's own code.
 *
 * Each test program has a runtime directory of its own ($XDG_RUNTIME_DIR), removed
 * at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>
#include <jansson.h>
#include "gpu/ctrl.h"
#include "wire/proto.h"
#include "wire/slot.h"

#define DX_KFD_MAJOR 240
#define DX_DRM_MAJOR 226

struct dx_options {
	const char *machine; /* NULL: mi210x2 */
	const char *sets[4];
	bool lifetime;          /* with a lifetime descriptor */
	unsigned int max_files; /* its RLIMIT_NOFILE, soft and hard; 0: as it is */
	const char *listen_at;  /* one more socket */
};

struct dx_daemon {
	pid_t pid;
	char runtime[108], sock[128];
	int lifetime; /* closing it ends the driver's life; -1: none */
};

/* In main(), first: becomes the daemon if that is what it was started for. */
void dx_main(int argc, char **argv);
/* Group set-up and tear-down: the runtime directory. */
int dx_group_setup(void **state);
int dx_group_teardown(void **state);

/* Starts it and waits until programs may connect; @o may be NULL. */
void dx_start(struct dx_daemon *d, const struct dx_options *o);
/* Wait for its end, at most 20 s. Return: its exit status, or -1 with it killed. */
int dx_wait(struct dx_daemon *d);
/* SIGTERM; it must end with 0. */
void dx_stop(struct dx_daemon *d);
/* Per test, with &dx as the daemon and dx_options_next as its options. */
extern struct dx_daemon dx;
int dx_setup(void **state);
int dx_teardown(void **state);
#define DX_TEST(f) cmocka_unit_test_setup_teardown(f, dx_setup, dx_teardown)

/* Its open descriptors, as /proc tells. */
unsigned int dx_n_fds(const struct dx_daemon *d);
/* Fails the test unless the daemon soon has no more than these, and no task. */
void dx_wait_small(const struct dx_daemon *d, unsigned int fds);

/* ------------------------------------------------ the wire */

int dx_connect(const struct dx_daemon *d);
struct wire_hello dx_hello(enum wire_kind kind);
/* Receive one welcome. Return: its status, or -ECONNRESET at the end of the connection; -ETIMEDOUT
 * after 20 s. Descriptors beyond @n_fds are closed; missing ones are -1. */
int dx_recv(int fd, struct wire_welcome *w, int *fds, unsigned int n_fds);
/* Send @len bytes of @msg as the first message, and receive. */
int dx_say(int fd, const void *msg, size_t len, struct wire_welcome *w);
/* Wait for the end of the connection; what comes before is dropped. False: it does not come. */
bool dx_closed(int fd);
void dx_send(int fd, uint32_t op, uint32_t slot, uint32_t seq);

/* The daemon knows a program by its process, which has one session: so each of ours has one, which
 * does nothing. Connect as a new process. Return: its pid. */
pid_t dx_connect_process(const struct dx_daemon *d, int *ret_fd);
void dx_end_process(pid_t pid);

struct dx_session {
	struct dx_daemon *d;
	pid_t pid; /* whose it is, to the daemon; 0: this process's */
	int fd;
	struct wire_welcome w;
	int fds[WIRE_N_REGIONS];
	struct wire_slots *slots;
	struct gpu_ctrl *ctrl;
};

/* @comm is its name. */
void dx_session_open(struct dx_daemon *d, struct dx_session *s, const char *comm);
void dx_session_close(struct dx_session *s);
/* Return: the descriptor, with the file's number, or a negative errno. */
int dx_open(struct dx_session *s, unsigned int major, unsigned int minor, uint64_t *ret_file);
int dx_open_kfd(struct dx_session *s, uint64_t *ret_file);
/* Return: the descriptor or a negative errno. */
int dx_open_engine(struct dx_session *s);
/* The text of a query, to be freed; NULL with its errno. */
char *dx_query(struct dx_daemon *d, const char *name, int *ret_err);
/* status as JSON; the caller drops it. */
json_t *dx_status(struct dx_daemon *d);
unsigned int dx_n_clients(struct dx_daemon *d);
/* Wait until there are @n; fails the test when they do not become so. */
void dx_wait_clients(struct dx_daemon *d, unsigned int n);

/* ------------------------------------------------ slots */

/* SLOT_OPEN. */
void dx_slot(struct dx_session *s, unsigned int slot);
struct wire_slot_head *dx_head(struct dx_session *s, unsigned int slot);
/* Hand the head in as it is. */
void dx_submit(struct dx_session *s, unsigned int slot);
/* Wait for the answer and free the slot. Return: the result; -ETIMEDOUT after @ms. */
int dx_answer(struct dx_session *s, unsigned int slot, unsigned int ms);
/* An ioctl whose block is all it needs, @len bytes copied in and out. */
int dx_ioctl(struct dx_session *s, unsigned int slot, uint64_t file, uint32_t cmd, void *block,
	     uint32_t len);
/* Begin one, with the block in place as the only segment. */
void dx_ioctl_begin(struct dx_session *s, unsigned int slot, uint64_t file, uint32_t cmd,
		    const void *block, uint32_t len);
int dx_nop(struct dx_session *s, unsigned int slot);

/* WAIT_EVENTS that sleeps for @ms unless @event is set; begun, not waited for. */
void dx_wait_begin(struct dx_session *s, unsigned int slot, uint64_t file, uint32_t event,
		   uint32_t ms);
uint32_t dx_create_event(struct dx_session *s, unsigned int slot, uint64_t file);

uint32_t dx_gpu_id(struct dx_daemon *d, unsigned int gpu);
/* ACQUIRE_VM of the open render node @render; begun, not waited for. */
void dx_acquire_begin(struct dx_session *s, unsigned int slot, uint64_t file, uint64_t render,
		      uint32_t gpu_id);
/* From now on the session's engine is one that never answers: whoever has to wait for it waits for
 * seconds. Which ACQUIRE_VM has to. */
void dx_hang_engine(struct dx_session *s);

/* ------------------------------------------------ time */

uint64_t dx_now_ms(void);
void dx_nap(unsigned int ms);

#endif
