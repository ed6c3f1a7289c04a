/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "core/preview.h"
#include "ctl/ctl.h"

/* What an operator takes on: which file, where, how much is lost; then, as a dump, every byte that is lost
 * or differs, as far as the preview has them. An exit status. */
int preview_show(const Ctl *c, const Preview *p, FILE *f);
