// SPDX-License-Identifier: GPL-2.0
/*
 * Views: each file prints one snapshot, or walks slabs one row at a time.
 * Documentation/debugfs.rst describes every file and column. Columns are only
 * ever appended.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "account.h"
#include "debugfs.h"
#include "latency.h"
#include "reclaim.h"
#include "table.h"
#include "tune.h"

static struct dentry *root;

void kmag_view_head(struct seq_file *m, const char *file, const char *columns)
{
	seq_printf(m, "kmag %s - version: 1\n# %s\n", file, columns);
}

/* Columns of caches, which are many. */
#define KMAG_COLS_SHAPE	"name id objsize stride slab_slots slab_pages"
#define KMAG_COLS_SLABS	"slabs full partial empty"
#define KMAG_COLS_OBJS	"slots live cpu depot slab_free transit skew flags"

/* Print a snapshot of the file's cache with @print. */
static int show_snapshot(struct seq_file *m,
			 void (*print)(struct seq_file *m,
				       struct kmag_snap_cache *snap))
{
	struct kmag_snap_cache *snap = kmag_snapshot(m->private, GFP_KERNEL);

	if (!snap)
		return -ENOMEM;
	print(m, snap);
	kvfree(snap);
	return 0;
}

/* The same for every cache. */
static int visit_snapshots(void (*fn)(void *arg, struct kmag_snap_cache *snap),
			   void *arg)
{
	struct kmag_snap_cache *snap;
	unsigned int id = 0;

	while ((snap = kmag_snapshot_next(id, GFP_KERNEL))) {
		if (IS_ERR(snap))
			return PTR_ERR(snap);
		fn(arg, snap);
		id = snap->id + 1;
		kvfree(snap);
	}
	return 0;
}

static u64 partial_slabs(const struct kmag_snap_cache *snap)
{
	return snap->slabs - snap->slabs_by_class[KMAG_EMPTY] -
	       snap->slabs_by_class[KMAG_FULL];
}

static void seq_flags(struct seq_file *m, u32 flags)
{
	static const char letters[] = "haocd";	/* bit by bit */
	unsigned int i;

	for (i = 0; letters[i]; i++)
		if (flags & BIT(i))
			seq_putc(m, letters[i]);
	if (!flags)
		seq_putc(m, '-');
}

static void caches_row(void *arg, struct kmag_snap_cache *s)
{
	struct seq_file *m = arg;

	seq_printf(m, "%s %u %u %u %u %u %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %lld ",
		   s->name, s->id, s->object_size, s->stride, s->slab_slots,
		   1U << s->order, s->slabs, s->slabs_by_class[KMAG_FULL],
		   partial_slabs(s), s->slabs_by_class[KMAG_EMPTY], s->slots,
		   s->live, s->cpu_objs, s->depot_objs, s->slab_free,
		   s->transit, s->skew);
	seq_flags(m, s->flags);
	seq_putc(m, '\n');
}

static int caches_show(struct seq_file *m, void *unused)
{
	kmag_view_head(m, "caches",
		       KMAG_COLS_SHAPE " " KMAG_COLS_SLABS " " KMAG_COLS_OBJS);
	return visit_snapshots(caches_row, m);
}
DEFINE_SHOW_ATTRIBUTE(caches);

/* The identity: lines that add up to what the page allocator gave. */
struct summary {
	s64 live, align, cpu, depot, partial, empty, transit, tail, skew;
	u64 slab_bytes, mag_bytes, meta_bytes;
};

static void summary_add(void *arg, struct kmag_snap_cache *s)
{
	struct summary *sum = arg;
	s64 stride = s->stride;

	sum->live += s->live * s->object_size;
	sum->align += s->live * (stride - s->object_size);
	sum->cpu += s->cpu_objs * stride;
	sum->depot += s->depot_objs * stride;
	sum->partial += (s->slab_free - s->empty_free) * stride;
	sum->empty += s->empty_free * stride;
	sum->transit += s->transit * stride;
	sum->tail += s->tail_bytes;
	sum->skew += s->skew * stride;
	sum->slab_bytes += s->slab_bytes;
	sum->mag_bytes += s->mag_bytes;
	sum->meta_bytes += s->meta_bytes;
}

static int summary_show(struct seq_file *m, void *unused)
{
	struct summary sum = {};
	unsigned long table = kmag_table_bytes();
	int ret = visit_snapshots(summary_add, &sum);

	if (ret)
		return ret;
	kmag_view_head(m, "summary", "sign bytes what");
	seq_printf(m, "+ %lld in use by owners\n", sum.live);
	seq_printf(m, "+ %lld alignment loss\n", sum.align);
	seq_printf(m, "+ %lld in CPU magazines\n", sum.cpu);
	seq_printf(m, "+ %lld in depot\n", sum.depot);
	seq_printf(m, "+ %lld free in partial slabs\n", sum.partial);
	seq_printf(m, "+ %lld free in empty slabs\n", sum.empty);
	seq_printf(m, "+ %lld in transit\n", sum.transit);
	seq_printf(m, "+ %lld slab tail padding\n", sum.tail);
	seq_printf(m, "+ %lld skew of a racy read\n", sum.skew);
	seq_printf(m, "= %llu bytes in slab pages\n", sum.slab_bytes);
	seq_printf(m, "+ %llu magazines\n", sum.mag_bytes);
	seq_printf(m, "+ %llu slab descriptors and per-CPU state\n",
		   sum.meta_bytes);
	seq_printf(m, "+ %lu slab table\n", table);
	seq_printf(m, "= %llu total\n",
		   sum.slab_bytes + sum.mag_bytes + sum.meta_bytes + table);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(summary);

static void info_print(struct seq_file *m, struct kmag_snap_cache *s)
{
	kmag_view_head(m, "info", "key value");
	seq_printf(m, "name %s\nid %u\nobjsize %u\nstride %u\nalign %u\n",
		   s->name, s->id, s->object_size, s->stride, s->align);
	seq_printf(m, "slab_slots %u\nslab_pages %u\nmag_capacity %u\nflags ",
		   s->slab_slots, 1U << s->order, s->capacity);
	seq_flags(m, s->flags);
	seq_putc(m, '\n');
}

static int info_show(struct seq_file *m, void *unused)
{
	return show_snapshot(m, info_print);
}
DEFINE_SHOW_ATTRIBUTE(info);

static const char * const stat_names[] = {
	[KMAG_ALLOC_MAG] = "alloc_mag",
	[KMAG_ALLOC_DEPOT] = "alloc_depot",
	[KMAG_ALLOC_SLAB] = "alloc_slab",
	[KMAG_ALLOC_PAGE] = "alloc_page",
	[KMAG_ALLOC_FAIL] = "alloc_fail",
	[KMAG_FREE_MAG] = "free_mag",
	[KMAG_FREE_DEPOT] = "free_depot",
	[KMAG_FREE_SLAB] = "free_slab",
	[KMAG_FREE_PAGE] = "free_page",
	[KMAG_FREE_BAD] = "free_bad",
	[KMAG_SWAP] = "swap",
	[KMAG_DEPOT_VISIT] = "depot_visit",
	[KMAG_DEPOT_CONTENDED] = "depot_contended",
	[KMAG_DEPOT_NO_EMPTY] = "depot_no_empty",
	[KMAG_REFILL] = "refill",
	[KMAG_REFILL_OBJS] = "refill_objs",
	[KMAG_FLUSH] = "flush",
	[KMAG_FLUSH_OBJS] = "flush_objs",
	[KMAG_BUSY] = "busy",
	[KMAG_FENCE] = "fence",
	[KMAG_SLAB_NEW] = "slab_new",
	[KMAG_SLAB_FREED] = "slab_freed",
	[KMAG_SLAB_FALLBACK] = "slab_fallback",
	[KMAG_PARKED] = "parked",
	[KMAG_PARK_FULL] = "park_full",
	[KMAG_MARK] = "mark",
	[KMAG_UNMARK] = "unmark",
	[KMAG_RETURN] = "return",
	[KMAG_HOME] = "home",
	[KMAG_DRAINING_MS] = "draining_ms",
};

static void stats_print(struct seq_file *m, struct kmag_snap_cache *s)
{
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(stat_names) != KMAG_NR_STATS);
	kmag_view_head(m, "stats", "key value");
	for (i = 0; i < KMAG_NR_STATS; i++)
		seq_printf(m, "%s %llu\n", stat_names[i], s->stats[i]);
}

static int stats_show(struct seq_file *m, void *unused)
{
	return show_snapshot(m, stats_print);
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void cpus_print(struct seq_file *m, struct kmag_snap_cache *s)
{
	struct kmag_snap_cpu *cpu = kmag_snapshot_cpus(s);
	unsigned int i;

	kmag_view_head(m, "cpus",
		       "cpu online loaded loaded_cap previous previous_cap closed alloc_mag free_mag");
	for (i = 0; i < s->nr_cpus; i++, cpu++)
		seq_printf(m, "%u %u %u %u %u %u %u %llu %llu\n", cpu->cpu,
			   cpu->online, cpu->loaded, cpu->loaded_cap,
			   cpu->previous, cpu->previous_cap, cpu->closed,
			   cpu->allocs, cpu->frees);
}

static int cpus_show(struct seq_file *m, void *unused)
{
	return show_snapshot(m, cpus_print);
}
DEFINE_SHOW_ATTRIBUTE(cpus);

static void depot_print(struct seq_file *m, struct kmag_snap_cache *s)
{
	struct kmag_snap_node *node = kmag_snapshot_nodes(s);
	unsigned int i;

	kmag_view_head(m, "depot", "node full empty full_max full_min");
	for (i = 0; i < s->nr_nodes; i++, node++)
		seq_printf(m, "%u %u %u %u %u\n", node->node, node->full,
			   node->empty, node->full_max, node->full_min);
}

static int depot_show(struct seq_file *m, void *unused)
{
	return show_snapshot(m, depot_print);
}
DEFINE_SHOW_ATTRIBUTE(depot);

static const char * const retentions[] = {
	[KMAG_EAGER] = "eager",
	[KMAG_WORKING_SET] = "working-set",
	[KMAG_LAZY] = "lazy",
};

static int retention_show(struct seq_file *m, void *unused)
{
	const struct kmag_cache *cache = m->private;
	int i, now = READ_ONCE(cache->retention);	/* writers hold no lock */

	kmag_view_head(m, "retention", "policy in_force");
	for (i = 0; i < ARRAY_SIZE(retentions); i++)
		seq_printf(m, "%s %d\n", retentions[i], i == now);
	return 0;
}

static int retention_open(struct inode *inode, struct file *file)
{
	return single_open(file, retention_show, inode->i_private);
}

static ssize_t retention_write(struct file *file, const char __user *buf,
			       size_t len, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	char word[16] = "";
	int retention;

	if (len >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, buf, len))
		return -EFAULT;
	retention = sysfs_match_string(retentions, word);
	if (retention < 0)
		return retention;
	kmag_retain(m->private, retention);
	return len;
}

static const struct file_operations retention_fops = {
	.owner = THIS_MODULE,
	.open = retention_open,
	.read = seq_read,
	.write = retention_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int evacuation_show(struct seq_file *m, void *unused)
{
	const struct kmag_cache *cache = m->private;
	unsigned int i;

	kmag_view_head(m, "evacuation", "key value min max");
	for (i = 0; i < KMAG_NR_TUNES; i++)
		seq_printf(m, "%s %u %u %u\n", kmag_tunables[i].name,
			   kmag_tuned(cache, i), kmag_tunables[i].min,
			   kmag_tunables[i].max);
	return 0;
}

static int evacuation_open(struct inode *inode, struct file *file)
{
	return single_open(file, evacuation_show, inode->i_private);
}

/* Takes a key and a value, as they are shown. */
static ssize_t evacuation_write(struct file *file, const char __user *buf,
				size_t len, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	char line[32] = "", *value = line, *key;
	unsigned int i;
	u32 number;
	int ret;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, len))
		return -EFAULT;
	key = strsep(&value, " ");
	if (!value)
		return -EINVAL;
	ret = kstrtou32(value, 10, &number);
	if (ret)
		return ret;
	for (i = 0; i < KMAG_NR_TUNES; i++)
		if (!strcmp(key, kmag_tunables[i].name))
			return kmag_tune_set(m->private, i, number) ?: len;
	return -EINVAL;
}

static const struct file_operations evacuation_fops = {
	.owner = THIS_MODULE,
	.open = evacuation_open,
	.read = seq_read,
	.write = evacuation_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static ssize_t shrink_write(struct file *file, const char __user *buf,
			    size_t len, loff_t *pos)
{
	kmag_drain(file->private_data);
	return len;
}

static const struct file_operations shrink_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = shrink_write,
};

static int validate_show(struct seq_file *m, void *unused)
{
	struct kmag_cache *cache = m->private;
	int errors = READ_ONCE(cache->validated);	/* of the last write */

	kmag_view_head(m, "validate", "result errors");
	if (errors == -EAGAIN)
		seq_puts(m, "never 0\n");
	else
		seq_printf(m, "%s %d\n", errors ? "bad" : "ok", errors);
	return 0;
}

static int validate_open(struct inode *inode, struct file *file)
{
	return single_open(file, validate_show, inode->i_private);
}

static ssize_t validate_write(struct file *file, const char __user *buf,
			      size_t len, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	int errors = kmag_cache_validate(m->private);

	return errors < 0 ? errors : len;
}

static const struct file_operations validate_fops = {
	.owner = THIS_MODULE,
	.open = validate_open,
	.read = seq_read,
	.write = validate_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static void print_latency(struct seq_file *m, struct kmag_snap_cache *snap)
{
	struct kmag_snap_latency *latency = kmag_snapshot_latencies(snap);
	unsigned int i, b;

	seq_puts(m, "kmag latency - version: 1\n# tier count mean_ns max_ns");
	for (b = 0; b < KMAG_SNAP_BUCKETS - 1; b++)
		seq_printf(m, " lt_2^%u", b);
	seq_printf(m, " ge_2^%u\n", b - 1);
	for (i = 0; i < snap->nr_latencies; i++, latency++) {
		seq_printf(m, "%s %llu %llu %llu", stat_names[i], latency->count,
			   latency->count ? div64_u64(latency->sum_ns, latency->count) : 0,
			   latency->max_ns);
		for (b = 0; b < KMAG_SNAP_BUCKETS; b++)
			seq_printf(m, " %llu", latency->buckets[b]);
		seq_putc(m, '\n');
	}
}

static int latency_show(struct seq_file *m, void *unused)
{
	return show_snapshot(m, print_latency);
}

static int latency_open(struct inode *inode, struct file *file)
{
	return single_open(file, latency_show, inode->i_private);
}

static ssize_t latency_write(struct file *file, const char __user *buf,
			     size_t len, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	u8 on;
	int ret;

	/* kstrtobool() would take "foo" for false. */
	ret = kstrtou8_from_user(buf, len, 10, &on);
	if (!ret && on > 1)
		ret = -EINVAL;
	if (!ret)
		ret = kmag_latency_set(m->private, on);
	return ret ?: len;
}

static const struct file_operations latency_fops = {
	.owner = THIS_MODULE,
	.open = latency_open,
	.read = seq_read,
	.write = latency_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static const struct {
	const char *name;
	umode_t mode;
	const struct file_operations *fops;
} cache_files[] = {
	{ "info", 0444, &info_fops },
	{ "stats", 0444, &stats_fops },
	{ "cpus", 0444, &cpus_fops },
	{ "depot", 0444, &depot_fops },
	{ "frag", 0444, &kmag_view_frag },
	{ "slab_map", 0444, &kmag_view_slab_map },
	{ "shrink", 0200, &shrink_fops },
	{ "validate", 0644, &validate_fops },
	{ "latency", 0644, &latency_fops },
	{ "retention", 0644, &retention_fops },
	{ "evacuation", 0644, &evacuation_fops },
};

void kmag_debugfs_add(struct kmag_cache *cache)
{
	char name[KMAG_NAME_LEN + 12];
	unsigned int i;

	snprintf(name, sizeof(name), "%s-%u", cache->name, cache->id);
	cache->debugfs = debugfs_create_dir(name, root);
	for (i = 0; i < ARRAY_SIZE(cache_files); i++)
		debugfs_create_file(cache_files[i].name, cache_files[i].mode,
				    cache->debugfs, cache,
				    cache_files[i].fops);
}

void kmag_debugfs_del(struct kmag_cache *cache)
{
	debugfs_remove(cache->debugfs);	/* waits for those who read */
	cache->debugfs = NULL;
}

void kmag_debugfs_init(void)
{
	root = debugfs_create_dir("kmag", NULL);
	debugfs_create_file("caches", 0444, root, NULL, &caches_fops);
	debugfs_create_file("summary", 0444, root, NULL, &summary_fops);
}

void kmag_debugfs_exit(void)
{
	debugfs_remove(root);
}
