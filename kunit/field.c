// SPDX-License-Identifier: GPL-2.0
/*
 * A field: slabs with as many live objects as a test wants.
 */
#include <linux/mutex.h>
#include <linux/sort.h>

#include "evacuate.h"
#include "field.h"
#include "slab.h"

static int by_address(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

struct field field_make(struct kunit *test, unsigned int even, unsigned int odd)
{
	struct field f;
	struct kmag_slab *last = NULL;
	unsigned int all, i, at = 0, nr = 0;

	f.cache = kmag_test_cache(test, 256, 0, 0, NULL);
	kmag_evacuate_off(f.cache);
	f.node = kmag_test_node(f.cache);
	f.slots = f.cache->slab_slots;
	all = SLABS * f.slots;
	f.objs = kmag_test_array(test, all);
	kmag_test_alloc(test, f.cache, f.objs, all);
	sort(f.objs, all, sizeof(*f.objs), by_address, NULL);
	f.nr = 0;
	for (i = 0; i < all; i++) {
		struct kmag_slab *slab = kmag_test_slab_of(f.objs[i]);

		if (slab != last) {
			last = slab;
			at = 0;
			nr++;
		}
		if (at++ < (nr % 2 ? even : odd))
			f.objs[f.nr++] = f.objs[i];
		else
			kmag_cache_free(f.cache, f.objs[i]);
	}
	/* All that is cached goes home. */
	kmag_cache_shrink(f.cache);
	return f;
}

bool field_evacuate(struct field *f)
{
	bool marked;

	mutex_lock(&f->cache->fence_lock);
	marked = kmag_evacuate(f->cache);
	mutex_unlock(&f->cache->fence_lock);
	return marked;
}

void field_tick(struct field *f)
{
	f->cache->evac.interval++;
}

bool field_drains(const void *obj)
{
	return kmag_test_slab_of(obj)->draining;
}

unsigned int field_rounds(struct field *f)
{
	struct kmag_pcp *pcp = &kmag_test_cpu(f->cache)->fast;

	return pcp->rounds + pcp->prev_rounds;
}

void *field_pick(struct kunit *test, struct field *f, bool draining)
{
	unsigned int i;
	void *obj;

	for (i = 0; i < f->nr && field_drains(f->objs[i]) != draining; i++)
		;
	KUNIT_ASSERT_LT(test, i, f->nr);
	obj = f->objs[i];
	f->objs[i] = f->objs[--f->nr];
	return obj;
}

void field_finish(struct kunit *test, struct field *f)
{
	kmag_test_exact(test, f->cache, f->nr);
	kmag_test_free(f->cache, f->objs, f->nr);
}
