/* test_train_command.c: the folder of a run: what may go on in it, and who may. */
#include "tests/command_run.h"

static char model[256];

/* A model whose activation and training table's entries are given. */
static void write_model(const char *activation, const char *training) {
    char text[1000];
    int length = snprintf(text, sizeof text,
                          "return model \"tiny\" { input { 8, 8, 1 }, flatten {},\n"
                          "  dense { 5, activation = %s }, dense { 3, activation = \"softmax\" },\n"
                          "  training = { loss = \"sparse_categorical_crossentropy\",\n"
                          "               batch_size = 100, %s } }\n",
                          activation, training);
    write_file(model, text, (size_t)length);
}

static int make_files(void **state) {
    (void)state;
    if (make_data() != 0) return -1;
    snprintf(model, sizeof model, "%s/tiny.lua", folder);
    return 0;
}

#define TRAIN(directory, ...)                                                                 \
    RUN("train", model, "--data", data_folder, "--backend", "tcc", "--no-plots", "--no-test", \
        "--quiet", "--save", path_in(folder, directory), ##__VA_ARGS__)

static void a_resumed_run_needs_the_same_recipe(void **state) {
    static const struct {
        const char *activation, *training, *message;
    } cases[] = {
        {"\"relu\"", "optimizer = sgd { 0.01, momentum = 0.9 }",
         "is of a training with optimizer: rmsprop {\"rho\":0.9,\"momentum\":0,"
         "\"epsilon\":1e-07,\"centered\":false}, but this one has optimizer: sgd "
         "{\"momentum\":0.9,\"nesterov\":false}; a resumed run needs the same"},
        {"\"relu\"", "optimizer = rmsprop { function(step) return 0.1 / (1 + step) end }",
         "with learning rate: 0.001, but this one has learning rate: 0.1 / (1 + step);"},
        {"\"relu\"", "optimizer = \"rmsprop\", metrics = {}",
         "with metrics: accuracy, but this one has metrics: none;"},
        {"\"relu\"", "optimizer = \"rmsprop\", validation_split = 0.5",
         "with validation: split 0, but this one has validation: split 0.5, stratified;"},
        {"\"relu\"", "optimizer = \"rmsprop\", augmentation = { height_shift_range = 1 }",
         "with augmentation: none, but this one has augmentation: {"},
        {"\"tanh\"", "optimizer = \"rmsprop\"",
         "with layer dense: dense relu {\"units\":5,\"use_bias\":true} of flatten, but this one "
         "has layer dense: dense tanh {"},
        {"function(x) return x * 2 end", "optimizer = \"rmsprop\"",
         "but this one has layer dense: dense x0 * 2 {"},
    };

    (void)state;
    write_model("\"relu\"", "optimizer = \"rmsprop\"");
    assert_int_equal(TRAIN("recipe", "--epochs", "1"), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_model(cases[i].activation, cases[i].training);
        assert_int_equal(TRAIN("recipe", "--resume", "--epochs", "2"), 2);
        if (!strstr(errors, cases[i].message)) fail_msg("%s\nnot in %s", cases[i].message, errors);
    }
    write_model("\"relu\"", "optimizer = \"rmsprop\"");
    assert_int_equal(TRAIN("recipe", "--resume", "--epochs", "2"), 0);
}

/* What a resumed run cannot do is told, not passed over. */
static void a_resumed_run_keeps_its_seed_and_epochs(void **state) {
    char expected[700];

    (void)state;
    write_model("\"relu\"", "optimizer = \"adam\"");
    assert_int_equal(TRAIN("kept", "--epochs", "3", "--seed", "7"), 0);
    assert_int_equal(TRAIN("kept", "--epochs", "4", "--seed", "8", "--resume"), 2);
    snprintf(expected, sizeof expected,
             "lathe train: --seed 8: the run in %s was begun with seed 7, which a resumed run "
             "keeps; leave --seed out\n",
             path_in(folder, "kept"));
    assert_string_equal(errors, expected);
    assert_int_equal(TRAIN("kept", "--epochs", "2", "--resume"), 2);
    snprintf(expected, sizeof expected,
             "%s: has begun 3 epochs already, more than 2; a resumed run needs as many at least\n",
             path_in(folder, "kept/last.safetensors"));
    assert_string_equal(errors, expected);
    assert_int_equal(TRAIN("kept", "--epochs", "3", "--seed", "7", "--resume"), 0);
    assert_int_equal(TRAIN("kept", "--epochs", "4", "--resume"), 0);
}

/* A folder belongs to one training at a time; one that was killed has it no longer. */
static void two_runs_do_not_share_a_folder(void **state) {
    struct child child;
    char *run = path_in(folder, "shared");
    char *words[] = {"train",  model, "--data",   data_folder, "--backend",  "tcc",
                     "--save", run,   "--epochs", "1000000",   "--no-plots", NULL};

    (void)state;
    write_model("\"relu\"", "optimizer = \"adam\"");
    start(&child, words);
    collect(&child, "epoch       3/");
    assert_int_equal(kill(child.pid, SIGSTOP), 0);
    char *before = files_read(path_in(run, "last.safetensors"), NULL, NULL);
    struct child second;
    char expected[700];
    snprintf(expected, sizeof expected,
             "%s: another process is training into this folder; --save another one\n", run);
    start(&second, words);
    assert_int_equal(finish(&second), 2);
    assert_string_equal(errors, expected);
    char *after = files_read(path_in(run, "last.safetensors"), NULL, NULL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    kill(child.pid, SIGKILL);
    assert_int_equal(finish(&child), 128 + SIGKILL);
    assert_int_equal(TRAIN("shared", "--epochs", "1"), 0);
}

/* A fold's folder is one of a training, too. */
static void a_fold_does_not_share_its_folder(void **state) {
    struct child child;
    char *words[] = {"train",    model,     "--data",     data_folder, "--backend",
                     "tcc",      "--folds", "2",          "--save",    path_in(folder, "fo"),
                     "--epochs", "1000000", "--no-plots", NULL};
    char expected[700];

    (void)state;
    write_model("\"relu\"", "optimizer = \"adam\"");
    start(&child, words);
    collect(&child, "epoch       3/");
    assert_int_equal(TRAIN("fo/fold_1", "--epochs", "1"), 2);
    snprintf(expected, sizeof expected,
             "%s: another process is training into this folder; --save another one\n",
             path_in(folder, "fo/fold_1"));
    assert_string_equal(errors, expected);
    kill(child.pid, SIGKILL);
    assert_int_equal(finish(&child), 128 + SIGKILL);
}

static void what_a_killed_run_has_left_is_removed(void **state) {
    static const char *const left[] = {"best.safetensors.lathe-C95RMU", "history.csv.lathe-6l4NP5",
                                       "model/tiny.lua.lathe-aaaaaa", "logs/a[1].csv.lathe-bbbbbb",
                                       "01-0.5.safetensors.lathe-cccccc"};
    static const char *const others[] = {"best.safetensors.backup", "notes.txt.lathe-C95RMU",
                                         "best.safetensors.lathe-C95RM",
                                         "03.safetensors.lathe-abcdef"};

    (void)state;
    write_model("\"relu\"", "optimizer = \"adam\"");
    assert_true(files_make_folder(path_in(folder, "left/logs"), NULL));
    assert_true(files_make_folder(path_in(folder, "left/model"), NULL));
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        write_file(path_in(path_in(folder, "left"), left[i]), "x", 1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        write_file(path_in(path_in(folder, "left"), others[i]), "x", 1);
    assert_int_equal(TRAIN("left", "--epochs", "1", "--callbacks",
                           "csv_logger { \"logs/a[1].csv\" }, model_checkpoint { "
                           "\"{epoch:02d}-{loss:.1f}.safetensors\", monitor = \"loss\" }"),
                     0);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (files_exist(path_in(path_in(folder, "left"), left[i]))) fail_msg("%s", left[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!files_exist(path_in(path_in(folder, "left"), others[i]))) fail_msg("%s", others[i]);
}

/* Where a callback cannot write, that is told before the training. */
static void callbacks_can_write_where_they_are_to(void **state) {
    char expected[700];

    (void)state;
    write_model("\"relu\"", "optimizer = \"adam\"");
    assert_int_equal(TRAIN("logs", "--epochs", "1", "--callbacks", "csv_logger { \"a/b/x.csv\" }"),
                     0);
    assert_true(files_exist(path_in(folder, "logs/a/b/x.csv")));
    assert_int_equal(TRAIN("logs", "--callbacks", "csv_logger { \"a/b\" }"), 2);
    snprintf(expected, sizeof expected,
             "--callbacks:1: csv_logger: %s: cannot write: it is a folder\n",
             path_in(folder, "logs/a/b"));
    assert_string_equal(errors, expected);
    assert_int_equal(TRAIN("logs", "--callbacks", "tensorboard { \"a/b/x.csv\" }"), 2);
    assert_non_null(strstr(errors, "--callbacks:1: tensorboard: "));
    assert_non_null(strstr(errors, "/logs/a/b/x.csv: cannot make the folder: "));
    assert_int_equal(TRAIN("logs", "--callbacks", "csv_logger { \"model\" }"), 2);
    assert_non_null(strstr(errors, "\"model\" is a name that the run itself keeps"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_run_needs_the_same_recipe),
        cmocka_unit_test(a_resumed_run_keeps_its_seed_and_epochs),
        cmocka_unit_test(two_runs_do_not_share_a_folder),
        cmocka_unit_test(a_fold_does_not_share_its_folder),
        cmocka_unit_test(callbacks_can_write_where_they_are_to),
        cmocka_unit_test(what_a_killed_run_has_left_is_removed),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
