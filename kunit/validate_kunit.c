// SPDX-License-Identifier: GPL-2.0
/*
 * Validation: it finds each thing that is not as it should be, and nothing else.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "account.h"
#include "depot.h"
#include "magazine.h"
#include "slab.h"
#include "util.h"

/* A cache with something of everything, for errors to be planted in. */
static struct kmag_cache *busy_cache(struct kunit *test, void ***objs,
				     unsigned int *nr)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int m = cache->capacity, i;

	*nr = 20 * m;
	*objs = kmag_test_array(test, *nr);
	kmag_test_alloc(test, cache, *objs, *nr);
	/* Every third one is free: in its slab, the depot, the magazines. */
	for (i = 0; i < *nr; i += 3)
		kmag_cache_free(cache, (*objs)[i]);
	kmag_cache_shrink(cache);
	for (i = 0; i < *nr; i += 3)
		kmag_test_alloc(test, cache, &(*objs)[i], 1);
	*nr -= 10 * m;
	/* No empty ones, so that some go to their slabs. */
	kmag_test_free(cache, *objs + *nr, 10 * m);
	KUNIT_ASSERT_GT(test, kmag_test_cpu(cache)->fast.rounds, 2);
	kmag_test_exact(test, cache, *nr);
	return cache;
}

/* Somewhere to plant it, and what is in the way. */
struct plant {
	struct kunit *test;
	struct kmag_cache *cache;
	struct kmag_cpu *cpu;
	struct kmag_node *node;
	struct kmag_slab *slab;	/* partial */
	void *free;		/* an object in it that is free */
	unsigned int slot;	/* its slot */
	void *live;		/* an object of an owner */
	void *other;		/* an object of another cache */
	void *saved;
};

static void planted_bit(struct plant *p, bool in)
{
	__change_bit(p->slot, p->slab->away);
}

static void planted_inuse(struct plant *p, bool in)
{
	p->slab->inuse += in ? 1 : -1;
}

static void planted_class(struct plant *p, bool in)
{
	p->slab->class = in ? KMAG_FULL :
			 1 + p->slab->inuse * 8 / p->slab->slots;
}

/* An object instead of the first in the loaded magazine. */
static void planted_round(struct plant *p, bool in, void *obj)
{
	void **round = &p->cpu->fast.objs[0];

	if (in) {
		p->saved = *round;
		*round = obj;
	} else {
		*round = p->saved;
	}
}

static void planted_double(struct plant *p, bool in)
{
	planted_round(p, in, p->cpu->fast.objs[1]);
}

static void planted_free_object(struct plant *p, bool in)
{
	planted_round(p, in, p->free);
}

static void planted_interior(struct plant *p, bool in)
{
	planted_round(p, in, p->cpu->fast.objs[0] + 8);
}

static void planted_foreign(struct plant *p, bool in)
{
	planted_round(p, in, p->cache);
}

static void planted_other_cache(struct plant *p, bool in)
{
	planted_round(p, in, p->other);
}

static void planted_round_more(struct plant *p, bool in)
{
	p->cpu->fast.rounds += in ? -1 : 1;
}

static void planted_node_free(struct plant *p, bool in)
{
	p->node->free += in ? 1 : -1;
}

static void planted_node_slots(struct plant *p, bool in)
{
	p->node->slots += in ? 1 : -1;
}

static void planted_node_slabs(struct plant *p, bool in)
{
	p->node->nr_slabs += in ? -1 : 1;
}

static void planted_full_class(struct plant *p, bool in)
{
	p->node->nr[KMAG_FULL] += in ? 1 : -1;
}

static void planted_partial_class(struct plant *p, bool in)
{
	p->node->nr[p->slab->class] += in ? -1 : 1;
}

static void planted_empty_free(struct plant *p, bool in)
{
	p->node->empty_free += in ? 1 : -1;
}

static void planted_bytes(struct plant *p, bool in)
{
	p->node->bytes += in ? PAGE_SIZE : -PAGE_SIZE;
}

static void planted_tail(struct plant *p, bool in)
{
	p->node->tail += in ? 8 : -8;
}

static void planted_meta(struct plant *p, bool in)
{
	p->node->meta += in ? -8 : 8;
}

static void planted_draining(struct plant *p, bool in)
{
	p->node->nr_draining += in ? 1 : -1;
}

static void planted_draining_slots(struct plant *p, bool in)
{
	p->node->draining_slots += in ? 1 : -1;
}

static void planted_draining_bytes(struct plant *p, bool in)
{
	p->node->draining_bytes += in ? PAGE_SIZE : -PAGE_SIZE;
}

static void planted_depot_objs(struct plant *p, bool in)
{
	p->node->depot.objs += in ? 1 : -1;
}

static void planted_depot_full(struct plant *p, bool in)
{
	p->node->depot.nr_full += in ? 1 : -1;
}

static void planted_depot_empty(struct plant *p, bool in)
{
	p->node->depot.nr_empty += in ? 1 : -1;
}

static void planted_depot_bytes(struct plant *p, bool in)
{
	p->node->depot.bytes += in ? 8 : -8;
}

static void planted_alloc_count(struct plant *p, bool in)
{
	p->cpu->fast.allocs += in ? 1 : -1;
}

static void planted_free_count(struct plant *p, bool in)
{
	p->cpu->stats[KMAG_FREE_DEPOT] += in ? 1 : -1;
}

static void planted_bad_count(struct plant *p, bool in)
{
	p->cpu->stats[KMAG_FREE_BAD] += in ? 1 : -1;
}

static void planted_transit(struct plant *p, bool in)
{
	atomic_long_add(in ? 1 : -1, &p->cache->transit);
}

static const struct planted {
	const char *desc;
	void (*plant)(struct plant *p, bool in);
} planted[] = {
	{ "a bit of a bitmap", planted_bit },
	{ "a slab's count", planted_inuse },
	{ "a slab's class", planted_class },
	{ "an object in magazines twice", planted_double },
	{ "a free object in a magazine", planted_free_object },
	{ "an interior pointer in a magazine", planted_interior },
	{ "a foreign pointer in a magazine", planted_foreign },
	{ "another cache's object", planted_other_cache },
	{ "a lost round", planted_round_more },
	{ "a node's free slots", planted_node_free },
	{ "a node's slots", planted_node_slots },
	{ "a node's slabs", planted_node_slabs },
	{ "a node's full slabs", planted_full_class },
	{ "a node's slabs of a class", planted_partial_class },
	{ "a node's slots of empty slabs", planted_empty_free },
	{ "a node's bytes", planted_bytes },
	{ "a node's tails", planted_tail },
	{ "a node's descriptors", planted_meta },
	{ "a node's draining slabs", planted_draining },
	{ "slots of draining slabs", planted_draining_slots },
	{ "bytes of draining slabs", planted_draining_bytes },
	{ "a depot's objects", planted_depot_objs },
	{ "a depot's full magazines", planted_depot_full },
	{ "a depot's empty magazines", planted_depot_empty },
	{ "a depot's bytes", planted_depot_bytes },
	{ "an allocation too many", planted_alloc_count },
	{ "a free too many", planted_free_count },
	{ "a report too many", planted_bad_count },
	{ "an object in transit", planted_transit },
};

KUNIT_ARRAY_PARAM_DESC(planted, planted, desc);

static void validate_finds(struct kunit *test)
{
	const struct planted *what = test->param_value;
	struct kmag_cache *other = kmag_test_cache(test, 64, 0, 0, NULL);
	struct plant p = { .test = test };
	struct kmag_slab *slab;
	unsigned int nr;
	void **objs;
	unsigned long nr_page = 0;

	p.cache = busy_cache(test, &objs, &nr);
	p.cpu = kmag_test_cpu(p.cache);
	p.node = kmag_test_node(p.cache);
	kmag_test_alloc(test, other, &p.other, 1);
	p.live = objs[0];
	while ((slab = kmag_test_next_slab(p.cache, &nr_page)))
		if (slab->class != KMAG_EMPTY && slab->class != KMAG_FULL &&
		    slab->inuse < slab->slots - 1)
			p.slab = slab;
	KUNIT_ASSERT_NOT_NULL(test, p.slab);
	p.slot = find_first_zero_bit(p.slab->away, p.slab->slots);
	p.free = p.slab->base + p.slot * p.cache->stride;

	what->plant(&p, true);
	KUNIT_EXPECT_GT(test, kmag_cache_validate(p.cache), 0);
	KUNIT_EXPECT_EQ(test, kmag_cache_validate(other), 0);
	what->plant(&p, false);
	kmag_test_exact(test, p.cache, nr);
	kmag_test_free(p.cache, objs, nr);
	kmag_cache_free(other, p.other);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(validate_finds, planted_gen_params),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_validate",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
