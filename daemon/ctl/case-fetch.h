/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "ctl/ctl.h"

/* What the daemon tells of one case, as text, and as a case. 0, or a negative errno after an error was
 * printed. The caller frees *ret. */
int case_fetch_text(Ctl *c, const char *id, char **ret);
int case_fetch(Ctl *c, const char *id, Case **ret);
