/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as a configuration file: it is read to its end, every line is either a setting or a complaint of
 * printable text, and what comes out is within what the table allows. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica-uri.h"
#include "fuzz.h"
#include "service/config-table.h"
#include "service/diagnostics.h"
#include "util/ini-text.h"
#include "util/strv.h"
#include "util/time-util.h"

typedef struct Input {
        Policy policy;
        Protect protect;
        Diagnostics d;
        unsigned line;
} Input;

static int on_problem(unsigned line, const char *sentence, void *userdata) {
        Input *in = userdata;

        must(line >= in->line);
        in->line = line;
        return diagnostics_add(&in->d, "x.conf", line, SEVERITY_ERROR, "%s", sentence);
}

static int on_setting(const IniLine *l, void *userdata) {
        const Setting *s = setting_find(l->section, l->key);
        _cleanup_free_ char *problem = NULL;
        Input *in = userdata;
        int r;

        must(l->line > in->line);
        in->line = l->line;
        must(strlen(l->value) <= INI_LINE_MAX);
        if (!s)
                return 0;

        r = setting_apply(s, l->value,
                          strcmp(s->section, SECTION_BEZOAR) == 0 ? (void *) &in->policy : &in->protect,
                          &problem);
        must(r == 0 || (r == SETTING_E_INVALID && problem));
        return r == 0 ? 0 : on_problem(l->line, problem, in);
}

static void check_path(const char *path) {
        if (!path)
                return;
        must(path[0] == '/');
        must(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
        must(strlen(path) == 1 || path[strlen(path) - 1] != '/');
}

static void check_replica(const char *uri) {
        const char *argument = NULL;
        ReplicaKind kind = replica_kind_of(uri, &argument);

        must(kind >= 0);
        if (kind == REPLICA_MIRROR)
                check_path(argument);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input in = {};
        const IniVisitor visitor = { .setting = on_setting, .problem = on_problem, .userdata = &in };
        /* a block of exactly this size: reading beyond it is seen */
        char *text = malloc(size > 0 ? size : 1);

        must(text);
        if (size > 0)
                memcpy(text, data, size);
        policy_init(&in.policy);
        protect_init(&in.protect);
        must(ini_text_read(text, size, &visitor) == 0);

        must(in.policy.rescan_usec >= 10 * USEC_PER_SEC && in.policy.rescan_usec <= 24 * USEC_PER_HOUR);
        must(in.policy.worker_timeout_usec >= USEC_PER_SEC);
        must(in.policy.worker_timeout_usec <= USEC_PER_HOUR);
        must(in.policy.budget_n >= 1 && in.policy.budget_usec >= USEC_PER_SEC);
        must(in.protect.proof.n >= 1 && in.protect.exclusion.n >= 1);
        for (size_t i = 0; i < in.protect.proof.n; i++)
                must(in.protect.proof.any_of[i] != 0);
        check_path(in.protect.path);
        check_path(in.protect.device);
        for (char **s = in.protect.replicas; s && *s; s++)
                check_replica(*s);
        for (size_t i = 0; i < in.d.n; i++)
                for (const char *p = in.d.items[i].text; *p; p++)
                        must((unsigned char) *p >= ' ' && *p != 0x7f);

        diagnostics_done(&in.d);
        protect_done(&in.protect);
        policy_done(&in.policy);
        free(text);
        return 0;
}
