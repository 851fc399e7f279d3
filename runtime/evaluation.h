/* evaluation.h: runs a program over a data set, batch by batch. */
#ifndef LATHE_EVALUATION_H
#define LATHE_EVALUATION_H

#include "dataset.h"
#include "memory.h"
#include "metrics.h"
#include "mistakes.h"
#include "parallel.h"
#include "thread_choice.h"

/* What to evaluate, and with what. */
struct evaluation_input {
    const struct program *program;
    const struct program_memory *memory;
    struct pool *pool; /* NULL: one thread */
    const struct dataset *data;
    const long *indices; /* which samples; NULL: the first `count` */
    long count;
    struct thread_choice *choice; /* of the evaluations before; NULL: none is kept. For
                                   * evaluation_run, which then uses its pool */
    struct mistakes *mistakes;    /* gets the worst of them; NULL: nobody wants to know */
    bool (*interrupted)(void);    /* asked after each batch; true stops the work. May be NULL. */
};

struct evaluation {
    double loss, accuracy; /* means over the samples */
    bool has_accuracy;
    long samples; /* evaluated; fewer than asked for when interrupted */
    bool interrupted;
};

/** Loads a batch into the program's memory: the samples indices[0 .. count), zeros behind them.
 * With a pool its threads share the work. */
void evaluation_gather(const struct evaluation_input *input, const long *indices, long count,
                       bool labels);

/** Loss and accuracy. When confusion is not NULL, it counts every sample (confusion_init before,
 * with evaluation_classes). False + message when the program has no such entry, the data no labels,
 * or the loss is not finite. */
bool evaluation_run(const struct evaluation_input *input, struct evaluation *result,
                    struct confusion *confusion, struct error *error);

/** Predictions [count][output_size] of the samples. */
bool evaluation_predict(const struct evaluation_input *input, float *predictions,
                        struct error *error);

/** The number of classes a program tells apart: one output means two classes. */
int evaluation_classes(const struct program *program);

/** The class that one sample's predictions mean. */
int evaluation_class(const struct program *program, const float *predictions);

#endif
