// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_misuse - use objects as they must not be used, for the kernel's checkers
 * to find: KASAN and kmemleak.
 *
 *	insmod kmag_misuse.ko
 *	echo WHAT >/sys/module/kmag_misuse/parameters/run
 *
 * A WHAT fails with -EUCLEAN if it could not be what it says: an object that
 * was to be in this CPU's magazine was not there.
 */
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <kmag/kmag.h>
#include <kmag/kmag_inline.h>

#define MU_SIZE		92	/* ends in the middle of a granule of KASAN's */
#define MU_BATCH	16	/* less than a magazine holds */
#define MU_MANY		1000	/* more than both of a CPU do */

static struct kmag_cache *cache;
static struct kmag_cache *lossy;	/* whose magazines are as new */

/* Inverted, or the variable would be a pointer that kmemleak finds. */
static unsigned long leaked = ~0UL;

/* What this CPU's loaded magazine has in the newest slot, or @above it. */
static void *mu_slot(const struct kmag_cache *of, int above)
{
	const struct kmag_pcp *pcp = this_cpu_ptr(kmag_pcp(of));
	int slot = pcp->rounds - 1 + above;

	return slot >= 0 && slot < (int)pcp->hi ? pcp->objs[slot] : NULL;
}

/* First and last byte of an object that we have. */
static noinline int mu_good(void)
{
	u8 *obj = kmag_cache_alloc(cache, GFP_ATOMIC);

	if (!obj)
		return -ENOMEM;
	WRITE_ONCE(obj[0], 1);
	WRITE_ONCE(obj[MU_SIZE - 1], READ_ONCE(obj[0]));
	kmag_cache_free(cache, obj);
	return 0;
}

static noinline int mu_read_after_free(void)
{
	u8 *obj = kmag_cache_alloc(cache, GFP_ATOMIC);

	if (!obj)
		return -ENOMEM;
	kmag_cache_free(cache, obj);
	if (mu_slot(cache, 0) != obj)
		return -EUCLEAN;
	READ_ONCE(obj[0]);
	return 0;
}

/* The byte is nobody's: the object ends before its stride does. */
static noinline int mu_overrun(void)
{
	u8 *obj;
	int ret;

	/* One that was in a magazine, so that its shadow was both. */
	ret = mu_good();
	if (ret)
		return ret;
	obj = mu_slot(cache, 0);
	if (kmag_cache_alloc(cache, GFP_ATOMIC) != obj)
		return -EUCLEAN;
	WRITE_ONCE(obj[MU_SIZE], 1);
	kmag_cache_free(cache, obj);
	return 0;
}

static noinline int mu_double_free(void)
{
	void *obj = kmag_cache_alloc(cache, GFP_ATOMIC);

	if (!obj)
		return -ENOMEM;
	kmag_cache_free(cache, obj);
	if (mu_slot(cache, 0) != obj)
		return -EUCLEAN;
	kmag_cache_free(cache, obj);
	return 0;
}

static int mu_alloc(struct kmag_cache *of, void **objs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		objs[i] = kmag_cache_alloc(of, GFP_ATOMIC);
		if (!objs[i]) {
			kmag_cache_free_bulk(of, i, objs);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Free objects in magazines, depot and slabs, which nobody points to. */
static noinline int mu_cached(void)
{
	void **objs = kcalloc(MU_MANY, sizeof(*objs), GFP_ATOMIC);
	int ret;

	if (!objs)
		return -ENOMEM;
	ret = mu_alloc(cache, objs, MU_MANY);
	if (!ret)
		kmag_cache_free_bulk(cache, MU_MANY, objs);
	kfree(objs);
	return ret;
}

/*
 * Lose an object to which one pointer is left: in this CPU's magazine, in the
 * slot above those that are in use.
 */
static noinline int mu_leak(void)
{
	void *objs[MU_BATCH];
	int ret;

	if (leaked != ~0UL)
		return -EBUSY;
	ret = mu_alloc(lossy, objs, MU_BATCH);
	if (ret)
		return ret;
	kmag_cache_free_bulk(lossy, MU_BATCH, objs);
	ret = mu_alloc(lossy, objs, MU_BATCH);
	if (ret)
		return ret;
	/* The first of them was in the highest slot, which is free now. */
	kmag_cache_free_bulk(lossy, MU_BATCH - 1, objs + 1);
	if (mu_slot(lossy, 1) != objs[0]) {
		kmag_cache_free(lossy, objs[0]);
		return -EUCLEAN;
	}
	leaked = ~(unsigned long)objs[0];
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(void);
} whats[] = {
	{ "good", mu_good },
	{ "read_after_free", mu_read_after_free },
	{ "overrun", mu_overrun },
	{ "double_free", mu_double_free },
	{ "cached", mu_cached },
	{ "leak", mu_leak },
};

static int run_set(const char *val, const struct kernel_param *kp)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(whats); i++) {
		if (!sysfs_streq(val, whats[i].name))
			continue;
		preempt_disable();	/* one CPU's magazines */
		ret = whats[i].fn();
		preempt_enable();
		return ret;
	}
	return -EINVAL;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "what to do");

static int leaked_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%lx\n", ~leaked);
}

static const struct kernel_param_ops leaked_ops = { .get = leaked_get };
module_param_cb(leaked, &leaked_ops, NULL, 0400);
MODULE_PARM_DESC(leaked, "address of the object that was lost, or 0");

static int __init mu_init(void)
{
	cache = kmag_cache_create(KBUILD_MODNAME, MU_SIZE, 0, 0, NULL);
	if (!cache)
		return -ENOMEM;
	lossy = kmag_cache_create(KBUILD_MODNAME "_lossy", MU_SIZE, 0, 0, NULL);
	if (!lossy)
		goto err_lossy;
	pr_info("faults are provoked from here on\n");
	return 0;

err_lossy:
	kmag_cache_destroy(cache);
	return -ENOMEM;
}

static void __exit mu_exit(void)
{
	if (leaked != ~0UL)
		kmag_cache_free(lossy, (void *)~leaked);
	kmag_cache_destroy(lossy);
	kmag_cache_destroy(cache);
	pr_info("faults are provoked no more\n");
}

module_init(mu_init);
module_exit(mu_exit);

MODULE_DESCRIPTION("kmag: misuse objects, for KASAN and kmemleak to find");
MODULE_LICENSE("GPL");
