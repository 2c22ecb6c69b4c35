/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon/daemon.h"
#include "wire/proto.h"

#define ANSWER_TIMEOUT_MS 10000

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* The answer's descriptor, or a negative errno. */
static int receive(int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct wire_welcome w = { 0 };
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct cmsghdr *cm;
	int text = -1;

	if (poll(&pfd, 1, ANSWER_TIMEOUT_MS) <= 0)
		return -ETIMEDOUT;
	if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) != sizeof(w) || w.magic != WIRE_MAGIC)
		return -EPROTO;
	cm = CMSG_FIRSTHDR(&msg);
	if (cm && cm->cmsg_type == SCM_RIGHTS)
		memcpy(&text, CMSG_DATA(cm), sizeof(text));
	if (w.status)
		return w.status;
	return text >= 0 ? text : -EPROTO;
}

static char *read_text(int fd, int *ret_err)
{
	struct stat st;
	char *text = NULL;

	if (fstat(fd, &st) == 0)
		text = calloc(1, (size_t)st.st_size + 1);
	if (!text || pread(fd, text, (size_t)st.st_size, 0) != st.st_size) {
		free(text);
		*ret_err = -EIO;
		return NULL;
	}
	return text;
}

int cli_ask(const char *path, unsigned int kind, const char *name, int *ret_conn)
{
	struct wire_hello h = { .magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = kind };
	int conn = connect_to(path), fd;

	if (conn < 0)
		return conn;
	snprintf(h.name, sizeof(h.name), "%s", name);
	fd = send(conn, &h, sizeof(h), MSG_NOSIGNAL) == sizeof(h) ? receive(conn) : -errno;
	if (fd >= 0 && ret_conn)
		*ret_conn = conn;
	else
		close(conn);
	return fd;
}

char *cli_query(const char *path, const char *name, int *ret_err)
{
	int text = cli_ask(path, WIRE_QUERY, name, NULL);
	char *answer;

	if (text < 0) {
		*ret_err = text;
		return NULL;
	}
	answer = read_text(text, ret_err);
	close(text);
	return answer;
}

struct found {
	char path[PATH_MAX];
	unsigned int n;
};

static void note_driver(void *cookie, const char *path)
{
	struct found *f = cookie;

	snprintf(f->path, sizeof(f->path), "%s", path);
	f->n++;
}

int cli_find_driver(const char *connect, char *path, size_t len)
{
	const char *runtime = getenv(WIRE_ENV_RUNTIME);
	struct found f = { .n = 0 };

	if (connect) {
		snprintf(path, len, "%s", connect);
		return CLI_OK;
	}
	if (!runtime || !runtime[0]) {
		daemon_runtime_list(note_driver, &f);
		if (f.n != 1) {
			cli_error(f.n ? "%u drivers are running: choose one with --connect PATH"
				      : "no driver is running (%u found): start one with 'vkfd serve' "
					"or 'vkfd run', or name its socket with --connect PATH", f.n);
			return CLI_FAILED;
		}
		runtime = f.path;
	}
	snprintf(path, len, "%s/" WIRE_SOCKET_NAME, runtime);
	return CLI_OK;
}

int cli_driver_runtime(const char *socket, char *path, size_t len)
{
	int err = 0;
	char *text = cli_query(socket, "runtime", &err);

	if (!text) {
		cli_error("no driver answers at '%s': %s", socket, strerror(-err));
		return CLI_FAILED;
	}
	snprintf(path, len, "%s", text);
	free(text);
	return CLI_OK;
}
