/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Patterns written into objects, and checked.
 */
#ifndef _KMAG_DEV_CONTENTS_H
#define _KMAG_DEV_CONTENTS_H

#include "dev.h"

/**
 * enum kmag_tag - what was done to an object's contents
 * @KMAG_TAG_NONE: nothing
 * @KMAG_TAG_FILLED: its own pattern was written all over it
 * @KMAG_TAG_BAD: the same, but it had come with the wrong contents
 *
 * The values are those that xa_tag_pointer() takes.
 */
enum kmag_tag {
	KMAG_TAG_NONE = 0,
	KMAG_TAG_FILLED = 1,
	KMAG_TAG_BAD = 3,
};

/* A constructor, as both backends take it. */
typedef void (*kmag_ctor_fn)(void *obj);

u32 kmag_ctor_len(u32 size);
kmag_ctor_fn kmag_ctor(u32 len);
unsigned int kmag_contents_fill(const struct kmag_dev_cache *cache, void *obj,
				u32 n, bool zeroed);
bool kmag_contents_check(const struct kmag_dev_cache *cache, const void *obj,
			 u32 n, unsigned int tag);
void kmag_contents_restore(const struct kmag_dev_cache *cache, void *obj,
			   unsigned int tag);

#endif /* _KMAG_DEV_CONTENTS_H */
