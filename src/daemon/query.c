/* SPDX-License-Identifier: MIT */
/**
 * DOC: Texts that are asked for by name
 *
 * What tells of clients waits for their locks, which they may hold as long as an engine
 * is waited for, so a task of its own writes it; nothing else keeps the main loop.
 *
 *	status		a JSON object: what vkfd status shows
 *	memory:FORM	all memory; FORM is text or json
 *	vm:FORM:PID:GPU	one VM; the errno of driver_dump_vm(), or EINVAL
 *	runtime		the runtime directory
 *	inject:WHAT	nothing; a GPU is reset, or a program meets bad memory
 *	file:PATH	the present content of a live file of the tree
 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "driver/dump.h"
#include "mm/print.h"

#define MAX_QUERIES 16
#define DUMP_BYTES (64 << 10) /* to begin with */

static int text_fd(const char *text, size_t len)
{
	int fd = memfd_create("vkfd-text", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static int query_status(struct server *s, const char *args)
{
	char *text = status_text(s);
	int fd = text ? text_fd(text, strlen(text)) : -ENOMEM;

	free(text);
	return fd;
}

static int query_file(struct server *s, const char *path)
{
	struct machine_usage usage;
	char buf[4096];
	int n;

	driver_usage(s->driver, &usage);
	n = machine_live_file(s->config->profile, &usage, path, buf, sizeof(buf));
	return n < 0 ? n : text_fd(buf, (size_t)n);
}

/* ------------------------------------------------ what prints itself */

/* struct dump - what is to be printed, and how */
struct dump {
	struct server *server;
	bool json, vm;
	int32_t pid;
	uint32_t gpu;
};

/* What follows "memory" or "vm". */
static int parse_dump(const char *args, struct dump *dump)
{
	long long pid, gpu;
	int n = 0;

	dump->json = !strncmp(args, ":json", 5);
	if (!dump->json && strncmp(args, ":text", 5))
		return -EINVAL;
	args += 5;
	if (!dump->vm)
		return *args ? -EINVAL : 0;
	if (sscanf(args, ":%10lld:%10lld%n", &pid, &gpu, &n) != 2 || args[n] || pid < 0 || gpu < 0)
		return -EINVAL;
	if (gpu > UINT32_MAX)
		return -ENODEV;
	if (pid > INT32_MAX)
		return -ESRCH;
	dump->pid = (int32_t)pid;
	dump->gpu = (uint32_t)gpu;
	return 0;
}

static int print_dump(const struct dump *dump, char *buf, size_t len, size_t *ret_used)
{
	struct mm_print p;
	int r = 0;

	(dump->json ? mm_print_init_json : mm_print_init)(&p, buf, len);
	if (dump->vm)
		r = driver_dump_vm(dump->server->driver, dump->pid, dump->gpu, &p);
	else
		driver_dump_memory(dump->server->driver, &p);
	if (!r)
		mm_print_finish(&p);
	*ret_used = p.used;
	return r;
}

/* Return: a descriptor, -errno, or -EMSGSIZE with *@ret_used set: so much room it needs. */
static int try_dump(const struct dump *dump, size_t len, size_t *ret_used)
{
	char *buf = malloc(len);
	int r;

	if (!buf)
		return -ENOMEM;
	r = print_dump(dump, buf, len, ret_used);
	if (!r)
		r = *ret_used < len ? text_fd(buf, *ret_used) : -EMSGSIZE;
	free(buf);
	return r;
}

/* Again with more room until it fits; it may grow meanwhile. */
static int query_dump(struct server *s, const char *args, bool vm)
{
	struct dump dump = { .server = s, .vm = vm };
	size_t len = DUMP_BYTES, used = 0;
	int r = parse_dump(args, &dump);

	if (r)
		return r;
	while ((r = try_dump(&dump, len, &used)) == -EMSGSIZE)
		len = used + used / 4 + 1;
	return r;
}

static int query_memory(struct server *s, const char *args)
{
	return query_dump(s, args, false);
}

static int query_vm(struct server *s, const char *args)
{
	return query_dump(s, args, true);
}

/* @path: a file of a process, whose locks may have to be waited for. */
static int query_proc_file(struct server *s, const char *path)
{
	int pid, at = 0, n = -ENOENT;
	char buf[128];

	if (sscanf(path, "%d/%n", &pid, &at) == 1 && at)
		n = driver_proc_file(s->driver, pid, path + at, buf, sizeof(buf));
	return n < 0 ? n : text_fd(buf, (size_t)n);
}

/* ------------------------------------------------ what goes wrong on demand */

/* To the thread that the kernel would choose: the first. */
static int send_sigbus(int32_t pid)
{
	return syscall(SYS_tgkill, pid, pid, SIGBUS) < 0 ? -errno : 0;
}

/* ":reset:GPU", or ":poison:PID:ADDRESS". */
static int query_inject(struct server *s, const char *args)
{
	unsigned long long va;
	unsigned int gpu;
	int pid, n = 0, r = -EINVAL;

	if (sscanf(args, ":reset:%u%n", &gpu, &n) == 1 && !args[n]) {
		r = driver_reset_gpu(s->driver, gpu);
	} else if (sscanf(args, ":poison:%d:%llx%n", &pid, &va, &n) == 2 && !args[n]) {
		r = driver_poison(s->driver, pid, va, send_sigbus);
	}
	return r ? r : text_fd("", 0);
}

/* ------------------------------------------------ who answers */

/* What a task of its own answers. Return: a descriptor or a negative errno. */
static const struct {
	const char *name;
	bool args; /* more follows the name */
	int (*text)(struct server *s, const char *args);
} slow[] = {
	{ "status", false, query_status },
	{ "memory", true, query_memory },
	{ "vm", true, query_vm },
	{ "inject", true, query_inject },
};

/* struct query - one that a task answers */
struct query {
	struct vkf_list link; /* in server.answered */
	struct server *server;
	struct vkf_task *task;
	int fd; /* a copy of the connection's descriptor */
	int (*text)(struct server *s, const char *args);
	char args[WIRE_NAME_MAX];
};

/* Give the text in @text, or say why there is none. */
static int answer(int fd, int text)
{
	struct wire_welcome w = { .magic = WIRE_MAGIC, .status = text < 0 ? text : 0 };
	int r = conn_reply(fd, &w, &text, text >= 0);

	if (text >= 0)
		close(text);
	return r;
}

static void query_task(void *arg)
{
	struct query *q = arg;

	answer(q->fd, q->text(q->server, q->args));
	close(q->fd);
	server_hand_over(q->server, &q->server->answered, &q->link);
}

static int start_query(struct server *s, int fd,
		       int (*text)(struct server *s, const char *args), const char *args)
{
	struct query *q;
	int r = -ENOMEM;

	if (s->n_queries >= MAX_QUERIES)
		return -EAGAIN;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->server = s;
	q->text = text;
	snprintf(q->args, sizeof(q->args), "%s", args);
	q->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r = q->fd < 0 ? -errno : vkf_spawn("vkfd-query", query_task, q, &q->task);
	if (r) {
		if (q->fd >= 0)
			close(q->fd);
		free(q);
		return r;
	}
	s->n_queries++;
	return 0;
}

void query_collect(struct server *s)
{
	struct vkf_list *item;

	while ((item = server_take_over(s, &s->answered))) {
		struct query *q = vkf_container_of(item, struct query, link);

		vkf_join(q->task);
		s->n_queries--;
		free(q);
	}
}

int query_answer(struct server *s, int fd, const char *name)
{
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		size_t len = strlen(slow[i].name);

		if (!strncmp(name, slow[i].name, len) && name[len] == (slow[i].args ? ':' : '\0'))
			return start_query(s, fd, slow[i].text, name + len);
	}
	if (!strcmp(name, "runtime"))
		return answer(fd, text_fd(s->config->runtime, strlen(s->config->runtime)));
	if (!strncmp(name, "file:" TREE_PROC, sizeof("file:" TREE_PROC) - 1))
		return start_query(s, fd, query_proc_file, name + sizeof("file:" TREE_PROC) - 1);
	if (!strncmp(name, "file:", 5))
		return answer(fd, query_file(s, name + 5));
	return -ENOENT;
}
