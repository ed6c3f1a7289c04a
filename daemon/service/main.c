/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bezoard: arguments, wiring, readiness, loop. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "build-config.h"
#include "service/bus.h"
#include "service/config.h"
#include "service/manager.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/strv.h"
#include "util/time-util.h"

typedef struct Arguments {
        ManagerOptions manager;
        bool check_config;
} Arguments;

static void help(void) {
        printf("bezoard [OPTIONS…]\n\n"
               "Heals poisoned persistent memory from replicas. Started by systemd:\n"
               "systemctl enable --now bezoard\n\n"
               "  -h --help              Show this help\n"
               "     --version           Show the version\n"
               "     --check-config      Check the configuration, say what is wrong, and exit\n"
               "     --config=DIR        Configuration folder (default: " BEZOAR_CONFIG_DIR ")\n"
               "     --state=DIR         State folder (default: " BEZOAR_STATE_DIR ")\n"
               "     --topology=FILE     A saved topology instead of this machine\n"
               "     --worker=PROGRAM    The worker (default: " BEZOAR_WORKER_PATH ")\n"
               "     --debug             Log more\n");
}

/* 1: go on, 0: done, < 0. */
static int parse(int argc, char *argv[], Arguments *ret) {
        enum { ARG_VERSION = 0x100, ARG_CHECK, ARG_CONFIG, ARG_STATE, ARG_TOPOLOGY, ARG_WORKER, ARG_DEBUG };
        static const struct option options[] = {
                { "help",         no_argument,       NULL, 'h'          },
                { "version",      no_argument,       NULL, ARG_VERSION  },
                { "check-config", no_argument,       NULL, ARG_CHECK    },
                { "config",       required_argument, NULL, ARG_CONFIG   },
                { "state",        required_argument, NULL, ARG_STATE    },
                { "topology",     required_argument, NULL, ARG_TOPOLOGY },
                { "worker",       required_argument, NULL, ARG_WORKER   },
                { "debug",        no_argument,       NULL, ARG_DEBUG    },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case ARG_VERSION:
                        puts("bezoar " BEZOAR_VERSION);
                        return 0;
                case ARG_CHECK:
                        ret->check_config = true;
                        break;
                case ARG_CONFIG:
                        ret->manager.config_dir = optarg;
                        break;
                case ARG_STATE:
                        ret->manager.state_dir = optarg;
                        break;
                case ARG_TOPOLOGY:
                        ret->manager.topology_file = optarg;
                        break;
                case ARG_WORKER:
                        ret->manager.worker_path = optarg;
                        break;
                case ARG_DEBUG:
                        log_set_max_level(LOG_DEBUG);
                        break;
                default:
                        return -EINVAL;
                }

        if (optind < argc) {
                fprintf(stderr, "bezoard takes no arguments: '%s' is too much.\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

static int check_config(const char *dir) {
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_policy_ Policy p = {};
        int r;

        r = config_load(dir, &p, &d);
        for (size_t i = 0; i < d.n; i++) {
                _cleanup_free_ char *text = diagnostic_format(d.items + i);

                puts(text ? text : d.items[i].text);
        }
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", dir, strerror(-r));
                return r;
        }
        if (d.n == 0)
                printf("%s: fine, %zu protect file%s\n", dir, p.protects.n, p.protects.n == 1 ? "" : "s");
        return d.errors > 0 ? -EINVAL : 0;
}

typedef struct Daemon {
        sd_event *event;
        Manager *manager;
        sd_event_source *tell;  /* status, when there is nothing else to do */
        sd_event_source *ready; /* to say so again, where it was not heard */
        Bus *bus;
        char *status;           /* as last told */
        bool started, bus_settled;
} Daemon;

/* Whoever is started after the daemon may ask it something: it is ready when it can answer. */
static void tell_ready(Daemon *d) {
        if (!d->started || !d->bus_settled || sd_notify(false, "READY=1") >= 0)
                return;
        (void) sd_event_source_set_time_relative(d->ready, USEC_PER_SEC);
        (void) sd_event_source_set_enabled(d->ready, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *s, uint64_t usec, void *userdata) {
        tell_ready(userdata);
        return 0;
}

static void on_bus_settled(void *userdata) {
        Daemon *d = userdata;

        d->bus_settled = true;
        tell_ready(d);
}

/* Told when it reads differently only: the service manager has better things to do in a storm. */
static int tell_status(sd_event_source *s, void *userdata) {
        Daemon *d = userdata;
        _cleanup_free_ char *text = NULL;
        ManagerCounts n;
        size_t open = 0;

        manager_count(d->manager, &n);
        for (CaseState state = 0; state < _CASE_STATE_MAX; state++)
                if (!case_state_is_closed(state) && state != CASE_HARMLESS)
                        open += n.by_state[state];

        if (asprintf(&text,
                     "STATUS=%zu device%s watched, %zu case%s open (%zu refused, %zu in doubt), %zu healed",
                     n.devices, n.devices == 1 ? "" : "s", open, open == 1 ? "" : "s",
                     n.by_state[CASE_REFUSED], n.by_state[CASE_IN_DOUBT], n.by_state[CASE_HEALED]) < 0) {
                text = NULL;
                return 0;
        }
        if (streq_ptr(text, d->status))
                return 0;

        (void) sd_notify(false, text);
        free(d->status);
        d->status = TAKE_PTR(text);
        return 0;
}

static void on_counts(void *userdata) {
        (void) sd_event_source_set_enabled(((Daemon *) userdata)->tell, SD_EVENT_ONESHOT);
}

static void on_stopped(void *userdata) {
        (void) sd_event_exit(((Daemon *) userdata)->event, 0);
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        Daemon *d = userdata;

        log_info("Stopping; what a worker has begun is finished first.");
        (void) sd_notify(false, "STOPPING=1");
        manager_stop(d->manager);
        return 0;
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        Daemon *d = userdata;

        (void) sd_notify(false, "RELOADING=1");
        manager_reload(d->manager);
        tell_ready(d);
        return 0;
}

/* ---- systemd's store of descriptors: they come back when it starts us again ---- */

#define HOLD_NAME "case-"

/* FDPOLL=0: an O_PATH descriptor cannot be watched, and one that cannot be watched is not taken. */
static void hold_keep(uint64_t id, int fd, void *userdata) {
        char text[64];

        (void) snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=" HOLD_NAME "%" PRIu64 "\nFDPOLL=0", id);
        if (sd_pid_notify_with_fds(0, false, text, &fd, 1) < 0)
                log_warning("Case %" PRIu64 ": its file cannot be held beyond the end of this process.", id);
}

static void hold_drop(uint64_t id, void *userdata) {
        (void) sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=" HOLD_NAME "%" PRIu64, id);
}

static const HoldStore hold_store = { .keep = hold_keep, .drop = hold_drop };

static int take_holds(Manager *m) {
        _cleanup_strv_ char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names), r = 0;

        for (int i = 0; i < n && r >= 0; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                uint64_t id;

                if (strncmp(names[i], HOLD_NAME, strlen(HOLD_NAME)) == 0 &&
                    parse_u64(names[i] + strlen(HOLD_NAME), &id) >= 0)
                        r = manager_give_hold(m, id, fd);
                else
                        (void) close(fd);
        }
        return n < 0 ? n : r;
}

static int add_sources(Daemon *d) {
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        (void) signal(SIGPIPE, SIG_IGN);

        r = sd_event_add_defer(d->event, &d->tell, tell_status, d);
        if (r >= 0)
                r = sd_event_source_set_priority(d->tell, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_add_time_relative(d->event, &d->ready, CLOCK_MONOTONIC, 0, 0, on_ready, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->ready, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGTERM, on_terminate, d);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, on_terminate, d);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGHUP, on_hangup, d);
        return r;
}

static int run(const Arguments *a) {
        static const ManagerObserver observer = { .counts_changed = on_counts,
                                                 .stopped = on_stopped };
        Daemon d = {};
        int r;

        r = sd_event_default(&d.event);
        if (r >= 0)
                r = sd_event_set_watchdog(d.event, true);
        if (r >= 0)
                r = add_sources(&d);
        if (r >= 0)
                r = manager_new(d.event, &a->manager, &d.manager);
        if (r >= 0)
                r = manager_add_observer(d.manager, &observer, &d);
        if (r >= 0)
                r = bus_new(d.event, d.manager, on_bus_settled, &d, &d.bus);
        if (r >= 0)
                r = take_holds(d.manager);
        if (r < 0)
                log_error_errno(r, "The daemon could not be set up: %m");
        else
                r = manager_start(d.manager);   /* says itself what is wrong */
        if (r >= 0) {
                d.started = true;
                tell_ready(&d);
                r = sd_event_loop(d.event);
                if (r < 0)
                        log_error_errno(r, "The event loop failed: %m");
        }

        bus_free(d.bus);
        manager_free(d.manager);
        sd_event_source_disable_unref(d.tell);
        sd_event_source_disable_unref(d.ready);
        sd_event_unref(d.event);
        free(d.status);
        return r;
}

int main(int argc, char *argv[]) {
        Arguments a = { .manager = { .config_dir = BEZOAR_CONFIG_DIR, .state_dir = BEZOAR_STATE_DIR,
                                    .worker_path = BEZOAR_WORKER_PATH, .holds = &hold_store } };
        int r;

        log_open();
        r = parse(argc, argv, &a);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        r = a.check_config ? check_config(a.manager.config_dir) : run(&a);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
