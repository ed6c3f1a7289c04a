/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/policy.h"
#include "service/diagnostics.h"

/* A protect file that was read, whatever came of it. */
typedef struct Candidate {
        Protect protect;
        char *file;             /* path, for complaints */
        unsigned line;          /* of Path= or Device=; 0: it has none */
        bool bad;               /* not to be used */
} Candidate;

typedef struct Candidates {
        Candidate *items;
        size_t n, allocated;
} Candidates;

void candidate_done(Candidate *c);
#define _cleanup_candidate_ _cleanup_(candidate_done)
void candidates_done(Candidates *l);
#define _cleanup_candidates_ _cleanup_(candidates_done)

/* Complains about what is wrong with the file as a whole; errors make it `bad`. 0 or -ENOMEM. */
int candidate_check(Candidate *c, Diagnostics *d);

/* Complains about pairs of which one path lies within the other, or is the same; both become `bad`, also
 * where one of them was so before: its owner did not want the other's rules for it. 0 or -ENOMEM. */
int candidates_check_overlaps(Candidates *l, Diagnostics *d);
