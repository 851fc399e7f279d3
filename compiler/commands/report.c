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
        "folder that `lathe train --save` wrote. The file works without a network.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "RUN (the folder of a run)",
    .least = 1,
    .most = 1,
};

static void print_json(const char *output, const struct report_pictures *pictures) {
    cJSON *json = cJSON_CreateObject();
    cJSON *list;

    cJSON_AddStringToObject(json, "report", output);
    list = cJSON_AddArrayToObject(json, "pictures");
    if (pictures->curves) cJSON_AddItemToArray(list, cJSON_CreateString("learning curves"));
    if (pictures->confusion) cJSON_AddItemToArray(list, cJSON_CreateString("confusion matrix"));
    if (pictures->mistakes) cJSON_AddItemToArray(list, cJSON_CreateString("worst mistakes"));
    if (pictures->filters) cJSON_AddItemToArray(list, cJSON_CreateString("filters"));
    command_print_json(json);
}

static int report(const struct run_folder *run, const struct report_options *o,
                  struct error *error) {
    const char *output =
        o->output ? o->output : arena_format(run->arena, "%s/report.html", run->path);
    struct report_pictures pictures = {NULL};
    struct text html = {.arena = run->arena};

    if (!report_draw_pictures(run, &pictures, error)) return STATUS_FAILED;
    report_html(&html, run, &pictures);
    if (!files_write(output, &(struct file_part){html.data, html.length}, 1, error))
        return STATUS_FAILED;
    if (o->json)
        print_json(output, &pictures);
    else
        printf("the report is in %s\n", output);
    return STATUS_OK;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    struct run_folder run;

    if (!run_folder_open(&run, arena, arguments->positional[0], error)) return STATUS_BAD_INPUT;
    int status = report(&run, values, error);
    run_folder_close(&run);
    return status;
}

int command_report(int argc, char **argv) {
    struct report_options values = {.output = NULL};
    return command_run(&line, argc, argv, &values, work);
}
