/* SPDX-License-Identifier: GPL-2.0 */
/* One random call, compared with what a thread's model says. */
#ifndef FUZZ_CALL_H
#define FUZZ_CALL_H

#include <pthread.h>

#include "model.h"

#define FUZZ_FILES	3	/* of a thread; the last one is shared */
#define FUZZ_CMDS	12	/* one of them stands for those that there are not */

/* How a call ended: 0, or a documented error. But EINTR: no signal comes. */
enum {
	GOOD, NOTTY, INVAL, TOOBIG, NOTSUPP, NOENT, BUSY, FAULT, NOMEM, NR_ERRORS
};

#define MASK(error)	(1U << (error))

struct fuzzer {
	pthread_t thread;
	unsigned int number;
	__u64 rnd;
	__u32 calls;
	const struct kmag_ioc_info *info;
	struct fuzz_model models[FUZZ_FILES];
	struct fuzz_memory *mem;
	size_t page;
	char *area;			/* two pages, and none behind them */
	char *read_only;		/* the same */
	/* What came of it. */
	__u32 called[FUZZ_CMDS];
	__u32 good[FUZZ_CMDS];
	unsigned int seen;		/* errors, and GOOD */
	__u64 digest;
	char wrong[1024];
};

/* Of a command, for people. */
const char *fuzz_name(unsigned int n);
/* Is there such a command? */
bool fuzz_exists(unsigned int n);

/* Make a call of this fuzzer; ->wrong says what was wrong with what it did. */
void fuzz_call(struct fuzzer *f);

#endif /* FUZZ_CALL_H */
