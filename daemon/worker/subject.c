/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#include "util/strv.h"
#include "worker/subject.h"

int subject_init(Subject *s, const Request *request, const Site *site, const Protect *protect,
                 const Owner *owner, const struct stat *st, const SpaceMap *places, char ***ret_others) {
        const char *relative = site_is_dax(site) ? "" : protect_relative(protect, owner->path);
        _cleanup_strv_ char **others = NULL;

        assert(relative);

        for (char *const *name = owner->names; name && *name; name++) {
                const char *other = protect_relative(protect, *name);
                int r;

                if (!other || strcmp(other, relative) == 0)
                        continue;
                r = strv_extend(&others, other);
                if (r < 0)
                        return r;
        }

        *s = (Subject) {
                .relative = relative,
                .others = others,
                .size = (uint64_t) st->st_size,
                .mtime = st->st_mtim,
                .untimed = site_is_dax(site),
                .device_major = site->part_major,
                .device_minor = site->part_minor,
                .fs_major = site->volume->part != FS_PART_DATA ? site->fs_major : 0,
                .fs_minor = site->volume->part != FS_PART_DATA ? site->fs_minor : 0,
                .places = places,
                .deadline_usec = request->deadline_usec,
                .credentials_dir = request->policy.credentials_dir,
        };
        *ret_others = TAKE_PTR(others);
        return 0;
}
