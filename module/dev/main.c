// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_dev - /dev/kmag: module init and exit.
 */
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "dev.h"

static struct miscdevice kmag_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "kmag",
	.fops	= &kmag_dev_fops,
	.mode	= 0600,
};

static int __init kmag_dev_init(void)
{
	return misc_register(&kmag_misc);
}

static void __exit kmag_dev_exit(void)
{
	/* No file is open: each holds a reference to the module. */
	misc_deregister(&kmag_misc);
}

module_init(kmag_dev_init);
module_exit(kmag_dev_exit);

MODULE_DESCRIPTION("/dev/kmag: kmag from user space");
MODULE_LICENSE("GPL");
