#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# sh flavour.sh FLAVOUR COMMAND... - in the guest: run COMMAND, whose output is
# one KTAP or TAP document, and make it longer by one test: that the kernel is
# what its lane is named for. FLAVOUR is one of
#   preempt=MODE  the mode in force: none, voluntary or full
#   rt            PREEMPT_RT
#   up            built for one CPU
#   kcsan         data races are looked for, and accesses were watched
#   debug         KASAN and lockdep are at work, and allocations can be failed
#   next          7.3 or later
flavour=$1
shift

is()
{
	case $1 in
	preempt=*)	grep -qF "(${1#*=})" /sys/kernel/debug/sched/preempt ;;
	rt)		[ "$(cat /sys/kernel/realtime)" = 1 ] ;;
	up)		! uname -v | grep -qw SMP ;;
	kcsan)		awk '/^(enabled|setup_watchpoints): / && $2 > 0 { n++ }
				END { exit n != 2 }' /sys/kernel/debug/kcsan ;;
	debug)		grep -qw kasan_report /proc/kallsyms &&
			grep -q 'debug_locks: *1$' /proc/lockdep_stats &&
			[ -e /proc/self/fail-nth ] ;;
	next)		uname -r | awk -F '[.-]' '{ exit $1 * 1000 + $2 < 7003 }' ;;
	*)		false ;;
	esac
}

work=$(mktemp -d) || exit 1
trap 'rm -r "$work"' EXIT
echo 255 >"$work/status"
{ "$@"; echo $? >"$work/status"; } | awk -v file="$work/plan" '
	/^1\.\.[0-9]+$/ && !n {
		n = substr($0, 4) + 1
		$0 = "1.." n
		print n >file
	}
	{ print; fflush() }'
read -r code <"$work/status"
# A document without a plan is a fault of its own.
read -r number <"$work/plan" || exit 1
if is "$flavour"; then
	echo "ok $number this kernel is $flavour"
	exit "$code"
fi
echo "not ok $number this kernel is $flavour"
exit 1
