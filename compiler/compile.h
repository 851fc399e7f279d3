/* compile.h: the whole road, from a model to C text. compile.c is the visible list of stages. */
#ifndef LATHE_COMPILE_H
#define LATHE_COMPILE_H

#include "frontend/model.h"
#include "kernel/target.h"
#include "layers/layer.h"
#include "tensor/part.h"
#include "../runtime/program.h"

enum dialect {
    DIALECT_CC,  /* microkernels inlined; for gcc and clang, and for standalone files */
    DIALECT_TCC, /* microkernels called: the module is linked to lathe's library */
};

struct compile_options {
    const struct target *target;
    enum dialect dialect;
    long batch;             /* 0: the model's batch_size */
    bool training;          /* the entry points: train, */
    bool evaluation;        /*   evaluate, */
    bool prediction;        /*   predict */
    bool prepare;           /*   prepare: a program's `prepare`, which predict then needs */
    bool generic_products;  /* large matrix products call the runtime's sgemm (never when emitting) */
    bool use_double;        /* real = double */
    bool no_winograd;       /* all convolutions sum over their taps directly */
    bool standalone;        /* part of a source file: entry points are static, no banner */
    const char *prefix;     /* of every symbol; NULL: the model's name */
    const char *dump;       /* name of a pass: append the IR after it to *dumped; NULL: none */
};

/* Bytes of the arena and how good that is. */
struct memory_report {
    long arena_bytes, lower_bound; /* the largest sum of buffers alive at once */
    long buffers;
};

/* A kernel of an entry point, for profiles. */
struct kernel_summary {
    const char *name;
    const char *layer; /* the layer it stems from, or NULL: loss, optimizer */
    long units;        /* 1: run by the entry point, else by the call's `parallel` */
    double work;       /* about how much it does: shares out a time among several */
    enum part part;    /* of a layer's contractions it computes, packing included */
};

struct compilation {
    const char *c_text;            /* the module: entry points <prefix>_train, _evaluate, _predict */
    struct program program;        /* sizes and variables; its entry functions are not set */
    struct memory_report memory[3]; /* by enum mode */
    const struct kernel_summary *kernels[3]; /* by enum mode, in the order they run */
    int kernel_count[3];
    const char *const *symbols;    /* library functions that the text calls (tcc); ends with NULL */
    const char *dumped;            /* text of the --dump, or NULL */
};

/** True if images stay row-major in this entry point: vectors of so few samples would be half
 * empty. */
bool compile_has_plain_images(enum mode mode, long batch, const struct target *target);

/** Compiles a model. Everything returned lives in the arena. NULL + message on failure. */
struct compilation *compile_model(struct arena *arena, const struct model *model,
                                  const struct compile_options *options, struct error *error);

/** The names --dump takes, in order; ends with NULL. */
const char *const *compile_pass_names(void);

/** The standalone form of a model (c/standalone.c): one header and one source that compile alone.
 * mode is MODE_PREDICTION (inference) or MODE_TRAINING. */
struct standalone {
    const char *header, *source;   /* texts of NAME.h and NAME.c */
};
struct standalone *compile_standalone(struct arena *arena, const struct model *model,
                                      enum mode mode, const struct compile_options *options,
                                      const float *const *weights, struct error *error);

#endif
