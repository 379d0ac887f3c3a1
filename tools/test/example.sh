#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the guest, kmag loaded: the example client of Documentation/example does
# what it says, and kmag stays while it is there. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"

# The caches table has named columns; their order is not for us to know.
column()
{
	awk -v want="$1" '
		/^#/ { for (i = 2; i <= NF; i++) at[$i] = i - 1 }
		$1 == "conn" { print $at[want] }' /sys/kernel/debug/kmag/caches
}

plan 6
insmod /lib/kmag/kmag_example.ko
result $? "it loads"
dmesg | grep -q 'kmag_example: 1000 connections of 48 bytes'
result $? "it says what it made"
[ "$(column live)" = 1000 ]
result $? "its 1000 objects are in the table of caches"
! rmmod kmag 2>/dev/null
result $? "kmag does not go while it is there"
rmmod kmag_example
result $? "it unloads"
[ -z "$(column name)" ]
result $? "its cache is gone"
finished
