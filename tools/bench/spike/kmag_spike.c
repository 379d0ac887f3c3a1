// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_spike: objects of a kmag cache and of one of the kernel's, which come and go
 * alike, step by step, so that what each holds can be looked at in between.
 *
 * A step is a line that is written to /sys/kernel/debug/kmag_spike/step:
 *
 *   make SIZE 0|1  two caches, with a constructor or without
 *   fill N         allocate until N objects are live
 *   thin N         free live ones at random until N are left
 *   cut N          free those that were allocated last, at random, until N are left
 *   replace N      free a live one at random and allocate another, N times; first
 *                  there is a thin
 *   end            free all; destroy the caches
 *
 * SLUB's cache does it first, then kmag's, with the same choices by chance. All
 * CPUs take turns, a stretch of operations each. To read "state" tells how many are
 * live, and the slabs that the best policy would hold that moves no object, since
 * the last thin; when that was, and when that thin had freed its last object.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <kmag/kmag.h>

#include "best.h"

/* Operations of a CPU before it is the next one's turn. */
#define STRETCH	256

/* Of a line. */
#define STEP_MAX	64

/* What a constructor leaves in the first word. */
#define CONSTRUCTED	0x6b6d61672073706bULL

static unsigned int room = 200000;
module_param(room, uint, 0444);
MODULE_PARM_DESC(room, "objects that may be live");

static unsigned int seed = 42;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of what is done at random");

/**
 * struct side - one allocator
 * @name: of its cache, and in state
 * @kmag: the cache, or
 * @slub: the cache
 * @objs: the live objects, in the order of their allocation until it is thinned
 * @live: how many
 * @kept: of these, the first, which are not freed now
 * @slots: of a slab: the most objects that one was seen to have
 * @rnd: what is done at random
 * @thinned: nothing but replace was done since the last thin
 * @thinned_at: the time of that one's last free
 * @best: the best since then
 * @replaced: objects since then
 * @wrong: objects that were not as the constructor left them
 */
struct side {
	const char *name;
	struct kmag_cache *kmag;
	struct kmem_cache *slub;
	void **objs;
	unsigned int live;
	unsigned int kept;
	unsigned int slots;
	struct rnd_state rnd;
	bool thinned;
	ktime_t thinned_at;
	struct kmag_best best;
	u64 replaced;
	u64 wrong;
};

/* In the order of their turns: what kmag does by itself, it has no time for. */
static struct side sides[] = { { .name = "spike_slub" }, { .name = "spike_kmag" } };
static struct side * const slub = &sides[0], * const kmag = &sides[1];

static void **homes, **sorted;	/* of live objects, their slabs: to find the best */
static bool constructed;
static bool made;
static struct dentry *dir;
static DEFINE_MUTEX(spike_lock);	/* one step at a time */

static void construct(void *obj)
{
	*(u64 *)obj = CONSTRUCTED;
}

static bool alloc_into(struct side *s, void **to)
{
	*to = s->kmag ? kmag_cache_alloc(s->kmag, GFP_KERNEL) :
			kmem_cache_alloc(s->slub, GFP_KERNEL);
	if (*to && constructed && *(u64 *)*to != CONSTRUCTED)
		s->wrong++;
	return *to;
}

static void free_one(struct side *s, void *obj)
{
	if (s->kmag)
		kmag_cache_free(s->kmag, obj);
	else
		kmem_cache_free(s->slub, obj);
}

static u32 below(struct side *s, u32 n)
{
	return (u64)prandom_u32_state(&s->rnd) * n >> 32;
}

/* One operation of a step. Return: false without memory. */
static bool fill_one(struct side *s)
{
	if (!alloc_into(s, &s->objs[s->live]))
		return false;
	s->live++;
	return true;
}

static bool drop_one(struct side *s)
{
	unsigned int at = s->kept + below(s, s->live - s->kept);

	free_one(s, s->objs[at]);
	s->objs[at] = s->objs[--s->live];
	return true;
}

static bool replace_one(struct side *s)
{
	unsigned int at = below(s, s->live);

	kmag_best_gone(&s->best, at);
	free_one(s, s->objs[at]);
	if (alloc_into(s, &s->objs[at])) {
		s->replaced++;
		return true;
	}
	s->objs[at] = s->objs[--s->live];
	return false;
}

/**
 * struct stretch - what a CPU is to do
 * @side: with which allocator
 * @op: what
 * @nr: how often
 */
struct stretch {
	struct side *side;
	bool (*op)(struct side *s);
	unsigned int nr;
};

static long do_stretch(void *arg)
{
	struct stretch *t = arg;
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (!t->op(t->side))
			return -ENOMEM;
	return 0;
}

static int do_all(struct side *s, bool (*op)(struct side *s), unsigned int nr)
{
	struct stretch t = { .side = s, .op = op };
	unsigned int cpu = cpumask_first(cpu_online_mask);
	int ret;

	for (; nr; nr -= t.nr) {
		t.nr = min_t(unsigned int, STRETCH, nr);
		ret = work_on_cpu(cpu, do_stretch, &t);
		if (ret)
			return ret;
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	return 0;
}

/* Both allocators' slabs are compound pages, or single ones. */
static void find_homes(struct side *s)
{
	unsigned int i;

	for (i = 0; i < s->live; i++)
		homes[i] = virt_to_head_page(s->objs[i]);
}

static void find_best(struct side *s)
{
	find_homes(s);
	kmag_best_find(&s->best, homes, sorted, s->live, s->slots);
	s->replaced = 0;
	s->thinned = true;
}

static void find_slots(struct side *s)
{
	unsigned int i, slabs;

	s->thinned = false;
	find_homes(s);
	slabs = kmag_best_count(homes, s->live, s->best.left);
	for (i = 0; i < slabs; i++)
		s->slots = max(s->slots, s->best.left[i]);
}

static int fill(struct side *s, unsigned int nr)
{
	int ret;

	if (nr < s->live || nr > room)
		return -EINVAL;
	ret = do_all(s, fill_one, nr - s->live);
	find_slots(s);
	return ret;
}

static int thin(struct side *s, unsigned int nr)
{
	int ret;

	if (!nr || nr > s->live)
		return -EINVAL;
	s->kept = 0;
	ret = do_all(s, drop_one, s->live - nr);
	s->thinned_at = ktime_get();
	find_best(s);
	return ret;
}

static int cut(struct side *s, unsigned int nr)
{
	if (nr > s->live)
		return -EINVAL;
	s->thinned = false;
	s->kept = nr;
	return do_all(s, drop_one, s->live - nr);
}

static int replace(struct side *s, unsigned int nr)
{
	return s->thinned ? do_all(s, replace_one, nr) : -EINVAL;
}

static void end(void)
{
	struct side *s;

	for (s = sides; s < sides + ARRAY_SIZE(sides); s++) {
		cut(s, 0);
		kmag_cache_destroy(s->kmag);
		kmem_cache_destroy(s->slub);
		s->kmag = NULL;
		s->slub = NULL;
	}
	made = false;
}

static int make(unsigned int size, unsigned int with)
{
	void (*ctor)(void *obj) = with ? construct : NULL;
	struct side *s;

	if (size < sizeof(u64) || size > KMAG_MAX_SIZE || with > 1)
		return -EINVAL;
	kmag->kmag = kmag_cache_create(kmag->name, size, 0, 0, ctor);
	slub->slub = kmem_cache_create(slub->name, size, 0, 0, ctor);
	constructed = with;
	for (s = sides; s < sides + ARRAY_SIZE(sides); s++) {
		s->slots = 0;
		s->thinned = false;
		s->best.slabs = 0;
		s->replaced = 0;
		s->wrong = 0;
		prandom_seed_state(&s->rnd, seed);
	}
	made = true;
	if (kmag->kmag && slub->slub)
		return 0;
	end();
	return -ENOMEM;
}

static const struct {
	const char *name;
	int (*step)(struct side *s, unsigned int nr);
} steps[] = {
	{ "fill", fill },
	{ "thin", thin },
	{ "cut", cut },
	{ "replace", replace },
};

static int do_step(const char *name, unsigned int nr, unsigned int more)
{
	unsigned int i, k;
	int ret = 0;

	if (!strcmp(name, "make"))
		return made ? -EBUSY : make(nr, more);
	if (!made)
		return -ENOENT;
	if (!strcmp(name, "end")) {
		end();
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		if (strcmp(name, steps[i].name))
			continue;
		for (k = 0; k < ARRAY_SIZE(sides) && !ret; k++)
			ret = steps[i].step(&sides[k], nr);
		return ret;
	}
	return -EINVAL;
}

static ssize_t step_write(struct file *file, const char __user *buf, size_t len,
			  loff_t *pos)
{
	unsigned int nr = 0, more = 0;
	char line[STEP_MAX], name[16];
	int ret;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, len))
		return -EFAULT;
	line[len] = '\0';
	if (sscanf(line, "%15s %u %u", name, &nr, &more) < 1)
		return -EINVAL;
	mutex_lock(&spike_lock);
	ret = do_step(name, nr, more);
	mutex_unlock(&spike_lock);
	return ret ?: len;
}

static const struct file_operations step_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = step_write,
};

static int state_show(struct seq_file *m, void *unused)
{
	const struct side *s;

	seq_puts(m, "kmag_spike state\n# cache live slots replaced best wrong\n");
	mutex_lock(&spike_lock);
	for (s = sides; s < sides + ARRAY_SIZE(sides); s++)
		seq_printf(m, "%s %u %u %llu %u %llu\n", s->name, s->live,
			   s->slots, s->replaced, s->best.slabs, s->wrong);
	seq_printf(m, "ms %lld\nthinned_us %lld\n", ktime_to_ms(ktime_get()),
		   ktime_to_us(kmag->thinned_at));
	mutex_unlock(&spike_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static void *array(size_t size)
{
	return kvcalloc(room, size, GFP_KERNEL);
}

static void free_arrays(void)
{
	struct side *s;

	for (s = sides; s < sides + ARRAY_SIZE(sides); s++) {
		kvfree(s->objs);
		kvfree(s->best.home);
		kvfree(s->best.left);
	}
	kvfree(homes);
	kvfree(sorted);
}

static int __init spike_init(void)
{
	bool have = true;
	struct side *s;
	int ret;

	homes = array(sizeof(*homes));
	sorted = array(sizeof(*sorted));
	for (s = sides; s < sides + ARRAY_SIZE(sides); s++) {
		s->objs = array(sizeof(*s->objs));
		s->best.home = array(sizeof(*s->best.home));
		s->best.left = array(sizeof(*s->best.left));
		have = have && s->objs && s->best.home && s->best.left;
	}
	ret = -ENOMEM;
	if (!have || !homes || !sorted)
		goto err_arrays;
	dir = debugfs_create_dir("kmag_spike", NULL);
	ret = PTR_ERR_OR_ZERO(dir);
	if (ret)
		goto err_arrays;
	debugfs_create_file("step", 0200, dir, NULL, &step_fops);
	debugfs_create_file("state", 0400, dir, NULL, &state_fops);
	return 0;

err_arrays:
	free_arrays();
	return ret;
}

static void __exit spike_exit(void)
{
	debugfs_remove(dir);
	if (made)
		end();
	free_arrays();
}

module_init(spike_init);
module_exit(spike_exit);

MODULE_DESCRIPTION("What a spike leaves, on kmag and on SLUB");
MODULE_LICENSE("GPL");
