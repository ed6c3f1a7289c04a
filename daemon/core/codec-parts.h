/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/codec-json.h"
#include "core/job.h"

/* Internal to core/codec*: the values that are parts of others. Makers return NULL for lack of memory;
 * readers 0, -EBADMSG or -ENOMEM, and leave *ret as it was on failure. */

struct json_object *codec_make_owner(const void *owner);
int codec_read_owner(const CodecNode *at, Owner *ret);

struct json_object *codec_make_offer(const void *offer);
int codec_read_offer(const CodecNode *at, Offer *ret);

struct json_object *codec_make_findings(const void *findings);
int codec_read_findings(const CodecNode *at, Findings *ret);

struct json_object *codec_make_volume(const Volume *v);
int codec_read_volume(const CodecNode *at, Volume *ret);

struct json_object *codec_make_policy(const Policy *p);
int codec_read_policy(const CodecNode *at, Policy *ret);

struct json_object *codec_make_plan(const Plan *p);
int codec_read_plan(const CodecNode *at, Plan *ret);

/* Small values in words: "identity+neighbours", "lease,optimistic". What is empty is left out. */
bool codec_put_proofs(struct json_object *o, const char *key, ProofSet s);
int codec_get_proofs(const CodecNode *at, const char *key, ProofSet *ret);
bool codec_put_exclusion(struct json_object *o, const char *key, const ExclusionList *l);
int codec_get_exclusion(const CodecNode *at, const char *key, ExclusionList *ret);

/* As "part"; left out for the data. Read by codec_get_enum(). */
bool codec_put_part(struct json_object *o, FsPart p);

/* The offset of a page in a file: whole pages, within what a file can have. Required. */
int codec_get_file_page(const CodecNode *at, const char *key, uint64_t *ret);

/* "range" in whole pages and "bad" within it, as cases, findings and steps have them. */
int codec_get_pages(const CodecNode *at, Range *ret, RangeSet *ret_bad);
