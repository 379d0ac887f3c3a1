// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: their bodies, and what switches the fast path to the paths that
 * trace.
 */
#include "slab.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

EXPORT_TRACEPOINT_IF_KUNIT(kmag_alloc);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_free);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_depot_exchange);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_flush);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_fence);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_mark);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_slab_create);
EXPORT_TRACEPOINT_IF_KUNIT(kmag_slab_destroy);

int kmag_trace_alloc_on(void)
{
	static_branch_inc(&kmag_alloc_is_odd);
	return 0;
}

void kmag_trace_alloc_off(void)
{
	static_branch_dec(&kmag_alloc_is_odd);
}

int kmag_trace_free_on(void)
{
	static_branch_inc(&kmag_free_is_odd);
	return 0;
}

void kmag_trace_free_off(void)
{
	static_branch_dec(&kmag_free_is_odd);
}
