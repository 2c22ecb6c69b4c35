/* SPDX-License-Identifier: MIT */
#include "shim/env.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "shim/route.h"
#include "shim/shim.h"
#include "wire/proto.h"

static const struct shim_env inactive;
static _Atomic(const struct shim_env *) env;

/* "DIR/NAME" into @buf. Return: its length, or 0 when it does not fit. */
static size_t join(char *buf, size_t size, const char *dir, const char *name)
{
	size_t n = strlen(dir), m = strlen(name);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (n + 1 + m >= size)
		return 0;
	memcpy(buf, dir, n);
	buf[n] = '/';
	memcpy(buf + n + 1, name, m + 1);
	return n + 1 + m;
}

/* What the kernel calls the directory @path. Return: the length, 0 when there is none. */
static size_t real_name(const char *path, char *buf, size_t size)
{
	long fd = SYS4(openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	size_t n;

	if (sys_is_error(fd))
		return 0;
	n = route_fd_name((int)fd, buf, size);
	sys_close((int)fd);
	return n;
}

static enum env_engine engine_mode(void)
{
	const char *s = getenv(WIRE_ENV_ENGINE);

	if (s && strcmp(s, "thread") == 0)
		return ENV_ENGINE_THREAD;
	if (s && strcmp(s, "none") == 0)
		return ENV_ENGINE_NONE;
	return ENV_ENGINE_PROCESS;
}

static bool fill(struct shim_env *e, const char *dir)
{
	e->sock.sun_family = AF_UNIX;
	if (!join(e->sock.sun_path, sizeof(e->sock.sun_path), dir, WIRE_SOCKET_NAME))
		return false;
	e->root_len = join(e->root, sizeof(e->root), dir, WIRE_ROOT_NAME);
	if (!e->root_len)
		return false;
	e->real_len = real_name(e->root, e->real, sizeof(e->real));
	if (!e->real_len) {
		memcpy(e->real, e->root, sizeof(e->real));
		e->real_len = e->root_len;
	}
	e->engine = engine_mode();
	e->active = true;
	return true;
}

static const struct shim_env *make(void)
{
	const char *dir = getenv(WIRE_ENV_RUNTIME);
	const struct shim_env *expected = NULL, *made = &inactive;
	long p = 0;

	if (dir && dir[0] == '/') {
		p = SYS6(mmap, NULL, sizeof(struct shim_env), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (!sys_is_error(p) && fill((struct shim_env *)p, dir))
			made = (const struct shim_env *)p;
	}
	if (atomic_compare_exchange_strong(&env, &expected, made))
		return made;
	if (p && !sys_is_error(p))
		SYS2(munmap, p, sizeof(struct shim_env));
	return expected;
}

const struct shim_env *shim_env(void)
{
	const struct shim_env *e = atomic_load_explicit(&env, memory_order_acquire);

	return SHIM_LIKELY(e) ? e : make();
}
