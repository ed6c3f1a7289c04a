/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A dump in the manner of hexdump and diff: of 16 bytes that are of interest a line with what the medium has
 * and one with what the replica has; bytes that are equal, or not in the preview, are left blank. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica-uri.h"
#include "ctl/preview-show.h"
#include "ctl/terminal.h"
#include "ctl/text.h"

#define LINE 16U

typedef struct Line {
        uint64_t at;
        unsigned known, lost;           /* bit i: byte i is in the preview; … is lost */
        uint8_t medium[LINE], replica[LINE];
} Line;

static void put_path(FILE *f, const char *before, const char *path, const char *after) {
        _cleanup_free_ char *safe = text_safe(path);

        (void) fprintf(f, "%s%s%s", before, safe ? safe : "?", after);
}

static bool is_plain(uint8_t byte) {
        return byte >= ' ' && byte <= '~';
}

static void put_bytes(FILE *f, const Line *l, bool medium) {
        const uint8_t *bytes = medium ? l->medium : l->replica;
        char text[LINE + 1];

        for (unsigned i = 0; i < LINE; i++) {
                const bool known = l->known & 1U << i, lost = l->lost & 1U << i;

                text[i] = !known         ? ' '
                          : medium && lost ? '?'
                          : is_plain(bytes[i]) ? (char) bytes[i]
                                               : '.';
                if (!known)
                        (void) fputs("   ", f);
                else if (medium && lost)
                        (void) fputs(" ??", f);
                else
                        (void) fprintf(f, " %02x", bytes[i]);
        }
        text[LINE] = '\0';
        (void) fprintf(f, "  |%s|", text);
}

static void put_side(FILE *f, const Ctl *c, const Line *l, bool medium) {
        const Colour colour = medium ? COLOUR_BAD : COLOUR_GOOD;

        (void) fprintf(f, "%s%08" PRIx64 " %c", colour_on(colour, c->colours), l->at, medium ? '-' : '+');
        put_bytes(f, l, medium);
        (void) fprintf(f, "%s\n", colour_off(colour, c->colours));
}

/* Lost bytes that repeat those of the line before (zeroes, as a rule) are one star. */
static bool repeats(const Line *before, const Line *l) {
        return before->known == (1U << LINE) - 1 && before->lost == before->known &&
               l->known == before->known && l->lost == l->known && l->at == before->at + LINE &&
               memcmp(l->replica, before->replica, LINE) == 0;
}

static void put_line(FILE *f, const Ctl *c, const Line *l, Line *before, bool *starred) {
        if (l->known == 0)
                return;
        if (repeats(before, l)) {
                if (!*starred)
                        (void) fputs("*\n", f);
                *starred = true;
        } else {
                put_side(f, c, l, true);
                put_side(f, c, l, false);
                *starred = false;
        }
        *before = *l;
}

static void put_dump(FILE *f, const Ctl *c, const Preview *p) {
        Line line = {}, before = {};
        bool starred = false;

        for (size_t i = 0; i < p->pieces.n; i++) {
                const PreviewPiece *piece = p->pieces.items + i;

                for (size_t k = 0; k < piece->n; k++) {
                        const uint64_t at = (piece->offset + k) / LINE * LINE;
                        const unsigned n = (unsigned) ((piece->offset + k) % LINE);

                        if (at != line.at) {
                                put_line(f, c, &line, &before, &starred);
                                line = (Line) { .at = at };
                        }
                        line.known |= 1U << n;
                        if (!piece->medium)
                                line.lost |= 1U << n;
                        else
                                line.medium[n] = piece->medium[k];
                        line.replica[n] = piece->replica[k];
                }
        }
        put_line(f, c, &line, &before, &starred);
        if (starred)
                (void) fprintf(f, "%08" PRIx64 "\n", before.at + LINE);
}

static void put_page(FILE *f, const PreviewPage *page) {
        (void) fprintf(f, "Page at byte %" PRIu64 " of the file, byte %" PRIu64 " of the device; lost:",
                       page->offset, page->range.start);
        for (size_t i = 0; i < page->lost.n; i++)
                (void) fprintf(f, "%s %" PRIu64 " to %" PRIu64, i > 0 ? "," : "", page->lost.items[i].start,
                               page->lost.items[i].end);
        (void) fputs(".\n", f);
}

static void put_sums(FILE *f, const Preview *p, bool zeroes) {
        (void) fprintf(f, "%" PRIu64 " bytes are lost and would be written; what survived stays as the "
                          "medium has it.\n", p->lost);
        if (zeroes)
                (void) fputs("They would become zeroes; no replica is asked.\n", f);
        else
                (void) fprintf(f, "Of %" PRIu64 " bytes that survived there and around, %" PRIu64 " are not "
                                  "what the replica has.\n", p->compared, p->differ);
}

int preview_show(const Ctl *c, const Preview *p, FILE *f) {
        const bool zeroes = strcmp(p->replica, REPLICA_URI_ZEROES) == 0;

        (void) fprintf(f, "Case %" PRIu64, p->id);
        put_path(f, ": '", p->path, "'");
        put_path(f, " on ", p->device, "\n");
        for (char **s = p->also; s && *s; s++)
                put_path(f, "The same bytes belong to '", *s, "'.\n");
        if (!zeroes)
                put_path(f, "Replica: ", p->replica, "\n");
        if (p->detail)
                put_path(f, "Of it is known: ", p->detail, "\n");
        for (size_t i = 0; i < p->pages.n; i++)
                put_page(f, p->pages.items + i);
        put_sums(f, p, zeroes);

        if (!c->no_legend && p->pieces.n > 0)
                (void) fprintf(f, "\nBytes of the file; - is the medium, ?? lost; + is %s:\n",
                               zeroes ? "what would be written" : "the replica");
        put_dump(f, c, p);
        if (p->cut)
                (void) fprintf(f, "This is not all that is lost or differs: --all shows it.\n");
        return ferror(f) ? CTL_ERROR : CTL_FINE;
}
