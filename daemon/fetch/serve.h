/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Serves one connection, as core/fetch.h says, until the other end closes it or its time is over. 0 or a
 * negative errno. */
int fetch_serve(int fd);
