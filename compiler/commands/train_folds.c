/* train_folds.c: k-fold cross-validation: `lathe train --folds K`. */
#include "train.h"
#include "../../runtime/lock.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The figures of the folds that are done. */
struct folds {
    struct history_epoch *kept; /* of the epoch whose weights each of them keeps */
    bool has_accuracy;
    long count, epochs; /* epochs and seconds: of all of them */
    double seconds;
};

/* Goes on with a fold that has a checkpoint, when it is to resume; a fold that is done is so at
 * once. Its folder is one of a run, in which another process could train. */
static bool set_up_fold(struct run *run, long fold, struct error *error) {
    const char *directory = NULL;
    bool resume = false;
    if (run->options->save)
        directory = arena_format(run->arena, "%s/fold_%ld", run->options->save, fold + 1);
    if (directory && run->options->resume)
        resume = files_exist(arena_format(run->arena, "%s/last.safetensors", directory));
    if (directory &&
        !(files_make_folder(directory, error) && lock_folder(directory, &run->fold_lock, error)))
        return false;
    return train_set_up(run, directory, fold, resume, error);
}

static void print_fold(const struct run *run, const struct folds *folds) {
    const struct history_epoch *kept = &folds->kept[folds->count - 1];
    if (run->options->json || run->options->quiet) return;
    printf("fold %ld of %ld: validation loss %.4f", folds->count, run->options->folds,
           kept->validation_loss);
    if (folds->has_accuracy) printf("  accuracy %.4f", kept->validation_accuracy);
    printf("  (epoch %ld)\n", kept->epoch);
    fflush(stdout);
}

/* Mean, and the standard deviation with count - 1 degrees of freedom. */
static void mean_and_deviation(const struct folds *folds, bool accuracy, double *mean,
                               double *deviation) {
    double sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (long i = 0; i < folds->count; i++) {
            const struct history_epoch *kept = &folds->kept[i];
            double value = accuracy ? kept->validation_accuracy : kept->validation_loss;
            if (pass == 0)
                sum += value / (double)folds->count;
            else
                squares += (value - sum) * (value - sum);
        }
    *mean = sum;
    *deviation = sqrt(squares / (double)(folds->count - 1));
}

static void add_summary(cJSON *json, const struct folds *folds, bool accuracy, const char *name) {
    double mean, deviation;
    mean_and_deviation(folds, accuracy, &mean, &deviation);
    cJSON *summary = cJSON_AddObjectToObject(json, name);
    cJSON_AddNumberToObject(summary, "mean", mean);
    cJSON_AddNumberToObject(summary, "standard_deviation", deviation);
}

static cJSON *json_of(const struct run *run, const struct folds *folds) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "model", run->model->name);
    cJSON_AddNumberToObject(json, "folds", (double)folds->count);
    add_summary(json, folds, false, "validation_loss");
    if (folds->has_accuracy) add_summary(json, folds, true, "validation_accuracy");
    cJSON *list = cJSON_AddArrayToObject(json, "fold");
    struct history shape = {.has_accuracy = folds->has_accuracy, .has_validation = true};
    for (long i = 0; i < folds->count; i++) {
        cJSON *fold = cJSON_CreateObject();
        train_add_epoch(fold, &shape, &folds->kept[i]);
        cJSON_AddItemToArray(list, fold);
    }
    cJSON_AddNumberToObject(json, "parameters", (double)(run->cost.trainable + run->cost.frozen));
    cJSON_AddNumberToObject(json, "seconds", run->seconds);
    return json;
}

static void add_mean(cJSON *json, const struct folds *folds, bool accuracy, const char *name,
                     const char *deviation_name) {
    double mean, deviation;
    mean_and_deviation(folds, accuracy, &mean, &deviation);
    cJSON_AddNumberToObject(json, name, mean);
    cJSON_AddNumberToObject(json, deviation_name, deviation);
}

/* The folds as one run, for its run.json. */
static cJSON *result_json(const struct folds *folds) {
    cJSON *json = cJSON_CreateObject();
    add_mean(json, folds, false, "validation_loss", "validation_loss_deviation");
    if (folds->has_accuracy)
        add_mean(json, folds, true, "validation_accuracy", "validation_accuracy_deviation");
    cJSON_AddNumberToObject(json, "epochs", (double)folds->epochs / (double)folds->count);
    cJSON_AddNumberToObject(json, "seconds", folds->seconds);
    return json;
}

/* DIR/cross_validation.json, and what makes DIR the folder of a run. */
static bool save(struct run *run, const struct folds *folds, struct error *error) {
    if (!run->options->save) return true;
    char *path = files_join(run->options->save, "cross_validation.json");
    cJSON *json = json_of(run, folds);
    char *text = cJSON_Print(json);
    bool saved = false;
    if (path && text)
        saved = files_write(path, &(struct file_part){text, strlen(text)}, 1, error);
    else
        error_set(error, "out of memory");
    cJSON_Delete(json);
    cJSON_free(text);
    free(path);
    run->directory = run->options->save;
    run->fold = 0;
    saved = saved && train_save_folds_record(run, result_json(folds), error);
    if (saved) train_save_plots(run);
    return saved;
}

static void print_summary(const struct run *run, const struct folds *folds) {
    double mean, deviation;
    if (run->options->json) {
        command_print_json(json_of(run, folds));
        return;
    }
    mean_and_deviation(folds, false, &mean, &deviation);
    printf("%ld folds: validation loss %.4f +- %.4f", folds->count, mean, deviation);
    if (folds->has_accuracy) {
        mean_and_deviation(folds, true, &mean, &deviation);
        printf("  accuracy %.4f +- %.4f", mean, deviation);
    }
    printf(" (mean and standard deviation); the test data were not used\n");
}

/* A fold that is done is recorded like any run. */
static bool end_fold(struct run *run, struct folds *folds, struct error *error) {
    const struct history *history = trainer_history(run->trainer);
    folds->has_accuracy = history->has_accuracy;
    folds->kept[folds->count++] = *trainer_kept_epoch(run->trainer);
    folds->epochs += history->count;
    folds->seconds += train_epoch_seconds(history);
    print_fold(run, folds);
    if (!train_save_record(run, error)) return false;
    train_save_plots(run);
    return true;
}

int train_folds(struct run *run, struct error *error) {
    const struct train_options *o = run->options;
    struct folds folds = {.kept = calloc((size_t)o->folds, sizeof *folds.kept)};
    int status = STATUS_OK;

    if (!folds.kept) error_set(error, "out of memory");
    if (!folds.kept) return STATUS_FAILED;
    if (o->save && !files_make_folder(o->save, error)) status = STATUS_FAILED;
    while (status == STATUS_OK && folds.count < o->folds) {
        if (!set_up_fold(run, folds.count, error)) {
            status = STATUS_BAD_INPUT;
            break;
        }
        enum training_end end = train_run(run, error);
        if (end == TRAINING_FAILED) status = STATUS_FAILED;
        if (end == TRAINING_INTERRUPTED) status = train_report_interrupted(run);
        if (status == STATUS_OK && !end_fold(run, &folds, error)) status = STATUS_FAILED;
        lock_release(run->fold_lock);
        run->fold_lock = -1;
    }
    if (status == STATUS_OK && !save(run, &folds, error)) status = STATUS_FAILED;
    if (status == STATUS_OK) print_summary(run, &folds);
    free(folds.kept);
    return status;
}
