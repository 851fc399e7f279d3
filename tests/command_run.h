/* command_run.h: runs the executable ($LATHE, or build/lathe) as its users do, and a small data set
 * to run it on: for the tests of commands. */
#ifndef LATHE_TESTS_COMMAND_RUN_H
#define LATHE_TESTS_COMMAND_RUN_H

#include "runtime/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MOST_WORDS = 24, TEXT = 65536 };

static char folder[] = "/tmp/lathe_commands_XXXXXX"; /* of this test program */
static char lathe[4096];
static char output[TEXT], errors[TEXT]; /* of the last child */
static double peak_memory;              /* of it, in bytes, as the kernel tells who waits for it */

/* --- children --- */

struct child {
    pid_t pid;
    int streams[2]; /* its stdout and stderr; -1 when at their end */
    size_t length[2];
};

static void start(struct child *child, char **words) {
    posix_spawn_file_actions_t actions;
    char *arguments[MOST_WORDS + 2] = {lathe};
    int pipes[2][2], count = 1;

    while (words[count - 1] && count <= MOST_WORDS) {
        arguments[count] = words[count - 1];
        count++;
    }
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
        posix_spawn_file_actions_adddup2(&actions, pipes[i][1], STDOUT_FILENO + i);
    }
    assert_int_equal(posix_spawn(&child->pid, lathe, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 2; i++) {
        close(pipes[i][1]);
        child->streams[i] = pipes[i][0];
        child->length[i] = 0;
    }
    output[0] = errors[0] = '\0';
}

/* Reads both streams until a text is on stderr (if `until` is not NULL) or both are at their end.
 */
static void collect(struct child *child, const char *until) {
    char *const texts[2] = {output, errors};

    while (child->streams[0] >= 0 || child->streams[1] >= 0) {
        struct pollfd polled[2] = {{.fd = child->streams[0], .events = POLLIN},
                                   {.fd = child->streams[1], .events = POLLIN}};
        assert_true(poll(polled, 2, 120000) > 0);
        for (int i = 0; i < 2; i++) {
            if (child->streams[i] < 0 || !polled[i].revents) continue;
            ssize_t got =
                read(child->streams[i], texts[i] + child->length[i], TEXT - 1 - child->length[i]);
            if (got <= 0) {
                close(child->streams[i]);
                child->streams[i] = -1;
                continue;
            }
            child->length[i] += (size_t)got;
            texts[i][child->length[i]] = '\0';
        }
        if (until && strstr(errors, until)) return;
    }
}

static int finish(struct child *child) {
    struct rusage usage;
    int status;

    collect(child, NULL);
    assert_int_equal(wait4(child->pid, &status, 0, &usage), child->pid);
    peak_memory = (double)usage.ru_maxrss * 1024;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int run_words(char **words) {
    struct child child;
    start(&child, words);
    return finish(&child);
}
#define RUN(...) run_words((char *[]){__VA_ARGS__, NULL})

/* --- a small data set and a model --- */

static char data_folder[256];

static void write_file(const char *path, const void *bytes, size_t size) {
    struct error error = {.text = ""};
    if (!files_write(path, &(struct file_part){bytes, size}, 1, &error)) fail_msg("%s", error.text);
}

/* 8 x 8 images of three classes: a bright row, column or block, on noise. */
static void write_images(const char *name, const char *label_name, int count) {
    unsigned char *images = calloc(1, 16 + (size_t)count * 64),
                  *labels = calloc(1, 8 + (size_t)count);
    unsigned random = (unsigned)count;
    char path[400];

    assert_non_null(images);
    assert_non_null(labels);
    memcpy(images, "\0\0\x08\x03\0\0\0\0\0\0\0\x08\0\0\0\x08", 16);
    memcpy(labels, "\0\0\x08\x01\0\0\0\0", 8);
    images[6] = labels[6] = (unsigned char)(count >> 8);
    images[7] = labels[7] = (unsigned char)count;
    for (int n = 0; n < count; n++) {
        labels[8 + n] = (unsigned char)(n % 3);
        for (int i = 0; i < 64; i++) {
            int y = i / 8, x = i % 8,
                bright = n % 3 == 0   ? y == 3
                         : n % 3 == 1 ? x == 4
                                      : y + x < 5;
            random = random * 1103515245u + 12345u;
            images[16 + n * 64 + i] = (unsigned char)((random >> 16) % 100 + (bright ? 150 : 0));
        }
    }
    snprintf(path, sizeof path, "%s/%s", data_folder, name);
    write_file(path, images, 16 + (size_t)count * 64);
    snprintf(path, sizeof path, "%s/%s", data_folder, label_name);
    write_file(path, labels, 8 + (size_t)count);
    free(images);
    free(labels);
}

/* Makes the folder of the tests and the data in it; finds the executable. */
static int make_data(void) {
    const char *given = getenv("LATHE");

    if (!realpath(given ? given : "build/lathe", lathe) || !mkdtemp(folder)) return -1;
    snprintf(data_folder, sizeof data_folder, "%s/data", folder);
    if (!files_make_folder(data_folder, NULL)) return -1;
    write_images("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 600);
    write_images("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 150);
    return 0;
}

static int remove_files(void **state) {
    char *arguments[] = {"rm", "-rf", folder, NULL};
    pid_t child;
    int status = -1;

    (void)state;
    if (posix_spawnp(&child, "rm", NULL, NULL, arguments, environ) != 0) return -1;
    waitpid(child, &status, 0);
    return status;
}

static inline char *path_in(const char *directory, const char *name) {
    static char paths[8][512];
    static int next;
    char joined[512]; /* directory may be a path of ours */
    snprintf(joined, sizeof joined, "%s/%s", directory, name);
    return memcpy(paths[next++ % 8], joined, sizeof joined);
}

static inline double number(const char *json_line, const char *name) {
    cJSON *json = cJSON_Parse(json_line);
    const cJSON *value = cJSON_GetObjectItem(json, name);

    if (!cJSON_IsNumber(value)) fail_msg("no number \"%s\" in %s", name, json_line);
    double found = value->valuedouble;
    cJSON_Delete(json);
    return found;
}

#endif
