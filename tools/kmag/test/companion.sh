#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# companion.sh - the companion in a guest, on good input and bad: what it
# prints, its exit status, and that nothing is left behind. Prints TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
# Where two events make an allocation, they can come apart.
pairs=0
grep -q '[[:space:]]f\[' /sys/kernel/tracing/README || pairs=1
plan $((62 + pairs))

# Nothing of a recording may stay in tracefs.
clean()
{
	! grep -q kmag_ /sys/kernel/tracing/dynamic_events &&
		[ "$(echo /sys/kernel/tracing/instances/kmag_*)" = \
			'/sys/kernel/tracing/instances/kmag_*' ]
	result $? "$1"
}

mkdir -p /tmp/c && cd /tmp/c || exit 1
cat >job <<'X'
mkdir -p /tmp/c/tree
i=0
while [ $i -lt 60 ]; do
	echo $i >/tmp/c/tree/f$i
	cat /tmp/c/tree/f$i >/dev/null
	i=$((i + 1))
done
tar -C /tmp/c -cf /tmp/c/tree.tar tree
rm -rf /tmp/c/tree
X

expect 0 'Commands:' 'help' kmag --help
expect 2 'Usage' 'no command' kmag
expect 2 "no command 'frobnicate'" 'an unknown command' kmag frobnicate
expect 2 'no command to record' 'record without a command' kmag record
expect 2 'buffer takes' 'record with a buffer that makes no sense' kmag record -b 1k -- true
expect 2 'backend takes' 'replay on an unknown allocator' kmag replay -b slob x
expect 2 'no recording to replay' 'replay without a file' kmag replay

expect 0 'served by' 'stat without caches' kmag stat
expect 0 'kmag.stat/1' 'stat as JSON' kmag stat --json
expect 0 'kmag.frag/1' 'frag as JSON' kmag frag --json
expect 1 'no kmag cache by that name' 'stat of a cache that is not there' kmag stat nosuchcache

expect 0 'operations' 'record a job' kmag record -o t --report record.json -- sh job
[ "$(field record.json operations)" -gt 5000 ] && [ "$(field record.json caches)" -ge 8 ] &&
	[ "$(field record.json caches_unknown)" = 0 ] && [ "$(field record.json lost)" = 0 ]
result $? 'operations of eight caches, all known, nothing lost'
clean 'tracefs is clean after it'
# shellcheck disable=SC2016 # expanded while it is recorded
[ $pairs = 0 ] || expect 1 'the probes do not fit this kernel' 'a recording that pairs nothing' \
	kmag record -o unpaired -- sh -c '
		for e in /sys/kernel/tracing/instances/kmag_*/events/kmag_*/enter*; do
			echo 0 >"$e/enable"
		done
		sh job'

expect 0 'off by  *0  *0' 'replay on both, contents checked' kmag replay --report replay.json t
percent=$(field replay.json percent)
echo "# $percent % of the recording could not be used"
# What bulk allocations return cannot be seen on every kernel.
grep -q '"bulk_allocations_recorded": true' record.json && most=2 || most=50
[ "${percent%.*}" -lt "$most" ]
result $? "less than $most % of the recording could not be used"
explained record.json replay.json
result $? 'each key of these is explained'
expect 0 'not checked' 'replay without checks on kmag alone' kmag replay --no-check -b kmag t
expect 0 '"slub"' 'replay on SLUB alone, as JSON' kmag replay --json -b slub t
expect 0 '^0 caches' 'no cache is left behind' kmag stat

expect 1 'cannot open' 'a trace that is not there' kmag replay nosuchfile
: >empty
expect 1 'is empty' 'an empty trace' kmag replay empty
expect 1 'is not a kmag trace' 'a foreign file' kmag replay job
size=$(stat -c %s t)
head -c $((size / 2)) t >half
expect 1 'is truncated' 'a truncated trace' kmag replay half
cp t bad
printf '\377\377\377' | dd of=bad bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
expect 1 'is corrupt' 'a corrupt trace' kmag replay bad

expect 1 'is no file' 'a folder for a trace' kmag replay /tmp
mkfifo pipe
expect 1 'is no file' 'a pipe for a trace' kmag replay pipe
expect 2 'samples takes 1 to' 'a negative number of batches' kmag replay --samples -5 t
expect 2 'one recording at a time' 'two traces' kmag replay t t
expect 1 'is no folder' 'maps into a file' kmag replay --maps job t
expect 1 'cannot make the folder' 'maps into nowhere' kmag replay --maps /nonexistent/maps t
expect 1 'cannot write /nonexistent/r' 'a report to nowhere' kmag stat --report /nonexistent/r
expect 1 'cannot write /nonexistent/r' 'a report of a run to nowhere' \
	kmag run -d 1s --report /nonexistent/r
[ ! -s out ]
result $? 'that is found before the run'
expect 1 'cannot write /dev/full' 'a report to a full disk' kmag frag --report /dev/full
for command in stat frag 'stat --json' 'frag --json' 'replay --no-check -b kmag t'; do
	expect 1 'cannot write the result: No space left' "$command to a full disk" \
		sh -c "kmag $command >/dev/full"
done
mkdir small && mount -t tmpfs -o size=16k tmpfs small
expect 1 'cannot copy.*No space left' 'maps to a disk that fills up' \
	kmag replay --no-check -b kmag --maps small t
umount small && rmdir small

expect 2 'buffer takes 64 to' 'a negative buffer' kmag record -b -5 -- true
expect 1 'cannot write /nonexistent/t' 'record to nowhere' kmag record -o /nonexistent/t -- true
expect 1 'cannot write /tmp' 'record to a folder' kmag record -o /tmp -- true
expect 1 'cannot run' 'record a command that is not there' kmag record -o u -- /nonexistent
expect 1 'ended with status 7' 'record a command that fails' \
	kmag record -o u -r u.json -- sh -c 'exit 7'
[ "$(field u.json command_status)" = 7 ]
result $? 'its result has the status'
# shellcheck disable=SC2016 # expanded while it is recorded
kmag record -o u -r u.json -- sh -c 'kill -9 $$' 2>err
[ "$(field u.json command_status)" = 137 ]
result $? 'or the signal'
expect 1 'No space left' 'record to a full disk' kmag record -o /dev/full -- sh job
mkdir small && mount -t tmpfs -o size=16k tmpfs small
echo old >small/t
expect 1 'No space left' 'record to a disk that fills up' kmag record -o small/t -- sh job
[ "$(cat small/t)" = old ] && [ "$(ls small)" = t ]
result $? 'what was there is left, and no half trace'
umount small

# The command may inherit nothing that holds the tracing up.
kmag record -o u -- sleep 1000 >/dev/null 2>&1 &
sleep 2
kill -9 $!
wait $! 2>/dev/null
expect 0 'operations' 'record after a recorder was killed' kmag record -o u -- sh job
clean 'what it left in tracefs is gone'

expect 3 "it is root's\|tracing needs root" 'stat by nobody' su nobody -s /bin/sh -c 'kmag stat'
expect 3 'tracing needs root' 'record by nobody' su nobody -s /bin/sh -c 'kmag record -- true'
chmod 644 t
expect 3 "it is root's" 'replay by nobody' su nobody -s /bin/sh -c 'kmag replay /tmp/c/t'
umount /sys/kernel/tracing && umount -l /sys/kernel/debug
expect 3 'no tracefs' 'record without tracefs' kmag record -- true
expect 3 'no /sys/kernel/debug/kmag' 'maps without debugfs' kmag replay --maps maps t
expect 0 '^0 caches' 'stat without debugfs' kmag stat
rmmod kmag_dev
for command in stat frag 'replay t'; do
	# shellcheck disable=SC2086 # its words
	expect 3 'there is no /dev/kmag' "$command without the device" kmag $command
done

finished
