/* SPDX-License-Identifier: MIT */
#include "cli/top_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Two programs on one GPU of 100 MiB, at 1 s and at 3 s. */
#define LOOK(now, packets_a, evictions_a, state_b, waits)                                          \
	"{'machine':'m','pid':7,'now_us':" now ",'gpus':[{'gpu':0,'name':'vega20','vram_total':"   \
	"104857600,'vram_used':83886080,'evictions':" evictions_a "}],'system':{},"                \
	"'waits':[" waits "],'clients':["                                                          \
	"{'client':3,'pid':11,'comm':'first','evictions':" evictions_a                             \
	",'evicted_ms':1" evictions_a "0,'evicted':false,'queues':1,'gpus':[{'resident':52428800}],"              \
	"'queue_list':[{'id':0,'gpu':0,'type':'SDMA','state':'running','packets':" packets_a       \
	"}]},"                                                                                     \
	"{'client':4,'pid':12,'comm':'second','evictions':0,'evicted':true,'queues':1,"            \
	"'gpus':[{'resident':20971520}],'queue_list':[{'id':5,'gpu':0,'type':'AQL','state':"       \
	"'" state_b "','packets':9}]}]}"

static json_t *before, *now;
static char *text;

static json_t *parse(const char *s)
{
	char *quoted = strdup(s);
	json_t *o;

	for (char *p = quoted; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(quoted, 0, NULL);
	assert_non_null(o);
	free(quoted);
	return o;
}

static void frame(const char *b, const char *n, struct top_screen screen)
{
	before = b ? parse(b) : NULL;
	now = parse(n);
	text = top_frame(before, now, &screen);
	assert_non_null(text);
}

static int drop(void **state)
{
	free(text);
	json_decref(before);
	json_decref(now);
	before = now = NULL;
	text = NULL;
	return 0;
}

static void has(const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in\n%s", part, text);
}

static void has_not(const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' in\n%s", part, text);
}

static const struct top_screen plain = { .width = 80 };

static void rates_are_what_has_changed(void **state)
{
	frame(LOOK("1000000", "100", "2", "evicted", ""),
	      LOOK("3000000", "5100", "6", "evicted", ""), plain);
	has("evictions 2.0/s");
	has("A      11 first               50.0   1 running   2500   2.0   2%  -");
	has("A      11     0   0 SDMA      running       2500           5100");
	has("B      12     5   0 AQL       evicted          0              9");
}

static void one_look_has_no_rates(void **state)
{
	frame(NULL, LOOK("1000000", "100", "2", "evicted", ""), plain);
	has("evictions 0/s");
	has("A      11     0   0 SDMA      running          0            100");
}

/* A queue of the same number that is a new one, or one whose packets are counted anew. */
static void what_shrinks_began_again(void **state)
{
	frame(LOOK("1000000", "100", "0", "idle", ""), LOOK("3000000", "50", "0", "idle", ""),
	      plain);
	has("SDMA      running         25             50");
}

static void the_bar_shows_who_has_the_memory(void **state)
{
	/* 27 columns for 100 MiB: 50, 20 and 10 of them. */
	frame(NULL, LOOK("1000000", "100", "2", "evicted", ""), plain);
	has("  0 vega20    [AAAAAAAAAAAAAABBBBB##......]     80.0 /    100.0      0.0       0\n");
}

/* Figures give way to the bar where there is little room. */
static void a_narrow_screen_has_a_bar(void **state)
{
	const struct top_screen narrow = { .width = 60 };

	frame(NULL, LOOK("1000000", "100", "2", "evicted", ""), narrow);
	has("  0 vega20    [AAAAAAAAAAAABBBBB##.....]     80.0 /    100.0\n");
}

static void a_wait_says_for_whom(void **state)
{
	const struct top_screen wide = { .width = 100 };

	frame(NULL,
	      LOOK("1000000", "1", "0", "idle",
		   "{'client':3,'owner':0,'what':'an event','us':900000},"
		   "{'client':3,'owner':4,'what':'a move','us':50},"
		   "{'client':4,'owner':4,'what':'page tables','us':50}"),
	      wide);
	has("  a move of B second\n");
	has_not("an event");
}

/* It waits for whoever has what it wants back, whatever its own call waits for. */
static void an_evicted_program_waits_for_those_who_have_the_memory(void **state)
{
	frame(NULL,
	      LOOK("1000000", "1", "0", "evicted",
		   "{'client':4,'owner':0,'what':'an event','us':900000}"),
	      plain);
	has(" evicted      0     0   0%  VRAM of A\n");
}

/* Nobody has to go for it to come back. */
static void a_program_whose_gpu_was_reset_waits_for_nobody(void **state)
{
	static const char sound[] = "'evicted':true,", lost[] = "'lost':true   ,";
	char *look = strdup(LOOK("1000000", "1", "0", "faulted", ""));

	_Static_assert(sizeof(sound) == sizeof(lost), "one is written over the other");
	memcpy(strstr(look, sound), lost, sizeof(lost) - 1);
	frame(NULL, look, plain);
	free(look);
	has("B      12 second              20.0   1 lost         0     0   0%  -\n");
	has("AQL       faulted");
}

static void programs_are_in_the_order_that_is_asked_for(void **state)
{
	struct top_screen screen = { .width = 80, .sort = TOP_BY_PID };

	frame(NULL, LOOK("1000000", "1", "0", "idle", ""), screen);
	assert_true(strstr(text, "\nA      11") < strstr(text, "\nB      12"));
	drop(state);
	screen.sort = TOP_BY_PACKETS;
	frame(LOOK("1000000", "1", "0", "idle", ""), LOOK("2000000", "1", "0", "idle", ""),
	      screen);
	assert_true(strstr(text, "\nA      11") < strstr(text, "\nB      12"));
	assert_string_equal(top_sort_name(TOP_BY_PACKETS), "packets");
}

static void no_frame_is_larger_than_its_screen(void **state)
{
	for (unsigned int width = 1; width < 200; width += 7) {
		for (unsigned int height = 1; height < 12; height++) {
			struct top_screen s = { .width = width, .height = height, .colours = true };
			unsigned int lines = 1;

			frame(NULL, LOOK("1000000", "1", "0", "waiting", ""), s);
			for (char *p = text, *end; p; p = end) {
				end = strchr(p, '\n');
				assert_true(top_columns(p, end ? end : p + strlen(p)) <= width);
				if (end) {
					lines++;
					end++;
				}
			}
			assert_true(lines <= height);
			drop(state);
		}
	}
}

static void programs_and_queues_are_one_list(void **state)
{
	struct top_screen screen = { .width = 80, .scroll = 1 };

	frame(NULL, LOOK("1000000", "1", "0", "idle", ""), screen);
	has_not("A      11 first");
	has("B      12 second");
	has("SDMA");
	drop(state);
	screen.scroll = 3;
	frame(NULL, LOOK("1000000", "1", "0", "idle", ""), screen);
	has_not("WAITS FOR");
	has_not("SDMA");
	has("B      12     5   0 AQL");
}

/* Title, GPUs and limits are four lines; two programs and two queues have two headings. */
static void nobody_scrolls_beyond_the_end(void **state)
{
	before = NULL;
	now = parse(LOOK("1000000", "1", "0", "idle", ""));
	for (unsigned int height = 5; height < 12; height++) {
		struct top_screen s = { .width = 80, .height = height, .scroll = 1000 };

		text = top_frame(before, now, &s);
		assert_int_equal(s.below, 0);
		if (height >= 10)
			assert_int_equal(s.scroll, 0);
		if (height > 5)
			has("B      12     5   0 AQL");
		free(text);
	}
	for (unsigned int scroll = 0; scroll < 3; scroll++) {
		struct top_screen s = { .width = 80, .height = 7, .scroll = scroll };

		text = top_frame(before, now, &s);
		assert_int_equal(s.scroll, scroll);
		/* One line for items beside two headings, or two beside one. */
		assert_int_equal(s.below, scroll < 2 ? 3 - scroll : 0);
		free(text);
	}
	text = NULL;
}

static void keys_say_how_much_is_not_seen(void **state)
{
	struct top_screen s = { .width = 80, .scroll = 3, .below = 4 };

	text = top_keys(&s);
	assert_string_equal(text, "q quit  s sort: memory     j/k scroll  ? help  (3 above, 4 below)");
	free(text);
	s.scroll = s.below = 0;
	s.width = 12;
	text = top_keys(&s);
	assert_string_equal(text, "q quit  s so");
}

static void help_fits_a_small_terminal(void **state)
{
	struct top_screen s = { .width = 80, .height = 24, .colours = true };
	const char *last;

	text = top_help(&s);
	has("?  this; any key leaves it    q  quit");
	for (const char *p = text, *end; p; p = last) {
		end = p + strcspn(p, "\n");
		last = *end ? end + 1 : NULL;
		/* Whole: a line that was cut is as wide as the screen. */
		assert_true(top_columns(p, end) < 80);
	}
}

/* As is known of programs that are called something else than ASCII. */
static void columns_are_characters(void **state)
{
	const char s[] = "\033[1;31mz\xc3\xbc\033[0m.";

	assert_int_equal(top_columns(s, s + sizeof(s) - 1), 3);
}

static void many_gpus_leave_room_for_programs(void **state)
{
	struct top_screen s = { .width = 80, .height = 16 };
	json_t *gpus;

	before = NULL;
	now = parse(LOOK("1000000", "1", "0", "idle", ""));
	gpus = json_object_get(now, "gpus");
	for (int i = 1; i < 9; i++)
		json_array_append_new(gpus, json_pack("{s:i, s:s}", "gpu", i, "name", "more"));
	text = top_frame(before, now, &s);
	has("  4 more");
	has_not("  5 more");
	has("    and 4 more\n");
	has("B      12     5   0 AQL");
}

static void a_text_that_is_no_status_is_an_empty_frame(void **state)
{
	frame("[]", "{}", plain);
	has("programs 0  queues 0");
}

#define CASE(fn) cmocka_unit_test_teardown(fn, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rates_are_what_has_changed),
		CASE(one_look_has_no_rates),
		CASE(what_shrinks_began_again),
		CASE(the_bar_shows_who_has_the_memory),
		CASE(a_narrow_screen_has_a_bar),
		CASE(a_wait_says_for_whom),
		CASE(an_evicted_program_waits_for_those_who_have_the_memory),
		CASE(a_program_whose_gpu_was_reset_waits_for_nobody),
		CASE(programs_are_in_the_order_that_is_asked_for),
		CASE(no_frame_is_larger_than_its_screen),
		CASE(programs_and_queues_are_one_list),
		CASE(nobody_scrolls_beyond_the_end),
		CASE(keys_say_how_much_is_not_seen),
		CASE(help_fits_a_small_terminal),
		CASE(columns_are_characters),
		CASE(many_gpus_leave_room_for_programs),
		CASE(a_text_that_is_no_status_is_an_empty_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
