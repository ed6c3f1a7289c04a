/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For --json, where the bus has values and not a text: the types say how they are written, and the names are
 * those of the bus. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ctl/bus-json.h"

void bus_json_string(const char *s, FILE *f) {
        assert(s);
        assert(f);

        (void) fputc('"', f);
        for (; *s != '\0'; s++)
                if (*s == '"' || *s == '\\')
                        (void) fprintf(f, "\\%c", *s);
                else if ((unsigned char) *s < 0x20)
                        (void) fprintf(f, "\\u%04x", *s);
                else
                        (void) fputc(*s, f);
        (void) fputc('"', f);
}

static int write_basic(sd_bus_message *m, char type, FILE *f) {
        union {
                const char *s;
                uint64_t t;
                uint32_t u;
                int b;
        } v = {};
        int r;

        if (!memchr("sogtub", type, 6))
                return -EOPNOTSUPP;
        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;

        if (type == SD_BUS_TYPE_UINT64)
                (void) fprintf(f, "%" PRIu64, v.t);
        else if (type == SD_BUS_TYPE_UINT32)
                (void) fprintf(f, "%" PRIu32, v.u);
        else if (type == SD_BUS_TYPE_BOOLEAN)
                (void) fputs(v.b ? "true" : "false", f);
        else
                bus_json_string(v.s, f);
        return 0;
}

/* The items of a container that has been entered. In an object each is an entry: name, value. */
static int write_items(sd_bus_message *m, bool object, FILE *f) {
        int r = 0;

        for (bool first = true; r == 0; first = false) {
                r = sd_bus_message_at_end(m, false);
                if (r != 0)
                        break;
                if (!first)
                        (void) fputc(',', f);
                if (object)
                        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, NULL);
                if (r < 0)
                        break;
                r = bus_json_value(m, f);
                if (r == 0 && object) {
                        (void) fputc(':', f);
                        r = bus_json_value(m, f);
                        if (r == 0)
                                r = sd_bus_message_exit_container(m);
                }
                if (r > 0)
                        r = 0;
        }
        return r < 0 ? r : 0;
}

int bus_json_value(sd_bus_message *m, FILE *f) {
        const char *contents;
        bool object;
        char type;
        int r;

        assert(m);
        assert(f);

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -ENODATA;
        if (type != SD_BUS_TYPE_ARRAY && type != SD_BUS_TYPE_STRUCT && type != SD_BUS_TYPE_VARIANT)
                return write_basic(m, type, f);

        object = type == SD_BUS_TYPE_ARRAY && contents[0] == SD_BUS_TYPE_DICT_ENTRY_BEGIN;
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;

        if (type == SD_BUS_TYPE_VARIANT)
                r = bus_json_value(m, f);
        else {
                (void) fputc(object ? '{' : '[', f);
                r = write_items(m, object, f);
                (void) fputc(object ? '}' : ']', f);
        }
        if (r == 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}
