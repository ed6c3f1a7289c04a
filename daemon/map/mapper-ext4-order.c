/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In which order the groups are looked through: by how far their flex group is from one that has something
 * wanted, then from the lowest to the highest, as their tables lie. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map/mapper-ext4.h"

/* *distance: how many flex groups lie between this one and the nearest that is wanted. */
static void measure(uint32_t *distance, uint32_t n) {
        for (uint32_t i = 1; i < n; i++)
                if (distance[i - 1] < distance[i])
                        distance[i] = distance[i - 1] + 1;
        for (uint32_t i = n; i-- > 1;)
                if (distance[i] < distance[i - 1])
                        distance[i - 1] = distance[i] + 1;
}

static void mark_wanted(const Ext4 *e, uint64_t flex_bytes, uint32_t *distance, uint32_t n) {
        for (size_t i = 0; i < e->wanted.left.n; i++) {
                const Range r = e->wanted.left.items[i];

                for (uint64_t f = r.start / flex_bytes; f < n && f * flex_bytes < r.end; f++)
                        distance[f] = 0;
        }
}

uint32_t ext4_flex_size(struct ext2_super_block *super) {
        if (!ext2fs_has_feature_flex_bg(super) || super->s_log_groups_per_flex >= 32)
                return 1;
        return UINT32_C(1) << super->s_log_groups_per_flex;
}

int ext4_order_groups(const Ext4 *e, uint32_t **ret) {
        struct ext2_super_block *super = e->fs->super;
        const uint32_t count = e->fs->group_desc_count, flex = ext4_flex_size(super),
                       n = count / flex + (count % flex != 0);
        _cleanup_free_ uint32_t *groups = calloc(count, sizeof(*groups)),
                                *distance = calloc(n, sizeof(*distance)),
                                *starts = calloc(n + 1, sizeof(*starts));

        if (!groups || !distance || !starts)
                return -ENOMEM;

        for (uint32_t f = 0; f < n; f++)
                distance[f] = n - 1;
        mark_wanted(e, (uint64_t) flex * super->s_blocks_per_group * EXT4_BLOCK, distance, n);
        measure(distance, n);

        /* Sorted by counting, which keeps their order. */
        for (uint32_t g = 0; g < count; g++)
                starts[distance[g / flex] + 1]++;
        for (uint32_t f = 0; f < n; f++)
                starts[f + 1] += starts[f];
        for (uint32_t g = 0; g < count; g++)
                groups[starts[distance[g / flex]]++] = g;

        *ret = TAKE_PTR(groups);
        return 0;
}
