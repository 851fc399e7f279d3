/* report_html.c: the page of `lathe report` (see report_html.h). */
#include "report_html.h"
#include "commands.h"
#include "../../runtime/files.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- pictures --- */

static bool draw_curves(const void *run, const char *path, struct error *error) {
    return run_draw_curves(run, path, error);
}
static bool draw_confusion(const void *run, const char *path, struct error *error) {
    return run_draw_confusion(run, path, error);
}
static bool draw_mistakes(const void *run, const char *path, struct error *error) {
    return run_draw_mistakes(run, path, error);
}
static bool draw_filters(const void *run, const char *path, struct error *error) {
    return run_draw_filters(run, path, error);
}

bool report_draw_pictures(const struct run_folder *run, struct report_pictures *pictures,
                          struct error *error) {
    struct arena *arena = run->arena;
    pictures->curves = html_picture(arena, ".svg", draw_curves, run, error);
    /* Browsers smooth small images in SVG files, as its cells would be. */
    if (!error->text[0])
        pictures->confusion = html_picture(arena, ".png", draw_confusion, run, error);
    if (!error->text[0])
        pictures->mistakes = html_picture(arena, ".png", draw_mistakes, run, error);
    if (!error->text[0]) pictures->filters = html_picture(arena, ".png", draw_filters, run, error);
    return !error->text[0];
}

/* --- pieces --- */

static const char *grouped(struct arena *arena, double number) {
    char text[40];
    return isfinite(number) ? arena_string(arena, command_grouped(number, text)) : "";
}

static void put_card(struct text *html, const char *value, const char *what) {
    text_put(html, "<div class=\"card\"><b>");
    html_escape(html, value);
    text_put(html, "</b><span>");
    html_escape(html, what);
    text_put(html, "</span></div>\n");
}

static void put_number_card(struct text *html, double number, const char *format,
                            const char *what) {
    char text[64];
    if (!isfinite(number)) return;
    snprintf(text, sizeof text, format, number);
    put_card(html, text, what);
}

static void put_row(struct text *html, const char *name, const char *value) {
    if (!*value) return;
    text_put(html, "<tr><th>");
    html_escape(html, name);
    text_put(html, "</th><td>");
    html_escape(html, value);
    text_put(html, "</td></tr>\n");
}

static void put_number_row(struct text *html, const char *name, double number) {
    if (isfinite(number)) put_row(html, name, arena_format(html->arena, "%g", number));
}

/* The sizes of a JSON list: "28 x 28 x 1". */
static const char *shape_text(struct arena *arena, const cJSON *list) {
    struct text text = {.arena = arena};
    const cJSON *size;
    cJSON_ArrayForEach(size, list)
        text_add(&text, "%s%.0f", text.length ? " × " : "", size->valuedouble);
    return text_string(&text);
}

static const cJSON *member(const cJSON *json, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

/* --- sections --- */

static void put_duration_card(struct text *html, double seconds) {
    if (!isfinite(seconds)) return;
    put_card(html,
             seconds < 100    ? arena_format(html->arena, "%.1f s", seconds)
             : seconds < 6000 ? arena_format(html->arena, "%.0f min", seconds / 60)
                              : arena_format(html->arena, "%.1f h", seconds / 3600),
             "training time");
}

/* Of a cross-validation mean and standard deviation. */
static void put_validation_card(struct text *html, const struct run_folder *run, const char *name,
                                const char *what) {
    const char *deviation_name = arena_format(html->arena, "%s_deviation", name);
    double value = run_number(run, "result", name);
    double deviation = run_number(run, "result", deviation_name);
    if (isfinite(deviation))
        put_card(html, arena_format(html->arena, "%.4f ± %.4f", value, deviation), what);
    else
        put_number_card(html, value, "%.4f", what);
}

static void put_folds_note(struct text *html, const struct run_folder *run) {
    double folds = run_number(run, "recipe", "folds"), fold = run_number(run, "recipe", "fold");
    if (run->fold_count)
        text_add(html, "; cross-validation with %d folds: mean ± standard deviation",
                 run->fold_count);
    else if (isfinite(folds))
        text_add(html, "; fold %.0f of %.0f of a cross-validation", fold, folds);
}

static void put_head(struct text *html, const struct run_folder *run) {
    const char *finished = run_text(run, NULL, "finished");

    text_put(html, "<h1>");
    html_escape(html, run_text(run, NULL, "model"));
    text_put(html, "</h1>\n<p class=\"note\">trained on ");
    html_escape(html, run_text(run, "data", "name"));
    text_put(html, " with lathe ");
    html_escape(html, run_text(run, NULL, "lathe"));
    if (*finished) text_put(html, ", finished ");
    html_escape(html, finished);
    put_folds_note(html, run);
    text_put(html, "</p>\n<div class=\"cards\">\n");
    put_number_card(html, run_number(run, "result", "test_accuracy"), "%.4f", "test accuracy");
    put_number_card(html, run_number(run, "result", "test_loss"), "%.4f", "test loss");
    put_validation_card(html, run, "validation_accuracy", "validation accuracy");
    if (run->fold_count) put_validation_card(html, run, "validation_loss", "validation loss");
    put_number_card(html, run_number(run, "result", "training_accuracy"), "%.4f",
                    "training accuracy");
    put_card(html, grouped(html->arena, run_number(run, NULL, "parameters")), "parameters");
    put_number_card(html, run_number(run, "result", "epochs"), "%.4g",
                    run->fold_count ? "epochs of a fold" : "epochs");
    put_duration_card(html, run_number(run, "result", "seconds"));
    text_put(html, "</div>\n");
}

static void put_data(struct text *html, const struct run_folder *run) {
    const cJSON *data = member(run->record, "data");

    text_put(html, "<div>\n<h2>Data</h2>\n<table>\n");
    put_row(html, "data set", run_text(run, "data", "name"));
    put_row(html, "sample", shape_text(html->arena, member(data, "shape")));
    put_row(html, "training samples",
            grouped(html->arena, run_number(run, "data", "training_samples")));
    put_row(html, "test samples", grouped(html->arena, run_number(run, "data", "test_samples")));
    const struct class_names *classes = run->fold_count ? &run->folds[0].names : &run->names;
    if (classes->names) {
        struct text names = {.arena = html->arena};
        for (int i = 0; i < classes->count && i < 30; i++)
            text_add(&names, "%s%s", i ? ", " : "", classes->names[i]);
        if (classes->count > 30) text_add(&names, ", ... (%d)", classes->count);
        put_row(html, "classes", text_string(&names));
    }
    text_put(html, "</table>\n</div>\n");
}

static void add_value(struct text *text, const cJSON *value) {
    const cJSON *item;
    if (cJSON_IsNumber(value)) text_add(text, "%.6g", value->valuedouble);
    if (cJSON_IsBool(value)) text_put(text, cJSON_IsTrue(value) ? "yes" : "no");
    if (cJSON_IsString(value)) text_put(text, value->valuestring);
    if (!cJSON_IsArray(value)) return;
    text_put(text, "(");
    cJSON_ArrayForEach(item, value) {
        if (item->prev && item != value->child) text_put(text, ", ");
        if (!cJSON_IsArray(item)) add_value(text, item);
    }
    text_put(text, ")");
}

/* "patience 5, min_delta 0": options that are off, `false`, are left out; zeros too, where they say
 * the same. */
static const char *options_text(struct arena *arena, const cJSON *options, bool zeros) {
    struct text text = {.arena = arena};
    const cJSON *option;
    cJSON_ArrayForEach(option, options) {
        if (cJSON_IsFalse(option) || !option->string || strcmp(option->string, "name") == 0)
            continue;
        if (!zeros && cJSON_IsNumber(option) && option->valuedouble == 0) continue;
        text_add(&text, "%s%s ", text.length ? ", " : "", option->string);
        add_value(&text, option);
    }
    return text_string(&text);
}

/* "early_stopping: monitor val_loss, ..." */
static const char *named_text(struct arena *arena, const cJSON *json) {
    const char *name = cJSON_GetStringValue(member(json, "name"));
    const char *options = options_text(arena, json, true);
    return arena_format(arena, "%s%s%s", name ? name : "", *options ? ": " : "", options);
}

static void put_recipe(struct text *html, const struct run_folder *run) {
    const cJSON *recipe = member(run->record, "recipe"), *callback;
    double split = run_number(run, "recipe", "validation_split");

    text_put(html, "<div>\n<h2>Recipe</h2>\n<table>\n");
    put_row(html, "loss",
            arena_format(html->arena, "%s%s", run_text(run, "recipe", "loss"),
                         cJSON_IsTrue(member(recipe, "from_logits")) ? ", from logits" : ""));
    put_row(html, "optimizer", run_text(run, "recipe", "optimizer"));
    put_row(html, "", options_text(html->arena, member(recipe, "optimizer_options"), true));
    if (member(recipe, "schedule"))
        put_row(html, "learning rate", named_text(html->arena, member(recipe, "schedule")));
    else
        put_number_row(html, "learning rate", run_number(run, "recipe", "learning_rate"));
    put_number_row(html, "batch size", run_number(run, "recipe", "batch_size"));
    put_number_row(html, "epochs", run_number(run, "recipe", "epochs"));
    put_number_row(html, "validation split", split > 0 ? split : NAN);
    put_number_row(html, "folds", run_number(run, "recipe", "folds"));
    if (split > 0 || isfinite(run_number(run, "recipe", "folds")))
        put_row(html, "stratified", cJSON_IsFalse(member(recipe, "stratified")) ? "no" : "yes");
    cJSON_ArrayForEach(callback, member(recipe, "callbacks"))
        put_row(html, "callback", named_text(html->arena, callback));
    put_row(html, "augmentation", options_text(html->arena, member(recipe, "augmentation"), false));
    if (strcmp(run_text(run, "recipe", "best"), "latest") != 0)
        put_row(html, "best by", run_text(run, "recipe", "best"));
    put_row(html, "seed", arena_format(html->arena, "%.0f", run_number(run, "recipe", "seed")));
    put_number_row(html, "weights of epoch", run_number(run, "result", "kept_epoch"));
    put_row(html, "ran on",
            arena_format(html->arena, "%s, %.0f thread%s", run_text(run, "result", "backend"),
                         run_number(run, "result", "threads"),
                         run_number(run, "result", "threads") == 1 ? "" : "s"));
    text_put(html, "</table>\n</div>\n");
}

static void put_layers(struct text *html, const struct run_folder *run) {
    const cJSON *layer;

    text_put(html, "<section>\n<h2>Model</h2>\n<div class=\"wide\">\n<table>\n<tr><th>layer</th>"
                   "<th>type</th><th>output shape</th><th class=\"number\">parameters</th></tr>\n");
    cJSON_ArrayForEach(layer, member(run->record, "layers")) {
        const char *name = cJSON_GetStringValue(member(layer, "name"));
        const char *type = cJSON_GetStringValue(member(layer, "type"));
        const cJSON *parameters = member(layer, "parameters");
        text_put(html, "<tr><td>");
        html_escape(html, name ? name : "");
        text_put(html, "</td><td>");
        html_escape(html, type ? type : "");
        text_add(html, "</td><td>%s</td><td class=\"number\">%s</td></tr>\n",
                 shape_text(html->arena, member(layer, "shape")),
                 grouped(html->arena, parameters ? parameters->valuedouble : 0));
    }
    text_add(html, "<tr><th>in all</th><td></td><td></td><th class=\"number\">%s</th></tr>\n",
             grouped(html->arena, run_number(run, NULL, "parameters")));
    text_put(html, "</table>\n</div>\n</section>\n");
}

static void put_folds(struct text *html, const struct run_folder *run) {
    static const char *const names[] = {"kept_epoch", "training_loss", "training_accuracy",
                                        "validation_loss", "validation_accuracy"};
    enum { NAMES = sizeof names / sizeof *names };

    if (run->fold_count == 0) return;
    text_put(html, "<section>\n<h2>Folds</h2>\n<div class=\"wide\">\n<table>\n<tr><th>fold</th>"
                   "<th class=\"number\">weights of epoch</th><th class=\"number\">training "
                   "loss</th><th class=\"number\">training accuracy</th><th class=\"number\">"
                   "validation loss</th><th class=\"number\">validation accuracy</th></tr>\n");
    for (int i = 0; i < run->fold_count; i++) {
        text_add(html, "<tr><td>%d</td>", i + 1);
        for (int k = 0; k < NAMES; k++) {
            double value = run_number(&run->folds[i], "result", names[k]);
            text_put(html, "<td class=\"number\">");
            if (isfinite(value)) text_add(html, k ? "%.4f" : "%.0f", value);
            text_put(html, "</td>");
        }
        text_put(html, "</tr>\n");
    }
    text_put(html, "</table>\n</div>\n</section>\n");
}

static void put_picture(struct text *html, const char *title, const char *note, const char *uri) {
    if (!uri) return;
    text_put(html, "<section>\n<h2>");
    html_escape(html, title);
    text_put(html, "</h2>\n");
    if (*note) text_add(html, "<p class=\"note\">%s</p>\n", note);
    html_image(html, uri, title);
    text_put(html, "</section>\n");
}

static void put_classes(struct text *html, const struct run_folder *run) {
    if (!run->has_confusion) return;
    text_put(html, "<section>\n<h2>Classes</h2>\n<div class=\"wide\">\n<table>\n<tr><th>class</th>"
                   "<th class=\"number\">test samples</th><th class=\"number\">recall</th>"
                   "<th class=\"number\">precision</th></tr>\n");
    for (int i = 0; i < run->confusion.classes; i++) {
        long samples = 0;
        for (int k = 0; k < run->confusion.classes; k++)
            samples += confusion_at(&run->confusion, i, k);
        text_put(html, "<tr><td>");
        html_escape(html, run_class(run, i));
        text_add(html,
                 "</td><td class=\"number\">%ld</td><td class=\"number\">%.4f</td>"
                 "<td class=\"number\">%.4f</td></tr>\n",
                 samples, confusion_recall(&run->confusion, i),
                 confusion_precision(&run->confusion, i));
    }
    text_put(html, "</table>\n</div>\n</section>\n");
}

/* The text of a file of the model, as the run keeps it. */
static void put_source(struct text *html, const struct run_folder *run, const char *name) {
    if (!name || strchr(name, '/')) return;
    char *path = arena_format(run->arena, "%s/model/%s", run->path, name);
    char *text = files_read(path, NULL, NULL);

    if (text) {
        text_put(html, "<p class=\"note\">");
        html_escape(html, name);
        text_put(html, "</p>\n<pre>");
        html_escape(html, text);
        text_put(html, "</pre>\n");
    }
    free(text);
}

static void put_reproduction(struct text *html, const struct run_folder *run) {
    const cJSON *file;

    text_put(html, "<section>\n<h2>To repeat it</h2>\n<pre class=\"command\">");
    html_escape(html, run_text(run, NULL, "command"));
    text_put(html, "</pre>\n");
    cJSON_ArrayForEach(file, member(run->record, "files"))
        put_source(html, run, cJSON_GetStringValue(file));
    text_put(html, "</section>\n");
}

void report_html(struct text *html, const struct run_folder *run,
                 const struct report_pictures *pictures) {
    html_begin(html, run_text(run, NULL, "model"));
    put_head(html, run);
    text_put(html, "<section class=\"two\">\n");
    put_data(html, run);
    put_recipe(html, run);
    text_put(html, "</section>\n");
    put_picture(html, "Learning curves", "", pictures->curves);
    put_folds(html, run);
    put_picture(html, "Confusion matrix",
                "on the test data: rows are true classes, columns are "
                "what the model says",
                pictures->confusion);
    put_classes(html, run);
    put_picture(html, "Worst mistakes",
                "test samples of which the model is most sure, and wrong; the number is what it "
                "gives the class it chose",
                pictures->mistakes);
    put_picture(html, "First-layer filters", "", pictures->filters);
    put_layers(html, run);
    put_reproduction(html, run);
    html_end(html);
}
