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
#include "util/vec.h"

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
        for (size_t k = 0; k < i->replicas.n; k++) {
                free(i->replicas.items[k].name);
                free(i->replicas.items[k].answer);
        }
        vec_done(&i->replicas);
        for (size_t k = 0; k < i->scores.n; k++)
                free(i->scores.items[k].name);
        vec_done(&i->scores);
        for (size_t k = 0; k < i->alarms.n; k++) {
                free(i->alarms.items[k].dimm);
                free(i->alarms.items[k].alarm);
        }
        vec_done(&i->alarms);
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

/* Items are filled in their places, so that half of one is freed with the rest. > 0: there may be more. */
static int read_replica(sd_bus_message *m, DaemonInfo *i) {
        const char *name, *answer;
        InfoReplica *to;
        uint64_t time;
        int r;

        r = sd_bus_message_read(m, "(sst)", &name, &answer, &time);
        if (r <= 0)
                return r;
        r = vec_push(&i->replicas, ((InfoReplica) { .time = time }));
        if (r < 0)
                return r;
        to = i->replicas.items + i->replicas.n - 1;
        r = str_copy(name, &to->name);
        if (r >= 0)
                r = str_copy(answer, &to->answer);
        return r < 0 ? r : 1;
}

static int read_score(sd_bus_message *m, DaemonInfo *i) {
        InfoScore score = {};
        const char *name;
        int r;

        r = sd_bus_message_read(m, "(sttt)", &name, &score.pages, &score.good, &score.wrong);
        if (r <= 0)
                return r;
        r = vec_push(&i->scores, score);
        if (r >= 0)
                r = str_copy(name, &i->scores.items[i->scores.n - 1].name);
        return r < 0 ? r : 1;
}

static int read_alarm(sd_bus_message *m, DaemonInfo *i) {
        const char *dimm, *alarm;
        InfoAlarm *to;
        int r;

        r = sd_bus_message_read(m, "(ss)", &dimm, &alarm);
        if (r <= 0)
                return r;
        r = vec_push(&i->alarms, ((InfoAlarm) {}));
        if (r < 0)
                return r;
        to = i->alarms.items + i->alarms.n - 1;
        r = str_copy(dimm, &to->dimm);
        if (r >= 0)
                r = str_copy(alarm, &to->alarm);
        return r < 0 ? r : 1;
}

static int read_list(sd_bus_message *m, const char *type, int (*item)(sd_bus_message *m, DaemonInfo *i),
                     DaemonInfo *i) {
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, type);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, type + 1);
        if (r < 0)
                return r;
        do
                r = item(m, i);
        while (r > 0);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r;
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
        if (strcmp(name, "Replicas") == 0)
                return read_list(m, "a(sst)", read_replica, i);
        if (strcmp(name, "Rehearsals") == 0)
                return read_list(m, "a(sttt)", read_score, i);
        if (strcmp(name, "DimmAlarms") == 0)
                return read_list(m, "a(ss)", read_alarm, i);
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
