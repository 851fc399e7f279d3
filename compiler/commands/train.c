/* train.c: `lathe train`: trains a model on a data set, tests it and saves what came out. */
#include "train.h"
#include "../frontend/recipe.h"
#include "../../runtime/interrupt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(name, field, value, help) \
    { name, 0, COMMAND_TEXT, offsetof(struct train_options, field), value, NULL, help }
#define COUNT(name, field, help) \
    { name, 0, COMMAND_COUNT, offsetof(struct train_options, field), "N", NULL, help }
#define FLAG(name, field, help) \
    { name, 0, COMMAND_FLAG, offsetof(struct train_options, field), NULL, NULL, help }

static const struct command_option options[] = {
    POINT_OPTION(struct train_options, point),
    DATA_OPTION(struct train_options, data, "the data set: a folder of IDX files, or a name"),
    BACKEND_OPTIONS(struct train_options, backend, "auto"),
    {"seed", 0, COMMAND_SEED, offsetof(struct train_options, seed), "N", NULL,
     "of all random numbers (default: the model's; a resumed run keeps its own)"},
    COUNT("epochs", epochs, "how often all samples are seen (default: the model's)"),
    COUNT("batch-size", batch_size, "samples of one step (default: the model's)"),
    {"validation-split", 0, COMMAND_FRACTION, offsetof(struct train_options, validation_split), "F",
     NULL, "part of the training data set aside to validate each epoch (default: the model's)"},
    {"stratified", 0, COMMAND_CHOICE, offsetof(struct train_options, stratified), "false|true",
     NULL, "whether validation data get of each class its share (default: the model's, else true)"},
    COUNT("folds", folds,
          "cross-validation: train K times, each time with another Kth of the training data set "
          "aside, and print mean and spread; the test data stay unused"),
    {"best", 0, COMMAND_CHOICE, offsetof(struct train_options, best), "latest|loss|accuracy",
     "latest",
     "which weights to keep: of the last epoch (or those that early_stopping restores), or the "
     "best "
     "on validation data"},
    TEXT("callbacks", callbacks, "LUA",
         "instead of the model's: a list as in the model, 'early_stopping { patience = 5 }'"),
    TEXT("save", save, "DIR", "keep checkpoint, weights, history and pictures there"),
    FLAG("resume", resume, "go on from the checkpoint in the --save directory"),
    FLAG("json", json, "end with one line of JSON on the standard output, and print nothing else"),
    FLAG("quiet", quiet, "show no progress"),
    FLAG("no-plots", no_plots, "draw no pictures"),
    FLAG("no-test", no_test, "leave the test data alone: while choosing between models"),
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
    if (o->resume && !o->save)
        return error_set(error, "lathe train: --resume needs --save DIR, the directory of the run");
    if (o->folds == 1)
        return error_set(error, "lathe train: --folds 1: cross-validation needs at least 2 folds");
    if (o->folds && o->losses)
        return error_set(error, "lathe train: --folds and --losses: there is no single run whose "
                                "losses to write; leave one out");
    if (o->folds && o->validation_split >= 0)
        return error_set(error, "lathe train: --folds and --validation-split: each fold is the "
                                "validation data in turn; leave --validation-split out");
    return true;
}

/* The random numbers of a run are of one seed. */
static bool check_seed(const struct run *run, struct error *error) {
    long given = run->options->seed, seed = (long)trainer_seed(run->trainer);

    return given < 0 || given == seed ||
           error_set(error,
                     "lathe train: --seed %ld: the run in %s was begun with seed %ld, which a "
                     "resumed run keeps; leave --seed out",
                     given, run->directory, seed);
}

bool train_set_up(struct run *run, const char *directory, long fold, bool resume,
                  struct error *error) {
    const struct train_options *o = run->options;
    const struct training *training = &run->model->training;
    struct trainer_options options = {
        .program = current_program,
        .program_context = run,
        .learning_rate = learning_rate,
        .learning_rate_context = run,
        .data = &run->data.train,
        .augmentation = training->augmentation.file ? &training->augmentation : NULL,
        .split = run->split,
        .epochs = run->epochs,
        .seed = (uint32_t)(o->seed >= 0 ? o->seed : training->seed),
        .pool = run->pool,
        .directory = directory,
        .resume = resume,
        .recipe = recipe_text(run->arena, run->model, &run->split),
        .best_by = (enum best_by)o->best,
        .callbacks = run->callbacks.options,
        .callback_count = run->callbacks.count,
        .explain = train_explain,
        .explain_context = run,
        .on_step = on_step,
        .on_epoch = on_epoch,
        .report_context = run,
        .interrupted = interrupt_requested,
    };

    options.split.fold = fold;
    run->directory = directory;
    run->fold = o->folds ? fold + 1 : 0;
    trainer_free(run->trainer);
    run->trainer = trainer_new(&options, error);
    return run->trainer && check_seed(run, error);
}

/* What is set aside for validation: the command line goes before the model. */
static struct split_options split_of(const struct train_options *o,
                                     const struct training *training) {
    struct split_options split = {.folds = o->folds, .stratified = training->stratified};

    if (o->stratified >= 0) split.stratified = o->stratified != 0;
    if (!o->folds)
        split.fraction =
            o->validation_split >= 0 ? o->validation_split : training->validation_split;
    return split;
}

static bool set_up(struct run *run, struct arena *arena, const char *path, struct error *error) {
    const struct train_options *o = run->options;
    struct compile_options compile = {.evaluation = true};

    if (!check_options(o, error)) return false;
    run->model = model_read_point(arena, path, o->point, error);
    if (!run->model || !command_needs_training(run->model, "training", error)) return false;
    const struct training *training = &run->model->training;
    run->epochs = o->epochs ? o->epochs : training->epochs;
    run->batch = o->batch_size ? o->batch_size : training->batch_size;
    compile.pieces = compile_pieces(run->model, run->batch);
    compile.batch = run->batch / compile.pieces;
    compile.training = compile.pieces == 1;
    run->split = split_of(o, training);
    run->callbacks = training->callbacks;
    if (o->callbacks &&
        !model_read_callbacks(arena, "--callbacks", o->callbacks, &run->callbacks, error))
        return false;
    if (!command_open_data("train", o->data, &run->data, error)) return false;
    dataset_unload(&run->data.test); /* known to be fine, and not needed for a long time */
    run->layer_costs = model_costs(arena, run->model, &run->cost, error);
    if (!run->layer_costs) return false;
    run->jit = command_jit(run->model, &o->backend, compile, error);
    if (!run->jit) return false;
    if (!command_pool(o->backend.threads, training_operations(&run->cost, run->batch), &run->pool,
                      &run->threads, error))
        return false;
    if (!train_take_folder(run, error)) return false;
    return o->folds || train_set_up(run, o->save, 0, o->resume, error);
}

/* The training data make room for the test data. */
static bool test(struct run *run, struct error *error) {
    dataset_unload(&run->data.train);
    if (!dataset_load(&run->data.test, error)) return false;
    const struct program *program = jit_program(run->jit);
    struct evaluation_input input = {
        .program = program,
        .memory = trainer_memory(run->trainer),
        .pool = run->pool,
        .data = &run->data.test,
        .count = run->data.test.count,
        .mistakes = run->options->save ? &run->mistakes : NULL,
        .interrupted = interrupt_requested,
    };

    if (!confusion_init(&run->confusion, evaluation_classes(program)))
        return error_set(error, "out of memory");
    run->tested = evaluation_run(&input, &run->test, &run->confusion, error);
    return run->tested;
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

enum training_end train_run(struct run *run, struct error *error) {
    progress_init(&run->progress, stderr, run->options->quiet || run->options->json);
    double begin = command_process_milliseconds();
    enum training_end end = trainer_run(run->trainer, error);
    run->seconds += (command_process_milliseconds() - begin) / 1000;
    progress_clear(&run->progress);
    return end;
}

static int train(struct run *run, struct error *error) {
    enum training_end end = train_run(run, error);
    if (end == TRAINING_FAILED) return STATUS_FAILED;
    if (!save_losses(run, error)) return STATUS_FAILED;
    if (end == TRAINING_INTERRUPTED) return train_report_interrupted(run);
    trainer_restore_best(run->trainer);
    if (!run->options->no_test && !test(run, error)) return STATUS_FAILED;
    if (run->test.interrupted) return train_report_interrupted(run);
    if (!train_save_record(run, error)) return STATUS_FAILED;
    train_save_plots(run);
    train_print_results(run);
    return STATUS_OK;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const char *path = arguments->positional[0];
    struct run run = {.options = values, .arena = arena, .lock = -1, .fold_lock = -1};
    int status = STATUS_BAD_INPUT;

    if (set_up(&run, arena, path, error)) {
        train_print_heading(&run);
        interrupt_catch();
        status = run.options->folds ? train_folds(&run, error) : train(&run, error);
    }
    interrupt_release();
    trainer_free(run.trainer);
    pool_free(run.pool);
    jit_free(run.jit);
    dataset_pair_close(&run.data);
    confusion_free(&run.confusion);
    train_release_folder(&run);
    free(run.losses);
    return status;
}

int command_train(int argc, char **argv) {
    struct train_options values = {
        .backend = {.cc = -1}, .validation_split = -1, .seed = -1, .stratified = -1};
    /* Parsing reorders argv. */
    values.words = malloc((size_t)(argc + 1) * sizeof *values.words);
    values.word_count = values.words ? argc : 0;
    for (int i = 0; i < values.word_count; i++) values.words[i] = argv[i];
    int status = command_run(&line, argc, argv, &values, work);
    free(values.words);
    return status;
}
