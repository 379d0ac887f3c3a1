#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lookers.sh [SECONDS] - in the guest: while all CPUs use caches, every file of
# theirs is read, they are validated and shrunk, and their latencies switched on
# and off, again and again. Nothing here says if that was a data race: the
# kernel does, on the console. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"

dir=/sys/kernel/debug/kmag
seconds=${1:-30}
rounds=0

look()
{
	cat $dir/caches $dir/summary
	for cache in "$dir"/*/; do
		for file in info stats cpus depot frag slab_map validate latency; do
			cat "$cache$file"
		done
		echo $((rounds % 2)) >"${cache}latency"
		echo 1 >"${cache}validate"
		[ $((rounds % 3)) != 0 ] || echo 1 >"${cache}shrink"
	done
}

plan 3
cd /tmp || exit 1
# Objects go from CPU to CPU, so that depots and slabs are busy, too.
kmag run --backend kmag --pattern cross --size 64,3000 --check \
	--duration "${seconds}s" >out 2>err &
load=$!
while kill -0 $load 2>/dev/null; do
	look >seen 2>/dev/null
	[ ! -s seen ] || rounds=$((rounds + 1))
done
wait $load
result $? "objects go from CPU to CPU for $seconds seconds"
[ $rounds -ge 5 ]
result $? "everything was looked at meanwhile"
echo "# $rounds times"
kmag stat | grep -q '^0 caches'
result $? "no cache is left"
finished
