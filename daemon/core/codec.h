/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/job.h"
#include "core/topology.h"

/* Core values <-> JSON text. The forms are described in docs/man/bezoar-worker.8.rst (requests, replies) and DESIGN: a case is
 *   {"id","state","reason","volume":{"device","fs","uuid","mountpoint"},"range":{"start","length"},"physical":{"start","length"},
 *    "dimms":[…],"owners":[{"type","inode","generation","path","offset","length","shared"}],"replica","proof","writer",
 *    "events":[{"time","state","detail"}]}
 * plus "bad", "attempts". `id` is a string of digits. Times are microseconds since the epoch. What is not known is left out.
 *
 * Encoders return one line without a newline (the caller frees it), or NULL for lack of memory. Decoders return 0, -EBADMSG for text that is
 * no such value (a member missing, of a wrong type, out of range, an unknown word, more than one value), -ENOMEM; *ret, not initialised
 * before, is untouched on failure; *ret_error (may be NULL), where given, gets a sentence that names the member, which the caller frees.
 *
 * Paths are bytes: what is no valid UTF-8, control characters and the backslash are written as \xNN (two lower-case hex digits after a
 * backslash, which JSON doubles), so that every path survives the way there and back. */

char *codec_case_encode(const Case *c);
int codec_case_decode(const char *text, Case **ret, char **ret_error);

char *codec_topology_encode(const Topology *t);
int codec_topology_decode(const char *text, Topology *ret, char **ret_error);

char *codec_request_encode(const Request *r);
int codec_request_decode(const char *text, Request *ret, char **ret_error);

char *codec_locate_reply_encode(const LocateReply *r);
int codec_locate_reply_decode(const char *text, LocateReply *ret, char **ret_error);

char *codec_result_encode(const Result *r);
int codec_result_decode(const char *text, Result *ret, char **ret_error);

/* The escape of paths, on its own (for the terminal and the journal). NULL: no memory. */
char *codec_path_escape(const char *path);
int codec_path_unescape(const char *text, char **ret);  /* -EBADMSG for a bad escape */
