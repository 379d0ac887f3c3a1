// SPDX-License-Identifier: GPL-2.0
/*
 * Views of a cache's slabs: how full they are, and what holds them open. Part of
 * debugfs.c, which says how views are made.
 */
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "account.h"
#include "census.h"
#include "debugfs.h"
#include "slab.h"

static void frag_rows(struct seq_file *m, const char *what,
		      const u64 *by_class)
{
	unsigned int i;

	for (i = 1; i < KMAG_FULL; i++)
		seq_printf(m, "%s_upto_%u/8 %llu\n", what, i, by_class[i]);
	seq_printf(m, "%s_full %llu\n", what, by_class[KMAG_FULL]);
}

static void frag_print(struct seq_file *m, const struct kmag_snap_cache *s,
		       const struct kmag_cached *cached)
{
	u64 excess = s->slab_bytes - s->needed_bytes;
	/* Counts of a racy read may be of two moments. */
	u64 shrinks = min(s->empty_bytes + cached->bytes, excess);

	kmag_view_head(m, "frag", "key value");
	seq_printf(m, "slabs_empty %llu\n", s->slabs_by_class[KMAG_EMPTY]);
	frag_rows(m, "slabs", s->slabs_by_class);
	seq_printf(m, "slabs_held %llu\n", s->slabs);
	seq_printf(m, "slabs_needed %llu\n", s->slabs_needed);
	seq_printf(m, "bytes_empty %llu\n", s->empty_bytes);
	seq_printf(m, "bytes_excess %llu\n", excess);
	seq_printf(m, "bytes_held %llu\n", s->slab_bytes);
	seq_printf(m, "slabs_draining %llu\n", s->draining);
	seq_printf(m, "bytes_draining %llu\n", s->draining_bytes);
	frag_rows(m, "cached", cached->slabs);
	seq_printf(m, "bytes_shrink_returns %llu\n", shrinks);
	seq_printf(m, "bytes_evacuation_returns %llu\n", excess - shrinks);
}

static int frag_show(struct seq_file *m, void *unused)
{
	struct kmag_cache *cache = m->private;
	struct kmag_census *census;
	struct kmag_snap_cache *snap;
	struct kmag_cached cached;
	int ret = -ENOMEM;

	snap = kmag_snapshot(cache, GFP_KERNEL);
	if (!snap)
		return -ENOMEM;
	census = kmag_census_alloc(cache, GFP_KERNEL);
	if (!census)
		goto out_snap;
	kmag_census_take(cache, census);
	kmag_census_held(cache, census, &cached);
	frag_print(m, snap, &cached);
	ret = 0;
	kvfree(census);
out_snap:
	kvfree(snap);
	return ret;
}

static int frag_open(struct inode *inode, struct file *file)
{
	return single_open(file, frag_show, inode->i_private);
}

const struct file_operations kmag_view_frag = {
	.owner = THIS_MODULE,
	.open = frag_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/* slab_map: the position in the file is one above where the walk goes on. */
struct map_view {
	struct kmag_cache *cache;
	struct kmag_census *census;
};

static void *map_from(struct seq_file *m, loff_t *pos)
{
	struct map_view *view = m->private;
	unsigned long nr = *pos - 1;
	struct kmag_slab *slab = kmag_slab_next(view->cache, &nr);

	if (!slab)
		return NULL;
	*pos = nr;
	return slab;
}

static void *map_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct map_view *view = m->private;

	if (!*pos)
		kmag_census_take(view->cache, view->census);
	rcu_read_lock();
	if (!*pos)
		return SEQ_START_TOKEN;
	return map_from(m, pos);
}

static void *map_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return map_from(m, pos);
}

static void map_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

/* Order 0 of the smallest objects; larger slabs have larger objects. */
#define KMAG_MAP_BITS	(PAGE_SIZE / sizeof(void *))

static int map_show(struct seq_file *m, void *v)
{
	struct map_view *view = m->private;
	DECLARE_BITMAP(away, KMAG_MAP_BITS);
	struct kmag_slab *slab = v;
	struct kmag_node *node;
	unsigned int inuse, bits;
	unsigned long flags;
	size_t cached;
	bool draining;

	if (v == SEQ_START_TOKEN) {
		kmag_view_head(m, "slab_map",
			       "pfn node pages slots inuse away draining cached");
		return 0;
	}
	node = view->cache->node[slab->nid];
	bits = min_t(unsigned int, slab->slots, KMAG_MAP_BITS);
	raw_spin_lock_irqsave(&node->lock, flags);
	bitmap_copy(away, slab->away, bits);
	inuse = slab->inuse;
	draining = slab->draining;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	/* They were counted before: some may be somebody's by now, or at home. */
	cached = min_t(size_t, kmag_census_of(view->census, slab), inuse);
	seq_printf(m, "%lu %u %u %u %u %*pb %d %zu\n", kmag_slab_pfn(slab),
		   slab->nid, 1U << slab->order, slab->slots, inuse, bits, away,
		   draining, cached);
	return 0;
}

static const struct seq_operations map_sops = {
	.start = map_start,
	.next = map_next,
	.stop = map_stop,
	.show = map_show,
};

static int map_open(struct inode *inode, struct file *file)
{
	struct kmag_cache *cache = inode->i_private;
	struct kmag_census *census;
	struct map_view *view;

	census = kmag_census_alloc(cache, GFP_KERNEL);
	if (!census)
		return -ENOMEM;
	view = __seq_open_private(file, &map_sops, sizeof(*view));
	if (!view) {
		kvfree(census);
		return -ENOMEM;
	}
	view->cache = cache;
	view->census = census;
	return 0;
}

static int map_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct map_view *view = m->private;

	kvfree(view->census);
	return seq_release_private(inode, file);
}

const struct file_operations kmag_view_slab_map = {
	.owner = THIS_MODULE,
	.open = map_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = map_release,
};
