// SPDX-License-Identifier: GPL-2.0
/*
 * The table of all slabs. Levels are pages of their own. The root is copied when
 * memory lies beyond it, and the old one waits for its readers; middle levels
 * stay until exit, one for 1 GiB where pages are of 4 KiB; a leaf goes with the
 * last slab in it, or memory that was used once would be held for ever.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "slab.h"
#include "table.h"

/* Entries of the first root: 16 GiB, where pages are of 4 KiB. */
#define ROOT_MIN	16UL

/* Readers come before the first slab: so there is always one. */
static struct kmag_table_root no_root;
struct kmag_table_root __rcu *kmag_table_root = RCU_INITIALIZER(&no_root);
EXPORT_SYMBOL_IF_KUNIT(kmag_table_root);

static unsigned long nr_levels;		/* written under table_lock */
static DEFINE_RAW_SPINLOCK(table_lock);

static unsigned long root_at(unsigned long nr)
{
	return nr >> 2 * KMAG_LEVEL_SHIFT;
}

static unsigned long mid_at(unsigned long nr)
{
	return nr >> KMAG_LEVEL_SHIFT & (KMAG_LEVEL - 1);
}

static unsigned long leaf_at(unsigned long nr)
{
	return nr & (KMAG_LEVEL - 1);
}

static struct kmag_table_root *root_locked(void)
{
	return rcu_dereference_protected(kmag_table_root,
					 lockdep_is_held(&table_lock));
}

/* Where the leaf of a page is named; NULL if the levels above are missing. */
static struct kmag_table_leaf **leaf_slot(unsigned long nr)
{
	struct kmag_table_root *root = root_locked();
	struct kmag_table_mid *mid = NULL;

	if (root_at(nr) < root->nr)
		mid = root->mid[root_at(nr)];
	return mid ? &mid->leaf[mid_at(nr)] : NULL;
}

void *kmag_level_alloc(gfp_t gfp)
{
	KMAG_KUNIT_STUB(kmag_level_alloc, gfp);

	return (void *)get_zeroed_page(gfp);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_level_alloc);

static void level_free_rcu(struct rcu_head *rcu)
{
	__free_page(container_of(rcu, struct page, rcu_head));
}

/* Entries of a leaf in use, which its page knows. */
static void leaf_count(struct kmag_table_leaf *leaf, long change)
{
	struct page *page = virt_to_page(leaf);

	lockdep_assert_held(&table_lock);
	set_page_private(page, page_private(page) + change);
}

/* A root that reaches page @nr, in place of one that does not. */
static bool grow_root(unsigned long nr, gfp_t gfp)
{
	struct kmag_table_root *root, *old;
	unsigned long size, flags;

	size = roundup_pow_of_two(max(root_at(nr) + 1, ROOT_MIN));
	root = kzalloc(struct_size(root, mid, size), gfp);
	if (!root)
		return false;
	root->nr = size;

	raw_spin_lock_irqsave(&table_lock, flags);
	old = root_locked();
	if (old->nr < size) {
		memcpy(root->mid, old->mid, old->nr * sizeof(old->mid[0]));
		rcu_assign_pointer(kmag_table_root, root);
	} else {
		old = root;
	}
	raw_spin_unlock_irqrestore(&table_lock, flags);

	if (old != &no_root)
		kfree_rcu(old, rcu);
	return true;
}

/*
 * Make one level on the way to page @nr. Allocates without the lock: somebody
 * else may be quicker, or the last slab of a leaf go. So the caller looks again.
 */
static bool table_grow(unsigned long nr, gfp_t gfp)
{
	struct kmag_table_root *root;
	struct kmag_table_leaf **slot;
	unsigned long flags;
	bool beyond;
	void *level;

	raw_spin_lock_irqsave(&table_lock, flags);
	beyond = root_at(nr) >= root_locked()->nr;
	raw_spin_unlock_irqrestore(&table_lock, flags);
	if (beyond)
		return grow_root(nr, gfp);

	level = kmag_level_alloc(gfp);
	if (!level)
		return false;
	raw_spin_lock_irqsave(&table_lock, flags);
	root = root_locked();
	slot = leaf_slot(nr) ?:
	       (struct kmag_table_leaf **)&root->mid[root_at(nr)];
	if (!*slot) {
		/* Readers see a level's zeroes before they see the level. */
		smp_store_release(slot, level);
		nr_levels++;
		level = NULL;
	}
	raw_spin_unlock_irqrestore(&table_lock, flags);
	free_page((unsigned long)level);
	return true;
}

/* Fill a leaf from page @nr on, up to its end or @end. Returns where it ended. */
static unsigned long leaf_fill(struct kmag_table_leaf *leaf, unsigned long nr,
			       unsigned long end, struct kmag_slab *slab)
{
	end = min(end, round_up(nr + 1, KMAG_LEVEL));
	leaf_count(leaf, slab ? end - nr : nr - end);
	for (; nr < end; nr++)
		/* A wrong pointer may lead a reader here at any time. */
		smp_store_release(&leaf->slab[leaf_at(nr)], slab);
	return nr;
}

/* Nobody finds pages from @nr up to @end any more. */
static void table_clear(unsigned long nr, unsigned long end)
{
	unsigned long flags;

	while (nr < end) {
		struct kmag_table_leaf **slot, *leaf;

		raw_spin_lock_irqsave(&table_lock, flags);
		slot = leaf_slot(nr);
		leaf = *slot;
		nr = leaf_fill(leaf, nr, end, NULL);
		if (page_private(virt_to_page(leaf))) {
			leaf = NULL;
		} else {
			WRITE_ONCE(*slot, NULL);	/* readers look */
			nr_levels--;
		}
		raw_spin_unlock_irqrestore(&table_lock, flags);
		if (leaf)
			call_rcu(&virt_to_page(leaf)->rcu_head, level_free_rcu);
	}
}

/* Fill pages of @slab from @nr on, as far as there are leaves for them. */
static unsigned long table_fill(struct kmag_slab *slab, unsigned long nr)
{
	unsigned long end = kmag_page_nr(slab->base) + (1UL << slab->order);

	while (nr < end) {
		struct kmag_table_leaf **slot = leaf_slot(nr);

		if (!slot || !*slot)
			break;
		nr = leaf_fill(*slot, nr, end, slab);
	}
	return nr;
}

unsigned int kmag_table_add(struct kmag_slab **slabs, unsigned int nr_slabs,
			    gfp_t gfp)
{
	unsigned long flags, nr = 0;
	unsigned int i = 0;

	while (i < nr_slabs) {
		raw_spin_lock_irqsave(&table_lock, flags);
		for (; i < nr_slabs; i++) {
			unsigned long first = kmag_page_nr(slabs[i]->base);

			nr = table_fill(slabs[i], max(first, nr));
			if (nr < first + (1UL << slabs[i]->order))
				break;
			nr = 0;
		}
		raw_spin_unlock_irqrestore(&table_lock, flags);
		if (i < nr_slabs && !table_grow(nr, gfp)) {
			table_clear(kmag_page_nr(slabs[i]->base), nr);
			break;
		}
	}
	return i;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_add);

void kmag_table_del(struct kmag_slab *slab)
{
	unsigned long nr = kmag_page_nr(slab->base);

	table_clear(nr, nr + (1UL << slab->order));
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_del);

/* Move @nr to the next page that has a leaf, if it has none itself. */
static struct kmag_table_leaf *next_leaf(unsigned long *nr)
{
	struct kmag_table_root *root = rcu_dereference(kmag_table_root);

	while (root_at(*nr) < root->nr) {
		struct kmag_table_mid *mid = READ_ONCE(root->mid[root_at(*nr)]);
		struct kmag_table_leaf *leaf;

		if (!mid) {
			*nr = round_up(*nr + 1, KMAG_LEVEL * KMAG_LEVEL);
			continue;
		}
		leaf = READ_ONCE(mid->leaf[mid_at(*nr)]);
		if (leaf)
			return leaf;
		*nr = round_up(*nr + 1, KMAG_LEVEL);
	}
	return NULL;
}

struct kmag_slab *kmag_table_next(unsigned long *nr)
{
	struct kmag_table_leaf *leaf;

	while ((leaf = next_leaf(nr))) {
		do {
			struct kmag_slab *slab;
			unsigned long this = *nr;

			slab = READ_ONCE(leaf->slab[leaf_at(this)]);
			(*nr)++;
			if (slab && kmag_page_nr(slab->base) == this)
				return slab;
		} while (leaf_at(*nr));
		/* So much work between two looks at who else wants the CPU. */
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
	}
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_next);

unsigned long kmag_table_bytes(void)
{
	struct kmag_table_root *root;
	unsigned long bytes = READ_ONCE(nr_levels) * PAGE_SIZE;

	rcu_read_lock();
	root = rcu_dereference(kmag_table_root);
	if (root != &no_root)
		bytes += struct_size(root, mid, root->nr);
	rcu_read_unlock();
	return bytes;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_bytes);

void kmag_table_exit(void)
{
	struct kmag_table_root *root = rcu_dereference_protected(kmag_table_root,
								  true);
	unsigned long i;

	if (root == &no_root)
		return;
	for (i = 0; i < root->nr; i++) {
		if (!root->mid[i])
			continue;
		free_page((unsigned long)root->mid[i]);
		nr_levels--;
	}
	kfree(root);
	RCU_INIT_POINTER(kmag_table_root, &no_root);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_exit);
