/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A Topology that was saved: the machine as it was, or as a test wants it to be. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/codec.h"
#include "topo/topo.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

/* Far beyond any machine: some hundred bytes a device. */
#define SAVED_SIZE_MAX ((size_t) 16 * 1024 * 1024)

int topo_load(const char *path, Topology *ret, char **ret_error) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        assert(path);
        assert(ret);

        r = file_read(AT_FDCWD, path, SAVED_SIZE_MAX, &text, &size);
        if (r < 0)
                return r;

        if (memchr(text, '\0', size)) {
                r = ret_error ? str_copy("There is a zero byte in the text.", ret_error) : 0;
                return r < 0 ? r : -EBADMSG;
        }
        return codec_topology_decode(text, ret, ret_error);
}
