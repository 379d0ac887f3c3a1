// SPDX-License-Identifier: GPL-2.0
/* A file that is written beside the one it is to become, and then put in its place. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft.h"
#include "util.h"

/* Return: a descriptor, or -1 with errno. */
static int open_part(struct draft *d, const char *path, mode_t mode)
{
	struct stat st;
	mode_t mask;
	int fd;

	if (!*path) {
		errno = ENOENT;
		return -1;
	}
	if (stat(path, &st)) {
		mask = umask(0);
		umask(mask);
		mode &= ~mask;
	} else if (S_ISREG(st.st_mode)) {
		mode &= st.st_mode;
	} else {
		d->path = xprintf("%s", path);
		return open(path, O_WRONLY | O_CLOEXEC);
	}
	/* What a link names is replaced, not the link. */
	d->path = realpath(path, NULL);
	if (d->path && access(d->path, W_OK))
		return -1;
	if (!d->path)
		d->path = xprintf("%s", path);
	d->part = xprintf("%s.XXXXXX", d->path);
	fd = mkostemp(d->part, O_CLOEXEC);
	if (fd < 0) {
		free(d->part);
		d->part = NULL;
	} else if (fchmod(fd, mode)) {
		close(fd);
		return -1;
	}
	return fd;
}

int draft_open(struct draft *d, const char *path, mode_t mode)
{
	int fd;

	*d = (struct draft){};
	fd = open_part(d, path, mode);
	if (fd >= 0)
		d->file = fdopen(fd, "w");
	if (!d->file) {
		if (fd >= 0)
			close(fd);
		draft_drop(d);
		return -1;
	}
	d->name = d->part ?: d->path;
	return 0;
}

/* A file that is full, or on another machine, may tell so only now. */
static int draft_close(struct draft *d)
{
	int bad = fflush(d->file) || ferror(d->file) || (d->part && fsync(fileno(d->file)));
	int err = errno;

	if (fclose(d->file) && !bad)
		return -1;
	errno = err;
	return bad ? -1 : 0;
}

int draft_done(struct draft *d)
{
	int bad = draft_close(d);

	d->file = NULL;
	if (!bad && d->part) {
		bad = rename(d->part, d->path);
		if (!bad) {
			free(d->part);
			d->part = NULL;
		}
	}
	draft_drop(d);
	return bad ? -1 : 0;
}

void draft_drop(struct draft *d)
{
	int err = errno;

	if (d->file)
		fclose(d->file);
	if (d->part)
		unlink(d->part);
	free(d->part);
	free(d->path);
	*d = (struct draft){};
	errno = err;
}
