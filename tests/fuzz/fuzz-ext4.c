/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A device that claims to be an ext4, as damage or a stranger may have left it. The input is a list of
 * pieces {offset / 16, length, bytes}, of 16, 16 and 8 bits in little-endian order, of a device that is zero
 * else. Every inode of every group has its turn, once, and is asked what it claims: all of it lies on the
 * device, and it ends. */

#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "map/mapper-ext4.h"
#include "util/vec.h"

#define DEVICE_SIZE (256 * 1024)
#define CLAIMS_MAX 100000

typedef struct Seen {
        ext2_filsys fs;
        unsigned n;
} Seen;

static uint8_t *device_of(const uint8_t *data, size_t size) {
        uint8_t *device = calloc(1, DEVICE_SIZE);

        must(device);
        while (size >= 4) {
                size_t at = 16 * (size_t) (data[0] | data[1] << 8), n = data[2] | data[3] << 8;

                data += 4;
                size -= 4;
                if (n > size)
                        n = size;
                if (at < DEVICE_SIZE)
                        memcpy(device + at, data, n < DEVICE_SIZE - at ? n : DEVICE_SIZE - at);
                data += n;
                size -= n;
        }
        return device;
}

static int on_claim(const Claim *c, void *userdata) {
        Seen *s = userdata;

        must(c->range.start < c->range.end);
        must(c->range.end <= ext2fs_blocks_count(s->fs->super) * EXT4_BLOCK);
        return ++s->n > CLAIMS_MAX;
}

static int on_inode(uint32_t number, const struct ext2_inode_large *raw, void *userdata) {
        Seen *s = userdata;
        struct ext2_inode_large inode;

        must(number > 0);
        if (ext4_read_inode(s->fs, number, &inode) == 0)
                (void) ext4_claims(s->fs, number, &inode, on_claim, s);
        return s->n > CLAIMS_MAX;
}

static void look(Ext4 *e) {
        _cleanup_ext4_tables_ Ext4Tables t = { .e = e };
        _cleanup_ext4_order_ Ext4Order order = {};
        _cleanup_ext4_inodes_ Ext4Inodes guessed = {};
        uint64_t used = 0, seen = 0;
        Seen s = { .fs = e->fs };
        unsigned read = 0;

        must(ext4_order_init(e, &order) == 0);
        must(ext4_guess(e, &order, &guessed) == 0);
        for (size_t i = 0; i < guessed.n; i++) {
                must(guessed.items[i].number > 0 && guessed.items[i].number <= e->fs->super->s_inodes_count);
                must(i == 0 || guessed.items[i - 1].number < guessed.items[i].number);
        }
        for (uint32_t g = 0; g < e->fs->group_desc_count; g++)
                used += ext4_inodes_used(e->fs, g);
        for (;;) {
                _cleanup_ext4_parts_ Ext4Parts parts = {};

                must(ext4_order_next(e, &order, &parts) == 0);
                if (parts.n == 0)
                        break;
                for (size_t i = 0; i < parts.n; i++) {
                        const Ext4Part *p = &parts.items[i];

                        must(p->group < e->fs->group_desc_count && p->n > 0);
                        must(p->first + p->n <= ext4_inodes_used(e->fs, p->group));
                        seen += p->n;
                        if (read++ < 256)
                                (void) ext4_read_inodes(&t, p->group, p->first, p->n, on_inode, &s);
                }
        }
        must(seen == used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *device = device_of(data, size);
        RangeSet ranges = {};
        Ext4 e = EXT4_NULL;
        const char *why = NULL;

        e.device_fd = fuzz_memory(device, DEVICE_SIZE);
        for (uint64_t at = 0; at < DEVICE_SIZE; at += 2 * EXT4_BLOCK)
                must(rangeset_add(&ranges, (Range) { at, at + EXT4_BLOCK }) == 0);
        must(wanted_init(&e.wanted, &ranges, DEVICE_SIZE) == 0);
        if (ext4_open_fs(&e, &why) == 0)
                look(&e);
        else
                must(why);
        ext4_close(&e);
        rangeset_done(&ranges);
        free(device);
        return 0;
}
