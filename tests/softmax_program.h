/* softmax_program.h: for tests of the trainer: a small program written by hand, its data, and what
 * it saw of a training. */
#ifndef LATHE_SOFTMAX_PROGRAM_H
#define LATHE_SOFTMAX_PROGRAM_H

#include "runtime/evaluation.h"
#include "runtime/interrupt.h"
#include "runtime/trainer.h"
#include "runtime/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Softmax regression with SGD and momentum: 4 features, 3 classes. The first feature of a sample is
 * its number, so that the program can tell which samples it was given. */
enum { FEATURES = 4, CLASSES = 3, SAMPLES = 103, BATCH = 10, ROWS = 16, MOST_CALLS = 400 };

static float features[SAMPLES][FEATURES];
static int labels[SAMPLES];

/* What the program saw, call by call. */
static struct seen {
    long samples[ROWS];
    long valid;
    double learning_rate, step, seed;
    bool clean_padding;
} seen[MOST_CALLS];
static int calls, evaluations;
static double poisoned_step; /* the loss of this step becomes NAN */
static int interrupt_at;     /* the call that "receives" a Ctrl-C; 0: none */

static void softmax(const float *weights, const float *x, double p[CLASSES]) {
    double sum = 0;

    for (int c = 0; c < CLASSES; c++) {
        double logit = weights[FEATURES * CLASSES + c];
        for (int i = 1; i < FEATURES; i++) logit += (double)x[i] * weights[i * CLASSES + c];
        p[c] = exp(logit);
        sum += p[c];
    }
    for (int c = 0; c < CLASSES; c++) p[c] /= sum;
}

/* Loss and accuracy of the valid rows; adds the gradient when there is one. */
static void forward(struct program_call *call, double *gradient) {
    long valid = (long)call->scalars[2];

    call->results[0] = call->results[1] = 0;
    for (long n = 0; n < valid; n++) {
        const float *x = call->inputs[0] + n * FEATURES;
        int label = (int)call->inputs[1][n], best = 0;
        double p[CLASSES];
        softmax(call->space[PROGRAM_TRAINABLE], x, p);
        for (int c = 1; c < CLASSES; c++)
            if (p[c] > p[best]) best = c;
        call->results[0] -= log(p[label]) / (double)valid;
        call->results[1] += (best == label) / (double)valid;
        for (int c = 0; c < CLASSES; c++) {
            double error = (p[c] - (c == label)) / (double)valid;
            if (!gradient)
                call->predictions[n * CLASSES + c] = (float)p[c];
            else
                gradient[FEATURES * CLASSES + c] += error;
            for (int i = 1; gradient && i < FEATURES; i++)
                gradient[i * CLASSES + c] += error * x[i];
        }
    }
}

static void record(const struct program_call *call) {
    struct seen *s = &seen[calls++];

    assert_true(calls < MOST_CALLS);
    *s = (struct seen){.valid = (long)call->scalars[2],
                       .learning_rate = call->scalars[0],
                       .step = call->scalars[1],
                       .seed = call->scalars[3],
                       .clean_padding = true};
    for (long n = 0; n < ROWS; n++) {
        s->samples[n] = (long)call->inputs[0][n * FEATURES];
        if (n < s->valid) continue;
        for (int i = 0; i < FEATURES; i++)
            s->clean_padding = s->clean_padding && call->inputs[0][n * FEATURES + i] == 0;
        s->clean_padding = s->clean_padding && call->inputs[1][n] == 0;
    }
}

static void train(struct program_call *call) {
    double gradient[(FEATURES + 1) * CLASSES] = {0};

    record(call);
    forward(call, gradient);
    for (int i = 0; i < (FEATURES + 1) * CLASSES; i++) {
        float *velocity = &call->space[PROGRAM_OPTIMIZER][i];
        *velocity = (float)(0.9 * *velocity - call->scalars[0] * gradient[i]);
        call->space[PROGRAM_TRAINABLE][i] += *velocity;
    }
    call->space[PROGRAM_STATE][0] += 1; /* a moving statistic: the number of steps */
    if (call->scalars[1] == poisoned_step) call->results[0] = NAN;
}

static void evaluate(struct program_call *call) {
    evaluations++;
    forward(call, NULL);
}

static const struct program_variable variables[] = {
    {"dense/kernel", PROGRAM_TRAINABLE, 0, 12, 2, {FEATURES, CLASSES}, PROGRAM_UNIFORM, 0.5},
    {"dense/bias", PROGRAM_TRAINABLE, 12, 3, 1, {CLASSES}, PROGRAM_ZEROS, 0},
    {"dense/steps", PROGRAM_STATE, 0, 1, 1, {1}, PROGRAM_ZEROS, 0},
};
static const struct program softmax_program = {
    .name = "softmax",
    .batch = BATCH,
    .rows = ROWS,
    .sample_size = FEATURES,
    .label_size = 1,
    .sample_rank = 1,
    .sample_shape = {FEATURES},
    .output_size = CLASSES,
    .sparse_labels = 1,
    .has_accuracy = 1,
    .space_size = {15, 1, 15},
    .arena_bytes = 64,
    .variables = variables,
    .variable_count = 3,
    .train = train,
    .evaluate = evaluate,
    .predict = evaluate,
};
static const struct dataset data = {.floats = &features[0][0],
                                    .count = SAMPLES,
                                    .sample_size = FEATURES,
                                    .rank = 1,
                                    .shape = {FEATURES},
                                    .labels = labels,
                                    .classes = CLASSES};

static const struct program *the_program(void *context) {
    return context;
}
static double rate(void *context, long step) {
    return *(const double *)context / (1 + 0.01 * (double)step);
}
static bool interrupted(void) {
    return interrupt_at && calls >= interrupt_at;
}

static double base_rate = 0.1;
static char folder[] = "/tmp/lathe_trainer_XXXXXX";

static struct trainer_options default_options(void) {
    return (struct trainer_options){.program = the_program,
                                    .program_context = (void *)&softmax_program,
                                    .learning_rate = rate,
                                    .learning_rate_context = &base_rate,
                                    .data = &data,
                                    .epochs = 3,
                                    .seed = 7,
                                    .interrupted = interrupted};
}

/* Three overlapping clouds that a linear model tells apart fairly well. */
static int make_data(void **state) {
    unsigned random = 1;

    (void)state;
    for (int n = 0; n < SAMPLES; n++) {
        labels[n] = n % CLASSES;
        features[n][0] = (float)n;
        for (int i = 1; i < FEATURES; i++) {
            random = random * 1103515245u + 12345u;
            features[n][i] = (float)((random >> 16) % 1000) / 1000 + (i - 1 == labels[n]);
        }
    }
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_data(void **state) {
    static const char *const names[] = {"last.safetensors", "best.safetensors", "history.csv",
                                        "history.json", "log.csv"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static int reset(void **state) {
    (void)state;
    calls = evaluations = interrupt_at = 0;
    poisoned_step = -1;
    base_rate = 0.1;
    return 0;
}

static struct trainer *start(const struct trainer_options *options) {
    struct error error = {.text = ""};
    struct trainer *trainer = trainer_new(options, &error);

    if (!trainer) fail_msg("%s", error.text);
    return trainer;
}

#endif
