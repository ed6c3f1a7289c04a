/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The decision: from facts and policy to pages that may be rewritten, or to the reason why none may. Each
 * check below is one rule, in the order in which an operator would ask: whose bytes, is anything lost
 * (plan-owner.c), may we, from where, how. Whatever no rule allows is refused. */

#include <assert.h>
#include <stdlib.h>

#include "core/choice.h"
#include "core/plan-owner.h"
#include "core/plan-verdict.h"
#include "util/str.h"
#include "util/strv.h"

/* A replica that cannot be reached is waited for. */
static int choose_offer(const Protect *protect, const Findings *f, Plan *p) {
        _cleanup_choice_ Choice c = {};
        int r;

        if (!protect->replicas || !protect->replicas[0])
                return plan_say(p, VERDICT_REFUSE, REASON_NO_REPLICA, "protect file '%s' names none",
                                protect->name);
        if (f->offers.n == 0)
                return plan_say(p, VERDICT_WAIT, REASON_REPLICA_UNREACHABLE, "no replica has answered");

        r = choice_make(protect, f, &c);
        if (r < 0)
                return r;
        if (c.reason != REASON_NONE)
                return plan_say(p, c.reason == REASON_REPLICA_UNREACHABLE ? VERDICT_WAIT : VERDICT_REFUSE,
                                c.reason, "%s", c.detail);

        p->replica = TAKE_PTR(c.replica);
        p->proofs = c.proofs;
        return 0;
}

/* From where, by the word of an operator, who may choose among what his protect file names. */
static int take_word(const Protect *protect, const Word *word, Plan *p) {
        int r;

        if (!word_is_zeroes(word) && !strv_contains(protect->replicas, word->replica))
                return plan_say(p, VERDICT_REFUSE, REASON_NO_REPLICA,
                                "protect file '%s' does not name %s", protect->name, word->replica);

        p->by_word = true;
        r = str_copy(word->shown, &p->shown);
        return r < 0 ? r : str_copy(word->replica, &p->replica);
}

static int choose_means(const Protect *protect, const Findings *f, Plan *p) {
        const char *why = NULL;
        Reason reason = means_choose(protect, f, &p->means, &why);

        return reason == REASON_NONE ? 0 : plan_say(p, VERDICT_REFUSE, reason, "%s", why);
}

/* Facts that contradict themselves come from a bug or from a file system that moves: they are never acted
 * on. */
static bool findings_are_sane(const Findings *f) {
        uint64_t end;

        if (f->range.start >= f->range.end || !range_is_aligned(f->range, REPAIR_UNIT) || f->bad.n == 0)
                return false;
        if (f->bad.items[0].start < f->range.start || f->bad.items[f->bad.n - 1].end > f->range.end)
                return false;
        for (size_t i = 0; i < f->owners.n; i++) {
                const Owner *o = f->owners.items + i;

                if ((o->type == OWNER_FILE || o->type == OWNER_DEVICE_DAX) &&
                    (o->offset % REPAIR_UNIT != o->range.start % REPAIR_UNIT ||
                     __builtin_add_overflow(o->offset, range_size(o->range), &end)))
                        return false;
                if (o->type == OWNER_DEVICE_DAX && o->offset != o->range.start)
                        return false;
        }
        return true;
}

/* Sharers may be protected by other rules than the first one's: which of them is stricter is not for us to
 * say, and a file without a name may be one of those. Nobody's rules are no rules. */
static int judge_rules(const Policy *policy, const Findings *f, const Protect *protect, Plan *p) {
        for (size_t i = 1; i < f->owners.n; i++) {
                const char *path = f->owners.items[i].path;
                const Protect *other = path ? policy_find_path(policy, path) : NULL;

                if (!path)
                        return plan_say(p, VERDICT_REFUSE, REASON_PATH_UNKNOWN,
                                        "of a file that shares it, inode %llu",
                                        (unsigned long long) f->owners.items[i].inode);
                if (other && other != protect)
                        return plan_say(p, VERDICT_REFUSE, REASON_SHARED_EXTENT,
                                        "files that share it have two protect files, '%s' and '%s'",
                                        protect->name, other->name);
        }
        return 0;
}

/* It is data, and this protect's: from where, how, and may we now? */
static int judge_data(const Policy *policy, const Protect *protect, const Findings *f, const Owner *o,
                      const Word *word, Plan *p) {
        int r;

        r = word ? take_word(protect, word, p) : choose_offer(protect, f, p);
        if (r == 0)
                r = choose_means(protect, f, p);
        if (r != 0)
                return r;

        /* These two come last, so that they say what would be done. */
        if (f->read_only)
                return plan_say(p, VERDICT_WAIT, REASON_READ_ONLY, "would be restored from %s", p->replica);
        if (policy->mode != MODE_REPAIR)
                return plan_say(p, VERDICT_WAIT, REASON_OBSERVE, "would be restored from %s", p->replica);

        p->verdict = VERDICT_REPAIR;
        return plan_make_steps(f, o, p);
}

static int judge_file(const Policy *policy, const Findings *f, const Owner *o, const Word *word, Plan *p) {
        const Protect *protect;
        int r;

        if (!o->path)
                return plan_say(p, VERDICT_REFUSE, REASON_PATH_UNKNOWN, o->detail ? "%s" : NULL, o->detail);

        protect = policy_find_path(policy, o->path);
        if (!protect)
                return plan_say(p, VERDICT_REFUSE, REASON_NOT_PROTECTED, NULL);
        r = judge_rules(policy, f, protect, p);
        return r != 0 ? r : judge_data(policy, protect, f, o, word, p);
}

/* Whoever has mapped it may use the bytes for anything: only its protect file can say what they were. */
static int judge_device(const Policy *policy, const Findings *f, const Owner *o, const Word *word, Plan *p) {
        const Protect *protect = policy_find_owner(policy, o);

        if (!protect)
                return plan_say(p, VERDICT_REFUSE, REASON_NOT_PROTECTED, NULL);
        if (f->owners.n != 1 || o->range.end - o->range.start > f->file_size ||
            o->offset > f->file_size - (o->range.end - o->range.start))
                return plan_say(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER,
                                "it lies behind the end of the device");
        return judge_data(policy, protect, f, o, word, p);
}

/* What only a repair has is empty in every other plan, so that nobody can act on half a decision. */
static void drop_repair(Plan *p) {
        free(p->replica);
        p->replica = NULL;
        p->proofs = 0;
        p->by_word = false;
        free(p->shown);
        p->shown = NULL;
        p->means = (Means) {};
}

static int make_plan(const Policy *policy, const Findings *f, const Word *word, Plan *ret) {
        /* Until a rule says otherwise: */
        _cleanup_plan_ Plan p = { .verdict = VERDICT_WAIT, .reason = REASON_UNKNOWN_OWNER };
        const Owner *o = NULL;
        int r;

        assert(policy);
        assert(f);
        assert(ret);

        if (!findings_are_sane(f))
                r = plan_say(&p, VERDICT_WAIT, REASON_UNKNOWN_OWNER, "what was found contradicts itself");
        else {
                r = plan_judge_owner(policy, f, &p, &o);
                if (r == 0)
                        r = (o->type == OWNER_DEVICE_DAX ? judge_device : judge_file)(policy, f, o, word,
                                                                                      &p);
        }
        if (r < 0)
                return r;

        if (p.verdict != VERDICT_REPAIR)
                drop_repair(&p);
        if (verdict_acts(p.verdict))
                p.reason = REASON_NONE;

        *ret = p;
        p = (Plan) {};
        return 0;
}

int plan_make(const Policy *policy, const Findings *f, Plan *ret) {
        return make_plan(policy, f, NULL, ret);
}

int plan_make_by_word(const Policy *policy, const Findings *f, const Word *word, Plan *ret) {
        assert(word && word->replica);

        return make_plan(policy, f, word, ret);
}
