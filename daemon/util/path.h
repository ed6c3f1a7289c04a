/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A copy of an absolute path without slashes at its end, in which no component is empty, "." or "..", so
 * that paths can be compared as they stand. 0; -EINVAL, with a part of a sentence in *ret_why ("it does not
 * begin with '/'"; static); or -ENOMEM. The caller frees *ret. */
int path_make(const char *value, char **ret, const char **ret_why);
