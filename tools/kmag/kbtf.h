/* SPDX-License-Identifier: GPL-2.0 */
/* Where the running kernel keeps what describes a cache: from its BTF. */
#ifndef KMAG_KBTF_H
#define KMAG_KBTF_H

#include <stdint.h>

/* Byte offsets in struct kmem_cache, and flag masks, of this kernel */
struct kbtf {
	unsigned int name;
	unsigned int object_size;
	unsigned int align;
	unsigned int flags;
	unsigned int ctor;
	uint32_t hwalign;
	uint32_t account;
	uint32_t reclaim;
	uint32_t rcu;
};

/* Return: 0, or -1 after one sentence. */
int kbtf_load(struct kbtf *k);

/* SLAB_* of this kernel as TRACE_CF_* */
uint32_t kbtf_flags(const struct kbtf *k, uint32_t flags, uint64_t ctor);

#endif /* KMAG_KBTF_H */
