/* bench_variant.c: runs and times the ways to run a model that `lathe bench` compares. */
#include "bench.h"
#include "../../runtime/random.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const variant_names[VARIANTS] = {"cc", "tcc", "openblas", "naive"};

enum { SEED = 1, FEWEST_STEPS = 5, MOST_PROFILED = 15 };
/* A turn runs steps for this long; the first step of a turn finds other variants' data in the
 * caches and is not counted, unless the steps are long. */
static const double turn_seconds = 0.03, long_step_seconds = 0.1;
/* So small that the weights hardly move, so large that no state decays to denormal numbers. */
static const double timing_learning_rate = 1e-5, check_learning_rate = 1e-3;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- preparation --- */

/* Pixels uniform in [0, 1); random classes, or values uniform in [0, 1). Rows of padding: zeros. */
static void fill_data(struct variant *v) {
    const struct program *p = v->program;
    uint32_t samples = random_key(SEED, 0, 1), labels = random_key(SEED, 0, 2);
    for (long i = 0; i < p->batch * p->sample_size; i++)
        v->memory.samples[i] = (float)random_uniform(samples, (uint32_t)i);
    for (long n = 0; n < p->batch; n++) {
        double chosen = random_uniform(labels, (uint32_t)n) * (double)p->output_size;
        for (long k = 0; k < p->label_size; k++)
            v->memory.labels[n * p->label_size + k] =
                p->sparse_labels ? (float)(long)chosen : (float)(k == (long)chosen);
    }
}

static bool open_memory(struct variant *v, const struct bench *bench, struct error *error) {
    if (!program_memory_new(v->program, &v->memory, error)) return false;
    program_initialize(v->program, SEED, v->memory.space);
    fill_data(v);
    v->call = program_memory_call(&v->memory, pool_parallel, bench->pool);
    v->call.scalars[SCALAR_SAMPLES] = (double)bench->batch;
    v->call.scalars[SCALAR_SEED] = SEED;
    return true;
}

bool variant_open_jit(struct variant *variant, const struct bench *bench, enum variant_kind kind,
                      struct jit *jit, struct error *error) {
    *variant = (struct variant){.kind = kind, .jit = jit, .program = jit_program(jit)};
    variant->kernels = jit_kernels(jit, bench->mode, &variant->kernel_count);
    return open_memory(variant, bench, error);
}

bool variant_open_generic(struct variant *variant, const struct bench *bench,
                          enum variant_kind kind, const struct program *like, struct error *error) {
    enum generic_method method = kind == VARIANT_NAIVE ? GENERIC_NAIVE : GENERIC_OPENBLAS;
    *variant = (struct variant){.kind = kind};
    variant->generic = generic_program_new(bench->model, method, like, error);
    if (!variant->generic) return false;
    variant->program = generic_program_get(variant->generic);
    variant->kernels =
        generic_program_kernels(variant->generic, bench->mode, &variant->kernel_count);
    return open_memory(variant, bench, error);
}

void variant_close(struct variant *variant) {
    program_memory_free(&variant->memory);
    generic_program_free(variant->generic);
    jit_free(variant->jit);
    free(variant->step_ms);
    memset(variant, 0, sizeof *variant);
}

/* --- steps --- */

/* Runs one step; returns its seconds. */
static double run_step(struct variant *v, const struct bench *bench) {
    program_entry *entry = bench->mode == MODE_TRAINING ? v->program->train : v->program->predict;
    v->call.scalars[SCALAR_STEP] += 1;
    double start = seconds();
    entry(&v->call);
    return seconds() - start;
}

void variant_check(struct variant *v, const struct bench *bench) {
    v->call.scalars[SCALAR_LEARNING_RATE] = check_learning_rate;
    for (int i = 0; i < 2; i++) run_step(v, bench);
    v->call.scalars[SCALAR_LEARNING_RATE] = timing_learning_rate;
    v->check_loss = v->call.results[0];
    if (bench->mode == MODE_TRAINING) return;
    /* Predictions have no loss: a weighted sum of them serves as well. */
    const long count = bench->batch * v->program->output_size;
    v->check_loss = 0;
    for (long i = 0; i < count; i++)
        v->check_loss += (double)v->memory.predictions[i] * (1 + (double)(i % 7)) / (double)count;
}

static bool note_step(struct variant *v, double ms, struct error *error) {
    if (v->step_count == v->step_capacity) {
        long capacity = 2 * v->step_capacity + 64;
        double *more = realloc(v->step_ms, (size_t)capacity * sizeof *more);
        if (!more) return error_set(error, "out of memory");
        v->step_ms = more;
        v->step_capacity = capacity;
    }
    v->step_ms[v->step_count++] = ms;
    return true;
}

static bool take_turn(struct variant *v, const struct bench *bench, struct error *error) {
    double turn = 0;
    for (int i = 0; turn < turn_seconds || i < 2; i++) {
        double spent = run_step(v, bench);
        bool is_long = spent > long_step_seconds;
        turn += spent;
        if ((i > 0 || is_long) && !note_step(v, spent * 1e3, error)) return false;
        if (is_long) break;
    }
    v->spent += turn;
    return true;
}

/* Few steps are enough where each takes a second. */
static bool has_enough(const struct variant *v, const struct bench *bench) {
    return v->spent >= bench->seconds &&
           (v->step_count >= FEWEST_STEPS || v->spent >= 2 * bench->seconds);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The value below which the share `part` of sorted values lies. */
static double quantile(const double *sorted, long count, double part) {
    return sorted[(long)(part * (double)(count - 1) + 0.5)];
}

bool variants_time(struct variant *variants, int count, const struct bench *bench,
                   struct error *error) {
    bool more = true;
    while (more) {
        more = false;
        for (int i = 0; i < count; i++) {
            if (has_enough(&variants[i], bench)) continue;
            if (!take_turn(&variants[i], bench, error)) return false;
            more = true;
        }
    }
    for (int i = 0; i < count; i++) {
        struct variant *v = &variants[i];
        qsort(v->step_ms, (size_t)v->step_count, sizeof *v->step_ms, ascending);
        v->p10 = quantile(v->step_ms, v->step_count, 0.1);
        v->median = quantile(v->step_ms, v->step_count, 0.5);
        v->p90 = quantile(v->step_ms, v->step_count, 0.9);
    }
    return true;
}

/* --- where the time goes --- */

/* Stands between a program and the pool: a program calls `parallel` for each kernel of more than
 * one unit, in a known order. What passes between two such calls belongs to the kernels of one unit
 * between them. */
struct profile {
    struct pool *pool;
    const struct kernel_summary *kernels;
    int count, next;
    double last;     /* when the kernel before ended */
    double *seconds; /* of each kernel */
    bool is_lost;    /* the calls are not those of the list */
};

/* The kernels of one unit up to the next call share the time since the last one. */
static void profile_gap(struct profile *p, double now) {
    int first = p->next;
    while (p->next < p->count && p->kernels[p->next].units == 1) p->next++;
    for (int i = first; i < p->next; i++) p->seconds[i] += (now - p->last) / (p->next - first);
}

static void profile_parallel(void *pool, program_task *task, const void *context, long count) {
    struct profile *p = pool;
    double start = seconds();
    profile_gap(p, start);
    pool_parallel(p->pool, task, context, count);
    p->last = seconds();
    if (p->next >= p->count || p->kernels[p->next].units != count)
        p->is_lost = true;
    else
        p->seconds[p->next++] += p->last - start;
}

/* One step; adds to the seconds of each kernel. */
static bool profile_step(struct variant *v, const struct bench *bench, double *kernel_seconds) {
    if (v->generic) {
        generic_program_profile(v->generic, kernel_seconds);
        run_step(v, bench);
        generic_program_profile(v->generic, NULL);
        return true;
    }
    struct profile profile = {bench->pool,    v->kernels, v->kernel_count, 0, seconds(),
                              kernel_seconds, false};
    struct program_call call = v->call;
    v->call.parallel = profile_parallel;
    v->call.pool = &profile;
    run_step(v, bench);
    profile_gap(&profile, seconds());
    v->call.parallel = call.parallel;
    v->call.pool = call.pool;
    return !profile.is_lost && profile.next == profile.count;
}

static int layer_row(const struct model *model, const char *layer) {
    for (int i = 0; layer && i < model->layer_count; i++)
        if (strcmp(model->layers[i]->name, layer) == 0) return i;
    return model->layer_count;
}

bool variant_profile(struct variant *v, const struct bench *bench, struct error *error) {
    int rows = bench->model->layer_count + 1, steps = 0;
    double *kernels = ARENA_ARRAY(bench->arena, double, v->kernel_count);
    double *values = ARENA_ARRAY(bench->arena, double, rows *MOST_PROFILED);
    double end = seconds() + bench->seconds / 2;
    run_step(v, bench);
    while (steps < MOST_PROFILED && (steps == 0 || seconds() < end)) {
        for (int i = 0; i < v->kernel_count; i++) kernels[i] = 0;
        if (!profile_step(v, bench, kernels))
            return error_set(error, "the kernels of the %s build did not run in their order",
                             variant_names[v->kind]);
        for (int i = 0; i < v->kernel_count; i++)
            values[layer_row(bench->model, v->kernels[i].layer) * MOST_PROFILED + steps] +=
                kernels[i] * 1e3;
        steps++;
    }
    v->layer_ms = ARENA_ARRAY(bench->arena, double, rows);
    for (int i = 0; i < rows; i++) {
        qsort(values + (long)i * MOST_PROFILED, (size_t)steps, sizeof *values, ascending);
        v->layer_ms[i] = quantile(values + (long)i * MOST_PROFILED, steps, 0.5);
    }
    return true;
}
