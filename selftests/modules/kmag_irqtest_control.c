// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_irqtest_control - the control of kmag_irqtest: the same, compiled with
 * KMAG_CONTROL_NO_CLAIM, so without the claim on the CPU's magazines. It must
 * find lost or doubled objects, or kmag_irqtest proves nothing.
 */
#include "kmag_irqtest.c"
