/* bench.c: `lathe bench`: the specialized builds against generic kernels, whole step and layer by
 * layer. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

struct bench_options {
    long backend, cc, mode;
    const char *target;
    long batch, threads, seconds;
    const char *chart;
    bool json, no_layers, no_winograd;
};

/* The choices: all, then each variant in its order, then two sets of them. */
enum { CHOICE_ALL, CHOICE_FIRST, CHOICE_SPECIALIZED = CHOICE_FIRST + VARIANTS, CHOICE_GENERIC };

static const struct command_option options[] = {
    {"backend", 0, COMMAND_CHOICE, offsetof(struct bench_options, backend),
     "all|cc|tcc|openblas|naive|specialized|generic", "all",
     "what to time; specialized: cc and tcc; generic: openblas and naive"},
    {"mode", 0, COMMAND_CHOICE, offsetof(struct bench_options, mode), "training|inference",
     "training", "a training step, or the prediction of a batch"},
    {"batch", 0, COMMAND_COUNT, offsetof(struct bench_options, batch), "N", NULL,
     "samples of one step (default: the model's)"},
    {"threads", 0, COMMAND_COUNT, offsetof(struct bench_options, threads), "N", "1",
     "threads at most: as many, or one where that is faster"},
    {"seconds", 0, COMMAND_COUNT, offsetof(struct bench_options, seconds), "N", "2",
     "time to spend on each of them"},
    {"cc", 0, COMMAND_CHOICE, offsetof(struct bench_options, cc), CC_CHOICES, NULL,
     "the C compiler (default: gcc, else clang)"},
    {"target", 0, COMMAND_TEXT, offsetof(struct bench_options, target), "NAME", NULL,
     "instruction set (default: this processor's)"},
    {"no-winograd", 0, COMMAND_FLAG, offsetof(struct bench_options, no_winograd), NULL, NULL,
     "sum 3x3 convolutions directly, with fewer roundings and more operations"},
    {"no-layers", 0, COMMAND_FLAG, offsetof(struct bench_options, no_layers), NULL, NULL,
     "time the whole step only"},
    {"chart", 0, COMMAND_TEXT, offsetof(struct bench_options, chart), "FILE", NULL,
     "draw the times as bars into a .svg or .png file"},
    {"json", 0, COMMAND_FLAG, offsetof(struct bench_options, json), NULL, NULL,
     "print one line of JSON for each of them instead of the tables"},
};

static const struct command_line line = {
    .name = "bench",
    .usage = "MODEL.lua [options]",
    .purpose =
        "Times a model on random data: built for its shapes (cc, tcc), and run tensor by tensor\n"
        "with kernels for any shape (openblas: im2col and OpenBLAS; naive: textbook loops). They\n"
        "take turns of a few steps, so that a slow moment of the machine meets all alike.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "MODEL.lua",
    .least = 1,
    .most = 1,
};

struct run {
    const struct bench_options *options;
    struct bench bench;
    struct machine machine;
    struct progress progress;
    struct variant variants[VARIANTS];
    int count;
    struct jit *base;     /* what the generic kernels take their sizes from */
    struct error skipped; /* why there is no cc among all */
};

void bench_progress(const struct bench *bench, const char *what, double part) {
    struct progress *progress = bench->progress;
    if (!progress || !progress->file || !progress->live) return;
    if (part < 0)
        fprintf(progress->file, "\r\033[K%s", what);
    else
        fprintf(progress->file, "\r\033[K%s: %.0f %%", what, part * 100);
    fflush(progress->file);
    progress->drawn = true;
}

/* --- preparation --- */

static bool is_wanted(const struct run *run, enum variant_kind kind) {
    switch (run->options->backend) {
    case CHOICE_ALL: return true;
    case CHOICE_SPECIALIZED: return kind == VARIANT_CC || kind == VARIANT_TCC;
    case CHOICE_GENERIC: return kind == VARIANT_OPENBLAS || kind == VARIANT_NAIVE;
    default: return run->options->backend == CHOICE_FIRST + (long)kind;
    }
}

static struct jit *open_jit(const struct run *run, enum backend backend, struct error *error) {
    const struct backend_options options = {.backend = backend,
                                            .cc = run->options->cc,
                                            .target = run->options->target,
                                            .no_winograd = run->options->no_winograd};
    const struct compile_options compile = {.batch = run->bench.batch,
                                            .training = run->bench.mode == MODE_TRAINING,
                                            .prediction = run->bench.mode == MODE_PREDICTION};
    return command_jit(run->bench.model, &options, compile, error);
}

static bool open_specialized(struct run *run, enum variant_kind kind, struct error *error) {
    bool is_optional = kind == VARIANT_CC && run->options->backend != CHOICE_FIRST + VARIANT_CC;
    struct error *reason = is_optional ? &run->skipped : error;
    bench_progress(&run->bench, "compiling", -1);
    struct jit *jit = open_jit(run, kind == VARIANT_CC ? BACKEND_CC : BACKEND_TCC, reason);
    if (!jit) return is_optional;
    return variant_open_jit(&run->variants[run->count++], &run->bench, kind, jit, error);
}

static bool open_variants(struct run *run, struct error *error) {
    const struct bench *bench = &run->bench;
    for (enum variant_kind kind = VARIANT_CC; kind <= VARIANT_TCC; kind++)
        if (is_wanted(run, kind) && !open_specialized(run, kind, error)) return false;
    for (enum variant_kind kind = VARIANT_OPENBLAS; kind <= VARIANT_NAIVE; kind++) {
        if (!is_wanted(run, kind)) continue;
        if (!run->base && !(run->base = open_jit(run, BACKEND_TCC, error))) return false;
        if (!variant_open_generic(&run->variants[run->count++], bench, kind, jit_program(run->base),
                                  error))
            return false;
    }
    return true;
}

static bool measure(struct run *run, struct error *error) {
    for (int i = 0; i < run->count; i++) variant_check(&run->variants[i], &run->bench);
    bool measured = variants_time(run->variants, run->count, &run->bench, error) &&
                    (run->options->no_layers ||
                     variants_profile(run->variants, run->count, &run->bench, error));
    if (measured) machine_finish(&run->machine);
    progress_clear(&run->progress);
    return measured;
}

/* --- the command --- */

static bool prepare(struct run *run, struct arena *arena, const char *path, struct error *error) {
    const struct bench_options *o = run->options;
    struct bench *bench = &run->bench;
    if (!command_check_picture("bench", "chart", o->chart, error)) return false;
    bench->arena = arena;
    bench->mode = o->mode == 0 ? MODE_TRAINING : MODE_PREDICTION;
    bench->mode_name = o->mode == 0 ? "training" : "inference";
    bench->seconds = (double)o->seconds;
    bench->model = model_read(arena, path, error);
    if (!bench->model) return false;
    if (bench->mode == MODE_TRAINING &&
        !command_needs_training(bench->model, "a training step", error))
        return false;
    bench->target = command_target(o->target, error);
    if (!bench->target) return false;
    bench->batch = o->batch ? o->batch : command_batch(bench->model);
    progress_init(&run->progress, stderr, false);
    bench->progress = &run->progress;
    bench->machine = &run->machine;
    return bench_count_costs(bench, error) &&
           command_pool(o->threads, 0, &bench->pool, &bench->threads, error);
}

/* A chart that cannot be drawn does not keep back the figures. */
static bool show(const struct run *run, struct error *error) {
    struct report report = {.bench = &run->bench,
                            .variants = run->variants,
                            .count = run->count,
                            .skipped = run->skipped.text,
                            .chart = run->options->chart};
    bool drawn = !report.chart || report_draw(&report, error);
    if (!drawn) report.chart = NULL;
    if (run->options->json)
        report_print_json(&report);
    else
        report_print(&report);
    return drawn;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    struct run *run = values;
    bool prepared =
        prepare(run, arena, arguments->positional[0], error) && open_variants(run, error) &&
        machine_open(&run->machine, run->bench.target, run->bench.pool, run->bench.threads, error);
    bool measured = prepared && measure(run, error);
    progress_clear(&run->progress);
    if (measured) measured = show(run, error);
    for (int i = 0; i < run->count; i++) variant_close(&run->variants[i]);
    machine_close(&run->machine);
    jit_free(run->base);
    pool_free(run->bench.pool);
    return measured ? STATUS_OK : prepared ? STATUS_FAILED : STATUS_BAD_INPUT;
}

static int work_with_options(struct arena *arena, const struct arguments *arguments, void *values,
                             struct error *error) {
    static struct run run; /* the machine's measurements are too large for a small stack */
    memset(&run, 0, sizeof run);
    run.options = values;
    return work(arena, arguments, &run, error);
}

int command_bench(int argc, char **argv) {
    struct bench_options values = {.cc = -1};
    return command_run(&line, argc, argv, &values, work_with_options);
}
