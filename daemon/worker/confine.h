/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"

/* A worker has less than the daemon that started it, and less than its unit would leave it: what it reads
 * from file systems and replicas was written by others. */

/* For good, before the first request: no capability but those that some verb needs, no new privileges, no
 * core file (it would hold contents of files), and none of the system calls that no worker makes: no other
 * program, no network, no signal to or look into another process, no mount, no namespace, nothing that is
 * the kernel's or the machine's. Where there are no privileges to give up (tests), it does what it can. 0 or
 * a negative errno: then nothing should be served. */
int confine(void);

/* Puts in force what this verb needs of the capabilities that are left, and no more. */
int confine_for(Verb v);
