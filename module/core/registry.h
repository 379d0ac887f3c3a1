/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registry: every cache there is.
 */
#ifndef _KMAG_REGISTRY_H
#define _KMAG_REGISTRY_H

#include "internal.h"

/* Protects kmag_caches; a cache on the list stays while it is held. */
extern struct mutex kmag_caches_lock;
extern struct list_head kmag_caches;

/**
 * kmag_registry_add - give a cache its id, if it has none, and list it
 * @cache: ready to be used
 */
void kmag_registry_add(struct kmag_cache *cache);

/**
 * kmag_registry_del - take a cache off the list
 * @cache: on the list
 *
 * Waits for those who are at it: nobody else knows the cache afterwards.
 */
void kmag_registry_del(struct kmag_cache *cache);

/**
 * kmag_registry_find - the cache with an id, or with the next higher one
 * @id: to look for
 *
 * Return: the cache, or NULL. Needs kmag_caches_lock.
 */
struct kmag_cache *kmag_registry_find(unsigned int id);

#endif /* _KMAG_REGISTRY_H */
