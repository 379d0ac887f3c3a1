// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_corrupt - change a byte of an object that somebody else holds.
 *
 * kmag_dev checks what its objects contain; this shows that it would notice.
 * It follows the returns of one allocation function to one module, in tasks of
 * one name, and remembers the last object:
 *
 *	insmod kmag_corrupt.ko symbol=kmag_cache_alloc
 *	echo -n NAME >/sys/module/kmag_corrupt/parameters/comm
 *	cat /sys/module/kmag_corrupt/parameters/captured
 *	echo OFFSET >/sys/module/kmag_corrupt/parameters/flip
 *
 * Or it makes an allocator of two owners for one object: the Nth object that
 * was captured is the one before it again. When one of the two frees it, what
 * should have been given out goes back instead, so that nothing is freed twice
 * and nothing is lost:
 *
 *	echo N >/sys/module/kmag_corrupt/parameters/twice
 */
#include <linux/atomic.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *symbol = "kmag_cache_alloc";
module_param(symbol, charp, 0444);
MODULE_PARM_DESC(symbol, "function whose return value is an object");

static char *caller = "kmag_dev";
module_param(caller, charp, 0444);
MODULE_PARM_DESC(caller, "module that it is returned to");

/* Of kmag_dev itself: what it calls need not be a place for a probe. */
static char *free_symbol = "kmag_dev:kmag_free";
module_param(free_symbol, charp, 0444);
MODULE_PARM_DESC(free_symbol, "function whose second argument is an object");

static DEFINE_RAW_SPINLOCK(lock);	/* all that follows, but in on_free() */
static char comm[TASK_COMM_LEN];
static unsigned int captured;
static u8 *last;
static unsigned int twice;
static void *doubled;	/* has two owners */
static void *aside;	/* what one of them should have got */

module_param(twice, uint, 0644);
MODULE_PARM_DESC(twice, "number of the object that is the one before it; 0: none");

module_param(captured, uint, 0444);
MODULE_PARM_DESC(captured, "objects seen since comm was written");

static int comm_set(const char *val, const struct kernel_param *kp)
{
	unsigned long flags;

	if (strlen(val) >= sizeof(comm))
		return -EINVAL;
	raw_spin_lock_irqsave(&lock, flags);
	strscpy(comm, val, sizeof(comm));
	captured = 0;
	last = NULL;
	raw_spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static const struct kernel_param_ops comm_ops = { .set = comm_set };
module_param_cb(comm, &comm_ops, NULL, 0200);
MODULE_PARM_DESC(comm, "how names of tasks to follow begin; empty: none");

static int flip_set(const char *val, const struct kernel_param *kp)
{
	unsigned int offset;
	unsigned long flags;
	int ret;

	ret = kstrtouint(val, 0, &offset);
	if (ret)
		return ret;
	raw_spin_lock_irqsave(&lock, flags);
	if (last)
		last[offset] ^= 0x40;
	else
		ret = -ENOENT;
	raw_spin_unlock_irqrestore(&lock, flags);
	return ret;
}

static const struct kernel_param_ops flip_ops = { .set = flip_set };
module_param_cb(flip, &flip_ops, NULL, 0200);
MODULE_PARM_DESC(flip, "offset of a byte to change in the last object");

/* Arguments can be changed where it is known how they are passed. */
#ifdef CONFIG_X86_64
static void *second_argument(const struct pt_regs *regs)
{
	return (void *)regs->si;
}

static void set_second_argument(struct pt_regs *regs, void *arg)
{
	regs->si = (unsigned long)arg;
}
#else
#error "say how this machine passes arguments"
#endif

/* Not to be followed: no return probe. */
static int on_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	return !comm[0] || strncmp(current->comm, comm, strlen(comm));
}

/* Tasks allocate other things as well: page tables, tree nodes. */
static bool is_ours(struct kretprobe_instance *ri)
{
	char name[KSYM_SYMBOL_LEN];
	char *module;

	sprint_symbol(name, get_kretprobe_retaddr(ri));
	module = strchr(name, '[');
	return module && !strncmp(module + 1, caller, strlen(caller));
}

static int on_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	void *obj = (void *)regs_return_value(regs);
	unsigned long flags;

	if (!is_ours(ri))
		return 0;
	raw_spin_lock_irqsave(&lock, flags);
	if (comm[0] && obj) {
		if (++captured == twice && last) {
			aside = obj;
			/* Pairs with on_free(): who sees it knows aside. */
			smp_store_release(&doubled, last);
			regs_set_return_value(regs, (unsigned long)last);
		} else {
			last = obj;
		}
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int on_free(struct kprobe *p, struct pt_regs *regs)
{
	void *obj = second_argument(regs);

	/*
	 * No lock: to lockdep a breakpoint is an NMI. Whoever was given the
	 * object sees that it is doubled; for others it is no matter. Pairs with
	 * on_return().
	 */
	if (obj && cmpxchg(&doubled, obj, NULL) == obj)
		set_second_argument(regs, aside);
	return 0;
}

static struct kprobe free_probe = { .pre_handler = on_free };

static struct kretprobe probe = {
	.entry_handler	= on_entry,
	.handler	= on_return,
	.maxactive	= 64,
};

static int __init kmag_corrupt_init(void)
{
	int ret;

	free_probe.symbol_name = free_symbol;
	ret = register_kprobe(&free_probe);
	if (ret)
		return ret;
	probe.kp.symbol_name = symbol;
	ret = register_kretprobe(&probe);
	if (ret)
		goto err_probe;
	pr_info("faults are provoked from here on\n");
	return 0;

err_probe:
	unregister_kprobe(&free_probe);
	return ret;
}

static void __exit kmag_corrupt_exit(void)
{
	unregister_kretprobe(&probe);
	unregister_kprobe(&free_probe);
	if (probe.nmissed)
		pr_warn("%d calls were missed\n", probe.nmissed);
	pr_info("faults are provoked no more\n");
}

module_init(kmag_corrupt_init);
module_exit(kmag_corrupt_exit);

MODULE_DESCRIPTION("kmag: spoil objects that somebody else holds");
MODULE_LICENSE("GPL");
