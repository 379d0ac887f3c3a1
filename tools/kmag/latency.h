/* SPDX-License-Identifier: GPL-2.0 */
/* How long operations took, by tier: switched in debugfs, told by snapshots. */
#ifndef KMAG_LATENCY_H
#define KMAG_LATENCY_H

#include <jansson.h>

#include "dev.h"

/* Switch it for a cache. Return: 0, or -1 after one sentence. */
int latency_switch(const struct kmag_snap_cache *c, bool on);

/* A row for each tier that served any; one line if it was never on. */
void latency_print(const struct snap_cache *s);

json_t *latency_json(const struct snap_cache *s);

#endif /* KMAG_LATENCY_H */
