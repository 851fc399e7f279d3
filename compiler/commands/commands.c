/* commands.c: what the commands share: running, errors, data, targets, threads. */
#include "commands.h"
#include "../../runtime/evaluation.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void command_print_error(const char *message) {
    size_t word = strcspn(message, " ");
    bool file = word > 1 && message[word] == ' ' && message[word - 1] == ':';
    bool named = strncmp(message, "lathe ", 6) == 0;

    fprintf(stderr, "%s%s\n", file || named ? "" : "lathe: ", message);
}

/* The arena's owner: an exhausted arena comes back here. */
static int run_with_arena(command_work *work, const struct arguments *arguments, void *values,
                          struct error *error) {
    struct arena arena;
    int status;

    arena_init(&arena);
    if (setjmp(arena.exhausted)) {
        error_set(error, "out of memory");
        status = STATUS_FAILED;
    } else {
        status = work(&arena, arguments, values, error);
    }
    arena_free(&arena);
    return status;
}

int command_run(const struct command_line *line, int argc, char **argv, void *values,
                command_work *work) {
    struct arguments arguments;
    struct error error = {.text = ""};

    if (!options_parse(line, argc, argv, values, &arguments, &error)) {
        command_print_error(error.text);
        return STATUS_BAD_INPUT;
    }
    if (arguments.help) {
        options_print_help(line);
        return STATUS_OK;
    }
    int status = run_with_arena(work, &arguments, values, &error);
    if (status != STATUS_OK && error.text[0]) command_print_error(error.text);
    return status;
}

const struct target *command_target(const char *name, struct error *error) {
    const struct target *target = name ? target_find(name) : target_native();
    char names[256] = "";

    if (target) return target;
    for (const struct target *const *all = targets(); *all; all++)
        if (strlen(names) + strlen((*all)->name) + 3 < sizeof names)
            sprintf(names + strlen(names), "%s%s", *names ? ", " : "", (*all)->name);
    error_set(error, "unknown target \"%s\"; there are: %s", name ? name : "", names);
    return NULL;
}

/* --- data --- */

/* True if the folder base/name holds training images. */
static bool holds_data(const char *base, const char *name) {
    char *path = files_join(base, name);
    DIR *folder = path ? opendir(path) : NULL;
    const struct dirent *entry;
    bool found = false;

    while (folder && !found && (entry = readdir(folder)))
        found = strncmp(entry->d_name, "train-images", 12) == 0;
    if (folder) closedir(folder);
    free(path);
    return found;
}

/* Appends the names of the data sets in a folder to a comma-separated list. */
static void list_data(const char *base, char *list, size_t size) {
    struct dirent **entries;
    int count = base && *base ? scandir(base, &entries, NULL, alphasort) : -1;

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        size_t used = strlen(list);
        if (name[0] != '.' && holds_data(base, name) && used + strlen(name) + 3 < size)
            snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
}

bool command_open_data(const char *command, const char *name, struct dataset_pair *pair,
                       struct error *error) {
    const char *data_home = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char list[512] = "";

    if (name) return dataset_open(name, pair, error);
    char *own = data_home && *data_home == '/' ? files_join(data_home, "lathe")
                : home && *home                ? files_join(home, ".local/share/lathe")
                                               : NULL;
    list_data(getenv("LATHE_DATA"), list, sizeof list);
    list_data("/usr/share/datasets", list, sizeof list);
    list_data(own, list, sizeof list);
    free(own);
    if (*list)
        return error_set(error,
                         "lathe %s: --data is missing: a folder of IDX files, or a name; "
                         "available here: %s",
                         command, list);
    return error_set(error,
                     "lathe %s: --data is missing: a folder of IDX files, or the name of "
                     "one; none is installed (on Debian: apt install dataset-fashion-mnist, then "
                     "--data fashion-mnist)",
                     command);
}

/* --- running a model --- */

struct jit *command_jit(const struct model *model, const struct backend_options *options,
                        struct compile_options compile, struct error *error) {
    static const char *const compilers[] = {"gcc", "clang"};
    struct jit_options jit = {
        .backend = (enum backend)options->backend,
        .cc = options->cc >= 0 ? compilers[options->cc] : NULL,
        .compile = compile,
    };

    jit.compile.no_winograd = options->no_winograd;
    jit.compile.prepare = true;
    jit.compile.target = command_target(options->target, error);
    if (!jit.compile.target) return NULL;
    if (!target_runs(jit.compile.target)) {
        error_set(error, "this processor cannot run code for the target \"%s\"",
                  jit.compile.target->name);
        return NULL;
    }
    return jit_new(model, &jit, error);
}

bool command_pool(long threads, double operations, struct pool **pool, int *threads_used,
                  struct error *error) {
    enum { MOST_THREADS = 256 };
    /* Half a millisecond of one core at about 80 GFLOP/s. */
    const double worth_sharing = 40e6;

    *pool = NULL;
    if (threads == 0) threads = operations < worth_sharing ? 1 : pool_processors();
    if (threads > MOST_THREADS)
        return error_set(error, "--threads %ld: at most %d", threads, MOST_THREADS);
    *threads_used = (int)threads;
    if (threads <= 1) return true;
    *pool = pool_new((int)threads, error);
    return *pool != NULL;
}

long command_batch(const struct model *model) {
    return model->training.file ? model->training.batch_size : 32;
}

bool command_needs_training(const struct model *model, const char *why, struct error *error) {
    if (model->training.file) return true;
    return error_set(
        error,
        "%s:%d: model \"%s\": has no training table, which %s needs; add "
        "training = { loss = \"sparse_categorical_crossentropy\", optimizer = adam {} }",
        model->file, model->line, model->name, why);
}

const char *command_grouped(double number, char text[40]) {
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%.0f", number), length = 0;

    for (int i = 0; i < count; i++) {
        text[length++] = digits[i];
        if ((count - i) % 3 == 1 && i + 1 < count) text[length++] = ',';
    }
    text[length] = '\0';
    return text;
}

void command_json_classes(struct cJSON *json, const struct confusion *confusion,
                          const char *const *class_names) {
    int classes = confusion->classes;
    cJSON *matrix = cJSON_AddArrayToObject(json, "confusion_matrix");

    for (int i = 0; i < classes; i++) {
        cJSON *row = cJSON_CreateArray();
        for (int j = 0; j < classes; j++)
            cJSON_AddItemToArray(row, cJSON_CreateNumber((double)confusion_at(confusion, i, j)));
        cJSON_AddItemToArray(matrix, row);
    }
    if (class_names)
        cJSON_AddItemToObject(json, "classes", cJSON_CreateStringArray(class_names, classes));
}

void command_print_json(struct cJSON *json) {
    char *text = cJSON_PrintUnformatted(json);

    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(json);
}

/* Field 22 of /proc/self/stat, counted behind the command's name, which ends at the last ')'. */
static double process_start_seconds(void) {
    static double start = -1;
    char text[1024];

    if (start >= 0) return start;
    FILE *file = fopen("/proc/self/stat", "r");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[length] = '\0';
    char *field = strrchr(text, ')');
    for (int i = 2; field && i < 22; i++) field = strchr(field + 1, ' ');
    start = field ? strtod(field, NULL) / (double)sysconf(_SC_CLK_TCK) : 0;
    return start;
}

double command_process_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return ((double)time.tv_sec + 1e-9 * (double)time.tv_nsec - process_start_seconds()) * 1e3;
}

bool command_check_picture(const char *command, const char *option, const char *path,
                           struct error *error) {
    size_t length = path ? strlen(path) : 0;
    const char *ending = length > 4 ? path + length - 4 : "";
    return !path || strcmp(ending, ".svg") == 0 || strcmp(ending, ".png") == 0 ||
           error_set(error, "lathe %s: --%s %s: expected a file name that ends in .svg or .png",
                     command, option, path);
}

/* VmHWM rather than getrusage's figure: that one remembers the process that started us. */
double command_peak_memory_bytes(void) {
    struct rusage usage;
    char text[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && kilobytes == 0 && fgets(text, sizeof text, file))
        if (strncmp(text, "VmHWM:", 6) == 0) kilobytes = strtod(text + 6, NULL);
    if (file) fclose(file);
    if (kilobytes == 0 && getrusage(RUSAGE_SELF, &usage) == 0) kilobytes = (double)usage.ru_maxrss;
    return kilobytes * 1024;
}

void command_print_evaluation(const char *data, const struct evaluation *evaluation,
                              const struct confusion *confusion, const char *const *class_names) {
    printf("%s: loss %.4f", data, evaluation->loss);
    if (evaluation->has_accuracy)
        printf("  accuracy %.4f (%.0f of %ld)", evaluation->accuracy,
               evaluation->accuracy * (double)evaluation->samples, evaluation->samples);
    printf("\n");
    if (!evaluation->has_accuracy) return;
    printf("\n");
    confusion_print(stdout, confusion, class_names);
}
