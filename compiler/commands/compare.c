/* compare.c: `lathe compare`: several runs side by side: their figures as a table, their learning
 * curves in one picture. */
#include "commands.h"
#include "report_html.h"
#include "run_folder.h"
#include "../../runtime/files.h"
#include "../../runtime/plots.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct compare_options {
    const char *output;
    bool json;
};

static const struct command_option options[] = {
    {"output", 'o', COMMAND_TEXT, offsetof(struct compare_options, output), "FILE", NULL,
     "also draw the learning curves of all: a picture (.png or .svg), or a page with the table and "
     "the picture (.html)"},
    {"json", 0, COMMAND_FLAG, offsetof(struct compare_options, json), NULL, NULL,
     "print one line of JSON instead of the table"},
};

static const struct command_line line = {
    .name = "compare",
    .usage = "RUN... [options]",
    .purpose =
        "Lays runs side by side: the folders that `lathe train --save` wrote, also those in "
        "the runs\nfolder of a sweep. Of a cross-validation it gives mean ± standard deviation "
        "over the folds,\nand the curves of all; each fold is a run too (RUN/fold_1).",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "RUN (the folder of a run)",
    .least = 1,
    .most = 100,
};

/* The columns of the table. */
enum column {
    RUN,
    MODEL,
    PARAMETERS,
    OPTIMIZER,
    LEARNING_RATE,
    BATCH_SIZE,
    EPOCHS,
    VALIDATION_LOSS,
    VALIDATION_ACCURACY,
    TEST_LOSS,
    TEST_ACCURACY,
    EPOCH_SECONDS,
    COLUMNS
};

static const struct {
    const char *name;         /* in JSON too */
    const char *group, *item; /* in run.json; NULL: computed */
    const char *format;       /* of a number; NULL: a text */
    int best;                 /* 1: the largest is the best, -1: the smallest, 0: none is */
} columns[COLUMNS] = {
    [RUN] = {"run", NULL, NULL, NULL, 0},
    [MODEL] = {"model", NULL, "model", NULL, 0},
    [PARAMETERS] = {"parameters", NULL, "parameters", "%.0f", 0},
    [OPTIMIZER] = {"optimizer", "recipe", "optimizer", NULL, 0},
    [LEARNING_RATE] = {"learning_rate", "recipe", "learning_rate", "%g", 0},
    [BATCH_SIZE] = {"batch_size", "recipe", "batch_size", "%.0f", 0},
    [EPOCHS] = {"epochs", "result", "epochs", "%.5g", 0},
    [VALIDATION_LOSS] = {"validation_loss", "result", "validation_loss", "%.4f", -1},
    [VALIDATION_ACCURACY] = {"validation_accuracy", "result", "validation_accuracy", "%.4f", 1},
    [TEST_LOSS] = {"test_loss", "result", "test_loss", "%.4f", -1},
    [TEST_ACCURACY] = {"test_accuracy", "result", "test_accuracy", "%.4f", 1},
    [EPOCH_SECONDS] = {"seconds_per_epoch", NULL, NULL, "%.2f", -1},
};

struct comparison {
    struct arena *arena;
    struct run_folder *runs;
    const char **names; /* of the runs, without what all paths begin with */
    int count;
};

/* --- the figures --- */

static double number(const struct comparison *c, int run, int column) {
    if (column == EPOCH_SECONDS) return run_epoch_seconds(&c->runs[run]);
    return run_number(&c->runs[run], columns[column].group, columns[column].item);
}

/* The standard deviation over the folds; NAN where there is none. */
static double deviation(const struct comparison *c, int run, int column) {
    if (columns[column].best == 0 || !columns[column].item) return NAN;
    return run_number(&c->runs[run], columns[column].group,
                      arena_format(c->arena, "%s_deviation", columns[column].item));
}

/* "" where the run has no such figure. */
static const char *cell(const struct comparison *c, int run, int column) {
    if (column == RUN) return c->names[run];
    if (!columns[column].format)
        return run_text(&c->runs[run], columns[column].group, columns[column].item);
    char text[64];
    double value = number(c, run, column);
    if (!isfinite(value)) return "";
    snprintf(text, sizeof text, columns[column].format, value);
    double spread = deviation(c, run, column);
    return isfinite(spread) ? arena_format(c->arena, "%s ± %.4f", text, spread)
                            : arena_string(c->arena, text);
}

/* A column that no run fills is left out. */
static bool is_used(const struct comparison *c, int column) {
    for (int run = 0; run < c->count; run++)
        if (*cell(c, run, column)) return true;
    return false;
}

/* Whether the run has the best figure of its column, and others have worse ones. */
static bool is_best(const struct comparison *c, int run, int column) {
    double own = number(c, run, column) * columns[column].best;
    bool worse = false;
    if (columns[column].best == 0 || !isfinite(own)) return false;
    for (int other = 0; other < c->count; other++) {
        double value = number(c, other, column) * columns[column].best;
        if (value > own) return false;
        worse = worse || value < own;
    }
    return worse;
}

/* --- text and JSON --- */

static int width_of(const char *text) {
    int width = 0;
    for (; *text; text++) width += (*text & 0xc0) != 0x80;
    return width;
}

static void print_table(const struct comparison *c) {
    for (int run = -1; run < c->count; run++) {
        for (int column = 0, printed = 0; column < COLUMNS; column++) {
            if (!is_used(c, column)) continue;
            int width = width_of(columns[column].name);
            for (int other = 0; other < c->count; other++) {
                int other_width = width_of(cell(c, other, column));
                if (other_width > width) width = other_width;
            }
            const char *text = run < 0 ? columns[column].name : cell(c, run, column);
            int space = width - width_of(text);
            if (printed++) printf("  ");
            if (columns[column].format)
                printf("%*s%s", space, "", text);
            else
                printf("%s%*s", text, space, "");
        }
        printf("\n");
    }
}

static void print_json(const struct comparison *c) {
    cJSON *json = cJSON_CreateArray();
    for (int run = 0; run < c->count; run++) {
        cJSON *object = cJSON_CreateObject();
        for (int column = 0; column < COLUMNS; column++) {
            if (columns[column].format && isfinite(number(c, run, column)))
                cJSON_AddNumberToObject(object, columns[column].name, number(c, run, column));
            else if (!columns[column].format)
                cJSON_AddStringToObject(object, columns[column].name, cell(c, run, column));
            if (isfinite(deviation(c, run, column)))
                cJSON_AddNumberToObject(
                    object, arena_format(c->arena, "%s_deviation", columns[column].name),
                    deviation(c, run, column));
        }
        cJSON_AddItemToArray(json, object);
    }
    command_print_json(json);
}

/* --- picture and page --- */

static bool draw(const void *context, const char *path, struct error *error) {
    const struct comparison *c = context;
    struct compared_run *runs = ARENA_ARRAY(c->arena, struct compared_run, c->count);
    for (int i = 0; i < c->count; i++)
        runs[i] = (struct compared_run){c->names[i], run_histories(&c->runs[i]),
                                        run_history_count(&c->runs[i])};
    return plot_comparison(path, runs, c->count, error);
}

static void put_table(struct text *html, const struct comparison *c) {
    text_put(html, "<section>\n<div class=\"wide\">\n<table>\n");
    for (int run = -1; run < c->count; run++) {
        text_put(html, "<tr>");
        for (int column = 0; column < COLUMNS; column++) {
            if (!is_used(c, column)) continue;
            const char *tag = run < 0 ? "th" : "td";
            text_add(html, "<%s class=\"%s%s\">", tag, columns[column].format ? "number" : "text",
                     run >= 0 && is_best(c, run, column) ? " best" : "");
            const char *text = run < 0 ? columns[column].name : cell(c, run, column);
            for (; run < 0 && *text; text++) text_add(html, "%c", *text == '_' ? ' ' : *text);
            html_escape(html, text);
            text_add(html, "</%s>", tag);
        }
        text_put(html, "</tr>\n");
    }
    text_put(html, "</table>\n</div>\n</section>\n");
}

static bool save_page(const struct comparison *c, const char *path, struct error *error) {
    struct text html = {.arena = c->arena};
    const char *title = arena_format(c->arena, "%d runs", c->count);
    const char *picture = html_picture(c->arena, ".svg", draw, c, error);

    if (!picture) return false;
    html_begin(&html, title);
    text_add(&html, "<h1>%s</h1>\n<p class=\"note\">the best of each column in bold</p>\n", title);
    put_table(&html, c);
    text_put(&html, "<section>\n<h2>Learning curves</h2>\n");
    html_image(&html, picture, "loss and accuracy of each run over its epochs");
    text_put(&html, "</section>\n");
    html_end(&html);
    return files_write(path, &(struct file_part){html.data, html.length}, 1, error);
}

static bool has_suffix(const char *path, const char *suffix) {
    size_t length = strlen(path), end = strlen(suffix);
    return length > end && strcmp(path + length - end, suffix) == 0;
}

static bool save(const struct comparison *c, const char *path, struct error *error) {
    if (!path) return true;
    return has_suffix(path, ".html") ? save_page(c, path, error) : draw(c, path, error);
}

/* --- the command --- */

/* Path without slashes at its end. */
static const char *trimmed(struct arena *arena, const char *path) {
    int length = (int)strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    return arena_format(arena, "%.*s", length, path);
}

/* How long the folders are that all runs are in. */
static size_t common_folders(const struct comparison *c) {
    size_t common = 0;
    for (size_t i = 0; c->names[0][i]; i++) {
        for (int run = 1; run < c->count; run++)
            if (c->names[run][i] != c->names[0][i]) return common;
        if (c->names[0][i] == '/') common = i + 1;
    }
    return c->count > 1 ? 0 : common; /* all names are the same */
}

static bool check_output(const char *path, struct error *error) {
    if (!path || has_suffix(path, ".png") || has_suffix(path, ".svg") || has_suffix(path, ".html"))
        return true;
    return error_set(error, "lathe compare: --output %s: expected a file .png, .svg or .html",
                     path);
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const struct compare_options *o = values;
    struct comparison c = {.arena = arena};
    int status = STATUS_BAD_INPUT;

    if (!check_output(o->output, error)) return STATUS_BAD_INPUT;
    c.runs = ARENA_ARRAY(arena, struct run_folder, arguments->count);
    c.names = ARENA_ARRAY(arena, const char *, arguments->count);
    while (c.count < arguments->count) {
        const char *path = trimmed(arena, arguments->positional[c.count]);
        if (!run_folder_open(&c.runs[c.count], arena, path, error)) break;
        c.names[c.count++] = path;
    }
    if (c.count == arguments->count) {
        size_t common = common_folders(&c);
        for (int i = 0; i < c.count; i++) c.names[i] += common;
        status = save(&c, o->output, error) ? STATUS_OK : STATUS_FAILED;
        if (status == STATUS_OK) (o->json ? print_json : print_table)(&c);
    }
    for (int i = 0; i < c.count; i++) run_folder_close(&c.runs[i]);
    return status;
}

int command_compare(int argc, char **argv) {
    struct compare_options values = {.output = NULL};
    return command_run(&line, argc, argv, &values, work);
}
