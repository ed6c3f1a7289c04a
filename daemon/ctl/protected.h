/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/* What protect files hold that is a file or a folder here, each once, appended to *paths; what is not there
 * is said on standard error, with the word for what does not happen to it ("sealed"). 0, or a negative
 * errno after an error was printed. */
int protected_paths(Ctl *c, const char *what, char ***paths);
