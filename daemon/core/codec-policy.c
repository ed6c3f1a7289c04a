/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the administrator allows, in the words of the configuration files. What is left out allows
 * nothing: a request written by hand that forgets a member gets a refusal and no write. */

#include <string.h>

#include "core/codec-parts.h"

bool codec_put_exclusion(struct json_object *o, const char *key, const ExclusionList *l) {
        _cleanup_free_ char *text = exclusion_list_format(l);

        return text && codec_put_word(o, key, text);
}

int codec_get_exclusion(const CodecNode *at, const char *key, ExclusionList *ret) {
        const char *word = NULL;
        int r;

        r = codec_get_word(at, key, CODEC_OPTIONAL, &word);
        if (r < 0 || !word)
                return r;
        if (exclusion_list_parse(word, ret) < 0)
                return codec_fail(at, key, "some of lease,freeze,optimistic are wanted");
        return 0;
}

static bool put_proof_policy(struct json_object *o, const char *key, const ProofPolicy *p) {
        _cleanup_free_ char *text = proof_policy_format(p);

        return text && codec_put_word(o, key, text);
}

static int get_proof_policy(const CodecNode *at, const char *key, ProofPolicy *ret) {
        const char *word = NULL;
        int r;

        r = codec_get_word(at, key, CODEC_OPTIONAL, &word);
        if (r < 0 || !word)
                return r;
        if (proof_policy_parse(word, ret) < 0)
                return codec_fail(at, key, "alternatives like seal,identity+neighbours are wanted");
        return 0;
}

static struct json_object *make_protect(const void *protect) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Protect *p = protect;

        return o &&
               codec_put_text(o, "name", p->name) &&
               codec_put_text(o, "path", p->path) &&
               codec_put_text(o, "device", p->device) &&
               codec_put_strv(o, "replicas", p->replicas) &&
               put_proof_policy(o, "proof", &p->proof) &&
               codec_put_exclusion(o, "exclusion", &p->exclusion) &&
               codec_put_word(o, "writer", writer_to_string(p->writer)) ? TAKE_PTR(o) : NULL;
}

static int read_protect(const CodecNode *at, Protect *ret) {
        _cleanup_protect_ Protect p = { .writer = WRITER_AUTO };
        int r;

        if ((r = codec_get_text(at, "name", CODEC_OPTIONAL, &p.name)) < 0 ||
            (r = codec_get_text(at, "path", CODEC_OPTIONAL, &p.path)) < 0 ||
            (r = codec_get_text(at, "device", CODEC_OPTIONAL, &p.device)) < 0 ||
            (r = codec_get_strv(at, "replicas", CODEC_OPTIONAL, &p.replicas)) < 0 ||
            (r = get_proof_policy(at, "proof", &p.proof)) < 0 ||
            (r = codec_get_exclusion(at, "exclusion", &p.exclusion)) < 0 ||
            (r = codec_get_enum(at, "writer", CODEC_OPTIONAL, writer_from_string, &p.writer)) < 0)
                return r;
        if (!p.path == !p.device)
                return codec_fail(at, NULL, "either path or device is wanted");

        *ret = p;
        p = (Protect) {};
        return 0;
}

struct json_object *codec_make_policy(const Policy *p) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               codec_put_word(o, "mode", mode_to_string(p->mode)) &&
               codec_put_u64(o, "rescan_usec", p->rescan_usec) &&
               codec_put_u64(o, "worker_timeout_usec", p->worker_timeout_usec) &&
               codec_put_u64(o, "budget_n", p->budget_n) &&
               codec_put_u64(o, "budget_usec", p->budget_usec) &&
               codec_put_text(o, "credentials_dir", p->credentials_dir) &&
               codec_put_u64(o, "park_reserve_bytes", p->park_reserve.bytes) &&
               codec_put_u64(o, "park_reserve_percent", p->park_reserve.percent) &&
               codec_put_vec(o, "protects", &p->protects, make_protect) ? TAKE_PTR(o) : NULL;
}

int codec_read_policy(const CodecNode *at, Policy *ret) {
        _cleanup_policy_ Policy p;
        int r;

        policy_init(&p);
        if ((r = codec_get_enum(at, "mode", CODEC_REQUIRED, mode_from_string, &p.mode)) < 0 ||
            (r = codec_get_u64(at, "rescan_usec", CODEC_OPTIONAL, &p.rescan_usec)) < 0 ||
            (r = codec_get_u64(at, "worker_timeout_usec", CODEC_OPTIONAL, &p.worker_timeout_usec)) < 0 ||
            (r = codec_get_u64(at, "budget_n", CODEC_OPTIONAL, &p.budget_n)) < 0 ||
            (r = codec_get_u64(at, "budget_usec", CODEC_OPTIONAL, &p.budget_usec)) < 0 ||
            (r = codec_get_text(at, "credentials_dir", CODEC_OPTIONAL, &p.credentials_dir)) < 0 ||
            (r = codec_get_u64(at, "park_reserve_bytes", CODEC_OPTIONAL, &p.park_reserve.bytes)) < 0 ||
            (r = codec_get_u64(at, "park_reserve_percent", CODEC_OPTIONAL, &p.park_reserve.percent)) < 0 ||
            (r = codec_get_vec(at, "protects", CODEC_OPTIONAL, &p.protects, read_protect, protect_done)) < 0)
                return r;
        if (p.budget_n < 1 || p.budget_n > BUDGET_MAX_N)
                return codec_fail(at, "budget_n", "it is not between 1 and %d", BUDGET_MAX_N);
        if (p.park_reserve.percent > 100)
                return codec_fail(at, "park_reserve_percent", "it is more than 100");

        *ret = p;
        p = (Policy) {};
        return 0;
}
