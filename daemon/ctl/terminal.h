/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/case.h"

/* What the terminal is: its width, its colours, and whether they are wanted. */

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_GOOD,
        COLOUR_PENDING,         /* will change by itself */
        COLOUR_BAD,             /* a person must look */
        COLOUR_DIM,
        COLOUR_STRONG,
        COLOUR_HEADING,
        _COLOUR_MAX,
} Colour;

/* Is this descriptor a terminal that is to have colours? Respects NO_COLOR (no-color.org) and TERM=dumb. */
bool terminal_wants_colours(int fd);

/* How many columns to fill; 0 for what is no terminal. */
size_t terminal_width(int fd);

/* Control sequences, "" when `colours` is false. */
const char *colour_on(Colour c, bool colours);
const char *colour_off(Colour c, bool colours);
Colour colour_of_state(CaseState s);
