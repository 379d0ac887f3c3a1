// SPDX-License-Identifier: GPL-2.0
/* A hash table from kernel addresses (never 0) to small numbers. */
#include <stdlib.h>

#include "map.h"
#include "util.h"

#define FIRST_BITS	10

static size_t place(const struct map *m, uint64_t key)
{
	size_t mask = ((size_t)1 << m->bits) - 1;
	/* Fibonacci hashing: the low bits of addresses are all alike. */
	size_t i = (key * 0x9e3779b97f4a7c15ULL) >> (64 - m->bits);

	while (m->keys[i] && m->keys[i] != key)
		i = (i + 1) & mask;
	return i;
}

static void grow(struct map *m)
{
	struct map old = *m;
	size_t i, k;

	m->bits = old.keys ? old.bits + 1 : FIRST_BITS;
	m->keys = xalloc(((size_t)1 << m->bits) * sizeof(*m->keys));
	m->values = xalloc(((size_t)1 << m->bits) * sizeof(*m->values));
	for (i = 0; old.keys && i < (size_t)1 << old.bits; i++) {
		if (!old.keys[i])
			continue;
		k = place(m, old.keys[i]);
		m->keys[k] = old.keys[i];
		m->values[k] = old.values[i];
	}
	free(old.keys);
	free(old.values);
}

uint32_t *map_put(struct map *m, uint64_t key)
{
	size_t i;

	if (!m->keys || m->nr * 2 >= (size_t)1 << m->bits)
		grow(m);
	i = place(m, key);
	if (!m->keys[i]) {
		m->keys[i] = key;
		m->nr++;
	}
	return &m->values[i];
}

uint32_t *map_get(const struct map *m, uint64_t key)
{
	size_t i;

	if (!m->keys)
		return NULL;
	i = place(m, key);
	return m->keys[i] ? &m->values[i] : NULL;
}

void map_free(struct map *m)
{
	free(m->keys);
	free(m->values);
	*m = (struct map){};
}

uint64_t map_name_key(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
	return h ? h : 1;
}
