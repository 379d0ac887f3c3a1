/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Parking: objects freed in an NMI, where no lock can be taken.
 */
#ifndef _KMAG_PARK_H
#define _KMAG_PARK_H

#include "internal.h"

/**
 * kmag_park - put an object aside until interrupts are possible again
 * @cache: that it came from
 * @obj: to be freed soon, by an irq_work of this CPU
 *
 * There is room for %KMAG_PARK_MAX objects a CPU. One more is lost, and said
 * so once: it stays allocated.
 *
 * Context: NMI.
 */
void kmag_park(struct kmag_cache *cache, void *obj);

#define KMAG_PARK_MAX	64

/**
 * kmag_park_flush - wait until what was parked has been freed
 *
 * Context: Process context, may sleep.
 */
void kmag_park_flush(void);

int kmag_park_init(void);
void kmag_park_exit(void);

#endif /* _KMAG_PARK_H */
