/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/kmag: object caches from user space.
 *
 * Every structure starts with its own size, filled in by the caller. A shorter
 * one is extended with zeroes; a longer one is taken only if its tail is zero,
 * up to 4096 bytes. Fields called reserved, and flags that are not listed, must
 * be zero.
 *
 * Errors, for every command:
 *   ENOTTY      unknown command
 *   EINVAL      a size too short for the command, or a value out of range
 *   E2BIG       a longer structure whose tail is not zero, or of more than 4096
 *               bytes; or a count above the limit that KMAG_IOC_INFO tells
 *   EOPNOTSUPP  a flag, a class or a backend that this kernel does not have
 *   ENOENT      an id that this open file does not hold
 *   EFAULT      an address that cannot be read or written; nothing was done if
 *               it is the structure's, unless that went away during the call
 *   ENOMEM      no memory; whatever was done so far is told in ->done
 *   EBUSY       a cache with live objects is to be destroyed, or other runs have
 *               the memory that this one could need
 *   EINTR       a signal came
 *
 * Caches, objects and slots belong to the open file and go by ids; closing the
 * file frees them all.
 */
#ifndef _UAPI_KMAG_H
#define _UAPI_KMAG_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KMAG_DEVICE	"/dev/kmag"
#define KMAG_IOC_TYPE	0xBC
#define KMAG_NAME_LEN	32
#define KMAG_REAL_NAME_LEN 64

/* Bumped when a command or a record changes meaning; additions do not. */
#define KMAG_ABI	1

/**
 * enum kmag_backend - who serves a cache
 * @KMAG_BACKEND_KMAG: kmag itself
 * @KMAG_BACKEND_KMEM: the kernel's own kmem_cache, never merged where the
 *	kernel can be told so (6.5 on; before that boot with slab_nomerge)
 */
enum kmag_backend {
	KMAG_BACKEND_KMAG = 0,
	KMAG_BACKEND_KMEM = 1,
};

/* ->cache_flags of struct kmag_ioc_create */
#define KMAG_CF_HWALIGN	(1U << 0)	/* align to a cache line */
/* Charge slab pages to the caller's memory cgroup; not in a replay or a run. */
#define KMAG_CF_ACCOUNT	(1U << 1)
#define KMAG_CF_RECLAIM	(1U << 2)	/* count slab pages as reclaimable */
#define KMAG_CF_CTOR	(1U << 3)	/* construct objects (a known pattern) */
#define KMAG_CF_DEAD	(1U << 4)	/* snapshots only: destroyed in use */

/**
 * enum kmag_gfp - allocation classes; raw gfp bits are no ABI
 * @KMAG_GFP_KERNEL: may sleep and reclaim
 * @KMAG_GFP_ATOMIC: may not sleep, may use some reserves
 * @KMAG_GFP_NOWAIT: may not sleep, no reserves
 */
enum kmag_gfp {
	KMAG_GFP_KERNEL = 0,
	KMAG_GFP_ATOMIC = 1,
	KMAG_GFP_NOWAIT = 2,
};

#define KMAG_GFP_CLASS	0x0f		/* mask of the class */
#define KMAG_GFP_ZERO	0x80		/* zeroed memory; not with a constructor */

/* What this kernel's kmag can do, and its limits. */
struct kmag_ioc_info {
	__u32 size;
	__u32 flags;
	__u32 abi;		/* out: KMAG_ABI */
	__u32 backends;		/* out: bit mask of enum kmag_backend */
	__u32 page_size;	/* out: bytes */
	__u32 nr_cpus;		/* out: online CPUs */
	__u32 max_caches;	/* out: per open file */
	__u32 max_batch;	/* out: objects per alloc or free call */
	__u32 max_objects;	/* out: objects, or slots, per open file */
	__u32 max_replay;	/* out: records per replay call */
	__u64 max_object_size;	/* out: bytes */
	__u64 max_run_bytes;	/* out: of pages that all runs may need */
	__u32 max_run_threads;	/* out: threads of a run */
	__u32 max_run_ms;	/* out: how long it may take */
};

/* Create a cache. */
struct kmag_ioc_create {
	__u32 size;
	__u32 flags;
	__u32 backend;		/* enum kmag_backend */
	__u32 cache_flags;	/* KMAG_CF_* */
	__u32 object_size;	/* bytes */
	__u32 align;		/* bytes, a power of two, or 0 */
	__u32 id;		/* out: of this cache, for this file */
	__u32 kmag_id;		/* out: as in debugfs and snapshots; 0: not kmag's */
	char name[KMAG_NAME_LEN];		/* NUL-terminated, [A-Za-z0-9_.-] */
	char real_name[KMAG_REAL_NAME_LEN];	/* out: as the kernel lists it */
};

/* Free a cache that has no live objects (EBUSY), or with them. */
#define KMAG_DESTROY_FORCE	(1U << 0)
struct kmag_ioc_destroy {
	__u32 size;
	__u32 flags;		/* KMAG_DESTROY_* */
	__u32 id;
	__u32 reserved;
};

/* Allocate a batch: ids of objects come back in order. */
#define KMAG_BATCH_BULK		(1U << 0)	/* bulk calls, not one each */
#define KMAG_BATCH_CHECK	(1U << 1)	/* fill on alloc, check on free */
struct kmag_ioc_alloc {
	__u32 size;
	__u32 flags;		/* KMAG_BATCH_* */
	__u32 id;		/* of the cache */
	__u32 count;		/* 1 to max_batch */
	__u32 gfp;		/* enum kmag_gfp, or'd with KMAG_GFP_ZERO */
	__s32 node;		/* memory node, or -1 for the nearest */
	__u64 objs;		/* address of __u32[count], out */
	__u32 done;		/* out: ids written */
	__u32 reserved;
};

/* Free a batch of one cache. Stops at the first id that is not held. */
struct kmag_ioc_free {
	__u32 size;
	__u32 flags;		/* KMAG_BATCH_* */
	__u32 id;		/* of the cache */
	__u32 count;		/* 1 to max_batch */
	__u64 objs;		/* address of __u32[count], in */
	__u32 done;		/* out: objects freed */
	__u32 corrupt;		/* out: objects whose contents had changed */
};

/**
 * enum kmag_replay_op - what a record does
 * @KMAG_REPLAY_ALLOC: allocate into a slot that is empty
 * @KMAG_REPLAY_FREE: free what the slot holds, when it is there
 */
enum kmag_replay_op {
	KMAG_REPLAY_ALLOC = 0,
	KMAG_REPLAY_FREE = 1,
};

/* The next record goes into the same bulk call: same op, cache, cpu and gfp. */
#define KMAG_REPLAY_MORE	0x80
#define KMAG_REPLAY_MAX_BULK	64
#define KMAG_REPLAY_MAX_CPUS	8192	/* ->cpu of a record is below this */

struct kmag_replay_rec {
	__u32 slot;		/* below ->nr_slots; used once per call */
	__u16 cache;		/* id of the cache, for this file */
	__u16 cpu;		/* recorded; worker N runs on the Nth online CPU */
	__u8 op;		/* enum kmag_replay_op, or'd with MORE */
	__u8 gfp;		/* enum kmag_gfp, or'd with KMAG_GFP_ZERO */
	__u16 reserved;
	__u32 reserved2;
};

/*
 * Replay a batch of records: one pinned worker per recorded CPU; the order of
 * a CPU is kept, and a free waits until its allocation has happened. A slot is
 * allocated, and freed, at most once per call: slots that were freed may be
 * used again in the next one. What is live at the end stays in its slot.
 *
 * Of two records for one slot the allocation comes first in the batch, so sort
 * records by time. Recorded CPUs that share an online one share its worker.
 * After EINTR the results tell what was done.
 */
#define KMAG_REPLAY_CHECK	(1U << 0)	/* fill on alloc, check on free */
#define KMAG_REPLAY_RESET	(1U << 1)	/* first free all slots */
struct kmag_ioc_replay {
	__u32 size;
	__u32 flags;		/* KMAG_REPLAY_* */
	__u32 count;		/* 0 to max_replay */
	__u32 nr_slots;		/* the table is made this large; at most max_objects */
	__u64 recs;		/* address of struct kmag_replay_rec[count] */
	__u64 allocs;		/* out: allocations that succeeded */
	__u64 frees;		/* out */
	__u64 failed;		/* out: allocations that failed */
	__u64 skipped;		/* out: frees whose allocation had failed */
	__u64 corrupt;		/* out: objects whose contents had changed */
	__u64 waits;		/* out: frees that had to wait for another CPU */
	__u64 ns;		/* out: from the start gate to the last worker's end */
	__u64 live;		/* out: objects in slots now */
};

/**
 * enum kmag_run_pattern - what each thread of a run does, again and again
 * @KMAG_RUN_PAIR: allocate one, free it
 * @KMAG_RUN_TWO: allocate two, free them in the same order
 * @KMAG_RUN_LIFO: fill the live set, free it in the reverse order
 * @KMAG_RUN_FIFO: fill the live set, free it in the same order
 * @KMAG_RUN_RANDOM: allocate, or free any of the live set, as a coin falls
 * @KMAG_RUN_BURST: fill the live set by bulk calls of 1 to 64 objects, free it
 *	by such calls
 * @KMAG_RUN_CHURN: keep the live set full, replacing one at random
 * @KMAG_RUN_CROSS: hand arrays of 64 objects to the next thread, which frees
 *	them; the live set is rounded up to whole arrays
 * @KMAG_RUN_SPIKE: fill the live set, free 9 of 10 at random, replace one at
 *	random as often as the live set has objects
 * @KMAG_RUN_NR_PATTERNS: their number
 */
enum kmag_run_pattern {
	KMAG_RUN_PAIR,
	KMAG_RUN_TWO,
	KMAG_RUN_LIFO,
	KMAG_RUN_FIFO,
	KMAG_RUN_RANDOM,
	KMAG_RUN_BURST,
	KMAG_RUN_CHURN,
	KMAG_RUN_CROSS,
	KMAG_RUN_SPIKE,
	KMAG_RUN_NR_PATTERNS
};

/* Objects of a handed-over array, or a bulk call; in interrupts at most 64 KiB. */
#define KMAG_RUN_BULK	64

/**
 * enum kmag_run_mode - the context that it does it in
 * @KMAG_RUN_THREAD: a pinned thread
 * @KMAG_RUN_HARDIRQ: a timer's hard interrupt (not on PREEMPT_RT)
 * @KMAG_RUN_SOFTIRQ: a timer's soft interrupt
 * @KMAG_RUN_NR_MODES: their number
 */
enum kmag_run_mode {
	KMAG_RUN_THREAD,
	KMAG_RUN_HARDIRQ,
	KMAG_RUN_SOFTIRQ,
	KMAG_RUN_NR_MODES
};

/* Limits of struct kmag_ioc_run, besides those that KMAG_IOC_INFO tells. */
#define KMAG_RUN_MAX_CACHES	64
#define KMAG_RUN_MAX_STEPS	1024		/* ->steps */
#define KMAG_RUN_MIN_PERIOD	10		/* ->period_us */
#define KMAG_RUN_MAX_PERIOD	1000000		/* the same, ->on_us, ->off_us */
#define KMAG_RUN_MAX_IRQ_SIZE	16384		/* of objects, in interrupts */

/* What one thread of a run did. */
struct kmag_run_thread {
	__u32 cpu;
	__u32 reserved;
	__u64 allocs;		/* allocations that succeeded */
	__u64 frees;		/* before the end: allocs less left */
	__u64 failed;		/* allocations that failed */
	__u64 corrupt;		/* objects whose contents had changed */
	__u64 left;		/* live at the end, and freed then */
	__u64 ns;		/* from the start gate to its end */
	__u64 busy_ns;		/* of those, spent in steps */
	__u64 min_ps;		/* an operation, in the quickest piece */
};

/*
 * Run a workload: threads that start together, each with a live set of its
 * own. What a thread does depends on seed, pattern, live, nr_caches and its
 * number alone (but with CROSS on the others' speed, and on what fails), not
 * on the backend. At the end everything is freed. After EINTR the results tell
 * what was done.
 *
 * Bounded by count and duration_ms, of which one may be 0; without a duration
 * it is max_run_ms. It is refused (E2BIG) if all live sets, full of the largest
 * objects, had more than max_objects, or needed more than max_run_bytes together
 * with what the caches may keep for later, and what the run needs itself; and
 * (EBUSY) if other runs leave too little of the latter. An object, with what the
 * allocator puts around it, of more than an eighth of a page counts as the power of
 * two that it fits into.
 */
#define KMAG_RUN_CHECK		(1U << 0)	/* fill on alloc, check on free */
struct kmag_ioc_run {
	__u32 size;
	__u32 flags;		/* KMAG_RUN_CHECK */
	__u64 caches;		/* address of __u32[nr_caches]: ids */
	__u32 nr_caches;	/* 1 to 64; each allocation picks one at random */
	__u32 pattern;		/* enum kmag_run_pattern */
	__u32 mode;		/* enum kmag_run_mode */
	__u32 gfp;		/* as for alloc; not KMAG_GFP_KERNEL in interrupts */
	__u64 cpus;		/* address of __u64[cpus_len / 8]: bit N is CPU N */
	__u32 cpus_len;		/* bytes, a multiple of 8; 0: all online CPUs */
	__u32 threads;		/* dealt out to the CPUs in turn; 0: one for each */
	__u64 seed;
	__u64 count;		/* allocations that each thread tries; 0: no limit */
	__u32 duration_ms;
	__u32 live;		/* objects in a thread's live set, 1 or more */
	__u32 on_us;		/* stutter: work for so long, all together, */
	__u32 off_us;		/* then rest for so long; 0 and 0: never rest */
	__u32 period_us;	/* interrupts: from one's end to the next; else 0 */
	__u32 steps;		/* interrupts: steps in each; else 0 */
	__u64 results;		/* address of struct kmag_run_thread[], or 0 */
	__u32 max_results;	/* room there; if too small, the first ones */
	__u32 nr_results;	/* out: threads */
	struct kmag_run_thread total;	/* out: cpu is 0, ns the longest, min_ps the least */
};

/* How far the run is that another thread waits for; never waits itself. */
struct kmag_ioc_progress {
	__u32 size;
	__u32 flags;
	__u64 runs;		/* out: runs that this file has begun */
	__u64 ns;		/* out: since its start; 0: none is under way */
	__u64 allocs;		/* out: at most 100 ms old, as the rest */
	__u64 failed;		/* out */
	__u64 corrupt;		/* out */
};

struct kmag_ioc_cache {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
	__u64 result;		/* out: SHRINK: slabs freed; VALIDATE: errors found */
};

/*
 * One snapshot of every kmag cache in the kernel: a header, then a record for
 * each cache. Each record has its own size; skip what you do not know.
 */
struct kmag_ioc_snapshot {
	__u32 size;
	__u32 flags;
	__u64 buf;		/* address; may be 0 with len 0 */
	__u64 len;		/* bytes at buf */
	__u64 needed;		/* out: bytes; more than len: nothing was written */
};

#define KMAG_SNAP_MAGIC	0x676d6b53	/* "Skmg" */
struct kmag_snap_head {
	__u32 magic;
	__u32 size;		/* of this header */
	__u32 nr_caches;
	__u32 abi;
	__u64 time_ns;		/* CLOCK_MONOTONIC */
};

/* Room for events that may be counted one day. */
#define KMAG_SNAP_STATS		64

/* Slabs by fullness: empty, eighths of partial slabs, full. */
#define KMAG_SNAP_CLASSES	10

/**
 * enum kmag_stat - events of a cache, counted for ever
 * @KMAG_ALLOC_MAG: from a magazine of this CPU
 * @KMAG_ALLOC_DEPOT: after an exchange with the depot
 * @KMAG_ALLOC_SLAB: after taking objects from slabs
 * @KMAG_ALLOC_PAGE: after a new slab was made
 * @KMAG_ALLOC_FAIL: returned NULL
 * @KMAG_FREE_MAG: to a magazine of this CPU
 * @KMAG_FREE_DEPOT: after an exchange with the depot
 * @KMAG_FREE_SLAB: after giving objects to slabs
 * @KMAG_FREE_PAGE: a slab went back to the page allocator
 * @KMAG_FREE_BAD: reported and refused
 * @KMAG_SWAP: loaded and previous swapped
 * @KMAG_DEPOT_VISIT: exchanges tried with the depot
 * @KMAG_DEPOT_CONTENDED: the depot lock was held by another CPU
 * @KMAG_DEPOT_NO_EMPTY: no empty magazine to be had
 * @KMAG_REFILL: runs taken from slabs
 * @KMAG_REFILL_OBJS: their objects
 * @KMAG_FLUSH: runs given back to slabs
 * @KMAG_FLUSH_OBJS: their objects
 * @KMAG_BUSY: an interrupt found its CPU's magazines in use
 * @KMAG_FENCE: a CPU met a closed gate
 * @KMAG_SLAB_NEW: slabs made
 * @KMAG_SLAB_FREED: slabs given back to the page allocator
 * @KMAG_SLAB_FALLBACK: made with the smallest order, under pressure
 * @KMAG_PARKED: frees in NMI put aside
 * @KMAG_PARK_FULL: frees in NMI that found no room: the object stays allocated
 * @KMAG_MARK: slabs that were to become empty
 * @KMAG_UNMARK: of those, taken back or left alone
 * @KMAG_RETURN: of those, became empty and went to the page allocator
 * @KMAG_HOME: frees of an object of such a slab
 * @KMAG_DRAINING_MS: milliseconds in which there were such slabs
 * @KMAG_NR_STATS: their number
 *
 * An allocation or a free is counted once, by the lowest layer it had to
 * touch: MAG, DEPOT, SLAB or PAGE; their sum is the number of operations.
 */
enum kmag_stat {
	KMAG_ALLOC_MAG,
	KMAG_ALLOC_DEPOT,
	KMAG_ALLOC_SLAB,
	KMAG_ALLOC_PAGE,
	KMAG_ALLOC_FAIL,
	KMAG_FREE_MAG,
	KMAG_FREE_DEPOT,
	KMAG_FREE_SLAB,
	KMAG_FREE_PAGE,
	KMAG_FREE_BAD,
	KMAG_SWAP,
	KMAG_DEPOT_VISIT,
	KMAG_DEPOT_CONTENDED,
	KMAG_DEPOT_NO_EMPTY,
	KMAG_REFILL,
	KMAG_REFILL_OBJS,
	KMAG_FLUSH,
	KMAG_FLUSH_OBJS,
	KMAG_BUSY,
	KMAG_FENCE,
	KMAG_SLAB_NEW,
	KMAG_SLAB_FREED,
	KMAG_SLAB_FALLBACK,
	KMAG_PARKED,
	KMAG_PARK_FULL,
	KMAG_MARK,
	KMAG_UNMARK,
	KMAG_RETURN,
	KMAG_HOME,
	KMAG_DRAINING_MS,
	KMAG_NR_STATS
};

/*
 * A cache. slots = live + cpu_objs + depot_objs + slab_free + transit, exact
 * when nobody uses the cache; else skew tells by how much a racy read is off.
 * Bytes: live x object_size + live x (stride - object_size) and so on add up
 * to slab_bytes, as debugfs' summary prints it.
 */
struct kmag_snap_cache {
	__u32 size;		/* of this structure */
	__u32 record_size;	/* with what follows */
	__u32 id;
	__u32 flags;		/* KMAG_CF_* */
	char name[KMAG_NAME_LEN];
	__u32 object_size;	/* as asked for */
	__u32 stride;		/* from one object to the next */
	__u32 align;
	__u32 order;		/* of a new slab's pages */
	__u32 slab_slots;	/* objects in a new slab */
	__u32 capacity;		/* rounds of a new magazine */
	__u32 nr_cpus;		/* struct kmag_snap_cpu that follow */
	__u32 nr_nodes;		/* struct kmag_snap_node after them */
	__u64 slots;		/* objects that all slabs have room for */
	__u64 live;		/* with their owners: allocations less frees */
	__u64 cpu_objs;		/* in CPUs' magazines */
	__u64 depot_objs;
	__u64 slab_free;	/* free in slabs */
	__u64 empty_free;	/* of those, in slabs without any object */
	__u64 transit;		/* between layers just now, or parked */
	__s64 skew;		/* slots less the sum */
	__u64 slabs;		/* held */
	__u64 slabs_needed;	/* for the live objects alone */
	__u64 slabs_by_class[KMAG_SNAP_CLASSES];
	__u64 slab_bytes;	/* what the page allocator gave */
	__u64 tail_bytes;	/* of those, behind the last object of a slab */
	__u64 mag_bytes;	/* magazines */
	__u64 meta_bytes;	/* slab descriptors and per-CPU state */
	__u64 stats[KMAG_SNAP_STATS];	/* by enum kmag_stat; 0 above those there are */
	__u64 empty_bytes;	/* of slab_bytes, in slabs without any object */
	__u64 needed_bytes;	/* of the slabs held, the fewest that hold the live objects */
	__u32 nr_latencies;	/* struct kmag_snap_latency after the nodes; 0 or TIERS */
	__u32 latency_on;	/* is it being taken? */
	__u64 draining;		/* of the slabs held, those that are to become empty */
	__u64 draining_bytes;	/* their pages */
	__u64 reserved[3];
};

struct kmag_snap_cpu {
	__u32 size;
	__u32 cpu;
	__u32 online;
	__u32 loaded;		/* rounds */
	__u32 loaded_cap;
	__u32 previous;		/* rounds */
	__u32 previous_cap;
	__u32 closed;		/* its gate is shut, or has never been open */
	__u64 allocs;		/* served by its magazines */
	__u64 frees;
};

struct kmag_snap_node {
	__u32 size;
	__u32 node;
	__u32 full;		/* magazines in the depot */
	__u32 empty;
	__u32 full_max;		/* above this a free flushes to slabs */
	__u32 full_min;		/* lowest since the last interval */
	__u64 slabs;
	__u64 slots;
	__u64 slab_free;
	__u64 slabs_by_class[KMAG_SNAP_CLASSES];
};

/* Tiers are KMAG_ALLOC_MAG to KMAG_FREE_PAGE. */
#define KMAG_SNAP_TIERS		9
#define KMAG_SNAP_BUCKETS	32

/* How long operations took, since that was switched on (debugfs). */
struct kmag_snap_latency {
	__u32 size;
	__u32 tier;		/* enum kmag_stat */
	__u64 count;
	__u64 sum_ns;
	__u64 max_ns;
	__u64 buckets[KMAG_SNAP_BUCKETS];	/* [i]: below 2^i ns; the last: all above */
};

#define KMAG_IOC_INFO		_IO(KMAG_IOC_TYPE, 0)
#define KMAG_IOC_CREATE		_IO(KMAG_IOC_TYPE, 1)
#define KMAG_IOC_DESTROY	_IO(KMAG_IOC_TYPE, 2)
#define KMAG_IOC_ALLOC		_IO(KMAG_IOC_TYPE, 3)
#define KMAG_IOC_FREE		_IO(KMAG_IOC_TYPE, 4)
#define KMAG_IOC_REPLAY		_IO(KMAG_IOC_TYPE, 5)
#define KMAG_IOC_SHRINK		_IO(KMAG_IOC_TYPE, 6)
#define KMAG_IOC_VALIDATE	_IO(KMAG_IOC_TYPE, 7)
#define KMAG_IOC_SNAPSHOT	_IO(KMAG_IOC_TYPE, 8)
#define KMAG_IOC_RUN		_IO(KMAG_IOC_TYPE, 9)
#define KMAG_IOC_PROGRESS	_IO(KMAG_IOC_TYPE, 10)

#endif /* _UAPI_KMAG_H */
