/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "service/manager.h"

/* What the files of the bus share: bus.c (the connection, and what is told unasked), bus-manager.c and
 * bus-case.c (the two interfaces), bus-list.c, bus-volumes.c and bus-figures.c (long answers),
 * bus-control.c and bus-resolve.c (late answers), bus-authorize.c and bus-operator.c (who may, and who it
 * was), bus-notify.c (NotifyUnit=). */

#define BUS_NAME "org.bezoar1"
#define BUS_PATH "/org/bezoar1"
#define BUS_CASES BUS_PATH "/case"
#define BUS_MANAGER "org.bezoar1.Manager"
#define BUS_CASE "org.bezoar1.Case"

#define BUS_ERROR(name) "org.bezoar1.Error." name
#define BUS_ERROR_INVALID_ARGUMENT BUS_ERROR("InvalidArgument")
#define BUS_ERROR_NO_SUCH_CASE BUS_ERROR("NoSuchCase")
#define BUS_ERROR_NO_SUCH_VOLUME BUS_ERROR("NoSuchVolume")
#define BUS_ERROR_INVALID_RANGE BUS_ERROR("InvalidRange")
#define BUS_ERROR_UNKNOWN_ACTION BUS_ERROR("UnknownAction")
#define BUS_ERROR_NOT_APPLICABLE BUS_ERROR("NotApplicable")
#define BUS_ERROR_NOT_SHOWN BUS_ERROR("NotShown")
#define BUS_ERROR_CANNOT_SHOW BUS_ERROR("CannotShow")
#define BUS_ERROR_BUSY BUS_ERROR("Busy")
#define BUS_ERROR_LIMITS_EXCEEDED BUS_ERROR("LimitsExceeded")
#define BUS_ERROR_MODE_CONFIGURED BUS_ERROR("ModeConfigured")
#define BUS_ERROR_WORKER_FAILED BUS_ERROR("WorkerFailed")
#define BUS_ERROR_WORKER_TIMEOUT BUS_ERROR("WorkerTimeout")
#define BUS_ERROR_STOPPING BUS_ERROR("Stopping")

/* No path is longer (PATH_MAX), and nothing else is as long. */
#define BUS_STRING_MAX 4096

typedef struct BusCall BusCall;

typedef struct Bus {
        sd_event *event;
        Manager *manager;
        void (*settled)(void *userdata);        /* BusSettledFn; NULL: was called */
        void *userdata;
        sd_bus *bus;
        bool absent;                    /* that was said, and there has been no bus since */
        sd_event_source *timer;         /* to connect again, or to say that there is no bus */
        sd_event_source *changes;       /* deferred: PropertiesChanged of the cases in `changed` */
        struct { uint64_t *items; size_t n, allocated; } changed;       /* ids, ascending */
        struct { ManagerCounts counts; Mode mode, configured; } told;   /* by PropertiesChanged */
        BusCall *calls;                 /* not answered yet */
        struct { uint64_t *items; size_t n, allocated; } alerts;        /* ids, for NotifyUnit= */
        bool notify_failed;             /* that was said, and it has not worked since */
        const Case *at;                 /* the case whose object is being read */
} Bus;

/* A method call whose answer comes later. */
struct BusCall {
        Bus *bus;
        sd_bus_message *message;
        sd_bus_slot *slot;              /* the call to somebody else that it waits for; NULL */
        const char *action;             /* bus-authorize.c: of polkit; NULL: whoever can call may … */
        int (*then)(BusCall *c, sd_bus_error *error);
        uint32_t uid, pid;              /* … and who calls, OPERATOR_NOBODY until that is known; pid 0: the
                                         * bus does not tell */
        BusCall *next;
};

void bus_call_free(BusCall *c);

/* Answers with an error, by the rules of sd-bus: `error` where it is set, else the errno `r`. */
void bus_call_fail(BusCall *c, int r, const sd_bus_error *error);

/* Calls `then` when the caller may do `action` (polkit; NULL: anybody), from the loop; else, or when that
 * user, not being root, has BUS_CALLS_MAX such calls without an answer, answers with an error. `then`
 * answers, and returns 0 or more; or takes the call over, to answer it later, and returns BUS_LATER; what it
 * returns below 0 is answered as an error. 1 (the answer comes later) or a negative errno. */
#define BUS_LATER 0x100
#define BUS_CALLS_MAX 8
typedef int (*BusThenFn)(BusCall *c, sd_bus_error *error);
int bus_authorize(Bus *b, sd_bus_message *m, const char *action, BusThenFn then);

/* Who makes this call, which was authorized (bus-operator.c). */
void bus_operator(const BusCall *c, Operator *ret);

/* Appends it, escaped as paths are; NULL as "". */
int bus_append_text(sd_bus_message *m, const char *text);

/* -> "/org/bezoar1/case/17" */
#define BUS_CASE_PATH_MAX (sizeof(BUS_CASES) + 24)
const char *bus_case_path(uint64_t id, char buf[static BUS_CASE_PATH_MAX]);

/* The first file that owns bytes of the case; NULL. */
const Owner *bus_case_file(const Case *c);
const char *bus_case_detail(const Case *c);             /* of the last event; may be NULL */

/* As much of it as a sentence can bear. */
#define BUS_QUOTE_MAX 68
const char *bus_quote(const char *s, char buf[static BUS_QUOTE_MAX]);

/* The name of the error for what the engine says. */
const char *bus_worker_error(int error);

/* Arguments. Each: 0, or a negative errno and *error has the sentence. */
int bus_check_length(const char *argument, const char *value, sd_bus_error *error);
int bus_parse_id(const char *text, uint64_t *ret, sd_bus_error *error);
int bus_find_case(const Bus *b, const char *id, const Case **ret, sd_bus_error *error);

/* All properties of a case that may have changed, and those of the manager that have. */
void bus_tell_case(Bus *b, uint64_t id);
void bus_tell_manager(Bus *b);

/* An alert about this case is to be passed on (NotifyUnit=): now, or when there is a bus. */
void bus_notify_case(Bus *b, uint64_t id);
void bus_notify_flush(Bus *b);

extern const sd_bus_vtable bus_manager_vtable[];
extern const sd_bus_vtable bus_case_vtable[];
int bus_case_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                  sd_bus_error *error);
int bus_case_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                       sd_bus_error *error);

/* Properties (bus-figures.c). */
int bus_get_replicas(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_rehearsals(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_alarms(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* Methods (bus-list.c, bus-volumes.c, bus-control.c, bus-resolve.c). */
int bus_list_cases(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_list_cases_json(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_list_protected(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_plan(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_rescan(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_preview(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_resolve(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_set_mode(sd_bus_message *m, void *userdata, sd_bus_error *error);
