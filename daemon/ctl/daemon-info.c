/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A property that is not known is skipped, one that is missing stays empty: client and daemon may be of
 * different versions while a package is being upgraded. */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ctl/bus-call.h"
#include "ctl/daemon-info.h"
#include "util/str.h"

typedef struct Property {
        const char *name;
        const char *type;
        size_t offset;
} Property;

static const Property properties[] = {
        { "Version",        "s", offsetof(DaemonInfo, version)         },
        { "Mode",           "s", offsetof(DaemonInfo, mode)            },
        { "ConfiguredMode", "s", offsetof(DaemonInfo, configured_mode) },
        { "Devices",        "u", offsetof(DaemonInfo, devices)         },
        { "OpenCases",      "u", offsetof(DaemonInfo, open)            },
        { "RefusedCases",   "u", offsetof(DaemonInfo, refused)         },
        { "InDoubtCases",   "u", offsetof(DaemonInfo, in_doubt)        },
        { "IgnoredCases",   "u", offsetof(DaemonInfo, ignored)         },
        { "HealedCases",    "t", offsetof(DaemonInfo, healed)          },
        { "LastScan",       "t", offsetof(DaemonInfo, last_scan)       },
};

void daemon_info_done(DaemonInfo *i) {
        assert(i);

        free(i->version);
        free(i->mode);
        free(i->configured_mode);
        *i = (DaemonInfo) {};
}

static int read_value(sd_bus_message *m, const Property *p, DaemonInfo *i) {
        void *field = (char *) i + p->offset;
        const char *s = NULL;
        char *copy = NULL;
        int r;

        if (p->type[0] != 's')
                return sd_bus_message_read(m, "v", p->type, field);

        r = sd_bus_message_read(m, "v", "s", &s);
        if (r >= 0)
                r = str_copy(s, &copy);
        if (r < 0)
                return r;
        free(*(char **) field);
        *(char **) field = copy;
        return 0;
}

static int read_property(sd_bus_message *m, DaemonInfo *i) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        for (size_t k = 0; k < sizeof(properties) / sizeof(properties[0]); k++)
                if (strcmp(properties[k].name, name) == 0)
                        return read_value(m, properties + k, i);
        return sd_bus_message_skip(m, "v");
}

static int read_all(sd_bus_message *m, DaemonInfo *i) {
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        for (;;) {
                r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
                if (r <= 0)
                        return r;
                r = read_property(m, i);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
}

int daemon_info_read(Ctl *c, DaemonInfo *ret) {
        _cleanup_bus_message_ sd_bus_message *m = NULL;
        _cleanup_daemon_info_ DaemonInfo i = {};
        int r;

        assert(c);
        assert(ret);

        r = bus_properties(c, &m);
        if (r < 0)
                return r;
        r = read_all(m, &i);
        if (r < 0)
                return bus_bad_reply(r);

        *ret = i;
        i = (DaemonInfo) {};
        return 0;
}
