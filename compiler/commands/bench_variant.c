/* bench_variant.c: runs and times, in turn, the ways to run a model that `lathe bench` compares. */
#include "bench.h"
#include "../../runtime/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const variant_names[VARIANTS] = {"cc", "tcc", "openblas", "naive"};

enum { SEED = 1, FEWEST_STEPS = 5 };
/* A turn runs steps for this long; the first step of a turn finds other variants' data in the
 * caches and is not counted, unless the steps are long. */
static const double turn_seconds = 0.03, long_step_seconds = 0.1;
/* So small that the weights hardly move, so large that no state decays to denormal numbers. */
static const double timing_learning_rate = 1e-5, check_learning_rate = 1e-3;

/* --- numbers --- */

double bench_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The value below which the share `part` of sorted values lies. */
static double quantile(const double *sorted, long count, double part) {
    return sorted[(long)(part * (double)(count - 1) + 0.5)];
}

struct spread spread_of(double *values, long count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (struct spread){quantile(values, count, 0.1), quantile(values, count, 0.5),
                           quantile(values, count, 0.9)};
}

bool is_tie(const double *a, const double *b, long rounds) {
    enum { MOST = 512 };
    static const double least_difference = 0.02;
    double ratios[MOST];
    if (rounds > MOST) rounds = MOST;
    if (rounds < 1) return true;
    for (long i = 0; i < rounds; i++) ratios[i] = a[i] / b[i];
    double median = spread_of(ratios, rounds).median;
    /* The median's confidence interval: how far the count of a fair coin's heads may be from half.
     */
    long outside = (long)floor(((double)rounds - 1.96 * sqrt((double)rounds)) / 2);
    if (outside < 0) outside = 0;
    return fabs(median - 1) < least_difference ||
           (ratios[outside] <= 1 && ratios[rounds - 1 - outside] >= 1);
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
    thread_choice_init(&v->threads, bench->pool);
    v->call.scalars[SCALAR_SAMPLES] = (double)bench->batch;
    v->call.scalars[SCALAR_SEED] = SEED;
    if (v->program->prepare) v->program->prepare(&v->call);
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
    free(variant->round_ms);
    memset(variant, 0, sizeof *variant);
}

/* --- steps --- */

void variant_call(struct variant *v, const struct bench *bench) {
    program_entry *entry = bench->mode == MODE_TRAINING ? v->program->train : v->program->predict;
    v->call.scalars[SCALAR_STEP] += 1;
    entry(&v->call);
}

double variant_step(struct variant *v, const struct bench *bench) {
    double start = bench_seconds();
    v->call.pool = thread_choice_begin(&v->threads, start);
    variant_call(v, bench);
    double end = bench_seconds();
    thread_choice_end(&v->threads, end);
    return end - start;
}

void variant_check(struct variant *v, const struct bench *bench) {
    v->call.scalars[SCALAR_LEARNING_RATE] = check_learning_rate;
    for (int i = 0; i < 2; i++) variant_step(v, bench);
    v->call.scalars[SCALAR_LEARNING_RATE] = timing_learning_rate;
    v->check_loss = v->call.results[0];
    if (bench->mode == MODE_TRAINING) return;
    /* Predictions have no loss: a weighted sum of them serves as well. */
    const long count = bench->batch * v->program->output_size;
    v->check_loss = 0;
    for (long i = 0; i < count; i++)
        v->check_loss += (double)v->memory.predictions[i] * (1 + (double)(i % 7)) / (double)count;
}

static bool note(double **values, long *count, long *capacity, double value, struct error *error) {
    if (*count == *capacity) {
        long larger = 2 * *capacity + 64;
        double *more = realloc(*values, (size_t)larger * sizeof *more);
        if (!more) return error_set(error, "out of memory");
        *values = more;
        *capacity = larger;
    }
    (*values)[(*count)++] = value;
    return true;
}

static bool take_turn(struct variant *v, const struct bench *bench, struct error *error) {
    double turn = 0;
    long first = v->step_count;
    for (int i = 0; turn < turn_seconds || i < 2; i++) {
        double spent = variant_step(v, bench);
        bool is_long = spent > long_step_seconds;
        turn += spent;
        if ((i > 0 || is_long) &&
            !note(&v->step_ms, &v->step_count, &v->step_capacity, spent * 1e3, error))
            return false;
        if (is_long) break;
    }
    v->spent += turn;
    double median = spread_of(v->step_ms + first, v->step_count - first).median;
    return note(&v->round_ms, &v->round_count, &v->round_capacity, median, error);
}

/* Few steps are enough where each takes a second. */
static bool has_enough(const struct variant *v, const struct bench *bench) {
    return v->spent >= bench->seconds &&
           (v->step_count >= FEWEST_STEPS || v->spent >= 2 * bench->seconds);
}

/* Once a round; more often where the rounds are long, and so few. */
static void measure_machine(const struct bench *bench, const struct variant *variants, int count) {
    enum { MOST = 10 };
    double step_ms = 0;
    if (!bench->machine) return;
    for (int i = 0; i < count; i++)
        if (variants[i].round_count > 0) step_ms += variants[i].round_ms[0];
    for (int i = 0; i == 0 || (i < MOST && i < step_ms / 1e3 / long_step_seconds); i++)
        machine_measure(bench->machine);
}

bool variants_time(struct variant *variants, int count, const struct bench *bench,
                   struct error *error) {
    bool more = true;
    while (more) {
        double done = 0;
        more = false;
        for (int i = 0; i < count; i++) {
            double part = variants[i].spent / bench->seconds;
            done += (part < 1 ? part : 1) / count;
        }
        bench_progress(bench, "timing", done);
        measure_machine(bench, variants, count);
        for (int i = 0; i < count; i++) {
            if (has_enough(&variants[i], bench)) continue;
            if (!take_turn(&variants[i], bench, error)) return false;
            more = true;
        }
    }
    for (int i = 0; i < count; i++)
        variants[i].ms = spread_of(variants[i].step_ms, variants[i].step_count);
    return true;
}
