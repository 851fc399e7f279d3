/* train_report.c: what `lathe train` tells: text, JSON and pictures. */
#include "run_folder.h"
#include "train.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

void train_print_heading(const struct run *run) {
    const struct train_options *o = run->options;

    if (o->json || o->quiet) return;
    printf("%s: %ld parameters; %ld samples, batch %ld; %d %s\n", run->model->name,
           run->cost.trainable + run->cost.frozen, run->data.train.count, run->batch, run->threads,
           run->threads == 1 ? "thread" : "threads");
    fflush(stdout);
}

/* Draws one of the pictures of the folder. */
static bool save_plot(const struct run_folder *folder, const char *name,
                      bool (*draw)(const struct run_folder *, const char *, struct error *),
                      struct error *error) {
    const char *path = arena_format(folder->arena, "%s/%s", folder->path, name);
    return draw(folder, path, error) || !error->text[0];
}

void train_save_plots(const struct run *run) {
    struct error error = {.text = ""};
    struct run_folder folder;

    if (!run->directory || run->options->no_plots) return;
    if (run_folder_open(&folder, run->arena, run->directory, &error)) {
        (void)(save_plot(&folder, "learning_curves.png", run_draw_curves, &error) &&
               save_plot(&folder, "confusion_matrix.png", run_draw_confusion, &error) &&
               save_plot(&folder, "worst_mistakes.png", run_draw_mistakes, &error) &&
               save_plot(&folder, "filters.png", run_draw_filters, &error));
        run_folder_close(&folder);
    }
    if (!run->options->quiet && error.text[0]) fprintf(stderr, "no pictures: %s\n", error.text);
}

void train_add_epoch(cJSON *json, const struct history *history,
                     const struct history_epoch *epoch) {
    cJSON_AddNumberToObject(json, "kept_epoch", (double)epoch->epoch);
    cJSON_AddNumberToObject(json, "training_loss", epoch->loss);
    if (history->has_accuracy) cJSON_AddNumberToObject(json, "training_accuracy", epoch->accuracy);
    if (history->has_validation)
        cJSON_AddNumberToObject(json, "validation_loss", epoch->validation_loss);
    if (history->has_validation && history->has_accuracy)
        cJSON_AddNumberToObject(json, "validation_accuracy", epoch->validation_accuracy);
    cJSON_AddNumberToObject(json, "samples_per_second", epoch->samples_per_second);
}

static void print_json(const struct run *run, bool finished) {
    const struct history *history = trainer_history(run->trainer);
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "model", run->model->name);
    cJSON_AddBoolToObject(json, "interrupted", !finished);
    bool tested = finished && !run->options->no_test;
    if (tested) cJSON_AddNumberToObject(json, "loss", run->test.loss);
    if (tested && run->test.has_accuracy)
        cJSON_AddNumberToObject(json, "accuracy", run->test.accuracy);
    cJSON_AddNumberToObject(json, "seconds", run->seconds);
    cJSON_AddNumberToObject(json, "first_step_ms", run->first_step_ms);
    cJSON_AddNumberToObject(json, "parameters", (double)(run->cost.trainable + run->cost.frozen));
    cJSON_AddNumberToObject(json, "epochs", (double)history->count);
    cJSON_AddNumberToObject(json, "steps", (double)trainer_steps(run->trainer));
    const struct history_epoch *kept = trainer_kept_epoch(run->trainer);
    if (kept) train_add_epoch(json, history, kept);
    cJSON_AddStringToObject(json, "backend", jit_backend(run->jit));
    cJSON_AddNumberToObject(json, "threads", run->threads);
    cJSON_AddNumberToObject(json, "peak_memory_bytes", command_peak_memory_bytes());
    command_print_json(json);
}

void train_print_results(const struct run *run) {
    const struct train_options *o = run->options;

    if (o->json) {
        print_json(run, true);
        return;
    }
    if (!o->no_test)
        command_print_evaluation("test", &run->test, &run->confusion, run->data.test.class_names);
    if (o->save) printf("\nweights, history and pictures are in %s\n", o->save);
}

int train_report_interrupted(const struct run *run) {
    const struct train_options *o = run->options;

    if (o->json) print_json(run, false);
    fprintf(stderr, "interrupted after step %ld; %s\n", trainer_steps(run->trainer),
            o->save ? "the same command with --resume goes on" : "without --save nothing was kept");
    return STATUS_FAILED;
}
