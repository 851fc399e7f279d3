/* initializer.c: Keras's initializers: what a weight holds before the first step. */
#include "families.h"

#include <math.h>
#include <string.h>

const char *const *initializer_names(void) {
    static const char *const names[] = {
        "glorot_uniform", "glorot_normal",  "he_uniform",    "he_normal", "zeros",
        "ones",           "random_uniform", "random_normal", "constant",  NULL};
    return names;
}

/* Keras: the normal ones are cut at two standard deviations; dividing by the standard deviation of
 * the cut distribution gives back the wanted variance. */
static const double TRUNCATED_DEVIATION = 0.87962566103423978;

/* Keras's fan in and fan out: a vector's are its size; a kernel's are the products of its window
 * with its last two axes. */
static void fans(const struct shape *shape, double *in, double *out) {
    int rank = shape->rank;
    if (rank < 2) {
        *in = *out = rank ? (double)shape->size[0] : 1;
        return;
    }
    double window = 1;
    for (int i = 0; i < rank - 2; i++) window *= (double)shape->size[i];
    *in = window * (double)shape->size[rank - 2];
    *out = window * (double)shape->size[rank - 1];
}

void initializer_resolve(const struct initializer *initializer, const struct shape *shape,
                         enum initializer_kind *kind, double *scale) {
    const char *name = initializer->name;
    double in, out;
    fans(shape, &in, &out);
    *kind = INITIALIZER_CONSTANT;
    *scale = initializer->value;
    if (strcmp(name, "zeros") == 0) {
        *kind = INITIALIZER_ZEROS;
    } else if (strcmp(name, "ones") == 0) {
        *kind = INITIALIZER_ONES;
    } else if (strcmp(name, "glorot_uniform") == 0) {
        *kind = INITIALIZER_UNIFORM;
        *scale = sqrt(6 / (in + out));
    } else if (strcmp(name, "he_uniform") == 0) {
        *kind = INITIALIZER_UNIFORM;
        *scale = sqrt(6 / in);
    } else if (strcmp(name, "glorot_normal") == 0) {
        *kind = INITIALIZER_TRUNCATED_NORMAL;
        *scale = sqrt(2 / (in + out)) / TRUNCATED_DEVIATION;
    } else if (strcmp(name, "he_normal") == 0) {
        *kind = INITIALIZER_TRUNCATED_NORMAL;
        *scale = sqrt(2 / in) / TRUNCATED_DEVIATION;
    } else if (strcmp(name, "random_uniform") == 0) {
        *kind = INITIALIZER_UNIFORM;
        *scale = 0.05;
    } else if (strcmp(name, "random_normal") == 0) {
        *kind = INITIALIZER_NORMAL;
        *scale = 0.05;
    }
}
