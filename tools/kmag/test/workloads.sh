#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# workloads.sh [SECONDS] - kmag run and kmag stress in a guest: on good input
# and bad, on an allocator that makes a mistake, for SECONDS at random, and a
# report of what they told, which is left in /out. Prints TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
plan 76
seconds=${1:-30}
corrupt=/lib/kmag/kmag_corrupt.ko
here=$(realpath "$(dirname "$0")")
mkdir -p /tmp/w && cd /tmp/w || exit 1

bad()
{
	pattern=$1 name=$2
	shift 2
	expect 2 "$pattern" "$name" kmag run "$@"
}

bad 'pattern takes pair, two' 'an unknown pattern' -p zigzag
bad 'mode takes thread, hardirq' 'an unknown mode' -m nmi
bad 'gfp takes kernel, atomic' 'an unknown class' -g dma
bad 'size takes' 'a size of nothing' -s 0
bad 'size takes' 'a size that is none' -s 64,,64
bad 'more than the' 'a size that is too large' -s 300000
bad 'live takes' 'an empty live set' -l 0
bad 'objects in 2 live sets' 'too many objects' -p churn -t 2 -l 3000000
bad 'more than the .* that a run may hold' 'too many bytes' -p churn -s 65536 -l 100000
bad 'threads are more' 'too many threads' -t 100000
bad 'cpus takes' 'CPUs that are none' -c 1-0
bad 'CPU 77 is not online' 'a CPU that is not there' -c 0,77
bad 'duration takes' 'a duration that is none' -d 5x
bad 'that a run may take' 'a duration that is too long' -d 100h
bad 'count takes' 'a count of nothing' -n 0
bad 'stutter takes' 'half a stutter' --stutter 5ms
bad 'interrupts may not' 'an interrupt that may sleep' -m hardirq -g kernel
bad 'at most 16384' 'large objects in an interrupt' -m softirq -s 20000
bad 'for --mode hardirq' 'a period without interrupts' --period 1ms
bad 'undo what --ctor' 'zeroed and constructed' --zero --ctor
bad 'power of two' 'an odd alignment' --align 24
expect 2 'backend takes' 'stress on an unknown allocator' kmag stress -b slob
expect 2 'count takes' 'stress of no workloads' kmag stress -n 0
expect 0 ': 1 workload, ' 'stress without time for one does one' kmag stress -d 1us

expect 0 'mean, kmag / slub' 'run on both' kmag run -d 500ms
expect 0 'contents changed  *0  *0' 'run with contents checked' \
	kmag run -p spike -s 64,1000,8000 -n 20000 -t 3 --ctor --check
expect 0 'thread on CPU' 'run in hard interrupts' kmag run -p cross -m hardirq -n 5000 --check
expect 0 'thread on CPU' 'run in soft interrupts' kmag run -p burst -m softirq -n 5000 --check
expect 0 'kmag.run/1' 'run in the interrupts of many timers' \
	kmag run --json -b kmag --report run.json -p pair -m softirq -t 100 -c 0 \
		--period 10us --steps 1024 -s 4096 --check -d 1s
[ "$(field run.json busy_ns)" -gt 0 ] &&
	[ $(($(field run.json busy_ns) * 2)) -lt "$(field run.json ns)" ]
result $? 'threads get on beside them'
expect 0 'of 6.0 s, .* allocations' 'it shows how far it is' kmag run -b kmag -p churn -d 6s
expect 0 'kmag.run/1' 'run as JSON' \
	kmag run --json -b kmag --report run.json -p random -s 32,700 -t 2 -n 10000 --seed 99
[ "$(field run.json allocations)" = 20000 ] && [ "$(field run.json skew)" = 0 ] &&
	[ "$(field run.json validate_errors)" = 0 ] && [ "$(field run.json not_freed)" = 0 ]
result $? 'its figures'
frees=$(field run.json frees)
command=$(sed -n 's/^ *"command": "\(.*\)",$/\1/p' run.json)
# shellcheck disable=SC2086 # its words
expect 0 'kmag.run/1' 'run it again by the command that it tells' \
	$command --report again.json --json
[ "$frees" -gt 10000 ] && [ "$(field again.json frees)" = "$frees" ]
result $? 'the same comes of it'

# A run for ever that is killed leaves nothing.
kmag run -b kmag -p spike -l 10000 -d 1h >/dev/null 2>&1 &
sleep 1
kill -9 $!
wait $! 2>/dev/null
expect 0 '^0 caches' 'no cache is left of a run that was killed' kmag stat

# What there is when a signal comes is told, and as much of a side that is through.
# amid SIGNAL SECONDS STATUS PATTERN NAME COMMAND...: expect() that of it
amid()
{
	signal=$1 after=$2 status=$3 pattern=$4 name=$5
	shift 5
	expect "$status" "$pattern" "$name" timeout -s "$signal" "$after" "$@"
}
amid INT 3 1 'a signal ended the workload' 'a run that is ended' kmag run -p churn -d 1h
grep -q '^allocations  *[1-9][0-9,]*$' out && grep -q 'bytes off by 0, validated: 0 errors' out
result $? 'what it did up to there'
amid TERM 2 1 '"stopped": "a signal' 'a run as JSON that is ended' kmag run --json -d 1h
amid INT 6 1 'a signal ended the workload' 'a run that is ended on its second side' \
	kmag run -d 4s
grep -q '^allocations  *[1-9][0-9,]*  *[1-9][0-9,]*$' out
result $? 'both sides'
(
	sleep 1
	echo 0 >/sys/devices/system/cpu/cpu1/online
) &
expect 2 'CPU 1 is not online' 'a run that is refused on its second side' kmag run -c 1 -d 6s
wait $!
echo 1 >/sys/devices/system/cpu/cpu1/online
grep -q '^allocations  *[1-9][0-9,]*$' out
result $? 'the first side'
amid INT 3 1 'a signal ended' 'stress that is ended' kmag stress -d 1h
grep -q '^# seed .* workloads*, .* 0 faults' out && ! grep -qv '^kmag run [^#]* # .\|^# seed' out
result $? 'its log and its sum'

# strip FILE: the commands of a log
strip()
{
	sed -n 's/ # .*//p' "$1"
}

expect 0 '20 workloads.* 0 faults' 'stress of 20 workloads' kmag stress -n 20 --seed 5
cp out first
expect 0 '20 workloads.* 0 faults' 'stress from the same seed' \
	kmag stress -n 20 --seed 5 --report stress.json
cp out second
strip second >second.commands
strip first | cmp -s - second.commands && [ "$(grep -c '^kmag run ' second.commands)" = 20 ]
result $? 'the same workloads'

# A workload that took no second was not ended by its duration, so that a line
# of the log does all of it again.
sed -n 's/^\(kmag run .*\) # [0-9]*: good, \(.*\) allocations*, 0\..*/\2 \1/p' first |
	head -n 3 >lines
i=0
while read -r allocs command; do
	i=$((i + 1))
	# shellcheck disable=SC2086 # its words
	expect 0 'contents checked' "workload $i of them alone" $command --report alone.json
	[ "$(field alone.json allocations)" = "$(echo "$allocs" | tr -d ,)" ]
	result $? "as many allocations: $allocs"
done <lines

expect 0 'kmag.stress/1' 'stress as JSON' kmag stress --json -n 3 --seed 5
[ "$(head -n 1 out)" = '{' ] && [ "$(tail -n 1 out)" = '}' ] && ! grep -q ' # ' out
result $? 'that, and no log'
sed -n 's/.*: good, \(.*\) allocations*.*/\1/p' second | tr -d , >allocations
sum=$(awk '{ sum += $1 } END { printf "%d", sum }' allocations)
[ "$sum" -gt 0 ] && [ "$(field stress.json allocations)" = "$sum" ] &&
	[ "$(field stress.json workloads)" = 20 ] && [ "$(field stress.json seed)" = 5 ] &&
	[ "$(field stress.json skipped)" = 0 ] && grep -q '"faults": \[\]' stress.json
result $? 'its figures are those of the log'

# What these told, as tables
expect 0 ' operations' 'import a recording' kmag import -o t "$here/import/tracefs-6.12.txt"
expect 0 'off by  *0  *0' 'replay it' kmag replay --samples 8 --report replay.json t
expect 0 'mean, kmag / slub' 'run to report' kmag run -p burst -t 2 -n 3000 --report both.json
explained run.json both.json stress.json
result $? 'each key of these is explained'
expect 3 'gnuplot is not installed' 'report' \
	kmag report r run.json both.json replay.json stress.json
# row WHAT VALUE...: has the report such a row?
row()
{
	cells="| $1"
	shift
	for value; do
		cells="$cells *| *$value"
	done
	grep -q "^$cells *|$" r/report.md
}
[ "$(grep -c '^## ' r/report.md)" = 4 ] && row allocations '20,000' &&
	row 'cpu *| allocations' '.*' && row '  *0' '10,000' '.*' && grep -qx '32, 700' r/report.md
result $? 'of a run on kmag'
row allocations '6,000' '6,000' && row pattern burst && row '  *1' '3,000' '2,000' 0 0 '1,000' '.*'
result $? 'of a run on both, with its threads'
sed -n '/"replayed": {/,/}/p' replay.json >replayed
[ "$(field replayed operations)" -gt 0 ] && row operations "$(field replayed operations)" &&
	row batches "$(field replayed batches)" && row corrupt 0 0 &&
	row names_cache '4,096' '.*'
result $? 'of a replay'
row workloads 20 && row seed 5
result $? 'of stress'

# An allocator that gives an object to two owners: the second object of a live
# set that is being filled is the first one again. Of one size: what one cache
# gave out another would not take back. One owner or both see that it changed.
seed=0
while [ $seed -lt 500 ]; do
	kmag stress -n 1 --seed $seed >line
	grep -q 'pattern [lf]ifo --mode thread --size [0-9]* --live [0-9][0-9].* --threads 1 ' line && break
	seed=$((seed + 1))
done
insmod $corrupt
echo 2 >/sys/module/kmag_corrupt/parameters/twice
spoil()
{
	printf 'kmag_run/' >/sys/module/kmag_corrupt/parameters/comm
}
spoil
expect 1 'contents of 1 object had' 'run tells of an object with two owners' \
	kmag run -b kmag -p lifo -t 1 -n 1000 --check
spoil
expect 1 '1 of 1 workload went wrong' 'stress stops there' kmag stress -n 3 --seed $seed
spoil
expect 1 '1 of 3 workloads went wrong' 'or goes on, if it is told to' \
	kmag stress -n 3 --seed $seed --keep-going
spoil
expect 1 '"wrong": "kmag: the contents of [12] objects* had' 'and tells the fault as JSON' \
	kmag stress --json -n 1 --seed $seed
grep -q '"command": "kmag run .*--check"' out && [ "$(field out workloads)" = 1 ]
result $? 'with the command that does it'
spoil
amid INT 3 1 '"wrong": "kmag: the contents of [12] objects* had' 'and does when it is ended' \
	kmag stress --json --keep-going -d 1h --seed $seed
rmmod kmag_corrupt

# So long that it would show how far a workload is, were that not the log's.
expect 0 ' 0 faults' "stress for $seconds seconds" \
	sh -c "kmag stress --backend both --duration ${seconds}s --seed 1 2>&1"
whole='kmag run [^#]* # [0-9]*: good, [0-9,]* allocations*, [0-9.]* s'
grep -q "^$whole$" out && ! grep -vx "$whole\|# seed 1: .* 0 faults" out
result $? 'each line of its log is whole'
tail -n 1 out
expect 0 '^0 caches' 'no cache is left' kmag stat
rmmod kmag_dev
expect 3 'there is no /dev/kmag' 'stress without the device' kmag stress

[ ! -d /out ] || cp -r -- run.json both.json replay.json stress.json r /out
finished
