/* trainer.h: trains a program on a data set: epochs, batches, validation, checkpoints.
 *
 * One seed gives one result: the order of the samples is a function of (seed, epoch), the random
 * numbers inside the program of (seed, step), and nothing depends on the number of threads. So a
 * run that was stopped at any step and resumed gives the same bits as one that never stopped. */
#ifndef LATHE_TRAINER_H
#define LATHE_TRAINER_H

#include "augmentation.h"
#include "callbacks.h"
#include "dataset.h"
#include "error.h"
#include "history.h"
#include "memory.h"
#include "parallel.h"
#include "program.h"

/* How training stands after a step or an epoch. */
struct training_report {
    long epoch, epochs;          /* epoch from 1 */
    long step, steps;            /* of this epoch: done, and how many there are */
    long total_step;             /* since training began, resumed runs included */
    long samples, epoch_samples; /* of this epoch: seen, and how many there are */
    double step_loss;            /* of the last batch */
    double loss, accuracy;       /* means over the samples of this epoch seen so far */
    bool has_accuracy;
    bool has_validation; /* set at the end of an epoch, when there are validation samples */
    double validation_loss, validation_accuracy;
    double learning_rate;
    double seconds;     /* since this epoch began, or since it was resumed */
    long timed_samples; /* samples trained in these seconds */
    double elapsed;     /* since trainer_run was called */
};

/* Which weights count as the best. */
enum best_by {
    BEST_LATEST,   /* those of the last epoch, or those that a callback is to restore */
    BEST_LOSS,     /* lowest validation loss (training loss, without validation samples) */
    BEST_ACCURACY, /* highest validation accuracy (training accuracy, ...) */
    BEST_CALLBACK  /* those that a callback with restore_best_weights chooses */
};

struct trainer_options {
    /* The program to call for the next step; it may change between two steps, but not in its sizes
     * and not in the meaning of its variables. */
    const struct program *(*program)(void *context);
    void *program_context;
    /* The learning rate of a step, from 0. */
    double (*learning_rate)(void *context, long step);
    void *learning_rate_context;

    const struct dataset *data;
    const struct augmentation *augmentation; /* of the training samples; NULL: none */
    struct split_options split;              /* what of the data is for validation */
    long epochs;
    uint32_t seed;
    struct pool *pool; /* NULL: one thread */

    const char *directory; /* for checkpoints, weights and history; NULL: keep nothing */
    bool resume;           /* go on from the checkpoint in the directory */
    /* What decides the training, lines of "part: what it is": a resumed run must have the same.
     * NULL: not checked. */
    const char *recipe;
    enum best_by best_by;
    const struct callback_options *callbacks; /* they run in this order at the end of an epoch */
    int callback_count;

    /* Asked when the loss is not finite, with a step in which something first was not, before it is
     * run: writes what it was, as "the output of dense_1 (m.lua:7)". May be NULL. */
    bool (*explain)(void *context, const struct program_call *call, char *text, size_t size);
    void *explain_context;

    /* Called after each step and each epoch; each may be NULL. */
    void (*on_step)(void *context, const struct training_report *report);
    void (*on_epoch)(void *context, const struct training_report *report);
    void *report_context;
    /* Asked after each step: true ends training there, with a checkpoint. NULL: never. */
    bool (*interrupted)(void);
};

enum training_end {
    TRAINING_FINISHED,
    TRAINING_INTERRUPTED, /* `interrupted` said so; the checkpoint allows to resume */
    TRAINING_FAILED       /* the error says why: the loss is not finite, a file cannot be written */
};

struct trainer;

/** Allocates the memory of the program, gives the weights their initial values or, to resume, loads
 * the checkpoint. Checks that program and data fit. NULL + message on failure. */
struct trainer *trainer_new(const struct trainer_options *options, struct error *error);

/** Trains up to options->epochs epochs. */
enum training_end trainer_run(struct trainer *trainer, struct error *error);

/** The variables (by PROGRAM_ space) as they are now. */
float *const *trainer_spaces(const struct trainer *trainer);

/** The memory that the training works in, variables included: between two trainer_run, to evaluate
 * with. */
const struct program_memory *trainer_memory(const struct trainer *trainer);

/** Puts the weights that count (of options->best_by) in place of the last ones. Nothing happens
 * before the first epoch ends. */
void trainer_restore_best(struct trainer *trainer);

/** The epochs so far, those before a resume included. */
const struct history *trainer_history(const struct trainer *trainer);

/** The epoch whose weights count; NULL before the first one ends. */
const struct history_epoch *trainer_kept_epoch(const struct trainer *trainer);

/** Number of steps since training began, resumed runs included. */
long trainer_steps(const struct trainer *trainer);

/** The seed of its random numbers: a resumed run keeps its own. */
uint32_t trainer_seed(const struct trainer *trainer);

/** trainer may be NULL. */
void trainer_free(struct trainer *trainer);

#endif
