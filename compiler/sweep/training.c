/* training.c: starts the processes of a sweep and reads what they leave (see training.h). */
#include "training.h"
#include "../base/text.h"
#include "../../runtime/files.h"
#include "../../runtime/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 32, LONGEST_MESSAGE = 600 };

const char *training_folder(const struct training_setup *setup, const struct trial *trial) {
    const char *name =
        arena_format(setup->arena, "%s/runs/%04d", setup->directory, trial->point + 1);
    if (trial->repeat == 0) return name;
    return arena_format(setup->arena, "%s-seed-%u", name,
                        setup->plan->sweep->training_seed + (unsigned)trial->repeat);
}

static const char *file_of(const struct training_setup *setup, const struct trial *trial,
                           const char *name) {
    return arena_format(setup->arena, "%s/%s", training_folder(setup, trial), name);
}

static bool tests(const struct training_setup *setup) {
    return strncmp(setup->plan->sweep->score, "test_", 5) == 0;
}

/* --- the command --- */

/* The words of the command; returns how many. */
static int list_arguments(const struct training_setup *setup, const struct trial *trial,
                          const char *arguments[MOST_ARGUMENTS]) {
    const struct sweep_plan *plan = setup->plan;
    int count = 0;

    arguments[count++] = "lathe";
    arguments[count++] = "train";
    arguments[count++] = setup->file;
    arguments[count++] = "--point";
    arguments[count++] = sweep_point_json(setup->arena, plan->sweep, &plan->points[trial->point]);
    arguments[count++] = "--data";
    arguments[count++] = setup->data;
    arguments[count++] = "--seed";
    arguments[count++] =
        arena_format(setup->arena, "%u", plan->sweep->training_seed + (unsigned)trial->repeat);
    if (plan->sweep->folds) {
        arguments[count++] = "--folds";
        arguments[count++] = arena_format(setup->arena, "%ld", plan->sweep->folds);
    }
    if (trial->epochs) {
        arguments[count++] = "--epochs";
        arguments[count++] = arena_format(setup->arena, "%ld", trial->epochs);
    }
    if (setup->backend) {
        arguments[count++] = "--backend";
        arguments[count++] = setup->backend;
    }
    arguments[count] = NULL;
    return count;
}

const char *training_command(const struct training_setup *setup, const struct trial *trial) {
    const char *arguments[MOST_ARGUMENTS];
    struct text text = {.arena = setup->arena};
    int count = list_arguments(setup, trial, arguments);

    for (int i = 0; i < count; i++) {
        if (i) text_put(&text, " ");
        text_put_word(&text, arguments[i]);
    }
    return text_string(&text);
}

/* --- the process --- */

/* In the child: becomes `lathe train`. Ends with the sweep, however that ends; its own group, so
 * that Ctrl-C reaches the sweep alone, which then tells its children. */
static void become_training(const char *const *arguments, const char *output, const char *messages,
                            pid_t parent) {
    int in = open("/dev/null", O_RDONLY);
    int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int err = open(messages, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (getppid() != parent || in < 0 || out < 0 || err < 0) _exit(127);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)arguments);
    _exit(127);
}

bool training_start(const struct training_setup *setup, const struct trial *trial, pid_t *process,
                    struct error *error) {
    const char *arguments[MOST_ARGUMENTS];
    const char *output = file_of(setup, trial, "result.json");
    const char *messages = file_of(setup, trial, "messages.txt");
    const char *folder = training_folder(setup, trial);
    int count = list_arguments(setup, trial, arguments);

    if (!files_make_folder(folder, error)) return false;
    arguments[count++] = "--save";
    arguments[count++] = folder;
    arguments[count++] = "--threads";
    arguments[count++] = arena_format(setup->arena, "%d", setup->threads);
    arguments[count++] = "--json";
    arguments[count++] = "--no-plots";
    if (!tests(setup)) arguments[count++] = "--no-test";
    const char *checkpoint =
        setup->plan->sweep->folds ? "fold_1/last.safetensors" : "last.safetensors";
    if (files_exist(file_of(setup, trial, checkpoint))) arguments[count++] = "--resume";
    arguments[count] = NULL;
    pid_t parent = getpid();
    *process = fork();
    if (*process == 0) become_training(arguments, output, messages, parent);
    return *process > 0 || error_set(error, "cannot start a process: %s", strerror(errno));
}

/* --- what it left --- */

static cJSON *read_json(const char *path) {
    char *text = files_read(path, NULL, NULL);
    cJSON *json = text ? cJSON_Parse(text) : NULL;
    free(text);
    return json;
}

/* The best of all epochs. */
static void read_score(const struct sweep *sweep, const cJSON *history,
                       struct trial_result *result) {
    const cJSON *epoch;
    result->score = NAN;
    cJSON_ArrayForEach(epoch, history) {
        double score = json_number(epoch, sweep->score);
        bool better = sweep->score_is_loss ? score < result->score : score > result->score;
        if (!isfinite(score) || (isfinite(result->score) && !better)) continue;
        result->score = score;
        result->best_epoch = (long)json_number(epoch, "epoch");
    }
}

static void fail(const struct training_setup *setup, struct trial *trial, const char *message) {
    trial->state = TRIAL_FAILED;
    trial->result = (struct trial_result){.error = arena_string(setup->arena, message)};
}

/* The message that the process ended with; else how it ended. */
static void fail_with_message(const struct training_setup *setup, struct trial *trial, int status) {
    char *text = files_read(file_of(setup, trial, "messages.txt"), NULL, NULL);
    size_t length = text ? strlen(text) : 0;

    while (length && text[length - 1] == '\n') text[--length] = '\0';
    if (length > LONGEST_MESSAGE) text[LONGEST_MESSAGE] = '\0';
    if (length)
        fail(setup, trial, text);
    else if (WIFSIGNALED(status))
        fail(setup, trial,
             arena_format(setup->arena, "the training was ended by signal %d (%s)",
                          WTERMSIG(status), strsignal(WTERMSIG(status))));
    else
        fail(setup, trial,
             arena_format(setup->arena, "the training ended with status %d and no message",
                          WEXITSTATUS(status)));
    free(text);
}

/* The score of a single training. */
static void read_training(const struct training_setup *setup, const struct trial *trial,
                          const cJSON *json, struct trial_result *result) {
    const struct sweep *sweep = setup->plan->sweep;

    result->epochs = (long)fmax(json_number(json, "epochs"), 0);
    if (tests(setup)) {
        result->score = json_number(json, sweep->score + strlen("test_"));
        result->best_epoch = result->epochs;
        return;
    }
    cJSON *history = read_json(file_of(setup, trial, "history.json"));
    read_score(sweep, history, result);
    cJSON_Delete(history);
}

/* Mean and standard deviation of the folds' scores; the epochs are those of the first. */
static void read_folds(const struct training_setup *setup, const struct trial *trial,
                       struct trial_result *result) {
    const struct sweep *sweep = setup->plan->sweep;
    double *scores = ARENA_ARRAY(setup->arena, double, sweep->folds), mean = 0, squares = 0;

    for (long i = 0; i < sweep->folds; i++) {
        struct trial_result fold;
        cJSON *history = read_json(
            file_of(setup, trial, arena_format(setup->arena, "fold_%ld/history.json", i + 1)));
        read_score(sweep, history, &fold);
        if (i == 0) result->epochs = cJSON_GetArraySize(history);
        if (i == 0) result->best_epoch = fold.best_epoch;
        cJSON_Delete(history);
        scores[i] = fold.score;
        mean += fold.score / (double)sweep->folds;
    }
    for (long i = 0; i < sweep->folds; i++) squares += (scores[i] - mean) * (scores[i] - mean);
    result->score = mean;
    result->spread = sqrt(squares / (double)(sweep->folds - 1));
}

void training_collect(const struct training_setup *setup, struct trial *trial, int status) {
    const struct sweep *sweep = setup->plan->sweep;
    struct trial_result result = {.score = NAN};

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_with_message(setup, trial, status);
        return;
    }
    cJSON *json = read_json(file_of(setup, trial, "result.json"));
    if (sweep->folds)
        read_folds(setup, trial, &result);
    else
        read_training(setup, trial, json, &result);
    result.parameters = (long)fmax(json_number(json, "parameters"), 0);
    result.seconds = json_number(json, "seconds");
    cJSON_Delete(json);
    trial->state = TRIAL_DONE;
    trial->result = result;
    if (isfinite(result.score)) return;
    fail(setup, trial,
         arena_format(setup->arena, "the training has no %s%s", sweep->score,
                      strncmp(sweep->score, "validation", 10) == 0
                          ? "; give the model's training table a validation_split"
                          : ""));
}

/* The number of a column in the heading of a CSV file; -1: none. */
static int find_column(const char *heading, const char *name) {
    size_t length = strlen(name);
    for (int column = 0;; column++) {
        size_t width = strcspn(heading, ",\n");
        if (width == length && memcmp(heading, name, length) == 0) return column;
        if (heading[width] != ',') return -1;
        heading += width + 1;
    }
}

static double column_value(const char *row, int column) {
    for (; column > 0; column--) {
        row = strchr(row, ',');
        if (!row) return NAN;
        row++;
    }
    return strtod(row, NULL);
}

/* The history of a training or, of folds, of the one under way. Called many times: nothing of it
 * goes to the arena. */
static char *read_history(const struct training_setup *setup, const struct trial *trial) {
    const struct sweep *sweep = setup->plan->sweep;
    char folder[PATH_MAX / 2], path[PATH_MAX];

    snprintf(folder, sizeof folder, "%s/runs/%04d", setup->directory, trial->point + 1);
    if (trial->repeat)
        snprintf(folder + strlen(folder), sizeof folder - strlen(folder), "-seed-%u",
                 sweep->training_seed + (unsigned)trial->repeat);
    for (long fold = sweep->folds; fold > 0; fold--) {
        snprintf(path, sizeof path, "%s/fold_%ld/history.csv", folder, fold);
        char *text = files_read(path, NULL, NULL);
        if (text) return text;
    }
    snprintf(path, sizeof path, "%s/history.csv", folder);
    return files_read(path, NULL, NULL);
}

struct training_progress training_look(const struct training_setup *setup,
                                       const struct trial *trial) {
    struct training_progress progress = {0, NAN};
    char *text = read_history(setup, trial);
    size_t length = text ? strlen(text) : 0;

    if (length > 1 && text[length - 1] == '\n') {
        text[length - 1] = '\0';
        const char *last = strrchr(text, '\n');
        int column = find_column(text, setup->plan->sweep->score);
        if (last) progress.epoch = strtol(last + 1, NULL, 10);
        if (last && column >= 0) progress.score = column_value(last + 1, column);
    }
    free(text);
    return progress;
}
