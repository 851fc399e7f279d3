/* journal.c: the append-only record of a sweep (see journal.h). */
#include "journal.h"
#include "../../runtime/files.h"
#include "../../runtime/json.h"
#include "../../runtime/lock.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct journal {
    char *path;
    int file;
    cJSON *events; /* those of before, as an array; the identity is not among them */
};

/* --- reading --- */

/* Takes the lines of before in; *whole is the length without a line that was cut off. */
static bool read_events(struct journal *journal, const char *identity, char *text, size_t *whole,
                        struct error *error) {
    char *line = text, *end;
    *whole = 0;
    for (int number = 1; (end = strchr(line, '\n')); number++, line = end + 1) {
        *end = '\0';
        if (number == 1 && strcmp(line, identity) != 0)
            return error_set(error,
                             "%s: is of another sweep: file, data, epochs or seed have changed "
                             "since; sweep into another folder (--save)",
                             journal->path);
        cJSON *event = number == 1 ? NULL : cJSON_Parse(line);
        if (number > 1 && !cJSON_IsObject(event)) {
            cJSON_Delete(event);
            return error_set(error, "%s:%d: is damaged: not a JSON object", journal->path, number);
        }
        if (event) cJSON_AddItemToArray(journal->events, event);
        *whole = (size_t)(end + 1 - text);
    }
    return true;
}

/* --- writing --- */

static bool append(struct journal *journal, const char *line, struct error *error) {
    size_t length = strlen(line), done = 0;
    char *whole = malloc(length + 2);
    if (!whole) return error_set(error, "out of memory");
    memcpy(whole, line, length);
    memcpy(whole + length, "\n", 2);
    while (done < length + 1) {
        ssize_t wrote = write(journal->file, whole + done, length + 1 - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) break;
        done += (size_t)wrote;
    }
    free(whole);
    if (done == length + 1 && fsync(journal->file) == 0) return true;
    return error_set(error, "%s: cannot write: %s", journal->path, strerror(errno));
}

static bool begin(struct journal *journal, const char *identity, bool resume, struct error *error) {
    size_t size, whole = 0;
    char *text = files_read(journal->path, &size, error);
    if (!text) return false;
    bool good = true;
    if (size > 0 && !resume)
        good =
            error_set(error,
                      "%s: there is a sweep in this folder already; --resume goes on with it, or "
                      "--save another folder",
                      journal->path);
    else
        good = read_events(journal, identity, text, &whole, error);
    free(text);
    if (!good) return false;
    if (whole < size && ftruncate(journal->file, (off_t)whole) != 0)
        return error_set(error, "%s: cannot write: %s", journal->path, strerror(errno));
    return whole > 0 || append(journal, identity, error);
}

struct journal *journal_open(const char *directory, const char *identity, bool resume,
                             struct error *error) {
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal) {
        error_set(error, "out of memory");
        return NULL;
    }
    journal->file = -1;
    journal->path = files_join(directory, "journal.jsonl");
    journal->events = cJSON_CreateArray();
    bool good = journal->path && journal->events;
    if (!good) error_set(error, "out of memory");
    if (good)
        journal->file =
            open(journal->path, O_RDWR | O_APPEND | O_CLOEXEC | (resume ? 0 : O_CREAT), 0666);
    if (good && journal->file < 0)
        good = error_set(error, "%s: cannot open: %s%s", journal->path, strerror(errno),
                         resume ? "; without --resume the sweep starts anew" : "");
    if (good && !lock_take(journal->file))
        good = error_set(error, "%s: another process is sweeping into this folder", journal->path);
    if (good && begin(journal, identity, resume, error)) return journal;
    journal_close(journal);
    return NULL;
}

void journal_close(struct journal *journal) {
    if (!journal) return;
    if (journal->file >= 0) close(journal->file);
    cJSON_Delete(journal->events);
    free(journal->path);
    free(journal);
}

bool journal_write(struct journal *journal, const struct trial *trial, struct error *error) {
    const struct trial_result *result = &trial->result;
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "event",
                            trial->state == TRIAL_DONE     ? "done"
                            : trial->state == TRIAL_FAILED ? "failed"
                                                           : "begin");
    cJSON_AddNumberToObject(event, "point", trial->point + 1);
    cJSON_AddNumberToObject(event, "repeat", trial->repeat + 1);
    cJSON_AddNumberToObject(event, "round", trial->round + 1);
    if (trial->state == TRIAL_DONE) {
        cJSON_AddNumberToObject(event, "score", result->score);
        cJSON_AddNumberToObject(event, "spread", result->spread);
        cJSON_AddNumberToObject(event, "best_epoch", (double)result->best_epoch);
        cJSON_AddNumberToObject(event, "epochs", (double)result->epochs);
        cJSON_AddNumberToObject(event, "parameters", (double)result->parameters);
        cJSON_AddNumberToObject(event, "seconds", result->seconds);
    } else if (trial->state == TRIAL_FAILED) {
        cJSON_AddStringToObject(event, "error", result->error ? result->error : "");
    }
    char *line = cJSON_PrintUnformatted(event);
    cJSON_Delete(event);
    bool written = line ? append(journal, line, error) : error_set(error, "out of memory");
    cJSON_free(line);
    return written;
}

/* --- replaying --- */

static void replay(const cJSON *event, struct sweep_plan *plan) {
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, "event"));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, "error"));
    struct trial *trial =
        plan_find(plan, (int)json_count(event, "point") - 1, (int)json_count(event, "repeat") - 1,
                  (int)json_count(event, "round") - 1);
    if (!trial || !kind || trial->round != plan->round) return;
    if (strcmp(kind, "done") == 0 && isfinite(json_number(event, "score"))) {
        trial->state = TRIAL_DONE;
        trial->result = (struct trial_result){
            .score = json_number(event, "score"),
            .spread = json_number(event, "spread"),
            .best_epoch = json_count(event, "best_epoch"),
            .epochs = json_count(event, "epochs"),
            .parameters = json_count(event, "parameters"),
            .seconds = json_number(event, "seconds"),
        };
    } else if (strcmp(kind, "failed") == 0) {
        trial->state = TRIAL_FAILED;
        trial->result =
            (struct trial_result){.error = arena_string(plan->arena, reason ? reason : "")};
    }
}

void journal_replay(const struct journal *journal, struct sweep_plan *plan) {
    const cJSON *event;
    cJSON_ArrayForEach(event, journal->events) replay(event, plan);
}
