/* mistakes.h: the samples that a classifier gets wrong most surely. */
#ifndef LATHE_MISTAKES_H
#define LATHE_MISTAKES_H

#include "program.h"

enum { MISTAKES_KEPT = 20 };

struct mistake {
    long sample;                       /* its number in the data set */
    int true_class, predicted_class;   /* they differ */
    float true_value, predicted_value; /* what the model says of each: probabilities, or logits */
};

/* The worst so far, worst first: by how far the predicted class is above the true one. Starts as
 * zeros. */
struct mistakes {
    struct mistake list[MISTAKES_KEPT];
    int count;
};

/** Looks at one sample: its true class, and what the program predicts for it. */
void mistakes_add(struct mistakes *mistakes, const struct program *program, long sample,
                  int true_class, const float *predictions);

#endif
