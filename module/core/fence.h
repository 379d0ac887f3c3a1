/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fence: all CPUs' magazines, drained in one grace period.
 */
#ifndef _KMAG_FENCE_H
#define _KMAG_FENCE_H

#include "internal.h"

/**
 * kmag_fence - drain every CPU's magazines to the slabs
 * @cache: the cache; @cache->fence_lock is held
 *
 * Sends nothing to any CPU: no work item, no function call. A CPU that uses
 * the cache meanwhile drains itself in that one operation and goes on; the
 * others are drained here, after a grace period. What is freed to a magazine
 * after the CPU reopened stays there.
 *
 * Context: Process context, may sleep; waits for a grace period. Does not take
 * the CPU hotplug lock.
 */
void kmag_fence(struct kmag_cache *cache);

/**
 * kmag_fence_marked - see that no CPU's magazine holds what drains
 * @cache: the cache; @cache->fence_lock is held, @cache->draining is set
 *
 * As kmag_fence(), but a CPU that uses the cache meanwhile keeps all objects
 * that are not of draining slabs. Those that do not use it lose all.
 *
 * Context: As kmag_fence().
 */
void kmag_fence_marked(struct kmag_cache *cache);

#endif /* _KMAG_FENCE_H */
