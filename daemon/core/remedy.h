/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"

/* What the operator can do now about this very case: the advice of its reason (reason.h), but with the
 * commands for its file system, device and place where metadata or the journal is lost. 0 and *ret (NULL:
 * there is nothing to do; the caller frees it), or -ENOMEM. */
int remedy_make(const Case *c, char **ret);
