// SPDX-License-Identifier: GPL-2.0
/*
 * Swaps of loaded and previous: without the lock wherever that may be, and not
 * where somebody counts on magazines that stay where they are.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "field.h"
#include "util.h"

/*
 * A pattern that turns at the end of a magazine. Whoever takes the lock looks at
 * the gate first, and would mend what is said of it here.
 */
static void swaps_take_no_lock(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	struct kmag_cpu *cpu = kmag_test_cpu(f.cache);
	u32 i, cap = f.cache->capacity;
	unsigned long swaps;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	for (i = 0; i < cap; i++)
		kmag_cache_free(f.cache, field_pick(test, &f, false));
	KUNIT_ASSERT_EQ(test, cpu->fast.rounds, cap);
	KUNIT_ASSERT_EQ(test, cpu->gate, KMAG_GATE_OPEN);
	swaps = kmag_test_stat(f.cache, KMAG_SWAP);
	cpu->gate = KMAG_GATE_DRAINED;

	/* What goes home finds the magazine full, and needs no room. */
	kmag_cache_free(f.cache, field_pick(test, &f, true));
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_HOME), 1);
	KUNIT_EXPECT_EQ(test, field_rounds(&f), cap);
	for (i = 0; i < 2; i++)
		kmag_cache_free(f.cache, field_pick(test, &f, false));
	KUNIT_EXPECT_EQ(test, field_rounds(&f), cap + 2);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_SWAP), swaps + 1);
	for (i = 0; i < 4; i++) {
		f.objs[f.nr] = kmag_cache_alloc(f.cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f.objs[f.nr++]);
	}
	KUNIT_EXPECT_EQ(test, field_rounds(&f), cap - 2);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_SWAP), swaps + 2);

	KUNIT_EXPECT_EQ(test, cpu->gate, KMAG_GATE_DRAINED);
	KUNIT_EXPECT_EQ(test, cpu->fast.hi, 0);
	cpu->gate = KMAG_GATE_OPEN;
	field_finish(test, &f);
}

/*
 * Whoever drains a CPU behind its closed gate counts on its magazines: they stay
 * where they are, though a swap would help, whether slabs drain or not.
 */
static void no_swap_behind_a_closed_gate(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	struct kmag_cpu *cpu = kmag_test_cpu(f.cache);
	u32 cap = f.cache->capacity;
	unsigned long swaps;
	unsigned int i, n;

	for (n = 0; n < 2; n++) {
		for (i = 0; i < cap; i++)
			kmag_cache_free(f.cache, field_pick(test, &f, false));
		KUNIT_ASSERT_EQ(test, cpu->fast.rounds, cap);
		KUNIT_ASSERT_EQ(test, cpu->fast.prev_rounds, 0);
		swaps = kmag_test_stat(f.cache, KMAG_SWAP);
		kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
		kmag_cache_free(f.cache, field_pick(test, &f, false));
		KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_SWAP), swaps);
		KUNIT_EXPECT_EQ(test, cpu->gate, KMAG_GATE_OPEN);
		KUNIT_EXPECT_EQ(test, field_rounds(&f), 1);

		for (i = 0; i < cap; i++)
			kmag_cache_free(f.cache, field_pick(test, &f, false));
		f.objs[f.nr] = kmag_cache_alloc(f.cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f.objs[f.nr++]);
		KUNIT_ASSERT_EQ(test, cpu->fast.rounds, 0);
		KUNIT_ASSERT_EQ(test, cpu->fast.prev_rounds, cap);
		swaps = kmag_test_stat(f.cache, KMAG_SWAP);
		kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
		f.objs[f.nr] = kmag_cache_alloc(f.cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f.objs[f.nr++]);
		KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_SWAP), swaps);
		KUNIT_EXPECT_EQ(test, cpu->gate, KMAG_GATE_OPEN);
		kmag_test_exact(test, f.cache, f.nr);

		/* The same while slabs drain. */
		kmag_cache_shrink(f.cache);
		KUNIT_ASSERT_EQ(test, field_evacuate(&f), !n);
	}
	field_finish(test, &f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(swaps_take_no_lock),
	KUNIT_CASE(no_swap_behind_a_closed_gate),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_swap",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
