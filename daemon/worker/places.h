/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/spacemap.h"
#include "worker/window.h"

/* Where the bytes of a window lie on the file system's device, for replicas that are images of it. The place
 * of `extent` is the one that the file system's own records gave when the owner was found, and is asked for
 * again before each write. That of its neighbours is what FIEMAP says now: where it is wrong, the comparison
 * is with other bytes, and ends in a difference. What is unwritten, a hole, or without a place is not in the
 * map. 0 or a negative errno; a file system that does not answer is no error. */
int places_find(const Site *s, int file_fd, Range window, const Extent *extent, SpaceMap *ret);
