/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Log lines. systemd tells a service by JOURNAL_STREAM=dev:inode which socket the journal gave it; where
 * standard error still is that socket, an entry goes to the journal's own socket, with its fields.
 * Everywhere else standard error gets the sentence alone, on one line and without control characters:
 * whatever a file is called, it cannot forge a line or steer a terminal. */

#define SD_JOURNAL_SUPPRESS_LOCATION

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/vec.h"

typedef enum Target {
        TARGET_PLAIN,           /* a terminal, a file */
        TARGET_PREFIXED,        /* <N> before each line: somebody else passes it on to the journal */
        TARGET_JOURNAL,
} Target;

struct LogEntry {
        struct iovec *items;    /* "FIELD=value" each, owned */
        size_t n, allocated;
};

/* The only state of the process outside its objects: where its words go is a property of the process. */
static Target target = TARGET_PLAIN;
static int max_level = LOG_INFO;

static Target find_target(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        if (!stream)
                return TARGET_PLAIN;
        if (sscanf(stream, "%ju:%ju", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
                return TARGET_PREFIXED;
        return device == st.st_dev && inode == st.st_ino ? TARGET_JOURNAL : TARGET_PREFIXED;
}

void log_open(void) {
        static const char *const names[] = {
                "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
        };
        const char *level = getenv("BEZOAR_LOG_LEVEL");

        target = find_target();

        for (int i = LOG_EMERG; level && i <= LOG_DEBUG; i++)
                if (strcmp(level, names[i]) == 0 || (level[0] == '0' + i && level[1] == '\0'))
                        max_level = i;
}

void log_set_max_level(int level) {
        max_level = level;
}

bool log_is_enabled(int level) {
        return level <= max_level;
}

/* One write(2) a line: lines of several processes do not mix. */
static void write_stderr(int level, const char *message) {
        _cleanup_free_ char *line = NULL;
        int n;

        n = target == TARGET_PLAIN ? asprintf(&line, "%s\n", message)
                                   : asprintf(&line, "<%d>%s\n", level, message);
        if (n < 0) {
                line = NULL;
                return;
        }

        for (int i = 0; i < n - 1; i++)
                if ((unsigned char) line[i] < ' ' || line[i] == 0x7f)
                        line[i] = '?';
        /* there is nobody left to tell that this failed */
        if (write(STDERR_FILENO, line, (size_t) n) < 0)
                return;
}

static void add_text(LogEntry *e, const char *field, const char *value) {
        char *text;

        if (asprintf(&text, "%s=%s", field, value) < 0)
                return;
        if (vec_push(e, ((struct iovec) { .iov_base = text, .iov_len = strlen(text) })) < 0)
                free(text);
}

static int write_journal(LogEntry *e, int level, const char *message_id, const char *message) {
        char priority[16];
        size_t want;

        (void) snprintf(priority, sizeof(priority), "%d", level);
        want = e->n + 2 + (message_id ? 1 : 0);
        add_text(e, "MESSAGE", message);
        add_text(e, "PRIORITY", priority);
        if (message_id)
                add_text(e, "MESSAGE_ID", message_id);

        return e->n == want ? sd_journal_sendv(e->items, (int) e->n) : -ENOMEM;
}

static void dispatch(LogEntry *e, int level, const char *message_id, const char *message) {
        if (target == TARGET_JOURNAL && write_journal(e, level, message_id, message) >= 0)
                return;
        write_stderr(level, message);
}

static void entry_done(LogEntry *e) {
        for (size_t i = 0; i < e->n; i++)
                free(e->items[i].iov_base);
        vec_done(e);
}

/* `error`: what %m says. */
__attribute__((format(printf, 5, 0)))
static void log_valist(LogEntry *e, int level, const char *id, int error, const char *format, va_list ap) {
        _cleanup_(entry_done) LogEntry bare = {};
        _cleanup_free_ char *message = NULL;

        if (level > max_level)
                return;

        errno = error;
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;

        /* without memory, the sentence as it stands in the source still says what it is about */
        dispatch(e ? e : &bare, level, id, message ? message : format);
}

void log_line(int level, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        log_valist(NULL, level, NULL, saved, format, ap);
        va_end(ap);
        errno = saved;
}

int log_line_errno(int level, int error, const char *format, ...) {
        int saved = errno, positive = error < 0 ? -error : error;
        va_list ap;

        va_start(ap, format);
        log_valist(NULL, level, NULL, positive, format, ap);
        va_end(ap);
        errno = saved;
        return -positive;
}

LogEntry *log_entry_new(void) {
        return calloc(1, sizeof(LogEntry));
}

void log_entry_add(LogEntry *e, const char *field, const char *value) {
        if (e && value)
                add_text(e, field, value);
}

void log_entry_addf(LogEntry *e, const char *field, const char *format, ...) {
        _cleanup_free_ char *value = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&value, format, ap);
        va_end(ap);
        if (n < 0)
                value = NULL;
        log_entry_add(e, field, value);
}

void log_entry_commit(LogEntry *e, int level, const char *message_id, const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        log_valist(e, level, message_id, saved, format, ap);
        va_end(ap);
        if (e)
                entry_done(e);
        free(e);
        errno = saved;
}
