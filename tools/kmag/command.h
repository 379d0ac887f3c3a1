/* SPDX-License-Identifier: GPL-2.0 */
/* A command that is started early, held back, and let go later. */
#ifndef KMAG_COMMAND_H
#define KMAG_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct command {
	char **argv;
	pid_t pid;
	int gate;		/* one byte lets it go, closing ends it */
	int failed;		/* errno of its exec comes here, or nothing */
	int status;		/* as of waitpid(), once it has ended */
	bool ended;
};

/*
 * Forks it. Do that before opening what it must not inherit: libtracefs does
 * not close its files on exec. Return: 0, or -1 after one sentence.
 */
int command_hold(struct command *c, char **argv);

/* Return: 0, or -1 after one sentence. */
int command_go(struct command *c);

/* True once it has ended. */
bool command_ended(struct command *c);

/* Ends it if it has not, and says so if it could not run: then -1, else 0. */
int command_close(struct command *c);

#endif /* KMAG_COMMAND_H */
