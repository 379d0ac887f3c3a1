/* SPDX-License-Identifier: GPL-2.0 */
/* The trace file's numbers: what its writer and its reader must agree on. */
#ifndef KMAG_TRACE_CODE_H
#define KMAG_TRACE_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "util.h"

/* First byte of a record; fields that follow are in this order */
#define TAG_FREE	BIT(0)
#define TAG_MORE	BIT(1)
#define TAG_TIME	BIT(2)	/* time since the CPU's last record */
#define TAG_CACHE	BIT(3)	/* another cache than the last record's */
#define TAG_GFP		BIT(4)	/* another gfp than the last allocation's */
#define TAG_UNKNOWN	(~0x1fU & 0xff)

#define VARINT_MAX	10

static inline uint8_t *put_varint(uint8_t *to, uint64_t v)
{
	while (v >= 0x80) {
		*to++ = v | 0x80;
		v >>= 7;
	}
	*to++ = v;
	return to;
}

/* NULL when the number does not end before @end, or is too long. */
static inline const uint8_t *get_varint(const uint8_t *from, const uint8_t *end,
					uint64_t *v)
{
	unsigned int shift;

	*v = 0;
	for (shift = 0; from < end && shift < 64; shift += 7) {
		*v |= (uint64_t)(*from & 0x7f) << shift;
		if (!(*from++ & 0x80))
			return from;
	}
	return NULL;
}

/* Small for small differences of either sign */
static inline uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Objects lie on multiples of 8: the three low bits go to the top. */
static inline uint64_t obj_fold(uint64_t obj)
{
	return obj >> 3 | obj << 61;
}

static inline uint64_t obj_unfold(uint64_t v)
{
	return v << 3 | v >> 61;
}

static inline uint8_t *put_le(uint8_t *to, uint64_t v, unsigned int len)
{
	for (; len; len--, v >>= 8)
		*to++ = v;
	return to;
}

static inline uint64_t get_le(const uint8_t *from, unsigned int len)
{
	uint64_t v = 0;

	while (len--)
		v = v << 8 | from[len];
	return v;
}

#endif /* KMAG_TRACE_CODE_H */
