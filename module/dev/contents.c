// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns written into objects, and checked.
 *
 * An object that is checked comes constructed, zeroed or as it may. It is then
 * filled with a pattern of its own, which must be there still when it is
 * freed. A constructed object is put back into that state before it goes: both
 * backends call a constructor only when a slab is made, so whoever gets the
 * object next finds what we left.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "contents.h"

/* A constructor is not told the size: there is one for each power of two. */
#define KMAG_CTOR_MAX	4096
#define KMAG_CTOR_SEED	0xc0457c7ed0b7ec75ULL

/*
 * A sequence of words, each different from its neighbours, so that a shift
 * shows as well as a change. Objects are aligned to 8 bytes at least.
 */
static void kmag_fill(void *obj, u32 len, u64 seed)
{
	u64 *word = obj;
	u32 i;

	for (i = 0; i < len / 8; i++)
		word[i] = seed + i;
	if (len % 8) {
		seed += i;
		memcpy(&word[i], &seed, len % 8);
	}
}

static bool kmag_filled(const void *obj, u32 len, u64 seed)
{
	const u64 *word = obj;
	u32 i;

	for (i = 0; i < len / 8; i++)
		if (word[i] != seed + i)
			return false;
	seed += i;
	return !(len % 8) || !memcmp(&word[i], &seed, len % 8);
}

static u64 kmag_seed(const struct kmag_dev_cache *cache, u32 n)
{
	return ((u64)cache->serial << 32 | n) * GOLDEN_RATIO_64;
}

#define KMAG_CTOR(len)							\
static void kmag_ctor_##len(void *obj)					\
{									\
	kmag_fill(obj, len, KMAG_CTOR_SEED);				\
}

KMAG_CTOR(1)
KMAG_CTOR(2)
KMAG_CTOR(4)
KMAG_CTOR(8)
KMAG_CTOR(16)
KMAG_CTOR(32)
KMAG_CTOR(64)
KMAG_CTOR(128)
KMAG_CTOR(256)
KMAG_CTOR(512)
KMAG_CTOR(1024)
KMAG_CTOR(2048)
KMAG_CTOR(4096)

static const kmag_ctor_fn kmag_ctors[] = {
	kmag_ctor_1, kmag_ctor_2, kmag_ctor_4, kmag_ctor_8, kmag_ctor_16,
	kmag_ctor_32, kmag_ctor_64, kmag_ctor_128, kmag_ctor_256, kmag_ctor_512,
	kmag_ctor_1024, kmag_ctor_2048, kmag_ctor_4096,
};

/**
 * kmag_ctor_len - how much of an object gets constructed
 * @size: of the object
 *
 * Return: bytes, from its start.
 */
u32 kmag_ctor_len(u32 size)
{
	return min_t(u32, rounddown_pow_of_two(size), KMAG_CTOR_MAX);
}

/**
 * kmag_ctor - the constructor for a length
 * @len: from kmag_ctor_len()
 *
 * Return: the constructor.
 */
kmag_ctor_fn kmag_ctor(u32 len)
{
	return kmag_ctors[ilog2(len)];
}

static void kmag_complain(const struct kmag_dev_cache *cache, u32 n,
			  const char *what)
{
	pr_err_ratelimited("cache %u, object %u: %s\n", cache->serial, n, what);
}

/**
 * kmag_contents_fill - look at an object that was just allocated, and fill it
 * @cache: that it came from
 * @obj: the object
 * @n: its id or slot
 * @zeroed: it must come all zero
 *
 * Return: the tag to keep with it.
 */
unsigned int kmag_contents_fill(const struct kmag_dev_cache *cache, void *obj,
				u32 n, bool zeroed)
{
	unsigned int tag = KMAG_TAG_FILLED;

	if (zeroed && memchr_inv(obj, 0, cache->size)) {
		kmag_complain(cache, n, "came without being zeroed");
		tag = KMAG_TAG_BAD;
	}
	if (!kmag_filled(obj, cache->ctor_len, KMAG_CTOR_SEED)) {
		kmag_complain(cache, n, "came without its constructed state");
		tag = KMAG_TAG_BAD;
	}
	kmag_fill(obj, cache->size, kmag_seed(cache, n));
	return tag;
}

/**
 * kmag_contents_check - look at an object that is about to be freed
 * @cache: that it came from
 * @obj: the object
 * @n: its id or slot, as when it was filled
 * @tag: as kept
 *
 * Return: true if its contents are, and were when it came, as they should be.
 */
bool kmag_contents_check(const struct kmag_dev_cache *cache, const void *obj,
			 u32 n, unsigned int tag)
{
	if (tag == KMAG_TAG_NONE)
		return true;
	if (!kmag_filled(obj, cache->size, kmag_seed(cache, n))) {
		kmag_complain(cache, n, "its contents have changed");
		return false;
	}
	return tag != KMAG_TAG_BAD;
}

/**
 * kmag_contents_restore - put an object back into its constructed state
 * @cache: that it came from
 * @obj: the object
 * @tag: as kept
 */
void kmag_contents_restore(const struct kmag_dev_cache *cache, void *obj,
			   unsigned int tag)
{
	if (tag != KMAG_TAG_NONE)
		kmag_fill(obj, cache->ctor_len, KMAG_CTOR_SEED);
}
