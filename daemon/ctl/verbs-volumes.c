/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* volumes: the devices on persistent memory, and what of them is protected. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctl/bus-call.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "util/parse.h"
#include "util/str.h"
#include "util/strv.h"

typedef struct VolumeRow {
        char *device, *fs, *mountpoint, *namespace;
        char **on, **protected;
        uint64_t size;
        uint32_t open;
        int watched, read_only;
} VolumeRow;

static void volume_row_done(VolumeRow *v) {
        free(v->device);
        free(v->fs);
        free(v->mountpoint);
        free(v->namespace);
        strv_free(v->on);
        strv_free(v->protected);
        *v = (VolumeRow) {};
}

static const struct {
        const char *name, *type;
        size_t offset;
} fields[] = {
        { "Device",     "s",  offsetof(VolumeRow, device)     },
        { "FileSystem", "s",  offsetof(VolumeRow, fs)         },
        { "MountPoint", "s",  offsetof(VolumeRow, mountpoint) },
        { "Namespace",  "s",  offsetof(VolumeRow, namespace)  },
        { "On",         "as", offsetof(VolumeRow, on)         },
        { "Protected",  "as", offsetof(VolumeRow, protected)  },
        { "Size",       "t",  offsetof(VolumeRow, size)       },
        { "OpenCases",  "u",  offsetof(VolumeRow, open)       },
        { "Watched",    "b",  offsetof(VolumeRow, watched)    },
        { "ReadOnly",   "b",  offsetof(VolumeRow, read_only)  },
};

static int read_field(sd_bus_message *m, const char *type, void *field) {
        const char *s;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, type);
        if (r < 0)
                return r;
        if (strcmp(type, "as") == 0)
                r = sd_bus_message_read_strv(m, field);
        else if (type[0] == 's') {
                r = sd_bus_message_read(m, "s", &s);
                if (r >= 0)
                        r = str_copy(s, field);
        } else
                r = sd_bus_message_read_basic(m, type[0], field);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_entry(sd_bus_message *m, VolumeRow *v) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
                if (strcmp(fields[i].name, name) == 0)
                        return read_field(m, fields[i].type, (char *) v + fields[i].offset);
        return sd_bus_message_skip(m, "v");
}

/* 1: a volume was read; 0: there are no more. */
static int read_volume(sd_bus_message *m, VolumeRow *v) {
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r <= 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_entry(m, v);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

/* "a, b"; NULL for none. */
static char *join(char *const *l) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = l && l[0] ? open_memstream(&text, &n) : NULL;

        if (!f)
                return NULL;
        for (size_t i = 0; l[i]; i++)
                (void) fprintf(f, "%s%s", i > 0 ? ", " : "", l[i]);
        return fclose(f) == 0 ? text : NULL;
}

static void add_row(Table *t, const VolumeRow *v) {
        _cleanup_free_ char *on = join(v->on), *protected = join(v->protected);
        char size[FORMAT_MAX];

        table_add(t, v->device, COLOUR_NONE);
        table_add(t, format_size(v->size, size), COLOUR_NONE);
        table_add(t, on ? on : v->namespace, COLOUR_NONE);
        table_add(t, v->watched ? "yes" : "no", COLOUR_NONE);
        if (v->open > 0)
                table_addf(t, "%" PRIu32, v->open);
        else
                table_add(t, "-", COLOUR_NONE);
        table_addf(t, "%s%s", v->fs ? v->fs : "-", v->read_only ? " (read-only)" : "");
        table_add(t, v->mountpoint, COLOUR_NONE);
        table_add(t, protected, protected ? COLOUR_GOOD : COLOUR_NONE);
}

static int print_table(Ctl *c, sd_bus_message *m) {
        static const char *const headings[] = { "DEVICE", ">SIZE", "ON", "WATCHED", ">OPEN", "FILE SYSTEM",
                                                "MOUNTED AT", "PROTECTED BY" };
        _cleanup_table_ Table *t = table_new(headings, sizeof(headings) / sizeof(headings[0]));
        int r;

        if (!t)
                return ctl_fail_memory();
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0) {
                _cleanup_(volume_row_done) VolumeRow v = {};

                r = read_volume(m, &v);
                if (r <= 0)
                        break;
                add_row(t, &v);
        }
        if (r < 0) {
                (void) bus_bad_reply(r);
                return CTL_ERROR;
        }

        if (table_rows(t) == 0 && !c->no_legend)
                ctl_say(c, "No persistent memory.");
        ctl_page(c);
        if (table_rows(t) > 0 && table_print(t, stdout, !c->no_legend, c->colours) < 0)
                return ctl_fail_memory();
        return CTL_FINE;
}

int verb_volumes(Ctl *c, int argc, char *argv[]) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        if (bus_ask(c, "ListVolumes", NULL, &reply, NULL) < 0)
                return CTL_ERROR;
        return c->json != JSON_OFF ? bus_print_json(c, reply) : print_table(c, reply);
}
