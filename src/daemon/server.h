/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DAEMON_SERVER_H
#define VKFD_DAEMON_SERVER_H

/**
 * DOC: What the files of the daemon share
 *
 * The main loop (one thread) owns connections and the list of sessions. Each
 * session has tasks of its own: one per call slot in use, one for interrupts; and
 * one that takes it down when its address space is gone. Only the main loop
 * touches sd-event.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include "base/list.h"
#include "base/lock.h"
#include "daemon/daemon.h"
#include "driver/driver.h"
#include "host/memfd.h"
#include "wire/proto.h"
#include "wire/slot.h"

struct server;
struct session;

/* struct conn - one connection; all of it belongs to the main loop */
struct conn {
	struct vkf_list link;
	struct server *server;
	sd_event_source *io;
	int fd;
	enum wire_kind kind;         /* 0 until the hello has come */
	struct session *session;     /* SESSION, ENGINE */
	struct driver_file *file;    /* FILE */
	unsigned int major, minor;
};

/* struct session_slot - the driver's end of one call slot */
struct session_slot {
	struct session *session;
	struct vkf_task *task;       /* NULL until SLOT_OPEN; main loop only */
	struct vkf_mutex lock;       /* rank LEAF; protects the rest */
	bool busy;
	uint32_t seq;                /* of the call being served while @busy */
};

struct session {
	struct vkf_list link;        /* in server.sessions; main loop */
	struct vkf_list reaped_link; /* in server.reaped; protected by its lock */
	struct server *server;
	struct driver_client *client;
	uint64_t id, token;
	int32_t pid;
	struct host_region regions[WIRE_N_REGIONS];
	struct session_slot slots[WIRE_SLOTS];
	struct vkf_task *irq_task, *reaper;
	struct conn *conn;           /* main loop; NULL once its end was seen */
	_Atomic int engine_fd;       /* of the engine's connection, or -1 */
	struct conn *engine;         /* main loop */
	sd_event_source *pidfd;
	atomic_bool closing;         /* tasks end */
};

struct server {
	const struct daemon_config *config;
	struct driver *driver;
	sd_event *event;
	struct vkf_list conns, sessions;
	unsigned int n_conns;
	int listen_fd, reaped_fd;    /* eventfd: a reaper has finished */
	struct vkf_mutex reaped_lock; /* rank LEAF; protects @reaped */
	struct vkf_list reaped;      /* sessions whose reaper is done */
	bool lifetime_over, stopping;
};

/* conn.c: main loop */
int conn_accept(struct server *s, int listen_fd);
void conn_close(struct conn *c);

/* session.c: main loop, but for session_wake_engine() */
int session_create(struct server *s, struct conn *c, int32_t pid, const char *comm,
		   struct session **ret_session);
/* The address space is gone, or the driver ends: take the session down in a task of its own. */
void session_end(struct session *session);
/* Free the sessions whose reaper has finished. */
void session_collect(struct server *s);
struct session *session_find(struct server *s, uint64_t id, uint64_t token);
int session_open_slot(struct session *session, unsigned int slot);
void session_cancel(struct session *session, unsigned int slot, uint32_t seq);

/* serve.c: the task of a slot */
void serve_slot(void *slot);

/* query.c: the text named @name in a new memfd. Return: the fd or -errno. */
int query_open(struct server *s, const char *name);

/* tree.c: write the machine's files below @root. */
int tree_write(const struct machine_profile *profile, const char *root);

/* server.c: main loop; end the driver if nothing keeps it. */
void server_check_idle(struct server *s);
void server_log(const char *line);

#endif
