/* bench.c: `lathe bench`: the specialized builds against generic kernels, whole step and layer by
 * layer. */
#include "bench.h"
#include "../../runtime/blas.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_options {
    long backend, cc, mode;
    const char *target;
    long batch, threads, seconds;
    bool json;
};

enum { BACKEND_ALL }; /* first of the choices; the others are variants, in their order */

static const struct command_option options[] = {
    {"backend", 0, COMMAND_CHOICE, offsetof(struct bench_options, backend),
     "all|cc|tcc|openblas|naive", "all",
     "what to time: the specialized builds, generic kernels through OpenBLAS, textbook loops"},
    {"mode", 0, COMMAND_CHOICE, offsetof(struct bench_options, mode), "training|inference",
     "training", "a training step, or the prediction of a batch"},
    {"batch", 0, COMMAND_COUNT, offsetof(struct bench_options, batch), "N", NULL,
     "samples of one step (default: the model's)"},
    {"threads", 0, COMMAND_COUNT, offsetof(struct bench_options, threads), "N", "1",
     "number of threads"},
    {"seconds", 0, COMMAND_COUNT, offsetof(struct bench_options, seconds), "N", "2",
     "time to spend on each of them"},
    {"cc", 0, COMMAND_CHOICE, offsetof(struct bench_options, cc), CC_CHOICES, NULL,
     "the C compiler (default: gcc, else clang)"},
    {"target", 0, COMMAND_TEXT, offsetof(struct bench_options, target), "NAME", NULL,
     "instruction set (default: this processor's)"},
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
    struct variant variants[VARIANTS];
    int count;
    struct jit *base;     /* what the generic kernels take their sizes from */
    struct error skipped; /* why there is no cc among all */
};

/* --- preparation --- */

static bool is_wanted(const struct run *run, enum variant_kind kind) {
    return run->options->backend == BACKEND_ALL || run->options->backend == 1 + (long)kind;
}

static struct jit *open_jit(const struct run *run, enum backend backend, struct error *error) {
    const struct backend_options options = {
        .backend = backend, .cc = run->options->cc, .target = run->options->target};
    const struct compile_options compile = {.batch = run->bench.batch,
                                            .training = run->bench.mode == MODE_TRAINING,
                                            .prediction = run->bench.mode == MODE_PREDICTION};
    return command_jit(run->bench.model, &options, compile, error);
}

static bool open_specialized(struct run *run, enum variant_kind kind, struct error *error) {
    bool is_optional = kind == VARIANT_CC && run->options->backend == BACKEND_ALL;
    struct error *reason = is_optional ? &run->skipped : error;
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
    if (!variants_time(run->variants, run->count, &run->bench, error)) return false;
    for (int i = 0; i < run->count; i++)
        if (!variant_profile(&run->variants[i], &run->bench, error)) return false;
    return true;
}

/* --- results --- */

/* The processor's name as the kernel tells it. */
static const char *processor_name(struct arena *arena) {
    char text[256], *name = NULL;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && !name && fgets(text, sizeof text, file))
        if (strncmp(text, "model name", 10) == 0 && (name = strchr(text, ':')))
            name[strcspn(name, "\n")] = '\0';
    if (file) fclose(file);
    return arena_string(arena, name ? name + 2 : "unknown processor");
}

/* What compiled the variant, or whose kernels it runs. */
static const char *built_by(struct arena *arena, const struct variant *variant) {
    switch (variant->kind) {
    case VARIANT_CC:
    case VARIANT_TCC: return jit_compiler(variant->jit);
    case VARIANT_OPENBLAS:
        return blas_description()
                   ? arena_format(arena, "im2col and %s", blas_description())
                   : "im2col and textbook loops: there is no OpenBLAS on this machine";
    case VARIANT_NAIVE:
    case VARIANTS: break;
    }
    return "textbook loops, gcc " __VERSION__ " -O2";
}

static const struct variant *find_variant(const struct run *run, enum variant_kind kind) {
    for (int i = 0; i < run->count; i++)
        if (run->variants[i].kind == kind) return &run->variants[i];
    return NULL;
}

/* The largest relative difference between the variants' losses (or predictions). */
static double disagreement(const struct run *run) {
    double least = run->variants[0].check_loss, most = least;
    for (int i = 1; i < run->count; i++) {
        double loss = run->variants[i].check_loss;
        if (loss < least) least = loss;
        if (loss > most) most = loss;
    }
    double size = most > -least ? most : -least;
    return size > 0 ? (most - least) / size : 0;
}

static const char *row_name(const struct bench *bench, int row) {
    if (row < bench->model->layer_count) return bench->model->layers[row]->name;
    return bench->mode == MODE_TRAINING ? "(loss, optimizer)" : "(rest)";
}

static void print_steps(const struct run *run) {
    const struct variant *openblas = find_variant(run, VARIANT_OPENBLAS);
    printf("%-10s %10s %10s %10s %8s %12s  %s\n", "", "median ms", "p10", "p90", "steps",
           "samples/s", openblas ? "times as fast as openblas" : "");
    for (int i = 0; i < run->count; i++) {
        const struct variant *v = &run->variants[i];
        printf("%-10s %10.3f %10.3f %10.3f %8ld %12.0f", variant_names[v->kind], v->median, v->p10,
               v->p90, v->step_count, (double)run->bench.batch / v->median * 1e3);
        if (openblas) printf("  %.2f", openblas->median / v->median);
        printf("\n");
    }
}

static void print_layers(const struct run *run) {
    const struct bench *bench = &run->bench;
    const struct variant *best = &run->variants[0];
    const struct variant *openblas = find_variant(run, VARIANT_OPENBLAS);
    int width = 17;
    for (int i = 0; i < bench->model->layer_count; i++) {
        int length = (int)strlen(bench->model->layers[i]->name);
        if (length > width) width = length;
    }
    printf("\nlayer by layer, median ms of the step%s:\n%-*s",
           bench->mode == MODE_TRAINING ? " (forward, backward)" : "", width, "");
    for (int i = 0; i < run->count; i++) printf(" %10s", variant_names[run->variants[i].kind]);
    bool ratio = openblas && openblas != best;
    if (ratio) printf("  openblas / %s", variant_names[best->kind]);
    printf("\n");
    for (int row = 0; row <= bench->model->layer_count; row++) {
        double most = 0;
        for (int i = 0; i < run->count; i++)
            if (run->variants[i].layer_ms[row] > most) most = run->variants[i].layer_ms[row];
        if (most == 0) continue; /* input, flatten: nothing is computed */
        printf("%-*s", width, row_name(bench, row));
        for (int i = 0; i < run->count; i++) printf(" %10.3f", run->variants[i].layer_ms[row]);
        if (ratio && best->layer_ms[row] > 0)
            printf("  %.2f", openblas->layer_ms[row] / best->layer_ms[row]);
        printf("\n");
    }
}

static void print_tables(const struct run *run) {
    const struct bench *bench = &run->bench;
    printf("model \"%s\" (%s), %s, batch %ld, %d thread%s, random data\n", bench->model->name,
           bench->model->file, bench->mode_name, bench->batch, bench->threads,
           bench->threads == 1 ? "" : "s");
    printf("%s, target %s\n", processor_name(bench->arena), bench->target->name);
    for (int i = 0; i < run->count; i++) {
        const struct variant *v = &run->variants[i];
        printf("%-9s %s", variant_names[v->kind], built_by(bench->arena, v));
        double generate_ms, compile_ms;
        if (v->jit) {
            jit_times(v->jit, &generate_ms, &compile_ms);
            if (compile_ms > 0)
                printf(" (C generated in %.1f ms, compiled in %.1f)", generate_ms, compile_ms);
            else
                printf(" (C generated in %.1f ms, compiled before)", generate_ms);
        }
        printf("\n");
    }
    if (run->skipped.text[0]) printf("no cc: %s\n", run->skipped.text);
    printf("\n");
    print_steps(run);
    if (run->count > 1)
        printf("%s: they differ by at most %.1e (relative)\n",
               bench->mode == MODE_TRAINING ? "loss of the second step" : "predictions",
               disagreement(run));
    print_layers(run);
}

static void print_variant_json(const struct run *run, const struct variant *v) {
    const struct bench *bench = &run->bench;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "model", bench->model->name);
    cJSON_AddStringToObject(json, "backend", variant_names[v->kind]);
    cJSON_AddStringToObject(json, "mode", bench->mode_name);
    cJSON_AddNumberToObject(json, "batch", (double)bench->batch);
    cJSON_AddNumberToObject(json, "threads", bench->threads);
    cJSON *step = cJSON_AddObjectToObject(json, "step_ms");
    cJSON_AddNumberToObject(step, "p10", v->p10);
    cJSON_AddNumberToObject(step, "median", v->median);
    cJSON_AddNumberToObject(step, "p90", v->p90);
    cJSON_AddNumberToObject(json, "steps", (double)v->step_count);
    cJSON_AddNumberToObject(json, "samples_per_second", (double)bench->batch / v->median * 1e3);
    if (bench->mode == MODE_TRAINING) cJSON_AddNumberToObject(json, "check_loss", v->check_loss);
    cJSON_AddStringToObject(json, "processor", processor_name(bench->arena));
    cJSON_AddStringToObject(json, "target", bench->target->name);
    cJSON_AddStringToObject(json, "built_by", built_by(bench->arena, v));
    cJSON *layers = cJSON_AddObjectToObject(json, "layer_ms");
    for (int row = 0; row <= bench->model->layer_count; row++)
        cJSON_AddNumberToObject(layers, row_name(bench, row), v->layer_ms[row]);
    command_print_json(json);
}

/* --- the command --- */

static bool prepare(struct run *run, struct arena *arena, const char *path, struct error *error) {
    const struct bench_options *o = run->options;
    struct bench *bench = &run->bench;
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
    return command_pool(o->threads, 0, &bench->pool, &bench->threads, error);
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    struct run *run = values;
    bool prepared =
        prepare(run, arena, arguments->positional[0], error) && open_variants(run, error);
    bool measured = prepared && measure(run, error);
    if (measured && !run->options->json) print_tables(run);
    for (int i = 0; measured && run->options->json && i < run->count; i++)
        print_variant_json(run, &run->variants[i]);
    for (int i = 0; i < run->count; i++) variant_close(&run->variants[i]);
    jit_free(run->base);
    pool_free(run->bench.pool);
    return measured ? STATUS_OK : prepared ? STATUS_FAILED : STATUS_BAD_INPUT;
}

static int work_with_options(struct arena *arena, const struct arguments *arguments, void *values,
                             struct error *error) {
    struct run run = {.options = values};
    return work(arena, arguments, &run, error);
}

int command_bench(int argc, char **argv) {
    struct bench_options values = {.cc = -1};
    return command_run(&line, argc, argv, &values, work_with_options);
}
