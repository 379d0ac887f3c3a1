// SPDX-License-Identifier: GPL-2.0
/*
 * The table that replay keeps its objects in.
 *
 * Here no replay is running, so states are read and written plainly.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "backend.h"
#include "contents.h"

/* Slots between two chances for others to run. */
#define KMAG_SLOTS_PIECE	1024

/**
 * kmag_slots_grow - make the table large enough
 * @file: whose table
 * @nr: slots
 *
 * Return: 0, or -ENOMEM, and then the table is as it was.
 */
int kmag_slots_grow(struct kmag_file *file, u32 nr)
{
	struct kmag_slot *slots;

	if (nr <= file->nr_slots)
		return 0;
	slots = kvcalloc(nr, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	if (file->nr_slots)
		memcpy(slots, file->slots, file->nr_slots * sizeof(*slots));
	kvfree(file->slots);
	file->slots = slots;
	file->nr_slots = nr;
	return 0;
}

/**
 * kmag_slots_count - objects of a cache in the table
 * @file: whose table
 * @cache: the cache
 *
 * Return: their number.
 */
u32 kmag_slots_count(struct kmag_file *file, const struct kmag_dev_cache *cache)
{
	u32 i, nr = 0;

	if (!file->nr_live)
		return 0;
	for (i = 0; i < file->nr_slots; i++) {
		const struct kmag_slot *slot = &file->slots[i];

		if (slot->state == KMAG_SLOT_LIVE && slot->cache == cache->id)
			nr++;
		if (i % KMAG_SLOTS_PIECE == 0)
			cond_resched();
	}
	return nr;
}

/**
 * kmag_slots_drop - empty slots, freeing what they hold
 * @file: whose table
 * @cache: whose objects, or NULL for those of every cache
 */
void kmag_slots_drop(struct kmag_file *file, const struct kmag_dev_cache *cache)
{
	u32 i;

	if (!file->nr_live && !file->nr_failed)
		return;
	for (i = 0; i < file->nr_slots; i++) {
		struct kmag_slot *slot = &file->slots[i];

		if (i % KMAG_SLOTS_PIECE == 0)
			cond_resched();
		if (slot->state == KMAG_SLOT_EMPTY)
			continue;
		if (cache && slot->cache != cache->id)
			continue;
		if (slot->state == KMAG_SLOT_LIVE) {
			struct kmag_dev_cache *owner;

			owner = kmag_file_cache(file, slot->cache);
			kmag_contents_restore(owner, slot->obj, slot->tag);
			owner->ops->free(owner, slot->obj);
			file->nr_live--;
		} else {
			file->nr_failed--;
		}
		memset(slot, 0, sizeof(*slot));
	}
}
