/* test_sweep_command.c: `lathe sweep`: killed and resumed, it ends with the table of one that was
 * left alone; halving and folds give what `lathe train` gives. */
#include "tests/command_run.h"

#include <fcntl.h>
#include <math.h>
#include <sys/file.h>

static char file[256];

static int set_up(void **state) {
    (void)state;
    if (make_data() != 0) return -1;
    snprintf(file, sizeof file, "%s/sweep.lua", folder);
    return 0;
}

/* 32 points, some of which fail: one gives no model, one a loss that is not finite. */
static const char tiny_sweep[] =
    "return sweep \"tiny\" {\n"
    "  space = { units = { 4, 5, 6, 7 }, rate = { 0.01, 0.02, 0.05, 1e30 }, drop = { 0, 0.1 } },\n"
    "  epochs = 2,\n"
    "  model = function(p)\n"
    "    if p.units == 7 and p.drop == 0 then return 3 end\n"
    "    return model \"tiny\" { input { 8, 8, 1 }, flatten {},\n"
    "      dense { p.units, activation = \"relu\" }, dropout { p.drop },\n"
    "      dense { 3, activation = \"softmax\" },\n"
    "      training = { loss = \"sparse_categorical_crossentropy\", batch_size = 64,\n"
    "                   validation_split = 0.2, optimizer = sgd { learning_rate = p.rate } } }\n"
    "  end }";

static char *read_result(const char *directory, const char *name, size_t *size) {
    struct error reason = {.text = ""};
    char *text = files_read(path_in(path_in(folder, directory), name), size, &reason);
    if (!text) fail_msg("%s", reason.text);
    return text;
}

static void expect_same_file(const char *one, const char *other, const char *name) {
    size_t size, other_size;
    char *a = read_result(one, name, &size), *b = read_result(other, name, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

/* Each training of the journal has ended exactly once; returns how many there are. */
static int check_journal(const char *directory) {
    char *text = read_result(directory, "journal.jsonl", NULL), *rest = text, *line;
    int ended[64] = {0}, count = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        cJSON *event = cJSON_Parse(line);
        const char *kind = cJSON_GetStringValue(cJSON_GetObjectItem(event, "event"));
        const cJSON *point = cJSON_GetObjectItem(event, "point");
        assert_non_null(kind);
        if (strcmp(kind, "done") == 0 || strcmp(kind, "failed") == 0) {
            assert_in_range(point->valueint, 1, 63);
            assert_int_equal(ended[point->valueint]++, 0);
            count++;
        }
        cJSON_Delete(event);
    }
    free(text);
    return count;
}

/* True while a training that saves below the directory runs. */
static bool trainings_run(const char *directory) {
    char command[700];
    snprintf(command, sizeof command,
             "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q -- '--save %s/run[s]/'",
             path_in(folder, directory));
    return system(command) == 0;
}

/* The path of a sweep's folder, which stays: those of path_in are soon others. */
static char *sweep_folder(const char *name) {
    static char paths[16][512];
    char wanted[512];
    int i = 0;
    snprintf(wanted, sizeof wanted, "%s/%s", folder, name);
    while (*paths[i] && strcmp(paths[i], wanted)) i++;
    assert_true(i < 15);
    return memcpy(paths[i], wanted, sizeof wanted);
}

#define SWEEP(directory, ...)                                               \
    {                                                                       \
        "sweep", file, "--data", data_folder, "--backend", "tcc", "--save", \
            sweep_folder(directory), "--jobs", "3", __VA_ARGS__ NULL        \
    }

static void a_killed_sweep_ends_with_the_same_table(void **state) {
    char *whole[] = SWEEP("whole", ), *first[] = SWEEP("killed", "--no-plots", );
    char *resumed[] = SWEEP("killed", "--no-plots", "--resume", );
    struct child child;
    (void)state;
    write_file(file, tiny_sweep, strlen(tiny_sweep));
    assert_int_equal(run_words(whole), 0);
    assert_non_null(strstr(errors, "32 of 32: point "));
    assert_non_null(
        strstr(output, "rank  point  validation_accuracy  best_epoch  parameters  drop"));
    assert_non_null(strstr(output, "sweep.lua:1: sweep \"tiny\": its model function returns 3"));
    assert_non_null(strstr(output, "the loss is no longer a finite number"));
    assert_true(files_exist(path_in(path_in(folder, "whole"), "scores.png")));

    static const char *const moments[] = {"7 of 32", "19 of 32"};
    for (int i = 0; i < 2; i++) {
        start(&child, i ? resumed : first);
        collect(&child, moments[i]);
        kill(child.pid, SIGKILL);
        assert_int_equal(finish(&child), 128 + SIGKILL);
        for (int tries = 0; trainings_run("killed") && tries < 200; tries++) usleep(10000);
        assert_false(trainings_run("killed")); /* none goes on without the sweep */
        assert_true(check_journal("killed") < 32);
    }
    assert_int_equal(run_words(first), 2);
    if (!strstr(errors, "there is a sweep in this folder already; --resume goes on"))
        fail_msg("%s", errors);
    assert_int_equal(run_words(resumed), 0);
    assert_null(strstr(errors, ": point 1: ")); /* nothing is done twice */
    assert_int_equal(check_journal("killed"), 32);
    expect_same_file("whole", "killed", "results.csv");
    expect_same_file("whole", "killed", "results.txt");
    expect_same_file("whole/runs/0006", "killed/runs/0006", "best.safetensors");
}

/* A training that a killed sweep was just starting has the journal open for a moment. */
static void a_dying_training_is_waited_for(void **state) {
    char *again[] = SWEEP("killed", "--no-plots", );
    int ready[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t holder = fork();
    if (holder == 0) {
        int journal = open(path_in(path_in(folder, "killed"), "journal.jsonl"), O_RDWR);
        bool good = flock(journal, LOCK_EX) == 0 && write(ready[1], "r", 1) == 1;
        usleep(200000);
        _exit(!good);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(run_words(again), 2);
    if (!strstr(errors, "there is a sweep in this folder already; --resume goes on"))
        fail_msg("%s", errors);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    close(ready[0]);
    close(ready[1]);
}

static void the_journal_is_checked(void **state) {
    char *again[] = SWEEP("whole", "--resume", "--json", "--no-plots", );
    char *other[] = SWEEP("whole", "--resume", "--epochs", "3", );
    char *missing[] = SWEEP("nothing", "--resume", );
    char *path = path_in(path_in(folder, "whole"), "journal.jsonl");
    (void)state;
    assert_int_equal(run_words(missing), 2);
    assert_non_null(
        strstr(errors, "journal.jsonl: cannot open: No such file or directory; without"));
    assert_int_equal(run_words(other), 2);
    assert_non_null(
        strstr(errors, "journal.jsonl: is of another sweep: file, data, epochs or seed"));
    /* What was being written when the machine stopped. */
    FILE *journal = fopen(path, "a");
    fputs("{\"event\":\"done\",\"point\":5,\"re", journal);
    fclose(journal);
    assert_int_equal(run_words(again), 0);
    assert_string_equal(errors, "");
    cJSON *json = cJSON_Parse(output), *points = cJSON_GetObjectItem(json, "points");
    assert_int_equal(cJSON_GetArraySize(points), 32);
    const cJSON *best = cJSON_GetArrayItem(points, 0);
    assert_true(cJSON_GetObjectItem(best, "score")->valuedouble > 0.5);
    cJSON_Delete(json);
    assert_int_equal(check_journal("whole"), 32);
    journal = fopen(path, "a");
    fputs("nonsense\n", journal);
    fclose(journal);
    assert_int_equal(run_words(again), 2);
    assert_non_null(strstr(errors, "is damaged: not a JSON object"));
}

/* A round goes on from the checkpoints of the one before: its score is that of one long training.
 */
static void halving_goes_on_with_the_best(void **state) {
    static const char text[] =
        "return sweep \"halving\" {\n"
        "  space = { rate = log_range { 1e-4, 1e-1 }, units = { 4, 8 } },\n"
        "  strategy = halving { points = 4, factor = 2, epochs = 1 },\n"
        "  model = function(p) return model \"tiny\" { input { 8, 8, 1 }, flatten {},\n"
        "    dense { p.units, activation = \"relu\" }, dense { 3, activation = \"softmax\" },\n"
        "    training = { loss = \"sparse_categorical_crossentropy\", batch_size = 64,\n"
        "      validation_split = 0.2, optimizer = adam { learning_rate = p.rate } } } end }";
    char *words[] = SWEEP("halving", "--json", "--no-plots", );
    (void)state;
    write_file(file, text, strlen(text));
    assert_int_equal(run_words(words), 0);
    cJSON *json = cJSON_Parse(output), *points = cJSON_GetObjectItem(json, "points");
    const cJSON *best = cJSON_GetArrayItem(points, 0);
    assert_int_equal(cJSON_GetArraySize(points), 4);
    assert_int_equal(cJSON_GetObjectItem(best, "round")->valueint, 3);
    assert_int_equal(cJSON_GetObjectItem(best, "epochs")->valueint, 4);
    assert_int_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(points, 3), "epochs")->valueint, 1);
    char *point = cJSON_PrintUnformatted(cJSON_GetObjectItem(best, "values"));
    long best_epoch = cJSON_GetObjectItem(best, "best_epoch")->valueint;
    double score = cJSON_GetObjectItem(best, "score")->valuedouble;
    cJSON_Delete(json);
    char epochs[16];
    snprintf(epochs, sizeof epochs, "%ld", best_epoch);
    assert_int_equal(RUN("train", file, "--point", point, "--data", data_folder, "--epochs", epochs,
                         "--seed", "1", "--json", "--no-test", "--backend", "tcc"),
                     0);
    assert_true(number(output, "validation_accuracy") == score);
    assert_null(strstr(output, "\"accuracy\"")); /* the test data were left alone */
    cJSON_free(point);
}

/* The figures of a training are read from its standard output, where nothing of the file stands. */
static void a_sweep_file_may_print(void **state) {
    static const char text[] =
        "print(\"0\")\n"
        "return sweep \"printing\" { space = { units = { 4, 8 } }, epochs = 1, model = "
        "function(p)\n"
        "  print(p.units)\n"
        "  return model \"tiny\" { input { 8, 8, 1 }, flatten {},\n"
        "    dense { p.units, activation = \"relu\" }, dense { 3, activation = \"softmax\" },\n"
        "    training = { loss = \"sparse_categorical_crossentropy\", validation_split = 0.2 } } "
        "end }";
    char *words[] = SWEEP("printing", "--json", "--no-plots", );
    (void)state;
    write_file(file, text, strlen(text));
    assert_int_equal(run_words(words), 0);
    cJSON *json = cJSON_Parse(output), *points = cJSON_GetObjectItem(json, "points");
    assert_int_equal(cJSON_GetArraySize(points), 2);
    for (int i = 0; i < 2; i++) {
        const cJSON *point = cJSON_GetArrayItem(points, i), *values;
        values = cJSON_GetObjectItem(point, "values");
        int units = cJSON_GetObjectItem(values, "units")->valueint;
        assert_int_equal(cJSON_GetObjectItem(point, "parameters")->valueint,
                         65 * units + (units + 1) * 3);
    }
    cJSON_Delete(json);
}

/* The score of a point is the mean over its folds, and --folds alone gives the same figures. */
static void folds_stand_for_a_validation_split(void **state) {
    static const char text[] =
        "return sweep \"folds\" { space = { units = { 4, 8 } }, folds = 3, epochs = 1,\n"
        "  model = function(p) return model \"tiny\" { input { 8, 8, 1 }, flatten {},\n"
        "    dense { p.units, activation = \"relu\" }, dense { 3, activation = \"softmax\" },\n"
        "    training = { loss = \"sparse_categorical_crossentropy\", batch_size = 64 } } end }";
    char *words[] = SWEEP("folds", "--json", "--no-plots", );
    (void)state;
    write_file(file, text, strlen(text));
    assert_int_equal(run_words(words), 0);
    cJSON *json = cJSON_Parse(output);
    const cJSON *best = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "points"), 0);
    double score = cJSON_GetObjectItem(best, "score")->valuedouble;
    double spread = cJSON_GetObjectItem(best, "spread")->valuedouble;
    char *point = cJSON_PrintUnformatted(cJSON_GetObjectItem(best, "values"));
    cJSON_Delete(json);
    assert_int_equal(RUN("train", file, "--point", point, "--data", data_folder, "--epochs", "1",
                         "--seed", "1", "--json", "--folds", "3", "--backend", "tcc"),
                     0);
    cJSON_free(point);
    json = cJSON_Parse(output);
    const cJSON *accuracy = cJSON_GetObjectItem(json, "validation_accuracy");
    assert_true(fabs(cJSON_GetObjectItem(accuracy, "mean")->valuedouble - score) < 1e-12);
    assert_true(fabs(cJSON_GetObjectItem(accuracy, "standard_deviation")->valuedouble - spread) <
                1e-12);
    cJSON_Delete(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_sweep_ends_with_the_same_table),
        cmocka_unit_test(a_dying_training_is_waited_for),
        cmocka_unit_test(the_journal_is_checked),
        cmocka_unit_test(halving_goes_on_with_the_best),
        cmocka_unit_test(a_sweep_file_may_print),
        cmocka_unit_test(folds_stand_for_a_validation_split),
    };
    return cmocka_run_group_tests(tests, set_up, remove_files);
}
