/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Caches: <kmag/kmag.h> has what everybody may call.
 */
#ifndef _KMAG_CACHE_H
#define _KMAG_CACHE_H

#include "internal.h"

int kmag_cache_init(void);
void kmag_cache_exit(void);

#endif /* _KMAG_CACHE_H */
