#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the guest, on a kernel with KASAN and kasan_multi_shot, kmag loaded and
# kmag_misuse.ko in /lib/kmag: KASAN reports a wrong access to an object of
# kmag's at the access, also while the object is in a magazine, and nothing
# else. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"

params=/sys/module/kmag_misuse/parameters
dir=/sys/kernel/debug/kmag

# misuse WHAT: do it; what the kernel said meanwhile is in $said.
misuse()
{
	# shellcheck disable=SC2154 # plan() sets it
	echo "kasan.sh: $tests $1" >/dev/kmsg
	if echo "$1" >$params/run; then status=0; else status=1; fi
	said=$(dmesg | sed "1,/kasan.sh: $tests $1\$/d")
	return $status
}

# said COUNT PATTERN: so many lines of what was said match.
said()
{
	[ "$(echo "$said" | grep -c "$2")" = "$1" ] && return
	echo "$said" | sed 's/^/# /'
	return 1
}

column()
{
	awk -v want="$1" '
		/^#/ { for (i = 2; i <= NF; i++) at[$i] = i - 1 }
		$1 == "kmag_misuse" { print $at[want] }' $dir/caches
}

plan 12
grep -qw kasan_multi_shot /proc/cmdline && insmod /lib/kmag/kmag_misuse.ko
result $? "kmag_misuse loads"
misuse good && said 0 'KASAN\|bad free'
result $? "a good access is not reported"
misuse cached && misuse good && said 0 'KASAN\|bad free'
result $? "nor is one after many frees"

misuse read_after_free
result $? "an object in a magazine is read"
said 1 'BUG: KASAN: slab-use-after-free in mu_read_after_free' &&
	said 1 'BUG: KASAN' && said 1 'Read of size 1 at'
result $? "that is a use after free, at the access"

misuse overrun
result $? "an object out of a magazine is overrun by a byte"
said 1 'BUG: KASAN: slab-out-of-bounds in mu_overrun' &&
	said 1 'BUG: KASAN' && said 1 'Write of size 1 at'
result $? "that is out of bounds, at the access"

misuse double_free
result $? "an object in a magazine is freed again"
said 1 'cache kmag_misuse-.*bad free: .* was freed before' && said 0 KASAN
result $? "that is reported at once"

misuse good && said 0 'KASAN\|bad free'
result $? "a good access is good again"
[ "$(column live)" = 0 ] && [ "$(column skew)" = 0 ] &&
	echo 1 >"$dir/kmag_misuse-$(column id)/validate" &&
	grep -q '^ok 0$' "$dir/kmag_misuse-$(column id)/validate"
result $? "no object was lost or doubled"
rmmod kmag_misuse
result $? "it unloads"
finished
