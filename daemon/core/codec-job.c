/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Requests and answers of the worker. A request for a repair is checked here as a whole, because the
 * worker writes what it says: the steps are single pages within the one range, each with bad sectors in
 * it, and there are a replica, a proof or the word of an operator, and a writer. */

#include <assert.h>
#include <inttypes.h>

#include "core/codec-parts.h"
#include "core/codec.h"

static struct json_object *make_step(const void *step) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Step *s = step;

        return o &&
               codec_put_range(o, "range", s->range) &&
               codec_put_u64(o, "offset", s->offset) &&
               codec_put_rangeset(o, "bad", &s->bad) ? TAKE_PTR(o) : NULL;
}

static void step_done(Step *s) {
        rangeset_done(&s->bad);
}

static int read_step(const CodecNode *at, Step *ret) {
        _cleanup_(step_done) Step s = {};
        int r;

        r = codec_get_pages(at, &s.range, &s.bad);
        if (r < 0)
                return r;
        if (range_size(s.range) != REPAIR_UNIT)
                return codec_fail(at, "range", "it is not one page");
        if (s.bad.n == 0)
                return codec_fail(at, "bad", "a step without bad sectors");

        r = codec_get_file_page(at, "offset", &s.offset);
        if (r < 0)
                return r;

        *ret = s;
        s = (Step) {};
        return 0;
}

static struct json_object *make_writer(const void *writer) {
        const WriterKind *w = writer;

        return json_object_new_string(writer_to_string(*w));
}

struct json_object *codec_make_plan(const Plan *p) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               codec_put_word(o, "verdict", verdict_to_string(p->verdict)) &&
               codec_put_word(o, "reason", reason_to_string(p->reason)) &&
               codec_put_text(o, "detail", p->detail) &&
               codec_put_text(o, "replica", p->replica) &&
               codec_put_proofs(o, "proof", p->proofs) &&
               codec_put_flag(o, "by_word", p->by_word) &&
               codec_put_text(o, "shown", p->shown) &&
               codec_put_items(o, "writers", p->means.writers, p->means.n_writers,
                               sizeof(p->means.writers[0]), make_writer) &&
               codec_put_exclusion(o, "exclusion", &p->means.exclusion) &&
               codec_put_vec(o, "steps", &p->steps, make_step) ? TAKE_PTR(o) : NULL;
}

static int get_writers(const CodecNode *at, Plan *p) {
        CodecNode array;
        size_t n;
        int r;

        r = codec_get_array(at, "writers", CODEC_OPTIONAL, &array, &n);
        if (r < 0)
                return r;
        if (n > sizeof(p->means.writers) / sizeof(p->means.writers[0]))
                return codec_fail(at, "writers", "there are too many");
        for (size_t i = 0; i < n; i++) {
                CodecNode item = codec_item(&array, i);
                WriterKind w;

                if (!json_object_is_type(item.value, json_type_string))
                        return codec_fail(&item, NULL, "a string is wanted");
                w = writer_from_string(json_object_get_string(item.value));
                if ((int) w < 0 || w == WRITER_AUTO)
                        return codec_fail(&item, NULL, "the word is not known");
                p->means.writers[p->means.n_writers++] = w;
        }
        return 0;
}

int codec_read_plan(const CodecNode *at, Plan *ret) {
        _cleanup_plan_ Plan p = {};
        int r;

        if ((r = codec_get_enum(at, "verdict", CODEC_REQUIRED, verdict_from_string, &p.verdict)) < 0 ||
            (r = codec_get_enum(at, "reason", CODEC_OPTIONAL, reason_from_string, &p.reason)) < 0 ||
            (r = codec_get_text(at, "detail", CODEC_OPTIONAL, &p.detail)) < 0 ||
            (r = codec_get_text(at, "replica", CODEC_OPTIONAL, &p.replica)) < 0 ||
            (r = codec_get_proofs(at, "proof", &p.proofs)) < 0 ||
            (r = codec_get_bool(at, "by_word", CODEC_OPTIONAL, &p.by_word)) < 0 ||
            (r = codec_get_text(at, "shown", CODEC_OPTIONAL, &p.shown)) < 0 ||
            (r = get_writers(at, &p)) < 0 ||
            (r = codec_get_exclusion(at, "exclusion", &p.means.exclusion)) < 0 ||
            (r = codec_get_vec(at, "steps", CODEC_OPTIONAL, &p.steps, read_step, step_done)) < 0)
                return r;

        if (!verdict_acts(p.verdict) && p.steps.n > 0)
                return codec_fail(at, "steps", "there are some, but nothing is to be done");
        if (verdict_acts(p.verdict) && p.steps.n == 0)
                return codec_fail(at, "steps", "there are none");
        if (p.verdict == VERDICT_REPAIR && (!p.replica || p.means.n_writers == 0))
                return codec_fail(at, NULL, "a repair needs replica and writers");
        if (p.verdict == VERDICT_REPAIR && p.by_word == (p.proofs != 0))
                return codec_fail(at, "proof", "a repair has a proof, or is by the word of an operator");
        if (p.shown && (!p.by_word || !shown_token_is_valid(p.shown)))
                return codec_fail(at, "shown", "it is no token, or there is nothing to be shown");

        *ret = p;
        p = (Plan) {};
        return 0;
}

static struct json_object *make_volume(const void *volume) {
        return codec_make_volume(volume);
}

static bool verb_has_plan(Verb v) {
        return v == VERB_REPAIR || v == VERB_PARK || v == VERB_MEND || v == VERB_PREVIEW;
}

static struct json_object *make_request(const Request *r) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        if (!o || !codec_put_word(o, "verb", verb_to_string(r->verb)))
                return NULL;
        if (verb_is_of_machine(r->verb))
                return TAKE_PTR(o);

        return (!r->id || codec_put_id(o, "id", r->id)) &&
               codec_put(o, "volume", codec_make_volume(&r->volume)) &&
               (r->others.n == 0 || codec_put_vec(o, "others", &r->others, make_volume)) &&
               (!r->physical_known || codec_put_u64(o, "physical_base", r->physical)) &&
               codec_put_text(o, "namespace", r->namespace) &&
               codec_put_text(o, "state_dir", r->state_dir) &&
               codec_put(o, "policy", codec_make_policy(&r->policy)) &&
               codec_put_vec(o, "ranges", &r->ranges, codec_make_findings) &&
               codec_put_flag(o, "no_path", r->no_path) &&
               (!verb_has_plan(r->verb) || codec_put(o, "plan", codec_make_plan(&r->plan))) &&
               (r->verb != VERB_PREVIEW || codec_put_u64(o, "limit", r->limit)) &&
               (r->verb != VERB_PLAN || !r->path ||
                (codec_put_text(o, "path", r->path) && codec_put_range(o, "in_file", r->in_file)))
                       ? TAKE_PTR(o)
                       : NULL;
}

char *codec_request_encode(const Request *r) {
        assert(r);

        return codec_print(make_request(r));
}

static bool verb_does(Verb verb, Verdict v) {
        if (verb == VERB_PREVIEW)
                return v == VERDICT_REPAIR;
        return verdict_acts(v) && verb_for_verdict(v) == verb;
}

/* The plan, and that it stays within what was found. */
static int get_plan(const CodecNode *at, Request *q) {
        CodecNode plan;
        int r;

        r = codec_get(at, "plan", CODEC_REQUIRED, json_type_object, &plan);
        if (r < 0)
                return r;
        r = codec_read_plan(&plan, &q->plan);
        if (r < 0)
                return r;

        if (!verb_does(q->verb, q->plan.verdict))
                return codec_fail(&plan, "verdict", "it is not what this verb does");
        if (q->plan.by_word && (q->verb == VERB_PREVIEW) == (q->plan.shown != NULL))
                return codec_fail(&plan, "shown",
                                  "what is to be shown has not been, and the other way round");
        if (q->ranges.n != 1)
                return codec_fail(at, "ranges", "a plan is for one range");
        for (size_t i = 0; i < q->plan.steps.n; i++)
                if (!range_contains(q->ranges.items[0].range, q->plan.steps.items[i].range))
                        return codec_fail(&plan, "steps", "one is outside of the range");
        return 0;
}

/* Either ranges of the device, or the path of a file and a range in it. */
static int get_rehearsal(const CodecNode *at, Request *q) {
        int r;

        r = codec_get_text(at, "path", CODEC_OPTIONAL, &q->path);
        if (r < 0 || !q->path)
                return r;
        if (q->path[0] != '/' || q->ranges.n > 0)
                return codec_fail(at, "path", "an absolute path, and no ranges, are wanted");

        return codec_get_range(at, "in_file", CODEC_REQUIRED, &q->in_file);
}

static int get_physical(const CodecNode *at, Request *q) {
        CodecNode n;
        int r;

        r = codec_get(at, "physical_base", CODEC_OPTIONAL, json_type_int, &n);
        if (r < 0)
                return r;
        q->physical_known = n.value;
        return codec_get_u64(at, "physical_base", CODEC_OPTIONAL, &q->physical);
}

/* Those that need the intent log. */
static bool verb_writes(Verb v) {
        return v != VERB_LOCATE && v != VERB_PLAN && v != VERB_PREVIEW;
}

static int read_request(const CodecNode *at, Request *ret) {
        _cleanup_request_ Request q = {};
        CodecNode volume, policy;
        int r;

        r = codec_get_enum(at, "verb", CODEC_REQUIRED, verb_from_string, &q.verb);
        if (r < 0)
                return r;
        if (verb_is_of_machine(q.verb)) {
                *ret = q;
                return 0;
        }
        if ((r = codec_get_id(at, "id", CODEC_OPTIONAL, &q.id)) < 0 ||
            (r = codec_get(at, "volume", CODEC_REQUIRED, json_type_object, &volume)) < 0 ||
            (r = codec_read_volume(&volume, &q.volume)) < 0 ||
            (r = codec_get_vec(at, "others", CODEC_OPTIONAL, &q.others, codec_read_volume,
                               volume_done)) < 0 ||
            (r = get_physical(at, &q)) < 0 ||
            (r = codec_get_text(at, "namespace", CODEC_OPTIONAL, &q.namespace)) < 0 ||
            (r = codec_get_text(at, "state_dir", verb_writes(q.verb) ? CODEC_REQUIRED : CODEC_OPTIONAL,
                                &q.state_dir)) < 0 ||
            (r = codec_get(at, "policy", CODEC_REQUIRED, json_type_object, &policy)) < 0 ||
            (r = codec_read_policy(&policy, &q.policy)) < 0 ||
            (r = codec_get_vec(at, "ranges", CODEC_OPTIONAL, &q.ranges, codec_read_findings,
                               findings_done)) < 0 ||
            (r = codec_get_bool(at, "no_path", CODEC_OPTIONAL, &q.no_path)) < 0)
                return r;
        if (verb_has_plan(q.verb)) {
                r = get_plan(at, &q);
                if (r < 0)
                        return r;
        }
        if (q.verb == VERB_PREVIEW) {
                r = codec_get_u64(at, "limit", CODEC_REQUIRED, &q.limit);
                if (r < 0)
                        return r;
                if (!q.plan.by_word)
                        return codec_fail(at, "plan", "it is not by the word of an operator");
        }
        if (q.verb == VERB_PLAN) {
                r = get_rehearsal(at, &q);
                if (r < 0)
                        return r;
        }

        *ret = q;
        q = (Request) {};
        return 0;
}

int codec_request_decode(const char *text, Request *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_request, ret);
}
