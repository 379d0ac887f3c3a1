// SPDX-License-Identifier: GPL-2.0
/* Where the running kernel keeps what describes a cache: from its BTF. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "kbtf.h"
#include "trace.h"
#include "util.h"

static int member(const struct btf *btf, const struct btf_type *st,
		  const char *name, unsigned int *offset)
{
	const struct btf_member *m = btf_members(st);
	int i;

	for (i = 0; i < btf_vlen(st); i++) {
		if (strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			continue;
		*offset = btf_member_bit_offset(st, i) / 8;
		return 0;
	}
	say("this kernel's struct kmem_cache has no %s", name);
	return -1;
}

/* Since 6.9 the flags are bits that an enum counts; before, they are fixed. */
static uint32_t flag(const struct btf *btf, const char *bit, uint32_t fixed)
{
	int id = btf__find_by_name_kind(btf, "_slab_flag_bits", BTF_KIND_ENUM);
	const struct btf_type *en = id > 0 ? btf__type_by_id(btf, id) : NULL;
	const struct btf_enum *e;
	int i;

	if (!en)
		return fixed;
	for (e = btf_enum(en), i = 0; i < btf_vlen(en); i++)
		if (!strcmp(btf__name_by_offset(btf, e[i].name_off), bit))
			return 1U << e[i].val;
	return 0;
}

int kbtf_load(struct kbtf *k)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *st;
	int id, ret = -1;

	if (libbpf_get_error(btf)) {
		say("this kernel tells no types (/sys/kernel/btf/vmlinux): %s",
		    strerror(errno));
		return -1;
	}
	id = btf__find_by_name_kind(btf, "kmem_cache", BTF_KIND_STRUCT);
	if (id < 0) {
		say("this kernel's types have no struct kmem_cache");
		goto out;
	}
	st = btf__type_by_id(btf, id);
	if (member(btf, st, "name", &k->name) ||
	    member(btf, st, "object_size", &k->object_size) ||
	    member(btf, st, "align", &k->align) ||
	    member(btf, st, "flags", &k->flags) ||
	    member(btf, st, "ctor", &k->ctor))
		goto out;
	k->hwalign = flag(btf, "_SLAB_HWCACHE_ALIGN", 0x00002000);
	k->reclaim = flag(btf, "_SLAB_RECLAIM_ACCOUNT", 0x00020000);
	k->rcu = flag(btf, "_SLAB_TYPESAFE_BY_RCU", 0x00080000);
	k->account = flag(btf, "_SLAB_ACCOUNT", 0x04000000);
	ret = 0;
out:
	btf__free(btf);
	return ret;
}

uint32_t kbtf_flags(const struct kbtf *k, uint32_t flags, uint64_t ctor)
{
	uint32_t ret = TRACE_CF_KNOWN;

	if (flags & k->hwalign)
		ret |= TRACE_CF_HWALIGN;
	if (flags & k->account)
		ret |= TRACE_CF_ACCOUNT;
	if (flags & k->reclaim)
		ret |= TRACE_CF_RECLAIM;
	if (flags & k->rcu)
		ret |= TRACE_CF_RCU;
	if (ctor)
		ret |= TRACE_CF_CTOR;
	return ret;
}
