/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lost metadata is for the repair tool of its file system, which wants the file system unmounted and the
 * poison gone: it must be able to read, and write, what it mends. The order matters more than the commands:
 * a machine check may have taken the page, and writing it then crashes the kernel; and xfs_repair -L throws
 * away what the journal still has. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/remedy.h"
#include "util/str.h"
#include "util/strv.h"

typedef struct Tool {
        const char *fs;
        const char *look;       /* what it would do, writing nothing; takes the device */
        const char *mend;
        const char *instead;    /* what not to do */
        bool clears;            /* it writes over what it cannot read, which clears the poison */
} Tool;

static const Tool tools[] = {
        { "xfs", "xfs_repair -n", "xfs_repair",
          "Do not begin with 'xfs_repair -L': it throws away what the journal still has", false },
        { "ext4", "e2fsck -f -n", "e2fsck -f",
          "Answer yes where it asks to ignore the error and to force a rewrite", true },
};

static const Tool *tool_for(const Volume *v) {
        for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
                if (streq_ptr(tools[i].fs, v->fs))
                        return tools + i;
        return NULL;
}

/* Where a command takes a name that a shell would take apart, the name is for a person to put in. */
static const char *shown(const char *name, const char *otherwise) {
        return name && name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                         "/._-+:,@")] == '\0' ? name : otherwise;
}

static const char *fs_device(const Volume *v) {
        return shown(v->fs_device ? v->fs_device : v->device, "DEVICE");
}

/* xfs_repair wants to be told what else there is than the file system's own device. */
static void put_part(FILE *f, const Volume *v) {
        static const char *const options[_FS_PART_MAX] = { [FS_PART_LOG] = "-l", [FS_PART_REALTIME] = "-r" };

        if (options[v->part] && streq_ptr(v->fs, "xfs"))
                fprintf(f, " %s %s", options[v->part],
                        shown(v->part_device ? v->part_device : v->device, "DEVICE"));
}

static void put_unmount(FILE *f, const Case *c) {
        fprintf(f, "Save what can still be read and unmount it ('umount %s'); if a machine check found the "
                   "poison, reboot then without mounting it (writing to a page that is absent crashes the "
                   "kernel). ", shown(c->volume.mountpoint, "MOUNTPOINT"));
}

static void put_clear(FILE *f, const Case *c) {
        fputs("Clear the poison, which is zeroed", f);
        for (size_t i = 0; i < c->bad.n && i < 4; i++)
                fprintf(f, "%s 'dd if=/dev/zero of=%s bs=512 seek=%" PRIu64 " count=%" PRIu64
                           " oflag=direct conv=notrunc'", i > 0 ? "," : ":",
                        shown(c->volume.device, "DEVICE"), c->bad.items[i].start / SECTOR_SIZE,
                        range_size(c->bad.items[i]) / SECTOR_SIZE);
        if (c->bad.n > 4)
                fputs(", and the other sectors in the same way", f);
        fputs(". ", f);
}

static void put_metadata(FILE *f, const Case *c, const Tool *t) {
        const Owner *o = c->owners.n > 0 ? c->owners.items : NULL;
        const char *device = fs_device(&c->volume);

        if (o && o->inode != 0)
                fprintf(f, "'find %s -xdev -inum %" PRIu64 "' names what is damaged. ",
                        shown(c->volume.mountpoint, "MOUNTPOINT"), o->inode);
        put_unmount(f, c);
        if (!t->clears)
                put_clear(f, c);
        fprintf(f, "Look with '%s", t->look);
        put_part(f, &c->volume);
        fprintf(f, " %s' and mend with '%s", device, t->mend);
        put_part(f, &c->volume);
        fprintf(f, " %s', never while it is mounted. %s.", device, t->instead);
}

/* A clean journal is not read: what is lost of it matters only after a crash. */
static void put_log(FILE *f, const Case *c, const Tool *t) {
        put_unmount(f, c);
        fprintf(f, "If it was unmounted cleanly, mount it again: nothing in the journal is needed then. If "
                   "mounting fails, give up the last changes with '%s%s", t->mend,
                streq_ptr(t->fs, "xfs") ? " -L" : "");
        put_part(f, &c->volume);
        fprintf(f, " %s'.", fs_device(&c->volume));
}

int remedy_make(const Case *c, char **ret) {
        const Tool *t = tool_for(&c->volume);
        char *text = NULL;
        size_t size;
        FILE *f;

        assert(c);
        assert(ret);

        if ((c->reason != REASON_METADATA && c->reason != REASON_LOG) || !t)
                return str_copy(c->reason == REASON_NONE ? NULL : reason_advice(c->reason), ret);

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        (c->reason == REASON_METADATA ? put_metadata : put_log)(f, c, t);
        if (ferror(f) | (fclose(f) == EOF)) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
