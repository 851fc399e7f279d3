/* test_report.c: what a run's folder tells, and the pages made of it: `lathe report` and `lathe
 * compare`. slow_report.c opens them in a browser. */
#include "tests/command_run.h"
#include "tests/html_check.h"
#include "runtime/mistakes.h"
#include "runtime/plots.h"

#include <math.h>

static char model[256], run[256], other[256];

/* What HTML gives a meaning stands in names, texts and paths. */
static const char model_text[] =
    "-- <b> & \"quoted\" </style>\n"
    "return model \"tiny\" {\n"
    "  input { 8, 8, 1 },\n"
    "  conv2d { 4, kernel_size = 3, activation = \"relu\" },\n"
    "  flatten {},\n"
    "  dense { 3, activation = \"softmax\" },\n"
    "  training = { loss = \"sparse_categorical_crossentropy\", batch_size = 32, epochs = 1,\n"
    "               validation_split = 0.2, optimizer = adam { learning_rate = 0.0005 },\n"
    "               callbacks = { early_stopping { patience = 7, baseline = 90 },\n"
    "                             csv_logger { \"a&b.csv\", separator = \";\" } } },\n"
    "}\n";
static const char class_text[] = "row <1>\nb&w \"x\"\nblock's\n";

static int set_up(void **state) {
    (void)state;
    if (make_data() != 0) return -1;
    snprintf(model, sizeof model, "%s/tiny.lua", folder);
    snprintf(run, sizeof run, "%s/first run", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    write_file(model, model_text, strlen(model_text));
    write_file(path_in(data_folder, "classes.txt"), class_text, strlen(class_text));
    return RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save", run, "--quiet",
               "--seed", "3") ||
           RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save", other,
               "--quiet", "--epochs", "3", "--no-plots", "--no-test");
}

static char *read_text(const char *directory, const char *name) {
    struct error error = {.text = ""};
    char *text = files_read(path_in(directory, name), NULL, &error);
    if (!text) fail_msg("%s", error.text);
    return text;
}

static cJSON *read_record(const char *directory) {
    char *text = read_text(directory, "run.json");
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    free(text);
    return json;
}

static double figure(const cJSON *json, const char *group, const char *name) {
    const cJSON *value = cJSON_GetObjectItem(cJSON_GetObjectItem(json, group), name);
    if (!cJSON_IsNumber(value)) fail_msg("no %s.%s", group, name);
    return value->valuedouble;
}

static void a_run_is_recorded(void **state) {
    static const char *const files[] = {"classes.txt",          "learning_curves.png",
                                        "confusion_matrix.png", "worst_mistakes.png",
                                        "filters.png",          "model/tiny.lua"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_true(files_exist(path_in(run, files[i])));
    assert_false(files_exist(path_in(other, "learning_curves.png")));
    char *copy = read_text(run, "model/tiny.lua");
    assert_string_equal(copy, model_text);
    free(copy);
    cJSON *json = read_record(run);
    assert_int_equal(cJSON_GetObjectItem(json, "parameters")->valueint, 4 * 10 + 145 * 3);
    assert_true(figure(json, "recipe", "seed") == 3);
    assert_true(figure(json, "data", "training_samples") == 600);
    /* The command, typed into a shell, gives the figures again. */
    char command[9000], figures[4096] = "";
    snprintf(command, sizeof command, "'%s' %s --json", lathe,
             cJSON_GetObjectItem(json, "command")->valuestring + strlen("lathe "));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(figures, sizeof figures, pipe));
    assert_int_equal(pclose(pipe), 0);
    assert_true(number(figures, "accuracy") == figure(json, "result", "test_accuracy"));
    assert_true(number(figures, "loss") == figure(json, "result", "test_loss"));
    cJSON_Delete(json);
    json = read_record(other);
    assert_null(cJSON_GetObjectItem(json, "confusion_matrix"));
    assert_null(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "result"), "test_loss"));
    cJSON_Delete(json);
}

/* The same list from the predictions of `lathe predict`, sample by sample. */
static void the_worst_mistakes_are_the_worst(void **state) {
    enum { SAMPLES = 150, CLASSES = 3 };
    (void)state;
    assert_int_equal(RUN("predict", model, "--weights", path_in(run, "best.safetensors"),
                         path_in(data_folder, "t10k-images-idx3-ubyte"), "--output",
                         path_in(folder, "p.npy")),
                     0);
    char *npy = files_read(path_in(folder, "p.npy"), NULL, NULL);
    assert_non_null(npy);
    float values[SAMPLES][CLASSES];
    memcpy(values, npy + 128, sizeof values);
    free(npy);
    double margins[SAMPLES];
    int predicted[SAMPLES], mistakes = 0;
    for (int i = 0; i < SAMPLES; i++) {
        predicted[i] = 0;
        for (int k = 1; k < CLASSES; k++)
            if (values[i][k] > values[i][predicted[i]]) predicted[i] = k;
        margins[i] = (double)values[i][predicted[i]] - (double)values[i][i % CLASSES];
        mistakes += predicted[i] != i % CLASSES;
    }
    cJSON *json = read_record(run);
    const cJSON *item, *list = cJSON_GetObjectItem(json, "worst_mistakes");
    double last = INFINITY;
    assert_true(mistakes >= 3);
    assert_int_equal(cJSON_GetArraySize(list), mistakes < MISTAKES_KEPT ? mistakes : MISTAKES_KEPT);
    cJSON_ArrayForEach(item, list) {
        int sample = cJSON_GetObjectItem(item, "sample")->valueint;
        assert_int_equal(cJSON_GetObjectItem(item, "true")->valueint, sample % CLASSES);
        assert_int_equal(cJSON_GetObjectItem(item, "predicted")->valueint, predicted[sample]);
        assert_true(fabs(cJSON_GetObjectItem(item, "predicted_value")->valuedouble -
                         (double)values[sample][predicted[sample]]) < 1e-5);
        assert_true(margins[sample] <= last + 1e-5);
        last = margins[sample];
    }
    int above = 0; /* nobody that is clearly worse was left out */
    for (int i = 0; i < SAMPLES; i++) above += margins[i] > last + 1e-5;
    assert_true(above < cJSON_GetArraySize(list));
    cJSON_Delete(json);
}

static void check_page(const char *page) {
    const char *problem = html_malformed(page);
    if (problem) fail_msg("the page is not well-formed: %s", problem);
    problem = html_dependence(page);
    if (problem) fail_msg("the page needs more than itself: %s", problem);
}

static void a_report_stands_alone(void **state) {
    (void)state;
    assert_int_equal(RUN("report", run, "--json"), 0);
    assert_string_equal(errors, "");
    assert_non_null(strstr(output, "\"pictures\":[\"learning curves\",\"confusion matrix\",\"worst "
                                   "mistakes\",\"filters\"]"));
    char *page = read_text(run, "report.html");
    check_page(page);
    assert_int_equal(html_count(page, "<img "), 4);
    assert_int_equal(html_count(page, "src=\"data:image/svg+xml;base64,"), 1);
    assert_int_equal(html_count(page, "src=\"data:image/png;base64,iVBORw0KGgo"), 3);
    assert_non_null(strstr(page, "row &lt;1&gt;"));
    assert_non_null(strstr(page, "b&amp;w &quot;x&quot;"));
    assert_non_null(strstr(page, "-- &lt;b&gt; &amp; &quot;quoted&quot; &lt;/style&gt;"));
    assert_non_null(strstr(page, "lathe train "));
    assert_non_null(strstr(page, "<td>6 × 6 × 4</td><td class=\"number\">40</td>"));
    free(page);

    assert_int_equal(RUN("report", other, "-o", path_in(folder, "other.html")), 0);
    page = read_text(folder, "other.html");
    check_page(page);
    assert_int_equal(html_count(page, "<img "), 2); /* not tested */
    assert_null(strstr(page, "test accuracy"));
    free(page);
}

/* run.json and the page tell the whole training table, with the defaults of what it leaves out. */
static void the_recipe_is_told(void **state) {
    static const char text[] =
        "return model \"m\" { input { 8, 8, 1 }, flatten {}, dense { 3 },\n"
        "  training = { loss = \"sparse_categorical_crossentropy\", from_logits = true,\n"
        "    validation_split = 0.2, stratified = false, epochs = 1,\n"
        "    optimizer = sgd { momentum = 0.9, learning_rate = piecewise_constant_decay {\n"
        "      boundaries = { 10, 20 }, values = { 0.1, 0.01, 0.001 } } },\n"
        "    callbacks = { reduce_lr_on_plateau { monitor = \"loss\", factor = 0.5 },\n"
        "                  early_stopping { \"accuracy\", mode = \"max\" }, terminate_on_nan {} "
        "},\n"
        "    augmentation = { width_shift_range = 2, horizontal_flip = true } } }";
    static const char expected[] =
        "{\"loss\":\"sparse_categorical_crossentropy\",\"from_logits\":true,"
        "\"metrics\":[\"accuracy\"],\"optimizer\":\"sgd\","
        "\"optimizer_options\":{\"momentum\":0.9,\"nesterov\":false},\"learning_rate\":0.1,"
        "\"schedule\":{\"name\":\"piecewise_constant_decay\",\"boundaries\":[10,20],"
        "\"values\":[0.1,0.01,0.001]},\"callbacks\":[{\"name\":\"reduce_lr_on_plateau\","
        "\"monitor\":\"loss\",\"mode\":\"auto\",\"min_delta\":0.0001,\"factor\":0.5,\"patience\":"
        "10,"
        "\"cooldown\":0,\"min_lr\":0},{\"name\":\"early_stopping\",\"monitor\":\"accuracy\","
        "\"mode\":\"max\",\"min_delta\":0,\"patience\":0,\"restore_best_weights\":false,"
        "\"start_from_epoch\":0},{\"name\":\"terminate_on_nan\"}],"
        "\"augmentation\":{\"width_shift_range\":2,\"height_shift_range\":0,"
        "\"rotation_range\":0,\"zoom_range\":0,\"horizontal_flip\":true,\"vertical_flip\":false,"
        "\"fill_mode\":\"nearest\",\"cval\":0,\"noise\":0,\"cutout\":0},"
        "\"batch_size\":32,\"epochs\":1,\"validation_split\":0.2,\"stratified\":false,"
        "\"best\":\"latest\",\"seed\":1}";
    char *file = path_in(folder, "m.lua"), *directory = path_in(folder, "recipe");
    (void)state;
    write_file(file, text, strlen(text));
    assert_int_equal(RUN("train", file, "--data", data_folder, "--backend", "tcc", "--save",
                         directory, "--quiet", "--no-plots"),
                     0);
    assert_int_equal(RUN("report", directory), 0);
    cJSON *json = read_record(directory);
    char *recipe = cJSON_PrintUnformatted(cJSON_GetObjectItem(json, "recipe"));
    assert_string_equal(recipe, expected);
    cJSON_free(recipe);
    cJSON_Delete(json);
    char *page = read_text(directory, "report.html");
    check_page(page);
    static const char *const rows[] = {
        "sparse_categorical_crossentropy, from logits<",
        ">piecewise_constant_decay: boundaries (10, 20), values (0.1, 0.01, 0.001)<",
        ">reduce_lr_on_plateau: monitor loss, mode auto, min_delta 0.0001, factor 0.5, patience "
        "10, "
        "cooldown 0, min_lr 0<",
        ">early_stopping: monitor accuracy, mode max, min_delta 0, patience 0, start_from_epoch 0<",
        ">terminate_on_nan<",
        ">width_shift_range 2, horizontal_flip yes, fill_mode nearest<",
        "<th>stratified</th><td>no<",
        ">momentum 0.9<"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strstr(page, rows[i])) fail_msg("the page has no %s", rows[i]);
    free(page);
    page = read_text(run, "report.html");
    assert_non_null(strstr(page, "patience 7, baseline 90, start_from_epoch 0<"));
    assert_non_null(strstr(page, ">csv_logger: filename a&amp;b.csv, separator ;<"));
    free(page);
}

static void runs_stand_side_by_side(void **state) {
    (void)state;
    assert_int_equal(RUN("compare", run, other, "-o", path_in(folder, "both.html")), 0);
    assert_int_equal(strncmp(output, "run        model  parameters  optimizer  learning_rate", 54),
                     0);
    assert_non_null(strstr(output, "\nfirst run  tiny          475  adam              0.0005"));
    char *page = read_text(folder, "both.html");
    check_page(page);
    assert_int_equal(html_count(page, "<tr>"), 3);
    assert_int_equal(html_count(page, "<img "), 1);
    free(page);
    assert_int_equal(RUN("compare", run, other, "--json", "-o", path_in(folder, "both.svg")), 0);
    assert_true(files_exist(path_in(folder, "both.svg")));
    cJSON *json = cJSON_Parse(output), *record = read_record(run);
    const cJSON *first = cJSON_GetArrayItem(json, 0), *second = cJSON_GetArrayItem(json, 1);
    assert_int_equal(cJSON_GetArraySize(json), 2);
    assert_true(cJSON_GetObjectItem(first, "test_accuracy")->valuedouble ==
                figure(record, "result", "test_accuracy"));
    assert_int_equal(cJSON_GetObjectItem(second, "epochs")->valueint, 3);
    assert_null(cJSON_GetObjectItem(second, "test_accuracy"));
    cJSON_Delete(json);
    cJSON_Delete(record);
}

/* Mean and standard deviation of a figure over the runs of three folds. */
static void figures_of_folds(const char *directory, const char *name, double *mean,
                             double *deviation) {
    double values[3], squares = 0;
    *mean = 0;
    for (int i = 0; i < 3; i++) {
        char fold[20];
        snprintf(fold, sizeof fold, "fold_%d", i + 1);
        cJSON *json = read_record(path_in(directory, fold));
        values[i] = figure(json, "result", name);
        assert_true(figure(json, "recipe", "fold") == i + 1);
        assert_true(figure(json, "recipe", "folds") == 3);
        assert_null(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "result"), "test_loss"));
        *mean += values[i] / 3;
        cJSON_Delete(json);
    }
    for (int i = 0; i < 3; i++) squares += (values[i] - *mean) * (values[i] - *mean);
    *deviation = sqrt(squares / 2);
}

/* The folder of all folds is a run whose figures are mean and spread, and each fold is one too. */
static void a_cross_validation_is_a_run(void **state) {
    char folds[256], first[256];
    double mean, deviation;
    (void)state;
    snprintf(folds, sizeof folds, "%s/folds", folder);
    snprintf(first, sizeof first, "%s/folds/fold_1", folder);
    assert_int_equal(RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save", folds,
                         "--quiet", "--folds", "3", "--epochs", "2", "--no-plots"),
                     0);
    cJSON *json = read_record(folds);
    figures_of_folds(folds, "validation_accuracy", &mean, &deviation);
    assert_true(fabs(figure(json, "result", "validation_accuracy") - mean) < 1e-12);
    assert_true(fabs(figure(json, "result", "validation_accuracy_deviation") - deviation) < 1e-12);
    cJSON_Delete(json);

    assert_int_equal(RUN("report", folds, "--json"), 0);
    assert_non_null(strstr(output, "\"pictures\":[\"learning curves\"]"));
    char *page = read_text(folds, "report.html"), expected[60];
    check_page(page);
    snprintf(expected, sizeof expected, "<b>%.4f ± %.4f</b>", mean, deviation);
    assert_non_null(strstr(page, expected));
    assert_non_null(strstr(page, "cross-validation with 3 folds"));
    assert_non_null(strstr(page, "row &lt;1&gt;"));
    assert_int_equal(html_count(page, "<tr><td>3</td>"), 1);
    free(page);
    assert_int_equal(RUN("report", first, "--json"), 0);
    assert_non_null(strstr(output, "\"pictures\":[\"learning curves\",\"filters\"]"));
    page = read_text(first, "report.html");
    check_page(page);
    assert_non_null(strstr(page, "fold 1 of 3 of a cross-validation"));
    free(page);

    assert_int_equal(RUN("compare", folds, run, first, "-o", path_in(folder, "three.html")), 0);
    snprintf(expected, sizeof expected, "  %.4f ± %.4f  ", mean, deviation);
    assert_non_null(strstr(output, expected));
    page = read_text(folder, "three.html");
    check_page(page);
    free(page);
    assert_int_equal(RUN("compare", folds, "--json"), 0);
    json = cJSON_Parse(output);
    assert_true(
        fabs(cJSON_GetObjectItem(cJSON_GetArrayItem(json, 0), "validation_accuracy_deviation")
                 ->valuedouble -
             deviation) < 1e-12);
    cJSON_Delete(json);

    assert_int_equal(unlink(path_in(first, "history.json")), 0);
    assert_int_equal(RUN("compare", folds), 2);
    assert_non_null(strstr(errors, "folds/fold_1/history.json: cannot open"));
}

static void a_sweep_has_a_page(void **state) {
    static const char text[] =
        "return sweep \"few\" { space = { units = { 2, 3, 4 }, kind = { \"a&b\", \"c\" } },\n"
        "  model = function(p) if p.units == 4 and p.kind == \"c\" then return 1 end\n"
        "    return model \"m\" { input { 8, 8, 1 }, flatten {},\n"
        "      dense { p.units }, dense { 3, activation = \"softmax\" },\n"
        "      training = { loss = \"sparse_categorical_crossentropy\", epochs = 1,\n"
        "                   validation_split = 0.2, optimizer = \"adam\" } } end }";
    char *file = path_in(folder, "few.lua"), sweep[256];
    (void)state;
    snprintf(sweep, sizeof sweep, "%s/sweep", folder);
    write_file(file, text, strlen(text));
    assert_int_equal(
        RUN("sweep", file, "--data", data_folder, "--backend", "tcc", "--save", sweep, "--quiet"),
        0);
    assert_int_equal(RUN("report", sweep, "--json"), 0);
    assert_non_null(strstr(output, "\"pictures\":[\"scores\"]"));
    char *page = read_text(sweep, "report.html"), *results = read_text(sweep, "results.json");
    check_page(page);
    assert_int_equal(html_count(page, "<img "), 1);
    assert_int_equal(html_count(page, "<tr>"), 7);
    assert_non_null(strstr(page, "<h1>few</h1>"));
    assert_non_null(strstr(page, ">a&amp;b</td>"));
    assert_non_null(strstr(page, "returns 1")); /* why the last one failed */
    /* The rows stand as they are ranked. */
    cJSON *json = cJSON_Parse(results), *point;
    const char *place = page;
    cJSON_ArrayForEach(point, cJSON_GetObjectItem(json, "points")) {
        const cJSON *score = cJSON_GetObjectItem(point, "score");
        char expected[80];
        if (!score) continue;
        snprintf(expected, sizeof expected, ">%d</td><td class=\"number\">%d</td>",
                 cJSON_GetObjectItem(point, "rank")->valueint,
                 cJSON_GetObjectItem(point, "point")->valueint);
        place = strstr(place, expected);
        assert_non_null(place);
        snprintf(expected, sizeof expected, ">%.4f</td>", score->valuedouble);
        place = strstr(place, expected);
        assert_non_null(place);
    }
    cJSON_Delete(json);
    free(results);
    free(page);
    assert_int_equal(RUN("compare", sweep), 2);
    assert_non_null(strstr(errors, "is the folder of a sweep: name runs of it, as "));
    assert_int_equal(unlink(path_in(sweep, "results.json")), 0);
    assert_int_equal(RUN("report", sweep), 2);
    assert_non_null(strstr(errors, "is the folder of a sweep that has not come to its end"));
}

static void what_is_no_run_is_told(void **state) {
    char *broken = path_in(folder, "broken"), *record = path_in(broken, "run.json");
    (void)state;
    assert_int_equal(RUN("report", data_folder), 2);
    assert_non_null(
        strstr(errors, "data: is not the folder of a finished run: it has no run.json"));
    assert_int_equal(RUN("compare", run, "/nowhere"), 2);
    assert_non_null(strstr(errors, "/nowhere/run.json: cannot open: No such file"));
    assert_int_equal(RUN("compare", run, "-o", "x.gif"), 2);
    assert_string_equal(errors,
                        "lathe compare: --output x.gif: expected a file .png, .svg or .html\n");
    assert_int_equal(RUN("report"), 2);
    assert_true(files_make_folder(broken, NULL));
    write_file(record, "[]", 2);
    assert_int_equal(RUN("report", broken), 2);
    assert_non_null(strstr(errors, "run.json: is damaged: not a JSON object"));
    write_file(path_in(broken, "history.json"), "[]", 2);
    static const char *const matrices[] = {
        "{\"confusion_matrix\":[[1,2]]}", "{\"confusion_matrix\":[[-1]]}",
        "{\"confusion_matrix\":{}}", "{\"confusion_matrix\":[3]}"};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) {
        write_file(record, matrices[i], strlen(matrices[i]));
        assert_int_equal(RUN("report", broken), 2);
        assert_non_null(strstr(errors, "is damaged: its confusion_matrix is no square of counts"));
    }
    /* Nothing but a name is a run too: what is missing is left out. */
    write_file(record, "{\"model\":\"m\"}", 13);
    assert_int_equal(RUN("report", broken), 0);
    char *page = read_text(broken, "report.html");
    check_page(page);
    free(page);
    static const char *const drawn[] = {"worst_mistakes.safetensors", "best.safetensors"};
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        char *file = path_in(broken, drawn[i]);
        write_file(file, "12345678901", 11);
        assert_int_equal(RUN("report", broken), 2);
        assert_non_null(strstr(errors, drawn[i]));
        assert_int_equal(unlink(file), 0);
    }
}

/* The checker of pages sees what it should. */
static void bad_pages_are_seen(void **state) {
    static const char start[] =
        "<!DOCTYPE html><html><p>a</p><p>b</p><p>c</p><p>d</p><p>e</p><p>f</p>"
        "<p>g</p><p>h</p><p>i</p><p>j</p>";
    static const char *const ends[] = {
        "<p></html>",          "", "</p></html>", "a < b</html>", "a & b</html>", "a > b</html>",
        "<img alt=\"x></html>"};
    char page[600];
    (void)state;
    snprintf(page, sizeof page, "%s</html>", start);
    assert_null(html_malformed(page));
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(page, sizeof page, "%s%s", start, ends[i]);
        assert_non_null(html_malformed(page));
    }
    assert_non_null(html_dependence("<img src=\"x.png\"/>"));
    assert_non_null(html_dependence("<a href=\"https://x\">"));
    assert_null(html_dependence("<img src=\"data:image/png;base64,AA\"/>"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_recorded),
        cmocka_unit_test(the_worst_mistakes_are_the_worst),
        cmocka_unit_test(a_report_stands_alone),
        cmocka_unit_test(the_recipe_is_told),
        cmocka_unit_test(runs_stand_side_by_side),
        cmocka_unit_test(a_cross_validation_is_a_run),
        cmocka_unit_test(a_sweep_has_a_page),
        cmocka_unit_test(what_is_no_run_is_told),
        cmocka_unit_test(bad_pages_are_seen),
    };
    return cmocka_run_group_tests(tests, set_up, remove_files);
}
