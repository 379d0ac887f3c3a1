/* SPDX-License-Identifier: GPL-2.0 */
/* A hash table from kernel addresses (never 0) to small numbers. */
#ifndef KMAG_MAP_H
#define KMAG_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map {
	uint64_t *keys;		/* 0: empty */
	uint32_t *values;
	size_t nr;
	unsigned int bits;
};

/* The place of the value, made with 0 when it was not there */
uint32_t *map_put(struct map *m, uint64_t key);

/* A key for a name: FNV-1a */
uint64_t map_name_key(const char *name);

/* The place of the value, or NULL */
uint32_t *map_get(const struct map *m, uint64_t key);

void map_free(struct map *m);

#endif /* KMAG_MAP_H */
