/* report.c: `lathe report`: a run as one HTML file that needs nothing else. */
#include "commands.h"
#include "report_html.h"
#include "run_folder.h"
#include "../../runtime/files.h"

#include <cjson/cJSON.h>
#include <stdio.h>

struct report_options {
    const char *output;
    bool json;
};

static const struct command_option options[] = {
    {"output", 'o', COMMAND_TEXT, offsetof(struct report_options, output), "FILE.html", NULL,
     "where to write it (default: report.html in the run's folder)"},
    {"json", 0, COMMAND_FLAG, offsetof(struct report_options, json), NULL, NULL,
     "print one line of JSON: the file, and the pictures in it"},
};

static const struct command_line line = {
    .name = "report",
    .usage = "RUN [options]",
    .purpose =
        "Writes a run as one HTML file to send to others: model, data, recipe, learning curves,\n"
        "confusion matrix, worst mistakes, filters, and the command that repeats it. RUN is the\n"
        "folder that `lathe train --save` wrote, or that of a sweep: its ranking and scores. The\n"
        "file works without a network.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "RUN (the folder of a run)",
    .least = 1,
    .most = 1,
};

/* The names of the pictures in a page; NULL: one that is not there. */
enum { MOST_PICTURES = 4 };

static void print_json(const char *output, const char *const pictures[MOST_PICTURES]) {
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "report", output);
    cJSON *list = cJSON_AddArrayToObject(json, "pictures");
    for (int i = 0; i < MOST_PICTURES; i++)
        if (pictures[i]) cJSON_AddItemToArray(list, cJSON_CreateString(pictures[i]));
    command_print_json(json);
}

/* Writes the page and says so. */
static int save(const struct text *html, const char *folder, const struct report_options *o,
                const char *const pictures[MOST_PICTURES], struct error *error) {
    const char *output =
        o->output ? o->output : arena_format(html->arena, "%s/report.html", folder);

    if (!files_write(output, &(struct file_part){html->data, html->length}, 1, error))
        return STATUS_FAILED;
    if (o->json)
        print_json(output, pictures);
    else
        printf("the report is in %s\n", output);
    return STATUS_OK;
}

static int report(const struct run_folder *run, const struct report_options *o,
                  struct error *error) {
    struct report_pictures drawn = {NULL};
    struct text html = {.arena = run->arena};

    if (!report_draw_pictures(run, &drawn, error)) return STATUS_FAILED;
    report_html(&html, run, &drawn);
    const char *const pictures[MOST_PICTURES] = {
        drawn.curves ? "learning curves" : NULL,
        drawn.confusion ? "confusion matrix" : NULL,
        drawn.mistakes ? "worst mistakes" : NULL,
        drawn.filters ? "filters" : NULL,
    };
    return save(&html, run->path, o, pictures, error);
}

static int report_sweep(struct arena *arena, const char *path, const struct report_options *o,
                        struct error *error) {
    struct text html = {.arena = arena};
    bool has_picture;

    if (!sweep_html(&html, path, &has_picture, error)) return STATUS_BAD_INPUT;
    return save(&html, path, o, (const char *const[MOST_PICTURES]){has_picture ? "scores" : NULL},
                error);
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const char *path = arguments->positional[0];
    struct run_folder run;

    if (sweep_folder_is(arena, path)) return report_sweep(arena, path, values, error);
    if (!run_folder_open(&run, arena, path, error)) return STATUS_BAD_INPUT;
    int status = run_check_pictures(&run, error) ? report(&run, values, error) : STATUS_BAD_INPUT;
    run_folder_close(&run);
    return status;
}

int command_report(int argc, char **argv) {
    struct report_options values = {.output = NULL};
    return command_run(&line, argc, argv, &values, work);
}
