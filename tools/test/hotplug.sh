#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# hotplug.sh [THOUSANDS] - in a guest of 4 CPUs, each with a memory node of its
# own: workloads whose contents are checked, one of them THOUSANDS (10000) of
# thousand operations long, and one that is evacuated, while CPUs go offline and
# come back. Then the sums are exact. TAP.

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
			echo $n >toggles.new && mv toggles.new toggles
		done
	done
}

# counted KEY CACHE: from stats of the cache of that name; nothing if it is not there
counted()
{
	awk -v key="$1" '$1 == key { print $2 }' /sys/kernel/debug/kmag/"$2"-*/stats 2>/dev/null
}

# begin CACHE OPTION...: a run on kmag; returns once its threads are at work
begin()
{
	cache=$1
	shift
	kmag run --json --report run.json -b kmag --check "$@" >out 2>err &
	run=$!
	until [ "$(counted alloc_mag "$cache")" -gt 0 ] 2>/dev/null; do
		kill -0 $run || return 1
		sleep 0.1
	done
}

# at_work: how many CPUs allocated from their own magazines, as long as the caches are there
at_work()
{
	awk '$1 ~ /^[0-9]/ && $8 > 0 { on[$1] = 1 }
		END { for (cpu in on) n++; if (n) print n }' \
		/sys/kernel/debug/kmag/run.*/cpus
}

# settled: the last run kept contents, and left nothing
settled()
{
	[ "$(field run.json corrupt)" = 0 ] && [ "$(field run.json failed)" = 0 ] &&
		[ "$(field run.json skew)" = 0 ] && [ "$(field run.json validate_errors)" = 0 ] &&
		[ "$(field run.json not_freed)" = 0 ]
}

plan 14
[ "$(nproc)" = 4 ] && [ "$(cat $cpus/../node/online)" = 0-3 ] &&
	[ "$(cat $cpus/../node/node3/cpulist)" = 3 ]
result $? '4 CPUs on 4 nodes'

# The scheduler's deadline server loses count of itself on 6.12 where CPUs go, and
# warns ("dl_rq->running_bw > old"); and it counts as a task that has not left, where it
# is at work when a CPU dies ("Dying CPU not properly vacated!"). That is not ours to see.
[ -d /sys/kernel/debug/sched ]
result $? 'the scheduler can be told'
for file in /sys/kernel/debug/sched/fair_server/cpu*/runtime; do
	[ ! -e "$file" ] || echo 0 >"$file" || exit 1
done

# It takes the CPUs that are online as it begins, and so all go from under it.
# An allocation, its free, and what is left at the end: 2 operations each.
echo 0 >toggles
begin run.260 -p random -s 32,100,260 -l 2000 -t 8 -n $((operations / 16))
toggle &
toggler=$!
echo 0 >worked
while kill -0 $run 2>/dev/null; do
	at_work >now 2>/dev/null
	[ ! -s now ] || mv now worked
	sleep 0.2
done
wait $run
result $? "$operations operations on kmag while CPUs go and come"
n=$(cat toggles)
[ "$n" -ge 8 ] && [ "$(cat worked)" = 4 ]
result $? "on all 4 CPUs, of which some went or came $n times"
[ "$(field run.json allocations)" = $((operations / 2)) ]
result $? 'each was done'
settled
result $? 'contents and sums are exact, slabs and magazines in order'

# Slabs are marked, emptied and taken back on nodes whose CPU is not there.
n=$(cat toggles)
begin run.64 -p spike -s 64 -l 50000 -t 4 -d 10s
while kill -0 $run 2>/dev/null; do
	now=$(counted mark run.64)
	marks=${now:-$marks}
	sleep 0.2
done
wait $run && settled
result $? 'a spike, again and again: contents and sums are exact'
n=$(($(cat toggles) - n))
[ "$n" -ge 8 ] && [ "${marks:-0}" -gt 0 ]
result $? "$marks slabs were marked, while CPUs went or came $n times"
expect 0 'contents changed  *0  *0' 'arrays handed over on both allocators' \
	kmag run -p cross -s 48,1000 -l 2000 -t 6 -n 20000 --check
expect 0 ' 0 faults' 'workloads at random on both' \
	kmag stress --backend both --count 18 --seed 11
grep '^#' out
# Those that name a CPU which goes are skipped.
did=$(sed -n 's/^# seed 11: \([0-9]*\) workloads.*/\1/p' out)
[ "${did:-0}" -ge 12 ]
result $? 'of 18, at least 12 were done'
touch stop
wait $toggler
result $? "CPUs went or came $(cat toggles) times"
[ "$(nproc)" = 4 ]
result $? 'all are back'
kmag stat | grep -q '^0 caches' && rmmod kmag_dev && rmmod kmag
result $? 'nothing is left, and the modules unload'
finished
