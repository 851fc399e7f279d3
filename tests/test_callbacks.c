/* test_callbacks.c: early stopping, plateaus, saved weights and logs, fed with made-up epochs. The
 * rules of Keras 3 (keras/src/callbacks) are written out again here, in its terms. */
#include "runtime/callbacks.h"
#include "runtime/files.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { EPOCHS = 24, SEEDS = 300 };

static char folder[] = "/tmp/lathe_callbacks_XXXXXX";
static struct error error;

/* A curve that falls, stalls and jumps; a few values repeat exactly. */
static void make_curve(unsigned seed, double curve[EPOCHS]) {
    for (int i = 0; i < EPOCHS; i++) {
        seed = seed * 1103515245u + 12345u;
        curve[i] = 1 / (1 + 0.1 * i) + (double)((seed >> 16) % 16) / 32;
        if (i > 0 && (seed >> 24) % 5 == 0) curve[i] = curve[i - 1];
    }
}

/* --- a run of made-up epochs --- */

struct run {
    struct history history;
    struct callbacks *callbacks;
    long stopped; /* the epoch (from 1) that asked for the end; 0: none did */
    long kept;    /* the epoch whose weights are to be restored; 0: none */
    double rate[EPOCHS];
};

static void begin(struct run *run, const struct callback_options *options, int count) {
    *run = (struct run){.history = {.has_accuracy = true, .has_validation = true}};
    if (!callbacks_new(options, count, true, true, folder, &run->callbacks, &error))
        fail_msg("%s", error.text);
}

static void end(struct run *run) {
    callbacks_free(run->callbacks);
    history_free(&run->history);
}

/* One epoch with these figures; the scheduled learning rate is 0.1. */
static void step(struct run *run, double value) {
    long epoch = run->history.count + 1;
    struct history_epoch figures = {.epoch = epoch,
                                    .step = 10 * epoch,
                                    .loss = 2 * value,
                                    .accuracy = 1 - value,
                                    .validation_loss = value,
                                    .validation_accuracy = 1 - value / 2,
                                    .learning_rate = callbacks_learning_rate(run->callbacks, 0.1)};
    struct callback_epoch ended = {.history = &run->history};
    run->rate[epoch - 1] = figures.learning_rate;
    assert_true(history_add(&run->history, &figures, &error));
    if (!callbacks_epoch_end(run->callbacks, &ended, &error)) fail_msg("%s", error.text);
    if (ended.keep) run->kept = epoch;
    if (ended.stop) run->stopped = epoch;
}

/* --- Keras's early stopping --- */

struct keras_stopping {
    long patience, start_from_epoch;
    double min_delta;
    bool has_baseline;
    double baseline;
    /* state */
    double best;
    long wait, best_epoch, stopped_epoch; /* from 0; -1: none */
};

static void keras_stopping_epoch(struct keras_stopping *k, long epoch, double current) {
    if (epoch < k->start_from_epoch) return;
    if (k->best_epoch < 0) k->best_epoch = epoch;
    k->wait += 1;
    if (current + k->min_delta < k->best) {
        k->best = current;
        k->best_epoch = epoch;
        if (!k->has_baseline || current + k->min_delta < k->baseline) k->wait = 0;
        return;
    }
    if (k->wait >= k->patience && epoch > 0) k->stopped_epoch = epoch;
}

static void early_stopping_is_keras(void **state) {
    int stops = 0;

    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct keras_stopping k = {.patience = seed % 5,
                                   .start_from_epoch = seed % 3 == 0 ? seed % 4 : 0,
                                   .min_delta = seed % 2 ? 0.05 : 0,
                                   .has_baseline = seed % 7 == 0,
                                   .baseline = 0.6,
                                   .best = INFINITY,
                                   .best_epoch = -1,
                                   .stopped_epoch = -1};
        struct callback_options options = {.kind = CALLBACK_EARLY_STOPPING,
                                           .monitor = {METRIC_VAL_LOSS, MONITOR_AUTO, k.min_delta},
                                           .patience = k.patience,
                                           .start_from_epoch = k.start_from_epoch,
                                           .has_threshold = k.has_baseline,
                                           .threshold = k.baseline,
                                           .restore_best_weights = true};
        double curve[EPOCHS];
        struct run run;
        make_curve(seed, curve);
        begin(&run, &options, 1);
        for (long epoch = 0; epoch < EPOCHS && k.stopped_epoch < 0; epoch++) {
            keras_stopping_epoch(&k, epoch, curve[epoch]);
            step(&run, curve[epoch]);
            assert_int_equal(run.stopped, k.stopped_epoch + 1);
            if (k.best_epoch >= 0) assert_int_equal(run.kept, k.best_epoch + 1);
        }
        stops += run.stopped > 1;
        end(&run);
    }
    assert_in_range(stops, SEEDS / 4, SEEDS); /* else the test shows little */
}

/* --- Keras's plateaus --- */

struct keras_plateau {
    double factor, min_delta, min_lr;
    long patience, cooldown;
    double best, lr;
    long wait, cooldown_counter;
};

static void keras_plateau_epoch(struct keras_plateau *k, double current) {
    if (k->cooldown_counter > 0) {
        k->cooldown_counter -= 1;
        k->wait = 0;
    }
    if (current > k->best + k->min_delta) { /* mode "max" */
        k->best = current;
        k->wait = 0;
    } else if (k->cooldown_counter <= 0) {
        k->wait += 1;
        if (k->wait >= k->patience && k->lr > k->min_lr) {
            k->lr = fmax(k->lr * k->factor, k->min_lr);
            k->cooldown_counter = k->cooldown;
            k->wait = 0;
        }
    }
}

static void plateaus_are_keras(void **state) {
    int reductions = 0;

    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct keras_plateau k = {.factor = seed % 2 ? 0.5 : 0.1,
                                  .min_delta = seed % 3 ? 1e-4 : 0.02,
                                  .min_lr = seed % 5 ? 0 : 0.02,
                                  .patience = 1 + seed % 4,
                                  .cooldown = seed % 3,
                                  .best = -INFINITY,
                                  .lr = 0.1};
        struct callback_options options = {
            .kind = CALLBACK_REDUCE_LR_ON_PLATEAU,
            .monitor = {METRIC_VAL_ACCURACY, MONITOR_AUTO, k.min_delta},
            .patience = k.patience,
            .cooldown = k.cooldown,
            .factor = k.factor,
            .min_lr = k.min_lr};
        double curve[EPOCHS];
        struct run run;
        make_curve(seed, curve);
        begin(&run, &options, 1);
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
            double before = k.lr;
            step(&run, curve[epoch]);
            assert_true(fabs(run.rate[epoch] - before) <= 1e-15 * before);
            keras_plateau_epoch(&k, 1 - curve[epoch] / 2);
            reductions += k.lr < before;
        }
        end(&run);
    }
    assert_true(reductions > SEEDS);
}

/* What is saved and taken back decides as what went on. */
static void restored_callbacks_decide_the_same(void **state) {
    const struct callback_options options[] = {{.kind = CALLBACK_REDUCE_LR_ON_PLATEAU,
                                                .monitor = {METRIC_VAL_LOSS, MONITOR_AUTO, 1e-4},
                                                .patience = 2,
                                                .cooldown = 1,
                                                .factor = 0.5},
                                               {.kind = CALLBACK_EARLY_STOPPING,
                                                .monitor = {METRIC_LOSS, MONITOR_MIN, 0},
                                                .patience = 7,
                                                .restore_best_weights = true}};
    double curve[EPOCHS], saved[10];

    (void)state;
    make_curve(5, curve);
    for (int stop = 1; stop < EPOCHS; stop++) {
        struct run whole, parts;
        begin(&whole, options, 2);
        begin(&parts, options, 2);
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
            if (epoch == stop) {
                assert_int_equal(callbacks_state_size(parts.callbacks), 10);
                callbacks_save(parts.callbacks, saved);
                callbacks_free(parts.callbacks);
                assert_true(
                    callbacks_new(options, 2, true, true, folder, &parts.callbacks, &error));
                assert_true(callbacks_restore(parts.callbacks, saved, 10, 10 * stop, &error));
            }
            step(&whole, curve[epoch]);
            step(&parts, curve[epoch]);
            assert_true(whole.stopped == parts.stopped && whole.kept == parts.kept);
            assert_true(whole.rate[epoch] == parts.rate[epoch]);
        }
        assert_false(callbacks_restore(parts.callbacks, saved, 5, 10, &error));
        assert_non_null(strstr(error.text, "begun with other callbacks than these"));
        end(&whole);
        end(&parts);
    }
}

/* --- messages --- */

static void missing_figures_are_told(void **state) {
    struct callback_options options = {.kind = CALLBACK_EARLY_STOPPING,
                                       .file = "m.lua",
                                       .line = 7,
                                       .monitor = {.metric = METRIC_VAL_ACCURACY}};
    struct callbacks *callbacks;

    (void)state;
    assert_false(callbacks_new(&options, 1, false, true, NULL, &callbacks, &error));
    assert_string_equal(error.text, "m.lua:7: early_stopping: it monitors val_accuracy, but no "
                                    "validation data are set aside; give validation_split = 0.1, "
                                    "or monitor = \"accuracy\"");
    callbacks_free(callbacks);
    assert_false(callbacks_new(&options, 1, true, false, NULL, &callbacks, &error));
    assert_string_equal(error.text, "m.lua:7: early_stopping: it monitors val_accuracy, but the "
                                    "model has no accuracy; give metrics = { \"accuracy\" }, or "
                                    "monitor = \"val_loss\"");
    callbacks_free(callbacks);
    options = (struct callback_options){
        .kind = CALLBACK_CSV_LOGGER, .file = "m.lua", .line = 8, .path = "a.csv"};
    assert_false(callbacks_new(&options, 1, true, true, NULL, &callbacks, &error));
    assert_string_equal(error.text,
                        "m.lua:8: csv_logger: it writes \"a.csv\" into the directory of "
                        "the run; give --save DIR");
    callbacks_free(callbacks);
}

/* --- files --- */

static void paths_hold_figures(void **state) {
    static const struct {
        const char *pattern, *path;
    } cases[] = {
        {"best.safetensors", "best.safetensors"},
        {"{epoch:02d}-{val_loss:.3f}.safetensors", "07-0.123.safetensors"},
        {"e{epoch}/{val_accuracy:.1f}{loss:.0f}{accuracy}", "e7/0.530.250000"},
        {"{epoch:4d}", "   7"},
        {"{", NULL},
        {"{epoch", NULL},
        {"{}", NULL},
        {"{epochs}", NULL},
        {"{epoch:.2f}", NULL},
        {"{loss:2d}", NULL},
        {"{loss:.2g}", NULL},
        {"{epoch:%n}", NULL},
        {"{epoch:02dd}", NULL},
        {"{loss:.999999999999999999999999999999999999999999f}", NULL},
        {"{epoch:99d}{epoch:99d}", NULL}, /* too long */
    };
    const struct history_epoch epoch = {.epoch = 7,
                                        .loss = 3.4,
                                        .accuracy = 0.25,
                                        .validation_loss = 0.1234,
                                        .validation_accuracy = 0.52};
    char path[100];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool good = model_checkpoint_path(cases[i].pattern, &epoch, path, sizeof path);
        if (good != (cases[i].path != NULL)) fail_msg("%s", cases[i].pattern);
        if (good) assert_string_equal(path, cases[i].path);
    }
}

static bool exists(const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return files_exist(path);
}

static void weights_and_rows_are_written(void **state) {
    static float weights[3] = {1, 2, 3};
    static float *const space[PROGRAM_SPACES] = {weights, weights, weights};
    static const struct program_variable variable = {
        "dense/kernel", PROGRAM_TRAINABLE, 0, 3, 1, {3}, PROGRAM_ZEROS, 0};
    static const struct program program = {
        .name = "m", .space_size = {3, 0, 0}, .variables = &variable, .variable_count = 1};
    const struct callback_options options[] = {
        {.kind = CALLBACK_MODEL_CHECKPOINT, .path = "all/{epoch}.safetensors"},
        {.kind = CALLBACK_MODEL_CHECKPOINT,
         .path = "best_{epoch}.safetensors",
         .monitor = {METRIC_VAL_LOSS, MONITOR_AUTO, 0},
         .save_best_only = true,
         .has_threshold = true,
         .threshold = 0.9},
        {.kind = CALLBACK_CSV_LOGGER, .path = "log.csv", .separator = ';'}};
    static const double losses[] = {1, 0.5, 0.75, 0.25};
    static const bool is_best[] = {false, true, false, true};
    struct history history = {.has_accuracy = true, .has_validation = true};
    struct callbacks *callbacks;
    char name[64], path[200];

    (void)state;
    assert_true(callbacks_new(options, 3, true, true, folder, &callbacks, &error));
    for (int i = 0; i < 4; i++) {
        struct history_epoch epoch = {.epoch = i + 1,
                                      .loss = 2,
                                      .accuracy = 0.5,
                                      .validation_loss = losses[i],
                                      .validation_accuracy = 0.125,
                                      .learning_rate = 0.25};
        struct callback_epoch ended = {.history = &history, .program = &program, .space = space};
        assert_true(history_add(&history, &epoch, &error));
        if (!callbacks_epoch_end(callbacks, &ended, &error)) fail_msg("%s", error.text);
        snprintf(name, sizeof name, "all/%d.safetensors", i + 1);
        assert_true(exists(name));
        snprintf(name, sizeof name, "best_%d.safetensors", i + 1);
        assert_int_equal(exists(name), is_best[i]);
    }
    snprintf(path, sizeof path, "%s/log.csv", folder);
    char *text = files_read(path, NULL, &error);
    assert_non_null(text);
    assert_string_equal(text, "epoch;accuracy;learning_rate;loss;val_accuracy;val_loss\n"
                              "0;0.5;0.25;2;0.125;1\n1;0.5;0.25;2;0.125;0.5\n"
                              "2;0.5;0.25;2;0.125;0.75\n3;0.5;0.25;2;0.125;0.25\n");
    free(text);
    callbacks_free(callbacks);
    history_free(&history);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_stopping_is_keras),
        cmocka_unit_test(plateaus_are_keras),
        cmocka_unit_test(restored_callbacks_decide_the_same),
        cmocka_unit_test(missing_figures_are_told),
        cmocka_unit_test(paths_hold_figures),
        cmocka_unit_test(weights_and_rows_are_written),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
