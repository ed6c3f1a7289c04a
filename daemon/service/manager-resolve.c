/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an operator has decided about a case: recorded first, with who it was. A word in the place of a proof
 * makes the case be located again, at once; the plan is then made by it (manager-locate.c). */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/case-log.h"
#include "service/manager-internal.h"
#include "util/log.h"
#include "util/str.h"
#include "util/time-util.h"

/* "WHAT: WHO", as an event and in the journal. */
__attribute__((format(printf, 2, 3)))
static char *sentence(const Operator *op, const char *format, ...) {
        _cleanup_free_ char *who = operator_describe(op), *what = NULL;
        char *text;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&what, format, ap);
        va_end(ap);
        if (n < 0) {
                what = NULL;
                return NULL;
        }
        return who && asprintf(&text, "%s: %s", what, who) >= 0 ? text : NULL;
}

static int set_ignored(Tracked *t, bool ignored, const char *detail) {
        int r = case_set_ignored(t->c, ignored, detail, now_realtime());

        if (r < 0)
                return r;
        tracked_store(t);
        log_notice("Case %" PRIu64 ": %s.", t->c->id, detail);
        manager_tell(t->manager, case_changed, t->c);
        return 0;
}

static int retry(Tracked *t, const Operator *op) {
        Device *d = manager_find_device(t->manager, tracked_disk(t));

        if (t->c->ignored) {
                _cleanup_free_ char *detail = sentence(op, "an operator has said to try again");
                int r = detail ? set_ignored(t, false, detail) : -ENOMEM;

                if (r < 0)
                        return r;
        }
        t->tries = 0;
        if (d)
                d->wants_scan = true;
        tracked_want_again(t);
        return 0;
}

static int ignore(Tracked *t, const Operator *op) {
        _cleanup_free_ char *detail = NULL;

        t->wants_repair = false;
        t->retry_at = USEC_INFINITY;
        if (t->c->ignored)
                return 0;
        detail = sentence(op, "an operator has said to leave it alone");
        return detail ? set_ignored(t, true, detail) : -ENOMEM;
}

void tracked_drop_word(Tracked *t) {
        word_done(&t->word);
        free(t->c->accepted_by);
        t->c->accepted_by = NULL;
}

/* The old ones go only when the new ones are there. */
static int take_word(Tracked *t, const Word *word, const Operator *op) {
        _cleanup_word_ Word copy = {};
        _cleanup_free_ char *by = operator_describe(op);
        int r = by ? 0 : -ENOMEM;

        if (r >= 0)
                r = str_copy(word->replica, &copy.replica);
        if (r >= 0)
                r = str_copy(word->shown, &copy.shown);
        if (r < 0)
                return r;

        tracked_drop_word(t);
        t->word = copy;
        copy = (Word) {};
        free(t->c->accepted_by);
        t->c->accepted_by = TAKE_PTR(by);
        return 0;
}

static int accept_word(Tracked *t, const Word *word, const Operator *op) {
        _cleanup_free_ char *detail = NULL;
        int r;

        detail = word_is_zeroes(word)
                         ? sentence(op, "an operator has said that the lost bytes are to become zeroes")
                         : sentence(op, "an operator has said that the lost bytes are to come from %s, "
                                        "without a proof", word->replica);
        if (!detail)
                return -ENOMEM;
        r = case_note(t->c, detail, now_realtime());
        if (r >= 0)
                r = take_word(t, word, op);
        if (r < 0)
                return r;

        t->c->ignored = false;
        tracked_store(t);
        case_log_word(t->c, word, op);
        manager_tell(t->manager, case_changed, t->c);
        t->tries = 0;
        tracked_want_again(t);
        return 0;
}

bool tracked_is_for_operator(const Tracked *t) {
        CaseState s = t->c->state;

        return s == CASE_REFUSED || s == CASE_WAITING || s == CASE_FAILED || s == CASE_IN_DOUBT;
}

int manager_resolve(Manager *m, uint64_t id, const Resolution *resolution, const Operator *op) {
        Tracked *t = manager_find_tracked(m, id);
        int r;

        if (!t)
                return manager_find_case(m, id) ? MANAGER_E_CLOSED : MANAGER_E_NO_SUCH_CASE;
        if (case_state_is_closed(t->c->state))
                return MANAGER_E_CLOSED;
        if (t->busy)
                return MANAGER_E_BUSY;
        if (m->stopping)
                return MANAGER_E_STOPPING;
        if (resolution->action != RESOLVE_RETRY && !tracked_is_for_operator(t))
                return MANAGER_E_NOT_APPLICABLE;

        switch (resolution->action) {
        case RESOLVE_RETRY:
                r = retry(t, op);
                break;
        case RESOLVE_IGNORE:
                r = ignore(t, op);
                break;
        case RESOLVE_WORD:
        default:
                if (!resolution->word.shown)
                        return MANAGER_E_NOT_SHOWN;
                if (m->policy.mode != MODE_REPAIR)
                        return MANAGER_E_OBSERVING;
                if (!t->listed)
                        return MANAGER_E_NOT_APPLICABLE;
                r = accept_word(t, &resolution->word, op);
        }
        manager_poke(m);
        return r;
}
