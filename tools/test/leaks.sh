#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the guest, on a kernel with kmemleak=on and kmag loaded: kmemleak finds
# nothing that kmag or a client left behind, and a leak when there is one. TAP.

leaks=/sys/kernel/debug/kmemleak
n=0
bad=0

result()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		bad=1
	fi
}

# Objects younger than 5 s are not reported, and a first scan may still see a
# pointer to them in a register or on a stack.
none()
{
	sleep 6
	echo scan >$leaks
	echo scan >$leaks
	# A file of debugfs has no size to ask for.
	found=$(cat $leaks)
	[ -z "$found" ] || echo "$found" | sed 's/^/# /'
	[ -z "$found" ]
}

echo "TAP version 13"
echo "1..7"
on=1
echo scan >$leaks && on=0
result $on "kmemleak is on"
insmod /lib/kmag/kmag_example.ko
result $? "a client loads"
none
result $? "a client's objects are no leaks while it has them"
rmmod kmag_example
result $? "it unloads"
rmmod kmag_dev && rmmod kmag
result $? "kmag unloads"
none
result $? "nothing was left behind"
# The control: what cannot find a leak says nothing by finding none.
insmod /lib/kmag/redcase.ko what=leak
! none
result $? "a planted leak is found"
exit $bad
