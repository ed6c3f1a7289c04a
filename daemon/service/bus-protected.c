/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is protected, and by what: the protect files as they are in force. */

#include "service/bus-internal.h"

static int append_protect(sd_bus_message *m, const Protect *p) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "sssas");
        if (r >= 0)
                r = bus_append_text(m, p->name ? p->name : "");
        if (r >= 0)
                r = bus_append_text(m, p->path ? p->path : "");
        if (r >= 0)
                r = bus_append_text(m, p->device ? p->device : "");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && p->replicas && p->replicas[i]; i++)
                r = bus_append_text(m, p->replicas[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_list_protected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Policy *p = manager_policy(((Bus *) userdata)->manager);
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssas)");
        for (size_t i = 0; r >= 0 && i < p->protects.n; i++)
                r = append_protect(reply, p->protects.items + i);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}
