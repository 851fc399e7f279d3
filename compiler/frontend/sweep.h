/* sweep.h: a sweep as the frontend reads it from a Lua file (its language: sweep.lua).
 *
 * A sweep is a space of named parameters and a function from a point of it to a model. The values
 * are kept as JSON texts: so they stand in the journal, on the command line of the process that
 * trains the point (model_read_point), and are compared. */
#ifndef LATHE_SWEEP_FILE_H
#define LATHE_SWEEP_FILE_H

#include "../base/arena.h"
#include "../../runtime/error.h"

#include <stdbool.h>
#include <stdint.h>

struct sweep_value {
    const char *json, *label; /* `"sgd"`, and for people `sgd` */
    double number;            /* NAN: it is none */
};

/* Another parameter must have one of these values. */
struct sweep_condition {
    int parameter; /* its position; before the one that has the condition */
    const char *const *values;
    int value_count;
};

struct sweep_parameter {
    const char *name;
    const struct sweep_value *values; /* NULL: any number in [from, to] */
    int value_count;
    double from, to;
    bool logarithmic, integer;
    const struct sweep_condition *conditions; /* all must hold; else points lack the parameter */
    int condition_count;
};

enum sweep_strategy { SWEEP_GRID, SWEEP_RANDOM, SWEEP_HALVING };

struct sweep {
    const char *name, *file;
    int line;
    const struct sweep_parameter *parameters;
    int parameter_count;
    enum sweep_strategy strategy;
    long points;       /* to draw; 0: the whole grid */
    uint32_t seed;     /* of the drawing */
    long factor;       /* of halving: one of so many goes on, so many times as long */
    long first_epochs; /* of halving: epochs of the first round */
    const char *score; /* "validation_accuracy", ...: a column of the history, or of the test */
    bool score_is_loss;
    long repeats;            /* trainings of each point */
    long folds;              /* of its cross-validation; 0: none */
    long epochs;             /* of each training; 0: the model's own number */
    uint32_t training_seed;  /* of the first of these */
    const char *fingerprint; /* of the texts of the file and of what it requires, hexadecimal */
};

/** Reads a sweep file, in the sandbox of model_read. The model function is not called. NULL + one
 * message `file:line: ...`. */
struct sweep *sweep_read(struct arena *arena, const char *path, struct error *error);

#endif
