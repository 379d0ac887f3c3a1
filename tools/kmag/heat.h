/* SPDX-License-Identifier: GPL-2.0 */
/* Heat maps: a cell a slab, by what holds it open. */
#ifndef KMAG_HEAT_H
#define KMAG_HEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row of debugfs' slab_map */
struct heat_slab {
	uint32_t slots;
	uint32_t inuse;		/* live or cached */
	uint32_t cached;
	bool draining;
};

/* The slabs of a cache, in the order of their addresses */
struct heat {
	char *name;
	struct heat_slab *slabs;
	size_t nr;
};

/**
 * heat_read - read a slab_map
 * @h: filled; heat_free() drops it, after an error as well
 * @name: what it is called
 * @path: the file
 *
 * Return: 0, or -1 after one sentence.
 */
int heat_read(struct heat *h, const char *name, const char *path);
void heat_free(struct heat *h);

/* To stdout, a letter a slab; in colours if that is a terminal. */
void heat_print(const struct heat *h);

/* What the letters mean. */
void heat_legend(void);

/**
 * heat_draw - draw maps below each other, by gnuplot
 * @maps: at least one
 * @nr: how many
 * @png: the file
 *
 * Return: 0, 1 when there is no gnuplot, or -1; then after one sentence.
 */
int heat_draw(const struct heat *maps, size_t nr, const char *png);

#endif /* KMAG_HEAT_H */
