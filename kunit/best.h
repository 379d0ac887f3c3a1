/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The best that slabs can do which may not move objects: the fullest are kept, each
 * other one goes with its last object. It needs no more than to know which those
 * are, and to count them down. tools/bench/spike counts with it, too.
 */
#ifndef _KMAG_KUNIT_BEST_H
#define _KMAG_KUNIT_BEST_H

#include <linux/limits.h>
#include <linux/math.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/types.h>

/**
 * struct kmag_best - who holds open what cannot be kept
 * @home: of each object the number of its slab, or KMAG_BEST_GONE
 * @left: of each slab how many of those objects; 0 if it is kept, or has gone
 * @slabs: held, at the best
 */
struct kmag_best {
	unsigned int *home;
	unsigned int *left;
	unsigned int slabs;
};

#define KMAG_BEST_GONE	UINT_MAX

static inline int kmag_best_order(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

/* Count @nr objects by their slabs, into @count. Return: how many slabs. */
static inline unsigned int kmag_best_count(void **slabs, unsigned int nr,
					   unsigned int *count)
{
	unsigned int i, n = 0;

	sort(slabs, nr, sizeof(*slabs), kmag_best_order, NULL);
	for (i = 0; i < nr; i++) {
		if (!n || slabs[i] != slabs[n - 1]) {
			slabs[n] = slabs[i];
			count[n++] = 0;
		}
		count[n - 1]++;
	}
	return n;
}

/* The number of a slab that is among @nr. */
static inline unsigned int kmag_best_number(void * const *slabs, unsigned int nr,
					    const void *slab)
{
	unsigned int low = 0, high = nr - 1;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (slabs[mid] < slab)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/**
 * kmag_best_find - which slabs are kept, and who holds open the others
 * @best: arrays of @nr each
 * @slab: of each live object, its slab
 * @sorted: room for @nr more
 * @nr: objects
 * @slots: of a slab
 */
static inline void kmag_best_find(struct kmag_best *best, void * const *slab,
				  void **sorted, unsigned int nr,
				  unsigned int slots)
{
	unsigned int needed = DIV_ROUND_UP(nr, slots), kept = 0, count, i;

	memcpy(sorted, slab, nr * sizeof(*sorted));
	best->slabs = kmag_best_count(sorted, nr, best->left);
	for (i = 0; i < nr; i++)
		best->home[i] = kmag_best_number(sorted, best->slabs, slab[i]);
	for (count = slots; count; count--)
		for (i = 0; i < best->slabs && kept < needed; i++)
			if (best->left[i] == count) {
				best->left[i] = 0;
				kept++;
			}
}

/* Object @i is replaced, for the first time or not. */
static inline void kmag_best_gone(struct kmag_best *best, unsigned int i)
{
	unsigned int home = best->home[i];

	if (home == KMAG_BEST_GONE)
		return;
	best->home[i] = KMAG_BEST_GONE;
	if (best->left[home] && !--best->left[home])
		best->slabs--;
}

#endif /* _KMAG_KUNIT_BEST_H */
