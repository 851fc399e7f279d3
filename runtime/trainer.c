/* trainer.c: the training loop: epochs, batches, validation, best weights, checkpoints. */
#include "trainer_state.h"
#include "evaluation.h"
#include "files.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* --- setting up --- */

static bool check_options(const struct trainer_options *options, const struct program *program,
                          struct error *error) {
    if (!program->train && !program->gradient)
        return error_set(error, "the program was compiled without training");
    if (!options->data->labels) return error_set(error, "the training data have no labels");
    if (trainer_validates(&options->split) && !program->evaluate)
        return error_set(error, "the program was compiled without evaluation");
    return dataset_check(options->data, program, error);
}

static bool prepare_directory(struct trainer *trainer, struct error *error) {
    const char *directory = trainer->options.directory;

    if (!directory) return true;
    trainer->options.directory = trainer->directory = strdup(directory);
    if (!trainer->directory) return error_set(error, "out of memory");
    if (!trainer->options.resume && !files_make_folder(directory, error)) return false;
    trainer->checkpoint_path = files_join(directory, "last.safetensors");
    trainer->best_path = files_join(directory, "best.safetensors");
    if (!trainer->checkpoint_path || !trainer->best_path) return error_set(error, "out of memory");
    if (trainer->options.data->class_names)
        return class_names_save(directory, trainer->options.data->class_names,
                                trainer->options.data->classes, error);
    return true;
}

static bool prepare_data(struct trainer *trainer, struct error *error) {
    const struct trainer_options *options = &trainer->options;

    if (!dataset_split(options->data, &options->split, options->seed, &trainer->split, error))
        return false;
    long count = trainer->split.train_count, batch = program_step_samples(trainer->program);
    if (count < 1) return error_set(error, "no training samples are left by the validation split");
    trainer->history.has_validation = trainer->split.validation_count > 0;
    trainer->steps_per_epoch = (count + batch - 1) / batch;
    trainer->order = malloc((size_t)count * sizeof(long));
    if (!trainer->order) return error_set(error, "out of memory");
    if (trainer->state.batch <= trainer->steps_per_epoch) return true;
    return error_set(error, "%s: stopped at batch %ld of an epoch of %ld", trainer->checkpoint_path,
                     trainer->state.batch, trainer->steps_per_epoch);
}

static bool prepare_callbacks(struct trainer *trainer, struct error *error) {
    const struct trainer_options *options = &trainer->options;
    const struct history *history = &trainer->history;

    if (!callbacks_new(options->callbacks, options->callback_count, history->has_validation,
                       history->has_accuracy, options->directory, &trainer->callbacks, error))
        return false;
    return !options->resume || trainer_restore_callbacks(trainer, error);
}

/* The names of the classes go along with all weights, for predictions. */
static bool prepare_class_names(struct trainer *trainer, struct error *error) {
    const struct dataset *data = trainer->options.data;

    trainer->class_names.key = "class_names";
    if (!data->class_names) return true;
    trainer->class_names_text = class_names_text(data->class_names, data->classes);
    trainer->class_names.value = trainer->class_names_text;
    return trainer->class_names_text || error_set(error, "out of memory");
}

static bool prepare_augmentation(struct trainer *trainer, struct error *error) {
    const struct trainer_options *options = &trainer->options;

    if (!options->augmentation) return true;
    if (!augmentation_check(options->augmentation, options->data, error)) return false;
    trainer->prefetch =
        prefetch_new(options->augmentation, options->data, trainer->program, options->seed, error);
    return trainer->prefetch != NULL;
}

static bool prepare(struct trainer *trainer, struct error *error) {
    struct trainer_options *options = &trainer->options;
    const struct program *program = trainer->program;

    trainer->history.has_accuracy = program->has_accuracy != 0;
    if (!check_options(options, program, error)) return false;
    if (!prepare_directory(trainer, error)) return false;
    if (!program_memory_new(program, &trainer->memory, error)) return false;
    for (int space = PROGRAM_TRAINABLE; space <= PROGRAM_STATE; space++) {
        /* Not touched before there are best weights. */
        trainer->best[space] = malloc(((size_t)program->space_size[space] + 1) * sizeof(float));
        if (!trainer->best[space]) return error_set(error, "out of memory");
    }
    if (options->resume) {
        if (!trainer_load_checkpoint(trainer, error)) return false;
    } else {
        program_initialize(program, options->seed, trainer->memory.space);
        trainer->state.seed = options->seed;
        trainer->state.validation_split = options->split.fraction;
        trainer->state.folds = options->split.folds;
        trainer->state.fold = options->split.fold;
        trainer->state.stratified = options->split.stratified;
        trainer->state.data = dataset_fingerprint(options->data);
        trainer->state.best_epoch = -1;
    }
    return prepare_augmentation(trainer, error) && prepare_class_names(trainer, error) &&
           prepare_data(trainer, error) && prepare_callbacks(trainer, error);
}

struct trainer *trainer_new(const struct trainer_options *options, struct error *error) {
    struct trainer *trainer = calloc(1, sizeof *trainer);

    if (!trainer) {
        error_set(error, "out of memory");
        return NULL;
    }
    trainer->options = *options;
    for (int i = 0; i < options->callback_count; i++)
        if (options->callbacks[i].restore_best_weights && options->best_by == BEST_LATEST)
            trainer->options.best_by = BEST_CALLBACK;
    trainer->program = options->program(options->program_context);
    trainer->step_pool = options->pool;
    thread_choice_init(&trainer->training_threads, options->pool);
    thread_choice_init(&trainer->evaluation_threads, options->pool);
    if (prepare(trainer, error)) return trainer;
    trainer_free(trainer);
    return NULL;
}

void trainer_free(struct trainer *trainer) {
    if (!trainer) return;
    program_memory_free(&trainer->memory);
    dataset_split_free(&trainer->split);
    history_free(&trainer->history);
    checkpoint_free(&trainer->state);
    callbacks_free(trainer->callbacks);
    prefetch_free(trainer->prefetch);
    for (int space = 0; space < PROGRAM_SPACES; space++) {
        free(trainer->best[space]);
        free(trainer->snapshot[space]);
    }
    free(trainer->order);
    free(trainer->class_names_text);
    free(trainer->directory);
    free(trainer->checkpoint_path);
    free(trainer->best_path);
    free(trainer);
}

float *const *trainer_spaces(const struct trainer *trainer) {
    return trainer->memory.space;
}

const struct program_memory *trainer_memory(const struct trainer *trainer) {
    return &trainer->memory;
}

const struct history *trainer_history(const struct trainer *trainer) {
    return &trainer->history;
}

const struct history_epoch *trainer_kept_epoch(const struct trainer *trainer) {
    for (long i = 0; i < trainer->history.count; i++)
        if (trainer->history.epochs[i].epoch == trainer->state.best_epoch)
            return &trainer->history.epochs[i];
    return NULL;
}

uint32_t trainer_seed(const struct trainer *trainer) {
    return trainer->options.seed;
}

long trainer_steps(const struct trainer *trainer) {
    return trainer->state.step;
}

/* --- training --- */

static struct training_report report_now(const struct trainer *trainer) {
    const struct checkpoint *state = &trainer->state;
    double samples = state->sample_count ? (double)state->sample_count : 1, time = now();

    return (struct training_report){
        .epoch = state->epoch + 1,
        .epochs = trainer->options.epochs,
        .step = state->batch,
        .steps = trainer->steps_per_epoch,
        .total_step = state->step,
        .samples = state->sample_count,
        .epoch_samples = trainer->split.train_count,
        .step_loss = trainer->step_loss,
        .loss = state->loss_sum / samples,
        .accuracy = state->accuracy_sum / samples,
        .has_accuracy = trainer->program->has_accuracy != 0,
        .learning_rate = trainer->learning_rate,
        .seconds = time - trainer->epoch_started,
        .timed_samples = trainer->timed_samples,
        .elapsed = time - trainer->started,
    };
}

/* The order of the samples: a function of seed and epoch, so that a resumed epoch goes on in it. */
static void shuffle(struct trainer *trainer) {
    long count = trainer->split.train_count;

    if (trainer->prefetch) prefetch_pause(trainer->prefetch);
    random_permutation(trainer->options.seed, (uint32_t)trainer->state.epoch, trainer->order,
                       count);
    for (long i = 0; trainer->split.train && i < count; i++)
        trainer->order[i] = trainer->split.train[trainer->order[i]];
    if (trainer->prefetch)
        prefetch_epoch(trainer->prefetch, (uint32_t)trainer->state.epoch, trainer->order, count,
                       trainer_first_piece(trainer, trainer->state.batch));
}

static struct evaluation_input evaluation_input_of(struct trainer *trainer) {
    return (struct evaluation_input){
        .program = trainer->program,
        .memory = &trainer->memory,
        .pool = trainer->options.pool,
        .data = trainer->options.data,
        .indices = trainer->split.validation,
        .choice = &trainer->evaluation_threads,
        .count = trainer->split.validation_count,
        .interrupted = trainer->options.interrupted,
    };
}

/* The learning rate of a step: the schedule's, as the callbacks change it. */
static double learning_rate(const struct trainer *trainer, long step) {
    const struct trainer_options *options = &trainer->options;
    return callbacks_learning_rate(trainer->callbacks,
                                   options->learning_rate(options->learning_rate_context, step));
}

struct program_call trainer_piece(struct trainer *trainer, long piece, long step) {
    const struct trainer_options *options = &trainer->options;
    const struct program *program = trainer->program;
    struct program_call call =
        program_memory_call(&trainer->memory, pool_parallel, trainer->step_pool);
    struct evaluation_input input = evaluation_input_of(trainer);
    long begin = piece * program->batch, count = trainer->split.train_count - begin;

    input.pool = trainer->step_pool;
    if (count > program->batch) count = program->batch;
    if (trainer->prefetch)
        prefetch_batch(trainer->prefetch, piece, call.inputs);
    else
        evaluation_gather(&input, trainer->order + begin, count, true);
    call.scalars[0] = learning_rate(trainer, step);
    call.scalars[1] = (double)(step + 1);
    call.scalars[2] = (double)count;
    /* Each piece draws random numbers of its own. */
    uint32_t place = (uint32_t)(piece % program_pieces(program));
    call.scalars[3] = (double)(uint32_t)(options->seed + 0x9e3779b9u * place);
    return call;
}

long trainer_first_piece(const struct trainer *trainer, long batch) {
    return batch * program_pieces(trainer->program);
}

long trainer_last_piece(const struct trainer *trainer, long batch) {
    long size = trainer->program->batch, end = trainer_first_piece(trainer, batch + 1);
    long all = (trainer->split.train_count + size - 1) / size;
    return end < all ? end : all;
}

struct trainer_step trainer_take_step(struct trainer *trainer, long batch, long step) {
    const struct program *program = trainer->program;
    struct thread_choice *threads = &trainer->training_threads;
    bool in_pieces = program_pieces(program) > 1;
    long end = trainer_last_piece(trainer, batch);
    struct trainer_step taken = {0};
    struct program_call call = {0};

    for (long piece = trainer_first_piece(trainer, batch); piece < end; piece++) {
        trainer->step_pool = thread_choice_begin(threads, thread_choice_clock());
        call = trainer_piece(trainer, piece, step);
        (in_pieces ? program->gradient : program->train)(&call);
        thread_choice_end(threads, thread_choice_clock());
        taken.loss += call.results[0] * call.scalars[2];
        taken.accuracy += call.results[1] * call.scalars[2];
        taken.samples += (long)call.scalars[2];
        if (!isfinite(call.results[0])) break;
    }
    taken.learning_rate = call.scalars[0];
    taken.loss /= (double)taken.samples;
    taken.accuracy /= (double)taken.samples;
    call.scalars[2] = (double)taken.samples;
    if (in_pieces) program->update(&call);
    return taken;
}

static bool train_step(struct trainer *trainer, struct error *error) {
    struct checkpoint *state = &trainer->state;

    const struct program *program = trainer->options.program(trainer->options.program_context);
    if (program != trainer->program) {
        thread_choice_restart(&trainer->training_threads);
        thread_choice_restart(&trainer->evaluation_threads);
    }
    trainer->program = program;
    struct trainer_step taken = trainer_take_step(trainer, state->batch, state->step);
    trainer->learning_rate = taken.learning_rate;
    trainer->step_loss = taken.loss;
    state->step++;
    if (!isfinite(taken.learning_rate))
        return error_set(error,
                         "the learning rate is %g in step %ld (epoch %ld); it must be a finite "
                         "number",
                         taken.learning_rate, state->step, state->epoch + 1);
    if (!isfinite(taken.loss)) return trainer_not_finite(trainer, error);
    state->batch++;
    state->sample_count += taken.samples;
    trainer->timed_samples += taken.samples;
    state->loss_sum += taken.loss * (double)taken.samples;
    state->accuracy_sum += taken.accuracy * (double)taken.samples;
    struct callback_step end = {
        .step = state->step,
        .loss = state->loss_sum / (double)state->sample_count,
        .accuracy = state->accuracy_sum / (double)state->sample_count,
        .has_accuracy = trainer->program->has_accuracy != 0,
        .has_validation = trainer->split.validation_count > 0,
    };
    return callbacks_step_end(trainer->callbacks, &end, error);
}

/* Lets the callbacks decide, and keeps the weights if they are the best. */
static bool run_callbacks(struct trainer *trainer, const struct history_epoch *epoch,
                          struct error *error) {
    struct callback_epoch end = {
        .history = &trainer->history,
        .program = trainer->program,
        .space = trainer->memory.space,
        .metadata = &trainer->class_names,
        .metadata_count = trainer->class_names.value != NULL,
    };

    if (!callbacks_epoch_end(trainer->callbacks, &end, error)) return false;
    trainer->state.stopped = end.stop;
    bool best =
        trainer->options.best_by == BEST_CALLBACK ? end.keep : trainer_is_better(trainer, epoch);
    return !best || trainer_keep_best(trainer, epoch, error);
}

/* Validates, remembers the epoch, keeps the best weights and saves. Interrupted: *done is false. */
static bool end_epoch(struct trainer *trainer, bool *done, struct error *error) {
    struct checkpoint *state = &trainer->state;
    struct training_report report = report_now(trainer);
    struct evaluation validation = {.loss = NAN, .accuracy = NAN};
    struct evaluation_input input = evaluation_input_of(trainer);

    if (input.count) {
        if (!evaluation_run(&input, &validation, NULL, error)) return false;
        if (validation.interrupted && validation.samples < input.count) return true;
        report.has_validation = true;
        report.validation_loss = validation.loss;
        report.validation_accuracy = validation.accuracy;
    }
    struct history_epoch epoch = {
        .epoch = state->epoch + 1,
        .step = state->step,
        .loss = report.loss,
        .accuracy = report.accuracy,
        .validation_loss = validation.loss,
        .validation_accuracy = validation.accuracy,
        .learning_rate = report.learning_rate,
        .seconds = report.seconds,
        .samples_per_second =
            report.seconds > 0 ? (double)report.timed_samples / report.seconds : 0,
    };
    if (!history_add(&trainer->history, &epoch, error)) return false;
    if (!run_callbacks(trainer, &epoch, error)) return false;
    state->epoch++;
    state->batch = state->sample_count = 0;
    state->loss_sum = state->accuracy_sum = 0;
    if (trainer->options.on_epoch)
        trainer->options.on_epoch(trainer->options.report_context, &report);
    *done = true;
    return true;
}

static bool interrupted(const struct trainer *trainer) {
    return trainer->options.interrupted && trainer->options.interrupted();
}

/* Trains the rest of an epoch. *done is false when it was interrupted before its end. */
static bool run_epoch(struct trainer *trainer, bool *done, struct error *error) {
    *done = false;
    trainer->epoch_started = now();
    trainer->timed_samples = 0;
    if (trainer->state.step) /* an epoch resumed behind its last step reports the rate of that */
        trainer->learning_rate = learning_rate(trainer, trainer->state.step - 1);
    shuffle(trainer);
    trainer_take_snapshot(trainer);
    while (trainer->state.batch < trainer->steps_per_epoch) {
        if (interrupted(trainer)) return true;
        if (!train_step(trainer, error)) return false;
        if (trainer->options.on_step) {
            struct training_report report = report_now(trainer);
            trainer->options.on_step(trainer->options.report_context, &report);
        }
    }
    return end_epoch(trainer, done, error);
}

enum training_end trainer_run(struct trainer *trainer, struct error *error) {
    struct checkpoint *state = &trainer->state;
    double seconds_before = state->seconds;
    bool done = true;

    trainer->started = now();
    while (done && !state->stopped && state->epoch < trainer->options.epochs) {
        if (!run_epoch(trainer, &done, error)) return TRAINING_FAILED;
        state->seconds = seconds_before + now() - trainer->started;
        if (!trainer_save_checkpoint(trainer, error)) return TRAINING_FAILED;
        if (!trainer_save_history(trainer, error)) return TRAINING_FAILED;
    }
    return done ? TRAINING_FINISHED : TRAINING_INTERRUPTED;
}
