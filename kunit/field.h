/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A field: a cache whose slabs hold as many live objects as a test wants, for
 * the suites of evacuation. Nothing happens to it but what is asked for.
 */
#ifndef _KMAG_KUNIT_FIELD_H
#define _KMAG_KUNIT_FIELD_H

#include "util.h"

/* Slabs of a field: more than what has to be gained at least, by far. */
#define SLABS	200

/**
 * struct field - a cache, and what is live
 * @cache: the cache
 * @node: its slabs' node
 * @slots: objects a slab
 * @objs: live ones, in the order of addresses; room for all
 * @nr: their number
 */
struct field {
	struct kmag_cache *cache;
	struct kmag_node *node;
	unsigned int slots;
	void **objs;
	unsigned int nr;
};

/* Every other slab keeps @even of its objects, the others @odd; all else is free. */
struct field field_make(struct kunit *test, unsigned int even,
			unsigned int odd);

/* The accounts are exact; the rest is freed. */
void field_finish(struct kunit *test, struct field *f);

/* What the worker would do now. */
bool field_evacuate(struct field *f);

/* An interval has gone by. */
void field_tick(struct field *f);

/* Is an object's slab draining? */
bool field_drains(const void *obj);

/* Objects in this CPU's magazines. */
unsigned int field_rounds(struct field *f);

/* Take an object out of the field: one whose slab drains, or does not. */
void *field_pick(struct kunit *test, struct field *f, bool draining);

#endif /* _KMAG_KUNIT_FIELD_H */
