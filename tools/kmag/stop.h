/* SPDX-License-Identifier: GPL-2.0 */
/* Signals that end a command after it has told, or put back, what there is. */
#ifndef KMAG_STOP_H
#define KMAG_STOP_H

#include <signal.h>
#include <stdatomic.h>

/* The last of them that came; 0: none */
extern atomic_int stop_signal;

/* From here on they are noted, and break off what waits in the kernel. */
void stop_catch(void);

/* And from here on they end the program. */
void stop_release(void);

/* Which these are. */
void stop_set(sigset_t *set);

#endif /* KMAG_STOP_H */
