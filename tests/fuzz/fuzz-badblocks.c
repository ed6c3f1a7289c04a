/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as the kernel's list of bad blocks. Where it is taken, exactly the sectors of its lines are
 * listed, and the list that is printed from that is read to the same set. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/range.h"
#include "fuzz.h"
#include "topo/topo.h"

static bool lists(const RangeSet *set, uint64_t sector) {
        for (size_t i = 0; i < set->n; i++)
                if (sector >= set->items[i].start / SECTOR_SIZE && sector < set->items[i].end / SECTOR_SIZE)
                        return true;
        return false;
}

/* What the parser must have seen, by scanf, which is another one. */
static void check_lines(const char *text, const RangeSet *set) {
        const char *newline;

        for (; (newline = strchr(text, '\n')); text = newline + 1) {
                uint64_t sector, count;

                must(sscanf(text, "%" SCNu64 " %" SCNu64, &sector, &count) == 2);
                must(count == 0 || (lists(set, sector) && lists(set, sector + count - 1)));
        }
}

static void check_again(const RangeSet *set) {
        char *text = malloc(set->n * 42 + 1), *end = text;
        RangeSet again = {};
        bool truncated;

        must(text);
        *text = '\0';
        for (size_t i = 0; i < set->n; i++) {
                must(set->items[i].start < set->items[i].end);
                must(set->items[i].start % SECTOR_SIZE == 0 && set->items[i].end % SECTOR_SIZE == 0);
                must(i == 0 || set->items[i - 1].end < set->items[i].start);
                end += sprintf(end, "%" PRIu64 " %" PRIu64 "\n", set->items[i].start / SECTOR_SIZE,
                               range_size(set->items[i]) / SECTOR_SIZE);
        }
        must(topo_badblocks_parse(text, &again, &truncated) == 0 && again.n == set->n);
        must(set->n == 0 || memcmp(again.items, set->items, set->n * sizeof(*set->items)) == 0);
        rangeset_done(&again);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = fuzz_string(data, size);
        RangeSet set = {};
        bool truncated = false;
        int r;

        r = topo_badblocks_parse(text, &set, &truncated);
        must(r == 0 || (r == -EBADMSG && set.n == 0));
        if (r == 0) {
                must(truncated || size == 0 || strlen(text) == 0 || text[strlen(text) - 1] == '\n');
                check_lines(text, &set);
                check_again(&set);
        }
        rangeset_done(&set);
        free(text);
        return 0;
}
