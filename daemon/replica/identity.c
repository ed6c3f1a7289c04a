/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Identity: a copy that has the size and the modification time of the original is a copy of what the
 * original was last. This is the test that rsync -t makes before it skips a file, with nanoseconds.
 *
 * Not every replica can keep nanoseconds, so a time that was cut off counts as the same, in two cases only:
 *
 *  - cut to 100 ns (SMB, NTFS) or to 1 us (UDF, many copying programs): a file cannot change, be copied and
 *    change again within that time.
 *
 *  - cut to whole seconds (ext3, ext4 with small inodes, HFS+), when the replica's change time has no
 *    fraction either. The replica's file system sets that itself from its clock: no fraction means that it
 *    keeps none. Within one second a file can change, be copied and change again, so the copy must have been
 *    finished in a later second (the rule that git has for its index).
 *
 * Anything coarser (FAT: two seconds) proves nothing. Neither case is weaker than to the second. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "replica/identity.h"

bool identity_same_time(const struct timespec *original, const Likeness *replica) {
        const struct timespec *m;

        assert(original);
        assert(replica);

        m = &replica->mtime;
        if (m->tv_sec != original->tv_sec)
                return false;
        if (m->tv_nsec == original->tv_nsec)
                return true;
        if (m->tv_nsec == original->tv_nsec - original->tv_nsec % 100 ||
            m->tv_nsec == original->tv_nsec - original->tv_nsec % 1000)
                return true;

        return m->tv_nsec == 0 && replica->ctime.tv_nsec == 0 && replica->ctime.tv_sec > original->tv_sec;
}

bool identity_same(const Subject *subject, const Likeness *replica) {
        assert(subject);
        assert(replica);

        return subject->size == replica->size && !subject->untimed &&
               identity_same_time(&subject->mtime, replica);
}

#define TIME_MAX 64

/* "2024-05-01 10:00:00.123456789 UTC"; a year that no calendar has as seconds since the epoch. */
static const char *format_time(const struct timespec *t, char buf[static TIME_MAX]) {
        char day[TIME_MAX / 2];
        struct tm tm;

        if (gmtime_r(&t->tv_sec, &tm) && strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm) > 0)
                (void) snprintf(buf, TIME_MAX, "%s.%09ld UTC", day, t->tv_nsec);
        else
                (void) snprintf(buf, TIME_MAX, "@%" PRIdMAX ".%09ld", (intmax_t) t->tv_sec, t->tv_nsec);
        return buf;
}

char *identity_explain(const Subject *subject, const Likeness *replica) {
        char ours[TIME_MAX], theirs[TIME_MAX], size[96] = "", time[2 * TIME_MAX + 64] = "";
        char *s;

        assert(subject);
        assert(replica);

        if (subject->size != replica->size)
                (void) snprintf(size, sizeof(size), "it has %" PRIu64 " bytes and the %s has %" PRIu64,
                                replica->size, subject->untimed ? "device" : "file", subject->size);
        if (subject->untimed)
                (void) snprintf(time, sizeof(time), "of a device there is no time to compare");
        else if (!identity_same_time(&subject->mtime, replica))
                (void) snprintf(time, sizeof(time), "it was modified at %s and the file at %s",
                                format_time(&replica->mtime, theirs), format_time(&subject->mtime, ours));

        if (asprintf(&s, "%s%s%s", size, *size && *time ? "; " : "", time) < 0)
                return NULL;
        return s;
}
