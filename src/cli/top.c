/* SPDX-License-Identifier: MIT */
/**
 * DOC: vkfd top
 *
 * Looks at a driver again and again and shows what it sees, over the whole screen of a
 * terminal. Signals come in through a descriptor, so whatever ends it, the terminal is
 * as it was before; when it is stopped (Ctrl-Z) too.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "cli/cli.h"
#include "cli/top_view.h"

#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"
#define INTERVAL_MS      1000
#define ONCE_INTERVAL_MS 200
#define MIN_INTERVAL_MS  50
#define MAX_INTERVAL_MS  3600000

struct top {
	char socket[PATH_MAX];
	int interval_ms;
	struct top_screen screen;
	json_t *before, *now;
	struct termios was;
	bool is_tty;  /* stdin: keys can be read */
	int signals;
	int ended_by; /* a signal */
	bool quit;
};

/* The next look. Return: 0 or -errno. */
static int look(struct top *t)
{
	int err = 0;
	char *text = cli_query(t->socket, "status", &err);
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;

	free(text);
	if (!root)
		return err ? err : -EPROTO;
	json_decref(t->before);
	t->before = t->now;
	t->now = root;
	return 0;
}

static int no_answer(const struct top *t, int err)
{
	cli_error("no driver answers at '%s': %s", t->socket, strerror(-err));
	return CLI_FAILED;
}

/* ------------------------------------------------ the screen */

static void say(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void measure(struct top_screen *s)
{
	struct winsize w = { 0 };

	s->width = 80;
	s->height = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
		s->width = w.ws_col;
		s->height = w.ws_row;
	}
}

static void enter(struct top *t)
{
	struct termios raw = t->was;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (t->is_tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	say(ENTER, sizeof(ENTER) - 1);
}

static void leave(struct top *t)
{
	say(LEAVE, sizeof(LEAVE) - 1);
	if (t->is_tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->was);
}

/* Over the old frame, line for line, in one write: nothing flickers. */
static void draw(struct top *t)
{
	char *frame, *out = NULL, *p, *next;
	size_t size;
	FILE *f;

	measure(&t->screen);
	/* The last line is for the keys. */
	t->screen.height--;
	frame = top_frame(t->before, t->now, &t->screen);
	f = frame ? open_memstream(&out, &size) : NULL;
	if (f) {
		fputs("\033[H", f);
		for (p = frame; p; p = next) {
			next = strchr(p, '\n');
			if (next)
				*next++ = '\0';
			fprintf(f, "%s\033[K\r\n", p);
		}
		fprintf(f, "\033[J\033[%u;1H\033[2mq quit  s sort: %-9s  j/k scroll\033[0m\033[K",
			t->screen.height + 1, top_sort_name(t->screen.sort));
		if (!fclose(f))
			say(out, size);
	}
	free(out);
	free(frame);
}

/* ------------------------------------------------ keys and signals */

static void key(struct top *t, char c)
{
	switch (tolower((unsigned char)c)) {
	case 'q':
		t->quit = true;
		break;
	case 's':
		t->screen.sort = (t->screen.sort + 1) % TOP_SORTS;
		break;
	case 'j':
		t->screen.scroll++;
		break;
	case 'k':
		t->screen.scroll -= t->screen.scroll > 0;
		break;
	default:
		break;
	}
}

static void keys(struct top *t)
{
	char buf[64];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	/* The terminal is gone. */
	if (n <= 0)
		t->quit = true;
	for (ssize_t i = 0; i < n; i++)
		key(t, buf[i]);
}

/* As a program that handles nothing: stopped, until it is continued. */
static void stop(struct top *t)
{
	sigset_t set;

	leave(t);
	signal(SIGTSTP, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	enter(t);
}

static void take_signal(struct top *t)
{
	struct signalfd_siginfo si;

	if (read(t->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGTSTP)
		stop(t);
	else if (si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCONT)
		t->ended_by = (int)si.ssi_signo;
}

static int open_signals(sigset_t *set)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(set, ours[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until the next look is due; what happens meanwhile is drawn at once. */
static void wait_and_draw(struct top *t)
{
	int64_t until = now_ms() + t->interval_ms, left;

	while (!t->quit && !t->ended_by && (left = until - now_ms()) > 0) {
		struct pollfd p[2] = { { t->signals, POLLIN, 0 },
				       { t->is_tty ? STDIN_FILENO : -1, POLLIN, 0 } };

		if (poll(p, 2, (int)left) <= 0)
			continue;
		if (p[0].revents)
			take_signal(t);
		if (p[1].revents)
			keys(t);
		draw(t);
	}
}

static int watch(struct top *t)
{
	sigset_t set;
	int r = 0;

	t->is_tty = tcgetattr(STDIN_FILENO, &t->was) == 0;
	t->signals = open_signals(&set);
	if (t->signals < 0) {
		cli_error("cannot watch for signals: %s", strerror(errno));
		return CLI_FAILED;
	}
	enter(t);
	while (!t->quit && !t->ended_by && !r) {
		draw(t);
		wait_and_draw(t);
		if (!t->quit && !t->ended_by)
			r = look(t);
	}
	leave(t);
	close(t->signals);
	if (t->ended_by) {
		signal(t->ended_by, SIG_DFL);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		raise(t->ended_by);
	}
	return r ? no_answer(t, r) : CLI_OK;
}

static int show_once(struct top *t)
{
	const char *columns = getenv("COLUMNS");
	char *frame;
	int r;

	poll(NULL, 0, t->interval_ms);
	r = look(t);
	if (r)
		return no_answer(t, r);
	t->screen.width = columns ? (unsigned int)strtoul(columns, NULL, 10) : 80;
	frame = top_frame(t->before, t->now, &t->screen);
	if (!frame)
		return CLI_FAILED;
	printf("%s\n", frame);
	free(frame);
	return CLI_OK;
}

static int take_interval(const char *text, int *ret_ms)
{
	char *end;
	long ms = text ? strtol(text, &end, 10) : *ret_ms;

	if (text && (end == text || *end || ms < MIN_INTERVAL_MS || ms > MAX_INTERVAL_MS)) {
		cli_error("option '--interval' takes milliseconds from %d to %d, not '%s'",
			  MIN_INTERVAL_MS, MAX_INTERVAL_MS, text);
		return CLI_USAGE;
	}
	*ret_ms = (int)ms;
	return CLI_OK;
}

int cli_top(int argc, char **argv)
{
	const char *connect = NULL, *once = NULL, *interval = NULL;
	const struct cli_option options[] = {
		{ "connect", "the socket of a driver", &connect, NULL, NULL },
		{ "socket", "the socket of a driver", &connect, NULL, NULL },
		{ "interval", "milliseconds", &interval, NULL, NULL },
		{ "once", NULL, &once, NULL, NULL },
	};
	int first = cli_parse(argc, argv, options, sizeof(options) / sizeof(options[0])), r;
	static struct top t;

	if (first < 0)
		return CLI_USAGE;
	if (first < argc) {
		cli_error("'%s' is one word too many: expected vkfd top [--connect PATH] [--once] "
			  "[--interval MS]", argv[first]);
		return CLI_USAGE;
	}
	t.interval_ms = once ? ONCE_INTERVAL_MS : INTERVAL_MS;
	r = take_interval(interval, &t.interval_ms);
	if (!r && !once && !isatty(STDOUT_FILENO)) {
		cli_error("the output is no terminal: expected --once");
		r = CLI_USAGE;
	}
	if (!r)
		r = cli_find_driver(connect, t.socket, sizeof(t.socket));
	if (r)
		return r;
	r = look(&t);
	if (r)
		return no_answer(&t, r);
	t.screen.colours = !once;
	r = once ? show_once(&t) : watch(&t);
	json_decref(t.before);
	json_decref(t.now);
	return r;
}
