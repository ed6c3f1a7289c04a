/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Secrets are kept apart from protect files, which everybody may read and which travel as JSON. What is
 * quoted in complaints are names of settings only. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/credentials.h"
#include "core/replica-uri.h"
#include "util/cleanup.h"
#include "util/ini-text.h"
#include "util/path.h"

void credentials_done(Credentials *c) {
        char *secrets[] = { c->password, c->key, c->psk };

        for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
                if (secrets[i])
                        explicit_bzero(secrets[i], strlen(secrets[i]));
        free(c->prefix);
        free(c->user);
        free(c->password);
        free(c->sigv4);
        free(c->certificate);
        free(c->key);
        free(c->ca);
        free(c->psk);
        *c = (Credentials) {};
}

static const struct {
        const char *key;
        size_t offset;
        bool path;
} keys[] = {
        { "For", offsetof(Credentials, prefix), false },
        { "User", offsetof(Credentials, user), false },
        { "Password", offsetof(Credentials, password), false },
        { "AwsSigv4", offsetof(Credentials, sigv4), false },
        { "CertificateFile", offsetof(Credentials, certificate), true },
        { "KeyFile", offsetof(Credentials, key), true },
        { "CaFile", offsetof(Credentials, ca), true },
        { "PskFile", offsetof(Credentials, psk), true },
};

typedef struct Parser {
        Credentials credentials;
        CredentialsProblemFn problem;
        void *userdata;
        unsigned problems;
} Parser;

static int on_problem(unsigned line, const char *sentence, void *userdata) {
        Parser *p = userdata;

        p->problems++;
        return p->problem ? p->problem(line, sentence, p->userdata) : 0;
}

static char **find(Parser *p, const IniLine *l, bool *ret_path) {
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (strcmp(keys[i].key, l->key) == 0) {
                        *ret_path = keys[i].path;
                        return (char **) ((char *) &p->credentials + keys[i].offset);
                }
        return NULL;
}

static int on_setting(const IniLine *l, void *userdata) {
        Parser *p = userdata;
        const char *why = NULL;
        char **field, *value;
        bool path = false;
        int r;

        if (strcmp(l->section, "Credentials") != 0)
                return on_problem(l->line, "it is in another section than [Credentials]", p);
        field = find(p, l, &path);
        if (!field)
                return on_problem(l->line, "unknown setting; allowed are For= User= Password= AwsSigv4= "
                                  "CertificateFile= KeyFile= CaFile= PskFile=", p);

        if (!*l->value)
                value = NULL;
        else if (path) {
                r = path_make(l->value, &value, &why);
                if (r == -EINVAL)
                        return on_problem(l->line, "an absolute path is wanted", p);
                if (r < 0)
                        return r;
        } else {
                value = strdup(l->value);
                if (!value)
                        return -ENOMEM;
        }
        free(*field);
        *field = value;
        return 0;
}

/* Brings For= into the form that values of Replica= have. */
static int check_prefix(Parser *p) {
        _cleanup_free_ char *made = NULL;
        const char *why = NULL;
        ReplicaKind k;
        int r;

        if (!p->credentials.prefix)
                return on_problem(0, "For= is missing: the beginning of the URIs of replicas that these "
                                  "credentials are for", p);
        r = replica_uri_make(p->credentials.prefix, &made, &why);
        if (r == -ENOMEM)
                return r;
        k = replica_kind_of(p->credentials.prefix, NULL);
        if (r < 0 || (k != REPLICA_HTTP && k != REPLICA_HTTPS && k != REPLICA_NBD))
                return on_problem(0,
                                  "For= is not the beginning of the URI of a replica that is asked over a "
                                  "network",
                                  p);
        free(p->credentials.prefix);
        p->credentials.prefix = TAKE_PTR(made);
        return 0;
}

static int check_whole(Parser *p) {
        const Credentials *c = &p->credentials;
        int r;

        r = check_prefix(p);
        if (r >= 0 && c->password && !c->user)
                r = on_problem(0, "Password= without User=", p);
        if (r >= 0 && c->sigv4 && !c->password)
                r = on_problem(0, "AwsSigv4= without User= and Password=, the access key and the secret one",
                               p);
        if (r >= 0 && !c->certificate != !c->key)
                r = on_problem(0, "CertificateFile= and KeyFile= are of use only together", p);
        return r;
}

int credentials_parse(const char *text, size_t n, CredentialsProblemFn problem, void *userdata,
                      Credentials *ret, unsigned *ret_problems) {
        Parser p = { .problem = problem, .userdata = userdata };
        const IniVisitor visitor = { .setting = on_setting, .problem = on_problem, .userdata = &p };
        int r;

        assert(text || n == 0);
        assert(ret);
        assert(ret_problems);

        r = ini_text_read(text, n, &visitor);
        if (r >= 0)
                r = check_whole(&p);
        if (r < 0) {
                credentials_done(&p.credentials);
                return r;
        }
        *ret = p.credentials;
        *ret_problems = p.problems;
        return 0;
}

bool credentials_fit(const Credentials *c, const char *uri) {
        size_t n;

        assert(c);
        assert(uri);

        if (!c->prefix)
                return false;
        n = strlen(c->prefix);
        return strncmp(uri, c->prefix, n) == 0 && (uri[n] == '\0' || uri[n] == '/' || uri[n] == '?');
}
