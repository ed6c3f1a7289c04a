/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a worker says to the daemon: the first byte chooses what it was asked, the rest is its lines. Each
 * request is answered for the last time at most once, and after nonsense nothing is believed any more. */

#include "service/engine.c" // IWYU pragma: keep

#include "fuzz.h"

typedef struct Told {
        unsigned last;
        bool failed;
} Told;

static void on_answer(const EngineAnswer *a, void *userdata) {
        Told *told = userdata;

        must(told->last == 0);
        must(!a->located + !a->result + !a->topology + !a->health + !a->error == 4);
        must(a->error <= 0 && (!a->error || a->last));
        told->last += a->last;
        told->failed |= a->error != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Told told = {};
        Engine engine = {};
        Lane lane = { .engine = &engine, .sent = true };
        char *text, *save = NULL;

        if (size == 0)
                return 0;
        text = fuzz_string(data + 1, size - 1);
        lane.jobs = calloc(1, sizeof(*lane.jobs));
        must(lane.jobs && sd_event_new(&engine.event) >= 0);
        must(sd_event_add_defer(engine.event, &engine.dispatch, on_dispatch, &engine) >= 0);
        *lane.jobs = (Job) { .verb = data[0] % _VERB_MAX, .fn = on_answer, .userdata = &told };

        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                on_line(line, NULL, 0, &lane);
        must(told.last == (lane.jobs ? 0 : 1));

        job_free(lane.jobs);
        sd_event_source_disable_unref(engine.dispatch);
        sd_event_unref(engine.event);
        free(text);
        return 0;
}
