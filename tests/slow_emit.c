/* slow_emit.c: every model of models/, emitted in both modes, by every compiler of the table: no
 * warning, and what the process gives. Small batches: the scalar forms are slow. */
#include "tests/emit_check.h"

#include <glob.h>

enum { MOST_MODELS = 64, TRAINING_BATCH = 4 };

int main(void) {
    static struct CMUnitTest tests[2 * MOST_MODELS];
    static struct training_case trainings[MOST_MODELS];
    static struct inference_case inferences[MOST_MODELS];
    static char names[2 * MOST_MODELS][96];
    glob_t models;
    size_t count = 0;
    if (glob("models/*.lua", 0, NULL, &models) != 0 || models.gl_pathc > MOST_MODELS) return 1;
    for (size_t i = 0; i < models.gl_pathc; i++) {
        const char *path = models.gl_pathv[i], *file = strrchr(path, '/') + 1;
        char *name = strndup(file, strlen(file) - strlen(".lua"));
        if (!strcmp(name, "blocks")) continue; /* a module, not a model */
        inferences[i] = (struct inference_case){path, name, "generic", 1, ALL_COMPILERS};
        trainings[i] = (struct training_case){path, name, TRAINING_BATCH, ALL_COMPILERS, true};
        snprintf(names[count], sizeof names[count], "predictions of %s agree", name);
        tests[count] =
            (struct CMUnitTest){names[count], inference_agrees, NULL, NULL, &inferences[i]};
        count++;
        snprintf(names[count], sizeof names[count], "training of %s agrees", name);
        tests[count] =
            (struct CMUnitTest){names[count], training_agrees, NULL, NULL, &trainings[i]};
        count++;
    }
    return _cmocka_run_group_tests("emit, all models", tests, count, start, finish);
}
