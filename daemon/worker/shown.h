/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "core/preview.h"
#include "core/word.h"
#include "worker/gather.h"

/* What an operator is shown and what is done by his word come from the same functions, so that they cannot
 * be two things. `e` is the evidence of the plan's replica, and has bytes. */

/* The page of a step as it is to be: what survives, the replica's bytes for the rest, zeroes behind the end
 * of the file. */
void shown_page(const Gathered *g, const Evidence *e, uint64_t file_size, const Step *s,
                uint8_t ret[static REPAIR_UNIT]);

/* The token of all that: case, device, file, replica; each page, which of it is lost, and its bytes. 0 or a
 * negative errno. */
int shown_token(const Request *request, const Gathered *g, const Evidence *e,
                char ret[static SHOWN_TOKEN + 1]);

/* Counts, and puts into pieces as far as `limit` goes, what is lost and what survives and differs. With
 * zeroes nothing is compared. 0 or a negative errno. */
int shown_compare(const Gathered *g, const Evidence *e, uint64_t limit, Preview *p);

/* Does a current seal of the file (`st`) say that these are not the bytes? > 0: it does, and *ret is that
 * seal. 0; or a negative errno. */
int shown_contradicts_seal(const Request *request, const struct stat *st, const Gathered *g,
                           const Evidence *e, Sealed *ret);
