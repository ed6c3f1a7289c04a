/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A typed growable array: any struct with the members `items`, `n` and `allocated`. Zero-initialised is
 * empty.
 *
 *      typedef struct Foos { Foo *items; size_t n, allocated; } Foos;
 *
 * The array owns the memory of `items`; what the items point to is the owner's business. */

int vec_reserve(void **items, size_t *allocated, size_t n, size_t item_size);

/* Appends a copy of `item`. 0 or -ENOMEM; the array is unchanged on failure. */
#define vec_push(v, item)                                                                               \
        ({                                                                                              \
                int _vr = vec_reserve((void **) &(v)->items, &(v)->allocated, (v)->n + 1,               \
                                      sizeof(*(v)->items));                                             \
                if (_vr == 0)                                                                           \
                        (v)->items[(v)->n++] = (item);                                                  \
                _vr;                                                                                    \
        })

/* Inserts a copy of `item` before index `at` (at <= n). 0 or -ENOMEM. */
#define vec_insert(v, at, item)                                                                         \
        ({                                                                                              \
                size_t _va = (at);                                                                      \
                int _vr = vec_reserve((void **) &(v)->items, &(v)->allocated, (v)->n + 1,               \
                                      sizeof(*(v)->items));                                             \
                if (_vr == 0) {                                                                         \
                        memmove((v)->items + _va + 1, (v)->items + _va,                                 \
                                ((v)->n - _va) * sizeof(*(v)->items));                                  \
                        (v)->items[_va] = (item);                                                       \
                        (v)->n++;                                                                       \
                }                                                                                       \
                _vr;                                                                                    \
        })

/* Removes `count` items from index `at`. */
#define vec_remove(v, at, count)                                                                        \
        ({                                                                                              \
                size_t _va = (at), _vc = (count);                                                       \
                memmove((v)->items + _va, (v)->items + _va + _vc,                                       \
                        ((v)->n - _va - _vc) * sizeof(*(v)->items));                                    \
                (v)->n -= _vc;                                                                          \
        })

/* Frees the array itself and leaves it empty. */
#define vec_done(v)                                                                                     \
        ({                                                                                              \
                free((v)->items);                                                                       \
                (v)->items = NULL;                                                                      \
                (v)->n = (v)->allocated = 0;                                                            \
        })
