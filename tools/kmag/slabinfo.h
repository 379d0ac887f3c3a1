/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/slabinfo: what the kernel tells of its own slab allocator. */
#ifndef KMAG_SLABINFO_H
#define KMAG_SLABINFO_H

struct slabinfo_row {
	char name[128];
	unsigned long long active_objs;
	unsigned long long objs;
	unsigned int obj_size;		/* with all that SLUB adds */
	unsigned int objs_per_slab;
	unsigned int pages_per_slab;
	unsigned long long slabs;
};

/**
 * slabinfo_read - read it row by row
 * @prefix: of the names that are wanted
 * @row: called for each
 * @arg: for it
 *
 * Return: 0, or -1 after one sentence.
 */
int slabinfo_read(const char *prefix,
		  void (*row)(void *arg, const struct slabinfo_row *row), void *arg);

#endif /* KMAG_SLABINFO_H */
