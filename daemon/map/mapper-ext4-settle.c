/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From what an inode claims to an owner. Data of a file is asked of the file itself, opened by inode and
 * generation. Whatever is metadata cannot be asked; there the inode is read again, and what it no longer
 * claims is dropped. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "map/mapper-ext4.h"

/* What `claims` of kind CLAIM_DATA are. NULL: a file's data, as far as the inode tells. */
static const char *describe_data(struct ext2_super_block *super, uint32_t number,
                                 const struct ext2_inode_large *inode, OwnerType *ret_type) {
        *ret_type = OWNER_METADATA;
        if (number == EXT2_BAD_INO) {
                *ret_type = OWNER_UNKNOWN;
                return "blocks that the file system was told are bad";
        }
        if (number == super->s_journal_inum && ext2fs_has_feature_journal(super)) {
                *ret_type = OWNER_LOG;
                return "journal";
        }
        if (S_ISDIR(inode->i_mode))
                return "directory";
        if (S_ISLNK(inode->i_mode))
                return "symbolic link";
        if (number == super->s_usr_quota_inum || number == super->s_grp_quota_inum ||
            number == super->s_prj_quota_inum)
                return "quota file";
        if (number < EXT2_FIRST_INO(super) || (ext2fs_has_feature_orphan_file(super) &&
                                               number == super->s_orphan_file_inum))
                return "file of the file system itself";
        if (inode->i_flags & EXT4_EA_INODE_FL)
                return "extended attributes";
        if (!S_ISREG(inode->i_mode))
                return "special file";
        if (inode->i_flags & EXT4_ENCRYPT_FL) {
                *ret_type = OWNER_UNKNOWN;
                return "an encrypted file: what lies on the device are not its bytes";
        }
        *ret_type = OWNER_FILE;
        return NULL;
}

static const char *describe(struct ext2_super_block *super, uint32_t number,
                            const struct ext2_inode_large *inode, ClaimKind kind, OwnerType *ret_type) {
        *ret_type = OWNER_METADATA;
        switch (kind) {
        case CLAIM_MAP:
                return "extent map of inode";
        case CLAIM_ATTRIBUTES:
                return "extended attributes of inode";
        case CLAIM_DATA:
        default:
                return describe_data(super, number, inode, ret_type);
        }
}

typedef struct Second {
        Ext4 *e;
        uint32_t number;
        const struct ext2_inode_large *inode;
} Second;

/* A claim at the second look: of metadata, or none that we are after. */
static int confirm_metadata(const Claim *c, void *userdata) {
        Second *s = userdata;
        Owner o = { .range = c->range, .inode = s->number, .generation = s->inode->i_generation };

        if (!wanted_overlaps(&s->e->wanted, c->range))
                return 0;
        o.detail = (char *) describe(s->e->fs->super, s->number, s->inode, c->kind, &o.type);
        return o.type == OWNER_FILE ? 0 : ext4_add(s->e, &o);
}

static int look_again(Ext4 *e, uint32_t number, const struct ext2_inode_large *before) {
        struct ext2_inode_large inode;
        Second s = { .e = e, .number = number, .inode = &inode };
        int r;

        r = ext4_read_inode(e->fs, number, &inode);
        if (r == 0 && (inode.i_generation != before->i_generation || inode.i_mode != before->i_mode))
                return 0;
        if (r == 0)
                r = ext4_claims(e->fs, number, &inode, confirm_metadata, &s);
        if (r == -EIO)
                e->unreadable = true;
        return r == -EIO ? 0 : r;
}

typedef struct File {
        Ext4 *e;
        uint32_t number, generation;
        uint64_t tree;          /* where the data of the kernel's own begins (fs-verity) */
} File;

static int confirm_data(const Owner *owner, void *userdata) {
        File *f = userdata;
        Owner o = *owner, behind = *owner;
        uint64_t length = range_size(o.range);
        int r = 0;

        o.inode = behind.inode = f->number;
        o.generation = behind.generation = f->generation;
        if (o.offset < f->tree) {
                if (f->tree - o.offset < length)
                        o.range.end = o.range.start + (f->tree - o.offset);
                r = ext4_add(f->e, &o);
                behind.range.start = o.range.end;
        }
        if (r < 0 || behind.range.start >= behind.range.end)
                return r;

        behind.type = OWNER_METADATA;
        behind.offset = 0;
        behind.unwritten = false;
        behind.detail = (char *) "fs-verity tree of inode";
        return ext4_add(f->e, &behind);
}

/* What is wanted of one claim, piece by piece. */
static int ask_claim(File *f, int fd, const Claim *c) {
        _cleanup_rangeset_ RangeSet pieces = {};
        int r;

        (void) pthread_mutex_lock(&f->e->lock);
        r = rangeset_clip(&f->e->wanted.left, c->range, &pieces);
        (void) pthread_mutex_unlock(&f->e->lock);
        for (size_t i = 0; r == 0 && i < pieces.n; i++)
                r = ext4_ask_file(fd, pieces.items[i], c->offset + (pieces.items[i].start - c->range.start),
                                  confirm_data, f);
        return r;
}

/* The file is asked; when it cannot be, that is no reason to know nothing of all the others. */
static int ask_file(Ext4 *e, uint32_t number, const struct ext2_inode_large *inode, const Claims *claims) {
        File f = { .e = e, .number = number, .generation = inode->i_generation, .tree = UINT64_MAX };
        _cleanup_close_ int opened = -1;
        struct stat st;
        int fd, r = 0;

        fd = map_asker_holds(e->asker, number, inode->i_generation);
        if (fd < 0) {
                r = ext4_open(e->mount_fd, number, inode->i_generation, O_RDONLY, &opened);
                fd = opened;
        }
        if (r == 0 && (inode->i_flags & EXT4_VERITY_FL) && fstat(fd, &st) < 0)
                r = -errno;
        if (r == 0 && (inode->i_flags & EXT4_VERITY_FL))
                f.tree = ((uint64_t) st.st_size + EXT4_BLOCK - 1) / EXT4_BLOCK * EXT4_BLOCK;
        for (size_t i = 0; r == 0 && i < claims->n; i++)
                if (claims->items[i].kind == CLAIM_DATA)
                        r = ask_claim(&f, fd, &claims->items[i]);
        if (r == -ENOMEM)
                return r;
        if (r == -EWOULDBLOCK)
                e->leased = true;
        else if (r < 0)
                e->unreadable = true;
        return 0;
}

/* Is anything of these claims a file's data; or, with `metadata`, anything else? */
static bool has_any(Ext4 *e, uint32_t number, const struct ext2_inode_large *inode, const Claims *claims,
                    bool metadata) {
        for (size_t i = 0; i < claims->n; i++) {
                OwnerType type;

                (void) describe(e->fs->super, number, inode, claims->items[i].kind, &type);
                if ((type != OWNER_FILE) == metadata)
                        return true;
        }
        return false;
}

int ext4_settle_data(Ext4 *e, uint32_t number, const struct ext2_inode_large *inode, const Claims *claims) {
        return has_any(e, number, inode, claims, false) ? ask_file(e, number, inode, claims) : 0;
}

int ext4_settle_metadata(Ext4 *e, uint32_t number, const struct ext2_inode_large *inode,
                         const Claims *claims) {
        return has_any(e, number, inode, claims, true) ? look_again(e, number, inode) : 0;
}
