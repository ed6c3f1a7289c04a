/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first of the rules: whose bytes are they? Only data of files and of a device-dax goes on to be asked
 * about; for all else the plan is made here. */

#include <stdio.h>
#include <string.h>

#include "core/plan-owner.h"
#include "core/plan-verdict.h"
#include "util/strv.h"

/* Which file systems a guard file can be made on. */
static bool fs_has_guards(const char *fs) {
        return streq_ptr(fs, "xfs");
}

/* Free space that crashes the kernel when somebody is given it: a machine check may have left the page out
 * of the kernel's map, where nothing puts it back. XFS tells the kernel that all is well with a page that
 * nobody has mapped, and so it is taken (set_mce_nospec() after xfs_dax_notify_failure() said 0;
 * kernel-free-mce). With ext4, and below device mapper, memory_failure() fails then, as the kernel's log
 * says ("recovery action for dax page: Failed"), and the page stays. But not one that was mapped with 2 MiB,
 * and whose file was deleted since: that is as armed as any (kernel-free-pmd-ext4, park-mapper), and nobody
 * can tell which of them it is. */
static int judge_armed(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        const char *why = NULL;

        if (!fs_has_guards(f->fs))
                why = "on this file system it cannot be parked";
        else if (f->part != FS_PART_DATA)
                why = "on a realtime device it cannot be parked";
        else if (f->read_only)
                why = "it would be parked, but the file system is mounted read-only";
        else if (policy->mode != MODE_REPAIR)
                why = "it would be parked, but the daemon only observes";
        if (why)
                return plan_say(p, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT,
                                "free space, of which a page may be absent; %s", why);

        p->verdict = VERDICT_PARK;
        return plan_make_steps(f, o, p);
}

/* Free space and space that nobody has written: nothing is lost. But the kernel zeroes such a block
 * through the block layer when it is allocated or first written, and that is an oops when the page is
 * absent. Below an unwritten extent nothing can be done about it: an unwritten block cannot be cloned
 * into a guard, and must not be set free. */
static int judge_nothing_lost(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        bool free_space = o->type == OWNER_FREE;

        if (findings_page_may_be_absent(f))
                return free_space ? judge_armed(policy, f, o, p)
                                  : plan_say(p, VERDICT_WAIT, REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT, NULL);

        return plan_say(p, VERDICT_HARMLESS, free_space ? REASON_FREE : REASON_UNWRITTEN, NULL);
}

/* Our own guard. It keeps what may be absent; and the first write to it is the write that crashes the
 * kernel, so that it must be known, not likely, that the page is there. */
static int judge_guard(const Policy *policy, const Findings *f, const Owner *o, Plan *p) {
        const char *why = NULL;

        if (findings_page_may_be_absent(f))
                return plan_say(p, VERDICT_HARMLESS, REASON_PARKED, NULL);
        if (f->read_only)
                why = "the file system is mounted read-only";
        else if (policy->mode != MODE_REPAIR)
                why = "the daemon only observes";
        if (why)
                return plan_say(p, VERDICT_HARMLESS, REASON_PARKED,
                                "the page is present again; it would be cleaned, but %s", why);

        p->verdict = VERDICT_UNPARK;
        return plan_make_steps(f, o, p);
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
        int r;

        if (n > 0 && o->inode != 0)
                (void) snprintf(inode, sizeof(inode), "%s %llu",
                                n >= w && strcmp(name + n - w, "inode") == 0 ? "" : " of inode",
                                (unsigned long long) o->inode);

        why = f->mend.parts != 0 ? mend_hindrance(policy, f)
                                 : f->mended;   /* something else has the place now */
        if (f->mend.parts != 0 && !why) {
                r = plan_say(p, VERDICT_MEND, REASON_NONE, n > 0 ? "%s%s" : NULL, name, inode);
                return r < 0 ? r : plan_make_steps(f, o, p);
        }
        return plan_say(p, VERDICT_REFUSE, REASON_METADATA, n > 0 || why ? "%s%s%s%s" : NULL, name, inode,
                        n > 0 && why ? "; " : "", why ? why : "");
}

/* Files that share these bytes: what one of them can prove is right for all. Only the first one's size is
 * known here, and shared bytes are written ones. */
static int judge_sharers(const Findings *f, Plan *p) {
        for (size_t i = 0; i < f->owners.n; i++)
                if (f->owners.items[i].unwritten)
                        return plan_say(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER,
                                        "several files are said to own it, and not to have written it");
                else if (f->owners.items[i].guard)
                        return plan_say(p, VERDICT_REFUSE, REASON_SHARED_EXTENT, "a guard file shares it");
        if (f->owners.items[0].offset >= f->file_size)
                return plan_say(p, VERDICT_REFUSE, REASON_SHARED_EXTENT,
                                "it lies behind the end of the file that replicas can be asked about");
        return 0;
}

int plan_judge_owner(const Policy *policy, const Findings *f, Plan *p, const Owner **ret) {
        const Owner *o = f->owners.items;

        if (f->owners.n == 0 || !range_contains(o->range, f->range))
                return plan_say(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER, "no single owner covers the range");

        for (size_t i = 1; i < f->owners.n; i++)
                if (f->owners.items[i].type != o->type || !range_equal(f->owners.items[i].range, o->range))
                        return plan_say(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER,
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
                return plan_say(p, VERDICT_REFUSE, REASON_LOG, NULL);
        case OWNER_UNMOUNTED:
                return plan_say(p, VERDICT_WAIT, REASON_UNMOUNTED, NULL);
        case OWNER_DEVICE_DAX:
                *ret = o;
                return 0;
        case OWNER_UNKNOWN:
        case _OWNER_TYPE_MAX:
        case _OWNER_TYPE_INVALID:
        default:
                return plan_say(p, VERDICT_WAIT, REASON_UNKNOWN_OWNER, o->detail ? "%s" : NULL, o->detail);
        }
}
