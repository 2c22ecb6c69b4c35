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
	bool help;    /* what everything means is shown instead */
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

/* Over what stands there. Behind a line's last column the cursor is still in it: nothing is cleared. */
static void write_line(FILE *f, const struct top_screen *s, unsigned int row, const char *text,
		       const char *end)
{
	fprintf(f, "\033[%u;1H%.*s%s", row, (int)(end - text), text,
		top_columns(text, end) < s->width ? "\033[K" : "");
}

static void write_frame(FILE *f, const struct top_screen *s, const char *frame, const char *keys,
			unsigned int height)
{
	unsigned int row = 0;

	for (const char *p = frame, *end; p; p = *end ? end + 1 : NULL) {
		end = p + strcspn(p, "\n");
		write_line(f, s, ++row, p, end);
	}
	if (row < height)
		fprintf(f, "\033[%u;1H\033[J", row + 1);
	if (keys)
		write_line(f, s, height, keys, keys + strlen(keys));
}

/* In one write, line for line: nothing flickers. */
static void draw(struct top *t)
{
	char *frame, *keys = NULL, *out = NULL;
	unsigned int height;
	size_t size;
	FILE *f;

	measure(&t->screen);
	height = t->screen.height;
	/* The last line is for the keys, if there is another. */
	if (height > 1)
		t->screen.height--;
	frame = t->help ? top_help(&t->screen) : top_frame(t->before, t->now, &t->screen);
	if (height > 1 && !t->help)
		keys = top_keys(&t->screen);
	f = frame ? open_memstream(&out, &size) : NULL;
	if (f) {
		write_frame(f, &t->screen, frame, keys, height);
		if (!fclose(f))
			say(out, size);
	}
	free(out);
	free(keys);
	free(frame);
}

/* ------------------------------------------------ keys and signals */

/* Up for less than 0. How far is far enough is the frame's to say. */
static void scroll(struct top *t, int lines)
{
	unsigned int *s = &t->screen.scroll;

	if (lines < 0)
		*s -= *s < (unsigned int)-lines ? *s : (unsigned int)-lines;
	else
		*s += (unsigned int)lines;
}

static void key(struct top *t, char c)
{
	c = (char)tolower((unsigned char)c);
	if (c == 'q') {
		t->quit = true;
		return;
	}
	if (t->help || c == '?' || c == 'h') {
		t->help = !t->help;
		return;
	}
	if (c == 's')
		t->screen.sort = (t->screen.sort + 1) % TOP_SORTS;
	else if (c == 'j')
		scroll(t, 1);
	else if (c == 'k')
		scroll(t, -1);
	else if (c == '\f')
		say("\033[2J", 4);
}

/* A key that sends more than a byte: ESC, [ or O, digits, and a last byte. Return: how many. */
static size_t long_key(struct top *t, const char *s, size_t n)
{
	const int far = 1000000, page = (int)t->screen.height / 2 + 1;
	size_t i = 2;

	if (n < 3 || s[0] != '\033' || (s[1] != '[' && s[1] != 'O'))
		return 0;
	while (i + 1 < n && (isdigit((unsigned char)s[i]) || s[i] == ';'))
		i++;
	if (t->help)
		t->help = false;
	else if (s[i] == 'A' || s[i] == 'B')
		scroll(t, s[i] == 'A' ? -1 : 1);
	else if (s[i] == 'H' || s[i] == 'F')
		scroll(t, s[i] == 'H' ? -far : far);
	else if (s[i] == '~' && strchr("17", s[2]))
		scroll(t, -far);
	else if (s[i] == '~' && strchr("48", s[2]))
		scroll(t, far);
	else if (s[i] == '~' && strchr("56", s[2]))
		scroll(t, s[2] == '5' ? -page : page);
	return i + 1;
}

static void keys(struct top *t)
{
	char buf[64];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	/* The terminal is gone. */
	if (n <= 0)
		t->quit = true;
	for (ssize_t i = 0; i < n;) {
		size_t len = long_key(t, buf + i, (size_t)(n - i));

		if (!len)
			key(t, buf[i]);
		i += (ssize_t)(len ? len : 1);
	}
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
	unsigned long width = columns ? strtoul(columns, NULL, 10) : 0;
	char *frame;
	int r;

	poll(NULL, 0, t->interval_ms);
	r = look(t);
	if (r)
		return no_answer(t, r);
	t->screen.width = width && width < 10000 ? (unsigned int)width : 80;
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

static int check_terminal(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO)) {
		cli_error("the output is no terminal: expected --once");
		return CLI_USAGE;
	}
	if (!term || !term[0] || !strcmp(term, "dumb")) {
		cli_error("the terminal cannot move its cursor (TERM is '%s'): expected --once",
			  term ? term : "");
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* As no-color.org has it. */
static bool wants_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return !no || !no[0];
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
	if (!r && !once)
		r = check_terminal();
	if (!r)
		r = cli_find_driver(connect, t.socket, sizeof(t.socket));
	if (r)
		return r;
	r = look(&t);
	if (r)
		return no_answer(&t, r);
	t.screen.colours = !once && wants_colours();
	r = once ? show_once(&t) : watch(&t);
	json_decref(t.before);
	json_decref(t.now);
	return r;
}
