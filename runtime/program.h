/* program.h: a compiled model as the runtime sees it.
 *
 * The compiler (or an emitted file) provides the functions and the sizes; the runtime provides the
 * memory, the data and the threads. Neither knows more of the other. */
#ifndef LATHE_PROGRAM_H
#define LATHE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRAM_MAX_RANK = 6 };

/* The spaces of variables, in the order of the compiler's enum space. */
enum { PROGRAM_TRAINABLE, PROGRAM_STATE, PROGRAM_OPTIMIZER, PROGRAM_SPACES };

/* A range of units of a kernel; the context is the call. */
typedef void program_task(const void *context, long begin, long end);
/* Runs task over [0, count), split over threads in any way; returns when all is done. */
typedef void program_parallel(void *pool, program_task *task, const void *context, long count);

/* In a task: the first unit of the calling thread's share of the loop. No other thread of the loop
 * has the same, whatever the pieces in which the units are done. */
typedef long program_range_start(void *pool);

/* In a task: true when the calling thread asks for the first time in this loop. It makes then what it
 * needs for all pieces that it will take. Outside of loops always true. */
typedef bool program_begins(void *pool);

/* In a task of several kernels, which run one after the other for each unit: the next one is that
 * of this number, from 0; their number at the end of a unit. */
typedef void program_progress(void *pool, long kernel);

/* One call of an entry point. The generated C declares this very struct: keep both in step
 * (compiler/c/module.c prints it). All tensors are row-major floats. */
struct program_call {
    float *space[PROGRAM_SPACES]; /* aligned to 64 bytes */
    float *arena;                 /* aligned to 64 bytes; its content need not survive a call */
    float *prepared;              /* aligned to 64 bytes; filled by prepare, then kept */
    const float *inputs[2];       /* samples [rows][sample_size], labels [rows][label_size] */
    float *predictions;           /* [rows][output_size]; not used by training */
    double scalars[4];            /* learning rate; step, from 1; valid samples of the batch; seed */
    double results[2];            /* out: mean loss, accuracy over the valid samples */
    program_parallel *parallel;
    void *pool;
    program_range_start *range_start; /* NULL: each call of a task counts as a share of its own */
    program_begins *begins;           /* NULL: the same */
    program_progress *progress;       /* NULL, or for who measures */
    float *thread_memory;             /* for the program's own use */
};
typedef void program_entry(struct program_call *call);

enum program_initializer {
    PROGRAM_ZEROS,
    PROGRAM_ONES,
    PROGRAM_CONSTANT,
    PROGRAM_UNIFORM,
    PROGRAM_NORMAL,
    PROGRAM_TRUNCATED_NORMAL
};

struct program_variable {
    const char *name; /* "conv2d_1/kernel" */
    int space;
    long offset, elements; /* in its space */
    int rank;
    long size[PROGRAM_MAX_RANK];
    enum program_initializer initializer;
    double scale;
};

struct program {
    const char *name;
    long batch;                      /* the most valid samples in a call */
    long pieces;                     /* above 1: a training step is so many calls of gradient (fewer
                                        at the end of the data), then one of update; else one of
                                        train */
    long rows;                       /* rows of the samples, labels and predictions in memory: batch
                                        rounded up to whole vectors; rows from the valid ones on
                                        must hold finite numbers (zeros) */
    long sample_size, label_size;    /* floats for one sample; label_size 1 = class number */
    int sample_rank;
    long sample_shape[PROGRAM_MAX_RANK]; /* height, width, channels */
    long output_size;                /* predictions of one sample: classes */
    int sparse_labels;               /* 1: labels are class numbers; 0: label_size values */
    int has_accuracy;                /* 1: results[1] is an accuracy */
    long space_size[PROGRAM_SPACES]; /* floats */
    size_t arena_bytes;              /* enough for each entry point */
    size_t prepared_bytes;           /* what predict keeps of the weights, in a form of its own */
    const struct program_variable *variables;
    int variable_count;
    program_entry *train, *evaluate; /* each may be NULL when the program has no such mode */
    program_entry *predict;
    program_entry *gradient; /* adds the gradient of a piece to a sum behind the optimizer's state */
    program_entry *update;   /* ends the step: valid samples are those of all its pieces */
    program_entry *prepare; /* to be called before predict once the weights have changed; or NULL */
};

/** Calls that make a training step, besides update. */
static inline long program_pieces(const struct program *program) {
    return program->pieces > 1 ? program->pieces : 1;
}

/** The most samples of a training step. */
static inline long program_step_samples(const struct program *program) {
    return program->batch * program_pieces(program);
}

/** Fills the spaces of a program with initial values: variable i draws from the counter-based
 * generator with (seed, stream = i), so that the values depend on nothing else. */
void program_initialize(const struct program *program, uint32_t seed,
                        float *space[PROGRAM_SPACES]);

#endif
