/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From physical addresses, as machine checks have them, to disks. Most machine checks are about memory that
 * is no business of ours. */

#include "service/manager-internal.h"

void manager_hint_physical(Manager *m, Range physical) {
        const Topology *t = &m->topology;

        for (size_t i = 0; i < t->namespaces.n; i++) {
                const TopoNamespace *n = t->namespaces.items + i;

                if (n->disk && n->data.start < physical.end && physical.start < n->data.end)
                        manager_want_scan(m, n->disk);
        }
}
