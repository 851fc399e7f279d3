/* model_text.h: for tests: a model from Lua text. */
#ifndef LATHE_MODEL_TEXT_H
#define LATHE_MODEL_TEXT_H

#include "compiler/frontend/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* The test fails with the message when it is not a model. The arena jumps when memory is out. */
static inline struct model *model_of_text(struct arena *arena, const char *text) {
    char path[] = "/tmp/lathe-test-model-XXXXXX";
    struct error error = {""};
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    struct model *model = model_read(arena, path, &error);
    unlink(path);
    if (!model) fail_msg("%s", error.text);
    return model;
}

#endif
