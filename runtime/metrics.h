/* metrics.h: what predictions are worth: the confusion matrix and what follows from it. */
#ifndef LATHE_METRICS_H
#define LATHE_METRICS_H

#include <stdbool.h>
#include <stdio.h>

struct confusion {
    int classes;
    long *count; /* [true class][predicted class] */
};

/** An empty matrix; false when memory is out or classes is below 1. */
bool confusion_init(struct confusion *confusion, int classes);
void confusion_free(struct confusion *confusion);

/** Counts one sample; classes outside [0, classes) are not counted. */
void confusion_add(struct confusion *confusion, int true_class, int predicted_class);

long confusion_at(const struct confusion *confusion, int true_class, int predicted_class);
long confusion_total(const struct confusion *confusion);
double confusion_accuracy(const struct confusion *confusion);

/** Of the samples predicted as this class, the part that is; 0 when there are none. */
double confusion_precision(const struct confusion *confusion, int class_number);
/** Of the samples of this class, the part that was found; 0 when there are none. */
double confusion_recall(const struct confusion *confusion, int class_number);

/** Prints the matrix as a table: a row for each true class, a column for each predicted class, and
 * recall and precision beside. names may be NULL (numbers). Zero counts are shown as dots. */
void confusion_print(FILE *file, const struct confusion *confusion, const char *const *names);

/** The position of the largest of count values; the first of equals. */
int argmax(const float *values, long count);

#endif
