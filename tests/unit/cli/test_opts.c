/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macro.h"
#include "cli/cli.h"

static const char *machine, *json, *list[CLI_MAX_SETS];
static size_t n_list;

static const struct cli_option options[] = {
	{ "machine", "a name", &machine, NULL, NULL },
	{ "json", NULL, &json, NULL, NULL },
	{ "set", "KEY=VALUE", NULL, list, &n_list },
};

static char said[512]; /* on stderr */

/* Parse the words after the command's name. */
static int parse_n(const char *const *words, int n, const struct cli_option *o, size_t n_options)
{
	char *argv[CLI_MAX_SETS * 2 + 8] = { (char *)"command" };
	int pipe_fd[2], saved = dup(STDERR_FILENO), r;
	ssize_t got;

	machine = json = NULL;
	n_list = 0;
	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)words[i];
	assert_int_equal(pipe(pipe_fd), 0);
	fflush(stderr);
	dup2(pipe_fd[1], STDERR_FILENO);
	close(pipe_fd[1]);
	r = cli_parse(n + 1, argv, o, n_options);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	got = read(pipe_fd[0], said, sizeof(said) - 1);
	assert_true(got >= 0);
	said[got] = '\0';
	close(pipe_fd[0]);
	return r;
}

#define PARSE(...)                                                                                 \
	parse_n((const char *const[]){ __VA_ARGS__ },                                              \
		(int)VKF_ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })), options,              \
		VKF_ARRAY_SIZE(options))

/* One line, with the program's name, that says this. */
static void expect_said(const char *what)
{
	assert_int_equal(strncmp(said, "vkfd: ", 6), 0);
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	if (!strstr(said, what))
		fail_msg("'%s' does not say '%s'", said, what);
}

static void no_words_are_no_options(void **state)
{
	assert_int_equal(parse_n(NULL, 0, options, VKF_ARRAY_SIZE(options)), 1);
	assert_null(machine);
	assert_string_equal(said, "");
}

static void values_come_after_an_equals_sign_or_as_the_next_word(void **state)
{
	assert_int_equal(PARSE("--machine=x"), 2);
	assert_string_equal(machine, "x");
	assert_int_equal(PARSE("--machine", "y"), 3);
	assert_string_equal(machine, "y");
	/* Whatever the value looks like. */
	assert_int_equal(PARSE("--machine", "--json"), 3);
	assert_string_equal(machine, "--json");
	assert_null(json);
	assert_int_equal(PARSE("--machine="), 2);
	assert_string_equal(machine, "");
	assert_int_equal(PARSE("--machine=a=b"), 2);
	assert_string_equal(machine, "a=b");
	assert_string_equal(said, "");
}

static void the_last_of_equal_options_counts(void **state)
{
	assert_int_equal(PARSE("--machine=x", "--machine", "y"), 4);
	assert_string_equal(machine, "y");
}

static void a_flag_is_its_own_name(void **state)
{
	assert_int_equal(PARSE("--json"), 2);
	assert_string_equal(json, "json");
}

static void a_list_keeps_all_in_order(void **state)
{
	assert_int_equal(PARSE("--set", "a=1", "--json", "--set=b=2", "--set", "c"), 7);
	assert_int_equal(n_list, 3);
	assert_string_equal(list[0], "a=1");
	assert_string_equal(list[1], "b=2");
	assert_string_equal(list[2], "c");
}

static void it_stops_at_the_first_word_or_after_two_dashes(void **state)
{
	assert_int_equal(PARSE("--json", "word", "--machine=x"), 2);
	assert_null(machine);
	assert_int_equal(PARSE("--json", "--", "--machine=x"), 3);
	assert_null(machine);
	assert_int_equal(PARSE("--", "--"), 2);
	/* One dash is a word: often a name for standard input. */
	assert_int_equal(PARSE("-", "--json"), 1);
	assert_null(json);
	assert_int_equal(PARSE("", "--json"), 1);
	assert_null(json);
}

static void unknown_options_are_told_with_the_nearest(void **state)
{
	assert_int_equal(PARSE("--machin=x"), -1);
	expect_said("unknown option '--machin': did you mean '--machine'?");
	assert_int_equal(PARSE("--sets", "x"), -1);
	expect_said("did you mean '--set'?");
	assert_int_equal(PARSE("--xyzzy"), -1);
	expect_said("unknown option '--xyzzy': expected --machine or another of vkfd --help");
	assert_int_equal(PARSE("--=x"), -1);
	expect_said("unknown option '--'");
	/* A part of a name is not the name. */
	assert_int_equal(PARSE("--mach", "x"), -1);
	assert_int_equal(PARSE("-json"), -1);
	expect_said("unknown option '-json': options begin with two dashes");
	assert_int_equal(PARSE("-m"), -1);
	expect_said("two dashes");
	assert_int_equal(parse_n((const char *const[]){ "--x" }, 1, NULL, 0), -1);
	expect_said("unknown option '--x': expected --help");
}

static void an_endless_option_is_one_line(void **state)
{
	char word[4096];

	memset(word, 'x', sizeof(word));
	memcpy(word, "--", 2);
	word[sizeof(word) - 1] = '\0';
	assert_int_equal(PARSE(word), -1);
	assert_true(strlen(said) < 200);
	expect_said("unknown option '--xxx");
	memcpy(word, "--machine=", 10);
	assert_int_equal(PARSE(word), 2);
	assert_int_equal(strlen(machine), sizeof(word) - 11);
}

static void a_missing_value_and_one_too_many_are_told(void **state)
{
	assert_int_equal(PARSE("--json", "--machine"), -1);
	expect_said("option '--machine' needs a value: a name");
	assert_int_equal(PARSE("--json=yes"), -1);
	expect_said("option '--json' takes no value");
	assert_int_equal(PARSE("--json="), -1);
	expect_said("option '--json' takes no value");
}

static void a_list_has_an_end(void **state)
{
	const char *words[CLI_MAX_SETS + 1];

	for (int i = 0; i <= CLI_MAX_SETS; i++)
		words[i] = "--set=k=v";
	assert_int_equal(parse_n(words, CLI_MAX_SETS, options, VKF_ARRAY_SIZE(options)),
			 CLI_MAX_SETS + 1);
	assert_int_equal(n_list, CLI_MAX_SETS);
	assert_int_equal(parse_n(words, CLI_MAX_SETS + 1, options, VKF_ARRAY_SIZE(options)), -1);
	expect_said("too many --set: at most 64");
	assert_int_equal(n_list, CLI_MAX_SETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_words_are_no_options),
		cmocka_unit_test(values_come_after_an_equals_sign_or_as_the_next_word),
		cmocka_unit_test(the_last_of_equal_options_counts),
		cmocka_unit_test(a_flag_is_its_own_name),
		cmocka_unit_test(a_list_keeps_all_in_order),
		cmocka_unit_test(it_stops_at_the_first_word_or_after_two_dashes),
		cmocka_unit_test(unknown_options_are_told_with_the_nearest),
		cmocka_unit_test(an_endless_option_is_one_line),
		cmocka_unit_test(a_missing_value_and_one_too_many_are_told),
		cmocka_unit_test(a_list_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
