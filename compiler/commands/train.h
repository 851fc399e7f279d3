/* train.h: what the files of `lathe train` share. */
#ifndef LATHE_TRAIN_H
#define LATHE_TRAIN_H

#include "commands.h"
#include "../../runtime/evaluation.h"
#include "../../runtime/progress.h"
#include "../../runtime/trainer.h"

struct cJSON;

struct train_options {
    const char **words; /* of the command line, as they were typed */
    int word_count;
    const char *point, *data, *save, *losses, *callbacks;
    struct backend_options backend;
    long seed, epochs, batch_size, best, folds, stratified;
    double validation_split;
    bool resume, json, quiet, no_plots, no_test;
};

/* A run of the command. */
struct run {
    struct arena *arena;
    const struct train_options *options;
    const struct model *model;
    struct layer_cost cost; /* of the whole model */
    const struct layer_cost *layer_costs;
    long epochs, batch;
    struct split_options split;
    struct callback_list callbacks;
    struct dataset_pair data;
    struct jit *jit;
    const struct program *first_program; /* of the first step */
    struct pool *pool;
    int threads;
    struct trainer *trainer;
    const char *directory; /* where the present training, or all folds together, are saved */
    int lock, fold_lock;   /* of the folders to save to, all and the present fold's; -1: none */
    long fold;             /* the present one, from 1; 0: no fold, or all of them */
    struct progress progress;
    double first_step_ms, seconds;
    double *losses; /* of each step of this process, when asked for */
    long loss_count, loss_capacity, first_loss_step;
    bool tested;
    struct evaluation test;
    struct mistakes mistakes; /* of the test */
    struct confusion confusion;
};

/** Sets up the trainer of a run, or of one fold of it (from 0). directory: where it is saved, or
 * NULL. */
bool train_set_up(struct run *run, const char *directory, long fold, bool resume,
                  struct error *error);

/** Trains with the trainer that is set up; prints its progress. */
enum training_end train_run(struct run *run, struct error *error);

/** K-fold cross-validation instead of one training (train_folds.c). Returns an exit status. */
int train_folds(struct run *run, struct error *error);

/** Says which layer was the first whose values are not finite; struct trainer_options.explain
 * (train_non_finite.c). context: the run. */
bool train_explain(void *context, const struct program_call *call, char *text, size_t size);

/* --- train_folder.c --- */

/** Makes the folder that is saved to, if any, keeps other processes from training into it and
 * removes what a run that was killed has left half-written. False + message when another one has
 * it. */
bool train_take_folder(struct run *run, struct error *error);
void train_release_folder(struct run *run);

/* --- train_report.c --- */

/** Prints the line above the epochs, unless it is to be quiet. */
void train_print_heading(const struct run *run);

/** Prints what came out: one line of JSON or, for people, the test and where the files are. */
void train_print_results(const struct run *run);

/** Says that it was interrupted; returns the exit status. */
int train_report_interrupted(const struct run *run);

/** Adds the figures of an epoch to a JSON object: training_loss, validation_accuracy, ... */
void train_add_epoch(struct cJSON *json, const struct history *history,
                     const struct history_epoch *epoch);

/** Saves the pictures of the run, the present fold or all folds in their directory. What goes wrong
 * with these extras is told and forgotten. */
void train_save_plots(const struct run *run);

/* --- train_record.c --- */

/** Writes what `lathe report` needs to know of a run into its folder: run.json, the model's files
 * and the samples of the worst mistakes. Nothing when the run is not saved. */
bool train_save_record(const struct run *run, struct error *error);

/** The same of all folds together; result: what came out of them, which is given away. */
bool train_save_folds_record(const struct run *run, struct cJSON *result, struct error *error);

/** The seconds that the epochs took, also those before the run was resumed. */
double train_epoch_seconds(const struct history *history);

#endif
