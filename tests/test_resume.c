/* test_resume.c: a run that was stopped and goes on. */
#include "tests/softmax_program.h"

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

/* Keeps a directory; 78 samples: 8 steps an epoch. */
static struct trainer_options validated_options(void) {
    struct trainer_options options = default_options();
    options.directory = folder;
    options.split.fraction = 0.25;
    return options;
}

static void resuming_gives_the_same_bits(void **state) {
    /* Within the first epoch, at an epoch's end, just behind it, in the last epoch. */
    static const int stops[] = {1, 5, 7, 8, 9, 16, 23};
    struct trainer_options options = validated_options();
    float expected[31], got[31];
    struct history_epoch expected_last, last;

    (void)state;
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
    struct trainer_options options = validated_options();
    float expected[31], got[31];
    struct history_epoch expected_last, last;

    (void)state;
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

/* The memory of one optimizer means nothing to another. */
static void another_recipe_cannot_be_resumed(void **state) {
    struct trainer_options options = default_options();
    struct error error = {.text = ""};

    (void)state;
    options.directory = folder;
    options.epochs = 1;
    options.recipe = "optimizer: rmsprop {\"rho\":0.9}\nloss: mse";
    struct trainer *trainer = start(&options);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    trainer_free(trainer);
    options.resume = true;
    trainer_free(start(&options));
    options.recipe = "optimizer: sgd\nloss: mse";
    assert_null(trainer_new(&options, &error));
    assert_non_null(strstr(error.text,
                           "/last.safetensors: is of a training with optimizer: rmsprop "
                           "{\"rho\":0.9}, but this one has optimizer: sgd; a resumed run needs "
                           "the same; without --resume training starts anew"));
    options.recipe = "optimizer: rmsprop {\"rho\":0.9}\nloss: mae";
    assert_null(trainer_new(&options, &error));
    assert_non_null(strstr(error.text, "with loss: mse, but this one has loss: mae;"));
    options.recipe = NULL; /* as a checkpoint of before recipes: not checked */
    trainer_free(start(&options));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(resuming_gives_the_same_bits, reset),
        cmocka_unit_test_setup(callbacks_go_on_after_a_resume, reset),
        cmocka_unit_test_setup(epochs_can_be_added, reset),
        cmocka_unit_test_setup(resuming_renews_the_history, reset),
        cmocka_unit_test_setup(other_data_cannot_be_resumed, reset),
        cmocka_unit_test_setup(another_recipe_cannot_be_resumed, reset),
    };
    return cmocka_run_group_tests(tests, make_data, remove_data);
}
