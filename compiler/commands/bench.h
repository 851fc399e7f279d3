/* bench.h: the ways to run a model that `lathe bench` compares, and what is measured of them. */
#ifndef LATHE_BENCH_H
#define LATHE_BENCH_H

#include "../../runtime/memory.h"
#include "../../runtime/progress.h"
#include "../../runtime/thread_choice.h"
#include "../generic/generic_program.h"
#include "../kernel/microkernel.h"
#include "../tensor/part.h"
#include "commands.h"

enum variant_kind { VARIANT_CC, VARIANT_TCC, VARIANT_OPENBLAS, VARIANT_NAIVE, VARIANTS };

extern const char *const variant_names[VARIANTS]; /* "cc", "tcc", "openblas", "naive" */

/* --- numbers --- */

struct spread {
    double p10, median, p90;
};

/** Sorts the values in place; count >= 1. */
struct spread spread_of(double *values, long count);

/** True if two things measured in the same rounds differ by no more than noise: 1 is within the 95
 * % confidence interval of the median of their ratios (order statistics), or nearer than 2 %. */
bool is_tie(const double *a, const double *b, long rounds);

/** The clock: seconds from some moment on. */
double bench_seconds(void);

/* --- the machine (bench_machine.c) --- */

enum { WORKING_SETS = 3, MACHINE_SAMPLES = 256, MACHINE_THREADS = 256 };

/* What a part of a step must do at least. */
struct cost {
    double operations; /* of direct sums; a multiply-add is two */
    double bytes;      /* inputs, outputs and weights, once each */
};

struct machine {
    measure_multiply_add_function *multiply_add;
    measure_triad_function *triad;
    struct pool *pool;
    int threads;
    float *memory;
    long array_floats, rounds, passes[WORKING_SETS], set_floats[WORKING_SETS];
    double multiply_add_rates[MACHINE_SAMPLES], triad_rates[WORKING_SETS][MACHINE_SAMPLES];
    int count;

    struct spread gflops;                  /* multiply-adds in registers, of all threads */
    long set_bytes[WORKING_SETS];          /* working sets of one thread, in ascending order */
    struct spread gigabytes[WORKING_SETS]; /* a second, of all threads */
};

/** Prepares to measure with the target's vectors on so many threads. */
bool machine_open(struct machine *machine, const struct target *target, struct pool *pool,
                  int threads, struct error *error);

/** Measures each speed once, in some milliseconds. */
void machine_measure(struct machine *machine);

/** Sums up the measurements. */
void machine_finish(struct machine *machine);

/** The least milliseconds for a cost: operations at the peak, or bytes at the speed of the smallest
 * working set that holds them, whichever is longer. *compute_ms: the same if operations decide,
 * else 0. */
double machine_limit_ms(const struct machine *machine, const struct cost *cost, double *compute_ms);

void machine_close(struct machine *machine);

/* --- what is timed --- */

/* Rows of all tables by layer: layer->number; the last one, layer_count: loss and optimizer. */
struct bench {
    struct arena *arena;
    const struct model *model;
    enum mode mode; /* MODE_TRAINING or MODE_PREDICTION */
    const char *mode_name;
    const struct target *target;
    long batch;
    struct pool *pool;
    int threads;
    double seconds;                   /* to spend on each variant */
    struct progress *progress;        /* NULL: shows none */
    struct machine *machine;          /* NULL: not measured */
    struct cost (*costs)[PART_COUNT]; /* by row and part */
};

/** The row of a layer's name (NULL: the last). */
int bench_row(const struct model *model, const char *layer);

/** Fills bench->costs. */
bool bench_count_costs(struct bench *bench, struct error *error);

/** Shows on a terminal what goes on and how far it is (0 to 1; negative: unknown). */
void bench_progress(const struct bench *bench, const char *what, double part);

enum kind { KIND_CONVOLUTION, KIND_DENSE, KIND_POOL, KIND_OTHER, KIND_OPTIMIZER, KINDS };
extern const char *const kind_names[KINDS];

/** The kind of layer in a row. */
enum kind bench_kind(const struct model *model, int row);

/* --- variants (bench_variant.c, bench_profile.c) --- */

/* Milliseconds of a row, in the rounds of the profile. */
struct row_times {
    double *rounds; /* in the order measured */
    struct spread ms;
    double part_ms[PART_COUNT]; /* medians */
};

/* One way to run the model, in memory of its own, and what was measured. */
struct variant {
    enum variant_kind kind;
    struct jit *jit;                 /* cc, tcc */
    struct generic_program *generic; /* openblas, naive */
    const struct program *program;
    struct program_memory memory;
    struct program_call call;
    struct thread_choice threads;
    const struct kernel_summary *kernels;
    int kernel_count;
    double check_loss; /* of the second step, before anything is timed */
    double *step_ms;   /* each measured step; in ascending order in the end */
    long step_count, step_capacity;
    double *round_ms; /* the median of each turn, in their order */
    long round_count, round_capacity;
    double spent; /* seconds of all steps */
    struct spread ms;
    struct row_times *rows; /* NULL: layers were not timed */
    int profile_rounds;
};

/** Prepares a variant over a compiled program (cc, tcc). It takes the jit over. */
bool variant_open_jit(struct variant *variant, const struct bench *bench, enum variant_kind kind,
                      struct jit *jit, struct error *error);

/** The same for generic kernels; `like`: see generic_program_new. */
bool variant_open_generic(struct variant *variant, const struct bench *bench,
                          enum variant_kind kind, const struct program *like, struct error *error);

/** One step, timed by nobody, with call.parallel and call.pool as they are. */
void variant_call(struct variant *variant, const struct bench *bench);

/** Runs one step; returns its seconds. */
double variant_step(struct variant *variant, const struct bench *bench);

/** Runs the first two steps, so that their results can be compared. */
void variant_check(struct variant *variant, const struct bench *bench);

/** Times all variants in turn, a few steps each, until each has had its time; the machine's speed
 * in between. */
bool variants_time(struct variant *variants, int count, const struct bench *bench,
                   struct error *error);

/** Measures where the time of a step goes, in turn again: fills `rows`. */
bool variants_profile(struct variant *variants, int count, const struct bench *bench,
                      struct error *error);

void variant_close(struct variant *variant);

/* --- the report (bench_report.c, bench_json.c, bench_chart.c) --- */

struct report {
    const struct bench *bench;
    const struct variant *variants;
    int count;
    const char *skipped; /* why there is no cc among all; "" */
    const char *chart;   /* the file with the bar chart, or NULL */
};

/** The variant of a kind, or NULL. */
const struct variant *report_variant(const struct report *report, enum variant_kind kind);

/** The variant that ratios refer to: generic kernels, OpenBLAS's before the naive ones; or NULL. */
const struct variant *report_generic(const struct report *report);

/** What a row is called. */
const char *report_row_name(const struct bench *bench, int row);

/** The processor's name as the kernel tells it. */
const char *report_processor(struct arena *arena);

/** What compiled the variant, and with which flags, or whose kernels it runs. */
const char *report_built_by(const struct report *report, const struct variant *variant);

/** The least milliseconds of a row's part (PART_COUNT: of all of it). *letter: 'f' if mostly
 * multiply-adds decide, 'b' if bandwidth; ' ' where nothing is counted. */
double report_limit(const struct bench *bench, int row, int part, char *letter);

/** Direct operations of a row's part (PART_COUNT: of all of it). */
double report_operations(const struct bench *bench, int row, int part);

/** True if the row took time in any variant. */
bool report_row_runs(const struct report *report, int row);

/** Draws the times of step and layers into report->chart. */
bool report_draw(const struct report *report, struct error *error);

void report_print(const struct report *report);

/** One line of JSON for each variant. */
void report_print_json(const struct report *report);

#endif
