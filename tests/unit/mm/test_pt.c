/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_fixture f;
static struct mm_pt_tree tree;

static int setup(void **state)
{
	struct mm_fixture_config config = { .pt_tables = 8 };

	mm_fixture_init(&f, &config);
	assert_int_equal(mm_pt_init(&tree, f.a.mm, f.dev[0]), 0);
	return 0;
}

static int teardown(void **state)
{
	mm_pt_fini(&tree);
	mm_fixture_fini(&f);
	return 0;
}

static uint64_t vram_used(void)
{
	struct mm_device_usage usage;

	mm_device_usage(f.dev[0], &usage);
	assert_int_equal(usage.vram_managed, usage.page_tables);
	assert_int_equal(usage.vram_used, 0);
	return usage.vram_managed;
}

static void a_root_is_one_table_in_region_and_vram(void **state)
{
	assert_int_equal(tree.n_tables, 1);
	assert_int_equal(tree.root->level, MM_PDB2);
	assert_int_not_equal(tree.root->body.index, 0);
	assert_ptr_equal(tree.root->body.words,
			 (struct mm_pt_words *)f.a.pt + tree.root->body.index);
	assert_int_equal(vram_used(), VKF_PAGE_SIZE);
	assert_int_equal(f.a.mm->n_pt_used, 1);
}

static void a_table_hangs_below_its_parent(void **state)
{
	struct mm_pt *pt;

	assert_int_equal(mm_pt_attach(&tree, tree.root, 5, &pt), 0);
	assert_ptr_equal(mm_pt_child(tree.root, 5), pt);
	assert_null(mm_pt_child(tree.root, 4));
	assert_int_equal(pt->level, MM_PDB1);
	assert_int_not_equal(pt->body.index, tree.root->body.index);
	assert_int_not_equal(mm_pt_vram(pt).v, mm_pt_vram(tree.root).v);
	assert_int_equal(vram_used(), 2 * VKF_PAGE_SIZE);
	mm_pt_detach(&tree, pt);
	assert_null(mm_pt_child(tree.root, 5));
	mm_pt_free(&tree, pt);
	assert_int_equal(tree.n_tables, 1);
	assert_int_equal(vram_used(), VKF_PAGE_SIZE);
}

static void a_lowest_table_has_no_children(void **state)
{
	struct mm_pt *pt = tree.root;

	for (unsigned int level = MM_PDB1; level <= MM_PTB; level++)
		assert_int_equal(mm_pt_attach(&tree, pt, 0, &pt), 0);
	assert_int_equal(pt->level, MM_PTB);
	for (unsigned int i = 0; i < MM_PT_SLOTS; i++)
		assert_null(mm_pt_child(pt, i));
	/* They are freed with the tree. */
}

static void no_table_left_in_the_region_is_out_of_memory(void **state)
{
	struct mm_pt *pt;
	unsigned int n = 0;
	int r;

	while (!(r = mm_pt_attach(&tree, tree.root, n, &pt)))
		n++;
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(n, 6); /* eight, without number 0 and the root */
	assert_int_equal(vram_used(), 7 * VKF_PAGE_SIZE);
}

static int fault_pt(const char *point, uint64_t arg)
{
	return strcmp(point, "mm.pt") || arg != 0 ? 0 : EIO;
}

static void a_fault_can_be_injected(void **state)
{
	static const struct vkf_env_ops env = { counting_zalloc, counting_free, fault_pt };
	struct mm_pt *pt;

	vkf_env_set(&env);
	assert_int_equal(mm_pt_attach(&tree, tree.root, 0, &pt), -EIO);
	vkf_env_set(NULL);
	assert_int_equal(tree.n_tables, 1);
}

static void a_refusal_leaves_nothing(void **state)
{
	struct mm_pt *pt;
	int r = -1;

	for (unsigned int n = 1; r; n++) {
		fail_alloc(n);
		r = mm_pt_attach(&tree, tree.root, 0, &pt);
		vkf_env_set(NULL);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_null(mm_pt_child(tree.root, 0));
			assert_int_equal(f.a.mm->n_pt_used, 1);
			assert_int_equal(vram_used(), VKF_PAGE_SIZE);
		}
	}
}

static void fini_invalidates_and_leaves_no_entry(void **state)
{
	struct mm_pt *pt;
	struct mm_pt_tree other;
	uint64_t *words = f.a.pt;

	assert_int_equal(mm_pt_init(&other, f.a.mm, f.dev[0]), 0);
	assert_int_equal(mm_pt_attach(&other, other.root, 0, &pt), 0);
	pt->body.words->entry[7] = 1;
	pt->n_live = 1;
	other.root->body.words->entry[0] = 1;
	other.root->n_live = 1;
	mm_pt_fini(&other);
	assert_int_equal(f.a.n_invalidated[0], 1);
	for (unsigned int i = 0; i < 8 * MM_PT_BYTES / sizeof(*words); i++)
		assert_int_equal(words[i], 0);
}

static const char *no_leaf(void *arg, uint64_t va, unsigned int level, uint64_t entry,
			   uint64_t link)
{
	return "a leaf";
}

static void the_check_sees_what_is_broken(void **state)
{
	struct mm_pt *pt;

	assert_null(mm_pt_check(&tree, no_leaf, NULL));
	assert_int_equal(mm_pt_attach(&tree, tree.root, 3, &pt), 0);
	assert_string_equal(mm_pt_check(&tree, no_leaf, NULL),
			    "a page table hangs in a slot that is not in use");
	mm_pt_set_live(tree.root, 3, true);
	assert_string_equal(mm_pt_check(&tree, NULL, NULL),
			    "an empty page table is in no list, or one in use is");
	mm_pt_note_use(pt);
	mm_pt_set_live(pt, 0, true);
	assert_string_equal(mm_pt_check(&tree, NULL, NULL),
			    "an empty page table is in no list, or one in use is");
	mm_pt_note_use(pt);
	assert_string_equal(mm_pt_check(&tree, NULL, NULL),
			    "a page table has not as many entries as it counts");
	tree.root->n_after = pt->n_after = 1;
	assert_null(mm_pt_check(&tree, NULL, NULL));
	assert_string_equal(mm_pt_check(&tree, no_leaf, NULL),
			    "a directory entry does not hold its table's address");
	tree.root->body.words->entry[3] = mm_pte_directory(mm_pt_vram(pt));
	assert_string_equal(mm_pt_check(&tree, no_leaf, NULL),
			    "a directory entry's link is not its table");
	tree.root->body.words->link[3] = pt->body.index;
	assert_string_equal(mm_pt_check(&tree, no_leaf, NULL),
			    "a page table has not the entries it knows of");
	pt->body.words->entry[0] = 1;
	assert_string_equal(mm_pt_check(&tree, no_leaf, NULL), "a leaf");
	tree.n_tables++;
	assert_string_equal(mm_pt_check(&tree, NULL, NULL),
			    "a VM has not as many page tables as it counts");
	tree.n_tables--;
	tree.n_empty++;
	assert_string_equal(mm_pt_check(&tree, NULL, NULL),
			    "a VM has not as many empty page tables as it counts");
	tree.n_empty--;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_root_is_one_table_in_region_and_vram),
		TEST(a_table_hangs_below_its_parent),
		TEST(a_lowest_table_has_no_children),
		TEST(no_table_left_in_the_region_is_out_of_memory),
		TEST(a_fault_can_be_injected),
		TEST(a_refusal_leaves_nothing),
		TEST(fini_invalidates_and_leaves_no_entry),
		TEST(the_check_sees_what_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
