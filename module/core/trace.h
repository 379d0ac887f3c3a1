/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, under events/kmag/ of tracefs. kmag_alloc and kmag_free carry
 * what the kmem events carry. Off, the two cost the fast path the no-op of a jump
 * label, which that of a free has for other reasons anyway: on, they make every
 * allocation and every free odd (see kmag_inline.h), and the odd paths trace.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kmag

#if !defined(_KMAG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KMAG_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/mmflags.h>

#include "internal.h"

struct kmag_slab;

int kmag_trace_alloc_on(void);
void kmag_trace_alloc_off(void);
int kmag_trace_free_on(void);
void kmag_trace_free_off(void);

/* Every event begins with the cache, whose name it copies: that may be gone. */
TRACE_EVENT_FN(kmag_alloc,

	TP_PROTO(const struct kmag_cache *cache, const void *ptr,
		 unsigned long call_site, gfp_t gfp, int node),

	TP_ARGS(cache, ptr, call_site, gfp, node),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(unsigned long, call_site)
		__field(const void *, ptr)
		__field(size_t, bytes_req)
		__field(size_t, bytes_alloc)
		__field(unsigned long, gfp_flags)
		__field(int, node)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->call_site = call_site;
		__entry->ptr = ptr;
		__entry->bytes_req = cache->fast.size;
		__entry->bytes_alloc = cache->stride;
		__entry->gfp_flags = (__force unsigned long)gfp;
		__entry->node = node;
	),

	TP_printk("name=%s-%u call_site=%pS ptr=%p bytes_req=%zu bytes_alloc=%zu gfp_flags=%s node=%d",
		  __entry->name, __entry->id, (void *)__entry->call_site,
		  __entry->ptr, __entry->bytes_req, __entry->bytes_alloc,
		  show_gfp_flags(__entry->gfp_flags), __entry->node),

	kmag_trace_alloc_on, kmag_trace_alloc_off
);

TRACE_EVENT_FN(kmag_free,

	TP_PROTO(const struct kmag_cache *cache, const void *ptr,
		 unsigned long call_site),

	TP_ARGS(cache, ptr, call_site),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(unsigned long, call_site)
		__field(const void *, ptr)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->call_site = call_site;
		__entry->ptr = ptr;
	),

	TP_printk("name=%s-%u call_site=%pS ptr=%p", __entry->name,
		  __entry->id, (void *)__entry->call_site, __entry->ptr),

	kmag_trace_free_on, kmag_trace_free_off
);

DECLARE_EVENT_CLASS(kmag_run,

	TP_PROTO(const struct kmag_cache *cache, unsigned int objs),

	TP_ARGS(cache, objs),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(u32, objs)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->objs = objs;
	),

	TP_printk("name=%s-%u objs=%u", __entry->name, __entry->id,
		  __entry->objs)
);

/* Objects taken from slabs, in one lock hold. */
DEFINE_EVENT(kmag_run, kmag_refill,
	TP_PROTO(const struct kmag_cache *cache, unsigned int objs),
	TP_ARGS(cache, objs)
);

/* Objects given back to slabs, in one go. */
DEFINE_EVENT(kmag_run, kmag_flush,
	TP_PROTO(const struct kmag_cache *cache, unsigned int objs),
	TP_ARGS(cache, objs)
);

/* A CPU went to the depot for a full or an empty magazine. */
TRACE_EVENT(kmag_depot_exchange,

	TP_PROTO(const struct kmag_cache *cache, bool full, bool got),

	TP_ARGS(cache, full, got),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(bool, full)
		__field(bool, got)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->full = full;
		__entry->got = got;
	),

	TP_printk("name=%s-%u want=%s got=%s", __entry->name, __entry->id,
		  __entry->full ? "full" : "empty",
		  __entry->got ? "yes" : "no")
);

DECLARE_EVENT_CLASS(kmag_slab,

	TP_PROTO(const struct kmag_cache *cache, const struct kmag_slab *slab),

	TP_ARGS(cache, slab),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(unsigned long, pfn)
		__field(const void *, base)
		__field(u32, order)
		__field(u32, slots)
		__field(int, node)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->pfn = kmag_slab_pfn(slab);
		__entry->base = slab->base;
		__entry->order = slab->order;
		__entry->slots = slab->slots;
		__entry->node = slab->nid;
	),

	TP_printk("name=%s-%u pfn=%lu base=%p order=%u slots=%u node=%d",
		  __entry->name, __entry->id, __entry->pfn, __entry->base,
		  __entry->order, __entry->slots, __entry->node)
);

DEFINE_EVENT(kmag_slab, kmag_slab_create,
	TP_PROTO(const struct kmag_cache *cache, const struct kmag_slab *slab),
	TP_ARGS(cache, slab)
);

DEFINE_EVENT(kmag_slab, kmag_slab_destroy,
	TP_PROTO(const struct kmag_cache *cache, const struct kmag_slab *slab),
	TP_ARGS(cache, slab)
);

/* A draining slab has become empty: kmag_slab_destroy follows. */
DEFINE_EVENT(kmag_slab, kmag_return,
	TP_PROTO(const struct kmag_cache *cache, const struct kmag_slab *slab),
	TP_ARGS(cache, slab)
);

DECLARE_EVENT_CLASS(kmag_marks,

	TP_PROTO(const struct kmag_cache *cache, int node, unsigned int slabs),

	TP_ARGS(cache, node, slabs),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(int, node)
		__field(u32, slabs)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->node = node;
		__entry->slabs = slabs;
	),

	TP_printk("name=%s-%u node=%d slabs=%u", __entry->name, __entry->id,
		  __entry->node, __entry->slabs)
);

/* Slabs are to become empty; those marked in one lock hold. */
DEFINE_EVENT(kmag_marks, kmag_mark,
	TP_PROTO(const struct kmag_cache *cache, int node, unsigned int slabs),
	TP_ARGS(cache, node, slabs)
);

/* They are not any more: taken back, or left alone. */
DEFINE_EVENT(kmag_marks, kmag_unmark,
	TP_PROTO(const struct kmag_cache *cache, int node, unsigned int slabs),
	TP_ARGS(cache, node, slabs)
);

/*
 * A fence is over: of what a CPU had cached before, nothing is cached any more, or,
 * after marks, nothing that drains.
 */
TRACE_EVENT(kmag_fence,

	TP_PROTO(const struct kmag_cache *cache, bool marked),

	TP_ARGS(cache, marked),

	TP_STRUCT__entry(
		__array(char, name, KMAG_NAME_LEN)
		__field(u32, id)
		__field(bool, marked)
	),

	TP_fast_assign(
		memcpy(__entry->name, cache->name, KMAG_NAME_LEN);
		__entry->id = cache->id;
		__entry->marked = marked;
	),

	TP_printk("name=%s-%u drained=%s", __entry->name, __entry->id,
		  __entry->marked ? "marked" : "all")
);

#endif /* _KMAG_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
