/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/config.h"
#include "util/cleanup.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/utf8.h"

#define MANY 10000

/* A folder like /etc/bezoar, for one test. */
typedef struct Etc {
        char root[64];
        Policy policy;
        Diagnostics d;
        char *text;             /* the complaints, one a line, with the folder's name replaced by "ETC" */
} Etc;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int etc_setup(void **state) {
        Etc *e = calloc(1, sizeof(*e));
        char path[128];

        assert(e);
        /* in memory, where that can be: some tests have thousands of files */
        strcpy(e->root, access("/dev/shm", W_OK) == 0 ? "/dev/shm/test-config-XXXXXX"
                                                      : "/tmp/test-config-XXXXXX");
        assert(mkdtemp(e->root));
        (void) snprintf(path, sizeof(path), "%s/bezoar.conf.d", e->root);
        assert(mkdir(path, 0755) == 0);
        (void) snprintf(path, sizeof(path), "%s/protect.d", e->root);
        assert(mkdir(path, 0755) == 0);
        (void) snprintf(path, sizeof(path), "%s/credentials.d", e->root);
        assert(mkdir(path, 0700) == 0);
        policy_init(&e->policy);
        *state = e;
        return 0;
}

static int etc_teardown(void **state) {
        Etc *e = *state;

        policy_done(&e->policy);
        diagnostics_done(&e->d);
        free(e->text);
        assert(nftw(e->root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
        free(e);
        return 0;
}

static void etc_write_n(const Etc *e, const char *name, const char *text, size_t n) {
        _cleanup_close_ int fd = -1;
        char path[512];

        (void) snprintf(path, sizeof(path), "%s/%s", e->root, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert(fd >= 0);
        assert(write(fd, text, n) == (ssize_t) n);
}

static void etc_write(const Etc *e, const char *name, const char *text) {
        etc_write_n(e, name, text, strlen(text));
}

static const char *etc_load(Etc *e) {
        size_t n, prefix = strlen(e->root);
        FILE *f;

        policy_done(&e->policy);
        diagnostics_done(&e->d);
        free(e->text);
        assert_int_equal(config_load(e->root, &e->policy, &e->d), 0);

        f = open_memstream(&e->text, &n);
        assert(f);
        for (size_t i = 0; i < e->d.n; i++) {
                _cleanup_free_ char *line = diagnostic_format(&e->d.items[i]);

                assert(line && strncmp(line, e->root, prefix) == 0);
                fprintf(f, "ETC%s\n", line + prefix);
        }
        assert(fclose(f) == 0);
        return e->text;
}

/* Each of `parts` is in the complaints, in this order. */
static void assert_complaints(const char *text, const char *const *parts) {
        for (const char *at = text; *parts; parts++) {
                at = strstr(at, *parts);
                if (!at)
                        fail_msg("not there, or not in its place: '%s' in:\n%s", *parts, text);
        }
}

#define COMPLAINTS(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define OBSERVE_NOTE                                                                                        \
        "ETC: error: nothing is repaired, as with Mode=observe, until bezoar.conf and bezoar.conf.d are "   \
        "without an error\n"
#define UNUSED_NOTE                                                                                         \
        ": error: not used because of this; nothing is protected by it until it is corrected\n"

static void assert_defaults(const Policy *p) {
        assert_int_equal(p->mode, MODE_REPAIR);
        assert_int_equal(p->rescan_usec, RESCAN_DEFAULT_USEC);
        assert_int_equal(p->worker_timeout_usec, WORKER_TIMEOUT_DEFAULT_USEC);
        assert_int_equal(p->budget_n, BUDGET_DEFAULT_N);
        assert_int_equal(p->budget_usec, BUDGET_DEFAULT_USEC);
        assert_int_equal(p->page_budget_n, PAGE_BUDGET_DEFAULT_N);
        assert_int_equal(p->page_budget_usec, PAGE_BUDGET_DEFAULT_USEC);
        assert_null(p->notify_unit);
        assert_int_equal(p->protects.n, 0);
}

/* No file at all is no complaint: the defaults hold, and nothing is protected. */
static void test_empty(void **state) {
        Etc *e = *state;

        assert_string_equal(etc_load(e), "");
        assert_defaults(&e->policy);
}

/* A folder that is not there is an error of the call, and touches nothing. */
static void test_no_root(void **state) {
        _cleanup_diagnostics_ Diagnostics d = {};
        Policy p = { .budget_n = 77 };

        assert_int_equal(config_load("/nonexistent/bezoar", &p, &d), -ENOENT);
        assert_int_equal(config_load("/etc/passwd", &p, &d), -ENOTDIR);
        assert_int_equal(p.budget_n, 77);
        assert_int_equal(d.n, 0);
}

/* Every setting reaches its field. */
static void test_every_setting(void **state) {
        Etc *e = *state;
        const Protect *p;

        etc_write(e, "bezoar.conf",
                  "[Bezoar]\nMode=observe\nRescanIntervalSec=1min "
                  "30s\nWorkerTimeoutSec=5s\nRepairBudget=7/2h\nPageBudget=2/3h\n"
                  "NotifyUnit=bezoar-mail@.service\n");
        etc_write(e, "protect.d/db.conf",
                  "[Protect]\nPath=/srv/pmem/db/\nReplica=mirror:/srv/a/\nReplica = "
                  "mirror:/srv/b\nProof=neighbours,seal\nExclusion=optimistic,lease\nWriter=pwrite\n");
        etc_write(e, "protect.d/dax.conf", "[Protect]\nDevice=/dev/dax0.0\nReplica=mirror:/srv/c\n");
        assert_string_equal(etc_load(e),
                            "ETC/protect.d/dax.conf:2: warning: nothing will be repaired: nobody keeps a "
                            "time of a device, so that Proof= has to allow neighbours or quorum without "
                            "identity or seal\n");

        assert_int_equal(e->policy.mode, MODE_OBSERVE);
        assert_int_equal(e->policy.rescan_usec, 90 * USEC_PER_SEC);
        assert_int_equal(e->policy.worker_timeout_usec, 5 * USEC_PER_SEC);
        assert_int_equal(e->policy.budget_n, 7);
        assert_int_equal(e->policy.budget_usec, 2 * USEC_PER_HOUR);
        assert_int_equal(e->policy.page_budget_n, 2);
        assert_int_equal(e->policy.page_budget_usec, 3 * USEC_PER_HOUR);
        assert_string_equal(e->policy.notify_unit, "bezoar-mail@.service");

        assert_int_equal(e->policy.protects.n, 2);
        p = &e->policy.protects.items[0];
        assert_string_equal(p->name, "dax");
        assert_string_equal(p->device, "/dev/dax0.0");
        assert_null(p->path);
        p = &e->policy.protects.items[1];
        assert_string_equal(p->name, "db");
        assert_string_equal(p->path, "/srv/pmem/db");
        assert_int_equal(strv_length(p->replicas), 2);
        assert_string_equal(p->replicas[0], "mirror:/srv/a");
        assert_string_equal(p->replicas[1], "mirror:/srv/b");
        assert_int_equal(p->proof.n, 2);
        assert_int_equal(p->proof.any_of[0], PROOF_BIT(PROOF_NEIGHBOURS));
        assert_int_equal(p->proof.any_of[1], PROOF_BIT(PROOF_SEAL));
        assert_int_equal(p->exclusion.n, 2);
        assert_int_equal(p->exclusion.items[0], EXCLUSION_OPTIMISTIC);
        assert_int_equal(p->writer, WRITER_PWRITE);
}

/* Only a template can be given a case as its instance; a name must be one that systemd takes, with the
 * longest number in it. */
static void test_notify_unit(void **state) {
        static const struct { const char *value, *expected; } table[] = {
                { "mail@.service", "mail@.service" },
                { "a:b-c_d.e\\x20@.service", "a:b-c_d.e\\x20@.service" },
                { "", NULL },
                { "mail.service", NULL },
                { "@.service", NULL },
                { "mail@7.service", NULL },
                { "mail@@.service", NULL },
                { "mail@.timer", NULL },
                { "mail@.service x", NULL },
                { "/etc/mail@.service", NULL },
                { "a mail@.service", NULL },
                { "mäil@.service", NULL },
        };
        char line[512], name[300];
        Etc *e = *state;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                (void) snprintf(line, sizeof(line), "[Bezoar]\nNotifyUnit=%s\n", table[i].value);
                etc_write(e, "bezoar.conf", line);
                if (table[i].expected || !*table[i].value)
                        assert_string_equal(etc_load(e), "");
                else
                        assert_complaints(etc_load(e),
                                          COMPLAINTS("ETC/bezoar.conf:2: error: NotifyUnit= cannot be "));
                if (!streq_ptr(e->policy.notify_unit, table[i].expected))
                        fail_msg("'%s' became '%s'", table[i].value, e->policy.notify_unit);
        }

        memset(name, 'a', sizeof(name));
        for (size_t n = 234; n <= 236; n++) {
                (void) snprintf(line, sizeof(line), "[Bezoar]\nNotifyUnit=%.*s@.service\n", (int) (n - 9),
                                name);
                etc_write(e, "bezoar.conf", line);
                (void) etc_load(e);
                assert_int_equal(e->policy.notify_unit != NULL, n <= 235);
        }

        etc_write(e, "bezoar.conf", "[Bezoar]\nNotifyUnit=a@.service\nNotifyUnit=b@.service\n");
        etc_write(e, "bezoar.conf.d/x.conf", "[Bezoar]\nNotifyUnit=\n");
        assert_string_equal(etc_load(e), "");
        assert_null(e->policy.notify_unit);
}

/* The shipped files are without a complaint, and mean the defaults. */
static void test_shipped(void **state) {
        Etc *e = *state;
        char from[512], to[512];

        (void) snprintf(from, sizeof(from), "%s/config/bezoar.conf", SOURCE_ROOT);
        (void) snprintf(to, sizeof(to), "%s/bezoar.conf", e->root);
        assert_int_equal(symlink(from, to), 0);
        assert_string_equal(etc_load(e), "");
        assert_defaults(&e->policy);

        (void) snprintf(from, sizeof(from), "%s/config/protect-example.conf", SOURCE_ROOT);
        (void) snprintf(to, sizeof(to), "%s/protect.d/db.conf", e->root);
        assert_int_equal(symlink(from, to), 0);
        assert_string_equal(etc_load(e), "");
        assert_int_equal(e->policy.protects.n, 1);
        assert_string_equal(e->policy.protects.items[0].replicas[0], "mirror:/srv/mirror/db");
}

/* What the shipped file shows as a default is one: without the '#' it says the same. */
static void test_shipped_defaults(void **state) {
        Etc *e = *state;
        char path[512], text[8192];
        FILE *f;
        size_t n;

        (void) snprintf(path, sizeof(path), "%s/config/bezoar.conf", SOURCE_ROOT);
        f = fopen(path, "re");
        assert(f);
        n = fread(text, 1, sizeof(text) - 1, f);
        text[n] = '\0';
        fclose(f);
        for (char *p = text; (p = strchr(p, '#')); p++)
                if ((p == text || p[-1] == '\n') && p[1] >= 'A' && p[1] <= 'Z')
                        *p = ' ';
        assert(strstr(text, "\n Mode=repair\n") && strstr(text, "\n RepairBudget="));
        etc_write(e, "bezoar.conf", text);
        assert_string_equal(etc_load(e), "");
        assert_defaults(&e->policy);
}

/* Drop-ins win by the order of their names; an empty value sets the default again; other files in the
 * folder are no drop-ins. */
static void test_drop_ins(void **state) {
        Etc *e = *state;

        etc_write(e, "bezoar.conf", "[Bezoar]\nMode=observe\nRepairBudget=1/1h\nWorkerTimeoutSec=9s\n");
        etc_write(e, "bezoar.conf.d/20.conf", "[Bezoar]\nRepairBudget=20/1h\n");
        etc_write(e, "bezoar.conf.d/10.conf", "[Bezoar]\nRepairBudget=10/1h\nMode=\nWorkerTimeoutSec=\n");
        etc_write(e, "bezoar.conf.d/30.conf.dpkg-old", "[Bezoar]\nRepairBudget=30/1h\n");
        etc_write(e, "bezoar.conf.d/.40.conf", "[Bezoar]\nRepairBudget=40/1h\n");
        assert_string_equal(etc_load(e), "");
        assert_int_equal(e->policy.budget_n, 20);
        assert_int_equal(e->policy.mode, MODE_REPAIR);
        assert_int_equal(e->policy.worker_timeout_usec, WORKER_TIMEOUT_DEFAULT_USEC);

        etc_write(e, "bezoar.conf.d/90.conf", "[Bezoar]\nRepairBudget=\n");
        assert_string_equal(etc_load(e), "");
        assert_int_equal(e->policy.budget_n, BUDGET_DEFAULT_N);
}

/* An empty Replica= empties the list, an empty Path= makes room for another. */
static void test_reset_in_protect(void **state) {
        Etc *e = *state;

        etc_write(e, "protect.d/a.conf",
                  "[Protect]\nPath=/a\nPath=\nPath=/b\nReplica=mirror:/x\nReplica=\nReplica=mirror:/"
                  "y\nProof=seal\nProof=\nExclusion=lease\nExclusion=\nWriter=pwrite\nWriter=\n");
        assert_string_equal(etc_load(e), "");
        assert_int_equal(e->policy.protects.n, 1);
        assert_string_equal(e->policy.protects.items[0].path, "/b");
        assert_int_equal(strv_length(e->policy.protects.items[0].replicas), 1);
        assert_string_equal(e->policy.protects.items[0].replicas[0], "mirror:/y");
        assert_int_equal(e->policy.protects.items[0].proof.n, 2);
        assert_int_equal(e->policy.protects.items[0].exclusion.n, 3);
        assert_int_equal(e->policy.protects.items[0].writer, WRITER_AUTO);
}

/* One wrong line in bezoar.conf: it is named with its number, what is wrong and what is allowed; nothing
 * is written until it is right. */
static void test_main_problems(void **state) {
        static const struct {
                const char *line, *expected;
        } table[] = {
                { "Mode=obsrve", "Mode= cannot be 'obsrve'; allowed is repair or observe\n" },
                { "Mode=Repair", "Mode= cannot be 'Repair'; allowed is repair or observe\n" },
                { "Mode=observe ; for now", "';' after a space; a comment needs a line of its own\n" },
                { "Mode=observe # for now",
                  "Mode= cannot be 'observe # for now'; allowed is repair or observe\n" },
                { "Mode observe", "no setting; allowed is KEY=VALUE\n" },
                { "Mode: observe", "no setting; allowed is KEY=VALUE\n" },
                { "Mode:x=observe", "no setting; allowed is KEY=VALUE\n" },
                { "=observe", "no key before '='; allowed is KEY=VALUE\n" },
                { "mode=observe", "unknown setting mode=; allowed in [Bezoar] are Mode= RescanIntervalSec= "
                                 "WorkerTimeoutSec= RepairBudget= PageBudget= ParkReserve= NotifyUnit=\n" },
                { "Path=/srv", "unknown setting Path=; allowed in [Bezoar] are Mode= RescanIntervalSec=" },
                { "RescanIntervalSec=1s", "cannot be '1s': it is out of range; allowed is "
                                         "a time span from 10s to 1d" },
                { "RescanIntervalSec=infinity", "out of range; allowed is a time span" },
                { "RescanIntervalSec=-5s", "RescanIntervalSec= cannot be '-5s'; allowed is a time span" },
                { "WorkerTimeoutSec=0", "out of range; allowed is a time span from 1s to 1h" },
                { "WorkerTimeoutSec=99999999999999999999999h",
                  "out of range; allowed is a time span from 1s to 1h" },
                { "RepairBudget=512", "RepairBudget= cannot be '512'; allowed is N/T" },
                { "RepairBudget=0/1h",
                  "RepairBudget= cannot be '0/1h': it is out of range; allowed is N/T" },
                { "RescanIntervalSec=15min \\",
                  "a line cannot be continued on the next; write it as one\n" },
                { "Mode=obs\1erve", "a control character, where only text is allowed\n" },
                { "Mode=\xff", "not valid UTF-8\n" },
                { "Mode=a\rb", "a control character, where only text is allowed\n" },
                { "[Bezoar",
                  "no section header; allowed is [NAME] alone; what follows is not used\n" },
                { "[Bezoar] x",
                  "no section header; allowed is [NAME] alone; what follows is not used\n" },
                { "[]",
                  "no section header; allowed is [NAME] alone; what follows is not used\n" },
        };
        Etc *e = *state;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                char text[512];

                (void) snprintf(text, sizeof(text), "# comment\n\n[Bezoar]\n%s\n", table[i].line);
                etc_write(e, "bezoar.conf", text);
                assert_complaints(etc_load(e),
                                  COMPLAINTS("ETC/bezoar.conf:4: error: ", table[i].expected, OBSERVE_NOTE));
                assert_int_equal(e->d.errors, 2);
                assert_int_equal(e->policy.mode, MODE_OBSERVE);
                assert_int_equal(e->policy.budget_n, BUDGET_DEFAULT_N);
        }
}

/* What is right beside what is wrong is in force; all that is wrong is told at once; what is below a
 * broken header is not taken for the section before it; an unknown section is told once for each time
 * that it begins. */
static void test_several_problems(void **state) {
        Etc *e = *state;

        etc_write(e, "bezoar.conf",
                  "RepairBudget=1/"
                  "1h\n[Bezoar]\nWorkerTimeoutSec=7s\nMode=maybe\n[Other]\nA=1\nB=2\n[Protect]\nPath=/"
                  "x\n[Other]\nC=1\n"
                  "[Bezoar\nRepairBudget=2/1h\n[Bezoar]\nRescanIntervalSec=20s");
        assert_string_equal(
                etc_load(e),
                "ETC/bezoar.conf:1: error: a setting before any section; begin with [Bezoar]\n"
                "ETC/bezoar.conf:4: error: Mode= cannot be 'maybe'; allowed is repair or observe\n"
                "ETC/bezoar.conf:6: error: unknown section [Other]; allowed is [Bezoar]\n"
                "ETC/bezoar.conf:9: error: section [Protect] is not for this file; it belongs in "
                "protect.d/NAME.conf\n"
                "ETC/bezoar.conf:11: error: unknown section [Other]; allowed is [Bezoar]\n"
                "ETC/bezoar.conf:12: error: no section header; allowed is [NAME] alone; "
                "what follows is not used\n" OBSERVE_NOTE);
        assert_int_equal(e->policy.worker_timeout_usec, 7 * USEC_PER_SEC);
        assert_int_equal(e->policy.rescan_usec, 20 * USEC_PER_SEC);
        assert_int_equal(e->policy.budget_n, BUDGET_DEFAULT_N);
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
}

/* The same with a mode that is observe already: nothing more to say. */
static void test_observe_with_error(void **state) {
        Etc *e = *state;

        etc_write(e, "bezoar.conf.d/x.conf", "[Bezoar]\nMode=observe\nMod=repair\n");
        assert_complaints(etc_load(e),
                          COMPLAINTS("ETC/bezoar.conf.d/x.conf:3: error: unknown setting Mod=;"));
        assert_int_equal(e->d.n, 1);
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
}

/* One wrong line in a protect file: named, and the file is not used at all; the other file is. */
static void test_protect_problems(void **state) {
        static const struct {
                const char *line, *expected;
        } table[] = {
                { "Path=srv",
                  "Path= cannot be 'srv': it does not begin with '/'; allowed is one absolute path" },
                { "Path=/srv//x", "it has an empty, '.' or '..' component" },
                { "Path=/srv/./x", "it has an empty, '.' or '..' component" },
                { "Path=/srv/..", "it has an empty, '.' or '..' component" },
                { "Path=/second",
                  "it was given before, and a protect file holds one; make a file for each" },
                { "Device=/dev/dax0.0",
                  "both Path= and Device=; one of them is allowed, make a file for each" },
                { "Device=dax0.0", "Device= cannot be 'dax0.0': it does not begin with '/dev/'" },
                { "Replica=/srv/mirror", "there is no such kind of replica; allowed is mirror:FOLDER" },
                { "Replica=mirror:srv", "it does not begin with '/'" },
                { "Replica=mirror:", "it does not begin with '/'" },
                { "Replica=block:srv", "it does not begin with '/'" },
                { "Replica=block:/srv/image@7", "the offset is not a multiple of 512" },
                { "Replica=tape:/dev/st0", "there is no such kind of replica" },
                { "Replica=mirror:/m/", "Replica= cannot be 'mirror:/m/': it was given before" },
                { "Replica=mirror:/first/copy",
                  "Replica=mirror:/first/copy lies within Path=/first; allowed is a place outside" },
                { "Replica=mirror:/first", "lies within Path=/first" },
                { "Proof=none",
                  "Proof= cannot be 'none'; allowed is seal, identity, neighbours and quorum" },
                { "Proof=seal,seal", "Proof= cannot be" },
                { "Proof=identity+", "Proof= cannot be" },
                { "Exclusion=lease,lease",
                  "Exclusion= cannot be 'lease,lease'; allowed is lease, freeze and optimistic" },
                { "Writer=park",
                  "this writer is not supported by this version; allowed is auto, pwrite, revive, "
                  "block, clone, clear or punch" },
                { "Writer=dd",
                  "Writer= cannot be 'dd'; allowed is auto, pwrite, revive, block, clone, clear or punch" },
                { "Mode=observe", "unknown setting Mode=; allowed in [Protect] are Path= Device= Replica= "
                                 "Proof= Exclusion= Writer=\n" },
                { "[Bezoar]\nMode=observe",
                  "section [Bezoar] is not for this file; it belongs in bezoar.conf\n" },
                { "Path", "no setting; allowed is KEY=VALUE\n" },
        };
        Etc *e = *state;

        etc_write(e, "protect.d/good.conf", "[Protect]\nPath=/good\nReplica=mirror:/n\n");
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                char text[512];

                (void) snprintf(text, sizeof(text), "[Protect]\nPath=/first\nReplica=mirror:/m\n%s\n",
                                table[i].line);
                etc_write(e, "protect.d/bad.conf", text);
                assert_complaints(etc_load(e),
                                  COMPLAINTS("ETC/protect.d/bad.conf:", "error: ", table[i].expected,
                                             "ETC/protect.d/bad.conf" UNUSED_NOTE));
                assert_int_equal(e->d.n, 2);
                assert_int_equal(e->policy.protects.n, 1);
                assert_string_equal(e->policy.protects.items[0].path, "/good");
                assert_int_equal(e->policy.mode, MODE_REPAIR);
        }
}

/* What is right, and of no use in this version, is said. */
static void test_protect_useless(void **state) {
        Etc *e = *state;

        etc_write(e, "protect.d/a.conf",
                  "[Protect]\nPath=/srv\nReplica=mirror:/m\nProof=seal\n");
        assert_string_equal(etc_load(e),
                            "ETC/protect.d/a.conf: warning: nothing will be repaired: of Proof= this "
                            "version can show identity, neighbours and quorum, but no seal\n");
        assert_int_equal(e->policy.protects.n, 1);
}

/* A protect file without what it is for. */
static void test_protect_incomplete(void **state) {
        Etc *e = *state;

        etc_write(e, "protect.d/a.conf", "");
        assert_string_equal(
                etc_load(e),
                "ETC/protect.d/a.conf: error: neither Path= nor Device=; one of them must be there\n"
                "ETC/protect.d/a.conf: warning: no Replica=; bytes lost here will be reported, and not "
                "restored\n"
                "ETC/protect.d/a.conf" UNUSED_NOTE);
        etc_write(e, "protect.d/a.conf", "[Protect]\nPath=/srv\n");
        assert_string_equal(etc_load(e), "ETC/protect.d/a.conf: warning: no Replica=; bytes lost here will "
                                         "be reported, and not restored\n");
        assert_int_equal(e->policy.protects.n, 1);
        assert_int_equal(e->d.errors, 0);
}

/* An image cannot show identity: that is said where nothing else would do. */
static void test_images(void **state) {
        Etc *e = *state;

        etc_write(e, "protect.d/a.conf", "[Protect]\nPath=/srv\nReplica=block:/dev/sdb\n");
        assert_string_equal(
                etc_load(e),
                "ETC/protect.d/a.conf: warning: Replica=block:/dev/sdb knows no times of files and "
                "cannot show identity: what has no seal will not be restored from it, as Proof= "
                "stands\n");
        assert_int_equal(e->policy.protects.n, 1);
        etc_write(e, "protect.d/a.conf",
                  "[Protect]\nPath=/srv\nReplica=block:/dev/sdb\nProof=identity,neighbours\n");
        assert_string_equal(etc_load(e), "");
        etc_write(e, "protect.d/a.conf",
                  "[Protect]\nPath=/srv\nReplica=block:/srv/image@4K\nProof=neighbours\n");
        assert_non_null(strstr(etc_load(e), "Replica=block:/srv/image@4K lies within Path=/srv; "));
}

/* Credentials: what is wrong with them, without their secrets; and files that others can read. */
static void test_credentials(void **state) {
        Etc *e = *state;
        char path[128];

        etc_write(e, "credentials.d/a.conf", "[Credentials]\nFor=mirror:/x\nUser=u\nPassword=hush\n");
        (void) snprintf(path, sizeof(path), "%s/credentials.d/a.conf", e->root);
        assert_int_equal(chmod(path, 0640), 0);
        assert_string_equal(etc_load(e), "ETC/credentials.d/a.conf: error: not used: it must be a file that "
                                         "only root can read, mode 0600\n");
        assert_int_equal(chmod(path, 0600), 0);
        assert_string_equal(etc_load(e),
                            "ETC/credentials.d/a.conf: error: For= is not the beginning of the URI "
                            "of a replica that is asked over a network\n");
        assert_true(strlen(e->policy.credentials_dir) > strlen("/credentials.d"));
}

/* Paths that overlap: both files are named in either's complaint, and neither is used, also when one was
 * wrong before; a name that begins alike is no overlap. */
static void test_overlaps(void **state) {
        Etc *e = *state;

        etc_write(e, "protect.d/a.conf", "[Protect]\nReplica=mirror:/m\nPath=/srv/db\n");
        etc_write(e, "protect.d/b.conf", "[Protect]\nPath=/srv/db/log\nReplica=mirror:/m\n");
        etc_write(e, "protect.d/c.conf", "[Protect]\nPath=/srv/db-2\nReplica=mirror:/m\n");
        etc_write(e, "protect.d/d.conf", "[Protect]\nPath=/srv/db/log/x\nReplica=mirror:/m\n");
        (void) etc_load(e);
        assert_complaints(
                e->text,
                COMPLAINTS("ETC/protect.d/b.conf:2: error: '/srv/db/log' overlaps with '/srv/db' of ",
                           "/protect.d/a.conf; neither file is used\n",
                           "ETC/protect.d/a.conf:3: error: '/srv/db' overlaps with '/srv/db/log' of ",
                           "/protect.d/b.conf; neither file is used\n",
                           "ETC/protect.d/d.conf:2: error: '/srv/db/log/x' overlaps with '/srv/db' of "));
        assert_int_equal(e->d.n, 3);
        assert_int_equal(e->policy.protects.n, 1);
        assert_string_equal(e->policy.protects.items[0].path, "/srv/db-2");

        etc_write(e, "protect.d/b.conf", "[Protect]\nPath=/srv/db\nProof=never\n");
        etc_write(e, "protect.d/d.conf", "[Protect]\nPath=/srv/db/../x\n");
        assert_complaints(etc_load(e), COMPLAINTS("b.conf:3: error: Proof=", "d.conf:2: error: Path=",
                                                  "'/srv/db' overlaps with '/srv/db' of "));
        assert_int_equal(e->policy.protects.n, 1);

        etc_write(e, "protect.d/e.conf", "[Protect]\nPath=/\nReplica=mirror:/m\n");
        (void) etc_load(e);
        assert_int_equal(e->policy.protects.n, 0);
}

/* Files from other systems and editors: carriage returns, no newline at the end, a byte order mark,
 * indented lines (which are lines of their own, not more of the value before), white space around
 * everything. */
static void test_odd_texts(void **state) {
        Etc *e = *state;

        etc_write(e, "bezoar.conf",
                  "\xef\xbb\xbf [Bezoar] \t\r\n\tRepairBudget = 3/1h \t\r\n   Mode\t=\tobserve\r\n \r\n"
                  "  # x ; y\r\n;Mode=z\r\nWorkerTimeoutSec=5s");
        assert_string_equal(etc_load(e), "");
        assert_int_equal(e->policy.budget_n, 3);
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
        assert_int_equal(e->policy.worker_timeout_usec, 5 * USEC_PER_SEC);

        etc_write(e, "protect.d/a.conf",
                  "[Protect]\nReplica=mirror:/m\nPath=/srv/a b;c#d=e:f [g]\xc3\xa4\n");
        assert_string_equal(etc_load(e), "");
        assert_string_equal(e->policy.protects.items[0].path, "/srv/a b;c#d=e:f [g]\xc3\xa4");
}

/* A NUL byte is told, and does not hide what comes behind it. */
static void test_nul(void **state) {
        static const char text[] = "[Bezoar]\nMode=obs\0erve\nRepairBudget=9/1h\n";
        Etc *e = *state;

        etc_write_n(e, "bezoar.conf", text, sizeof(text) - 1);
        assert_complaints(etc_load(e),
                          COMPLAINTS("ETC/bezoar.conf:2: error: a NUL byte, where only text is allowed\n"));
        assert_int_equal(e->policy.budget_n, 9);
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
}

/* A path of n bytes with `filler` between words. */
static char *long_path(size_t n, char filler) {
        char *path = malloc(n + 1);

        assert(path);
        memset(path, 'p', n);
        path[0] = '/';
        for (size_t i = 7; i < n - 1; i += 7)
                path[i] = filler;
        path[n] = '\0';
        return path;
}

/* Lines far longer than libinih's 200 bytes arrive whole, wherever they are cut and whatever stands
 * there; the next keeps its number. */
static void test_long_lines(void **state) {
        static const char fillers[] = "x ;#=[]\t:,";
        Etc *e = *state;

        for (size_t n = 180; n < 4190; n = n < 215 || (n >= 380 && n < 400) ? n + 1 : n + 165)
                for (const char *filler = fillers; *filler; filler++) {
                        _cleanup_free_ char *path = long_path(n, *filler), *text = NULL;

                        assert(asprintf(&text, "[Protect]\nReplica=mirror:/m\nPath=%s\nProof=x\nProof=\n",
                                        path) > 0);
                        etc_write(e, "protect.d/a.conf", text);
                        assert_complaints(etc_load(e),
                                          COMPLAINTS("ETC/protect.d/a.conf:4: error: Proof=", UNUSED_NOTE));
                        assert_int_equal(e->d.n, 2);

                        memcpy(strstr(text, "\nProof=x"), "\n#", 2);
                        etc_write(e, "protect.d/a.conf", text);
                        assert_string_equal(etc_load(e), "");
                        assert_string_equal(e->policy.protects.items[0].path, path);
                }
}

/* Lines with nowhere to cut, or too long altogether, are told and not used, not even in part. */
static void test_too_long(void **state) {
        _cleanup_free_ char *line = malloc(300000);
        Etc *e = *state;

        assert(line);
        strcpy(line, "[Bezoar]\nMode=repair\nRepairBudget=");
        memset(line + strlen(line), ' ', 250);
        strcpy(line + 34 + 250, "8/1h\n");
        etc_write(e, "bezoar.conf", line);
        assert_complaints(etc_load(e),
                          COMPLAINTS("ETC/bezoar.conf:3: error: a long line with too many spaces"));
        assert_int_equal(e->policy.budget_n, BUDGET_DEFAULT_N);
        assert_int_equal(e->policy.mode, MODE_OBSERVE);

        memset(line, 'k', 250);
        strcpy(line, "[Bezoar]\n");
        line[9] = 'k';
        strcpy(line + 250, "=1\nRepairBudget=8/1h\n");
        etc_write(e, "bezoar.conf", line);
        assert_complaints(etc_load(e), COMPLAINTS("ETC/bezoar.conf:2: error: unknown setting\n"));
        assert_int_equal(e->policy.budget_n, 8);

        strcpy(line, "[Bezoar]\nMode=");
        memset(line + 14, 'x', 5000);
        strcpy(line + 5014, "\nRepairBudget=8/1h\n");
        etc_write(e, "bezoar.conf", line);
        assert_complaints(
                etc_load(e),
                COMPLAINTS("ETC/bezoar.conf:2: error: line too long; at most 4200 bytes are allowed\n"));
        assert_int_equal(e->policy.budget_n, 8);

        memset(line, '#', 299999);
        etc_write_n(e, "bezoar.conf", line, 299999);
        assert_complaints(etc_load(e), COMPLAINTS("ETC/bezoar.conf: error: cannot be read: the file is too "
                                                  "large; at most 256K are allowed\n"));
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
}

/* A file that is something else altogether does not fill the journal. */
static void test_rubbish(void **state) {
        char rubbish[20000];
        uint32_t x = 1;
        Etc *e = *state;

        for (size_t i = 0; i < sizeof(rubbish); i++)
                rubbish[i] = (char) ((x = x * 1664525 + 1013904223) >> 24);
        etc_write_n(e, "protect.d/a.conf", rubbish, sizeof(rubbish));
        assert_complaints(etc_load(e),
                          COMPLAINTS("ETC/protect.d/a.conf:", "this and more is wrong; the rest is not told",
                                     UNUSED_NOTE));
        assert_in_range(e->d.n, 20, 22);
        for (size_t i = 0; i < e->d.n; i++)
                assert_int_equal(utf8_valid_prefix(e->d.items[i].text, strlen(e->d.items[i].text)),
                                 strlen(e->d.items[i].text));
}

/* What is no regular file is told, and a FIFO does not block; /dev/null masks; a dangling link is told. */
static void test_irregular(void **state) {
        Etc *e = *state;
        char path[512];

        (void) snprintf(path, sizeof(path), "%s/protect.d/fifo.conf", e->root);
        assert_int_equal(mkfifo(path, 0600), 0);
        (void) snprintf(path, sizeof(path), "%s/protect.d/folder.conf", e->root);
        assert_int_equal(mkdir(path, 0700), 0);
        (void) snprintf(path, sizeof(path), "%s/protect.d/masked.conf", e->root);
        assert_int_equal(symlink("/dev/null", path), 0);
        (void) snprintf(path, sizeof(path), "%s/protect.d/dangling.conf", e->root);
        assert_int_equal(symlink("/nonexistent", path), 0);
        (void) snprintf(path, sizeof(path), "%s/bezoar.conf.d/masked.conf", e->root);
        assert_int_equal(symlink("/dev/null", path), 0);
        etc_write(e, "protect.d/n\nl.conf", "[Protect]\nPath=/srv\nReplica=mirror:/m\n");
        assert_string_equal(
                etc_load(e),
                "ETC/protect.d/dangling.conf: error: cannot be read: a link to a file that is not there\n"
                "ETC/protect.d/dangling.conf" UNUSED_NOTE
                "ETC/protect.d/fifo.conf: error: cannot be read: no regular file\n"
                "ETC/protect.d/fifo.conf" UNUSED_NOTE
                "ETC/protect.d/folder.conf: error: cannot be read: no regular file\n"
                "ETC/protect.d/folder.conf" UNUSED_NOTE
                "ETC/protect.d/n?l.conf: error: its name is not valid UTF-8, or has control characters; "
                "rename it\n"
                "ETC/protect.d/n?l.conf" UNUSED_NOTE);
        assert_int_equal(e->policy.protects.n, 0);
        assert_int_equal(e->policy.mode, MODE_REPAIR);
}

/* A file that everybody may write decides what root writes: told. A folder that is none: told, and for
 * bezoar.conf.d nothing is repaired. */
static void test_permissions(void **state) {
        Etc *e = *state;
        char path[512];

        etc_write(e, "protect.d/a.conf", "[Protect]\nPath=/srv\nReplica=mirror:/m\n");
        (void) snprintf(path, sizeof(path), "%s/protect.d/a.conf", e->root);
        assert_int_equal(chmod(path, 0666), 0);
        assert_string_equal(
                etc_load(e),
                "ETC/protect.d/a.conf: warning: everybody may write to this file; chmod o-w it\n");
        assert_int_equal(e->policy.protects.n, 1);

        (void) snprintf(path, sizeof(path), "%s/bezoar.conf.d", e->root);
        assert_int_equal(rmdir(path), 0);
        etc_write(e, "bezoar.conf.d", "");
        assert_complaints(
                etc_load(e),
                COMPLAINTS("ETC/bezoar.conf.d: error: cannot be read: Not a directory\n", OBSERVE_NOTE));
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
}

/* Ten thousand protect files are read in a moment, and looked at for overlaps all the same; what is wrong
 * with one is told by its name and line, and the others are in force. */
static void test_many_protects(void **state) {
        Etc *e = *state;

        for (unsigned i = 0; i < MANY; i++) {
                char name[64], text[128];

                (void) snprintf(name, sizeof(name), "protect.d/%05u.conf", i);
                (void) snprintf(text, sizeof(text), "[Protect]\nPath=/srv/%u\nReplica=%s:/m%s",
                                i == MANY - 1 ? 17 : i, i == 500 ? "tape" : "mirror", i % 3 ? "\n" : "\r\n");
                etc_write(e, name, text);
        }
        (void) etc_load(e);
        assert_int_equal(e->d.n, 4);
        assert_complaints(e->text, COMPLAINTS("ETC/protect.d/00500.conf:3: error: Replica=",
                                              "'/srv/17' overlaps with '/srv/17' of "));
        assert_int_equal(e->policy.protects.n, MANY - 3);
        assert_string_equal(e->policy.protects.items[0].name, "00000");
        assert_string_equal(e->policy.protects.items[MANY - 4].name, "09998");
}

/* The same of drop-ins of bezoar.conf: the last that is right wins. */
static void test_many_drop_ins(void **state) {
        Etc *e = *state;

        for (unsigned i = 0; i < MANY; i++) {
                char name[64], text[128];

                (void) snprintf(name, sizeof(name), "bezoar.conf.d/%05u.conf", i);
                (void) snprintf(text, sizeof(text), "[Bezoar]\nRepairBudget=%u/1h\n%s", i + 1,
                                i == 700 ? "Colour=red\n" : "");
                etc_write(e, name, text);
        }
        etc_write(e, "bezoar.conf.d/zz.conf", "[Bezoar]\nRepairBudget=nothing");
        (void) etc_load(e);
        assert_complaints(e->text, COMPLAINTS("ETC/bezoar.conf.d/00700.conf:3: error: unknown setting",
                                              "ETC/bezoar.conf.d/zz.conf:2: error: RepairBudget="));
        assert_int_equal(e->policy.budget_n, MANY);
        assert_int_equal(e->policy.mode, MODE_OBSERVE);
}

/* Well-formed UTF-8 and nothing else. */
static void test_utf8(void **state) {
        static const struct {
                const char *text;
                size_t n, expected;
        } table[] = {
                { "", 0, 0 },
                { "a\0b", 3, 3 },
                { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, 9 },
                { "a\xc3", 2, 1 },
                { "\xc0\x80", 2, 0 },           /* not the shortest form */
                { "\xe0\x80\x80", 3, 0 },
                { "\xed\xa0\x80", 3, 0 },       /* a surrogate */
                { "\xed\x9f\xbf", 3, 3 },
                { "\xf4\x8f\xbf\xbf", 4, 4 },
                { "\xf4\x90\x80\x80", 4, 0 },   /* above U+10FFFF */
                { "\xf0\x90\x80", 3, 0 },
                { "ab\x80", 3, 2 },
                { "\xe2\x82\x41", 3, 0 },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                assert_int_equal(utf8_valid_prefix(table[i].text, table[i].n), table[i].expected);
}

#define ETC_TEST(f) cmocka_unit_test_setup_teardown(f, etc_setup, etc_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                ETC_TEST(test_empty),
                cmocka_unit_test(test_no_root),
                ETC_TEST(test_every_setting),
                ETC_TEST(test_notify_unit),
                ETC_TEST(test_shipped),
                ETC_TEST(test_shipped_defaults),
                ETC_TEST(test_drop_ins),
                ETC_TEST(test_reset_in_protect),
                ETC_TEST(test_main_problems),
                ETC_TEST(test_several_problems),
                ETC_TEST(test_observe_with_error),
                ETC_TEST(test_protect_problems),
                ETC_TEST(test_protect_useless),
                ETC_TEST(test_protect_incomplete),
                ETC_TEST(test_images),
                ETC_TEST(test_credentials),
                ETC_TEST(test_overlaps),
                ETC_TEST(test_odd_texts),
                ETC_TEST(test_nul),
                ETC_TEST(test_long_lines),
                ETC_TEST(test_too_long),
                ETC_TEST(test_rubbish),
                ETC_TEST(test_irregular),
                ETC_TEST(test_permissions),
                ETC_TEST(test_many_protects),
                ETC_TEST(test_many_drop_ins),
                cmocka_unit_test(test_utf8),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
