/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Does another process map any of [offset, offset + size) of this file? > 0 yes, 0 no, or a negative
 * errno. A look at /proc/PID/maps of every process (proc(5)); one that comes or goes meanwhile may be
 * missed. */
int mapped_by_others(int file_fd, uint64_t offset, uint64_t size);
