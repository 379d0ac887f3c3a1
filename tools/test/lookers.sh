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
files='info stats cpus depot frag slab_map validate latency'

# did NAME COMMAND...: note that it went well; a cache may go meanwhile
did()
{
	name=$1
	shift
	"$@" >seen 2>/dev/null && echo "$name" >>log
}

write()
{
	echo "$1" >"$2"
}

look()
{
	did caches cat $dir/caches
	did summary cat $dir/summary
	for cache in "$dir"/*/; do
		for file in $files; do
			did "$file" cat "$cache$file"
		done
		did switch write $((rounds % 2)) "${cache}latency"
		did check write 1 "${cache}validate"
		[ $((rounds % 3)) != 0 ] || did shrink write 1 "${cache}shrink"
	done
}

# Each of them, three times or more.
all_done()
{
	for name in caches summary $files switch check shrink; do
		n=$(grep -cx "$name" log)
		echo "# $name: $n times"
		[ "$n" -ge 3 ] || return 1
	done
}

plan 3
cd /tmp || exit 1
# What is counted while it changes does not add up.
echo 'lookers.sh: faults are provoked from here on' >/dev/kmsg
# Objects go from CPU to CPU, so that depots and slabs are busy, too.
kmag run --backend kmag --pattern cross --size 64,3000 --check \
	--duration "${seconds}s" >out 2>err &
load=$!
while kill -0 $load 2>/dev/null; do
	look
	rounds=$((rounds + 1))
done
wait $load
result $? "objects go from CPU to CPU for $seconds seconds"
all_done
result $? "everything was looked at meanwhile, in $rounds rounds"
kmag stat | grep -q '^0 caches'
result $? "no cache is left"
finished
