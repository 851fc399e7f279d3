/* sweep.c: `lathe sweep`: trains a model at many points of a space of hyperparameters and ranks
 * them.
 */
#include "commands.h"
#include "../base/text.h"
#include "../sweep/journal.h"
#include "../sweep/live.h"
#include "../sweep/table.h"
#include "../../runtime/interrupt.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

struct sweep_options {
    const char *data, *save;
    long jobs, threads, epochs, seed, backend;
    bool resume, json, quiet, no_plots;
};

#define COUNT(name, field, help) \
    { name, 0, COMMAND_COUNT, offsetof(struct sweep_options, field), "N", NULL, help }
#define FLAG(name, field, help) \
    { name, 0, COMMAND_FLAG, offsetof(struct sweep_options, field), NULL, NULL, help }

static const struct command_option options[] = {
    DATA_OPTION(struct sweep_options, data, "the data set: a folder of IDX files, or a name"),
    {"save", 0, COMMAND_TEXT, offsetof(struct sweep_options, save), "DIR", NULL,
     "keep journal, results and the run of each training there (default: run/NAME)"},
    FLAG("resume", resume, "go on with the sweep in that directory"),
    COUNT("jobs", jobs, "trainings at the same time (default: the processors)"),
    COUNT("threads", threads, "threads of all of them together (default: the processors)"),
    COUNT("epochs", epochs, "of each training (default: the sweep's, else the model's)"),
    {"seed", 0, COMMAND_SEED, offsetof(struct sweep_options, seed), "N", NULL,
     "of the trainings; repeats count on from it (default: the sweep's)"},
    {"backend", 0, COMMAND_CHOICE, offsetof(struct sweep_options, backend), BACKEND_CHOICES, "auto",
     "what compiles the models: libtcc at once, a C compiler, or both in turn"},
    FLAG("json", json, "end with one line of JSON on the standard output, and print nothing else"),
    FLAG("quiet", quiet, "show no progress"),
    FLAG("no-plots", no_plots, "draw no picture"),
};

static const struct command_line line = {
    .name = "sweep",
    .usage = "FILE.lua --data NAME|DIR [options]",
    .purpose =
        "Trains the model of a sweep file at the points of its space, several at once, and ranks\n"
        "them: results.txt, results.csv, results.json and scores.png in the --save directory. A\n"
        "sweep that was stopped, in whatever way, goes on with --resume.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "FILE.lua",
    .least = 1,
    .most = 1,
};

enum { MOST_JOBS = 64 };

/* A training under way. */
struct job {
    pid_t process; /* 0: none */
    struct trial *trial;
};

struct run {
    const struct sweep_options *options;
    struct arena *arena;
    struct sweep_plan plan;
    struct training_setup setup;
    struct journal *journal;
    struct live live;
    struct job jobs[MOST_JOBS];
    int job_count; /* at most at the same time */
};

/* --- setting up --- */

/* What the journal's first line says: all that decides which trainings there are. */
static char *identity(const struct run *run, const struct dataset_pair *data) {
    const struct sweep *sweep = run->plan.sweep;
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "event", "sweep");
    cJSON_AddNumberToObject(json, "version", 1);
    cJSON_AddStringToObject(json, "name", sweep->name);
    cJSON_AddStringToObject(json, "file", sweep->fingerprint);
    cJSON_AddNumberToObject(json, "data", dataset_fingerprint(&data->train));
    cJSON_AddNumberToObject(json, "points", run->plan.point_count);
    cJSON_AddNumberToObject(json, "epochs", (double)sweep->epochs);
    cJSON_AddNumberToObject(json, "seed", sweep->training_seed);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

/* Opens the data, to fail at once when they are not there, and the journal. */
static bool open_journal(struct run *run, struct error *error) {
    struct dataset_pair data;

    if (!command_open_data("sweep", run->options->data, &data, error)) return false;
    char *text = identity(run, &data);
    dataset_pair_close(&data);
    if (!text) return error_set(error, "out of memory");
    if (run->options->resume || files_make_folder(run->setup.directory, error))
        run->journal = journal_open(run->setup.directory, text, run->options->resume, error);
    cJSON_free(text);
    return run->journal != NULL;
}

static bool set_up(struct run *run, const char *path, struct error *error) {
    static const char *const backends[] = {NULL, "tcc", "cc"}; /* auto is the default of train */
    const struct sweep_options *o = run->options;
    int processors = pool_processors();

    if (o->jobs > MOST_JOBS)
        return error_set(error, "lathe sweep: --jobs %ld: at most %d", o->jobs, MOST_JOBS);
    struct sweep *sweep = sweep_read(run->arena, path, error);
    if (!sweep) return false;
    if (o->epochs) sweep->epochs = o->epochs;
    if (o->seed >= 0) sweep->training_seed = (uint32_t)o->seed;
    if (!plan_start(&run->plan, run->arena, sweep, error)) return false;
    run->job_count = (int)(o->jobs ? o->jobs : processors < MOST_JOBS ? processors : MOST_JOBS);
    long threads = (o->threads ? o->threads : processors) / run->job_count;
    run->setup = (struct training_setup){
        .arena = run->arena,
        .plan = &run->plan,
        .file = path,
        .data = o->data,
        .directory = o->save ? o->save : arena_format(run->arena, "run/%s", sweep->name),
        .backend = backends[o->backend],
        .threads = threads > 1 ? (int)threads : 1,
    };
    return open_journal(run, error);
}

/* --- the trainings --- */

/* What the journal knows of the rounds so far; sets how many trainings it ended. */
static void replay(struct run *run) {
    struct sweep_plan *plan = &run->plan;
    bool whole;

    do {
        journal_replay(run->journal, plan);
        whole = true;
        for (int i = plan->first_of_round; i < plan->trial_count; i++)
            whole = whole && plan->trials[i].state > TRIAL_RUNNING;
    } while (whole && plan_next_round(plan));
    for (int i = 0; i < plan->trial_count; i++)
        run->live.ended += plan->trials[i].state > TRIAL_RUNNING;
    run->live.ended_before = run->live.ended;
}

static struct trial *next_waiting(const struct sweep_plan *plan) {
    for (int i = plan->first_of_round; i < plan->trial_count; i++)
        if (plan->trials[i].state == TRIAL_WAITING) return &plan->trials[i];
    return NULL;
}

/* Starts trainings while there is room. */
static bool start_jobs(struct run *run, struct error *error) {
    for (int i = 0; i < run->job_count; i++) {
        struct job *job = &run->jobs[i];
        if (job->process) continue;
        job->trial = next_waiting(&run->plan);
        if (!job->trial) return true;
        job->trial->state = TRIAL_RUNNING;
        if (!journal_write(run->journal, job->trial, error) ||
            !training_start(&run->setup, job->trial, &job->process, error))
            return false;
    }
    return true;
}

/* Takes in what has ended; *running gets the number of those that have not. */
static bool collect_jobs(struct run *run, int *running, struct error *error) {
    *running = 0;
    for (int i = 0; i < run->job_count; i++) {
        struct job *job = &run->jobs[i];
        int status;
        if (!job->process) continue;
        if (waitpid(job->process, &status, WNOHANG) == 0) {
            ++*running;
            continue;
        }
        job->process = 0;
        training_collect(&run->setup, job->trial, status);
        if (!journal_write(run->journal, job->trial, error)) return false;
        live_ended(&run->live, &run->setup, job->trial);
    }
    return true;
}

/* Ends the trainings; their checkpoints stay. */
static void stop_jobs(struct run *run) {
    for (int i = 0; i < run->job_count; i++)
        if (run->jobs[i].process) kill(run->jobs[i].process, SIGTERM);
    for (int i = 0; i < run->job_count; i++) {
        if (!run->jobs[i].process) continue;
        while (waitpid(run->jobs[i].process, NULL, 0) < 0 && errno == EINTR) continue;
        run->jobs[i].process = 0;
    }
}

/* Runs all rounds. False: interrupted, or an error. */
static bool run_trainings(struct run *run, struct error *error) {
    const struct timespec pause = {.tv_nsec = 10000000};
    int running = 0;

    do {
        while (!interrupt_requested()) {
            if (!collect_jobs(run, &running, error) || !start_jobs(run, error)) return false;
            live_draw(&run->live, &run->setup);
            if (running == 0 && !next_waiting(&run->plan)) {
                if (!collect_jobs(run, &running, error)) return false;
                if (running == 0) break;
            }
            nanosleep(&pause, NULL);
        }
        if (interrupt_requested()) return false;
    } while (plan_next_round(&run->plan));
    return true;
}

/* --- results --- */

static bool save_text(const struct run *run, const char *name, const char *text,
                      struct error *error) {
    const char *path = arena_format(run->arena, "%s/%s", run->setup.directory, name);
    return files_write(path, &(struct file_part){text, strlen(text)}, 1, error);
}

static bool save_results(struct run *run, const char *table, struct error *error) {
    struct text csv = {.arena = run->arena};
    cJSON *json = table_json(&run->plan);
    char *printed = cJSON_Print(json);

    cJSON_Delete(json);
    table_csv(&csv, &run->plan);
    bool saved = printed && save_text(run, "results.txt", table, error) &&
                 save_text(run, "results.csv", text_string(&csv), error) &&
                 save_text(run, "results.json", printed, error);
    if (!printed) error_set(error, "out of memory");
    cJSON_free(printed);
    return saved;
}

/* The picture is an extra: what goes wrong with it is told and forgotten. */
static void save_picture(const struct run *run, bool any) {
    struct error error = {.text = ""};
    const char *path = arena_format(run->arena, "%s/scores.png", run->setup.directory);

    if (!any || run->options->no_plots) return;
    if (!table_plot(path, &run->plan, &error) && !run->options->quiet)
        fprintf(stderr, "no picture: %s\n", error.text);
}

static void print_best(const struct run *run, const struct standing *best) {
    struct trial *trial = plan_find(&run->plan, best->point, 0, best->round);

    printf("\nresults, picture and the run of each training are in %s\n"
           "the best again: %s\n",
           run->setup.directory, training_command(&run->setup, trial));
}

static int finish(struct run *run, struct error *error) {
    const struct standing *best = plan_ranking(&run->plan);
    struct text table = {.arena = run->arena};
    bool any = best->done;

    table_text(&table, &run->plan, 0);
    if (!save_results(run, text_string(&table), error)) return STATUS_FAILED;
    save_picture(run, any);
    if (run->options->json) {
        command_print_json(table_json(&run->plan));
    } else {
        fputs(text_string(&table), stdout);
        if (any) print_best(run, plan_ranking(&run->plan));
    }
    if (any) return STATUS_OK;
    error_set(error, "%s: no training gave a score", run->setup.file);
    return STATUS_FAILED;
}

static int sweep(struct run *run, struct error *error) {
    const struct sweep_options *o = run->options;

    live_init(&run->live, stderr, o->quiet || o->json);
    replay(run);
    interrupt_catch();
    bool done = run_trainings(run, error);
    live_clear(&run->live);
    if (!done) stop_jobs(run);
    if (done) return finish(run, error);
    if (!error->text[0]) error_set(error, "interrupted; the same command with --resume goes on");
    return STATUS_FAILED;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    struct run run = {.options = values, .arena = arena};
    int status = STATUS_BAD_INPUT;

    if (set_up(&run, arguments->positional[0], error)) status = sweep(&run, error);
    interrupt_release();
    journal_close(run.journal);
    return status;
}

int command_sweep(int argc, char **argv) {
    struct sweep_options values = {.seed = -1};
    return command_run(&line, argc, argv, &values, work);
}
