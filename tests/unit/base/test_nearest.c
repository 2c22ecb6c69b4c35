/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/nearest.h"

static const char *const names[] = { "run", "serve", "status", NULL };

static void a_letter_more_less_or_other_is_near(void **state)
{
	assert_string_equal(vkf_nearest("runn", names), "run");
	assert_string_equal(vkf_nearest("serv", names), "serve");
	assert_string_equal(vkf_nearest("stotus", names), "status");
	assert_string_equal(vkf_nearest("status", names), "status");
}

static void swapped_neighbours_count_once(void **state)
{
	assert_string_equal(vkf_nearest("rnu", names), "run");
}

static void what_is_far_is_no_suggestion(void **state)
{
	assert_null(vkf_nearest("machines", names));
	assert_null(vkf_nearest("", names));
}

static void words_of_any_length_are_taken(void **state)
{
	char word[4096];

	for (size_t i = 0; i < sizeof(word); i++)
		word[i] = i + 1 < sizeof(word) ? 'r' : '\0';
	assert_null(vkf_nearest(word, names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_letter_more_less_or_other_is_near),
		cmocka_unit_test(swapped_neighbours_count_once),
		cmocka_unit_test(what_is_far_is_no_suggestion),
		cmocka_unit_test(words_of_any_length_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
