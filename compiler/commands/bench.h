/* bench.h: the ways to run a model that `lathe bench` compares. */
#ifndef LATHE_BENCH_H
#define LATHE_BENCH_H

#include "../../runtime/memory.h"
#include "../generic/generic_program.h"
#include "commands.h"

enum variant_kind { VARIANT_CC, VARIANT_TCC, VARIANT_OPENBLAS, VARIANT_NAIVE, VARIANTS };

extern const char *const variant_names[VARIANTS]; /* "cc", "tcc", "openblas", "naive" */

/* What is timed. */
struct bench {
    struct arena *arena;
    const struct model *model;
    enum mode mode; /* MODE_TRAINING or MODE_PREDICTION */
    const char *mode_name;
    const struct target *target;
    long batch;
    struct pool *pool;
    int threads;
    double seconds; /* to spend on each variant */
};

/* One way to run the model, in memory of its own, and what was measured. */
struct variant {
    enum variant_kind kind;
    struct jit *jit;                 /* cc, tcc */
    struct generic_program *generic; /* openblas, naive */
    const struct program *program;
    struct program_memory memory;
    struct program_call call;
    const struct kernel_summary *kernels;
    int kernel_count;
    double check_loss; /* of the second step, before anything is timed */
    double *step_ms;   /* each measured step; in ascending order in the end */
    long step_count, step_capacity;
    double spent;            /* seconds of all steps */
    double p10, median, p90; /* milliseconds */
    double *layer_ms;        /* by layer->number; the last one: loss and optimizer */
};

/** Prepares a variant over a compiled program (cc, tcc). It takes the jit over. */
bool variant_open_jit(struct variant *variant, const struct bench *bench, enum variant_kind kind,
                      struct jit *jit, struct error *error);

/** The same for generic kernels; `like`: see generic_program_new. */
bool variant_open_generic(struct variant *variant, const struct bench *bench,
                          enum variant_kind kind, const struct program *like, struct error *error);

/** Runs the first two steps, so that their results can be compared. */
void variant_check(struct variant *variant, const struct bench *bench);

/** Times all variants in turn, a few steps each, until each has had its time. */
bool variants_time(struct variant *variants, int count, const struct bench *bench,
                   struct error *error);

/** Measures where the time of a step goes. */
bool variant_profile(struct variant *variant, const struct bench *bench, struct error *error);

void variant_close(struct variant *variant);

#endif
