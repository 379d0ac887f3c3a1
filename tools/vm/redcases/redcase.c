// SPDX-License-Identifier: GPL-2.0
/*
 * redcase - bring the kernel down, in the way that was asked for.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bug.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "panic, oops, trap, int3, stray, caught, warning, hang, leak, race, foreign or refuse");

static void *lost;

/* Two threads at the same bytes: by themselves, or by functions of the kernel. */
static char shared[2 * sizeof(long)];

static void change(unsigned long i, bool foreign)
{
	if (foreign)
		bin2hex(shared, &i, sizeof(i));
	else
		shared[0] = i;
}

static unsigned long look(bool foreign)
{
	unsigned long i = 0;

	if (foreign)
		return hex2bin((u8 *)&i, shared, sizeof(i)) ?: i;
	return shared[0];
}

static int looker(void *unused)
{
	unsigned long sum = 0;

	while (!kthread_should_stop()) {
		sum += look(!strcmp(what, "foreign"));
		cond_resched();
	}
	return sum & 1;
}

static int race(bool foreign)
{
	unsigned long i, end = jiffies + 5 * HZ;
	struct task_struct *task = kthread_run(looker, NULL, "redcase");

	if (IS_ERR(task))
		return PTR_ERR(task);
	for (i = 0; time_before(jiffies, end); i++) {
		change(i, foreign);
		cond_resched();
	}
	kthread_stop(task);
	return 0;
}

static int __init redcase_init(void)
{
	if (!strcmp(what, "panic"))
		panic("redcase: asked for");
	if (!strcmp(what, "oops"))
		WRITE_ONCE(*(int *)8, 1);
	if (!strcmp(what, "trap"))
		__builtin_trap();
	if (!strcmp(what, "int3"))
		asm volatile("int3");
	/* The same, by a code whose last byte is another. */
	if (!strcmp(what, "stray"))
		asm volatile(".byte 0xcd, 0x03");
	/* And so for ever: a kernel with kprobes goes on behind the first byte. */
	if (!strcmp(what, "caught")) {
		local_irq_disable();
		for (;;)
			asm volatile(".byte 0xcd, 0x03, 0xc0" : : : "eax", "cc");
	}
	if (!strcmp(what, "warning")) {
		WARN(1, "redcase: asked for\n");
		return 0;
	}
	if (!strcmp(what, "hang")) {
		local_irq_disable();
		for (;;)
			cpu_relax();
	}
	if (!strcmp(what, "leak")) {
		/* Cached pointers in registers do not last. */
		lost = kmalloc(4321, GFP_KERNEL);
		WRITE_ONCE(lost, NULL);
		return 0;
	}
	if (!strcmp(what, "race") || !strcmp(what, "foreign"))
		return race(!strcmp(what, "foreign"));
	return -EINVAL;
}

static void __exit redcase_exit(void)
{
}

module_init(redcase_init);
module_exit(redcase_exit);

MODULE_DESCRIPTION("Brings the kernel down, to test the VM runner");
MODULE_LICENSE("GPL");
