/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls on objects: <kmag/kmag.h> has those that everybody may use.
 */
#ifndef _KMAG_ALLOC_H
#define _KMAG_ALLOC_H

#include <linux/init.h>

/* Find out what this machine asks of a free. */
void __init kmag_alloc_init(void);

#endif /* _KMAG_ALLOC_H */
