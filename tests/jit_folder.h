/* jit_folder.h: for tests of the ways from C text to functions: a folder with a fresh cache for
 * each test, and compilers of our own in PATH. */
#ifndef LATHE_JIT_FOLDER_H
#define LATHE_JIT_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64]; /* of this run: cache and fake compilers */
static char original_path[PATH_MAX];

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int start(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_jit-XXXXXX");
    snprintf(original_path, sizeof original_path, "%s", getenv("PATH"));
    return mkdtemp(folder) ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Every test has a fresh cache. */
static inline int fresh(void **state) {
    (void)state;
    static int number;
    char name[32];
    snprintf(name, sizeof name, "cache-%d", number++);
    setenv("LATHE_CACHE", in_folder(name), 1);
    setenv("PATH", original_path, 1);
    return 0;
}

static inline int count_files(const char *path, const char *suffix) {
    DIR *files = opendir(path);
    int count = 0;
    for (struct dirent *entry; files && (entry = readdir(files));) {
        size_t length = strlen(entry->d_name), end = strlen(suffix);
        if (length >= end && strcmp(entry->d_name + length - end, suffix) == 0) count++;
    }
    if (files) closedir(files);
    return count;
}

/* A compiler of our own in PATH, before the real ones (or instead of them). */
static inline void fake_compiler(const char *script, bool alone) {
    static int number;
    char name[32], path[PATH_MAX + 256];
    snprintf(name, sizeof name, "bin-%d", number++);
    mkdir(in_folder(name), 0700);
    snprintf(path, sizeof path, "%s%s%s", in_folder(name), alone ? "" : ":",
             alone ? "" : original_path);
    snprintf(name + strlen(name), 8, "/gcc");
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    fclose(file);
    chmod(in_folder(name), 0700);
    setenv("PATH", path, 1);
}

#endif
