/* train.c: `lathe train`: trains a model on a data set, tests it and saves what came out. */
#include "commands.h"
#include "../../runtime/evaluation.h"
#include "../../runtime/interrupt.h"
#include "../../runtime/plots.h"
#include "../../runtime/progress.h"
#include "../../runtime/trainer.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct train_options {
    const char *data, *save, *losses;
    struct backend_options backend;
    long seed, epochs, batch_size, best;
    double validation_split;
    bool resume, json, quiet, no_plots;
};

#define TEXT(name, field, value, help) \
    { name, 0, COMMAND_TEXT, offsetof(struct train_options, field), value, NULL, help }
#define COUNT(name, field, help) \
    { name, 0, COMMAND_COUNT, offsetof(struct train_options, field), "N", NULL, help }
#define FLAG(name, field, help) \
    { name, 0, COMMAND_FLAG, offsetof(struct train_options, field), NULL, NULL, help }

static const struct command_option options[] = {
    DATA_OPTION(struct train_options, data, "the data set: a folder of IDX files, or a name"),
    BACKEND_OPTIONS(struct train_options, backend, "auto"),
    {"seed", 0, COMMAND_SEED, offsetof(struct train_options, seed), "N", NULL,
     "of all random numbers (default: the model's; a resumed run keeps its own)"},
    COUNT("epochs", epochs, "how often all samples are seen (default: the model's)"),
    COUNT("batch-size", batch_size, "samples of one step (default: the model's)"),
    {"validation-split", 0, COMMAND_FRACTION, offsetof(struct train_options, validation_split), "F",
     NULL, "part of the training data set aside to validate each epoch (default: the model's)"},
    {"best", 0, COMMAND_CHOICE, offsetof(struct train_options, best), "latest|loss|accuracy",
     "latest", "which weights to keep: of the last epoch, or the best on validation data"},
    TEXT("save", save, "DIR", "keep checkpoint, weights, history and pictures there"),
    FLAG("resume", resume, "go on from the checkpoint in the --save directory"),
    FLAG("json", json, "end with one line of JSON on the standard output, and print nothing else"),
    FLAG("quiet", quiet, "show no progress"),
    FLAG("no-plots", no_plots, "draw no pictures"),
    TEXT("losses", losses, "FILE", "write the loss of every step to a CSV file"),
};

static const struct command_line line = {
    .name = "train",
    .usage = "MODEL.lua --data NAME|DIR [options]",
    .purpose =
        "Trains a model, then tests it on the test data. Ctrl-C ends the training after the\n"
        "present step; with --save, --resume goes on from there.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "MODEL.lua",
    .least = 1,
    .most = 1,
};

/* A run of the command. */
struct run {
    const struct train_options *options;
    const struct model *model;
    struct layer_cost cost; /* of the whole model */
    long epochs, batch;
    double validation_split;
    struct dataset_pair data;
    struct jit *jit;
    const struct program *first_program; /* of the first step */
    struct pool *pool;
    int threads;
    struct trainer *trainer;
    struct progress progress;
    double first_step_ms, seconds;
    double *losses; /* of each step of this process, when asked for */
    long loss_count, loss_capacity, first_loss_step;
    struct evaluation test;
    struct confusion confusion;
};

/* --- what the trainer asks and tells --- */

/* The second time it is asked, jit starts the C compiler: not before the first step is done. */
static const struct program *current_program(void *context) {
    struct run *run = context;

    if (run->first_step_ms != 0) return jit_program(run->jit);
    if (!run->first_program) run->first_program = jit_program(run->jit);
    return run->first_program;
}

static double learning_rate(void *context, long step) {
    return optimizer_learning_rate(&((struct run *)context)->model->training.optimizer, step);
}

static void keep_loss(struct run *run, const struct training_report *report) {
    if (run->loss_count == run->loss_capacity) {
        long capacity = run->loss_capacity ? 2 * run->loss_capacity : 1024;
        double *losses = realloc(run->losses, (size_t)capacity * sizeof *losses);
        if (!losses) return;
        run->losses = losses;
        run->loss_capacity = capacity;
    }
    if (run->loss_count == 0) run->first_loss_step = report->total_step;
    run->losses[run->loss_count++] = report->step_loss;
}

static void on_step(void *context, const struct training_report *report) {
    struct run *run = context;

    if (run->first_step_ms == 0) run->first_step_ms = command_process_milliseconds();
    if (run->options->losses) keep_loss(run, report);
    progress_step(&run->progress, report, jit_backend(run->jit));
}

static void on_epoch(void *context, const struct training_report *report) {
    progress_epoch(&((struct run *)context)->progress, report);
}

/* --- stages --- */

static bool check_options(const struct train_options *o, struct error *error) {
    if (!o->resume || o->save) return true;
    return error_set(error, "lathe train: --resume needs --save DIR, the directory of the run");
}

static bool set_up_trainer(struct run *run, struct error *error) {
    const struct train_options *o = run->options;
    struct trainer_options options = {
        .program = current_program,
        .program_context = run,
        .learning_rate = learning_rate,
        .learning_rate_context = run,
        .data = &run->data.train,
        .validation_split = run->validation_split,
        .epochs = run->epochs,
        .seed = (uint32_t)(o->seed >= 0 ? o->seed : run->model->training.seed),
        .pool = run->pool,
        .directory = o->save,
        .resume = o->resume,
        .best_by = (enum best_by)o->best,
        .on_step = on_step,
        .on_epoch = on_epoch,
        .report_context = run,
        .interrupted = interrupt_requested,
    };

    run->trainer = trainer_new(&options, error);
    return run->trainer != NULL;
}

static bool set_up(struct run *run, struct arena *arena, const char *path, struct error *error) {
    const struct train_options *o = run->options;
    struct compile_options compile = {.training = true, .evaluation = true};

    if (!check_options(o, error)) return false;
    run->model = model_read(arena, path, error);
    if (!run->model || !command_needs_training(run->model, "training", error)) return false;
    const struct training *training = &run->model->training;
    run->epochs = o->epochs ? o->epochs : training->epochs;
    run->batch = compile.batch = o->batch_size ? o->batch_size : training->batch_size;
    run->validation_split =
        o->validation_split >= 0 ? o->validation_split : training->validation_split;
    if (!command_open_data("train", o->data, &run->data, error)) return false;
    if (!model_costs(arena, run->model, &run->cost, error)) return false;
    run->jit = command_jit(run->model, &o->backend, compile, error);
    if (!run->jit) return false;
    return command_pool(o->backend.threads, training_operations(&run->cost, run->batch), &run->pool,
                        &run->threads, error) &&
           set_up_trainer(run, error);
}

static void print_heading(const struct run *run) {
    const struct train_options *o = run->options;

    if (o->json || o->quiet) return;
    printf("%s: %ld parameters; %ld samples, batch %ld; %d %s\n", run->model->name,
           run->cost.trainable + run->cost.frozen, run->data.train.count, run->batch, run->threads,
           run->threads == 1 ? "thread" : "threads");
    fflush(stdout);
}

static bool test(struct run *run, struct error *error) {
    const struct program *program = jit_program(run->jit);
    struct evaluation_input input = {
        .program = program,
        .memory = trainer_memory(run->trainer),
        .pool = run->pool,
        .data = &run->data.test,
        .count = run->data.test.count,
        .interrupted = interrupt_requested,
    };

    if (!confusion_init(&run->confusion, evaluation_classes(program)))
        return error_set(error, "out of memory");
    return evaluation_run(&input, &run->test, &run->confusion, error);
}

static bool save_losses(const struct run *run, struct error *error) {
    char *text = NULL;
    size_t size = 0;

    if (!run->options->losses) return true;
    FILE *file = open_memstream(&text, &size);
    if (!file) return error_set(error, "out of memory");
    fprintf(file, "step,loss\n");
    for (long i = 0; i < run->loss_count; i++)
        fprintf(file, "%ld,%.17g\n", run->first_loss_step + i, run->losses[i]);
    bool saved = fclose(file) == 0 &&
                 files_write(run->options->losses, &(struct file_part){text, size}, 1, error);
    free(text);
    return saved;
}

/* Pictures are an extra: what goes wrong with them is told and forgotten. */
static void save_plots(const struct run *run) {
    struct error error = {.text = ""};
    const char *const *names = run->data.test.class_names;
    const char *title = run->model->name;

    if (!run->options->save || run->options->no_plots) return;
    char *curves = files_join(run->options->save, "learning_curves.png");
    char *matrix = files_join(run->options->save, "confusion_matrix.png");
    bool drawn =
        curves && matrix &&
        plot_learning_curves(curves, trainer_history(run->trainer), title, &error) &&
        (!run->test.has_accuracy || plot_confusion(matrix, &run->confusion, names, title, &error));
    if (!drawn && !run->options->quiet && error.text[0])
        fprintf(stderr, "no pictures: %s\n", error.text);
    free(curves);
    free(matrix);
}

/* --- results --- */

static void print_json(const struct run *run, bool finished) {
    const struct history *history = trainer_history(run->trainer);
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "model", run->model->name);
    cJSON_AddBoolToObject(json, "interrupted", !finished);
    if (finished) cJSON_AddNumberToObject(json, "loss", run->test.loss);
    if (finished && run->test.has_accuracy)
        cJSON_AddNumberToObject(json, "accuracy", run->test.accuracy);
    cJSON_AddNumberToObject(json, "seconds", run->seconds);
    cJSON_AddNumberToObject(json, "first_step_ms", run->first_step_ms);
    cJSON_AddNumberToObject(json, "parameters", (double)(run->cost.trainable + run->cost.frozen));
    cJSON_AddNumberToObject(json, "epochs", (double)history->count);
    cJSON_AddNumberToObject(json, "steps", (double)trainer_steps(run->trainer));
    if (history->count) {
        const struct history_epoch *last = &history->epochs[history->count - 1];
        cJSON_AddNumberToObject(json, "training_loss", last->loss);
        if (history->has_accuracy)
            cJSON_AddNumberToObject(json, "training_accuracy", last->accuracy);
        if (history->has_validation)
            cJSON_AddNumberToObject(json, "validation_loss", last->validation_loss);
        if (history->has_validation && history->has_accuracy)
            cJSON_AddNumberToObject(json, "validation_accuracy", last->validation_accuracy);
        cJSON_AddNumberToObject(json, "samples_per_second", last->samples_per_second);
    }
    cJSON_AddStringToObject(json, "backend", jit_backend(run->jit));
    cJSON_AddNumberToObject(json, "threads", run->threads);
    cJSON_AddNumberToObject(json, "peak_memory_bytes", command_peak_memory_bytes());
    command_print_json(json);
}

static void print_results(const struct run *run) {
    const struct train_options *o = run->options;

    if (o->json) {
        print_json(run, true);
        return;
    }
    command_print_evaluation("test", &run->test, &run->confusion, run->data.test.class_names);
    if (o->save) printf("\nweights, history and pictures are in %s\n", o->save);
}

static int report_interrupted(const struct run *run) {
    const struct train_options *o = run->options;

    if (o->json) print_json(run, false);
    fprintf(stderr, "interrupted after step %ld; %s\n", trainer_steps(run->trainer),
            o->save ? "the same command with --resume goes on" : "without --save nothing was kept");
    return STATUS_FAILED;
}

static int train(struct run *run, struct error *error) {
    print_heading(run);
    progress_init(&run->progress, stderr, run->options->quiet || run->options->json);
    interrupt_catch();
    double begin = command_process_milliseconds();
    enum training_end end = trainer_run(run->trainer, error);
    run->seconds = (command_process_milliseconds() - begin) / 1000;
    progress_clear(&run->progress);
    if (end == TRAINING_FAILED) return STATUS_FAILED;
    if (!save_losses(run, error)) return STATUS_FAILED;
    if (end == TRAINING_INTERRUPTED) return report_interrupted(run);
    if (run->options->best != BEST_LATEST) trainer_restore_best(run->trainer);
    if (!test(run, error)) return STATUS_FAILED;
    if (run->test.interrupted) return report_interrupted(run);
    save_plots(run);
    print_results(run);
    return STATUS_OK;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const char *path = arguments->positional[0];
    struct run run = {.options = values};
    int status = STATUS_BAD_INPUT;

    if (set_up(&run, arena, path, error)) status = train(&run, error);
    interrupt_release();
    trainer_free(run.trainer);
    pool_free(run.pool);
    jit_free(run.jit);
    dataset_pair_close(&run.data);
    confusion_free(&run.confusion);
    free(run.losses);
    return status;
}

int command_train(int argc, char **argv) {
    struct train_options values = {.backend = {.cc = -1}, .validation_split = -1, .seed = -1};
    return command_run(&line, argc, argv, &values, work);
}
