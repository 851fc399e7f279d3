/* test_trainer.c: the training loop, with small programs written here by hand. */
#include "runtime/evaluation.h"
#include "runtime/interrupt.h"
#include "runtime/trainer.h"
#include "runtime/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Softmax regression with SGD and momentum: 4 features, 3 classes. The first feature of a sample is
 * its number, so that the program can tell which samples it was given. */
enum { FEATURES = 4, CLASSES = 3, SAMPLES = 103, BATCH = 10, ROWS = 16, MOST_CALLS = 400 };

static float features[SAMPLES][FEATURES];
static int labels[SAMPLES];

/* What the program saw, call by call. */
static struct seen {
    long samples[ROWS];
    long valid;
    double learning_rate, step, seed;
    bool clean_padding;
} seen[MOST_CALLS];
static int calls, evaluations;
static double poisoned_step; /* the loss of this step becomes NAN */
static int interrupt_at;     /* the call that "receives" a Ctrl-C; 0: none */

static void softmax(const float *weights, const float *x, double p[CLASSES]) {
    double sum = 0;

    for (int c = 0; c < CLASSES; c++) {
        double logit = weights[FEATURES * CLASSES + c];
        for (int i = 1; i < FEATURES; i++) logit += (double)x[i] * weights[i * CLASSES + c];
        p[c] = exp(logit);
        sum += p[c];
    }
    for (int c = 0; c < CLASSES; c++) p[c] /= sum;
}

/* Loss and accuracy of the valid rows; adds the gradient when there is one. */
static void forward(struct program_call *call, double *gradient) {
    long valid = (long)call->scalars[2];

    call->results[0] = call->results[1] = 0;
    for (long n = 0; n < valid; n++) {
        const float *x = call->inputs[0] + n * FEATURES;
        int label = (int)call->inputs[1][n], best = 0;
        double p[CLASSES];
        softmax(call->space[PROGRAM_TRAINABLE], x, p);
        for (int c = 1; c < CLASSES; c++)
            if (p[c] > p[best]) best = c;
        call->results[0] -= log(p[label]) / (double)valid;
        call->results[1] += (best == label) / (double)valid;
        for (int c = 0; c < CLASSES; c++) {
            double error = (p[c] - (c == label)) / (double)valid;
            if (!gradient)
                call->predictions[n * CLASSES + c] = (float)p[c];
            else
                gradient[FEATURES * CLASSES + c] += error;
            for (int i = 1; gradient && i < FEATURES; i++)
                gradient[i * CLASSES + c] += error * x[i];
        }
    }
}

static void record(const struct program_call *call) {
    struct seen *s = &seen[calls++];

    assert_true(calls < MOST_CALLS);
    *s = (struct seen){.valid = (long)call->scalars[2],
                       .learning_rate = call->scalars[0],
                       .step = call->scalars[1],
                       .seed = call->scalars[3],
                       .clean_padding = true};
    for (long n = 0; n < ROWS; n++) {
        s->samples[n] = (long)call->inputs[0][n * FEATURES];
        if (n < s->valid) continue;
        for (int i = 0; i < FEATURES; i++)
            s->clean_padding = s->clean_padding && call->inputs[0][n * FEATURES + i] == 0;
        s->clean_padding = s->clean_padding && call->inputs[1][n] == 0;
    }
}

static void train(struct program_call *call) {
    double gradient[(FEATURES + 1) * CLASSES] = {0};

    record(call);
    forward(call, gradient);
    for (int i = 0; i < (FEATURES + 1) * CLASSES; i++) {
        float *velocity = &call->space[PROGRAM_OPTIMIZER][i];
        *velocity = (float)(0.9 * *velocity - call->scalars[0] * gradient[i]);
        call->space[PROGRAM_TRAINABLE][i] += *velocity;
    }
    call->space[PROGRAM_STATE][0] += 1; /* a moving statistic: the number of steps */
    if (call->scalars[1] == poisoned_step) call->results[0] = NAN;
}

static void evaluate(struct program_call *call) {
    evaluations++;
    forward(call, NULL);
}

static const struct program_variable variables[] = {
    {"dense/kernel", PROGRAM_TRAINABLE, 0, 12, 2, {FEATURES, CLASSES}, PROGRAM_UNIFORM, 0.5},
    {"dense/bias", PROGRAM_TRAINABLE, 12, 3, 1, {CLASSES}, PROGRAM_ZEROS, 0},
    {"dense/steps", PROGRAM_STATE, 0, 1, 1, {1}, PROGRAM_ZEROS, 0},
};
static const struct program softmax_program = {
    .name = "softmax",
    .batch = BATCH,
    .rows = ROWS,
    .sample_size = FEATURES,
    .label_size = 1,
    .sample_rank = 1,
    .sample_shape = {FEATURES},
    .output_size = CLASSES,
    .sparse_labels = 1,
    .has_accuracy = 1,
    .space_size = {15, 1, 15},
    .arena_bytes = 64,
    .variables = variables,
    .variable_count = 3,
    .train = train,
    .evaluate = evaluate,
    .predict = evaluate,
};
static const struct dataset data = {.floats = &features[0][0],
                                    .count = SAMPLES,
                                    .sample_size = FEATURES,
                                    .rank = 1,
                                    .shape = {FEATURES},
                                    .labels = labels,
                                    .classes = CLASSES};

static const struct program *the_program(void *context) {
    return context;
}
static double rate(void *context, long step) {
    return *(const double *)context / (1 + 0.01 * (double)step);
}
static bool interrupted(void) {
    return interrupt_at && calls >= interrupt_at;
}

static double base_rate = 0.1;
static char folder[] = "/tmp/lathe_trainer_XXXXXX";

static struct trainer_options default_options(void) {
    return (struct trainer_options){.program = the_program,
                                    .program_context = (void *)&softmax_program,
                                    .learning_rate = rate,
                                    .learning_rate_context = &base_rate,
                                    .data = &data,
                                    .epochs = 3,
                                    .seed = 7,
                                    .interrupted = interrupted};
}

/* Three overlapping clouds that a linear model tells apart fairly well. */
static int make_data(void **state) {
    unsigned random = 1;

    (void)state;
    for (int n = 0; n < SAMPLES; n++) {
        labels[n] = n % CLASSES;
        features[n][0] = (float)n;
        for (int i = 1; i < FEATURES; i++) {
            random = random * 1103515245u + 12345u;
            features[n][i] = (float)((random >> 16) % 1000) / 1000 + (i - 1 == labels[n]);
        }
    }
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_data(void **state) {
    static const char *const names[] = {"last.safetensors", "best.safetensors", "history.csv",
                                        "history.json", "log.csv"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static int reset(void **state) {
    (void)state;
    calls = evaluations = interrupt_at = 0;
    poisoned_step = -1;
    base_rate = 0.1;
    return 0;
}

static struct trainer *start(const struct trainer_options *options) {
    struct error error = {.text = ""};
    struct trainer *trainer = trainer_new(options, &error);

    if (!trainer) fail_msg("%s", error.text);
    return trainer;
}

static void each_epoch_sees_every_sample_once(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};
    long first_order[SAMPLES], position = 0;
    int moved = 0;

    (void)state;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    assert_int_equal(calls, 3 * 11);
    for (int epoch = 0; epoch < 3; epoch++) {
        int count[SAMPLES] = {0};
        position = 0;
        for (int step = 0; step < 11; step++) {
            const struct seen *s = &seen[epoch * 11 + step];
            assert_int_equal(s->valid, step < 10 ? 10 : 3);
            assert_true(s->clean_padding);
            assert_true(s->step == epoch * 11 + step + 1);
            assert_true(s->seed == 7);
            assert_true(s->learning_rate == 0.1 / (1 + 0.01 * (epoch * 11 + step)));
            for (long n = 0; n < s->valid; n++, position++) {
                count[s->samples[n]]++;
                if (epoch == 0)
                    first_order[position] = s->samples[n];
                else if (epoch == 1)
                    moved += first_order[position] != s->samples[n];
            }
        }
        for (int n = 0; n < SAMPLES; n++) assert_int_equal(count[n], 1);
    }
    assert_true(moved > SAMPLES / 2);
    trainer_free(trainer);
}

static void loss_is_the_mean_over_samples(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};
    struct evaluation result;
    struct confusion confusion;
    double loss = 0, right = 0;

    (void)state;
    options.epochs = 30;
    base_rate = 0.5;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    struct evaluation_input input = {.program = &softmax_program,
                                     .memory = trainer_memory(trainer),
                                     .data = &data,
                                     .count = SAMPLES};
    assert_true(confusion_init(&confusion, evaluation_classes(&softmax_program)));
    assert_true(evaluation_run(&input, &result, &confusion, &error));
    for (int n = 0; n < SAMPLES; n++) {
        double p[CLASSES];
        softmax(trainer_spaces(trainer)[PROGRAM_TRAINABLE], features[n], p);
        loss -= log(p[labels[n]]);
        right += p[labels[n]] >= p[0] && p[labels[n]] >= p[1] && p[labels[n]] >= p[2];
    }
    assert_true(fabs(result.loss - loss / SAMPLES) < 1e-9);
    assert_true(fabs(result.accuracy - right / SAMPLES) < 1e-9);
    assert_true(result.accuracy > 0.8); /* it has learned */
    assert_int_equal(confusion_total(&confusion), SAMPLES);
    assert_true(fabs(confusion_accuracy(&confusion) - result.accuracy) < 1e-9);
    assert_int_equal(trainer_history(trainer)->count, 30);
    assert_true(trainer_history(trainer)->epochs[29].loss <
                trainer_history(trainer)->epochs[0].loss);
    confusion_free(&confusion);
    trainer_free(trainer);
}

static void validation_samples_are_not_trained(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};
    int count[SAMPLES] = {0}, trained = 0;

    (void)state;
    options.split.fraction = 0.25;
    options.epochs = 1;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    for (int i = 0; i < calls; i++)
        for (long n = 0; n < seen[i].valid; n++) count[seen[i].samples[n]]++;
    for (int n = 0; n < SAMPLES; n++) trained += count[n];
    assert_int_equal(trained, SAMPLES - 25);
    assert_int_equal(evaluations, 3); /* 25 samples in batches of 10 */
    /* The validation loss is that of the samples which were left out. */
    double loss = 0;
    for (int n = 0; n < SAMPLES; n++) {
        double p[CLASSES];
        softmax(trainer_spaces(trainer)[PROGRAM_TRAINABLE], features[n], p);
        if (!count[n]) loss -= log(p[labels[n]]) / 25;
    }
    assert_true(fabs(trainer_history(trainer)->epochs[0].validation_loss - loss) < 1e-9);
    trainer_free(trainer);
}

/* Runs to the end, with or without a stop after `stop` steps and a resume. */
static void run(struct trainer_options options, int stop, float spaces[31],
                struct history_epoch last[1]) {
    struct error error = {.text = ""};

    calls = 0;
    interrupt_at = stop;
    struct trainer *trainer = start(&options);
    enum training_end end = trainer_run(trainer, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(end, stop ? TRAINING_INTERRUPTED : TRAINING_FINISHED);
    if (stop) {
        assert_int_equal(trainer_steps(trainer), stop);
        trainer_free(trainer);
        interrupt_at = 0;
        options.resume = true;
        options.seed = 99;          /* the checkpoint's goes before */
        options.split.fraction = 0; /* this one too */
        trainer = start(&options);
        assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    }
    memcpy(spaces, trainer_spaces(trainer)[PROGRAM_TRAINABLE], 15 * sizeof(float));
    memcpy(spaces + 15, trainer_spaces(trainer)[PROGRAM_STATE], sizeof(float));
    memcpy(spaces + 16, trainer_spaces(trainer)[PROGRAM_OPTIMIZER], 15 * sizeof(float));
    *last = trainer_history(trainer)->epochs[trainer_history(trainer)->count - 1];
    trainer_free(trainer);
}

static void resuming_gives_the_same_bits(void **state) {
    /* Within the first epoch, at an epoch's end, just behind it, in the last epoch. */
    static const int stops[] = {1, 5, 7, 8, 9, 16, 23};
    struct trainer_options options = default_options();
    float expected[31], got[31];
    struct history_epoch expected_last, last;

    (void)state;
    options.directory = folder;
    options.split.fraction = 0.25; /* 78 samples: 8 steps an epoch */
    run(options, 0, expected, &expected_last);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        run(options, stops[i], got, &last);
        assert_memory_equal(got, expected, sizeof got);
        assert_int_equal(last.step, 24);
        assert_int_equal(last.epoch, 3);
        assert_memory_equal(&last.loss, &expected_last.loss, sizeof last.loss);
        assert_memory_equal(&last.validation_loss, &expected_last.validation_loss,
                            sizeof last.loss);
    }
}

static char *file_in_folder(const char *name) {
    char path[200];
    struct error error = {.text = ""};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = files_read(path, NULL, &error);
    if (!text) fail_msg("%s", error.text);
    return text;
}

/* Callbacks that reduce the learning rate, stop early and restore weights of before: stopped and
 * resumed anywhere, all of it comes out the same. */
static void callbacks_go_on_after_a_resume(void **state) {
    static const struct callback_options callbacks[] = {
        {.kind = CALLBACK_REDUCE_LR_ON_PLATEAU,
         .monitor = {METRIC_VAL_LOSS, MONITOR_AUTO, 0.02},
         .patience = 1,
         .cooldown = 1,
         .factor = 0.5},
        {.kind = CALLBACK_EARLY_STOPPING,
         .monitor = {METRIC_VAL_ACCURACY, MONITOR_AUTO, 0.01},
         .patience = 4,
         .restore_best_weights = true},
        {.kind = CALLBACK_CSV_LOGGER, .path = "log.csv", .separator = ','}};
    static const int stops[] = {1, 8, 9, 23, 24, 31, 40, 41};
    struct trainer_options options = default_options();
    float expected[31], got[31];
    struct history_epoch expected_last, last;

    (void)state;
    options.directory = folder;
    options.split.fraction = 0.25; /* 78 samples: 8 steps an epoch */
    options.callbacks = callbacks;
    options.callback_count = 3;
    options.epochs = 40;
    run(options, 0, expected, &expected_last);
    assert_in_range(expected_last.epoch, 6, 39); /* stopped early, and reduced before */
    assert_true(expected_last.learning_rate < 0.6 * 0.1 / (1 + 0.01 * ((double)calls - 1)));
    char *log = file_in_folder("log.csv");
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        run(options, stops[i], got, &last);
        assert_memory_equal(got, expected, sizeof got);
        assert_int_equal(last.epoch, expected_last.epoch);
        assert_true(last.learning_rate == expected_last.learning_rate);
        char *again = file_in_folder("log.csv");
        assert_string_equal(again, log);
        free(again);
    }
    free(log);

    /* The run is over: resumed, it trains no further, and restores the weights it kept. */
    struct error error = {.text = ""};
    options.resume = true;
    calls = 0;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    assert_int_equal(calls, 0);
    trainer_restore_best(trainer);
    long kept = trainer_kept_epoch(trainer)->epoch;
    assert_int_equal(kept, expected_last.epoch - 4);
    assert_true(trainer_spaces(trainer)[PROGRAM_STATE][0] == (float)(8 * kept)); /* counts steps */
    trainer_free(trainer);
    options.callback_count = 2;
    assert_null(trainer_new(&options, &error));
    assert_non_null(strstr(error.text, "begun with other callbacks than these"));
}

static void epochs_can_be_added(void **state) {
    struct trainer_options options = default_options();
    float expected[31], got[31];
    struct history_epoch last;
    struct error error = {.text = ""};

    (void)state;
    options.directory = folder;
    run(options, 0, expected, &last);
    options.epochs = 2;
    run(options, 0, got, &last);
    options.epochs = 3;
    options.resume = true;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    assert_memory_equal(trainer_spaces(trainer)[PROGRAM_TRAINABLE], expected, 15 * sizeof(float));
    assert_int_equal(trainer_history(trainer)->count, 3);
    trainer_free(trainer);
}

/* A run that was killed between the checkpoint of its last epoch and the history of it. */
static void resuming_renews_the_history(void **state) {
    struct trainer_options options = default_options();
    float spaces[31];
    struct history_epoch last;
    struct error error = {.text = ""};
    char path[300];

    (void)state;
    options.directory = folder;
    run(options, 0, spaces, &last);
    snprintf(path, sizeof path, "%s/history.json", folder);
    assert_int_equal(unlink(path), 0);
    options.resume = true;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    trainer_free(trainer);
    assert_true(files_exist(path));
}

/* A negative rate unlearns: the validation gets worse again. */
static double turning_rate(void *context, long step) {
    (void)context;
    return step < 16 ? 0.3 : -0.3;
}

static void the_best_weights_are_kept(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};
    struct program_memory memory;
    char path[200];

    (void)state;
    options.directory = folder;
    options.split.fraction = 0.25;
    options.epochs = 4;
    options.learning_rate = turning_rate;
    options.best_by = BEST_LOSS;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    const struct history *history = trainer_history(trainer);
    int best = 0;
    for (int i = 1; i < 4; i++)
        if (history->epochs[i].validation_loss < history->epochs[best].validation_loss) best = i;
    assert_true(best > 0 && best < 3); /* else the test shows little */
    trainer_restore_best(trainer);
    assert_true(trainer_spaces(trainer)[PROGRAM_STATE][0] == 8 * (best + 1)); /* counts steps */
    snprintf(path, sizeof path, "%s/best.safetensors", folder);
    assert_true(program_memory_new(&softmax_program, &memory, &error));
    assert_true(weights_load(path, &softmax_program, memory.space, &error));
    assert_memory_equal(memory.space[PROGRAM_TRAINABLE], trainer_spaces(trainer)[PROGRAM_TRAINABLE],
                        15 * sizeof(float));
    program_memory_free(&memory);
    trainer_free(trainer);
}

static void a_loss_that_is_not_finite_stops(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};

    (void)state;
    poisoned_step = 13;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FAILED);
    assert_string_equal(error.text, "the loss is no longer a finite number (step 13, epoch 2, "
                                    "learning rate 0.0892857); a smaller learning rate usually "
                                    "helps");
    trainer_free(trainer);
}

static void wrong_input_is_told(void **state) {
    struct trainer_options options = default_options();
    struct dataset other = data;
    struct error error = {.text = ""};

    (void)state;
    other.labels = NULL;
    options.data = &other;
    assert_null(trainer_new(&options, &error));
    assert_string_equal(error.text, "the training data have no labels");

    options = default_options();
    options.resume = true;
    assert_null(trainer_new(&options, &error));
    assert_string_equal(error.text, "resuming needs the directory that the run was saved to");
    options.directory = "/nowhere/at/all";
    assert_null(trainer_new(&options, &error));
    assert_string_equal(error.text, "/nowhere/at/all/last.safetensors: no such checkpoint; without "
                                    "--resume training starts anew");
}

static void other_data_cannot_be_resumed(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};
    int other_labels[SAMPLES];
    struct dataset other = data;

    (void)state;
    options.directory = folder;
    options.epochs = 1;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    trainer_free(trainer);
    memcpy(other_labels, labels, sizeof labels);
    other_labels[50] = (other_labels[50] + 1) % CLASSES;
    other.labels = other_labels;
    options.data = &other;
    options.resume = true;
    assert_null(trainer_new(&options, &error));
    assert_non_null(strstr(error.text, "/last.safetensors: was trained on other data than these"));
}

static void a_signal_sets_the_flag(void **state) {
    (void)state;
    interrupt_catch();
    assert_false(interrupt_requested());
    raise(SIGINT);
    assert_true(interrupt_requested());
    interrupt_catch();
    assert_false(interrupt_requested());
    raise(SIGTERM);
    assert_true(interrupt_requested());
    interrupt_release();
}

static void history_files_hold_the_figures(void **state) {
    struct history history = {.has_accuracy = true, .has_validation = false};
    struct history_epoch epoch = {.epoch = 1,
                                  .step = 11,
                                  .loss = 0.1,
                                  .accuracy = 0.75,
                                  .learning_rate = 1e-3,
                                  .seconds = 2,
                                  .samples_per_second = 50};
    struct error error = {.text = ""};
    char path[200];

    (void)state;
    assert_true(history_add(&history, &epoch, &error));
    epoch.epoch = 2;
    epoch.loss = 1.0 / 3;
    assert_true(history_add(&history, &epoch, &error));
    assert_true(history_save(&history, folder, &error));
    snprintf(path, sizeof path, "%s/history.csv", folder);
    char *text = files_read(path, NULL, &error);
    assert_non_null(text);
    assert_string_equal(text, "epoch,step,loss,accuracy,learning_rate,seconds,samples_per_second\n"
                              "1,11,0.1,0.75,0.001,2,50\n"
                              "2,11,0.3333333333333333,0.75,0.001,2,50\n");
    free(text);
    history_free(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_epoch_sees_every_sample_once, reset),
        cmocka_unit_test_setup(loss_is_the_mean_over_samples, reset),
        cmocka_unit_test_setup(validation_samples_are_not_trained, reset),
        cmocka_unit_test_setup(resuming_gives_the_same_bits, reset),
        cmocka_unit_test_setup(callbacks_go_on_after_a_resume, reset),
        cmocka_unit_test_setup(epochs_can_be_added, reset),
        cmocka_unit_test_setup(resuming_renews_the_history, reset),
        cmocka_unit_test_setup(the_best_weights_are_kept, reset),
        cmocka_unit_test_setup(a_loss_that_is_not_finite_stops, reset),
        cmocka_unit_test_setup(wrong_input_is_told, reset),
        cmocka_unit_test_setup(other_data_cannot_be_resumed, reset),
        cmocka_unit_test_setup(a_signal_sets_the_flag, reset),
        cmocka_unit_test_setup(history_files_hold_the_figures, reset),
    };
    return cmocka_run_group_tests(tests, make_data, remove_data);
}
