/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The decision: from facts and policy to pages that may be rewritten, or to the reason why none may. Each
 * check below is one rule, in the order in which an operator would ask: whose bytes, is anything lost,
 * may we, from where, how. Whatever no rule allows is refused. */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/choice.h"
#include "core/plan.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->steps.n; i++)
                rangeset_done(&p->steps.items[i].bad);
        vec_done(&p->steps);
        free(p->detail);
        free(p->replica);
        free(p->shown);
        *p = (Plan) {};
}

static const char *const verdict_table[_VERDICT_MAX] = {
        [VERDICT_REPAIR] = "repair",
        [VERDICT_PARK] = "park",
        [VERDICT_UNPARK] = "unpark",
        [VERDICT_MEND] = "mend",
        [VERDICT_HARMLESS] = "harmless",
        [VERDICT_REFUSE] = "refuse",
        [VERDICT_WAIT] = "wait",
};

bool verdict_acts(Verdict v) {
        return v == VERDICT_REPAIR || v == VERDICT_PARK || v == VERDICT_UNPARK || v == VERDICT_MEND;
}

const char *verdict_to_string(Verdict v) {
        return v >= 0 && v < _VERDICT_MAX ? verdict_table[v] : NULL;
}

Verdict verdict_from_string(const char *s) {
        for (Verdict v = 0; s && v < _VERDICT_MAX; v++)
                if (streq_ptr(verdict_table[v], s))
                        return v;
        return _VERDICT_INVALID;
}

enum {
        _JUDGE_GO_ON,

        JUDGE_DONE,             /* the verdict is in the plan */
};

/* JUDGE_DONE or -ENOMEM. */
__attribute__((format(printf, 4, 5)))
static int verdict(Plan *p, Verdict v, Reason reason, const char *format, ...) {
        p->verdict = v;
        p->reason = reason;

        if (format) {
                va_list ap;
                int n;

                va_start(ap, format);
                n = vasprintf(&p->detail, format, ap);
                va_end(ap);
                if (n < 0) {
                        p->detail = NULL;
                        return -ENOMEM;
                }
        }
        return JUDGE_DONE;
}

static int make_steps(const Findings *f, const Owner *o, Plan *p) {
        for (uint64_t at = f->range.start; at < f->range.end; at += REPAIR_UNIT) {
                Step s = { .range = { at, at + REPAIR_UNIT } };
                int r;

                if (!rangeset_overlaps(&f->bad, s.range))
                        continue;

                if (o->type == OWNER_FILE || o->type == OWNER_DEVICE_DAX)
                        s.offset = o->offset + (at - o->range.start);
                r = rangeset_clip(&f->bad, s.range, &s.bad);
                if (r >= 0)
                        r = vec_push(&p->steps, s);
                if (r < 0) {
                        rangeset_done(&s.bad);
                        return r;
                }
        }
        return JUDGE_DONE;
}

/* May a machine check in a page that nobody has mapped leave it out of the kernel's map, where nothing puts
 * it back? XFS tells the kernel that all is well with such a page, and so it does (set_mce_nospec() after
 * xfs_dax_notify_failure() said 0; kernel-free-mce). With ext4 memory_failure() fails, as the kernel's log
 * says ("recovery action for dax page: Failed"), and the page stays. */
static bool fs_arms_pages(const char *fs) {
        return !streq_ptr(fs, "ext4");
}

/* Which file systems a guard file can be made on. */
static bool fs_has_guards(const char *fs) {
        return streq_ptr(fs, "xfs");
}

/* Free space that crashes the kernel when somebody is given it. */
static int judge_armed(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        const char *why = NULL;

        if (!fs_has_guards(f->fs))
                why = "on this file system it cannot be parked";
        else if (f->read_only)
                why = "it would be parked, but the file system is mounted read-only";
        else if (policy->mode != MODE_REPAIR)
                why = "it would be parked, but the daemon only observes";
        if (why)
                return verdict(p, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT,
                               "free space, of which a page may be absent; %s", why);

        p->verdict = VERDICT_PARK;
        return make_steps(f, o, p);
}

/* Free space and space that nobody has written: nothing is lost. But the kernel zeroes such a block
 * through the block layer when it is allocated or first written, and that is an oops when the page is
 * absent. Below an unwritten extent nothing can be done about it: an unwritten block cannot be cloned
 * into a guard, and must not be set free. */
static int judge_nothing_lost(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        bool free_space = o->type == OWNER_FREE;

        if (findings_page_may_be_absent(f) && fs_arms_pages(f->fs))
                return free_space ? judge_armed(policy, f, o, p)
                                  : verdict(p, VERDICT_WAIT, REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT, NULL);

        return verdict(p, VERDICT_HARMLESS, free_space ? REASON_FREE : REASON_UNWRITTEN, NULL);
}

/* Our own guard. It keeps what may be absent; and the first write to it is the write that crashes the
 * kernel, so that it must be known, not likely, that the page is there. */
static int judge_guard(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        const char *why = NULL;

        if (findings_page_may_be_absent(f))
                return verdict(p, VERDICT_HARMLESS, REASON_PARKED, NULL);
        if (f->read_only)
                why = "the file system is mounted read-only";
        else if (policy->mode != MODE_REPAIR)
                why = "the daemon only observes";
        if (why)
                return verdict(p, VERDICT_HARMLESS, REASON_PARKED,
                               "the page is present again; it would be cleaned, but %s", why);

        p->verdict = VERDICT_UNPARK;
        return make_steps(f, o, p);
}

/* Metadata that the file system could rebuild by itself: why that is not to be tried. NULL: it is. Where the
 * page may be absent, a rebuild would set its block free, or write to it. */
static const char *mend_hindrance(const Policy *policy, const Findings *f) {
        if (f->mended)
                return f->mended;
        if (f->owners.n != 1)
                return "it has several owners";
        if (findings_page_may_be_absent(f))
                return "the file system could rebuild it, but its page may be absent";
        if (f->read_only)
                return "the file system could rebuild it, but is mounted read-only";
        if (policy->mode != MODE_REPAIR)
                return "the file system could rebuild it, but the daemon only observes";
        return NULL;
}

/* The structure by its name, so that a person knows what is at stake. */
static int judge_metadata(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        const char *name = o->detail ? o->detail : "", *why = NULL;
        size_t n = strlen(name), w = strlen("inode");
        char inode[32] = "";

        if (f->mend.parts != 0) {
                why = mend_hindrance(policy, f);
                if (!why) {
                        p->verdict = VERDICT_MEND;
                        return make_steps(f, o, p);
                }
        } else
                why = f->mended;        /* something else has the place now */

        if (n > 0 && o->inode != 0)
                (void) snprintf(inode, sizeof(inode), "%s %llu",
                                n >= w && strcmp(name + n - w, "inode") == 0 ? "" : " of inode",
                                (unsigned long long) o->inode);
        return verdict(p, VERDICT_REFUSE, REASON_METADATA, n > 0 || why ? "%s%s%s%s" : NULL, name, inode,
                       n > 0 && why ? "; " : "", why ? why : "");
}

/* Files that share these bytes: what one of them can prove is right for all. Only the first one's size is
 * known here, and shared bytes are written ones. */
static int judge_sharers(const Findings *f, Plan *p) {
        for (size_t i = 0; i < f->owners.n; i++)
                if (f->owners.items[i].unwritten)
                        return verdict(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER,
                                       "several files are said to own it, and not to have written it");
                else if (f->owners.items[i].guard)
                        return verdict(p, VERDICT_REFUSE, REASON_SHARED_EXTENT, "a guard file shares it");
        if (f->owners.items[0].offset >= f->file_size)
                return verdict(p, VERDICT_REFUSE, REASON_SHARED_EXTENT,
                               "it lies behind the end of the file that replicas can be asked about");
        return 0;
}

/* Who owns the range decides whether it is ours to write at all. 0: it is written data of a file, *ret, and
 * perhaps of others that share it, or of a device-dax. */
static int judge_owner(const Policy *policy, const Findings *f, Plan *p, const Owner **ret) {
        const Owner *o = f->owners.items;

        if (f->owners.n == 0 || !range_contains(o->range, f->range))
                return verdict(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER, "no single owner covers the range");

        for (size_t i = 1; i < f->owners.n; i++)
                if (f->owners.items[i].type != o->type || !range_equal(f->owners.items[i].range, o->range))
                        return verdict(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER,
                                       "owners of different kinds share a page");

        switch (o->type) {
        case OWNER_FILE:
                *ret = o;
                if (f->owners.n > 1)
                        return judge_sharers(f, p);
                if (o->guard)
                        return judge_guard(policy, f, o, p);
                return o->unwritten || o->offset >= f->file_size ? judge_nothing_lost(policy, f, o, p) : 0;
        case OWNER_FREE:
                return judge_nothing_lost(policy, f, o, p);
        case OWNER_METADATA:
                return judge_metadata(policy, f, o, p);
        case OWNER_LOG:
                return verdict(p, VERDICT_REFUSE, REASON_LOG, NULL);
        case OWNER_UNMOUNTED:
                return verdict(p, VERDICT_WAIT, REASON_UNMOUNTED, NULL);
        case OWNER_DEVICE_DAX:
                *ret = o;
                return 0;
        case OWNER_UNKNOWN:
        case _OWNER_TYPE_MAX:
        case _OWNER_TYPE_INVALID:
        default:
                return verdict(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER, o->detail ? "%s" : NULL, o->detail);
        }
}

/* A replica that cannot be reached is waited for. */
static int choose_offer(const Protect *protect, const Findings *f, Plan *p) {
        _cleanup_choice_ Choice c = {};
        int r;

        if (!protect->replicas || !protect->replicas[0])
                return verdict(p, VERDICT_REFUSE, REASON_NO_REPLICA, "protect file '%s' names none",
                               protect->name);
        if (f->offers.n == 0)
                return verdict(p, VERDICT_WAIT, REASON_REPLICA_UNREACHABLE, "no replica has answered");

        r = choice_make(protect, f, &c);
        if (r < 0)
                return r;
        if (c.reason != REASON_NONE)
                return verdict(p, c.reason == REASON_REPLICA_UNREACHABLE ? VERDICT_WAIT : VERDICT_REFUSE,
                               c.reason, "%s", c.detail);

        p->replica = TAKE_PTR(c.replica);
        p->proofs = c.proofs;
        return 0;
}

/* From where, by the word of an operator, who may choose among what his protect file names. */
static int take_word(const Protect *protect, const Word *word, Plan *p) {
        int r;

        if (!word_is_zeroes(word) && !strv_contains(protect->replicas, word->replica))
                return verdict(p, VERDICT_REFUSE, REASON_NO_REPLICA,
                               "protect file '%s' does not name %s", protect->name, word->replica);

        p->by_word = true;
        r = str_copy(word->shown, &p->shown);
        return r < 0 ? r : str_copy(word->replica, &p->replica);
}

static int choose_means(const Protect *protect, const Findings *f, Plan *p) {
        const char *why = NULL;
        Reason reason = means_choose(protect, f, &p->means, &why);

        return reason == REASON_NONE ? 0 : verdict(p, VERDICT_REFUSE, reason, "%s", why);
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
                        return verdict(p, VERDICT_REFUSE, REASON_PATH_UNKNOWN,
                                       "of a file that shares it, inode %llu",
                                       (unsigned long long) f->owners.items[i].inode);
                if (other && other != protect)
                        return verdict(p, VERDICT_REFUSE, REASON_SHARED_EXTENT,
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
                return verdict(p, VERDICT_WAIT, REASON_READ_ONLY, "would be restored from %s", p->replica);
        if (policy->mode != MODE_REPAIR)
                return verdict(p, VERDICT_WAIT, REASON_OBSERVE, "would be restored from %s", p->replica);

        p->verdict = VERDICT_REPAIR;
        return make_steps(f, o, p);
}

static int judge_file(const Policy *policy, const Findings *f, const Owner *o, const Word *word, Plan *p) {
        const Protect *protect;
        int r;

        if (!o->path)
                return verdict(p, VERDICT_REFUSE, REASON_PATH_UNKNOWN, o->detail ? "%s" : NULL, o->detail);

        protect = policy_find_path(policy, o->path);
        if (!protect)
                return verdict(p, VERDICT_REFUSE, REASON_NOT_PROTECTED, NULL);
        r = judge_rules(policy, f, protect, p);
        return r != 0 ? r : judge_data(policy, protect, f, o, word, p);
}

/* Whoever has mapped it may use the bytes for anything: only its protect file can say what they were. */
static int judge_device(const Policy *policy, const Findings *f, const Owner *o, const Word *word, Plan *p) {
        const Protect *protect = policy_find_owner(policy, o);

        if (!protect)
                return verdict(p, VERDICT_REFUSE, REASON_NOT_PROTECTED, NULL);
        if (f->owners.n != 1 || o->range.end - o->range.start > f->file_size ||
            o->offset > f->file_size - (o->range.end - o->range.start))
                return verdict(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER,
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
                r = verdict(&p, VERDICT_WAIT, REASON_UNKNOWN_OWNER, "what was found contradicts itself");
        else {
                r = judge_owner(policy, f, &p, &o);
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
