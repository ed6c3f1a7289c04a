/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What has to be done to a text before json-c is asked what it says: refused is what json-c is content with
 * and JSON is not; and what is not ASCII is written as \uXXXX, because json-c 0.18 takes nothing else when
 * it is strict. *ret_ascii says the same as the text; NULL: the text itself is ASCII. 0; -EBADMSG, with what
 * is wrong in *ret_wrong (static); -ENOMEM. */
int codec_text_scan(const char *text, char **ret_ascii, const char **ret_wrong);
