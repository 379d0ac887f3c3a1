#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# killed.sh [TIMES] - the companion in a guest, killed TIMES (200) in the middle
# of whatever it does, one in 50 while it records: each time nothing of it is
# left on the device. That it was the middle is seen just before: most have the
# device open, and in most rounds there are caches of theirs. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
times=${1:-200}
recorders=$((times / 50))
mkdir -p /tmp/k && cd /tmp/k || exit 1

cat >job <<'X'
touch /tmp/k/recording
while [ -d /proc/$PPID ]; do
	echo x >/tmp/k/file
	cat /tmp/k/file >/dev/null
done
X
cat >short <<'X'
i=0
while [ $i -lt 40 ]; do
	echo x >/tmp/k/file
	cat /tmp/k/file >/dev/null
	i=$((i + 1))
done
X

start()
{
	# shellcheck disable=SC2086 # its words
	kmag $1 >/dev/null 2>&1 &
	pids="$pids $!"
}

# Four of them
commands()
{
	case $(($1 % 3)) in
	0)	start 'run -p spike -s 64,3000 -l 3000 -d 1h --check'
		start 'run -b kmag -p cross -m hardirq -d 1h'
		start 'replay --samples 100000 t'
		start 'watch -n 100000 -d 0.1' ;;
	1)	start 'stress --backend both -d 1h'
		start 'run -b slub -p burst -m softirq -s 500 --ctor -d 1h'
		start 'run -b kmag -p random -t 8 -d 1h'
		start 'replay --no-check -b kmag --samples 100000 t' ;;
	2)	start 'stress -d 1h'
		start 'replay -b slub --samples 100000 t'
		start 'run -p churn -s 20000 -l 200 --stutter 2ms:2ms -d 1h'
		start 'run -b kmag -p lifo -g nowait --zero -d 1h' ;;
	esac
}

# Looks after up to 250 ms what they have, kills them, counts, and looks what
# is left.
stop()
{
	# shellcheck disable=SC3028 # busybox has it
	usleep $((RANDOM % 250 * 1000))
	"$1"
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null
		[ $? != 137 ] || killed=$((killed + 1))
	done
	pids=''
	[ "$(left)" = "$none" ] || bad=1
}

# How many have the device open, and whether caches of theirs are there. Without
# a process of its own: the machine is busy, and they are to be killed soon.
on_device()
{
	set -- /sys/kernel/debug/kmag/*/
	[ ! -d "$1" ] || with_caches=$((with_caches + 1))
	for pid in $pids; do
		for file in "/proc/$pid/fd/"*; do
			# shellcheck disable=SC3013 # busybox has it
			[ "$file" -ef /dev/kmag ] || continue
			amid=$((amid + 1))
			break
		done
	done
}

# The recorder that has its probes in place
recording()
{
	[ ! -e recording ] || ! grep -q kmag_ /sys/kernel/tracing/dynamic_events ||
		recorded=$((recorded + 1))
}

# Caches of kmag, and of the kernel, that somebody made by the device
left()
{
	grep -c '^kmag[0-9]*-' /proc/slabinfo
	find /sys/kernel/debug/kmag -mindepth 1 -type d | wc -l
}

plan 10
expect 0 'operations' 'record a job' kmag record -o t -- sh short
killed=0
amid=0
with_caches=0
recorded=0
round=0
bad=0
pids=''
none=$(left)
while [ $killed -lt $((times - recorders)) ] && [ $round -lt "$times" ]; do
	commands $round
	commands $((round + 1))
	round=$((round + 1))
	stop on_device
done
rounds=$round
workers=$killed
# One at a time, and nobody else: recording patches the kernel, which a CPU of
# an emulated machine does not always survive that comes across it. And not
# before the job runs: the kernel warns when it is killed in its mkdir() for an
# instance of tracefs.
while [ $((killed - workers)) -lt $recorders ] && [ $round -lt $((times * 2)) ]; do
	rm -f recording
	start 'record -o u -- sh job'
	i=0
	while [ ! -e recording ] && [ $i -lt 1000 ]; do
		i=$((i + 1))
		usleep 10000
	done
	round=$((round + 1))
	stop recording
done
[ $bad = 0 ]
result $? "after each kill its caches are gone"
[ $killed -ge "$times" ]
result $? "killed $killed times"
[ $((amid * 4)) -ge $((workers * 3)) ]
result $? "$amid of $workers had the device open"
[ $((with_caches * 4)) -ge $((rounds * 3)) ]
result $? "in $with_caches of $rounds rounds there were caches of theirs"
[ $recorded -ge $recorders ]
result $? "$recorded were killed while they recorded"
expect 0 '^0 caches' 'no cache is left' kmag stat
expect 0 'operations' 'recording works' kmag record -o u -- sh short
! grep -q kmag_ /sys/kernel/tracing/dynamic_events
result $? 'and what those killed left in tracefs is gone'
kmag run --json -b kmag -p random -s 32,700 -n 10000 --check >run.json &&
	[ "$(field run.json skew)" = 0 ] && [ "$(field run.json validate_errors)" = 0 ] &&
	[ "$(field run.json not_freed)" = 0 ] && rmmod kmag_dev && rmmod kmag
result $? 'the sums are exact, and the modules unload'
finished
