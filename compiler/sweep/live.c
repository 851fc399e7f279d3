/* live.c: the display of a sweep under way (see live.h). */
#include "live.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BEST_SHOWN = 8, RUNNING_SHOWN = 16 };
static const double pause_seconds = 0.5;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void live_init(struct live *live, FILE *file, bool quiet) {
    const char *terminal = getenv("TERM");
    bool able = isatty(fileno(file)) && terminal && strcmp(terminal, "dumb") != 0;
    *live = (struct live){.file = quiet ? NULL : file, .redraw = able && !quiet, .begun = now()};
}

void live_clear(struct live *live) {
    if (!live->file || live->lines == 0) return;
    fprintf(live->file, "\033[%dA\033[J", live->lines);
    fflush(live->file);
    live->lines = 0;
}

static void put_duration(struct text *text, double seconds) {
    if (seconds < 100)
        text_add(text, "%.0f s", seconds);
    else if (seconds < 6000)
        text_add(text, "%.0f min", seconds / 60);
    else
        text_add(text, "%.1f h", seconds / 3600);
}

/* Work on a scratch arena: what is drawn need not be kept. */
static void with_scratch(struct live *live, const struct training_setup *setup,
                         const struct trial *trial,
                         void (*write)(struct text *, struct live *, const struct training_setup *,
                                       const struct trial *)) {
    struct sweep_plan plan = *setup->plan;
    struct training_setup view = *setup;
    struct arena scratch;

    arena_init(&scratch);
    if (!setjmp(scratch.exhausted)) {
        struct text text = {.arena = &scratch};
        view.arena = plan.arena = &scratch;
        view.plan = &plan;
        write(&text, live, &view, trial);
        fputs(text_string(&text), live->file);
        fflush(live->file);
    }
    arena_free(&scratch);
}

/* --- a line for each --- */

static void write_ended(struct text *text, struct live *live, const struct training_setup *setup,
                        const struct trial *trial) {
    const struct sweep *sweep = setup->plan->sweep;

    text_add(text, "%ld of %ld: point %d", live->ended, plan_total(setup->plan), trial->point + 1);
    if (sweep->repeats > 1)
        text_add(text, ", seed %u", sweep->training_seed + (unsigned)trial->repeat);
    if (sweep->strategy == SWEEP_HALVING) text_add(text, ", round %d", trial->round + 1);
    if (trial->state == TRIAL_FAILED)
        text_add(text, " failed: %s", trial->result.error);
    else
        text_add(text, ": %s %.4f in epoch %ld, %.1f s", sweep->score, trial->result.score,
                 trial->result.best_epoch, trial->result.seconds);
    text_add(text, "  %s\n",
             sweep_point_label(setup->arena, sweep, &setup->plan->points[trial->point]));
}

void live_ended(struct live *live, const struct training_setup *setup, const struct trial *trial) {
    live->ended++;
    if (live->file && !live->redraw) with_scratch(live, setup, trial, write_ended);
}

/* --- the table --- */

static void write_heading(struct text *text, const struct live *live,
                          const struct training_setup *setup) {
    const struct sweep_plan *plan = setup->plan;
    long total = plan_total(plan), done = live->ended - live->ended_before;
    int running = 0, failed = 0;

    for (int i = 0; i < plan->trial_count; i++) {
        running += plan->trials[i].state == TRIAL_RUNNING;
        failed += plan->trials[i].state == TRIAL_FAILED;
    }
    text_add(text, "%s: %ld of %ld trainings done, %d running", plan->sweep->name, live->ended,
             total, running);
    if (failed) text_add(text, ", %d failed", failed);
    if (done > 0 && total > live->ended) {
        text_put(text, ", about ");
        put_duration(text, (now() - live->begun) / (double)done * (double)(total - live->ended));
        text_put(text, " left");
    }
    text_put(text, "\n");
}

static void write_running(struct text *text, const struct training_setup *setup) {
    const struct sweep_plan *plan = setup->plan;
    for (int i = 0, shown = 0; i < plan->trial_count && shown < RUNNING_SHOWN; i++) {
        const struct trial *trial = &plan->trials[i];
        if (trial->state != TRIAL_RUNNING) continue;
        struct training_progress progress = training_look(setup, trial);
        text_add(text, "  point %4d  epoch %4ld", trial->point + 1, progress.epoch);
        if (trial->epochs) text_add(text, " of %ld", trial->epochs);
        if (isfinite(progress.score))
            text_add(text, "  %s %.4f", plan->sweep->score, progress.score);
        text_add(text, "  %s\n",
                 sweep_point_label(setup->arena, plan->sweep, &plan->points[trial->point]));
        shown++;
    }
}

/* The lines of the table, each cut to the width of the terminal. */
static void write_table(struct text *text, struct live *live, const struct training_setup *setup,
                        const struct trial *trial) {
    struct text whole = {.arena = setup->arena};
    struct winsize window;
    int columns = 80;

    (void)trial;
    if (ioctl(fileno(live->file), TIOCGWINSZ, &window) == 0 && window.ws_col > 10)
        columns = window.ws_col;
    write_heading(&whole, live, setup);
    write_running(&whole, setup);
    table_text(&whole, setup->plan, BEST_SHOWN);
    if (live->lines) text_add(text, "\033[%dA\033[J", live->lines);
    live->lines = 0;
    for (const char *line = text_string(&whole); *line;) {
        int length = (int)strcspn(line, "\n"), shown = length < columns ? length : columns - 1;
        while (shown < length && shown > 0 && (line[shown] & 0xc0) == 0x80) shown--;
        text_add(text, "%.*s\n", shown, line);
        line += length + (line[length] == '\n');
        live->lines++;
    }
}

void live_draw(struct live *live, const struct training_setup *setup) {
    if (!live->redraw || now() - live->drawn < pause_seconds) return;
    live->drawn = now();
    with_scratch(live, setup, NULL, write_table);
}
