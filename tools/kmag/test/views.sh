#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# views.sh - in a guest, with the example client in /lib/kmag: what is shown of
# caches that change, snapshots compared, and a recording imported from the
# guest's own tracefs. Leaves in /out what it made. Prints TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
plan 43

mkdir -p /tmp/v && cd /tmp/v || exit 1
tracing=/sys/kernel/tracing

# cell FILE NAME COLUMN: of the last table in a file of kmag watch's lines
cell()
{
	awk -v name="$2" -v column="$3" '
		$1 == "NAME" { for (i = 1; i <= NF; i++) if ($i == column) at = i }
		$1 == name { for (i = k = 1; k < at; i++) if ($(i + 1) !~ /^[KMGT]?i?B$/) k++
			value = $i }
		END { print value }' "$1"
}

# Allocations and frees by a process that does what it can.
work()
{
	mkdir tree
	i=0
	while [ $i -lt 60 ]; do
		echo $i >tree/f$i
		cat tree/f$i >/dev/null
		i=$((i + 1))
	done
	rm -r tree
}

expect 0 '^0 caches by held; operations since they were made' 'watch without caches' \
	kmag watch -n 1
kmag stat --json >none.json
insmod /lib/kmag/kmag_example.ko
expect 0 'of the last 0\.[23]' 'watch, three times' kmag watch -n 3 -d 200ms
[ "$(grep -c '^NAME' out)" = 3 ]
result $? 'three tables'
[ "$(cell out conn-1 LIVE)" = 1,000 ] && [ "$(cell out conn-1 OPS/S)" = 0 ] &&
	[ "$(cell out conn-1 'MAG%')" = - ]
result $? 'a cache at rest: live objects, no operations, no shares'
expect 1 'no kmag cache by that name' 'watch of caches that are not there' kmag watch -n 1 'x*'
expect 0 '^1 cache by ratio' 'watch of some, sorted' kmag watch -n 1 -s ratio 'conn*'
expect 2 'interval takes a time from 100ms to 1h' 'watch too often' kmag watch -d 0.01
expect 2 'interval takes' 'watch at intervals of no number' kmag watch -d nan
expect 2 'sort takes held, name' 'watch by an unknown key' kmag watch -s size
expect 1 'cannot write' 'watch to a full disk' sh -c 'exec kmag watch -n 1 >/dev/full'

# What holds slabs open: of the example all objects are live
expect 0 '^conn-1: [1-9][0-9]* slabs$' 'a heat map' kmag frag --heatmap conn
[ "$(grep -x '[.1-8#cd]*' out | tr -d '\n' | wc -c)" = \
	"$(awk '/^slabs_held/ { print $2 }' /sys/kernel/debug/kmag/conn-1/frag)" ]
result $? 'a letter a slab'
expect 1 'no kmag cache by that name' 'a heat map of no cache' kmag frag --heatmap nosuch

# How long operations take: switched, shown, and taken of a load
expect 0 'latency was never on' 'latency before it is on' kmag stat -l conn
expect 2 'latency takes on or off' 'latency switched half' kmag stat --latency=maybe
expect 0 '^conn' 'latency switched on' kmag stat --latency=on conn
expect 0 '"on": true' 'latency as JSON' kmag stat --json conn
cp out latency.json
expect 0 '^conn' 'latency switched off' kmag stat --latency=off conn
expect 0 'latency is off' 'latency that is off' kmag stat -l conn
# On already for another cache: emulated CPUs stumble when code is patched that
# they run (Documentation/tracepoints.rst).
kmag stat --latency=on conn >/dev/null
kmag run -b kmag -p lifo -l 5000 -d 4s >run.out 2>&1 &
sleep 1
kmag stat --latency=on 'run*' >/dev/null
sleep 1
expect 0 'alloc magazine  *[1-9]' 'latency of a load' kmag stat -l 'run*'
wait
kmag stat --latency=off conn >/dev/null

# Three snapshots: one cache, the same number and name, another number
kmag stat --json >one.json
kmag frag --json >one.frag
rmmod kmag_example
insmod /lib/kmag/kmag_example.ko
kmag stat --json >two.json
expect 0 'conn-1 *new *+' 'diff: a new cache' kmag diff none.json one.json
expect 0 'conn-1 *gone *-' 'diff: a cache that is gone' kmag diff one.json none.json
expect 0 '1 new, 1 gone' 'diff: made anew' kmag diff one.json two.json
expect 0 'of which 1 did not change' 'diff: with itself' kmag diff one.json one.json
expect 0 'slabs alone' 'diff: of two kinds' kmag diff one.frag two.json
kmag diff --json none.json one.json >diff.json
[ "$(field diff.json new)" = 1 ] && [ "$(field diff.json operations)" = 1000 ] &&
	[ "$(field diff.json live)" = 1000 ]
result $? 'diff as JSON: 1000 operations, 1000 live'

# The kernel's own events as text: names in tracefs are hashed, and stay apart.
echo 8192 >$tracing/buffer_size_kb
echo 1 >$tracing/events/kmem/kmem_cache_alloc/enable
echo 1 >$tracing/events/kmem/kmem_cache_free/enable
echo 1 >$tracing/events/kmem/kmalloc/enable
echo 1 >$tracing/events/kmem/kfree/enable
work
echo 0 >$tracing/events/kmem/enable
cat $tracing/trace >text
expect 0 'have it from their free' 'import tracefs' kmag import -o t --report import.json text
allocs=$(grep -c ' kmem_cache_alloc: ' text)
frees=$(grep -c ' kmem_cache_free: ' text)
implied=$(field import.json implied_frees)
echo "# $allocs allocations, $frees frees, $implied implied"
[ "$allocs" -gt 1000 ] && [ "$(field import.json allocations)" = "$allocs" ]
result $? 'every allocation of a cache is there'
[ "$(field import.json frees)" -ge "$frees" ] && [ "$(field import.json damaged)" = 0 ]
result $? 'every free of a cache is there'
named=$(field import.json named_by_free)
[ "$named" -gt $((allocs / 2)) ]
result $? 'most have their name from their free'
expect 0 'off by  *0  *0' 'replay what was imported, on both' kmag replay --report replay.json t
[ "$(field replay.json corrupt)" = 0 ] && [ "$(field replay.json caches)" -ge 8 ]
result $? 'eight caches, no contents changed'
expect 0 'caches in' 'import with kmalloc' kmag import --kmalloc --report kmalloc.json \
	-o k text
[ "$(field kmalloc.json allocations)" -gt "$allocs" ] &&
	[ "$(field kmalloc.json kmalloc_not_used)" = 0 ]
result $? 'it has more allocations'
expect 0 'off by  *0  *0' 'replay those too' kmag replay k

# Under load: caches of a replay come and go while they are shown.
i=0
while [ $i -lt 20 ] && [ ! -e seen ]; do
	kmag replay -b kmag k >/dev/null 2>&1
	i=$((i + 1))
done &
kmag watch -n 12 -d 0.5 -s operations >watch.txt 2>err
result $? 'watch while caches come and go'
grep -q '^total .* [1-9][0-9,]* .* [0-9]*\.[0-9][0-9]' watch.txt
result $? 'operations and shares show'
kmag stat --json >busy.json
kmag frag --json >busy-frag.json
explained latency.json busy.json busy-frag.json diff.json import.json
result $? 'each key of these is explained'
touch seen
wait
cat watch.txt >out
expect 3 'gnuplot is not installed' 'report without gnuplot' \
	kmag report r busy.json busy-frag.json replay.json diff.json import.json
grep -q '^| dentry' r/report.md && ! grep -q png r/report.md
result $? 'tables without pictures'

# In a terminal, if the guest was given one's description
TERM=linux script -q -c 'stty rows 24 cols 100; kmag watch -n 2 -d 0.5' screen </dev/null >/dev/null
grep -q '2 caches\|1 cache by' screen && grep -q 'sort: h)eld' screen
result $? 'watch in a terminal'
TERM=linux script -q -c 'kmag watch --plain -n 2 -d 0.2' plain </dev/null >/dev/null
esc=$(printf '\033')
[ "$(grep -c '^NAME .*PAGE%' plain)" = 2 ] && [ "$(grep -c '^conn-[0-9]* .* 68.0 KiB ' plain)" = 2 ] &&
	[ "$(grep -c '^total ' plain)" = 2 ] && ! grep -q "$esc" plain
result $? 'watch --plain in a terminal: two tables, and no screen'
rmmod kmag_example
rmmod kmag_dev
expect 3 'there is no /dev/kmag' 'watch without the device' kmag watch -n 1
[ ! -d /out ] || cp -r -- *.json one.frag text watch.txt screen r /out
finished
