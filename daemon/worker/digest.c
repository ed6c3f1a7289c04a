/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <openssl/evp.h>

#include "worker/digest.h"

struct Digester {
        EVP_MD *algorithm;
        EVP_MD_CTX *context;
};

Digester *digester_free(Digester *d) {
        if (!d)
                return NULL;
        EVP_MD_CTX_free(d->context);
        EVP_MD_free(d->algorithm);
        free(d);
        return NULL;
}

int digester_new(Digester **ret) {
        _cleanup_(digester_freep) Digester *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
        d->context = EVP_MD_CTX_new();
        if (!d->algorithm || !d->context)
                return -ENOMEM;

        *ret = TAKE_PTR(d);
        return 0;
}

int digest(Digester *d, const DigestPart *parts, uint8_t ret[static SEAL_DIGEST]) {
        if (!EVP_DigestInit_ex2(d->context, d->algorithm, NULL))
                return -EIO;
        for (; parts->data; parts++)
                if (!EVP_DigestUpdate(d->context, parts->data, parts->size))
                        return -EIO;
        return EVP_DigestFinal_ex(d->context, ret, NULL) ? 0 : -EIO;
}
