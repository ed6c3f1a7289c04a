/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a worker hears from bezoar-fetch: the answer to its request, then a piece that it asks for, as bytes
 * of a stream that ends somewhere. Nothing more is believed than that there is a copy with this size and
 * time. */

#include "replica/replica-remote.c" // IWYU pragma: keep

#include "fuzz.h"

#define STREAM_MAX 65536        /* what a socket takes without a reader */
#define PIECE ((Range) { 0, 64 })

/* The end that hears `data` and then nothing more; what is sent to the other end stays unread. */
static int listen_to(const uint8_t *data, size_t size, int *ret_peer) {
        int pair[2];

        if (size > STREAM_MAX)
                size = STREAM_MAX;
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        must(size == 0 || write(pair[1], data, size) == (ssize_t) size);
        must(shutdown(pair[1], SHUT_WR) == 0);
        *ret_peer = pair[1];
        return pair[0];
}

static int hear(Remote *m, bool image, Offer *offer) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = stream_read_line(&m->stream, &text);
        must(r <= 0);
        return r < 0 ? r : take_reply(m, text, image, offer);
}

static void ask_piece(Remote *m) {
        uint8_t *piece = malloc(range_size(PIECE));

        must(piece);
        must(read_piece(m, PIECE, piece) <= 0);
        free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const bool image = size > 0 && data[0] & 1;
        Remote m = {};
        Offer offer = {};
        int peer, r;

        if (size == 0)
                return 0;
        m.stream = (Stream) { .fd = listen_to(data + 1, size - 1, &peer), .deadline_usec = USEC_INFINITY };
        r = hear(&m, image, &offer);
        must((offer.proofs & ~PROOF_BIT(PROOF_IDENTITY)) == 0);
        must(!image || offer.proofs == 0);
        must(r != REPLICA_E_NONE || offer.state != OFFER_HELD || offer.detail);
        if (r == 0) {
                must(offer.state == OFFER_HELD);
                ask_piece(&m);
                ask_piece(&m);
        }
        offer_done(&offer);
        stream_done(&m.stream);
        (void) close(peer);
        return 0;
}
