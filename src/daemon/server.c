/* SPDX-License-Identifier: MIT */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "daemon/place.h"

void server_log(const char *line)
{
	fprintf(stderr, "vkfd: %s\n", line);
}

void server_check_idle(struct server *s)
{
	bool over = s->stopping || (s->config->lifetime_fd >= 0 && s->lifetime_over);

	if (over && vkf_list_empty(&s->sessions) && !s->n_queries && !s->tracer &&
	    (s->stopping || !s->n_conns))
		sd_event_exit(s->event, 0);
}

void server_poke(struct server *s)
{
	uint64_t one = 1;

	(void)!write(s->reaped_fd, &one, sizeof(one));
}

void server_hand_over(struct server *s, struct vkf_list *list, struct vkf_list *item)
{
	vkf_mutex_lock(&s->reaped_lock);
	vkf_list_add_tail(item, list);
	vkf_mutex_unlock(&s->reaped_lock);
	server_poke(s);
}

struct vkf_list *server_take_over(struct server *s, struct vkf_list *list)
{
	struct vkf_list *item = NULL;

	vkf_mutex_lock(&s->reaped_lock);
	if (!vkf_list_empty(list)) {
		item = list->next;
		vkf_list_del(item);
	}
	vkf_mutex_unlock(&s->reaped_lock);
	return item;
}

static int on_listen(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	conn_accept(userdata, fd);
	return 0;
}

static int on_reaped(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct server *s = userdata;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return -errno;
	session_collect(s);
	query_collect(s);
	conn_resume(s);
	trace_collect(s);
	server_check_idle(s);
	return 0;
}

static int on_lifetime(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct server *s = userdata;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	s->lifetime_over = true;
	/* Whoever started us has gone, and may be waited for through this very descriptor. */
	daemon_null_fd(STDERR_FILENO);
	server_check_idle(s);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct server *s = userdata;
	struct session *session, *next;

	s->stopping = true;
	trace_end(s, NULL);
	vkf_list_for_each_safe(session, next, &s->sessions, link)
		session_end(session);
	server_check_idle(s);
	return 0;
}

static int listen_at(const char *runtime)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" WIRE_SOCKET_NAME, runtime);
	return daemon_listen(path);
}

static int add_sources(struct server *s)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	int r = sd_event_add_io(s->event, NULL, s->listen_fd, EPOLLIN, on_listen, s);

	/* A connection that is gone again must not stop the loop in accept(). */
	if (r >= 0 && s->config->extra_listen_fd >= 0 &&
	    fcntl(s->config->extra_listen_fd, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	if (r >= 0 && s->config->extra_listen_fd >= 0)
		r = sd_event_add_io(s->event, NULL, s->config->extra_listen_fd, EPOLLIN, on_listen,
				    s);
	if (r >= 0)
		r = sd_event_add_io(s->event, NULL, s->reaped_fd, EPOLLIN, on_reaped, s);
	if (r >= 0 && s->config->lifetime_fd >= 0)
		r = sd_event_add_io(s->event, NULL, s->config->lifetime_fd, EPOLLIN, on_lifetime,
				    s);
	for (size_t i = 0; r >= 0 && i < VKF_ARRAY_SIZE(ends); i++)
		r = sd_event_add_signal(s->event, NULL, ends[i], on_signal, s);
	return r < 0 ? r : 0;
}

static void tell_ready(const struct daemon_config *config)
{
	if (config->ready_fd >= 0) {
		if (write(config->ready_fd, "", 1) != 1)
			server_log("the starter did not wait for the driver");
		close(config->ready_fd);
	}
	if (config->notify)
		sd_notify(0, "READY=1");
}

void daemon_block_signals(void)
{
	sigset_t set;

	/* SIGPIPE: a client may be gone when it is answered. The rest comes through sd-event. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A session takes seven descriptors, and each of its files one. */
static void raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int server_open(struct server *s)
{
	int r;

	snprintf(s->root, sizeof(s->root), "%s/" WIRE_ROOT_NAME, s->config->runtime);
	r = tree_write(s->config->profile, s->root);
	if (r < 0)
		return r;
	driver_set_procfs(s->driver, &tree_procfs, s->root);
	s->reaped_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->reaped_fd < 0 || s->spare_fd < 0)
		return -errno;
	s->listen_fd = listen_at(s->config->runtime);
	if (s->listen_fd < 0)
		return s->listen_fd;
	r = sd_event_new(&s->event);
	if (r < 0)
		return r;
	return add_sources(s);
}

/* Whatever the loop ended for: every task that it started has ended, too. */
static void wait_for_tasks(struct server *s)
{
	while (!vkf_list_empty(&s->sessions) || s->n_queries || s->tracer) {
		struct pollfd p = { .fd = s->reaped_fd, .events = POLLIN };
		uint64_t n;

		if (poll(&p, 1, -1) > 0)
			(void)!read(s->reaped_fd, &n, sizeof(n));
		session_collect(s);
		query_collect(s);
		trace_collect(s);
	}
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void server_close(struct server *s)
{
	s->stopping = true;
	while (!vkf_list_empty(&s->conns))
		conn_close(vkf_list_first(&s->conns, struct conn, link));
	wait_for_tasks(s);
	closing_destroy(s->closing);
	sd_event_unref(s->event);
	close_fd(s->listen_fd);
	close_fd(s->reaped_fd);
	close_fd(s->spare_fd);
	driver_destroy(s->driver);
	vkf_mutex_fini(&s->reaped_lock);
}

int daemon_run(const struct daemon_config *config)
{
	struct server s = { .config = config, .listen_fd = -1, .reaped_fd = -1, .spare_fd = -1 };
	int r;

	daemon_block_signals();
	raise_limits();
	place_setup();
	vkf_list_init(&s.conns);
	vkf_list_init(&s.sessions);
	vkf_list_init(&s.reaped);
	vkf_list_init(&s.answered);
	vkf_list_init(&s.traced);
	vkf_mutex_init(&s.reaped_lock, VKF_RANK_LEAF);
	r = driver_create(config->profile, &s.driver);
	if (!r)
		r = closing_create(&s.closing);
	if (!r)
		r = server_open(&s);
	if (!r) {
		tell_ready(config);
		r = sd_event_loop(s.event);
	}
	server_close(&s);
	return r;
}
