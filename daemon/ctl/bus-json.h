/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>
#include <systemd/sd-bus.h>

/* Writes the next value of a message as JSON, on one line: dictionaries as objects, other containers as
 * arrays. 0 or a negative errno; what cannot be written as JSON is -EOPNOTSUPP. */
int bus_json_value(sd_bus_message *m, FILE *f);

/* A string, in quotation marks. */
void bus_json_string(const char *s, FILE *f);
