#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the guest, on a kernel with kmemleak=on and kmag loaded: kmemleak finds
# nothing that kmag or a client left behind, and a leak when there is one. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"

leaks=/sys/kernel/debug/kmemleak
params=/sys/module/kmag_misuse/parameters

# Objects younger than 5 s are not reported, and a first scan may still see a
# pointer to them in a register or on a stack. What is found is in $found.
scan()
{
	sleep 6
	echo scan >$leaks
	echo scan >$leaks
	# A file of debugfs has no size to ask for.
	found=$(cat $leaks)
	[ -z "$found" ] || echo "$found" | sed 's/^/# /'
}

none()
{
	scan
	[ -z "$found" ]
}

# only ADDRESS SIZE: that leak, and no other.
only()
{
	scan
	[ "$(echo "$found" | grep '^unreferenced object')" = \
		"unreferenced object 0x$1 (size $2):" ]
}

# In a process of its own, whose stack is gone afterwards.
misuse() { sh -c "echo $1 >$params/run"; }

plan 13
on=1
echo scan >$leaks && on=0
result $on "kmemleak is on"
insmod /lib/kmag/kmag_example.ko
result $? "a client loads"
none
result $? "a client's objects are no leaks while it has them"
rmmod kmag_example
result $? "it unloads"
insmod /lib/kmag/kmag_misuse.ko && misuse cached
result $? "1000 objects are allocated, and freed"
none
result $? "objects in magazines, depot and slabs are no leaks"
misuse leak
result $? "an object is lost whose address a magazine still has"
only "$(cat $params/leaked)" 92
result $? "it is found, and none of those that are in the magazine"
rmmod kmag_misuse
result $? "it is freed after all"
none
result $? "and no leak any more"
rmmod kmag_dev && rmmod kmag
result $? "kmag unloads"
none
result $? "nothing was left behind"
# The control: what cannot find a leak says nothing by finding none.
insmod /lib/kmag/redcase.ko what=leak
! none
result $? "a planted leak is found"
finished
