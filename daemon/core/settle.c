/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of an intent that a crash left behind. The page is the file's, or not; poisoned, or
 * cleared; and when it was cleared, the bytes of the intent have arrived, or have not, or somebody has
 * stored newer ones since. Who wrote last is told by what the kernel does:
 *
 * - It clears a page, and then copies (drivers/nvdimm/pmem.c, pmem_recovery_write()). SIGKILL does not
 *   come in between: within one boot a write that has begun ends, or fails with EFAULT because the page
 *   is not present. Only a machine that stopped leaves "cleared, and not copied" behind.
 * - A write(2), and the first store through a mapping since its page was last clean, move the mtime.
 *   Later stores through that mapping do not, and a program that makes its stores durable by itself
 *   (MAP_SYNC) never lets the page become clean. After a reboot all mappings are new. So an mtime that
 *   has not moved says that nobody has stored since the reboot; of stores in the boot of the write it
 *   says nothing.
 *
 * - Under a lease nobody but the worker had the file open, so nobody stored between the write and the
 *   crash ("alone").
 *
 * - Of a device-dax it is the worker that clears and then copies, and SIGKILL does come in between. In
 *   between it notes what clearing has left in the bad sectors: as long as that stands there, nobody has
 *   stored to them ("left").
 *
 * Hence the page is written only where the copy can be missing (another boot), nobody can have stored
 * since (alone, not modified), and every byte that was good is as it was; and never into a block that has
 * become another file's as well (shared): that is in-doubt instead. Where it is known that nobody has stored
 * (left), the bad sectors are written, and nothing else. The table, from top to bottom; "-" is either:
 *
 *     owned listed read   good  bad   left modified same alone shared what
 *                         equal equal               boot
 *     no    no     -      -     -     -    -        no   -     -      in-doubt   heir, see below
 *     no    -      -      -     -     -    -        -    -     -      forget     no longer this file's
 *     yes   yes    -      -     -     -    -        -    -     -      repair     still poisoned
 *     yes   no     poison -     -     -    -        -    -     -      repair
 *     yes   no     absent yes   yes   -    -        -    -     no     revive     nothing can be lost
 *     yes   no     absent -     -     -    no       -    -     no     revive     it could not be copied
 *     yes   no     absent -     -     -    -        -    -     -      in-doubt   stored by a mapping?
 *     yes   no     ok     -     yes   -    -        -    -     -      forget     good ones may be newer
 *     yes   no     ok     -     no    yes  -        -    -     -      write      nobody has stored to it
 *     yes   no     ok     -     no    no   yes      yes  -     -      superseded ended or not begun: newer
 *     yes   no     ok     yes   no    no   no       no   yes   no     write      cleared and not copied
 *     yes   no     ok     -     no    -    -        -    -     -      in-doubt   all the rest
 *
 * A block that was cleared and not copied may have been shared, and may be shared no longer because somebody
 * has since written to the file of the intent, which has another block now: the one that still has the old
 * one has neither its data nor an error. It is known by its good bytes (heir). Of that file nobody knows
 * whether it was modified since: nothing is written, but it is told.
 *
 * Where a hole was to be punched, the file may not own the block any more, or own it and find zeroes: that
 * is asked first. Right bytes, wherever they are: the write has ended. Zeroes, in a file that nobody has
 * modified and had open: write. Else, where the block is not the file's any more, other bytes that somebody
 * has written: superseded; and what is left is in doubt.
 *
 * The rest is: bad bytes differ in the same boot, and the file is not modified (a store through an old
 * mapping, or a copy that an oops cut short); bad bytes differ after a reboot, and the file is modified
 * (newer bytes, or the copy is missing and somebody wrote elsewhere in the file); good bytes differ as
 * well, and nobody has modified the file. */

#include <assert.h>

#include "core/settle.h"
#include "util/str.h"

static const char *const settle_table[_SETTLE_MAX] = {
        [SETTLE_FORGET] = "forget",
        [SETTLE_REPAIR] = "repair",
        [SETTLE_REVIVE] = "revive",
        [SETTLE_WRITE] = "write",
        [SETTLE_SUPERSEDED] = "superseded",
        [SETTLE_IN_DOUBT] = "in-doubt",
};

/* _SETTLE_INVALID: that it was punched makes no difference. */
static Settle decide_punched(const SettleFacts *f) {
        if (f->owned && (f->listed || f->read != SETTLE_READ_OK))
                return _SETTLE_INVALID;
        if (f->read != SETTLE_READ_OK)
                return SETTLE_IN_DOUBT;
        if (f->good_equal && f->bad_equal)
                return SETTLE_FORGET;
        if (f->blank && !f->modified && f->alone && !f->shared)
                return SETTLE_WRITE;
        if (f->owned)
                return _SETTLE_INVALID;
        return f->modified && !f->blank ? SETTLE_SUPERSEDED : SETTLE_IN_DOUBT;
}

Settle settle_decide(const SettleFacts *f) {
        assert(f);

        if (f->punch) {
                Settle s = decide_punched(f);

                if (s != _SETTLE_INVALID)
                        return s;
        }
        if (!f->owned)
                return f->heir && !f->listed && !f->same_boot ? SETTLE_IN_DOUBT : SETTLE_FORGET;
        if (f->listed || f->read == SETTLE_READ_POISON)
                return SETTLE_REPAIR;
        if (f->read == SETTLE_READ_ABSENT)
                return !f->shared && (!f->modified || (f->good_equal && f->bad_equal)) ? SETTLE_REVIVE
                                                                                       : SETTLE_IN_DOUBT;

        if (f->bad_equal)
                return SETTLE_FORGET;
        if (f->left)
                return SETTLE_WRITE;
        if (f->same_boot)
                return f->modified ? SETTLE_SUPERSEDED : SETTLE_IN_DOUBT;
        return f->good_equal && !f->modified && f->alone && !f->shared ? SETTLE_WRITE : SETTLE_IN_DOUBT;
}

const char *settle_to_string(Settle s) {
        return str_at(settle_table, _SETTLE_MAX, (int) s);
}
