/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of all slabs: from the index in a page back to its slab.
 *
 * A slab's head page holds nothing but an index; the entry must name the page
 * back. So a foreign or stale pointer never makes kmag follow a value that it
 * did not write itself.
 */
#ifndef _KMAG_TABLE_H
#define _KMAG_TABLE_H

#include <linux/types.h>

struct kmag_slab;

/**
 * kmag_table_add - give a slab an index
 * @slab: to be found
 * @gfp: for the table's memory, if it has to grow
 *
 * Context: Any but NMI; no raw lock held.
 * Return: an index of 1 or more, or 0 if there was no memory.
 */
u32 kmag_table_add(struct kmag_slab *slab, gfp_t gfp);

/**
 * kmag_table_del - take a slab's index back
 * @index: from kmag_table_add()
 *
 * A reader that found the slab may go on using it until its RCU section ends.
 *
 * Context: Any but NMI; no raw lock held.
 */
void kmag_table_del(u32 index);

/**
 * kmag_table_get - the slab with an index
 * @index: any value at all
 *
 * Context: RCU read-side section, or preemption off.
 * Return: the slab, or NULL.
 */
struct kmag_slab *kmag_table_get(unsigned long index);

/**
 * kmag_table_end - where a walk over the table ends
 *
 * Return: one above the highest index ever given.
 */
u32 kmag_table_end(void);

/**
 * kmag_table_bytes - memory of the table
 *
 * Return: bytes.
 */
unsigned long kmag_table_bytes(void);

void kmag_table_exit(void);

#endif /* _KMAG_TABLE_H */
