/* train_folds.c: k-fold cross-validation: `lathe train --folds K`. */
#include "train.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The figures of the folds that are done: of the epoch whose weights each of them keeps. */
struct folds {
    struct history_epoch *kept;
    bool has_accuracy;
    long count;
};

/* The directory of a fold, or NULL where nothing is saved. *fine is false when memory is out. */
static char *fold_directory(const struct run *run, long fold, bool *fine) {
    char name[32];
    if (!run->options->save) return NULL;
    snprintf(name, sizeof name, "fold_%ld", fold + 1);
    char *path = files_join(run->options->save, name);
    if (!path) *fine = false;
    return path;
}

/* Goes on with a fold that has a checkpoint, when it is to resume; a fold that is done is so at
 * once. */
static bool set_up_fold(struct run *run, long fold, struct error *error) {
    bool fine = true, resume = false;
    char *directory = fold_directory(run, fold, &fine), *checkpoint = NULL;
    if (directory && run->options->resume) {
        checkpoint = files_join(directory, "last.safetensors");
        fine = checkpoint != NULL;
        resume = fine && files_exist(checkpoint);
    }
    if (fine)
        fine = train_set_up(run, directory, fold, resume, error);
    else
        error_set(error, "out of memory");
    free(checkpoint);
    free(directory);
    return fine;
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

/* DIR/cross_validation.json */
static bool save(const struct run *run, const struct folds *folds, struct error *error) {
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
        if (status != STATUS_OK) break;
        folds.has_accuracy = trainer_history(run->trainer)->has_accuracy;
        folds.kept[folds.count++] = *trainer_kept_epoch(run->trainer);
        print_fold(run, &folds);
    }
    if (status == STATUS_OK && !save(run, &folds, error)) status = STATUS_FAILED;
    if (status == STATUS_OK) print_summary(run, &folds);
    free(folds.kept);
    return status;
}
