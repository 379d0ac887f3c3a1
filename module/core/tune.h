/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tunables: the thresholds of evacuation, of each cache its own.
 */
#ifndef _KMAG_TUNE_H
#define _KMAG_TUNE_H

#include "internal.h"

/**
 * struct kmag_tunable - what is known of a threshold
 * @name: for users
 * @value: unless it is changed
 * @min: the lowest that makes sense
 * @max: the highest
 */
struct kmag_tunable {
	const char *name;
	u32 value;
	u32 min;
	u32 max;
};

/* By enum kmag_tune. */
extern const struct kmag_tunable kmag_tunables[KMAG_NR_TUNES];

/**
 * kmag_tuned - a threshold
 * @cache: whose
 * @tune: which
 *
 * Context: Any.
 * Return: its value.
 */
static inline u32 kmag_tuned(const struct kmag_cache *cache,
			     enum kmag_tune tune)
{
	/* Changes by kmag_tune_set(), at any time. */
	return READ_ONCE(cache->evac.tune[tune]);
}

/* A new cache has what kmag_tunables says. */
void kmag_tune_init(struct kmag_cache *cache);

/**
 * kmag_tune_set - change a threshold
 * @cache: whose
 * @tune: which
 * @value: in its bounds, and in its order with the others
 *
 * Slabs that drain are not looked at again for it.
 *
 * Context: Process context, may sleep.
 * Return: 0, -ERANGE if it is out of bounds, or -EINVAL if evacuation would
 *	begin where it ends, or end where its room begins.
 */
int kmag_tune_set(struct kmag_cache *cache, enum kmag_tune tune, u32 value);

#endif /* _KMAG_TUNE_H */
