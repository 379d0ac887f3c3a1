/* SPDX-License-Identifier: GPL-2.0 */
/* A file that is written beside the one it is to become, and then put in its place. */
#ifndef KMAG_DRAFT_H
#define KMAG_DRAFT_H

#include <stdio.h>
#include <sys/types.h>

struct draft {
	FILE *file;
	const char *name;	/* what is written: another's to open, while it lasts */
	char *path;		/* what that is to become, when it is whole */
	char *part;		/* until then; NULL: no file, which is written as it is */
};

/**
 * draft_open - begin to write a file, which stays as it was until draft_done()
 * @d: filled in
 * @path: the file; a device or a pipe is written at once
 * @mode: its permissions, if it is new; what was there hands on its own, less than these
 *
 * Return: 0, or -1 with errno, and there is nothing to drop.
 */
int draft_open(struct draft *d, const char *path, mode_t mode);

/**
 * draft_done - put it in its place
 * @d: the draft; it is gone after this in any case
 *
 * Return: 0, or -1 with errno, where not all of it could be written; the file is as
 * it was then, and nothing is left of the draft.
 */
int draft_done(struct draft *d);

/* Leave the file as it was. Keeps errno. */
void draft_drop(struct draft *d);

#endif /* KMAG_DRAFT_H */
