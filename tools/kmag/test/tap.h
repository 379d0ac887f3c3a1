/* SPDX-License-Identifier: GPL-2.0 */
/* What the companion's tests in C print. */
#ifndef KMAG_TAP_H
#define KMAG_TAP_H

#include <stdbool.h>
#include <stdio.h>

static unsigned int planned, tests, failures;

static inline void plan(unsigned int nr)
{
	planned = nr;
	printf("TAP version 13\n1..%u\n", nr);
}

/* @why: NULL, or what went wrong */
static inline void result(bool good, const char *name, const char *why)
{
	tests++;
	failures += !good;
	printf("%sok %u %s%s%s\n", good ? "" : "not ", tests, name, why ? " # " : "",
	       why ? why : "");
	fflush(stdout);
}

/* For main() to return */
static inline int finished(void)
{
	return failures || tests != planned;
}

#endif /* KMAG_TAP_H */
