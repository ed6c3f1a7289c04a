/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Few colours, each with one meaning: what is well, what will change by itself, where a person must look. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/terminal.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX 120           /* longer lines are hard to read */

bool terminal_wants_colours(int fd) {
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(fd) && (!no || !no[0]) && term && strcmp(term, "dumb") != 0;
}

size_t terminal_width(int fd) {
        struct winsize size = {};

        if (!isatty(fd))
                return 0;
        if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return WIDTH_DEFAULT;
        return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

const char *colour_on(Colour c, bool colours) {
        static const char *const sequences[_COLOUR_MAX] = {
                [COLOUR_NONE] = "",
                [COLOUR_GOOD] = "\033[32m",
                [COLOUR_PENDING] = "\033[33m",
                [COLOUR_BAD] = "\033[1;31m",
                [COLOUR_DIM] = "\033[2m",
                [COLOUR_STRONG] = "\033[1m",
                [COLOUR_HEADING] = "\033[4m",
        };

        assert(c >= 0 && c < _COLOUR_MAX);

        return colours ? sequences[c] : "";
}

const char *colour_off(Colour c, bool colours) {
        return colours && c != COLOUR_NONE ? "\033[0m" : "";
}

Colour colour_of_state(CaseState s) {
        switch (s) {

        case CASE_HEALED:
                return COLOUR_GOOD;

        case CASE_DETECTED:
        case CASE_LOCATED:
        case CASE_REPAIRING:
        case CASE_WAITING:
                return COLOUR_PENDING;

        case CASE_REFUSED:
        case CASE_FAILED:
        case CASE_IN_DOUBT:
                return COLOUR_BAD;

        case CASE_HARMLESS:
        case CASE_GONE:
                return COLOUR_DIM;

        case _CASE_STATE_MAX:
        case _CASE_STATE_INVALID:
        default:
                return COLOUR_NONE;
        }
}
