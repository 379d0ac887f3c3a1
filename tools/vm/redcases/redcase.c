// SPDX-License-Identifier: GPL-2.0
/*
 * redcase - bring the kernel down, in the way that was asked for.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/processor.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "panic, oops, trap, warning, hang, leak or refuse");

static void *lost;

static int __init redcase_init(void)
{
	if (!strcmp(what, "panic"))
		panic("redcase: asked for");
	if (!strcmp(what, "oops"))
		WRITE_ONCE(*(int *)8, 1);
	if (!strcmp(what, "trap"))
		__builtin_trap();
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
	return -EINVAL;
}

static void __exit redcase_exit(void)
{
}

module_init(redcase_init);
module_exit(redcase_exit);

MODULE_DESCRIPTION("Brings the kernel down, to test the VM runner");
MODULE_LICENSE("GPL");
