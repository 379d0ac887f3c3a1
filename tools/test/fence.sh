#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fence.sh [FENCES] - in a guest of 4 CPUs, the last of which is isolated: a cache
# is used on two of them and drained FENCES (200) times from the third, and one of
# the isolated CPU while that rests. What the task that drains queues and sends, the
# kernel's own tracepoints tell; and what is left of a load's speed meanwhile is
# compared with that of another one at the same time. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
fences=${1:-200}
trace=/sys/kernel/tracing
mkdir -p /tmp/f && cd /tmp/f || exit 1

# isolated KIND: interrupts of that kind on the last CPU, from first to last
isolated()
{
	awk -v kind="$1:" '$1 == kind { n = $5 - n } END { print n }' /tmp/f/first /tmp/f/last
}

# watched COMMAND...: what it, alone, queues and sends; into the files works, calls
# (function calls), resched. Of interrupts that come to it nothing is counted, nor
# how the kernel is patched to watch it.
watched()
{
	# shellcheck disable=SC2016 # the inner shell's
	sh -c 'echo $$ >"$0"/set_event_pid && : >"$0"/trace && exec taskset 4 "$@"' $trace "$@"
	grep '\] [^ ][^ ]\.' $trace/trace >events
	grep -c 'workqueue_queue_work:' events >works
	grep -c -e 'csd_queue_cpu:' -e 'ipi_send_cpumask:' events >calls
	grep 'ipi_send_cpu:' events | grep -c 'callback=0x0$' >resched
}

plan 12
[ "$(nproc)" = 3 ] && grep -q isolcpus /proc/cmdline && [ "$(cat /sys/devices/system/cpu/online)" = 0-3 ]
result $? '4 CPUs, one of them isolated'
for event in workqueue/workqueue_queue_work csd/csd_queue_cpu ipi/ipi_send_cpu \
		ipi/ipi_send_cpumask; do
	echo 1 >$trace/events/$event/enable || exit 1
done
echo 20000 >$trace/buffer_size_kb

# What does bother other CPUs: pages on their way to LRU lists, patched code
# shellcheck disable=SC2016 # the inner shell's
watched sh -c 'echo 1 >/proc/sys/vm/drop_caches; echo 1 >"$0"/events/kmem/kfree/enable' $trace
echo 0 >$trace/events/kmem/kfree/enable
[ "$(cat works)" -ge 1 ] && [ "$(cat calls)" -ge 3 ]
result $? "it would be seen: $(cat works) work items and $(cat calls) calls of something else"

kmag run -b kmag -p random -s 256 -l 5000 -c 0-1 -d 1h >told 2>&1 &
load=$!
until cd /sys/kernel/debug/kmag/run* 2>/dev/null; do
	kill -0 $load || exit 1
	sleep 0.1
done
counted()
{
	awk -v key="$1" '$1 == key { print $2 }' "${2:-.}/stats"
}
# No evacuation: that has fences, and a work item, of its own
echo lazy >retention
sleep 1
before=$(counted fence)
home=$PWD
cd /tmp/f || exit 1
# shellcheck disable=SC2016 # the inner shell's
watched sh -c 'cat /proc/interrupts >first; n=0
	while [ $n -lt '"$fences"' ]; do echo 1 >"$0"; n=$((n + 1)); done
	cat /proc/interrupts >last' "$home/shrink"
cd "$home" || exit 1
after=$(counted fence)
[ "$(cat /tmp/f/works)" = 0 ]
result $? "$fences fences queue $(cat /tmp/f/works) work items"
[ "$(cat /tmp/f/calls)" = 0 ]
result $? "they call $(cat /tmp/f/calls) functions on other CPUs"
[ "$(isolated CAL)" = 0 ]
result $? "nor is the isolated CPU called ($(isolated CAL) times)"
echo "# rescheduling, RCU's own among it: $(cat /tmp/f/resched) times by that task," \
	"$(isolated RES) times on the isolated CPU"
[ $((after - before)) -ge "$fences" ] && [ $((after - before)) -le $((2 * fences)) ]
result $? "$((after - before)) slow operations: at most one a fence and active CPU"
awk '$1 == 3' cpus | grep -q ' 0 0$'
result $? 'the isolated CPU did nothing'
kill $load
wait $load
until ! ls -d "$home" >/dev/null 2>&1; do sleep 0.1; done

# load CPU OPTION...: one on a CPU, with its cache's folder in $cache
load()
{
	before=$(ls -d /sys/kernel/debug/kmag/run* 2>/dev/null)
	kmag run -b kmag -p random -s 256 -l 5000 -d 1h -c "$@" >"/tmp/f/told.$1" 2>&1 &
	loads="$loads $!"
	until cache=$(ls -d /sys/kernel/debug/kmag/run* 2>/dev/null) && [ "$cache" != "$before" ]; do
		kill -0 $! || exit 1
		sleep 0.1
	done
	# shellcheck disable=SC2086 # one or two words
	cache=$(printf '%s\n' $cache | grep -vxF "${before:--}")
}
# The isolated CPU works for a moment, and rests for a second with what it has cached
loads=
load 3 --stutter 10ms:1s
echo lazy >"$cache/retention"
cd /tmp/f || exit 1
# shellcheck disable=SC2016 # the inner shell's
watched sh -c 'look()
	{
		while read -r cpu _ loaded _ previous _ _ allocs frees; do
			[ "$cpu" != 3 ] || break
		done <"$0/cpus"
		cached=$((loaded + previous)) did=$((allocs + frees))
	}
	cat /proc/interrupts >first
	n=0 kept=0 looks=0
	while [ $n -lt 5 ] && [ $kept = 0 ] && [ $looks -lt 50000 ]; do
		looks=$((looks + 1))
		look
		[ $cached -gt 0 ] || continue
		before=$did
		echo 1 >"$0/shrink"
		look
		[ $did = $before ] || continue
		[ $cached = 0 ] && n=$((n + 1)) || kept=$cached
	done
	cat /proc/interrupts >last
	echo $n $kept >rested' "$cache"
[ "$(cat rested)" = '5 0' ]
result $? "at rest with what it has cached, it is drained (times, objects kept: $(cat rested))"
# The shell's own memory and wakeups may concern the others meanwhile.
calls=$(grep -c 'csd_queue_cpu: cpu=3 ' events)
[ "$(cat works) $calls $(isolated CAL)" = '0 0 0' ]
result $? "and neither given work ($(cat works) times) nor called ($calls, $(isolated CAL))"
# shellcheck disable=SC2086 # one word
kill $loads
wait
until ! ls -d "$cache" >/dev/null 2>&1; do sleep 0.1; done

# done_by CACHE: operations so far
done_by()
{
	awk '/^(alloc|free)_/ { n += $2 } END { printf "%.0f", n }' "$1/stats"
}
# turn DRAINED OTHER: fences of one for some seconds, and what both do meanwhile. Not
# for so many fences: each waits longest where the host has taken that CPU away.
turn()
{
	one=$(done_by "$1") other=$(done_by "$2") end=$(($(date +%s) + 4))
	while [ "$(date +%s)" -lt $end ]; do
		for _ in 1 2 3 4 5; do echo 1 >"$1/shrink" || exit 1; done
		n=$((n + 5))
	done
	drained=$((drained + $(done_by "$1") - one))
	alone=$((alone + $(done_by "$2") - other))
}
# Two loads at the same time, of which one is drained, again and again, and in turn the
# other: what else the host does slows both. If it does much, one more try may tell.
loads=
taskset -p 4 $$ >/dev/null
load 0
first=$cache
load 1
second=$cache
sleep 1
before=$(counted fence "$first")
n=0 kept=0 tries=0
while [ $kept -lt 90 ] && [ $tries -lt 3 ]; do
	tries=$((tries + 1)) drained=0 alone=0
	for _ in 1 2 3; do
		turn "$first" "$second"
		turn "$second" "$first"
	done
	kept=$((drained * 100 / alone))
	echo "# try $tries: $kept %"
done
away=$(($(counted fence "$first") - before + $(counted fence "$second")))
# shellcheck disable=SC2086 # one word each
kill $loads
wait
until ! ls -d /sys/kernel/debug/kmag/run* >/dev/null 2>&1; do sleep 0.1; done
[ "$away" -ge 100 ] && [ "$away" -ge $((n * 9 / 10)) ]
result $? "$n fences one after the other; the two CPUs heeded $away"
[ "$kept" -ge 90 ]
result $? "a load keeps $kept % of its speed meanwhile"
rmmod kmag_dev && rmmod kmag
result $? 'the modules unload'
finished
