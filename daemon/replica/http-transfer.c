/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A server is believed word by word: the status must be 206, Content-Range must name the very bytes that
 * were asked for, the body must have exactly so many, and it must not be compressed. Everything else that a
 * server may do with a range request (ignore it, send several parts, send what it likes) is no answer. */

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "build-config.h"
#include "replica/http-transfer.h"
#include "util/cleanup.h"
#include "util/parse.h"
#include "util/time-util.h"

#define REDIRECTS_MAX 5L
#define CONNECT_MSEC 10000
#define STALL_BYTES 100L                /* fewer bytes a second than this … */
#define STALL_SEC 15L                   /* … for so long is no answer */

struct Http {
        CURL *curl;
        struct curl_slist *headers;
        uint64_t deadline_usec;
        char error[CURL_ERROR_SIZE];
};

/* One answer on its way. Headers of a redirection come first, and are forgotten when the next begin. */
typedef struct Transfer {
        HttpAnswer *answer;
        uint8_t *buf;
        size_t size, n;
        bool encoded, too_much;
} Transfer;

static bool header_is(const char *line, const char *name, const char **ret_value) {
        size_t n = strlen(name);

        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
                return false;
        *ret_value = line + n + 1 + strspn(line + n + 1, " \t");
        return true;
}

/* "bytes 0-4095/10000" */
static bool parse_content_range(const char *s, HttpAnswer *a) {
        char first[24], last[24], size[24];
        int n = 0;

        if (strncasecmp(s, "bytes ", 6) != 0 ||
            sscanf(s + 6, "%20[0-9]-%20[0-9]/%20[0-9]%n", first, last, size, &n) != 3 || s[6 + n] ||
            parse_u64(first, &a->start) < 0 || parse_u64(last, &a->end) < 0 ||
            parse_u64(size, &a->size) < 0 || a->start > a->end || a->end >= a->size)
                return false;
        a->end++;
        return true;
}

/* "1700000000.123456789", up to nine digits behind the point, or none. */
static bool parse_mtime(const char *s, struct timespec *ret) {
        char seconds[24], fraction[16] = "";
        uint64_t sec, nsec;
        int n = 0, m = 0;

        if (sscanf(s, "%20[0-9]%n", seconds, &n) != 1 || parse_u64(seconds, &sec) < 0 || sec > INT64_MAX)
                return false;
        if (s[n] && (sscanf(s + n, ".%9[0-9]%n", fraction, &m) != 1 || s[n + m]))
                return false;
        for (size_t k = strlen(fraction); k < 9; k++)
                fraction[k] = '0';
        fraction[9] = '\0';
        nsec = strtoul(fraction, NULL, 10);
        *ret = (struct timespec) { .tv_sec = (time_t) sec, .tv_nsec = (long) nsec };
        return true;
}

static void take_header(Transfer *t, const char *line) {
        HttpAnswer *a = t->answer;
        const char *value;

        if (strncmp(line, "HTTP/", 5) == 0) {
                *a = (HttpAnswer) {};
                t->encoded = false;
        } else if (header_is(line, "Content-Range", &value))
                a->ranged = parse_content_range(value, a);
        else if (header_is(line, "Content-Encoding", &value))
                t->encoded = strcasecmp(value, "identity") != 0;
        else if (header_is(line, "ETag", &value))
                (void) snprintf(a->tag, sizeof(a->tag), "%s", value);
        else if (header_is(line, "X-Amz-Meta-Mtime", &value))
                a->exact = parse_mtime(value, &a->mtime);
        else if (header_is(line, "Last-Modified", &value)) {
                a->modified = curl_getdate(value, NULL);
                a->dated = a->modified != (time_t) -1;
        }
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        size_t length = size * n;
        char line[2048];

        if (length < sizeof(line)) {
                memcpy(line, data, length);
                line[length] = '\0';
                line[strcspn(line, "\r\n")] = '\0';
                take_header(userdata, line);
        }
        return length;
}

/* The body of anything but the answer that was asked for is of no interest. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        size_t length = size * n;

        if (length > t->size - t->n) {
                t->too_much = true;
                return 0;
        }
        memcpy(t->buf + t->n, data, length);
        t->n += length;
        return length;
}

static CURLcode set_blob(CURL *c, CURLoption option, const char *text) {
        struct curl_blob blob = { .data = (char *) text, .len = strlen(text), .flags = CURL_BLOB_COPY };

        return curl_easy_setopt(c, option, &blob);
}

static bool set_credentials(CURL *c, const Credentials *k) {
        return (!k->user || curl_easy_setopt(c, CURLOPT_USERNAME, k->user) == CURLE_OK) &&
               (!k->password || curl_easy_setopt(c, CURLOPT_PASSWORD, k->password) == CURLE_OK) &&
               (!k->sigv4 || curl_easy_setopt(c, CURLOPT_AWS_SIGV4, k->sigv4) == CURLE_OK) &&
               (!k->ca || set_blob(c, CURLOPT_CAINFO_BLOB, k->ca) == CURLE_OK) &&
               (!k->certificate ||
                (set_blob(c, CURLOPT_SSLCERT_BLOB, k->certificate) == CURLE_OK &&
                 set_blob(c, CURLOPT_SSLKEY_BLOB, k->key) == CURLE_OK));
}

#define SET(option, value) (curl_easy_setopt(c, (option), (value)) == CURLE_OK)

static bool set_up(Http *h, const char *url) {
        bool safe = strncmp(url, "https:", 6) == 0;
        CURL *c = h->curl;

        return SET(CURLOPT_URL, url) &&
               SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
               SET(CURLOPT_REDIR_PROTOCOLS_STR, safe ? "https" : "http,https") &&
               SET(CURLOPT_FOLLOWLOCATION, 1L) &&
               SET(CURLOPT_MAXREDIRS, REDIRECTS_MAX) &&
               SET(CURLOPT_UNRESTRICTED_AUTH, 0L) &&
               SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED) &&
               SET(CURLOPT_PROXY, "") &&
               SET(CURLOPT_NOSIGNAL, 1L) &&
               SET(CURLOPT_USERAGENT, "bezoar/" BEZOAR_VERSION) &&
               SET(CURLOPT_HTTPHEADER, h->headers) &&
               SET(CURLOPT_ERRORBUFFER, h->error) &&
               SET(CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES) &&
               SET(CURLOPT_LOW_SPEED_TIME, STALL_SEC) &&
               SET(CURLOPT_HEADERFUNCTION, on_header) &&
               SET(CURLOPT_WRITEFUNCTION, on_body);
}

int http_new(const char *url, const Credentials *credentials, uint64_t deadline_usec, Http **ret) {
        Http *h = calloc(1, sizeof(*h));

        if (!h)
                return -ENOMEM;
        h->deadline_usec = deadline_usec;
        h->curl = curl_easy_init();
        h->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
        if (!h->curl || !h->headers || !set_up(h, url) ||
            (credentials && !set_credentials(h->curl, credentials))) {
                (void) http_free(h);
                return -ENOMEM;
        }
        *ret = h;
        return 0;
}

Http *http_free(Http *h) {
        if (!h)
                return NULL;
        curl_easy_cleanup(h->curl);
        curl_slist_free_all(h->headers);
        free(h);
        return NULL;
}

static int judge(const Transfer *t, Range range) {
        const HttpAnswer *a = t->answer;
        uint64_t end = a->ranged && a->size < range.end ? a->size : range.end;

        if (a->status == 200)
                return HTTP_E_NO_RANGES;
        if (a->status != 206)
                return HTTP_E_STATUS;
        if (t->encoded || t->too_much || !a->ranged || a->start != range.start || a->end != end ||
            t->n != end - range.start)
                return HTTP_E_LIES;
        return 0;
}

/* Why curl gave up, where that is not told by the answer. */
static int judge_error(const Http *h, CURLcode code, Transfer *t, Range range) {
        HttpAnswer *a = t->answer;

        (void) snprintf(a->error, sizeof(a->error), "%s", *h->error ? h->error : curl_easy_strerror(code));
        switch ((int) code) {
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_TOO_MANY_REDIRECTS:
        case CURLE_URL_MALFORMAT:
                return HTTP_E_ELSEWHERE;
        case CURLE_WRITE_ERROR:         /* on_body() had enough */
                return a->status == 206 ? HTTP_E_LIES : judge(t, range);
        case CURLE_PARTIAL_FILE:
        case CURLE_BAD_CONTENT_ENCODING:
        case CURLE_RANGE_ERROR:
        case CURLE_WEIRD_SERVER_REPLY:
                return HTTP_E_LIES;
        default:
                return HTTP_E_AWAY;
        }
}

int http_get(Http *h, Range range, void *buf, HttpAnswer *ret) {
        Transfer t = { .answer = ret, .buf = buf, .size = range_size(range) };
        uint64_t now = now_monotonic(), left;
        char text[64];
        CURLcode code;
        long status = 0;
        CURL *c = h->curl;

        assert(ret);

        *ret = (HttpAnswer) {};
        *h->error = '\0';
        left = h->deadline_usec > now ? (h->deadline_usec - now) / USEC_PER_MSEC : 0;
        if (left == 0) {
                (void) snprintf(ret->error, sizeof(ret->error), "there is no time left");
                return HTTP_E_AWAY;
        }
        if (left > USEC_PER_HOUR / USEC_PER_MSEC)
                left = USEC_PER_HOUR / USEC_PER_MSEC;

        (void) snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, range.start, range.end - 1);
        if (!SET(CURLOPT_RANGE, text) || !SET(CURLOPT_TIMEOUT_MS, (long) left) ||
            !SET(CURLOPT_CONNECTTIMEOUT_MS, (long) (left < CONNECT_MSEC ? left : CONNECT_MSEC)) ||
            !SET(CURLOPT_HEADERDATA, &t) || !SET(CURLOPT_WRITEDATA, &t))
                return -ENOMEM;

        code = curl_easy_perform(c);
        (void) curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        ret->status = status;
        return code == CURLE_OK ? judge(&t, range) : judge_error(h, code, &t, range);
}
