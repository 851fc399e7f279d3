/* slow_report.c: the pages of `lathe report` and `lathe compare` in headless Chromium: every
 * picture is shown, no script fails, nothing is fetched. `make report-test` installs Chromium;
 * without it the tests are skipped. */
#include "tests/command_run.h"

static char run[256], folds[256], sweep[256], profile[256];

static const char model_text[] =
    "return model \"tiny\" { input { 8, 8, 1 }, conv2d { 4, kernel_size = 3 }, flatten {},\n"
    "  dense { 3, activation = \"softmax\" },\n"
    "  training = { loss = \"sparse_categorical_crossentropy\", epochs = 1,\n"
    "               validation_split = 0.2, optimizer = adam { learning_rate = 0.0003 } } }\n";

static const char sweep_text[] =
    "return sweep \"units\" { space = { units = { 2, 3, 4 } }, model = function(p)\n"
    "  return model \"tiny\" { input { 8, 8, 1 }, flatten {}, dense { p.units },\n"
    "    dense { 3, activation = \"softmax\" }, training = { epochs = 1,\n"
    "      loss = \"sparse_categorical_crossentropy\", validation_split = 0.2 } } end }\n";

/* What a copy of a page gets, to tell what a reader would see. */
static const char probe[] =
    "<script>\n"
    "let failures = 0;\n"
    "addEventListener('error', () => failures++);\n"
    "addEventListener('load', () => {\n"
    "  const images = [...document.images];\n"
    "  const shown = images.filter(i => i.complete && i.naturalWidth > 0 && i.offsetHeight > 50);\n"
    "  const wide = document.documentElement.scrollWidth > innerWidth;\n"
    "  document.title = `${shown.length} of ${images.length} shown, ${failures} failures, ` +\n"
    "    `${wide ? 'too wide' : 'fits'}, ${document.body.innerText.length} characters`;\n"
    "});\n"
    "</script>\n";

static int set_up(void **state) {
    char *model, *file;
    (void)state;
    if (make_data() != 0) return -1;
    model = path_in(folder, "tiny.lua");
    snprintf(run, sizeof run, "%s/run", folder);
    snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", folder);
    file = path_in(folder, "units.lua");
    snprintf(folds, sizeof folds, "%s/folds", folder);
    snprintf(sweep, sizeof sweep, "%s/sweep", folder);
    write_file(model, model_text, strlen(model_text));
    write_file(file, sweep_text, strlen(sweep_text));
    return RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save", run, "--quiet",
               "--no-plots") ||
           RUN("report", run, "-o", path_in(folder, "report.html")) ||
           RUN("compare", run, run, "-o", path_in(folder, "compare.html")) ||
           RUN("train", model, "--data", data_folder, "--backend", "tcc", "--save", folds,
               "--quiet", "--no-plots", "--folds", "3") ||
           RUN("report", folds, "-o", path_in(folder, "folds.html")) ||
           RUN("sweep", file, "--data", data_folder, "--backend", "tcc", "--save", sweep,
               "--quiet") ||
           RUN("report", sweep, "-o", path_in(folder, "sweep.html"));
}

static bool have_chromium(void) {
    return system("command -v chromium >/dev/null 2>&1") == 0;
}

/* Opens folder/NAME with what stands before </head>, and returns the title that the probe leaves;
 * network.json gets all that Chromium's network stack was asked for. */
static const char *open_page(const char *name, const char *head) {
    static char title[300];
    char *page = files_read(path_in(folder, name), NULL, NULL), command[3000], *line = NULL;
    char *probed = path_in(folder, "probed.html");
    size_t size = 0;

    assert_non_null(page);
    char *end = strstr(page, "</head>");
    assert_non_null(end);
    FILE *file = fopen(probed, "w");
    fprintf(file, "%.*s%s%s%s", (int)(end - page), page, head, probe, end);
    fclose(file);
    free(page);
    /* --no-sandbox: tests may run as root; the page is our own. */
    snprintf(command, sizeof command,
             "timeout 120 chromium --headless --no-sandbox --disable-gpu --no-first-run "
             "--disable-background-networking --disable-component-update --disable-sync "
             "--window-size=1200,1000 --log-net-log=%s/network.json %s --dump-dom file://%s "
             "2>/dev/null",
             folder, profile, probed);
    FILE *pipe = popen(command, "r");
    title[0] = '\0';
    while (getline(&line, &size, pipe) > 0) {
        char *begin = strstr(line, "<title>"), *close = strstr(line, "</title>");
        if (begin && close)
            snprintf(title, sizeof title, "%.*s", (int)(close - begin - 7), begin + 7);
    }
    free(line);
    assert_int_equal(pclose(pipe), 0);
    return title;
}

/* Addresses that the page (not the browser itself) asked for; the first of them in *first. */
static int count_requests(char first[300]) {
    char *text = files_read(path_in(folder, "network.json"), NULL, NULL);
    int count = 0;
    assert_non_null(text);
    /* {"params":{...,"initiator":"file://" or "null","url":"http://..."},...} */
    for (char *c = text; (c = strstr(c, "\"initiator\":\"")); c++) {
        char *value = c + strlen("\"initiator\":\""), *line = strchr(c, '\n');
        char *url = strstr(c, "\"url\":\"");
        if (strncmp(value, "not an origin", 13) == 0 || !url || (line && url > line)) continue;
        url += strlen("\"url\":\"");
        if (strncmp(url, "http", 4) != 0) continue;
        if (count++ == 0) snprintf(first, 300, "%.*s", (int)strcspn(url, "\""), url);
    }
    free(text);
    return count;
}

static void expect_page(const char *name, int images) {
    char expected[100], first[300];
    const char *title = open_page(name, "");
    int characters = 0;

    snprintf(expected, sizeof expected, "%d of %d shown, 0 failures, fits, ", images, images);
    if (strncmp(title, expected, strlen(expected)) != 0)
        fail_msg("%s: \"%s\" instead of \"%s\"", name, title, expected);
    sscanf(title + strlen(expected), "%d", &characters);
    assert_true(characters > 200);
    if (count_requests(first)) fail_msg("%s: asks for %s", name, first);
}

static void pages_render_without_a_network(void **state) {
    (void)state;
    if (!have_chromium()) {
        print_message("chromium is not installed: `make report-test` installs it\n");
        skip();
    }
    expect_page("report.html", 4);
    expect_page("compare.html", 1);
    expect_page("folds.html", 1);
    expect_page("sweep.html", 1);
}

/* What is wrong with a page is seen. */
static void what_fails_is_seen(void **state) {
    char first[300] = "";
    (void)state;
    if (!have_chromium()) skip();
    const char *title = open_page("report.html", "<img src=\"http://127.0.0.1:9/x.png\"/>");
    assert_non_null(strstr(title, "4 of 5 shown"));
    assert_true(count_requests(first) > 0);
    assert_string_equal(first, "http://127.0.0.1:9/x.png");
    title =
        open_page("compare.html", "<script>addEventListener('load', () => missing());</script>");
    assert_null(strstr(title, " 0 failures"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_render_without_a_network),
        cmocka_unit_test(what_fails_is_seen),
    };
    return cmocka_run_group_tests(tests, set_up, remove_files);
}
