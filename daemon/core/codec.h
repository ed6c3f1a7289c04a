/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/fetch.h"
#include "core/forecast.h"
#include "core/intent.h"
#include "core/health.h"
#include "core/job.h"
#include "core/preview.h"
#include "core/topology.h"

/* Core values <-> JSON text. The forms are described in docs/man/bezoar-worker.8.rst (requests, answers);
 * a case is
 *
 *     {"id","state","reason","ignored","volume":{"device","fs","uuid","mountpoint"},
 *      "range":{"start","length"},"bad":[…],"physical":{"start","length"},"dimms":[…],
 *      "owners":[{"type","start","length","inode","generation","offset","path","names":[…],"shared",
 *      "unwritten","detail"}],"replica","proof","accepted_by","writer","attempts",
 *      "events":[{"time","state","detail"}]}
 *
 * `id` is a string of digits, never "0". Times are microseconds since the epoch. What is not known, and a
 * flag that is false, is left out; a progress line has only id, progress and detail.
 *
 * Encoders return one line without a newline (the caller frees it), or NULL for lack of memory. Decoders
 * return 0, -EBADMSG for text that is no such value (a member missing, of a wrong type, out of range, an
 * unknown word, more than one value), -ENOMEM; *ret, not initialised before, is untouched on failure;
 * *ret_error (may be NULL), where given, gets a sentence that names the member, which the caller frees.
 * Members that are not known are ignored; of two with one name the last counts. A decoded request for a
 * repair is whole: one range, a plan to repair it, its steps single pages within the range.
 *
 * Strings are bytes, for they hold paths: what is no valid UTF-8, control characters and the backslash
 * are written as \xNN (two lower-case hex digits after a backslash, which JSON doubles), so that every
 * path survives the way there and back. */

char *codec_case_encode(const Case *c);
int codec_case_decode(const char *text, Case **ret, char **ret_error);

/* An array of cases. *ret, not initialised before, is the caller's (cases_done()). */
int codec_cases_decode(const char *text, Cases *ret, char **ret_error);

char *codec_topology_encode(const Topology *t);
int codec_topology_decode(const char *text, Topology *ret, char **ret_error);

char *codec_request_encode(const Request *r);
int codec_request_decode(const char *text, Request *ret, char **ret_error);

char *codec_locate_reply_encode(const LocateReply *r);
int codec_locate_reply_decode(const char *text, LocateReply *ret, char **ret_error);

char *codec_result_encode(const Result *r);
int codec_result_decode(const char *text, Result *ret, char **ret_error);

/* What stands on the medium before a page is written (its bytes are beside this text, not in it). */
char *codec_intent_encode(const Intent *i);
int codec_intent_decode(const char *text, Intent *ret, char **ret_error);

/* {"target","device","mode","parts":[{"found","plan","explanation","advice"}]} */
char *codec_forecast_encode(const Forecast *f);
int codec_forecast_decode(const char *text, Forecast *ret, char **ret_error);

/* {"id","device","path","also","replica","detail","pages":[{"range","offset","lost"}],"lost","compared",
 * "differ","pieces":[{"offset","length","medium","replica"}],"cut","shown","action"}; bytes are text in
 * hexadecimal digits. */
char *codec_preview_encode(const Preview *p);
int codec_preview_decode(const char *text, Preview *ret, char **ret_error);

/* {"dimms":[{"dimm","known","failed","alarms":[…]}]} */
char *codec_health_encode(const DimmHealths *l);
int codec_health_decode(const char *text, DimmHealths *ret, char **ret_error);

/* The connection to bezoar-fetch: core/fetch.h. The answer to a range is its length, or a negative errno in
 * *ret_error. */
char *codec_fetch_request_encode(const FetchRequest *r);
int codec_fetch_request_decode(const char *text, FetchRequest *ret, char **ret_error);
char *codec_fetch_reply_encode(const FetchReply *r);
int codec_fetch_reply_decode(const char *text, FetchReply *ret, char **ret_error);
char *codec_fetch_range_encode(Range r);
int codec_fetch_range_decode(const char *text, Range *ret);
char *codec_fetch_piece_encode(uint64_t length, int error);
int codec_fetch_piece_decode(const char *text, uint64_t *ret_length, int *ret_error);

/* Instead of an answer: why there is none, {"error"}. */
char *codec_error_encode(const char *sentence);
int codec_error_decode(const char *text, char **ret);   /* -EBADMSG: something else, perhaps an answer */

/* Before an answer: the search for it goes on, {"searching":true}. */
char *codec_searching_encode(void);
bool codec_searching_decode(const char *text);          /* is it that? */

/* The escape, on its own (for the terminal and the journal). NULL: no memory. */
char *codec_path_escape(const char *path);
int codec_path_unescape(const char *text, char **ret);  /* -EBADMSG for a bad escape */

/* Any value over several lines, for a person to read. 0, -EBADMSG, -ENOMEM; the caller frees it. */
int codec_json_pretty(const char *text, char **ret);
