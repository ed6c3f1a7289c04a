/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/seal.h"

static const uint8_t magic[8] = { 'b', 'z', 'r', 's', 'e', 'a', 'l', 1 };

void seal_done(Seal *s) {
        free(s->path);
        *s = (Seal) {};
}

static void put64(uint8_t *to, uint64_t v) {
        v = htole64(v);
        memcpy(to, &v, sizeof(v));
}

static void put32(uint8_t *to, uint32_t v) {
        v = htole32(v);
        memcpy(to, &v, sizeof(v));
}

static uint64_t get64(const uint8_t *from) {
        uint64_t v;

        memcpy(&v, from, sizeof(v));
        return le64toh(v);
}

static uint32_t get32(const uint8_t *from) {
        uint32_t v;

        memcpy(&v, from, sizeof(v));
        return le32toh(v);
}

/* Off_t has 63 bits; and what is computed from such a size does not overflow. */
static bool can_seal(uint64_t size, size_t path) {
        return size > 0 && size <= INT64_MAX - REPAIR_UNIT && path > 0 && path <= SEAL_PATH_MAX;
}

int seal_head_encode(const Seal *s, uint8_t **ret, size_t *ret_size) {
        size_t path = strlen(s->path);
        uint8_t *h;

        if (!can_seal(s->size, path))
                return -EINVAL;
        h = malloc(SEAL_HEAD_SIZE + path);
        if (!h)
                return -ENOMEM;

        memcpy(h, magic, sizeof(magic));
        memcpy(h + 8, s->id, sizeof(s->id));
        put64(h + 24, s->inode);
        put32(h + 32, s->generation);
        put32(h + 36, (uint32_t) path);
        put64(h + 40, s->size);
        put64(h + 48, (uint64_t) s->mtime.sec);
        put64(h + 56, (uint64_t) s->ctime.sec);
        put32(h + 64, s->mtime.nsec);
        put32(h + 68, s->ctime.nsec);
        put64(h + 72, s->sealed_at);
        memcpy(h + SEAL_HEAD_SIZE, s->path, path);

        *ret = h;
        *ret_size = SEAL_HEAD_SIZE + path;
        return 0;
}

int seal_head_size(const uint8_t *head, size_t *ret) {
        if (memcmp(head, magic, sizeof(magic)) != 0 || !can_seal(get64(head + 40), get32(head + 36)))
                return -EBADMSG;

        *ret = SEAL_HEAD_SIZE + get32(head + 36) + SEAL_DIGEST;
        return 0;
}

int seal_head_decode(const uint8_t *head, size_t size, Seal *ret) {
        size_t whole;
        Seal s = {};
        int r;

        if (size < SEAL_HEAD_SIZE)
                return -EBADMSG;
        r = seal_head_size(head, &whole);
        if (r < 0)
                return r;
        if (size != whole - SEAL_DIGEST || memchr(head + SEAL_HEAD_SIZE, '\0', size - SEAL_HEAD_SIZE))
                return -EBADMSG;

        memcpy(s.id, head + 8, sizeof(s.id));
        s.inode = get64(head + 24);
        s.generation = get32(head + 32);
        s.size = get64(head + 40);
        s.mtime = (SealTime) { (int64_t) get64(head + 48), get32(head + 64) };
        s.ctime = (SealTime) { (int64_t) get64(head + 56), get32(head + 68) };
        s.sealed_at = get64(head + 72);
        s.path = strndup((const char *) head + SEAL_HEAD_SIZE, size - SEAL_HEAD_SIZE);
        if (!s.path)
                return -ENOMEM;

        *ret = s;
        return 0;
}

uint64_t seal_pages(const Seal *s) {
        return (s->size - 1) / REPAIR_UNIT + 1;
}

uint64_t seal_blocks(const Seal *s) {
        return (seal_pages(s) - 1) / SEAL_BLOCK_PAGES + 1;
}

size_t seal_block_pages(const Seal *s, uint64_t block) {
        uint64_t left = seal_pages(s) - block * SEAL_BLOCK_PAGES;

        assert(block < seal_blocks(s));
        return left < SEAL_BLOCK_PAGES ? left : SEAL_BLOCK_PAGES;
}

Range seal_page_range(const Seal *s, uint64_t page) {
        Range r = { page * REPAIR_UNIT, (page + 1) * REPAIR_UNIT };

        assert(page < seal_pages(s));
        if (r.end > s->size)
                r.end = s->size;
        return r;
}

static bool same_time(SealTime a, SealTime b) {
        return a.sec == b.sec && a.nsec == b.nsec;
}

bool seal_is_current(const Seal *s, uint64_t inode, uint32_t generation, uint64_t size, SealTime mtime,
                     SealTime ctime) {
        return s->inode == inode && s->generation == generation && s->size == size &&
               same_time(s->mtime, mtime) && same_time(s->ctime, ctime);
}

/* A time in the future has not settled either: the clock was set back, and will come by there again. */
bool seal_time_has_settled(SealTime ctime, uint64_t now) {
        return now > SEAL_SETTLE_USEC && ctime.sec < (int64_t) ((now - SEAL_SETTLE_USEC) / 1000000);
}
