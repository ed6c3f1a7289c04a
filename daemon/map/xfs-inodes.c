/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Inode numbers of XFS are places: allocation group, block in the group, inode in the block (XFS_INO_TO_*
 * in fs/xfs/libxfs/xfs_format.h). The shifts are not told, but follow from the geometry. */

#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "map/mapper.h"
#include "map/xfs-inodes.h"
#include "util/vec.h"

/* Bits that are needed to count up to n - 1. */
static unsigned bits_for(uint32_t n) {
        unsigned bits = 0;

        while (bits < 32 && (UINT64_C(1) << bits) < n)
                bits++;
        return bits;
}

static bool is_power_of_2(uint32_t n) {
        return n > 0 && (n & (n - 1)) == 0;
}

int xfs_geometry(int mount_fd, XfsGeometry *ret) {
        XfsGeometry g = {};

        if (ioctl(mount_fd, XFS_GET_GEOMETRY, &g) < 0)
                return errno == ENOTTY || errno == EOPNOTSUPP ? MAP_E_UNSUPPORTED : -errno;
        if (!is_power_of_2(g.block_size) || g.block_size < SECTOR_SIZE || !is_power_of_2(g.inode_size) ||
            g.inode_size > g.block_size || g.ag_blocks == 0)
                return -EUCLEAN;

        *ret = g;
        return 0;
}

uint64_t xfs_block_address(const XfsGeometry *g, uint64_t block) {
        const unsigned shift = bits_for(g->ag_blocks);
        const uint64_t ag = block >> shift, in_ag = block & ((UINT64_C(1) << shift) - 1);

        return (ag * g->ag_blocks + in_ag) * g->block_size;
}

uint64_t xfs_inode_address(const XfsGeometry *g, uint64_t inode) {
        return xfs_block_address(g, inode >> bits_for(g->block_size / g->inode_size));
}

/* Four sectors: xfs_sb, xfs_agf, xfs_agi, xfs_agfl (XFS_SB_DADDR to XFS_AGFL_DADDR). */
Range xfs_headers(const XfsGeometry *g, uint32_t ag) {
        const uint64_t start = (uint64_t) ag * g->ag_blocks * g->block_size;
        const uint64_t blocks = (4 * (uint64_t) g->sector_size + g->block_size - 1) / g->block_size;

        return (Range) { start, start + blocks * g->block_size };
}

bool xfs_log(const XfsGeometry *g, Range *ret) {
        if (g->log_start == 0 || g->log_blocks == 0)
                return false;

        ret->start = xfs_block_address(g, g->log_start);
        ret->end = ret->start + (uint64_t) g->log_blocks * g->block_size;
        return true;
}

void xfs_chunks_done(XfsChunks *c) {
        vec_done(c);
}

int xfs_chunks(int mount_fd, XfsChunks *ret) {
        _cleanup_xfs_chunks_ XfsChunks chunks = {};
        _cleanup_free_ XfsInumbers *b = calloc(1, sizeof(*b));
        const uint32_t room = sizeof(b->chunks) / sizeof(b->chunks[0]);

        if (!b)
                return -ENOMEM;

        for (;;) {
                const uint64_t from = b->head.ino;

                b->head.icount = room;
                b->head.ocount = 0;
                if (ioctl(mount_fd, XFS_INUMBERS, b) < 0)
                        return -errno;
                if (b->head.ocount == 0)
                        break;
                if (b->head.ocount > room || b->head.ino <= from)
                        return -EUCLEAN; /* no progress */

                for (uint32_t i = 0; i < b->head.ocount; i++) {
                        const XfsChunk c = { b->chunks[i].first, b->chunks[i].allocated, 0 };
                        int r = vec_push(&chunks, c);

                        if (r < 0)
                                return r;
                }
        }

        *ret = chunks;
        chunks = (XfsChunks) {};
        return 0;
}

/* What one inode that cannot be read says, and no reason to know nothing of the others. */
static bool is_broken(int error) {
        return error == EIO || error == EUCLEAN || error == EBADMSG;
}

/* One call. 0 with what it told in `b`, or a negative errno. */
static int bulkstat(int mount_fd, XfsBulkstat *b, uint32_t expected) {
        const uint64_t from = b->head.ino;

        b->head.icount = expected; /* no more: it would go on with the next chunks */
        b->head.ocount = 0;
        if (ioctl(mount_fd, XFS_BULKSTAT, b) < 0) {
                if (!is_broken(errno) || b->head.ino < from)
                        return -errno;
                b->head.ocount = 0;
                b->head.ino++; /* it stands at the one that cannot be read */
                return 0;
        }
        if (b->head.ocount > expected)
                return -EUCLEAN;
        if (b->head.ocount == 0)
                b->head.ino = UINT64_MAX; /* there are no more */
        return b->head.ino > from ? 0 : -EUCLEAN;
}

int xfs_chunk_stat(int mount_fd, const XfsChunk *c, XfsBulkstat *room, XfsStatFn fn, void *userdata,
                   uint64_t *ret_hidden) {
        uint64_t hidden = c->allocated;

        room->head = (XfsBulk) { .ino = c->first };
        while (room->head.ino - c->first < XFS_CHUNK && hidden >> (room->head.ino - c->first) != 0) {
                int r = bulkstat(mount_fd, room,
                                 (uint32_t) __builtin_popcountll(hidden >> (room->head.ino - c->first)));

                for (uint32_t i = 0; r == 0 && i < room->head.ocount; i++) {
                        const XfsStat *st = &room->stats[i];

                        if (st->ino < c->first || st->ino - c->first >= XFS_CHUNK)
                                continue;
                        hidden &= ~(UINT64_C(1) << (st->ino - c->first));
                        r = fn(st, userdata);
                }
                if (r != 0)
                        return r;
        }

        *ret_hidden = hidden;
        return 0;
}

int xfs_inode_stat(int mount_fd, uint64_t inode, XfsStat *ret) {
        struct {
                XfsBulk head;
                XfsStat stat;
        } b = { .head = { .ino = inode, .icount = 1 } };

        if (ioctl(mount_fd, XFS_BULKSTAT, &b) < 0)
                return -errno;
        if (b.head.ocount != 1 || b.stat.ino != inode)
                return MAP_E_NOT_FOUND;

        *ret = b.stat;
        return 0;
}

/* Q_XGETQSTATV tells the inodes of the quota files while quota is on. */
bool xfs_inode_is_quota(int mount_fd, uint64_t inode) {
        struct fs_quota_statv q = { .qs_version = FS_QSTATV_VERSION1 };

        if (syscall(SYS_quotactl_fd, mount_fd, QCMD(Q_XGETQSTATV, 0), 0, &q) < 0)
                return false;
        return inode == q.qs_uquota.qfs_ino || inode == q.qs_gquota.qfs_ino || inode == q.qs_pquota.qfs_ino;
}

bool xfs_inode_is_internal(int mount_fd, uint64_t inode) {
        struct {
                XfsBulk head;
                XfsStat stat;
        } root = { .head = { .ino = XFS_BULK_SPECIAL_ROOT, .flags = XFS_BULK_SPECIAL, .icount = 1 } };
        XfsGeometry g;

        /* mkfs.xfs makes bitmap and summary of the realtime device right behind the root, and xfs_repair
         * insists that they are there; in the days of metadata directories they are elsewhere. */
        if (xfs_geometry(mount_fd, &g) == 0 && !(g.flags & XFS_GEOM_METADIR) &&
            ioctl(mount_fd, XFS_BULKSTAT, &root) >= 0 && root.head.ocount == 1 && inode > root.stat.ino &&
            inode <= root.stat.ino + 2)
                return true;
        return xfs_inode_is_quota(mount_fd, inode);
}
