/* sweep_html.c: the page of `lathe report` for a sweep, from the files in its folder (see
 * report_html.h). */
#include "commands.h"
#include "report_html.h"
#include "../../runtime/files.h"
#include "../../runtime/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PARAMETERS = 64 };

/* results.json, and the names of the hyperparameters that some point has. */
struct sweep_results {
    struct arena *arena;
    const char *path;
    cJSON *json;
    const cJSON *points;
    const char *parameters[MOST_PARAMETERS];
    int parameter_count;
};

bool sweep_folder_is(struct arena *arena, const char *path) {
    return files_exist(arena_format(arena, "%s/journal.jsonl", path));
}

/* --- reading --- */

static const cJSON *member(const cJSON *json, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static const char *text_of(const cJSON *json, const char *name) {
    const char *text = cJSON_GetStringValue(member(json, name));
    return text ? text : "";
}

static void add_parameter(struct sweep_results *results, const char *name) {
    for (int i = 0; i < results->parameter_count; i++)
        if (strcmp(results->parameters[i], name) == 0) return;
    if (results->parameter_count < MOST_PARAMETERS)
        results->parameters[results->parameter_count++] = name;
}

static bool open_results(struct sweep_results *results, struct error *error) {
    const char *path = arena_format(results->arena, "%s/results.json", results->path);
    const cJSON *point, *value;

    if (!files_exist(path))
        return error_set(error,
                         "%s: is the folder of a sweep that has not come to its end; `lathe sweep` "
                         "with --resume goes on with it",
                         results->path);
    char *text = files_read(path, NULL, error);
    if (!text) return false;
    results->json = cJSON_Parse(text);
    free(text);
    results->points = member(results->json, "points");
    if (!cJSON_IsArray(results->points))
        return error_set(error, "%s: is damaged: it has no list of points", path);
    cJSON_ArrayForEach(point, results->points) cJSON_ArrayForEach(value, member(point, "values"))
        add_parameter(results, value->string ? value->string : "");
    return true;
}

/* --- pieces of the page --- */

static void put_cell(struct text *html, const char *text, bool is_number, bool is_best) {
    text_add(html, "<td class=\"%s%s\">", is_number ? "number" : "text", is_best ? " best" : "");
    html_escape(html, text);
    text_put(html, "</td>");
}

static void put_number(struct text *html, double value, const char *format, bool is_best) {
    char text[64] = "";
    if (isfinite(value)) snprintf(text, sizeof text, format, value);
    put_cell(html, text, true, is_best);
}

/* The value of a hyperparameter as it stands in the sweep file, nearly: texts without quotes. */
static void put_value(struct text *html, const cJSON *value) {
    const char *text = cJSON_GetStringValue(value);
    char *printed = value && !text ? cJSON_PrintUnformatted(value) : NULL;
    put_cell(html, text ? text : printed ? printed : "", cJSON_IsNumber(value), false);
    cJSON_free(printed);
}

static void put_point(struct text *html, const struct sweep_results *results, const cJSON *point) {
    double rank = json_number(point, "rank"), spread = json_number(point, "spread");
    const char *failure = text_of(point, "error");

    text_put(html, "<tr>");
    put_number(html, rank, "%.0f", false);
    put_number(html, json_number(point, "point"), "%.0f", false);
    for (int i = 0; i < results->parameter_count; i++)
        put_value(html, member(member(point, "values"), results->parameters[i]));
    if (isfinite(rank)) {
        const char *score = arena_format(html->arena, "%.4f", json_number(point, "score"));
        if (isfinite(spread)) score = arena_format(html->arena, "%s ± %.4f", score, spread);
        put_cell(html, score, true, rank == 1);
        put_number(html, json_number(point, "best_epoch"), "%.0f", false);
        put_number(html, json_number(point, "parameters"), "%.0f", false);
        put_number(html, json_number(point, "seconds"), "%.1f", false);
    } else {
        text_put(html, "<td colspan=\"4\">");
        html_escape(html, *failure ? failure : "no score");
        text_put(html, "</td>");
    }
    text_put(html, "</tr>\n");
}

static void put_heading(struct text *html, const char *name, bool is_number) {
    text_add(html, "<th%s>", is_number ? " class=\"number\"" : "");
    html_escape(html, name);
    text_put(html, "</th>");
}

static void put_table(struct text *html, const struct sweep_results *results) {
    const cJSON *point;

    text_put(html, "<section>\n<h2>Ranking</h2>\n<div class=\"wide\">\n<table>\n<tr>");
    put_heading(html, "rank", true);
    put_heading(html, "point", true);
    for (int i = 0; i < results->parameter_count; i++) {
        const cJSON *first = cJSON_GetArrayItem(results->points, 0);
        const cJSON *value = member(member(first, "values"), results->parameters[i]);
        put_heading(html, results->parameters[i], cJSON_IsNumber(value));
    }
    put_heading(html, text_of(results->json, "score"), true);
    put_heading(html, "best epoch", true);
    put_heading(html, "parameters", true);
    put_heading(html, "seconds", true);
    text_put(html, "</tr>\n");
    cJSON_ArrayForEach(point, results->points) put_point(html, results, point);
    text_put(html, "</table>\n</div>\n</section>\n");
}

static void put_head(struct text *html, const struct sweep_results *results) {
    double repeats = json_number(results->json, "repeats"),
           folds = json_number(results->json, "folds");

    text_put(html, "<h1>");
    html_escape(html, text_of(results->json, "sweep"));
    text_add(html, "</h1>\n<p class=\"note\">a sweep over %d points (",
             cJSON_GetArraySize(results->points));
    html_escape(html, text_of(results->json, "strategy"));
    text_put(html, "), ranked by ");
    html_escape(html, text_of(results->json, "score"));
    if (folds > 1) text_add(html, ": mean ± standard deviation over %.0f folds", folds);
    if (repeats > 1) text_add(html, ": mean ± standard deviation over %.0f seeds", repeats);
    text_put(html, "</p>\n");
}

/* How the best point is trained again, as its run tells. */
static void put_command(struct text *html, const struct sweep_results *results) {
    double point = json_number(cJSON_GetArrayItem(results->points, 0), "point");
    if (!(point >= 1 && point < 1e6)) return;
    const char *folder = arena_format(html->arena, "%s/runs/%04d", results->path, (int)point);
    char *text = files_read(arena_format(html->arena, "%s/run.json", folder), NULL, NULL);
    cJSON *record = text ? cJSON_Parse(text) : NULL;

    if (*text_of(record, "command")) {
        text_put(html, "<section>\n<h2>To repeat the best</h2>\n<pre class=\"command\">");
        html_escape(html, text_of(record, "command"));
        text_put(html, "</pre>\n<p class=\"note\">lathe report ");
        html_escape(html, folder);
        text_put(html, " tells more of it</p>\n</section>\n");
    }
    cJSON_Delete(record);
    free(text);
}

bool sweep_html(struct text *html, const char *path, bool *has_picture, struct error *error) {
    struct sweep_results results = {.arena = html->arena, .path = path};
    const char *picture = arena_format(html->arena, "%s/scores.png", path), *uri = NULL;

    *has_picture = files_exist(picture);
    bool read = open_results(&results, error);
    if (read && *has_picture) {
        uri = html_picture_file(html->arena, picture, error);
        read = uri != NULL;
    }
    if (read) {
        html_begin(html, text_of(results.json, "sweep"));
        put_head(html, &results);
        if (uri) {
            text_put(html, "<section>\n<h2>Scores</h2>\n<p class=\"note\">of each point, against "
                           "each hyperparameter; the best one in orange</p>\n");
            html_image(html, uri, "the score of each point against each hyperparameter");
            text_put(html, "</section>\n");
        }
        put_table(html, &results);
        put_command(html, &results);
        html_end(html);
    }
    cJSON_Delete(results.json);
    return read;
}
