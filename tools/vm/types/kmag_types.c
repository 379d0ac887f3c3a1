// SPDX-License-Identifier: GPL-2.0
/*
 * The types that the companion asks a kernel's BTF for, as BTF of this file,
 * compiled with that kernel's configuration. A kernel without debug information
 * has none of its own; libbpf then reads /boot/vmlinux-RELEASE.
 */
#include <linux/slab.h>

#include "slab.h"

static struct kmem_cache cache __used;
static enum _slab_flag_bits flag __used;
