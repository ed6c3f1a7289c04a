/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

/* Log lines of the daemon. Only service/ and the mains log; util, core and the edges return errors. Where
 * stderr is the journal, lines go there with their fields; else they go to stderr with a <N> prefix where
 * asked, as plain text otherwise. */

void log_open(void);
void log_set_max_level(int level);

/* Would a line of this level be written? For what costs something to put together. */
bool log_is_enabled(int level);

__attribute__((format(printf, 2, 3))) void log_line(int level, const char *format, ...);

/* Returns `error` (made negative), so that `return log_error_errno(r, "…: %m")` logs and passes on; %m is
 * the error's text. */
__attribute__((format(printf, 3, 4))) int log_line_errno(int level, int error, const char *format, ...);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning_errno(e, ...) log_line_errno(LOG_WARNING, e, __VA_ARGS__)
#define log_error_errno(e, ...) log_line_errno(LOG_ERR, e, __VA_ARGS__)

/* A structured entry: fields are collected, then committed as one entry with its sentence. Fields that do
 * not fit (no memory) are dropped, never the entry: log_entry_new() may return NULL, all functions take
 * that, and then the sentence is logged alone. Names are BEZOAR_* (and those of
 * systemd.journal-fields(7)). */
typedef struct LogEntry LogEntry;

LogEntry *log_entry_new(void);
void log_entry_add(LogEntry *e, const char *field, const char *value);          /* value NULL: no field */
__attribute__((format(printf, 3, 4)))
void log_entry_addf(LogEntry *e, const char *field, const char *format, ...);

/* Commits and frees. `message_id`: one of util/log-ids.h, or NULL. */
__attribute__((format(printf, 4, 5)))
void log_entry_commit(LogEntry *e, int level, const char *message_id, const char *format, ...);
