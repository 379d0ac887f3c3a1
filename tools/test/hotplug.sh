#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# hotplug.sh [THOUSANDS] - in a guest of 4 CPUs, each with a memory node of its
# own: workloads whose contents are checked, one of them THOUSANDS (10000) of
# thousand operations long, while CPUs go offline and come back. Then the sums
# are exact. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
operations=$((${1:-10000} * 1000))
cpus=/sys/devices/system/cpu
mkdir -p /tmp/h && cd /tmp/h || exit 1

# In this order one to all of them are there.
toggle()
{
	n=0
	while [ ! -e stop ]; do
		for what in 1-0 2-0 1-1 3-0 1-0 2-1 1-1 3-1; do
			echo "${what#*-}" >"$cpus/cpu${what%-*}/online" || exit 1
			n=$((n + 1))
		done
	done
	echo $n >toggles
}

plan 9
[ "$(nproc)" = 4 ] && [ "$(cat $cpus/../node/online)" = 0-3 ] &&
	[ "$(cat $cpus/../node/node3/cpulist)" = 3 ]
result $? '4 CPUs on 4 nodes'

toggle &
toggler=$!
# An allocation, its free, and what is left at the end: 2 operations each.
expect 0 kmag.run/1 "$operations operations on kmag while CPUs go and come" \
	kmag run --json --report run.json -b kmag -p random -s 32,100,260 -l 2000 \
		-t 8 -n $((operations / 16)) --check
[ "$(field run.json allocations)" = $((operations / 2)) ] &&
	[ "$(field run.json corrupt)" = 0 ] && [ "$(field run.json failed)" = 0 ]
result $? 'each was done, and no contents changed'
[ "$(field run.json skew)" = 0 ] && [ "$(field run.json validate_errors)" = 0 ] &&
	[ "$(field run.json not_freed)" = 0 ]
result $? 'the sums are exact, slabs and magazines in order'
expect 0 'contents changed  *0  *0' 'arrays handed over on both allocators' \
	kmag run -p cross -s 48,1000 -l 2000 -t 6 -n 20000 --check
expect 0 ' 0 faults' 'workloads at random on both' \
	kmag stress --backend both --count 12 --seed 11
tail -n 1 out
touch stop
wait $toggler && [ "$(cat toggles)" -ge 32 ]
result $? "CPUs went or came $(cat toggles) times"
[ "$(nproc)" = 4 ]
result $? 'all are back'
kmag stat | grep -q '^0 caches' && rmmod kmag_dev && rmmod kmag
result $? 'nothing is left, and the modules unload'
finished
