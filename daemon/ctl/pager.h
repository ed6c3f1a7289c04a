/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* The pager, as systemd's tools have it: $SYSTEMD_PAGER, else $PAGER, else less, with the options FRSXMK
 * unless $SYSTEMD_LESS has others; "" and "cat" mean none. With somebody else's rights (sudo, pkexec) only
 * less, without its ways out (LESSSECURE), unless $SYSTEMD_PAGERSECURE says otherwise. */

typedef struct Pager {
        pid_t pid;              /* 0: none is running */
} Pager;

/* From here on, what goes to standard output is shown by a pager, where standard output is a terminal. A
 * pager that is running goes on; when none can be started, there is none. */
void pager_open(Pager *p);

/* Waits for the person to leave the pager. */
void pager_close(Pager *p);
