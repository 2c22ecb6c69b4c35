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
#include "driver/call.h"
#include "driver/look.h"
#include "host/memfd.h"
#include "wire/proto.h"
#include "wire/slot.h"

struct closing;
struct server;
struct session;
struct stream;
struct tracer;

/* struct conn - one connection; all of it belongs to the main loop */
struct conn {
	struct vkf_list link;
	struct server *server;
	sd_event_source *io;
	int fd;
	enum wire_kind kind;         /* 0 until the hello has come */
	struct wire_hello *held;     /* SESSION: not answered before those that end have ended */
	struct session *session;     /* SESSION, ENGINE */
	struct driver_file *file;    /* FILE, STREAM */
	struct stream *stream;       /* STREAM, once it is taken: @fd is our end of it */
	unsigned int major, minor;
};

/* struct session_slot - the driver's end of one call slot */
struct session_slot {
	struct session *session;
	struct vkf_task *task;       /* NULL until SLOT_OPEN; main loop, then the reaper */
	struct vkf_mutex lock;       /* rank LEAF; protects the rest */
	bool busy;
	uint32_t seq;                /* of the call being served while @busy */
	bool cancelled;              /* a CANCEL came before its call was seen ... */
	uint32_t cancelled_seq;      /* ... for this one */
	struct driver_file *made;    /* by the last call, until it is taken or the next begins */
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
	atomic_uint n_tasks;         /* slots' and interrupts' tasks that have not ended yet */
	struct conn *conn;           /* main loop; NULL once its end was seen */
	struct conn *engine;         /* main loop */
	struct vkf_mutex engine_lock; /* rank LEAF; protects @engine_fd while it is used */
	int engine_fd;               /* of the engine's connection, or -1 */
	sd_event_source *pidfd;
	atomic_bool closing;         /* tasks end */
	atomic_bool gave_back;       /* and what it had is free for others */
	_Atomic int32_t client_cpu;  /* where its last call came from; -1: there was none */
};

struct server {
	const struct daemon_config *config;
	char root[256]; /* of the tree; constant */
	struct driver *driver;
	sd_event *event;
	struct vkf_list conns, sessions;
	unsigned int n_conns;
	unsigned int n_queries;      /* tasks that answer one */
	int listen_fd;
	int spare_fd;                /* given up to tell a program that there is no room */
	int reaped_fd;               /* eventfd: something was put into one of the lists below */
	struct tracer *tracer;       /* NULL: nobody traces */
	struct vkf_mutex reaped_lock; /* rank LEAF; protects the next three */
	struct vkf_list reaped;      /* sessions whose reaper is done */
	struct vkf_list answered;    /* queries whose task is done */
	struct vkf_list traced;      /* the tracer whose task is done */
	struct closing *closing;
	bool lifetime_over, stopping;
};

/* conn.c: main loop, but for conn_reply() */
int conn_accept(struct server *s, int listen_fd);
void conn_close(struct conn *c);
/* Answer the hellos that were held back, if nobody's memory is still being given back. */
void conn_resume(struct server *s);
/* Send @w and @n_fds descriptors, without waiting for the peer. Return: 0 or -errno. */
int conn_reply(int fd, const struct wire_welcome *w, const int *fds, unsigned int n_fds);

/* session.c: main loop */
/* What process @pid was before (exec) ends. Return: whether the memory of any session is still being
 * given back: as the kernel, a new one waits for that. */
bool session_make_way(struct server *s, int32_t pid);
int session_create(struct server *s, struct conn *c, int32_t pid, const char *comm,
		   struct session **ret_session);
/* The address space is gone, or the driver ends: take the session down in a task of its own. */
void session_end(struct session *session);
/* Free the sessions whose reaper has finished. */
void session_collect(struct server *s);
struct session *session_find(struct server *s, uint64_t id, uint64_t token);
/* What session_wake_engine() tells; -1: there is no engine (any more). */
void session_set_engine(struct session *session, struct conn *engine);
/* It has gone before its program. */
void session_lose_engine(struct session *session);
int session_open_slot(struct session *session, unsigned int slot);
void session_cancel(struct session *session, unsigned int slot, uint32_t seq);

/* stream.c: our end of what a program reads SMI events from. */
/* Return: 0 with the program's end in @ret_fd, now the caller's; or -EMFILE, -ENFILE, -ENOMEM. */
int stream_create(struct driver_file *file, struct stream **ret_stream, int *ret_fd);
int stream_fd(const struct stream *st);
/* Something has come. Return: 0, or -EPIPE when the program has closed its last descriptor. */
int stream_look(struct stream *st);
/* Before the file is closed. NULL is fine. */
void stream_destroy(struct stream *st);

/* The file @id that the last call in @slot has made, now the caller's; or NULL. */
struct driver_file *session_take_made(struct session *session, unsigned int slot, uint64_t id);

/* closing.c: main loop. Return: 0 or -ENOMEM. */
int closing_create(struct closing **ret_closing);
/* Waits until all is closed; NULL is fine. */
void closing_destroy(struct closing *c);
/* Close @f, with all that goes with it, in a task. */
void closing_add(struct closing *c, struct driver_file *f);

/* serve.c: the task of a slot */
void serve_slot(void *slot);

/* query.c, main loop: answer the query for @name on @fd, which stays the caller's, at once or from
 * a task. Return: 0, or -errno when nobody has answered it. */
int query_answer(struct server *s, int fd, const char *name);
/* Free the queries whose task has answered. */
void query_collect(struct server *s);

/* trace.c, main loop: trace for @c, and answer it. Return: 0, or -errno when nobody answered. */
int trace_start(struct server *s, struct conn *c);
/* What @c traces, or whoever does (NULL), ends soon. */
void trace_end(struct server *s, const struct conn *c);
/* Free the tracer whose task has ended. */
void trace_collect(struct server *s);

/* status.c: the text of the query "status", to be freed; NULL without memory. Waits as
 * driver_for_each_client(). */
char *status_text(struct server *s);

/* tree.c: write the machine's files below @root. */
int tree_write(const struct machine_profile *profile, const char *root);
/* The directory of files of processes, as a program names it. */
#define TREE_PROC "/sys/devices/virtual/kfd/kfd/proc/"
/* Its live files come and go; the cookie is the root, as a string that lives on. */
extern const struct kfd_procfs_ops tree_procfs;

/* server.c: main loop; end the driver if nothing keeps it. */
void server_check_idle(struct server *s);
/* Any task: hand @item, now the main loop's, over to session_collect() and query_collect(). */
void server_hand_over(struct server *s, struct vkf_list *list, struct vkf_list *item);
/* Any task: let the main loop look after sessions. */
void server_poke(struct server *s);
/* Main loop: the next item of @list, or NULL. */
struct vkf_list *server_take_over(struct server *s, struct vkf_list *list);
void server_log(const char *line);

#endif
