// SPDX-License-Identifier: GPL-2.0
/* Signals that end a command after it has told, or put back, what there is. */
#include <stdatomic.h>
#include <stddef.h>

#include "stop.h"
#include "util.h"

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

atomic_int stop_signal;

static void on_signal(int sig)
{
	stop_signal = sig;
}

static void handle(void (*handler)(int sig))
{
	/* Without SA_RESTART: what waits is to end. */
	const struct sigaction sa = { .sa_handler = handler };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ending); i++)
		sigaction(ending[i], &sa, NULL);
}

void stop_catch(void)
{
	handle(on_signal);
}

void stop_release(void)
{
	handle(SIG_DFL);
}

void stop_set(sigset_t *set)
{
	size_t i;

	sigemptyset(set);
	for (i = 0; i < ARRAY_SIZE(ending); i++)
		sigaddset(set, ending[i]);
}
