/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/policy.h"
#include "service/diagnostics.h"

/* Reads root/bezoar.conf, root/bezoar.conf.d/NAME.conf in the order of their names (later wins, an empty
 * value sets the default again), and root/protect.d/NAME.conf, one Protect each. Every complaint goes to
 * *d, and the rest is in force all the same, but for this:
 *
 *   - A protect file with an error in it is not used at all, and where the paths of two overlap, neither is:
 *     half a policy might write what the whole one forbids.
 *   - While bezoar.conf or a drop-in has an error the mode is observe, whatever they say: the line in error
 *     may be the one that says so.
 *
 * 0, also where there are complaints or no files at all, and *ret, which the caller releases; -ENOMEM, or
 * a negative errno when `root` itself cannot be opened, and *ret is untouched (*d may have complaints all
 * the same). */
int config_load(const char *root, Policy *ret, Diagnostics *d);
