// SPDX-License-Identifier: GPL-2.0
/* /proc/slabinfo: what the kernel tells of its own slab allocator. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "slabinfo.h"
#include "util.h"

int slabinfo_read(const char *prefix,
		  void (*row)(void *arg, const struct slabinfo_row *row), void *arg)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	struct slabinfo_row r;
	char line[512];
	int ret = -1;

	if (!f) {
		say("cannot read /proc/slabinfo: %m");
		return -1;
	}
	if (!fgets(line, sizeof(line), f) || strncmp(line, "slabinfo - version: 2.", 22)) {
		say("/proc/slabinfo has a form that this kmag does not know");
		goto out;
	}
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#' || strncmp(line, prefix, strlen(prefix)))
			continue;
		if (sscanf(line, "%127s %" SCNu64 " %" SCNu64 " %u %u %u : tunables %*u %*u %*u : slabdata %*u %" SCNu64,
			   r.name, &r.active_objs, &r.objs, &r.obj_size,
			   &r.objs_per_slab, &r.pages_per_slab, &r.slabs) != 7) {
			say("/proc/slabinfo has a row that makes no sense: %s", line);
			goto out;
		}
		row(arg, &r);
	}
	ret = ferror(f) ? -1 : 0;
	if (ret)
		say("cannot read /proc/slabinfo: %m");
out:
	fclose(f);
	return ret;
}
