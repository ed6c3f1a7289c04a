/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as a configuration file: it is read to its end, every line is either a setting or a complaint of
 * printable text, and what comes out is within what the table allows. */
#undef NDEBUG

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/ini-text.h"
#include "service/config-table.h"
#include "service/diagnostics.h"
#include "util/strv.h"
#include "util/time-util.h"

typedef struct Input {
        Policy policy;
        Protect protect;
        Diagnostics d;
        unsigned line;
} Input;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_problem(unsigned line, const char *sentence, void *userdata) {
        Input *in = userdata;

        assert(line >= in->line);
        in->line = line;
        return diagnostics_add(&in->d, "x.conf", line, SEVERITY_ERROR, "%s", sentence);
}

static int on_setting(const IniLine *l, void *userdata) {
        const Setting *s = setting_find(l->section, l->key);
        _cleanup_free_ char *problem = NULL;
        Input *in = userdata;
        int r;

        assert(l->line > in->line);
        in->line = l->line;
        assert(strlen(l->value) <= INI_LINE_MAX);
        if (!s)
                return 0;

        r = setting_apply(s, l->value,
                          strcmp(s->section, SECTION_BEZOAR) == 0 ? (void *) &in->policy : &in->protect,
                          &problem);
        assert(r == 0 || (r == SETTING_E_INVALID && problem));
        return r == 0 ? 0 : on_problem(l->line, problem, in);
}

static void check_path(const char *path) {
        if (!path)
                return;
        assert(path[0] == '/');
        assert(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
        assert(strlen(path) == 1 || path[strlen(path) - 1] != '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input in = {};
        const IniVisitor visitor = { .setting = on_setting, .problem = on_problem, .userdata = &in };
        /* a block of exactly this size: reading beyond it is seen */
        char *text = malloc(size > 0 ? size : 1);

        assert(text);
        memcpy(text, data, size);
        policy_init(&in.policy);
        protect_init(&in.protect);
        assert(ini_text_read(text, size, &visitor) == 0);

        assert(in.policy.rescan_usec >= 10 * USEC_PER_SEC && in.policy.rescan_usec <= 24 * USEC_PER_HOUR);
        assert(in.policy.worker_timeout_usec >= USEC_PER_SEC);
        assert(in.policy.worker_timeout_usec <= USEC_PER_HOUR);
        assert(in.policy.budget_n >= 1 && in.policy.budget_usec >= USEC_PER_SEC);
        assert(in.protect.proof.n >= 1 && in.protect.exclusion.n >= 1);
        for (size_t i = 0; i < in.protect.proof.n; i++)
                assert(in.protect.proof.any_of[i] != 0);
        check_path(in.protect.path);
        check_path(in.protect.device);
        for (char **s = in.protect.replicas; s && *s; s++)
                check_path(*s + strlen("mirror:"));
        for (size_t i = 0; i < in.d.n; i++)
                for (const char *p = in.d.items[i].text; *p; p++)
                        assert((unsigned char) *p >= ' ' && *p != 0x7f);

        diagnostics_done(&in.d);
        protect_done(&in.protect);
        policy_done(&in.policy);
        free(text);
        return 0;
}
