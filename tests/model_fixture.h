/* model_fixture.h: for tests of model files: a folder with one, and the model read from it. */
#ifndef LATHE_MODEL_FIXTURE_H
#define LATHE_MODEL_FIXTURE_H

#include "compiler/layers/layer.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct error error;
    char folder[64], path[128];
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena);
    strcpy(f->folder, "/tmp/lathe-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/model.lua", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    char path[256];
    const char *const names[] = {"model.lua", "module.lua"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    rmdir(f->folder);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* Reads a model from a file; the jump of an exhausted arena fails the test. */
static struct model *read_path(struct fixture *f, const char *path) {
    if (setjmp(f->arena.exhausted)) fail_msg("out of memory");
    f->error.text[0] = '\0';
    return model_read(&f->arena, path, &f->error);
}

static struct model *read_text(struct fixture *f, const char *text) {
    write_file(f->path, text, strlen(text));
    struct model *model = read_path(f, f->path);
    if (!model) fail_msg("%s", f->error.text);
    return model;
}

/* --- messages --- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
