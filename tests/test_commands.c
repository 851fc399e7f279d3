/* test_commands.c: the executable as its users see it: texts, statuses, files. */
#include "tests/command_run.h"
#include "runtime/safetensors.h"

#include <float.h>
#include <math.h>

static char model[256], plain_model[256], save[256];

static const char model_text[] =
    "return model \"tiny\" {\n"
    "  input { 8, 8, 1 },\n"
    "  conv2d { 4, kernel_size = 3, activation = \"relu\" },\n"
    "  max_pool2d { 2 },\n"
    "  flatten {},\n"
    "  dropout { 0.1 },\n"
    "  dense { 3, activation = \"softmax\" },\n"
    "  training = { loss = \"sparse_categorical_crossentropy\", batch_size = 32, epochs = 6,\n"
    "               optimizer = adam { learning_rate = 0.01 } },\n"
    "}\n";
static const char plain_text[] =
    "return model \"plain\" { input { 8, 8, 1 }, flatten {}, dense { 3 } }\n";

static int make_files(void **state) {
    (void)state;
    if (make_data() != 0) return -1;
    snprintf(model, sizeof model, "%s/tiny.lua", folder);
    snprintf(plain_model, sizeof plain_model, "%s/plain.lua", folder);
    snprintf(save, sizeof save, "%s/run", folder);
    write_file(model, model_text, sizeof model_text - 1);
    write_file(plain_model, plain_text, sizeof plain_text - 1);
    return 0;
}

/* --- the tests --- */

static void help_and_version(void **state) {
    static char *const names[] = {"summary", "train", "evaluate", "predict", "emit", "bench"};

    (void)state;
    assert_int_equal(RUN("--help"), 0);
    assert_non_null(strstr(output, "usage: lathe COMMAND MODEL.lua [options]\n"));
    assert_int_equal(RUN("--version"), 0);
    assert_int_equal(strncmp(output, "lathe ", 6), 0);
    for (int i = 0; i < 6; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "usage: lathe %s MODEL.lua", names[i]);
        assert_int_equal(RUN(names[i], "--help"), 0);
        assert_int_equal(strncmp(output, usage, strlen(usage)), 0);
        assert_string_equal(errors, "");
    }
}

static void other_commands_have_help(void **state) {
    static const struct {
        char *name, *usage;
    } cases[] = {{"sweep", "usage: lathe sweep FILE.lua --data NAME|DIR [options]\n"},
                 {"report", "usage: lathe report RUN [options]\n"},
                 {"compare", "usage: lathe compare RUN... [options]\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(RUN(cases[i].name, "--help"), 0);
        assert_int_equal(strncmp(output, cases[i].usage, strlen(cases[i].usage)), 0);
        assert_non_null(strstr(output, "--json"));
    }
}

static void wrong_input_exits_with_2(void **state) {
    (void)state;
    assert_int_equal(RUN("trian", model), 2);
    assert_string_equal(errors, "lathe: unknown command \"trian\"; did you mean \"train\"?\n");
    assert_int_equal(RUN("train", model, "--epoch", "5"), 2);
    assert_string_equal(errors,
                        "lathe train: unknown option \"--epoch\"; did you mean \"--epochs\"?\n");
    assert_int_equal(RUN("train", model, "--data", "/nowhere"), 2);
    assert_non_null(strstr(errors, "data set \"/nowhere\" not found"));
    setenv("LATHE_DATA", folder, 1);
    assert_int_equal(RUN("train", model), 2);
    unsetenv("LATHE_DATA");
    assert_non_null(strstr(errors, "lathe train: --data is missing: a folder of IDX files, or a "
                                   "name; available here: data"));
    assert_int_equal(RUN("train", plain_model, "--data", data_folder), 2);
    assert_non_null(strstr(errors, "plain.lua:1: model \"plain\": has no training table, which "
                                   "training needs; add "));
    assert_int_equal(RUN("train", model, "--data", data_folder, "--resume"), 2);
    assert_string_equal(errors,
                        "lathe train: --resume needs --save DIR, the directory of the run\n");
    assert_int_equal(RUN("train", model, "--data", data_folder, "--folds", "1"), 2);
    assert_string_equal(errors,
                        "lathe train: --folds 1: cross-validation needs at least 2 folds\n");
    assert_int_equal(RUN("train", model, "--data", data_folder, "--folds", "601"), 2);
    assert_string_equal(errors, "lathe: 601 folds; cross-validation needs 2 to 600, the number of "
                                "samples\n");
    assert_int_equal(RUN("train", model, "--data", data_folder, "--stratified", "no"), 2);
    assert_string_equal(errors, "lathe train: --stratified no: expected one of false|true\n");
    assert_int_equal(
        RUN("train", model, "--data", data_folder, "--callbacks", "early_stoping { patience = 5 }"),
        2);
    assert_non_null(strstr(errors, "--callbacks:1: unknown name early_stoping; did you mean "
                                   "early_stopping?"));
    assert_int_equal(RUN("train", model, "--data", data_folder, "--callbacks",
                         "early_stopping { patience = -5 }"),
                     2);
    assert_non_null(strstr(errors, "--callbacks:1: early_stopping: patience is -5; use a whole "
                                   "number of at least 0"));
    assert_int_equal(RUN("train", model, "--data", data_folder, "--callbacks", "csv_logger {}"), 2);
    assert_non_null(strstr(errors, "--callbacks:1: csv_logger: it writes \"training.csv\" into the "
                                   "directory of the run; give --save DIR"));
    assert_int_equal(RUN("train", model, "--data", data_folder, "--callbacks", "} os.exit() {"), 2);
    assert_int_equal(RUN("train", model, "--data", data_folder, "--target", "z80"), 2);
    assert_non_null(strstr(errors, "unknown target \"z80\"; there are: "));
    assert_int_equal(RUN("evaluate", model, "--data", data_folder), 2);
    assert_string_equal(errors,
                        "lathe evaluate: --weights FILE is missing: what `lathe train` saved\n");
    assert_int_equal(RUN("evaluate", model, "--data", data_folder, "--weights", "none", "--plot",
                         path_in(folder, "x.gif")),
                     2);
    assert_non_null(strstr(errors, "/x.gif: expected a file name that ends in .svg or .png\n"));
    assert_int_equal(RUN("emit", model), 2);
    assert_int_equal(RUN("predict", model), 2);
    assert_int_equal(RUN("summary", path_in(folder, "none.lua")), 2);
    assert_int_equal(RUN("summary", model, "--dump", "nothing_like_it"), 2);
    assert_string_equal(output, "");
}

static void summary_shows_layers(void **state) {
    (void)state;
    assert_int_equal(RUN("summary", model), 0);
    assert_non_null(strstr(output, "6 x 6 x 4"));
    assert_non_null(strstr(output, "151 parameters: 151 trainable, 0 not; 1,404 MACs"));
    assert_int_equal(RUN("summary", model, "--json"), 0);
    assert_true(number(output, "parameters") == 4 * 10 + 37 * 3);
    assert_true(number(output, "macs") == 36 * 36 + 36 * 3);
    assert_int_equal(RUN("summary", plain_model), 0); /* no training: no training memory */
    assert_null(strstr(output, "\ntraining"));
    assert_non_null(strstr(output, "\nprediction"));
}

static void training_ends_with_json(void **state) {
    (void)state;
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--json",
                         "--save", save, "--losses", path_in(folder, "losses.csv")),
                     0);
    assert_string_equal(errors, "");
    assert_ptr_equal(strchr(output, '\n') + 1, output + strlen(output)); /* one line */
    assert_true(number(output, "accuracy") > 0.95);
    assert_true(number(output, "loss") < 0.3);
    assert_true(number(output, "seconds") > 0);
    assert_true(number(output, "steps") == 6 * 19);
    char *losses = files_read(path_in(folder, "losses.csv"), NULL, NULL);
    int lines = 0;
    assert_non_null(losses);
    for (char *c = losses; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 1 + 6 * 19);
    free(losses);
    static const char *const made[] = {"last.safetensors",    "best.safetensors",
                                       "history.csv",         "history.json",
                                       "learning_curves.png", "confusion_matrix.png"};
    for (int i = 0; i < 6; i++) assert_true(files_exist(path_in(save, made[i])));
}

/* Units that a high rate has killed get no gradient, so that Adam's first moments decay: to 0, not
 * to numbers that many processors take a hundred times as long for. */
/* What a model file prints is not on standard output, which is for the command's own JSON. */
static void a_model_may_print(void **state) {
    char *printing = path_in(folder, "printing.lua");
    static const char text[] =
        "print(\"two\", 2, nil, dense { 1 })\n"
        "return model \"m\" { input { 8, 8, 1 }, flatten {}, dense { 3, activation = \"softmax\" "
        "},\n"
        "  training = { loss = \"sparse_categorical_crossentropy\", epochs = 1 } }\n";
    (void)state;
    write_file(printing, text, sizeof text - 1);
    assert_int_equal(RUN("summary", printing, "--json"), 0);
    assert_string_equal(errors, "two\t2\tnil\tthe layer dense\n");
    assert_true(number(output, "parameters") == 195);
    assert_int_equal(RUN("train", printing, "--data", data_folder, "--json"), 0);
    assert_string_equal(errors, "two\t2\tnil\tthe layer dense\n");
    assert_true(number(output, "parameters") == 195);
}

static void denormal_numbers_are_zeros(void **state) {
    static const char text[] =
        "return model \"dead_units\" {\n"
        "  input { 8, 8, 1 }, flatten {}, dense { 16, activation = \"relu\" },\n"
        "  dense { 3, activation = \"softmax\" },\n"
        "  training = { loss = \"sparse_categorical_crossentropy\", batch_size = 2, epochs = 8,\n"
        "               optimizer = adam { learning_rate = 1 } },\n"
        "}\n";
    char *path = path_in(folder, "dead_units.lua"), *directory = path_in(folder, "dead_units");
    static char *const threads[] = {"1", "2"};

    (void)state;
    write_file(path, text, sizeof text - 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(RUN("train", path, "--data", data_folder, "--backend", "tcc", "--save",
                             directory, "--no-plots", "--threads", threads[i]),
                         0);
        struct safetensors *file = safetensors_open(path_in(directory, "last.safetensors"), NULL);
        assert_non_null(file);
        int index = safetensors_find(file, "optimizer");
        assert_true(index >= 0);
        long count = safetensors_tensor(file, index).elements, zeros = 0, denormals = 0;
        float *moments = calloc((size_t)count, sizeof *moments);
        assert_non_null(moments);
        safetensors_copy(file, index, moments);
        for (long k = 0; k < count; k++) {
            zeros += moments[k] == 0;
            denormals += moments[k] != 0 && fabsf(moments[k]) < FLT_MIN;
        }
        free(moments);
        safetensors_close(file);
        assert_int_equal(denormals, 0);
        assert_true(zeros > count / 4);
    }
}

static double number_in(const char *json_line, const char *object, const char *name) {
    cJSON *json = cJSON_Parse(json_line);
    const cJSON *value = cJSON_GetObjectItem(cJSON_GetObjectItem(json, object), name);

    if (!cJSON_IsNumber(value)) fail_msg("no number \"%s.%s\" in %s", object, name, json_line);
    double found = value->valuedouble;
    cJSON_Delete(json);
    return found;
}

static void callbacks_of_the_command_line_run(void **state) {
    char *directory = path_in(folder, "stopped_early");

    (void)state;
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--epochs",
                         "90", "--validation-split", "0.2", "--save", directory, "--no-plots",
                         "--json", "--callbacks",
                         "early_stopping { patience = 2, min_delta = 0.01, "
                         "restore_best_weights = true }, csv_logger {}, tensorboard { "
                         "histogram_freq = 1 }"),
                     0);
    assert_true(number(output, "epochs") < 90);
    assert_true(number(output, "kept_epoch") == number(output, "epochs") - 2);
    double loss = number(output, "loss");
    assert_true(files_exist(path_in(directory, "training.csv")));
    assert_true(files_is_folder(path_in(directory, "logs/train")));
    assert_true(files_is_folder(path_in(directory, "logs/validation")));
    assert_int_equal(RUN("evaluate", model, "--data", data_folder, "--weights",
                         path_in(directory, "best.safetensors"), "--json"),
                     0);
    assert_true(number(output, "loss") == loss); /* tested with the weights that it restored */
}

/* The same changes of the images, whatever the number of threads and the backend. */
static void augmentation_has_the_same_bits(void **state) {
    static const char *const options[3][2] = {{"1", "tcc"}, {"2", "tcc"}, {"2", "cc"}};
    char path[512], text[sizeof model_text + 200];
    char *losses[3];

    (void)state;
    const char *rest = strstr(model_text, "batch_size");
    snprintf(path, sizeof path, "%s/augmented.lua", folder);
    snprintf(text, sizeof text,
             "%.*saugmentation = { width_shift_range = 1, rotation_range = 20, zoom_range = 0.1,"
             " horizontal_flip = true, noise = 0.1, cutout = 2 }, %s",
             (int)(rest - model_text), model_text, rest);
    write_file(path, text, strlen(text));
    for (int i = 0; i < 3; i++) {
        char *file = path_in(folder, "losses.csv");
        assert_int_equal(RUN("train", path, "--data", data_folder, "--threads",
                             (char *)options[i][0], "--backend", (char *)options[i][1], "--quiet",
                             "--json", "--losses", file),
                         0);
        losses[i] = files_read(file, NULL, NULL);
        assert_non_null(losses[i]);
        assert_string_equal(losses[i], losses[0]);
    }
    assert_int_equal(RUN("train", model, "--data", data_folder, "--quiet", "--json", "--losses",
                         path_in(folder, "losses.csv")),
                     0);
    char *plain = files_read(path_in(folder, "losses.csv"), NULL, NULL);
    assert_string_not_equal(plain, losses[0]);
    free(plain);
    for (int i = 0; i < 3; i++) free(losses[i]);
}

/* A copy of one half of the data whose labels are one-hot bytes. */
static void write_one_hot(const char *directory, const char *samples, const char *labels,
                          int count) {
    unsigned char *rows = calloc(1, 12 + (size_t)count * 3);
    memcpy(rows, "\0\0\x08\x02\0\0\0\0\0\0\0\x03", 12);
    rows[6] = (unsigned char)(count >> 8);
    rows[7] = (unsigned char)count;
    for (int i = 0; i < count; i++) rows[12 + i * 3 + i % 3] = 1;
    write_file(path_in(directory, labels), rows, 12 + (size_t)count * 3);
    assert_int_equal(symlink(path_in(data_folder, samples), path_in(directory, samples)), 0);
    free(rows);
}

/* One-hot labels give the bits of class numbers, whichever the loss takes. */
static void labels_may_be_one_hot(void **state) {
    char one_hot[256], *losses[2];
    static const char loss[] = "\"sparse_";
    (void)state;
    snprintf(one_hot, sizeof one_hot, "%s/one_hot", folder);
    assert_true(files_make_folder(one_hot, NULL));
    write_one_hot(one_hot, "train-images-idx3-ubyte", "train-labels-idx2-ubyte", 600);
    write_one_hot(one_hot, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 150);
    for (int categorical = 0; categorical < 2; categorical++) {
        const char *place = strstr(model_text, loss);
        char text[1000], *file = path_in(folder, "labels.lua");
        snprintf(text, sizeof text, "%.*s%s%s", (int)(place - model_text), model_text,
                 categorical ? "\"" : loss, place + strlen(loss));
        write_file(file, text, strlen(text));
        for (int i = 0; i < 2; i++) {
            char *log = path_in(folder, "losses.csv");
            assert_int_equal(RUN("train", file, "--data", i ? one_hot : data_folder, "--quiet",
                                 "--epochs", "2", "--backend", "tcc", "--losses", log),
                             0);
            losses[i] = files_read(log, NULL, NULL);
            assert_non_null(losses[i]);
        }
        assert_string_equal(losses[0], losses[1]);
        free(losses[0]);
        free(losses[1]);
    }
}

/* Mean and spread over the folds are those of the last validations in the folds' histories. */
static void folds_are_averaged(void **state) {
    char *directory = path_in(folder, "folds"),
         *words[] = {"train",    model, "--data", data_folder, "--backend", "tcc", "--folds", "3",
                     "--epochs", "3",   "--save", directory,   "--json",    NULL,  NULL};
    double accuracy[3], sum = 0, squares = 0;

    (void)state;
    assert_int_equal(run_words(words), 0);
    assert_null(strstr(output, "\"accuracy\"")); /* of the test data, which stay unused */
    for (int i = 0; i < 3; i++) {
        char name[40];
        snprintf(name, sizeof name, "fold_%d/history.json", i + 1);
        char *text = files_read(path_in(directory, name), NULL, NULL);
        assert_non_null(text);
        cJSON *rows = cJSON_Parse(text);
        assert_int_equal(cJSON_GetArraySize(rows), 3);
        accuracy[i] =
            cJSON_GetObjectItem(cJSON_GetArrayItem(rows, 2), "validation_accuracy")->valuedouble;
        sum += accuracy[i];
        cJSON_Delete(rows);
        free(text);
    }
    for (int i = 0; i < 3; i++) squares += (accuracy[i] - sum / 3) * (accuracy[i] - sum / 3);
    double mean = number_in(output, "validation_accuracy", "mean");
    assert_true(fabs(mean - sum / 3) < 1e-12);
    assert_true(fabs(number_in(output, "validation_accuracy", "standard_deviation") -
                     sqrt(squares / 2)) < 1e-12);
    words[13] = "--resume"; /* nothing is left to do: the same figures */
    assert_int_equal(run_words(words), 0);
    assert_true(number_in(output, "validation_accuracy", "mean") == mean);
    assert_true(number(output, "seconds") < 0.1);
}

static void train_overflowing(const char *activation, const char *optimizer, const char *first) {
    char path[512], text[1000], expected[1000];

    snprintf(path, sizeof path, "%s/overflowing.lua", folder);
    snprintf(text, sizeof text,
             "return model \"overflowing\" {\n"
             "  input { 8, 8, 1 }, flatten {},\n"
             "  dense { 8, name = \"first\" },\n"
             "  dense { 8, name = \"second\", activation = function(x) return %s end },\n"
             "  dense { 3, activation = \"softmax\" },\n"
             "  training = { loss = \"sparse_categorical_crossentropy\", batch_size = 32,\n"
             "               optimizer = %s },\n"
             "}\n",
             activation, optimizer);
    write_file(path, text, strlen(text));
    assert_int_equal(RUN("train", path, "--data", data_folder, "--quiet"), 1);
    snprintf(expected, sizeof expected, first, path);
    if (!strstr(errors, "the loss is no longer a finite number (step ") ||
        !strstr(errors, expected))
        fail_msg("expected %s in %s", expected, errors);
    assert_string_equal(output, "");
}

static void a_loss_that_is_not_finite_is_traced(void **state) {
    (void)state;
    train_overflowing("log(x)", "sgd { 0.01 }",
                      "(step 1, epoch 1, learning rate 0.01); a smaller learning rate usually "
                      "helps; the first that was not finite: the output of the layer second "
                      "(%s:4)\n");
    train_overflowing("exp(x)", "sgd { 1000 }",
                      "the first that was not finite: the output of the layer second (%s:4)\n");
    /* In float 1e-50 is 0: so is the value, but the derivative is 0 / 0. */
    train_overflowing("where(less(x, 0), 0, sqrt(x * x * 1e-50))", "sgd { 0.1 }",
                      "a gradient of the layer second (%s:4), in step 1\n");
    train_overflowing("x", "sgd { 1e308 }", "a value of the optimizer (%s:");
}

static void evaluation_repeats_the_figures(void **state) {
    (void)state;
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--json",
                         "--save", save, "--no-plots"),
                     0);
    /* The kernel rounds its counts a little, and ours is from before the end. */
    assert_true(number(output, "peak_memory_bytes") < 1.05 * peak_memory);
    assert_true(number(output, "peak_memory_bytes") > 0.25 * peak_memory);
    double loss = number(output, "loss"), accuracy = number(output, "accuracy");
    assert_int_equal(RUN("evaluate", model, "--data", data_folder, "--weights",
                         path_in(save, "last.safetensors"), "--json"),
                     0);
    assert_true(number(output, "loss") == loss && number(output, "accuracy") == accuracy);
    assert_int_equal(RUN("evaluate", model, "--data", data_folder, "--weights",
                         path_in(save, "best.safetensors")),
                     0);
    assert_int_equal(strncmp(output, "test: loss ", 11), 0);
    assert_non_null(strstr(output, "recall  precision\n"));

    assert_int_equal(RUN("predict", model, "--weights", path_in(save, "best.safetensors"),
                         path_in(data_folder, "t10k-images-idx3-ubyte"), "--output",
                         path_in(folder, "p.npy"), "--json", "--top", "1"),
                     0);
    assert_true(number(output, "class") == 0); /* of the first sample */
    size_t size = 0;
    char *npy = files_read(path_in(folder, "p.npy"), &size, NULL);
    assert_non_null(npy);
    assert_int_equal(size, 128 + 150 * 3 * 4);
    assert_non_null(strstr(npy + 10, "'shape': (150, 3)"));
    free(npy);
}

/* Names from the data's folder reach every command, also one that sees the weights alone. */
static void classes_have_names(void **state) {
    static const char names[] = "row\ncolumn\nblock\n";
    char *classes = path_in(data_folder, "classes.txt");
    char *named = path_in(folder, "named"), *weights = path_in(named, "best.safetensors");

    (void)state;
    write_file(classes, names, strlen(names));
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save", named,
                         "--no-plots", "--quiet"),
                     0);
    assert_non_null(strstr(output, "column "));
    char *kept = files_read(path_in(named, "classes.txt"), NULL, NULL);
    assert_non_null(kept);
    assert_string_equal(kept, names);
    free(kept);
    unlink(classes);
    assert_int_equal(RUN("evaluate", model, "--data", data_folder, "--weights", weights), 0);
    assert_non_null(strstr(output, "column "));
    assert_int_equal(RUN("evaluate", model, "--data", data_folder, "--weights", weights, "--json"),
                     0);
    assert_non_null(strstr(output, "\"classes\":[\"row\",\"column\",\"block\"]"));
    assert_int_equal(RUN("predict", model, "--weights", weights, "--top", "1",
                         path_in(data_folder, "t10k-images-idx3-ubyte")),
                     0);
    assert_non_null(strstr(output, "[0]: 0 row "));
    assert_non_null(strstr(output, "[1]: 1 column "));
    write_file(classes, "a\nb\nc\nd\n", 8); /* data of another number of classes */
    assert_int_equal(RUN("predict", model, "--weights", weights, "--data", data_folder,
                         path_in(data_folder, "t10k-images-idx3-ubyte")),
                     2);
    unlink(classes);
    assert_non_null(strstr(errors, ": the data has 4 classes, but the model tiny predicts 3\n"));
    assert_string_equal(output, "");
}

static void an_interrupted_run_can_be_resumed(void **state) {
    struct child child;
    char *words[] = {"train",     model, "--data", data_folder,
                     "--backend", "tcc", "--save", path_in(folder, "whole"),
                     "--epochs",  "40",  "--json", "--no-plots",
                     NULL};
    char *stopped = path_in(folder, "stopped");
    char *long_run[] = {"train",  model,   "--data",   data_folder, "--backend",  "tcc",
                        "--save", stopped, "--epochs", "1000000",   "--no-plots", NULL};

    (void)state;
    start(&child, long_run);
    collect(&child, "epoch       3/"); /* it is well under way */
    kill(child.pid, SIGINT);
    assert_int_equal(finish(&child), 1);
    assert_non_null(strstr(errors, "the same command with --resume goes on"));
    assert_true(files_exist(path_in(stopped, "last.safetensors")));
    /* How far it came is the chance of this run; both go to the same end. */
    char epochs[32];
    char *history = files_read(path_in(stopped, "history.csv"), NULL, NULL);
    assert_non_null(history);
    int done = -1;
    for (char *c = history; *c; c++) done += *c == '\n';
    free(history);
    snprintf(epochs, sizeof epochs, "%d", done + 2);
    words[9] = epochs;
    assert_int_equal(run_words(words), 0);
    double loss = number(output, "loss");
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save",
                         stopped, "--epochs", epochs, "--json", "--no-plots", "--resume"),
                     0);
    assert_true(number(output, "loss") == loss);
    size_t size[2];
    char *one = files_read(path_in(folder, "whole/best.safetensors"), &size[0], NULL);
    char *other = files_read(path_in(folder, "stopped/best.safetensors"), &size[1], NULL);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(one, other, size[0]);
    free(one);
    free(other);
}

static void emit_writes_two_files(void **state) {
    char *generated = path_in(folder, "generated");

    (void)state;
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--quiet",
                         "--save", save, "--no-plots", "--epochs", "1"),
                     0);
    assert_int_equal(RUN("emit", model, "--weights", path_in(save, "best.safetensors"), "-o",
                         generated, "--prefix", "small"),
                     0);
    assert_true(files_exist(path_in(generated, "small.c")));
    assert_true(files_exist(path_in(generated, "small.h")));
    assert_int_equal(RUN("emit", model, "--mode", "training", "-o", generated), 0);
    assert_true(files_exist(path_in(generated, "tiny.c")));
    assert_int_equal(RUN("emit", model, "--mode", "training", "--prefix", "a-b"), 2);
    assert_non_null(strstr(errors, "--prefix \"a-b\" cannot begin names in C"));
}

static void a_closed_output_is_a_failure(void **state) {
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) skip();
    posix_spawn_file_actions_t actions;
    char *arguments[] = {lathe, "--help", NULL};
    pid_t child;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, full, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawn(&child, lathe, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(full);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(other_commands_have_help),
        cmocka_unit_test(wrong_input_exits_with_2),
        cmocka_unit_test(summary_shows_layers),
        cmocka_unit_test(training_ends_with_json),
        cmocka_unit_test(a_model_may_print),
        cmocka_unit_test(denormal_numbers_are_zeros),
        cmocka_unit_test(callbacks_of_the_command_line_run),
        cmocka_unit_test(augmentation_has_the_same_bits),
        cmocka_unit_test(labels_may_be_one_hot),
        cmocka_unit_test(folds_are_averaged),
        cmocka_unit_test(a_loss_that_is_not_finite_is_traced),
        cmocka_unit_test(evaluation_repeats_the_figures),
        cmocka_unit_test(classes_have_names),
        cmocka_unit_test(an_interrupted_run_can_be_resumed),
        cmocka_unit_test(emit_writes_two_files),
        cmocka_unit_test(a_closed_output_is_a_failure),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
