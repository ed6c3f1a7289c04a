/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an operator is shown. Bytes are text in hexadecimal digits. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec-parts.h"
#include "core/codec.h"
#include "core/word.h"
#include "util/strv.h"

static bool put_bytes(struct json_object *o, const char *key, const uint8_t *bytes, size_t n) {
        static const char digits[] = "0123456789abcdef";
        _cleanup_free_ char *text = NULL;

        if (!bytes)
                return true;
        text = malloc(n * 2 + 1);
        if (!text)
                return false;
        for (size_t i = 0; i < n; i++) {
                text[2 * i] = digits[bytes[i] >> 4];
                text[2 * i + 1] = digits[bytes[i] & 15];
        }
        text[2 * n] = '\0';
        return codec_put(o, key, json_object_new_string_len(text, (int) (n * 2)));
}

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `n` bytes. An optional one that is not there is NULL. */
static int get_bytes(const CodecNode *at, const char *key, Presence presence, size_t n, uint8_t **ret) {
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *text = NULL;
        int r;

        r = codec_get_word(at, key, presence, &text);
        if (r < 0 || !text)
                return r;
        if (strlen(text) != n * 2)
                return codec_fail(at, key, "it is not as long as the piece");
        bytes = malloc(n);
        if (!bytes)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return codec_fail(at, key, "hexadecimal digits are wanted");
                bytes[i] = (uint8_t) (high << 4 | low);
        }

        *ret = TAKE_PTR(bytes);
        return 0;
}

static struct json_object *make_piece(const void *piece) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const PreviewPiece *p = piece;

        return o &&
               codec_put_u64(o, "offset", p->offset) &&
               codec_put_u64(o, "length", p->n) &&
               put_bytes(o, "medium", p->medium, p->n) &&
               put_bytes(o, "replica", p->replica, p->n) ? TAKE_PTR(o) : NULL;
}

static void piece_done(PreviewPiece *p) {
        free(p->medium);
        free(p->replica);
}

static int read_piece(const CodecNode *at, PreviewPiece *ret) {
        __attribute__((cleanup(piece_done))) PreviewPiece p = {};
        uint64_t n;
        int r;

        if ((r = codec_get_u64(at, "offset", CODEC_REQUIRED, &p.offset)) < 0 ||
            (r = codec_get_u64(at, "length", CODEC_REQUIRED, &n)) < 0)
                return r;
        if (n == 0 || n > INT32_MAX / 2)
                return codec_fail(at, "length", "it is out of range");
        p.n = n;
        if ((r = get_bytes(at, "medium", CODEC_OPTIONAL, p.n, &p.medium)) < 0 ||
            (r = get_bytes(at, "replica", CODEC_REQUIRED, p.n, &p.replica)) < 0)
                return r;

        *ret = p;
        p = (PreviewPiece) {};
        return 0;
}

static struct json_object *make_page(const void *page) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const PreviewPage *p = page;

        return o &&
               codec_put_range(o, "range", p->range) &&
               codec_put_u64(o, "offset", p->offset) &&
               codec_put_rangeset(o, "lost", &p->lost) ? TAKE_PTR(o) : NULL;
}

static void page_done(PreviewPage *p) {
        rangeset_done(&p->lost);
}

static int read_page(const CodecNode *at, PreviewPage *ret) {
        __attribute__((cleanup(page_done))) PreviewPage p = {};
        int r;

        if ((r = codec_get_range(at, "range", CODEC_REQUIRED, &p.range)) < 0 ||
            (r = codec_get_file_page(at, "offset", &p.offset)) < 0 ||
            (r = codec_get_rangeset(at, "lost", CODEC_OPTIONAL, &p.lost)) < 0)
                return r;

        *ret = p;
        p = (PreviewPage) {};
        return 0;
}

char *codec_preview_encode(const Preview *p) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(p);

        return o &&
               codec_put_id(o, "id", p->id) &&
               codec_put_text(o, "device", p->device) &&
               codec_put_text(o, "path", p->path) &&
               (!p->also || codec_put_strv(o, "also", p->also)) &&
               codec_put_text(o, "replica", p->replica) &&
               codec_put_text(o, "detail", p->detail) &&
               codec_put_vec(o, "pages", &p->pages, make_page) &&
               codec_put_u64(o, "lost", p->lost) &&
               codec_put_u64(o, "compared", p->compared) &&
               codec_put_u64(o, "differ", p->differ) &&
               codec_put_vec(o, "pieces", &p->pieces, make_piece) &&
               codec_put_flag(o, "cut", p->cut) &&
               codec_put_text(o, "shown", p->shown) &&
               codec_put_text(o, "action", p->action) ? codec_print(TAKE_PTR(o)) : NULL;
}

static int read_preview(const CodecNode *at, Preview *ret) {
        _cleanup_preview_ Preview p = {};
        int r;

        if ((r = codec_get_id(at, "id", CODEC_REQUIRED, &p.id)) < 0 ||
            (r = codec_get_text(at, "device", CODEC_REQUIRED, &p.device)) < 0 ||
            (r = codec_get_text(at, "path", CODEC_REQUIRED, &p.path)) < 0 ||
            (r = codec_get_strv(at, "also", CODEC_OPTIONAL, &p.also)) < 0 ||
            (r = codec_get_text(at, "replica", CODEC_REQUIRED, &p.replica)) < 0 ||
            (r = codec_get_text(at, "detail", CODEC_OPTIONAL, &p.detail)) < 0 ||
            (r = codec_get_vec(at, "pages", CODEC_REQUIRED, &p.pages, read_page, page_done)) < 0 ||
            (r = codec_get_u64(at, "lost", CODEC_REQUIRED, &p.lost)) < 0 ||
            (r = codec_get_u64(at, "compared", CODEC_REQUIRED, &p.compared)) < 0 ||
            (r = codec_get_u64(at, "differ", CODEC_REQUIRED, &p.differ)) < 0 ||
            (r = codec_get_vec(at, "pieces", CODEC_REQUIRED, &p.pieces, read_piece, piece_done)) < 0 ||
            (r = codec_get_bool(at, "cut", CODEC_OPTIONAL, &p.cut)) < 0 ||
            (r = codec_get_text(at, "shown", CODEC_REQUIRED, &p.shown)) < 0 ||
            (r = codec_get_text(at, "action", CODEC_OPTIONAL, &p.action)) < 0)
                return r;
        if (!shown_token_is_valid(p.shown))
                return codec_fail(at, "shown", "it is no token");

        *ret = p;
        p = (Preview) {};
        return 0;
}

int codec_preview_decode(const char *text, Preview *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_preview, ret);
}
