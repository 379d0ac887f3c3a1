// SPDX-License-Identifier: GPL-2.0
/*
 * What the suites share.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kmemleak.h>
#include <linux/kmsg_dump.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/umh.h>

#include "account.h"
#include "compat.h"
#include "depot.h"
#include "pages.h"
#include "reclaim.h"
#include "slab.h"
#include "util.h"

int kmag_test_init(struct kunit *test)
{
	/* Each test is a thread of its own, so this ends with it. */
	return set_cpus_allowed_ptr(current, cpumask_of(0));
}

static void destroy_action(void *arg)
{
	struct kunit *test = kunit_get_current_test();
	struct kmag_cache *cache = arg;

	/* A test that gave up may have lost its objects; one failure will do. */
	if (test->status != KUNIT_FAILURE) {
		kmag_test_exact(test, cache, 0);
		KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
		kmag_test_exact(test, cache, 0);
	}
	kmag_cache_destroy(cache);
}

struct kmag_cache *kmag_test_cache(struct kunit *test, unsigned int size,
				   unsigned int align, unsigned int flags,
				   void (*ctor)(void *obj))
{
	struct kmag_cache *cache;

	cache = kmag_cache_create("kunit", size, align, flags, ctor);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy_action,
							cache), 0);
	kmag_retain(cache, KMAG_LAZY);
	return cache;
}

void kmag_test_destroy(struct kunit *test, struct kmag_cache *cache)
{
	kunit_release_action(test, destroy_action, cache);
}

struct kmag_snap_cache *kmag_test_snap(struct kunit *test,
				       struct kmag_cache *cache)
{
	struct kmag_snap_cache *snap;

	snap = kmag_snapshot_next(kmag_cache_id(cache), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, snap);
	KUNIT_ASSERT_EQ(test, snap->id, kmag_cache_id(cache));
	return snap;
}

void __kmag_test_exact(struct kunit *test, struct kmag_cache *cache, u64 live,
		       const char *func, int line)
{
	struct kmag_snap_cache *s = kmag_test_snap(test, cache);
	u64 known = s->live + s->cpu_objs + s->depot_objs + s->slab_free +
		    s->transit;

	KUNIT_EXPECT_EQ_MSG(test, s->live, live, "%s:%d", func, line);
	KUNIT_EXPECT_EQ_MSG(test, s->skew, 0, "%s:%d", func, line);
	KUNIT_EXPECT_EQ_MSG(test, s->transit, 0, "%s:%d", func, line);
	KUNIT_EXPECT_EQ_MSG(test, s->slots, known, "%s:%d", func, line);
	KUNIT_EXPECT_EQ_MSG(test, s->slab_bytes,
			    known * s->stride + s->tail_bytes, "%s:%d", func,
			    line);
	kvfree(s);
	KUNIT_EXPECT_EQ_MSG(test, kmag_cache_validate(cache), 0, "%s:%d", func,
			    line);
}

unsigned long kmag_test_stat(struct kmag_cache *cache, enum kmag_stat stat)
{
	unsigned long sum = kmag_sum(cache, stat);
	unsigned int nr;

	for_each_possible_cpu(nr) {
		struct kmag_pcp *pcp = &per_cpu_ptr(cache->cpu, nr)->fast;

		if (stat == KMAG_ALLOC_MAG)
			sum += pcp->allocs;
		if (stat == KMAG_FREE_MAG)
			sum += pcp->frees;
	}
	return sum;
}

unsigned long kmag_test_allocs(struct kmag_cache *cache)
{
	return kmag_test_stat(cache, KMAG_ALLOC_MAG) +
	       kmag_test_stat(cache, KMAG_ALLOC_DEPOT) +
	       kmag_test_stat(cache, KMAG_ALLOC_SLAB) +
	       kmag_test_stat(cache, KMAG_ALLOC_PAGE);
}

unsigned long kmag_test_frees(struct kmag_cache *cache)
{
	return kmag_test_stat(cache, KMAG_FREE_MAG) +
	       kmag_test_stat(cache, KMAG_FREE_DEPOT) +
	       kmag_test_stat(cache, KMAG_FREE_SLAB) +
	       kmag_test_stat(cache, KMAG_FREE_PAGE);
}

unsigned int kmag_test_nr_caches(void)
{
	struct kmag_snap_cache *snap;
	unsigned int id = 0, nr = 0;

	while (!IS_ERR_OR_NULL(snap = kmag_snapshot_next(id, GFP_KERNEL))) {
		id = snap->id + 1;
		nr++;
		kvfree(snap);
	}
	return nr;
}

struct kmag_cpu *kmag_test_cpu(struct kmag_cache *cache)
{
	return per_cpu_ptr(cache->cpu, raw_smp_processor_id());
}

struct kmag_node *kmag_test_node(struct kmag_cache *cache)
{
	return cache->node[kmag_this_node()];
}

struct kmag_slab *kmag_test_slab_of(const void *addr)
{
	struct kmag_slab *slab;

	rcu_read_lock();
	slab = kmag_slab_of(addr);
	rcu_read_unlock();
	return slab;
}

struct kmag_slab *kmag_test_next_slab(struct kmag_cache *cache,
				      unsigned long *nr)
{
	struct kmag_slab *slab;

	rcu_read_lock();
	slab = kmag_slab_next(cache, nr);
	rcu_read_unlock();
	return slab;
}

KUNIT_DEFINE_ACTION_WRAPPER(kvfree_action, kvfree, const void *);

void **kmag_test_array(struct kunit *test, size_t nr)
{
	void **objs = kvcalloc(nr, sizeof(*objs), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, objs);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kvfree_action,
							objs), 0);
	return objs;
}

void kmag_test_alloc(struct kunit *test, struct kmag_cache *cache, void **objs,
		     size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		objs[i] = kmag_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
}

void kmag_test_free(struct kmag_cache *cache, void **objs, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[i]);
}

/* Of address and seed, so that no two words tell the same. */
static u64 pattern(const u64 *word, u32 seed)
{
	return ((unsigned long)word ^ (u64)seed << 32) * 0x9e3779b97f4a7c15ULL;
}

void kmag_test_fill(struct kmag_cache *cache, void *obj, u32 seed)
{
	unsigned int size = kmag_cache_size(cache);
	u64 *word = obj, last;

	for (; size >= sizeof(*word); size -= sizeof(*word), word++)
		*word = pattern(word, seed);
	last = pattern(word, seed);
	memcpy(word, &last, size);
}

bool kmag_test_intact(struct kmag_cache *cache, const void *obj, u32 seed)
{
	unsigned int size = kmag_cache_size(cache);
	const u64 *word = obj;
	u64 last;

	for (; size >= sizeof(*word); size -= sizeof(*word), word++)
		if (*word != pattern(word, seed))
			return false;
	last = pattern(word, seed);
	return !memcmp(word, &last, size);
}

static struct file *open_file(const char *name, int flags)
{
	struct file *file = NULL;

	scoped_with_init_fs()
		file = filp_open(name, flags, 0);
	return file;
}

ssize_t kmag_test_read_file(const char *name, char *buf, size_t size)
{
	struct file *file = open_file(name, O_RDONLY);
	ssize_t had = 0, ret = 0;
	loff_t pos = 0;

	if (IS_ERR(file))
		return PTR_ERR(file);
	while (had < size - 1) {
		ret = kernel_read(file, buf + had, size - 1 - had, &pos);
		if (ret <= 0)
			break;
		had += ret;
	}
	buf[had] = '\0';
	filp_close(file, NULL);
	return ret < 0 ? ret : had;
}

ssize_t kmag_test_write_file(const char *name, const char *text)
{
	struct file *file = open_file(name, O_WRONLY);
	loff_t pos = 0;
	ssize_t ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = kernel_write(file, text, strlen(text), &pos);
	filp_close(file, NULL);
	return ret;
}

bool kmag_test_fail_sleepers(void)
{
	return kmag_test_fail_nth(0) &&
	       !kmag_test_shell("echo N >/sys/kernel/debug/failslab/ignore-gfp-wait") &&
	       !kmag_test_shell("echo 0 >/sys/kernel/debug/failslab/verbose");
}

int kmag_test_module_held(struct kunit *test)
{
	char text[16];
	int held;

	KUNIT_ASSERT_GT(test, kmag_test_read_file("/sys/module/kmag/refcnt",
						  text, sizeof(text)), 0);
	KUNIT_ASSERT_EQ(test, kstrtoint(strim(text), 0, &held), 0);
	return held;
}

int kmag_test_shell(const char *command)
{
	char sh[] = "/bin/sh", minus_c[] = "-c", path[] = "PATH=/bin:/sbin";
	char *argv[4] = { sh, minus_c, (char *)command };
	char *env[2] = { path };

	return call_usermodehelper(sh, argv, env, UMH_WAIT_PROC);
}

unsigned int kmag_test_logged(struct kmag_cache *cache, const char *what)
{
	struct kmsg_dump_iter iter;
	unsigned int nr = 0;
	char line[256], id[64];
	size_t len;

	snprintf(id, sizeof(id), "kmag: cache %s-%u: ", cache->name, cache->id);
	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		nr += strstr(line, id) && strstr(line, what);
	}
	return nr;
}

static int by_address(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

bool kmag_test_doubled(void **objs, size_t nr)
{
	size_t i;

	sort(objs, nr, sizeof(*objs), by_address, NULL);
	for (i = 1; i < nr; i++)
		if (objs[i] == objs[i - 1])
			return true;
	return false;
}

/*
 * Sources. Stubs are found through the task, so only what the test itself asks
 * for is watched. One test runs at a time: there is one of each.
 */
#define PAGES_WATCHED	4096

static struct kmag_test_source page_source;
static struct page **watched;	/* each with a reference of ours */
static unsigned long nr_watched;

static struct kmag_test_source magazine_source;
static struct kmem_cache *magazines;

static bool source_fails(struct kmag_test_source *source, gfp_t gfp,
			 unsigned int order)
{
	unsigned long call = ++source->calls;

	source->gfp_any |= gfp;
	source->gfp_all &= gfp;

	if (source->fail_from && call >= source->fail_from &&
	    call <= source->fail_to)
		return true;
	if (source->fail_cheap && !(gfp & __GFP_DIRECT_RECLAIM))
		return true;
	if (source->fail_every && call % source->fail_every == 0)
		return true;
	return source->fail_order && order >= source->fail_order;
}

static struct page *pages_stub(gfp_t gfp, int nid, unsigned int order)
{
	struct page *page = NULL;

	if (source_fails(&page_source, gfp, order))
		return NULL;
	if (page_source.elsewhere && (gfp & __GFP_THISNODE))
		return NULL;
	if (page_source.elsewhere)
		nid = next_online_node(nid) < MAX_NUMNODES ?
		      next_online_node(nid) : first_online_node;
	if (nr_watched < PAGES_WATCHED)
		page = alloc_pages_node(nid, gfp | __GFP_COMP, order);
	if (!page)
		return NULL;
	/* When kmag has freed it, ours is the only reference left. */
	get_page(page);
	watched[nr_watched++] = page;
	page_source.given++;
	return page;
}

/* One by one, so that any of them can be the one that is not had. */
static unsigned int pages_bulk_stub(gfp_t gfp, int nid, unsigned int nr,
				    struct page **page)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		page[i] = pages_stub(gfp, nid, 0);
		if (!page[i])
			break;
	}
	return i;
}

/*
 * Let go of pages that kmag has freed, and left without a trace; returns how
 * many it has not.
 */
static unsigned long pages_settle(void)
{
	unsigned long i, left = 0;

	for (i = 0; i < nr_watched; i++) {
		if (page_count(watched[i]) == 1 && !page_private(watched[i]))
			put_page(watched[i]);
		else
			watched[left++] = watched[i];
	}
	nr_watched = left;
	return left;
}

static void pages_action(void *unused)
{
	struct kunit *test = kunit_get_current_test();

	if (test->status != KUNIT_FAILURE)
		KUNIT_EXPECT_EQ(test, pages_settle(), 0);
	while (nr_watched)
		put_page(watched[--nr_watched]);
	kvfree(watched);
}

struct kmag_test_source *kmag_test_pages(struct kunit *test)
{
	watched = kvmalloc_array(PAGES_WATCHED, sizeof(*watched), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, watched);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, pages_action,
							NULL), 0);
	memset(&page_source, 0, sizeof(page_source));
	page_source.gfp_all = (__force gfp_t)~0U;
	kunit_activate_static_stub(test, kmag_pages_alloc, pages_stub);
	kunit_activate_static_stub(test, kmag_pages_bulk, pages_bulk_stub);
	return &page_source;
}

unsigned long kmag_test_pages_left(struct kunit *test)
{
	return pages_settle();
}

static struct kmag_magazine *magazine_stub(unsigned int cap, gfp_t gfp, int nid)
{
	struct kmag_magazine *mag;

	if (source_fails(&magazine_source, gfp, 0))
		return NULL;
	if (KMAG_ROUNDS(kmem_cache_size(magazines)) < cap)
		return NULL;
	mag = kmem_cache_alloc_node(magazines, gfp, nid);
	if (!mag)
		return NULL;
	kmemleak_ignore(mag);
	mag->next = NULL;
	mag->cap = cap;
	magazine_source.given++;
	return mag;
}

static void magazines_action(void *unused)
{
	struct kunit *test = kunit_get_current_test();

	if (test->status != KUNIT_FAILURE)
		KUNIT_EXPECT_FALSE(test, kmag_test_magazines_left(test));
	kmem_cache_destroy(magazines);
}

struct kmag_test_source *kmag_test_magazines(struct kunit *test)
{
	/* kfree() takes objects of any cache, and this one can be counted. */
	magazines = kmem_cache_create("kmag_kunit_magazines", 512, 64,
				      SLAB_NO_MERGE, NULL);
	KUNIT_ASSERT_NOT_NULL(test, magazines);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, magazines_action,
							NULL), 0);
	memset(&magazine_source, 0, sizeof(magazine_source));
	magazine_source.gfp_all = (__force gfp_t)~0U;
	kunit_activate_static_stub(test, kmag_magazine_alloc, magazine_stub);
	return &magazine_source;
}

bool kmag_test_magazines_left(struct kunit *test)
{
	/* It says 0 when it has no slab left. */
	return kmem_cache_shrink(magazines) != 0;
}

void kmag_test_close_gate(struct kmag_cpu *cpu, enum kmag_gate gate)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cpu->lock, flags);
	cpu->gate = gate;
	WRITE_ONCE(cpu->fast.lo, INT_MAX);	/* as the fence writes them */
	WRITE_ONCE(cpu->fast.hi, 0);
	raw_spin_unlock_irqrestore(&cpu->lock, flags);
}
