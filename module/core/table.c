// SPDX-License-Identifier: GPL-2.0
/*
 * The table of all slabs: two levels, so that a look-up is two loads behind
 * the one of the page. Chunks of a page are added and never moved or freed
 * before exit; the array of chunks is copied when it must grow, and the old
 * one waits for its readers. A free entry holds the next free index.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "compat.h"
#include "table.h"

#define CHUNK_SHIFT	(PAGE_SHIFT - 3)
#define CHUNK_ENTRIES	((u32)BIT(CHUNK_SHIFT))
#define CHUNK_MASK	(CHUNK_ENTRIES - 1)

/* Descriptors are word-aligned: bit 0 tells a free entry. */
#define ENTRY_FREE	1UL

struct chunk {
	unsigned long entry[CHUNK_ENTRIES];
};

struct chunk_array {
	struct rcu_head rcu;
	u32 nr;
	struct chunk *chunk[];
};

static struct chunk_array __rcu *chunks;
static u32 nr_chunks;		/* in use; written under table_lock */
static u32 free_index;		/* first of the free list, 0 for none */
static DEFINE_RAW_SPINLOCK(table_lock);

static unsigned long *entry_of(struct chunk_array *array, u32 index)
{
	return &array->chunk[index >> CHUNK_SHIFT]->entry[index & CHUNK_MASK];
}

struct kmag_slab *kmag_table_get(unsigned long index)
{
	struct chunk_array *array;
	unsigned long entry;

	/* Pairs with the release in add_chunk(): an index below is there. */
	if (index >> CHUNK_SHIFT >= smp_load_acquire(&nr_chunks))
		return NULL;
	array = rcu_dereference_check(chunks, rcu_read_lock_any_held());
	/* Written by add and del of any CPU; the caller checks what it finds. */
	entry = READ_ONCE(*entry_of(array, index));
	return entry & ENTRY_FREE ? NULL : (struct kmag_slab *)entry;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_get);

/* Put @chunk's entries on the free list; index 0 means none and stays out. */
static void add_chunk(struct chunk_array *array, struct chunk *chunk)
{
	u32 first = nr_chunks << CHUNK_SHIFT;
	u32 i;

	lockdep_assert_held(&table_lock);
	for (i = CHUNK_ENTRIES; i-- > 0;) {
		chunk->entry[i] = (unsigned long)free_index << 1 | ENTRY_FREE;
		if (first + i)
			free_index = first + i;
	}
	array->chunk[nr_chunks] = chunk;
	/* A reader that sees the count sees the chunk, in any array copy. */
	smp_store_release(&nr_chunks, nr_chunks + 1);
}

/*
 * Make room for one index at least. Allocates without the lock, so what it
 * finds afterwards may have changed: then it frees what it does not need, and
 * the caller tries again.
 */
static bool table_grow(gfp_t gfp)
{
	struct chunk_array *old, *array = NULL, *unused;
	struct chunk *chunk;
	unsigned long flags;
	bool room;
	u32 nr;

	raw_spin_lock_irqsave(&table_lock, flags);
	old = rcu_dereference_protected(chunks, lockdep_is_held(&table_lock));
	room = old && nr_chunks < old->nr;
	nr = max(2 * nr_chunks, 8U);
	raw_spin_unlock_irqrestore(&table_lock, flags);

	chunk = kmalloc(sizeof(*chunk), gfp);
	if (!chunk)
		return false;
	if (!room) {
		array = kzalloc(struct_size(array, chunk, nr), gfp);
		if (!array)
			goto err_array;
		array->nr = nr;
	}

	unused = array;
	raw_spin_lock_irqsave(&table_lock, flags);
	old = rcu_dereference_protected(chunks, lockdep_is_held(&table_lock));
	if (free_index) {
		old = NULL;
	} else if (old && nr_chunks < old->nr) {
		add_chunk(old, chunk);
		chunk = NULL;
		old = NULL;
	} else if (array && nr_chunks < array->nr) {
		if (old)
			memcpy(array->chunk, old->chunk,
			       nr_chunks * sizeof(array->chunk[0]));
		rcu_assign_pointer(chunks, array);
		add_chunk(array, chunk);
		chunk = NULL;
		unused = NULL;
	} else {
		old = NULL;
	}
	raw_spin_unlock_irqrestore(&table_lock, flags);

	if (old)
		kfree_rcu(old, rcu);
	kfree(unused);
	kfree(chunk);
	return true;

err_array:
	kfree(chunk);
	return false;
}

u32 kmag_table_add(struct kmag_slab *slab, gfp_t gfp)
{
	struct chunk_array *array;
	unsigned long flags, *entry;
	u32 index;

	for (;;) {
		raw_spin_lock_irqsave(&table_lock, flags);
		index = free_index;
		if (index) {
			array = rcu_dereference_protected(chunks,
							  lockdep_is_held(&table_lock));
			entry = entry_of(array, index);
			free_index = *entry >> 1;
			/* A wrong pointer may lead a reader here at any time. */
			smp_store_release(entry, (unsigned long)slab);
		}
		raw_spin_unlock_irqrestore(&table_lock, flags);
		if (index || !table_grow(gfp))
			return index;
	}
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_add);

void kmag_table_del(u32 index)
{
	struct chunk_array *array;
	unsigned long flags;

	raw_spin_lock_irqsave(&table_lock, flags);
	array = rcu_dereference_protected(chunks, lockdep_is_held(&table_lock));
	WRITE_ONCE(*entry_of(array, index),
		   (unsigned long)free_index << 1 | ENTRY_FREE);
	free_index = index;
	raw_spin_unlock_irqrestore(&table_lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_del);

u32 kmag_table_end(void)
{
	return READ_ONCE(nr_chunks) << CHUNK_SHIFT;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_end);

unsigned long kmag_table_bytes(void)
{
	struct chunk_array *array;
	unsigned long bytes = READ_ONCE(nr_chunks) * sizeof(struct chunk);

	rcu_read_lock();
	array = rcu_dereference(chunks);
	if (array)
		bytes += struct_size(array, chunk, array->nr);
	rcu_read_unlock();
	return bytes;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_table_bytes);

void kmag_table_exit(void)
{
	struct chunk_array *array = rcu_dereference_protected(chunks, true);
	u32 i;

	if (!array)
		return;
	for (i = 0; i < nr_chunks; i++)
		kfree(array->chunk[i]);
	kfree(array);
	RCU_INIT_POINTER(chunks, NULL);
}
