/* test_trainer.c: the training loop. */
#include "tests/softmax_program.h"

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

static double endless_rate(void *context, long step) {
    (void)context;
    return step < 2 ? 0.1 : INFINITY;
}

static void a_learning_rate_that_is_none_stops(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};

    (void)state;
    options.learning_rate = endless_rate;
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FAILED);
    assert_string_equal(error.text, "the learning rate is inf in step 3 (epoch 1); it must be a "
                                    "finite number");
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
        cmocka_unit_test_setup(the_best_weights_are_kept, reset),
        cmocka_unit_test_setup(a_loss_that_is_not_finite_stops, reset),
        cmocka_unit_test_setup(a_learning_rate_that_is_none_stops, reset),
        cmocka_unit_test_setup(wrong_input_is_told, reset),
        cmocka_unit_test_setup(a_signal_sets_the_flag, reset),
        cmocka_unit_test_setup(history_files_hold_the_figures, reset),
    };
    return cmocka_run_group_tests(tests, make_data, remove_data);
}
