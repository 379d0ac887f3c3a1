// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots as JSON. Both ways go by one table of words, so that what is
 * written can be read back.
 */
#include <string.h>

#include "map.h"
#include "result.h"
#include "snapfile.h"
#include "util.h"

struct word {
	const char *key;
	size_t offset;
	size_t size;
	bool is_signed;
};

#define WORD_AS(key, field, type) \
	{ key, offsetof(struct kmag_snap_cache, field), sizeof(type), false }
#define U32(field)	WORD_AS(#field, field, __u32)
#define U64(field)	WORD_AS(#field, field, __u64)

static const struct word stat_words[] = {
	U32(id), U32(flags), U32(object_size), U32(stride), U32(align), U32(order),
	U32(slab_slots), U32(capacity), U64(slots), U64(live), U64(cpu_objs), U64(depot_objs),
	U64(slab_free), U64(empty_free), U64(transit),
	{ "skew", offsetof(struct kmag_snap_cache, skew), sizeof(__s64), true },
	U64(slabs), U64(slabs_needed), U64(slab_bytes), U64(tail_bytes), U64(mag_bytes),
	U64(meta_bytes), U64(empty_bytes), U64(needed_bytes),
};

static const struct word frag_words[] = {
	U32(id), WORD_AS("slabs_held", slabs, __u64), U64(slabs_needed),
	WORD_AS("bytes_held", slab_bytes, __u64),
};

static const char * const stat_names[KMAG_NR_STATS] = {
	[KMAG_ALLOC_MAG] = "alloc_mag", [KMAG_ALLOC_DEPOT] = "alloc_depot",
	[KMAG_ALLOC_SLAB] = "alloc_slab", [KMAG_ALLOC_PAGE] = "alloc_page",
	[KMAG_ALLOC_FAIL] = "alloc_fail", [KMAG_FREE_MAG] = "free_mag",
	[KMAG_FREE_DEPOT] = "free_depot", [KMAG_FREE_SLAB] = "free_slab",
	[KMAG_FREE_PAGE] = "free_page", [KMAG_FREE_BAD] = "free_bad",
	[KMAG_SWAP] = "swap", [KMAG_DEPOT_VISIT] = "depot_visit",
	[KMAG_DEPOT_CONTENDED] = "depot_contended", [KMAG_DEPOT_NO_EMPTY] = "depot_no_empty",
	[KMAG_REFILL] = "refill", [KMAG_REFILL_OBJS] = "refill_objs",
	[KMAG_FLUSH] = "flush", [KMAG_FLUSH_OBJS] = "flush_objs",
	[KMAG_BUSY] = "busy", [KMAG_FENCE] = "fence", [KMAG_SLAB_NEW] = "slab_new",
	[KMAG_SLAB_FREED] = "slab_freed", [KMAG_SLAB_FALLBACK] = "slab_fallback",
	[KMAG_PARKED] = "parked", [KMAG_PARK_FULL] = "park_full",
	[KMAG_MARK] = "mark", [KMAG_UNMARK] = "unmark", [KMAG_RETURN] = "return",
	[KMAG_HOME] = "home", [KMAG_DRAINING_MS] = "draining_ms",
};

static json_int_t word_get(const struct kmag_snap_cache *c, const struct word *w)
{
	const char *at = (const char *)c + w->offset;

	return w->size == sizeof(__u32) ? (json_int_t)*(const __u32 *)at :
		(json_int_t)*(const __u64 *)at;
}

static void put_words(json_t *json, const struct kmag_snap_cache *c,
		      const struct word *words, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_set_new(json, words[i].key, json_integer(word_get(c, &words[i])));
}

void snapfile_put_words(json_t *json, const struct kmag_snap_cache *c)
{
	put_words(json, c, stat_words, ARRAY_SIZE(stat_words));
}

json_t *snapfile_stats(const struct kmag_snap_cache *c)
{
	json_t *json = json_object();
	unsigned int i;

	for (i = 0; i < KMAG_NR_STATS; i++)
		json_object_set_new(json, stat_names[i], json_integer(c->stats[i]));
	return json;
}

json_t *snapfile_slabs(const struct kmag_snap_cache *c)
{
	json_t *json = json_pack("{s:o}", "name", json_text(c->name)), *classes = json_array();
	unsigned int i;

	put_words(json, c, frag_words, ARRAY_SIZE(frag_words));
	json_object_set_new(json, "bytes_back", json_integer(c->slab_bytes - c->needed_bytes));
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		json_array_append_new(classes, json_integer(c->slabs_by_class[i]));
	json_object_set_new(json, "slabs_by_fullness", classes);
	return json;
}

/* Return: NULL, or the key that is missing or makes no sense. */
static const char *get_words(const json_t *json, struct kmag_snap_cache *c,
			     const struct word *words, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const json_t *value = json_object_get(json, words[i].key);
		char *at = (char *)c + words[i].offset;
		json_int_t n;

		if (!json_is_integer(value))
			return words[i].key;
		n = json_integer_value(value);
		if (n < 0 && !words[i].is_signed)
			return words[i].key;
		if (words[i].size == sizeof(__u32)) {
			if (n > UINT32_MAX)
				return words[i].key;
			*(__u32 *)at = n;
		} else {
			*(__u64 *)at = n;
		}
	}
	return NULL;
}

static const char *get_stats(const json_t *json, struct kmag_snap_cache *c)
{
	const json_t *stats = json_object_get(json, "stats");
	unsigned int i;

	for (i = 0; i < KMAG_NR_STATS; i++) {
		const json_t *value = json_object_get(stats, stat_names[i]);

		/* Those that came later are missing in files that are older. */
		if (!value && i > KMAG_PARKED)
			continue;
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return stat_names[i];
		c->stats[i] = json_integer_value(value);
	}
	return NULL;
}

static const char *get_slabs(const json_t *json, struct kmag_snap_cache *c)
{
	const json_t *classes = json_object_get(json, "slabs_by_fullness");
	const json_t *back = json_object_get(json, "bytes_back");
	unsigned int i;

	if (!json_is_integer(back) || json_integer_value(back) < 0 ||
	    (__u64)json_integer_value(back) > c->slab_bytes)
		return "bytes_back";
	c->needed_bytes = c->slab_bytes - json_integer_value(back);
	for (i = 0; i < KMAG_SNAP_CLASSES; i++) {
		const json_t *value = json_array_get(classes, i);

		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return "slabs_by_fullness";
		c->slabs_by_class[i] = json_integer_value(value);
	}
	return NULL;
}

static const char *get_cache(const json_t *json, struct kmag_snap_cache *c, bool stats)
{
	const char *name = json_string_value(json_object_get(json, "name"));
	const char *bad;

	if (!name || !*name || strlen(name) >= sizeof(c->name))
		return "name";
	memcpy(c->name, name, strlen(name));
	if (stats) {
		bad = get_words(json, c, stat_words, ARRAY_SIZE(stat_words));
		return bad ? bad : get_stats(json, c);
	}
	bad = get_words(json, c, frag_words, ARRAY_SIZE(frag_words));
	return bad ? bad : get_slabs(json, c);
}

int snapfile_parse(const char *path, const json_t *json, struct snapfile *f)
{
	const char *schema = json_string_value(json_object_get(json, "schema"));
	const json_t *caches = json_object_get(json, "caches");
	const json_t *time = json_object_get(json, "time_ns");
	struct map ids = {};
	const char *bad;
	size_t i, nr;
	int ret = -1;

	*f = (struct snapfile){};
	if (schema && !strcmp(schema, "kmag.stat/1")) {
		f->stats = true;
	} else if (!schema || strcmp(schema, "kmag.frag/1")) {
		say("%s is no snapshot: kmag stat --json and kmag frag --json write them", path);
		return -1;
	}
	if (!json_is_array(caches) || !json_is_integer(time)) {
		say("%s is damaged: a snapshot has a time and an array of caches", path);
		return -1;
	}
	nr = json_array_size(caches);
	f->snap.time_ns = json_integer_value(time);
	f->snap.caches = xalloc(nr * sizeof(*f->snap.caches));
	f->snap.nr = nr;
	for (i = 0; i < nr; i++) {
		struct kmag_snap_cache *c = &f->snap.caches[i].c;
		uint32_t *seen;

		bad = get_cache(json_array_get(caches, i), c, f->stats);
		if (bad) {
			say("%s is damaged: cache %zu has no '%s' that makes sense", path, i + 1,
			    bad);
			goto out;
		}
		seen = map_put(&ids, c->id + 1ULL);
		if (*seen) {
			say("%s is damaged: two caches have the id %u", path, c->id);
			goto out;
		}
		*seen = 1;
	}
	ret = 0;
out:
	map_free(&ids);
	if (ret)
		snapfile_free(f);
	return ret;
}

int snapfile_load(const char *path, struct snapfile *f)
{
	json_t *json = result_load(path);
	int ret;

	if (!json)
		return -1;
	ret = snapfile_parse(path, json, f);
	json_decref(json);
	return ret;
}

void snapfile_free(struct snapfile *f)
{
	snapshot_free(&f->snap);
}
