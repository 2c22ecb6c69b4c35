/* SPDX-License-Identifier: MIT */
#include "host/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int host_lines_create(struct host_lines *l, int *ret_fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	(void)fcntl(ends[1], F_SETFD, 0);
	*l = (struct host_lines){ .fd = ends[0] };
	*ret_fd = ends[1];
	return 0;
}

void host_lines_destroy(struct host_lines *l)
{
	close(l->fd);
}

/* What the other end has not read yet, in the kernel's coin. */
static unsigned int charged(const struct host_lines *l)
{
	int n = 0;

	return ioctl(l->fd, SIOCOUTQ, &n) < 0 || n < 0 ? 0 : (unsigned int)n;
}

static size_t unread(struct host_lines *l, unsigned int charge)
{
	size_t sum = 0;

	if (!charge)
		l->n = 0;
	else if (l->unit && (charge + l->unit - 1) / l->unit < l->n)
		l->n = (charge + l->unit - 1) / l->unit;
	for (unsigned int i = 1; i <= l->n; i++)
		sum += l->len[(l->head - i) % HOST_LINES_KEPT];
	return sum;
}

bool host_lines_put(struct host_lines *l, const char *line, size_t len, size_t limit)
{
	unsigned int charge = charged(l);

	if (unread(l, charge) + len > limit || l->n == HOST_LINES_KEPT)
		return false;
	if (send(l->fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		return false;
	l->len[l->head++ % HOST_LINES_KEPT] = (uint16_t)len;
	l->n++;
	/* The reader may have been faster, and then there is nothing to learn. */
	if (!charge && charged(l))
		l->unit = charged(l);
	return true;
}

int host_lines_word(struct host_lines *l, uint64_t *word)
{
	uint64_t in;
	ssize_t n;

	do {
		n = recv(l->fd, &in, sizeof(in), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(in))
			*word = in;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ? -EPIPE : 0;
}
