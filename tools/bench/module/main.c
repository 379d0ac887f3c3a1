// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_bench: what an allocation and a free cost, on kmag and on SLUB.
 *
 * /sys/kernel/debug/kmag_bench/ has "info", which says what was measured on,
 * and a file a pattern: to read it runs the pattern. tools/bench/run reads
 * them all and does the arithmetic.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include <kmag/kmag.h>

#include "bench.h"

/* Long enough to find a clock that is off by one in ten thousand. */
#define KNOWN_LOOP	20000

static unsigned int size = 256;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "bytes of an object");

static unsigned int loops = 11;
module_param(loops, uint, 0444);
MODULE_PARM_DESC(loops, "loops per row, of which the shortest counts");

static char *trace;
module_param(trace, charp, 0444);
MODULE_PARM_DESC(trace, "a script that tools/bench/trace.py made of a recording");

static const char *const pattern_names[BENCH_NR_PATTERNS] = {
	[BENCH_PAIR] = "pair",
	[BENCH_TWO] = "2-alloc-2-free",
	[BENCH_BATCH_8] = "batch-8",
	[BENCH_BATCH_64] = "batch-64",
	[BENCH_BATCH_512] = "batch-512",
	[BENCH_BULK_8] = "bulk-8",
	[BENCH_BULK_64] = "bulk-64",
	[BENCH_BULK_512] = "bulk-512",
	[BENCH_WALK] = "walk",
	[BENCH_MIXED] = "mixed",
	[BENCH_COLD_START] = "cold-start",
	[BENCH_TRACE] = "trace",
	[BENCH_IRQ_PAIR] = "irq-pair",
	[BENCH_IRQ_BATCH_64] = "irq-batch-64",
};

/* A word, a common size, and those of which a page has few. */
static const unsigned int mixed_sizes[BENCH_NR_MIXED] = { 32, 256, 1024, 4096 };

static struct bench bench;
static struct dentry *dir;
static DEFINE_MUTEX(bench_lock);	/* one pattern at a time */

static int pattern_show(struct seq_file *m, void *v)
{
	const struct bench_result *results = m->private;
	unsigned int i;

	seq_puts(m, "# row ops loops min median\n");
	for (i = 0; i < BENCH_NR_ROWS; i++)
		if (results[i].name)
			seq_printf(m, "%s %u %u %llu %llu\n", results[i].name,
				   results[i].ops, results[i].loops,
				   results[i].min, results[i].median);
	return 0;
}

/* It is run when it is opened: a reader may ask for a text more than once. */
static int pattern_open(struct inode *inode, struct file *file)
{
	unsigned long pattern = (unsigned long)inode->i_private;
	struct bench_result *results;
	int ret;

	results = kcalloc(BENCH_NR_ROWS, sizeof(*results), GFP_KERNEL);
	if (!results)
		return -ENOMEM;
	ret = mutex_lock_killable(&bench_lock);
	if (ret)
		goto err_results;
	ret = bench_run(&bench, pattern, loops, results);
	mutex_unlock(&bench_lock);
	if (ret)
		goto err_results;
	ret = single_open(file, pattern_show, results);
	if (ret)
		goto err_results;
	return 0;

err_results:
	kfree(results);
	return ret;
}

static int pattern_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	kfree(m->private);
	return single_release(inode, file);
}

static const struct file_operations pattern_fops = {
	.owner = THIS_MODULE,
	.open = pattern_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = pattern_release,
};

/* What makes a figure of this kernel no figure of others. */
static int info_show(struct seq_file *m, void *v)
{
	seq_puts(m, "# key value\n");
	seq_printf(m, "release %s\n", init_utsname()->release);
	seq_printf(m, "module_compiler %s\n", KMAG_CC);
	seq_printf(m, "size %u\n", size);
	seq_printf(m, "slub_size %u\n", kmem_cache_size(bench.main.slub));
	seq_printf(m, "known_loop %u\n", KNOWN_LOOP);
	seq_printf(m, "known_loop_ticks %llu\n", bench_ticks_of(KNOWN_LOOP));
	seq_printf(m, "ticks_per_ms %llu\n", bench_ticks_per_ms());
	seq_printf(m, "cpus %u\n", num_online_cpus());
	seq_printf(m, "uml %d\n", IS_ENABLED(CONFIG_UML));
	seq_printf(m, "init_on_alloc %d\n", want_init_on_alloc(0));
	seq_printf(m, "init_on_free %d\n", want_init_on_free());
	seq_printf(m, "SLUB_TINY %d\n", IS_ENABLED(CONFIG_SLUB_TINY));
	seq_printf(m, "SLAB %d\n", IS_ENABLED(CONFIG_SLAB));
	seq_printf(m, "SLUB_DEBUG_ON %d\n", IS_ENABLED(CONFIG_SLUB_DEBUG_ON));
	seq_printf(m, "SLUB_STATS %d\n", IS_ENABLED(CONFIG_SLUB_STATS));
	seq_printf(m, "KASAN %d\n", IS_ENABLED(CONFIG_KASAN));
	seq_printf(m, "KCSAN %d\n", IS_ENABLED(CONFIG_KCSAN));
	seq_printf(m, "KMSAN %d\n", IS_ENABLED(CONFIG_KMSAN));
	seq_printf(m, "KCOV %d\n", IS_ENABLED(CONFIG_KCOV));
	seq_printf(m, "GCOV_KERNEL %d\n", IS_ENABLED(CONFIG_GCOV_KERNEL));
	seq_printf(m, "LOCKDEP %d\n", IS_ENABLED(CONFIG_LOCKDEP));
	seq_printf(m, "DEBUG_PREEMPT %d\n", IS_ENABLED(CONFIG_DEBUG_PREEMPT));
	seq_printf(m, "DEBUG_ATOMIC_SLEEP %d\n",
		   IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP));
	seq_printf(m, "DEBUG_KMEMLEAK %d\n", IS_ENABLED(CONFIG_DEBUG_KMEMLEAK));
	seq_printf(m, "FAILSLAB %d\n", IS_ENABLED(CONFIG_FAILSLAB));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(info);

static int __init bench_init(void)
{
	unsigned long pattern;
	unsigned int i;
	int ret = -ENOMEM;

	if (!size || size > PAGE_SIZE) {
		pr_err("size is 1 to %lu\n", PAGE_SIZE);
		return -EINVAL;
	}
	if (!loops || loops > BENCH_LOOPS_MAX) {
		pr_err("loops is 1 to %u\n", BENCH_LOOPS_MAX);
		return -EINVAL;
	}
	/* A walk, a trace and the largest batch take their turns in it. */
	bench.objs = kvcalloc(BENCH_AWAY_MAX, sizeof(*bench.objs), GFP_KERNEL);
	if (!bench.objs)
		return -ENOMEM;
	bench.cold = kvcalloc(BENCH_COLD, sizeof(*bench.cold), GFP_KERNEL);
	if (!bench.cold)
		goto err_cold;
	ret = bench_limit_init();
	if (ret)
		goto err_limit;
	ret = bench_cache_init(&bench.main, "kmag_bench", size);
	if (ret)
		goto err_main;
	for (i = 0; i < BENCH_NR_MIXED; i++) {
		char name[32];

		snprintf(name, sizeof(name), "kmag_bench_%u", mixed_sizes[i]);
		ret = bench_cache_init(&bench.mixed[i], name, mixed_sizes[i]);
		if (ret)
			goto err_mixed;
	}
	ret = bench_script_init(&bench, trace);
	if (ret)
		goto err_mixed;

	dir = debugfs_create_dir("kmag_bench", NULL);
	if (IS_ERR(dir)) {
		pr_err("there is no debugfs to be read from\n");
		ret = PTR_ERR(dir);
		goto err_dir;
	}
	debugfs_create_file("info", 0400, dir, NULL, &info_fops);
	for (pattern = 0; pattern < BENCH_NR_PATTERNS; pattern++)
		debugfs_create_file(pattern_names[pattern], 0400, dir,
				    (void *)pattern, &pattern_fops);
	return 0;

err_dir:
	bench_script_exit(&bench);
err_mixed:
	while (i--)
		bench_cache_exit(&bench.mixed[i]);
	bench_cache_exit(&bench.main);
err_main:
	bench_limit_exit();
err_limit:
	kvfree(bench.cold);
err_cold:
	kvfree(bench.objs);
	return ret;
}

static void __exit bench_exit(void)
{
	unsigned int i;

	debugfs_remove(dir);
	bench_script_exit(&bench);
	for (i = 0; i < BENCH_NR_MIXED; i++)
		bench_cache_exit(&bench.mixed[i]);
	bench_cache_exit(&bench.main);
	bench_limit_exit();
	kvfree(bench.cold);
	kvfree(bench.objs);
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("What an allocation and a free cost");
MODULE_LICENSE("GPL");
