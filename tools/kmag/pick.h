/* SPDX-License-Identifier: GPL-2.0 */
/* A workload at random. */
#ifndef KMAG_PICK_H
#define KMAG_PICK_H

#include <stdint.h>

#include "spec.h"

/* The next of a sequence that @state alone tells, on every machine. */
uint64_t pick_chance(uint64_t *state);

/*
 * The workload of a seed, for a machine like this; contents checked, backends
 * left to the caller. Of modest size: see the bounds in pick.c.
 */
void pick_spec(struct spec *s, uint64_t seed, const struct kmag_ioc_info *info);

#endif /* KMAG_PICK_H */
