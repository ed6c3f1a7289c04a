/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <sys/stat.h>

#include "worker/subject.h"

void subject_init(Subject *s, const Request *request, const Site *site, const Protect *protect,
                  const char *path, const struct stat *st, const SpaceMap *places) {
        const char *relative = site_is_dax(site) ? "" : protect_relative(protect, path);

        assert(relative);

        *s = (Subject) {
                .relative = relative,
                .size = (uint64_t) st->st_size,
                .mtime = st->st_mtim,
                .untimed = site_is_dax(site),
                .device_major = site->fs_major,
                .device_minor = site->fs_minor,
                .places = places,
                .deadline_usec = request->deadline_usec,
                .credentials_dir = request->policy.credentials_dir,
        };
}
