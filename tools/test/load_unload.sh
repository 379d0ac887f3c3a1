#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the guest: both modules load and unload, again and again, and leave
# nothing behind. TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"

dir=/lib/kmag

loaded() { grep -q "^$1 " /proc/modules; }

plan 10

! loaded kmag
result $? "nothing is loaded at the start"
insmod $dir/kmag.ko
result $? "kmag.ko loads"
insmod $dir/kmag_dev.ko
result $? "kmag_dev.ko loads"
[ -d /sys/kernel/debug/kmag ]
result $? "there is a debugfs folder"
[ -c /dev/kmag ] && [ "$(stat -c %a /dev/kmag)" = 600 ]
result $? "there is a device, mode 0600"
kmag run -p pair -n 1000 >/dev/null && kmag run -p pair -n 1000 --ctor >/dev/null
result $? "both allocators work"
rmmod kmag_dev && ! loaded kmag_dev && [ ! -e /dev/kmag ]
result $? "kmag_dev unloads, and its device goes"
rmmod kmag && ! loaded kmag && [ ! -e /sys/kernel/debug/kmag ]
result $? "kmag unloads, and its debugfs folder goes"

i=0
while [ $i -lt 20 ] && insmod $dir/kmag.ko && insmod $dir/kmag_dev.ko &&
		rmmod kmag_dev && rmmod kmag; do
	i=$((i + 1))
done
[ $i = 20 ]
result $? "20 more times"
# Those that the device made of the kernel's own.
grep -q '^kmalloc' /proc/slabinfo && ! grep -q '^kmag' /proc/slabinfo
result $? "no slab cache is left behind"
finished
