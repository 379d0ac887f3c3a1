// SPDX-License-Identifier: GPL-2.0
/* A command that is started early, held back, and let go later. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "util.h"

static void run(char **argv, int gate, int failed)
{
	char c;
	int err;

	if (read(gate, &c, 1) == 1) {
		execvp(argv[0], argv);
		err = errno;
		if (write(failed, &err, sizeof(err)) < 0)
			_exit(126);
	}
	_exit(127);
}

int command_hold(struct command *c, char **argv)
{
	int hold[2], tell[2];

	*c = (struct command){ .argv = argv };
	if (pipe2(hold, O_CLOEXEC) || pipe2(tell, O_CLOEXEC))
		goto err_fork;
	c->pid = fork();
	if (c->pid < 0)
		goto err_fork;
	if (!c->pid) {
		close(hold[1]);
		close(tell[0]);
		run(argv, hold[0], tell[1]);
	}
	close(hold[0]);
	close(tell[1]);
	c->gate = hold[1];
	c->failed = tell[0];
	return 0;

err_fork:
	say("cannot start a process: %m");
	return -1;
}

int command_go(struct command *c)
{
	if (write(c->gate, "", 1) == 1)
		return 0;
	say("the process that was to run %s is gone", c->argv[0]);
	return -1;
}

bool command_ended(struct command *c)
{
	pid_t got;

	if (!c->ended) {
		got = waitpid(c->pid, &c->status, WNOHANG);
		c->ended = got == c->pid || (got < 0 && errno != EINTR);
	}
	return c->ended;
}

int command_close(struct command *c)
{
	int err, ret = 0;

	close(c->gate);
	if (!command_ended(c)) {
		kill(c->pid, SIGTERM);
		waitpid(c->pid, &c->status, 0);
		c->ended = true;
	}
	if (read(c->failed, &err, sizeof(err)) == sizeof(err)) {
		say("cannot run %s: %s", c->argv[0], strerror(err));
		ret = -1;
	}
	close(c->failed);
	return ret;
}
