/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Records of the intent log of which nothing is left to be done: a worker keeps them until what became of
 * the page is on record (core/intent.h), and that is the ledger's. So they go when the ledger has it. No
 * need to wait for the disk: one that a power cut brings back is of a case that is closed, or tells of it
 * once more. */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/intent.h"
#include "service/manager-internal.h"

static int is_ended(const struct dirent *de) {
        IntentEnd end;
        uint64_t id;

        return intent_ended_parse(de->d_name, &id, &end);
}

/* Of that case, or (0) of all that nobody waits for any more. */
static void forget(Manager *m, uint64_t only) {
        _cleanup_close_ int state_fd = -1, fd = -1;
        struct dirent **names;
        int n;

        state_fd = open(m->options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (state_fd >= 0)
                fd = openat(state_fd, INTENT_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return;         /* no worker has begun anything yet */

        n = scandirat(fd, ".", &names, is_ended, NULL);
        for (int i = 0; i < n; i++) {
                IntentEnd end;
                uint64_t id;

                if (intent_ended_parse(names[i]->d_name, &id, &end) &&
                    (only ? id == only : !manager_find_tracked(m, id)))
                        (void) unlinkat(fd, names[i]->d_name, 0);
                free(names[i]);
        }
        if (n >= 0)
                free(names);
}

void manager_forget_ended(Manager *m, uint64_t id) {
        forget(m, id);
}

void manager_tidy_ended(Manager *m) {
        forget(m, 0);
}
