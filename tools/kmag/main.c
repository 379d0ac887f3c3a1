// SPDX-License-Identifier: GPL-2.0
/* kmag: where the bytes of object caches are, and what they would be with kmag. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "util.h"

static const struct subcommand commands[] = {
	{ "stat", "what each kmag cache holds, and where its operations were served", cmd_stat },
	{ "frag", "slabs by fullness: how many are held, how many are needed", cmd_frag },
	{ "record", "follow the kernel's slab users while a command runs", cmd_record },
	{ "replay", "do a recording again, on kmag and on the kernel's own slab", cmd_replay },
	{ "import", "make a recording of the text of perf script or trace-cmd", cmd_import },
	{ "watch", "caches as they change: what is held, needed, and served where", cmd_watch },
	{ "diff", "what became of each cache between two snapshots", cmd_diff },
	{ "report", "a folder of tables and pictures of results", cmd_report },
	{ "run", "one workload, on kmag and on the kernel's own slab", cmd_run },
	{ "stress", "many workloads at random, with contents checked", cmd_stress },
};

static void usage(FILE *to)
{
	fprintf(to, "Usage: kmag COMMAND [OPTION...]\n  or:  kmag help [COMMAND]\n");
}

static void help(FILE *to)
{
	size_t i;

	usage(to);
	fprintf(to, "\nCommands:\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\nkmag help COMMAND or kmag COMMAND --help tells its options, kmag --version the version.\n");
	fprintf(to, "Exit status: 0 good, 1 failed, 2 usage, 3 not available here.\n");
}

/* What there are versions of: the interface to the kernel, which has to fit. */
static void version(FILE *to, struct argp_state *state)
{
	fprintf(to, "kmag, ABI %u\n", KMAG_ABI);
}

/* Whatever ends it: what argp prints, it does not look after. */
static void check_stdout(void)
{
	if (stdout_failed())
		_exit(KMAG_EXIT_FAILED);
}

/* Of main(), but for @argv[0], which names the command. */
static int run(int argc, char **argv)
{
	static char name[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		kmag_command = commands[i].name;
		/* What argp prints begins with argv[0]. */
		snprintf(name, sizeof(name), "kmag %s", kmag_command);
		argv[0] = name;
		return commands[i].run(argc, argv);
	}
	say("there is no command '%s'; kmag --help lists them", argv[0]);
	return KMAG_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	char help_option[] = "--help";

	argp_err_exit_status = KMAG_EXIT_USAGE;
	argp_program_version_hook = version;
	atexit(check_stdout);
	if (argc < 2) {
		help(stderr);
		return KMAG_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") && argc > 2 && *argv[2] != '-' &&
	    strcmp(argv[2], "help")) {
		argv[1] = argv[2];
		argv[2] = help_option;
		argv[3] = NULL;
		return run(2, argv + 1);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "-?") ||
	    !strcmp(argv[1], "help")) {
		help(stdout);
		return KMAG_EXIT_OK;
	}
	if (!strcmp(argv[1], "--usage")) {
		usage(stdout);
		return KMAG_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		version(stdout, NULL);
		return KMAG_EXIT_OK;
	}
	return run(argc - 1, argv + 1);
}
