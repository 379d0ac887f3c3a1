/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kmag's layers share. A layer calls down, never up:
 *
 *	cache     create and destroy                     cache.c
 *	reclaim   shrink, shrinker, worker               reclaim.c
 *	evacuate  sparse slabs become empty              evacuate.c tune.c
 *	fence     all CPUs' magazines, one grace period  fence.c
 *	alloc     the calls on objects                   alloc.c
 *	magazine  per CPU: loaded and previous           magazine.c gate.c
 *	                                                 park.c
 *	depot     per node: full and empty magazines     depot.c
 *	slab      bitmaps, fullness, marks, pages        slab.c mark.c layout.c
 *	                                                 pages.c
 *	table     from a page back to its slab           table.c
 *
 * registry.c lists the caches. account.c, census.c and validate.c look at all
 * layers for whoever prints (debugfs.c, slabview.c, the device); debug.c, trace.h
 * and latency.c are called by all.
 *
 * Lock order, outer first (Documentation/locking.rst says what each protects)
 *	latency_lock		mutex	and within it, for static keys, CPU hotplug's
 *	kmag_caches_lock	mutex	the registry
 *	cache->fence_lock	mutex	one fence at a time
 *	cpu->lock		raw	one CPU's magazines, for slow paths
 *	depot->lock | node->lock  raw	never both at once
 *	table lock		raw	taken with none of the raw locks held
 *
 * Raw locks are taken with interrupts off: allocations and frees come from
 * hard interrupts, and the shrinker and the worker take the same locks.
 *
 * Do not, with a raw lock held: allocate or free pages or kmalloc memory, call
 * a constructor, print, wake anybody. Slabs to be freed and misuse to be
 * reported go to struct kmag_leftovers, which the caller settles outside: on
 * PREEMPT_RT the page allocator sleeps, and a console may allocate from us.
 */
#ifndef _KMAG_INTERNAL_H
#define _KMAG_INTERNAL_H

#include <linux/cache.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <kmag/kmag.h>
#include <kmag/kmag_inline.h>
#include <uapi/kmag.h>

#include "compat.h"

struct dentry;
struct kmag_latency;

/* Fullness classes: empty, eighths of partial slabs, full. */
#define KMAG_EMPTY	0
#define KMAG_FULL	(KMAG_SNAP_CLASSES - 1)

/*
 * Thresholds, each with its reason.
 *
 * WASTE: a slab loses at most 1/8 to its tail, the sweet spot between
 * internal waste and external fragmentation of Bonwick (1994, 3.2).
 * ORDER_GOOD: up to this order the page allocator seldom has to compact.
 * SLOTS_GOOD: fewer objects than this a slab, and its descriptor and the
 * trip to the page allocator weigh more than the compactness they buy.
 */
#define KMAG_WASTE_SHIFT	3
#define KMAG_ORDER_GOOD		3
#define KMAG_SLOTS_GOOD		4

/*
 * Bytes of full magazines a node's depot keeps (one magazine at least), their
 * number at most, and empty magazines that a depot starts with and keeps.
 */
#define KMAG_DEPOT_BYTES	(512 * 1024)
#define KMAG_DEPOT_FULL_MAX	32U
#define KMAG_DEPOT_EMPTIES	4U

/*
 * How long what nobody needed in all that time is kept: see reclaim.c. Long
 * enough to pay for the trip to the page allocator and back, short against the
 * life of a spike.
 */
#define KMAG_INTERVAL		HZ

/**
 * enum kmag_tune - thresholds of evacuation; their values and reasons: tune.c
 * @KMAG_TUNE_START: it begins above this excess, 1/n of what is away
 * @KMAG_TUNE_MORE: while it goes on, more slabs are marked above this, 1/n
 * @KMAG_TUNE_STOP: it ends below this, 1/n
 * @KMAG_TUNE_ROOM: so much stays free, 1/n
 * @KMAG_TUNE_SLABS: slabs to be gained at least
 * @KMAG_TUNE_DELAY_MS: from one look at a sparse cache to the next
 * @KMAG_TUNE_FALL: a spike goes on while more than 1/n goes from look to look
 * @KMAG_TUNE_WAITS: looks that wait for it
 * @KMAG_TUNE_REST: intervals that a slab which was taken back is left alone
 * @KMAG_TUNE_PATIENCE: intervals in which no slab came back, until it gives up
 * @KMAG_TUNE_HOPELESS: intervals that those slabs are left alone then
 * @KMAG_NR_TUNES: how many there are
 */
enum kmag_tune {
	KMAG_TUNE_START,
	KMAG_TUNE_MORE,
	KMAG_TUNE_STOP,
	KMAG_TUNE_ROOM,
	KMAG_TUNE_SLABS,
	KMAG_TUNE_DELAY_MS,
	KMAG_TUNE_FALL,
	KMAG_TUNE_WAITS,
	KMAG_TUNE_REST,
	KMAG_TUNE_PATIENCE,
	KMAG_TUNE_HOPELESS,
	KMAG_NR_TUNES
};

/**
 * enum kmag_retention - what a cache keeps that nobody uses
 * @KMAG_EAGER: no empty slab, and full magazines until the interval ends
 * @KMAG_WORKING_SET: what was used in the last interval
 * @KMAG_LAZY: all that limits let it keep, until memory is short
 */
enum kmag_retention {
	KMAG_EAGER,
	KMAG_WORKING_SET,
	KMAG_LAZY,
};

/**
 * struct kmag_magazine - an array of objects
 * @next: in the depot's stack
 * @cap: rounds it has room for
 * @objs: the objects
 *
 * How many it holds is known by where it is: a CPU keeps the count, and in the
 * depot it is full or empty. Header and rounds fill whole cache lines.
 */
struct kmag_magazine {
	struct kmag_magazine *next;
	unsigned long cap;
	void *objs[];
};

/* Rounds of a magazine that is @bytes large. */
#define KMAG_ROUNDS(bytes)	(((bytes) - sizeof(struct kmag_magazine)) / \
				 sizeof(void *))

/**
 * enum kmag_gate - who may use a CPU's magazines
 * @KMAG_GATE_OPEN: the CPU itself, on the fast path
 * @KMAG_GATE_FENCED: closed by a fence; contents wait for the CPU's next
 *	operation or the end of the grace period, whichever comes first
 * @KMAG_GATE_MARKED: as FENCED, but the CPU's next operation drains only what
 *	belongs to draining slabs
 * @KMAG_GATE_DRAINED: closed and empty; the CPU opens it at its next operation
 *
 * Only the CPU itself opens its gate (or hotplug, for one that is dead), under
 * the lock: so the fast path needs no barrier to see what a drainer did.
 */
enum kmag_gate {
	KMAG_GATE_OPEN,
	KMAG_GATE_FENCED,
	KMAG_GATE_MARKED,
	KMAG_GATE_DRAINED,
};

/**
 * struct kmag_cpu - a CPU's magazines
 * @fast: what the fast path touches
 * @lock: held by slow paths and by drainers of other CPUs
 * @gate: written under @lock
 * @stats: events, by enum kmag_stat; the two of the fast path are in @fast
 */
struct kmag_cpu {
	struct kmag_pcp fast;
	raw_spinlock_t lock ____cacheline_aligned;
	enum kmag_gate gate;
	unsigned long stats[KMAG_NR_STATS];
} ____cacheline_aligned;

/**
 * struct kmag_depot - a node's magazines that no CPU holds
 * @lock: protects the rest; covers O(1) work
 * @full: stack of full magazines
 * @empty: stack of empty magazines
 * @nr_full: length of @full
 * @nr_empty: length of @empty
 * @full_max: a full magazine beyond these goes back to slabs; 0 while shut
 * @open_max: what it is when the depot is open
 * @full_min: lowest @nr_full since the interval began
 * @empty_min: lowest @nr_empty since then
 * @objs: objects in @full
 * @bytes: memory of the magazines here
 * @want: exchanges that found no empty magazine since the last stocking
 */
struct kmag_depot {
	raw_spinlock_t lock;
	struct kmag_magazine *full;
	struct kmag_magazine *empty;
	unsigned int nr_full;
	unsigned int nr_empty;
	unsigned int full_max;
	unsigned int open_max;
	unsigned int full_min;
	unsigned int empty_min;
	unsigned long objs;
	unsigned long bytes;
	unsigned int want;
};

/**
 * struct kmag_node - a memory node's slabs and its depot
 * @lock: protects the lists, the counts and every bitmap of these slabs
 * @nid: its id
 * @empty: slabs without objects away, the one used last in front
 * @partial: by fullness class, but for empty, full and draining ones
 * @draining: those that are to become empty, by fullness class
 * @passed: partial ones that rest, while others are marked
 * @nr: slabs of each class, draining or not
 * @empty_min: lowest number of empty ones since the interval began
 * @nr_slabs: the sum of @nr
 * @slots: objects all slabs have room for
 * @free: of those, free in their slabs
 * @empty_free: of those, in empty slabs
 * @nr_draining: draining slabs
 * @draining_slots: objects they have room for
 * @draining_bytes: their pages
 * @vain: free slots that were too many, in slabs that had to rest; else 0
 * @bytes: pages of these slabs
 * @tail: of those, bytes behind the last object
 * @meta: bytes of descriptors
 * @depot: full and empty magazines
 */
struct kmag_node {
	raw_spinlock_t lock;
	u16 nid;
	struct list_head empty;
	struct hlist_head partial[KMAG_SNAP_CLASSES];
	struct hlist_head draining[KMAG_SNAP_CLASSES];
	struct hlist_head passed;
	unsigned long nr[KMAG_SNAP_CLASSES];
	unsigned long empty_min;
	unsigned long nr_slabs;
	unsigned long slots;
	unsigned long free;
	unsigned long empty_free;
	unsigned long nr_draining;
	unsigned long draining_slots;
	unsigned long draining_bytes;
	long vain;
	unsigned long bytes;
	unsigned long tail;
	unsigned long meta;
	struct kmag_depot depot ____cacheline_aligned;
};

/**
 * struct kmag_evac - when slabs are marked, and how that gets on
 * @poke: from any context to @work
 * @work: decides, marks, fences
 * @armed: an event may poke
 * @marking: marks are set, but not yet in force
 * @off: nothing happens by itself
 * @floor: free slots that are no excess, however few objects are away
 * @tune: by enum kmag_tune; written under cache->fence_lock, as @rested is
 * @interval: counted by the worker of reclaim.c
 * @rested: the interval in which the first slab has rested that marks passed last
 * @waits: how often a spike was waited for
 * @away: objects away when @work looked last, and waited; else 0
 * @returned: KMAG_RETURN when it changed last
 * @looked: @interval when that was looked at last
 * @freed: frees when @idle changed last
 * @idle: intervals since it changed, but for those with few frees
 * @since: when @cache->draining was accounted for last, jiffies
 *
 * From @waits on: under cache->fence_lock.
 */
struct kmag_evac {
	struct irq_work poke;
	struct delayed_work work;
	bool armed;
	bool marking;
	bool off;
	unsigned int floor;
	u32 tune[KMAG_NR_TUNES];
	u32 interval;
	u32 rested;
	unsigned int waits;
	unsigned long away;
	unsigned long returned;
	unsigned long freed;
	u32 looked;
	unsigned int idle;
	unsigned long since;
};

/**
 * struct kmag_cache - a cache
 * @fast: what kmag_inline.h knows
 * @draining: there may be draining slabs: each free looks
 * @cpu: per-CPU state; @fast.pcp points at its first member
 * @stride: from one object to the next, bytes
 * @inverse: of the odd part of @stride, modulo 2^BITS_PER_LONG, to find slots
 * @shift: bits of the even part
 * @align: of an object, bytes
 * @flags: KMAG_HWCACHE_ALIGN and the others
 * @ctor: or NULL; called once a slot, when its slab is made
 * @order: of a new slab's pages
 * @min_order: the same under pressure
 * @slab_slots: objects in a new slab
 * @capacity: rounds of a new magazine
 * @empty_max: empty slabs a node keeps at most
 * @retention: what is kept that nobody uses
 * @gfp: added to every page allocation
 * @id: for views; never used again
 * @dead: destroyed with live objects; kept for ever
 * @name: for views
 * @list: in the registry
 * @fence_lock: one fence at a time; also shrink and destroy
 * @evac: evacuation
 * @transit: objects on their way from a depot to their slabs
 * @parked: objects put aside by a free in an NMI
 * @debugfs: its directory
 * @validated: errors that the last validation found; -EAGAIN before the first
 * @reported: by enum kmag_refused, what was said already
 * @bad_limit: of reports of bad frees
 * @latency_on: operations take their time
 * @latency: histograms, from the first time they were switched on
 * @node: by node id; NULL for a node that is not possible
 */
struct kmag_cache {
	struct kmag_cache_fast fast;
	bool draining;
	struct kmag_cpu __percpu *cpu;
	unsigned int stride;
	unsigned long inverse;
	unsigned int shift;
	unsigned int align;
	unsigned int flags;
	void (*ctor)(void *obj);
	unsigned int order;
	unsigned int min_order;
	unsigned int slab_slots;
	unsigned int capacity;
	unsigned int empty_max;
	enum kmag_retention retention;
	gfp_t gfp;
	unsigned int id;
	bool dead;
	char name[KMAG_NAME_LEN];
	struct list_head list;
	struct mutex fence_lock;	/* one fence at a time */
	struct kmag_evac evac;
	atomic_long_t transit;
	atomic_long_t parked;
	struct dentry *debugfs;
	int validated;
	unsigned long reported;
	struct ratelimit_state bad_limit;
	bool latency_on;
	struct kmag_latency __percpu *latency;
	struct kmag_node *node[];
};

/* Count an event on this CPU; safe in any context. */
#define kmag_count(cache, stat)		this_cpu_inc((cache)->cpu->stats[stat])
#define kmag_count_by(cache, stat, n)	this_cpu_add((cache)->cpu->stats[stat], n)

/* What of @gfp may be passed on for kmag's own descriptors and magazines. */
#define KMAG_GFP_META	(__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HIGH | \
			 __GFP_NOWARN | __GFP_NORETRY | __GFP_RETRY_MAYFAIL | \
			 __GFP_NOFAIL)

#endif /* _KMAG_INTERNAL_H */
