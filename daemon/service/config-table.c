/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of settings, and a parser for each kind of value. Parsers say why they refuse where the words
 * in `allowed` would not make it plain. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica-uri.h"
#include "service/config-table.h"
#include "util/parse.h"
#include "util/path.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/utf8.h"

/* How much of a value is quoted in a complaint about it. */
#define QUOTE_MAX 80

#define UNIT_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\"
#define TEMPLATE_MAX (255 - 20)         /* the longest unit name, less the longest case number */

static void *field(const Setting *s, void *object) {
        return (char *) object + s->offset;
}

static int parse_mode(const Setting *s, const char *value, void *object, const char **ret_why) {
        int mode = *value ? (int) mode_from_string(value) : MODE_REPAIR;

        if (mode < 0)
                return mode;
        *(Mode *) field(s, object) = (Mode) mode;
        return 0;
}

static int parse_span(const Setting *s, const char *value, void *object, const char **ret_why) {
        uint64_t usec;
        Policy p;
        int r;

        policy_init(&p);
        usec = *(uint64_t *) field(s, &p);
        r = *value ? parse_usec(value, &usec) : 0;
        if (r < 0)
                return r;
        if (usec < s->min || usec > s->max)
                return -ERANGE;
        *(uint64_t *) field(s, object) = usec;
        return 0;
}

static int parse_budget(const Setting *s, const char *value, void *object, const char **ret_why) {
        Policy *p = object;

        if (*value)
                return budget_parse(value, &p->budget_n, &p->budget_usec);
        p->budget_n = BUDGET_DEFAULT_N;
        p->budget_usec = BUDGET_DEFAULT_USEC;
        return 0;
}

static int parse_page_budget(const Setting *s, const char *value, void *object, const char **ret_why) {
        Policy *p = object;

        if (*value)
                return budget_parse(value, &p->page_budget_n, &p->page_budget_usec);
        p->page_budget_n = PAGE_BUDGET_DEFAULT_N;
        p->page_budget_usec = PAGE_BUDGET_DEFAULT_USEC;
        return 0;
}

static int parse_reserve(const Setting *s, const char *value, void *object, const char **ret_why) {
        ParkReserve *f = field(s, object);

        if (*value)
                return park_reserve_parse(value, f);
        *f = PARK_RESERVE_DEFAULT;
        return 0;
}

/* The characters are those of systemd.unit(5); the instance is to be the number of a case. */
static int parse_template(const Setting *s, const char *value, void *object, const char **ret_why) {
        size_t n = strlen(value), stem = n - strlen("@.service");
        char **f = field(s, object), *copy;

        if (*value && (n <= strlen("@.service") || strcmp(value + stem, "@.service") != 0)) {
                *ret_why = "it is no template";
                return -EINVAL;
        }
        if (n > TEMPLATE_MAX || (*value && strspn(value, UNIT_NAME_CHARACTERS) != stem)) {
                *ret_why = "no unit can have this name";
                return -EINVAL;
        }

        copy = *value ? strdup(value) : NULL;
        if (*value && !copy)
                return -ENOMEM;
        free(*f);
        *f = copy;
        return 0;
}

/* One protect file holds one path: a second one would leave the first without protection, in silence. */
static int replace_path(const Setting *s, void *object, char *path, const char **ret_why) {
        char **f = field(s, object);

        if (path && *f) {
                free(path);
                *ret_why = "it was given before, and a protect file holds one; make a file for each";
                return -EINVAL;
        }
        free(*f);
        *f = path;
        return 0;
}

static int parse_path(const Setting *s, const char *value, void *object, const char **ret_why) {
        char *path = NULL;
        int r;

        r = *value ? path_make(value, &path, ret_why) : 0;
        if (r < 0)
                return r;
        return replace_path(s, object, path, ret_why);
}

static int parse_device(const Setting *s, const char *value, void *object, const char **ret_why) {
        if (*value && strncmp(value, "/dev/", 5) != 0) {
                *ret_why = "it does not begin with '/dev/'";
                return -EINVAL;
        }
        return parse_path(s, value, object, ret_why);
}

static int parse_replica(const Setting *s, const char *value, void *object, const char **ret_why) {
        _cleanup_free_ char *replica = NULL;
        char ***f = field(s, object);
        int r;

        if (!*value) {
                *f = strv_free(*f);
                return 0;
        }

        r = replica_uri_make(value, &replica, ret_why);
        if (r < 0)
                return r;
        if (strv_contains(*f, replica)) {
                *ret_why = "it was given before";
                return -EINVAL;
        }
        return strv_extend(f, replica);
}

static int parse_proof(const Setting *s, const char *value, void *object, const char **ret_why) {
        ProofPolicy *f = field(s, object);

        if (*value)
                return proof_policy_parse(value, f);
        *f = PROOF_POLICY_DEFAULT;
        return 0;
}

static int parse_exclusion(const Setting *s, const char *value, void *object, const char **ret_why) {
        ExclusionList *f = field(s, object);
        Protect p;

        if (*value)
                return exclusion_list_parse(value, f);
        protect_init(&p);
        *f = p.exclusion;
        return 0;
}

static int parse_writer(const Setting *s, const char *value, void *object, const char **ret_why) {
        int writer = *value ? (int) writer_from_string(value) : WRITER_AUTO;

        if (writer < 0)
                return writer;
        if (writer != WRITER_AUTO && writer != WRITER_PWRITE && writer != WRITER_REVIVE &&
            writer != WRITER_BLOCK && writer != WRITER_CLONE && writer != WRITER_CLEAR &&
            writer != WRITER_PUNCH) {
                *ret_why = "this writer is not supported by this version";
                return -EINVAL;
        }
        *(WriterKind *) field(s, object) = (WriterKind) writer;
        return 0;
}

#define POLICY(member) offsetof(Policy, member)
#define PROTECT(member) offsetof(Protect, member)

const Setting setting_table[] = {
        { SECTION_BEZOAR, "Mode", parse_mode, POLICY(mode), 0, 0, "repair or observe" },
        { SECTION_BEZOAR, "RescanIntervalSec", parse_span, POLICY(rescan_usec), 10 * USEC_PER_SEC,
          24 * USEC_PER_HOUR, "a time span from 10s to 1d, such as 15min" },
        { SECTION_BEZOAR, "WorkerTimeoutSec", parse_span, POLICY(worker_timeout_usec), USEC_PER_SEC,
          USEC_PER_HOUR, "a time span from 1s to 1h, such as 2min" },
        { SECTION_BEZOAR, "RepairBudget", parse_budget, POLICY(budget_n), 0, 0,
          "N/T, at most N repairs (from 1) in the time T (from 1s), such as 512/1h" },
        { SECTION_BEZOAR, "PageBudget", parse_page_budget, POLICY(page_budget_n), 0, 0,
          "N/T, at most N repairs (from 1) of the same page in the time T (from 1s), such as 3/1h" },
        { SECTION_BEZOAR, "ParkReserve", parse_reserve, POLICY(park_reserve), 0, 0,
          "a part of the file system, such as 1%, or a size, such as 64M" },
        { SECTION_BEZOAR, "NotifyUnit", parse_template, POLICY(notify_unit), 0, 0,
          "the name of one template unit, NAME@.service, such as bezoar-mail@.service" },
        { SECTION_PROTECT, "Path", parse_path, PROTECT(path), 0, 0,
          "one absolute path of a folder or file, such as /srv/pmem/db" },
        { SECTION_PROTECT, "Device", parse_device, PROTECT(device), 0, 0,
          "one device-dax node, such as /dev/dax0.0" },
        { SECTION_PROTECT, "Replica", parse_replica, PROTECT(replicas), 0, 0,
          "mirror:FOLDER, block:DEVICE[@OFFSET], nbd:URI, http://… or https://…, exec:PROGRAM [ARGUMENT…], "
          "with absolute paths, such as mirror:/srv/mirror/db" },
        { SECTION_PROTECT, "Proof", parse_proof, PROTECT(proof), 0, 0,
          "seal, identity, neighbours and quorum, joined by + where all of them are needed and by , where "
          "one of them is enough" },
        { SECTION_PROTECT, "Exclusion", parse_exclusion, PROTECT(exclusion), 0, 0,
          "lease, freeze and optimistic, joined by , in the order of trying" },
        { SECTION_PROTECT, "Writer", parse_writer, PROTECT(writer), 0, 0,
          "auto, pwrite, revive, block, clone, clear or punch" },
        {}
};

const Setting *setting_find(const char *section, const char *key) {
        for (const Setting *s = setting_table; s->section; s++)
                if (strcmp(s->section, section) == 0 && strcmp(s->key, key) == 0)
                        return s;
        return NULL;
}

int setting_apply(const Setting *s, const char *value, void *object, char **ret_problem) {
        size_t n = strlen(value), quoted = utf8_valid_prefix(value, n < QUOTE_MAX ? n : QUOTE_MAX);
        const char *why = NULL;
        char *problem;
        int r;

        assert(s);
        assert(object);
        assert(ret_problem);

        r = s->parse(s, value, object, &why);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (!why && r == -ERANGE)
                why = "it is out of range";

        if (asprintf(&problem, "%s= cannot be '%.*s%s'%s%s; allowed is %s", s->key, (int) quoted, value,
                     quoted < n ? "…" : "", why ? ": " : "", why ? why : "", s->allowed) < 0)
                return -ENOMEM;
        *ret_problem = problem;
        return SETTING_E_INVALID;
}
