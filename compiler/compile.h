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

/* Where a standalone model has its weights. */
enum weights_form {
    WEIGHTS_EMBEDDED, /* constants of the source */
    WEIGHTS_FILE,     /* a file that the caller reads and hands to NAME_load */
    WEIGHTS_LINKED,   /* the same file, brought into the program by the assembler */
};

/* What a standalone model offers its caller (c/standalone.c). */
struct standalone_options {
    enum weights_form weights_form;
    bool small_code;     /* few and small loops rather than fast ones */
    bool channels_first; /* the caller's images are [channels][height][width] */
    bool threads;        /* calls take the caller's parallel loop */
    bool main;           /* a program around the model, too */
    long micro_batches;  /* pieces of a training batch whose gradients are summed; 0: 1 */
    const char *const *class_names; /* as many as there are predictions; NULL: none */
};

struct compile_options {
    const struct target *target;
    enum dialect dialect;
    long batch;             /* 0: the model's batch_size */
    bool training;          /* the entry points: train, */
    bool evaluation;        /*   evaluate, */
    bool prediction;        /*   predict, */
    long pieces;            /*   above 1, gradient and update: a training step in so many pieces of
                                 `batch` samples */
    bool prepare;           /*   prepare: a program's `prepare`, which predict then needs */
    const float *const *weights; /* by space, if they never change: what they alone decide is computed
                                    now, and `constants` are the weights of the program; or NULL */
    bool generic_products;  /* large matrix products call the runtime's sgemm (never when emitting) */
    bool use_double;        /* real = double */
    bool own_mathematics;   /* exp, log, ... without libm */
    bool no_winograd;       /* all convolutions sum over their taps directly */
    bool standalone;        /* part of a source file: entry points are static, no banner */
    struct standalone_options form; /* of a standalone source */
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
    int together;      /* kernels from this one on that run as one task; 0: inside of one */
    long units;        /* 1: run by the entry point, else by the call's `parallel` */
    double work;       /* about how much it does: shares out a time among several */
    enum part part;    /* of a layer's contractions it computes, packing included */
};

struct compilation {
    const char *c_text;            /* the module: entry points <prefix>_train, _evaluate, _predict */
    struct program program;        /* sizes and variables; its entry functions are not set */
    struct memory_report memory[MODE_COUNT]; /* by enum mode */
    const struct kernel_summary *kernels[MODE_COUNT]; /* by enum mode, in the order they run */
    int kernel_count[MODE_COUNT];
    const float *constants;        /* of compile_options.weights: SPACE_TRAINABLE; or NULL */
    const char *const *symbols;    /* library functions that the text calls (tcc); ends with NULL */
    const char *dumped;            /* text of the --dump, or NULL */
};

/** True if images stay row-major in this entry point: vectors of so few samples would be half
 * empty. */
bool compile_has_plain_images(enum mode mode, long batch, const struct target *target);

/** In how many equal pieces a training step of so many samples is best computed by one process: 1,
 * or for a large batch so many that the images of a piece stay in the caches, and that the short batch
 * at an epoch's end and the validation need not compute the rows of a whole one. Batch normalization
 * wants the statistics of the whole batch: 1. */
long compile_pieces(const struct model *model, long batch);

/** Compiles a model. Everything returned lives in the arena. NULL + message on failure. */
struct compilation *compile_model(struct arena *arena, const struct model *model,
                                  const struct compile_options *options, struct error *error);

/** A copy, in another arena, of what is wanted of a compilation once its text is compiled: without
 * text, symbols and dump. The name of the program stays the model's. */
struct compilation *compilation_without_text(struct arena *arena,
                                             const struct compilation *compilation);

/** The names --dump takes, in order; ends with NULL. */
const char *const *compile_pass_names(void);

/** The standalone form of a model (c/standalone.c): one header and one source that compile alone.
 * mode is MODE_PREDICTION (inference) or MODE_TRAINING; weights: by space, NULL = none. */
struct standalone {
    const char *header, *source;   /* texts of NAME.h and NAME.c */
    const unsigned char *weights;  /* bytes of NAME.weights, or NULL */
    size_t weights_bytes;
    const char *assembly;          /* text of NAME_weights.S, or NULL */
    const char *main;              /* text of NAME_main.c, or NULL */
    long block_bytes, state_bytes; /* of the caller's block, and what must be kept of it */
    long stack_bytes;              /* that a call needs at most */
    struct memory_report memory;   /* of its workspace */
};
struct standalone *compile_standalone(struct arena *arena, const struct model *model,
                                      enum mode mode, const struct compile_options *options,
                                      const float *const *weights, struct error *error);

#endif
