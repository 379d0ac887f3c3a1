// SPDX-License-Identifier: GPL-2.0
/*
 * Tunables: all thresholds of evacuation, each with its reason. Objects away are
 * what has to have a place; free slots of partial slabs are the excess.
 */
#include <linux/export.h>
#include <linux/mutex.h>

#include "tune.h"

const struct kmag_tunable kmag_tunables[] = {
	/* In parts of what is away: less does not pay for a grace period. */
	[KMAG_TUNE_START] = { "start", 16, 2, 1024 },
	/*
	 * The same, while slabs drain: frees look already, so that more of it pays
	 * for a grace period sooner. Marks that were made in the middle of a spike
	 * are made good by this.
	 */
	[KMAG_TUNE_MORE] = { "more", 64, 2, 4096 },
	/* The same: well under START, or it would begin again at once. */
	[KMAG_TUNE_STOP] = { "stop", 50, 4, 4096 },
	/*
	 * The same: stays free in the slabs that are kept, or the first refill
	 * takes marked ones back. Under STOP, so that an end is reached.
	 */
	[KMAG_TUNE_ROOM] = { "room", 128, 5, 65536 },
	/* Slabs that are gained at least, to be worth a grace period. */
	[KMAG_TUNE_SLABS] = { "slabs", 8, 1, 65536 },
	/*
	 * From one look at a sparse cache to the next. Two follow the last free of a
	 * spike: that leaves most of 100 ms for the grace period.
	 */
	[KMAG_TUNE_DELAY_MS] = { "delay_ms", 10, 1, 60000 },
	/*
	 * In parts of what is away: a look that finds so much less of it away than
	 * the last one waits for the next. In the middle of a spike it is not known
	 * yet which slabs will be the emptiest, and each round has a grace period.
	 */
	[KMAG_TUNE_FALL] = { "fall", 128, 2, 65536 },
	/*
	 * So many looks wait at most: a second or so, as one that falls slower and
	 * slower by itself is to be made compact before it ends.
	 */
	[KMAG_TUNE_WAITS] = { "waits", 100, 0, 1000 },
	/*
	 * Intervals in which a slab that was taken back is not marked again: a
	 * demand that comes and goes does not take marks along.
	 */
	[KMAG_TUNE_REST] = { "rest", 4, 0, 100000 },
	/*
	 * Intervals without a slab coming back, in each of which an eighth of what is
	 * away was freed: those that are left may never.
	 */
	[KMAG_TUNE_PATIENCE] = { "patience", 10, 1, 100000 },
	/* Intervals that those rest then: frees are cheap most of the time. */
	[KMAG_TUNE_HOPELESS] = { "hopeless", 60, 1, 100000 },
};
EXPORT_SYMBOL_IF_KUNIT(kmag_tunables);

static void set_floor(struct kmag_cache *cache)
{
	/* Flushes look at it, under another lock. */
	WRITE_ONCE(cache->evac.floor,
		   kmag_tuned(cache, KMAG_TUNE_SLABS) * cache->slab_slots +
		   2 * cache->capacity);
}

void kmag_tune_init(struct kmag_cache *cache)
{
	unsigned int i;

	for (i = 0; i < KMAG_NR_TUNES; i++)
		cache->evac.tune[i] = kmag_tunables[i].value;
	set_floor(cache);
}

/* Are START, MORE, STOP and ROOM as far apart as they have to be? */
static bool in_order(const u32 *tune)
{
	return tune[KMAG_TUNE_MORE] >= tune[KMAG_TUNE_START] &&
	       tune[KMAG_TUNE_STOP] >= 2 * tune[KMAG_TUNE_START] &&
	       tune[KMAG_TUNE_ROOM] > tune[KMAG_TUNE_STOP] &&
	       tune[KMAG_TUNE_ROOM] > tune[KMAG_TUNE_MORE];
}

int kmag_tune_set(struct kmag_cache *cache, enum kmag_tune tune, u32 value)
{
	const struct kmag_tunable *t = &kmag_tunables[tune];
	struct kmag_evac *evac = &cache->evac;
	u32 was;
	int ret = 0;

	if (value < t->min || value > t->max)
		return -ERANGE;
	mutex_lock(&cache->fence_lock);
	was = evac->tune[tune];
	WRITE_ONCE(evac->tune[tune], value);	/* as in kmag_tuned() */
	if (in_order(evac->tune)) {
		set_floor(cache);
	} else {
		WRITE_ONCE(evac->tune[tune], was);
		ret = -EINVAL;
	}
	mutex_unlock(&cache->fence_lock);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_tune_set);
