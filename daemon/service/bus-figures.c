/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Properties of the manager that are lists: what replicas and memory modules said last. */

#include "service/bus-internal.h"

static int append_replica(const char *replica, const char *answer, uint64_t time, const ReplicaScore *score,
                          void *userdata) {
        sd_bus_message *m = userdata;
        int r;

        r = sd_bus_message_open_container(m, 'r', "sst");
        if (r >= 0)
                r = bus_append_text(m, replica);
        if (r >= 0)
                r = sd_bus_message_append(m, "st", answer, time);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

int bus_get_replicas(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(sst)");
        if (r >= 0)
                r = manager_each_replica(((Bus *) userdata)->manager, append_replica, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_score(const char *replica, const char *answer, uint64_t time, const ReplicaScore *score,
                        void *userdata) {
        sd_bus_message *m = userdata;
        int r;

        r = sd_bus_message_open_container(m, 'r', "sttt");
        if (r >= 0)
                r = bus_append_text(m, replica);
        if (r >= 0)
                r = sd_bus_message_append(m, "ttt", score->pages, score->good, score->wrong);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

int bus_get_rehearsals(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(sttt)");
        if (r >= 0)
                r = manager_each_replica(((Bus *) userdata)->manager, append_score, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int bus_get_alarms(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const DimmHealths *l = manager_health(((Bus *) userdata)->manager);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ss)");
        for (size_t i = 0; r >= 0 && i < l->n; i++)
                for (DimmAlarm a = 0; r >= 0 && a < _DIMM_ALARM_MAX; a++)
                        if (l->items[i].alarms & (UINT32_C(1) << a))
                                r = sd_bus_message_append(reply, "(ss)", l->items[i].dimm,
                                                          dimm_alarm_to_string(a));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
