/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of all slabs: from any address to the slab it lies in.
 *
 * Three levels over the kernel's linear map, as a page table has, with an entry
 * for each page of a slab. So a look-up reads nothing but what kmag wrote: no
 * struct page, whatever the pointer, which may be wrong, stale or not of memory
 * at all. tcmalloc's page map is the same thing for user space.
 */
#ifndef _KMAG_TABLE_H
#define _KMAG_TABLE_H

#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct kmag_slab;

/* Entries of a level: as many as fit a page. */
#define KMAG_LEVEL_SHIFT	(PAGE_SHIFT - ilog2(sizeof(void *)))
#define KMAG_LEVEL		BIT(KMAG_LEVEL_SHIFT)

/**
 * struct kmag_table_leaf - slabs by the low bits of a page's number
 * @slab: of each page, or NULL
 */
struct kmag_table_leaf {
	struct kmag_slab *slab[KMAG_LEVEL];
};

/**
 * struct kmag_table_mid - leaves by the bits above
 * @leaf: or NULL, where no page is of a slab
 */
struct kmag_table_mid {
	struct kmag_table_leaf *leaf[KMAG_LEVEL];
};

/**
 * struct kmag_table_root - middle levels by the rest of the bits
 * @rcu: once a larger one has taken its place
 * @nr: length of @mid
 * @mid: once made, there for good; NULL before
 */
struct kmag_table_root {
	struct rcu_head rcu;
	unsigned long nr;
	struct kmag_table_mid *mid[];
};

extern struct kmag_table_root __rcu *kmag_table_root;

/* Number of the page at an address, in the linear map; any value at all. */
static inline unsigned long kmag_page_nr(const void *addr)
{
	return ((unsigned long)kasan_reset_tag(addr) - PAGE_OFFSET) >> PAGE_SHIFT;
}

/* The leaf of a page, or NULL; for kmag_table_get(). */
static inline struct kmag_table_leaf *kmag_table_leaf(unsigned long nr)
{
	struct kmag_table_root *root =
		rcu_dereference_check(kmag_table_root, rcu_read_lock_any_held());
	struct kmag_table_mid *mid;

	if (unlikely(nr >> 2 * KMAG_LEVEL_SHIFT >= root->nr))
		return NULL;
	/* Each pairs with the release that put it there, at any time. */
	mid = READ_ONCE(root->mid[nr >> 2 * KMAG_LEVEL_SHIFT]);
	if (unlikely(!mid))
		return NULL;
	return READ_ONCE(mid->leaf[nr >> KMAG_LEVEL_SHIFT & (KMAG_LEVEL - 1)]);
}

/**
 * kmag_table_get - the slab at an address
 * @addr: any value at all
 *
 * Who found a slab may go on using it until its RCU section ends.
 *
 * Context: RCU read-side section, or preemption off.
 * Return: the slab, or NULL.
 */
static inline struct kmag_slab *kmag_table_get(const void *addr)
{
	unsigned long nr = kmag_page_nr(addr);
	struct kmag_table_leaf *leaf = kmag_table_leaf(nr);

	if (unlikely(!leaf))
		return NULL;
	return READ_ONCE(leaf->slab[nr & (KMAG_LEVEL - 1)]);
}

/**
 * struct kmag_table_near - where kmag_table_get_near() was last
 * @leaf: or NULL
 * @nr: of its pages, the high bits
 */
struct kmag_table_near {
	struct kmag_table_leaf *leaf;
	unsigned long nr;
};

/**
 * kmag_table_get_near - the slab of an object, after that of another
 * @obj: any value at all
 * @near: zero at first; not kept for longer than the RCU section
 *
 * Half the price where both are of the same leaf. As long as the object is away
 * its slab is in the leaf, which stays in the table: only of a wrong pointer the
 * old leaf can say NULL where a new one knows better.
 *
 * Context: as kmag_table_get().
 * Return: the slab, or NULL.
 */
static inline struct kmag_slab *kmag_table_get_near(const void *obj,
						    struct kmag_table_near *near)
{
	unsigned long nr = kmag_page_nr(obj);

	if (nr >> KMAG_LEVEL_SHIFT != near->nr || !near->leaf) {
		near->leaf = kmag_table_leaf(nr);
		if (unlikely(!near->leaf))
			return NULL;
		near->nr = nr >> KMAG_LEVEL_SHIFT;
	}
	return READ_ONCE(near->leaf->slab[nr & (KMAG_LEVEL - 1)]);
}

/**
 * kmag_table_add - have slabs found
 * @slabs: with base and order set, ready to be looked at
 * @nr_slabs: how many; all in one hold of the lock, so a handful
 * @gfp: for the table's memory, if it has to grow
 *
 * Context: Any but NMI; no raw lock held.
 * Return: how many could be; the others are not in the table.
 */
unsigned int kmag_table_add(struct kmag_slab **slabs, unsigned int nr_slabs,
			    gfp_t gfp);

/**
 * kmag_table_del - have a slab not found any more
 * @slab: that was added
 *
 * Context: Any but NMI; no raw lock held.
 */
void kmag_table_del(struct kmag_slab *slab);

/**
 * kmag_table_next - walk the table in the order of addresses
 * @nr: 0 to begin; where to go on afterwards
 *
 * Walks in pieces: the RCU section is left and entered again now and then, so a
 * slab is good until the next call only.
 *
 * Context: Process context, RCU read-side section, entered once.
 * Return: a slab, or NULL at the end.
 */
struct kmag_slab *kmag_table_next(unsigned long *nr);

/* The one place where levels come from. Suites make it fail. */
void *kmag_level_alloc(gfp_t gfp);

/**
 * kmag_table_bytes - memory of the table
 *
 * Return: bytes.
 */
unsigned long kmag_table_bytes(void);

/* Nobody looks any more, and no slab is left. The next one begins anew. */
void kmag_table_exit(void);

#endif /* _KMAG_TABLE_H */
