/* metrics.c: the confusion matrix, its figures and its table. */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 16 }; /* longest class name shown whole */

bool confusion_init(struct confusion *confusion, int classes) {
    confusion->classes = 0;
    confusion->count = NULL;
    if (classes < 1) return false;
    confusion->count = calloc((size_t)classes * (size_t)classes, sizeof *confusion->count);
    if (!confusion->count) return false;
    confusion->classes = classes;
    return true;
}

void confusion_free(struct confusion *confusion) {
    free(confusion->count);
    confusion->count = NULL;
    confusion->classes = 0;
}

void confusion_add(struct confusion *confusion, int true_class, int predicted_class) {
    int classes = confusion->classes;

    if (true_class < 0 || true_class >= classes) return;
    if (predicted_class < 0 || predicted_class >= classes) return;
    confusion->count[(size_t)true_class * (size_t)classes + (size_t)predicted_class]++;
}

long confusion_at(const struct confusion *confusion, int true_class, int predicted_class) {
    return confusion
        ->count[(size_t)true_class * (size_t)confusion->classes + (size_t)predicted_class];
}

static long row_total(const struct confusion *confusion, int true_class) {
    long total = 0;
    for (int j = 0; j < confusion->classes; j++) total += confusion_at(confusion, true_class, j);
    return total;
}

static long column_total(const struct confusion *confusion, int predicted_class) {
    long total = 0;
    for (int i = 0; i < confusion->classes; i++)
        total += confusion_at(confusion, i, predicted_class);
    return total;
}

long confusion_total(const struct confusion *confusion) {
    long total = 0;
    for (int i = 0; i < confusion->classes; i++) total += row_total(confusion, i);
    return total;
}

static double ratio(long part, long whole) {
    return whole ? (double)part / (double)whole : 0;
}

double confusion_accuracy(const struct confusion *confusion) {
    long right = 0;
    for (int i = 0; i < confusion->classes; i++) right += confusion_at(confusion, i, i);
    return ratio(right, confusion_total(confusion));
}

double confusion_precision(const struct confusion *confusion, int class_number) {
    return ratio(confusion_at(confusion, class_number, class_number),
                 column_total(confusion, class_number));
}

double confusion_recall(const struct confusion *confusion, int class_number) {
    return ratio(confusion_at(confusion, class_number, class_number),
                 row_total(confusion, class_number));
}

/* Characters of a UTF-8 text: its bytes without the continuations. */
static int characters(const char *text) {
    int count = 0;
    for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* The name of a class, cut to NAME_WIDTH characters. */
static const char *class_label(const char *const *names, int number,
                               char label[4 * NAME_WIDTH + 1]) {
    size_t length = 0, shown = 0;

    if (!names || !names[number]) {
        snprintf(label, 4 * NAME_WIDTH + 1, "%d", number);
        return label;
    }
    for (const char *name = names[number]; name[length] && length < 4 * NAME_WIDTH; length++) {
        if (((unsigned char)name[length] & 0xC0) != 0x80 && shown++ == NAME_WIDTH) break;
        label[length] = name[length];
    }
    label[length] = '\0';
    return label;
}

static int number_width(long number) {
    return snprintf(NULL, 0, "%ld", number);
}

/* Columns are headed by class numbers, which stay narrow; the rows show number and name. */
void confusion_print(FILE *file, const struct confusion *confusion, const char *const *names) {
    int classes = confusion->classes, label_width = 0, cell = number_width(classes - 1);
    char label[4 * NAME_WIDTH + 1];

    for (int i = 0; i < classes; i++) {
        int width = characters(class_label(names, i, label));
        if (width > label_width) label_width = width;
        for (int j = 0; j < classes; j++)
            if (number_width(confusion_at(confusion, i, j)) > cell)
                cell = number_width(confusion_at(confusion, i, j));
    }
    int left = number_width(classes - 1) + 1 + (names ? label_width + 1 : 0);
    if (left < 5) left = 5; /* "true " */
    fprintf(file, "%-*s", left, "true");
    for (int j = 0; j < classes; j++) fprintf(file, " %*d", cell, j);
    fprintf(file, "  recall  precision\n");
    for (int i = 0; i < classes; i++) {
        int printed = fprintf(file, "%*d ", number_width(classes - 1), i);
        if (names) {
            fputs(class_label(names, i, label), file);
            printed += characters(label);
        }
        fprintf(file, "%*s", left - printed, "");
        for (int j = 0; j < classes; j++) {
            if (confusion_at(confusion, i, j))
                fprintf(file, " %*ld", cell, confusion_at(confusion, i, j));
            else
                fprintf(file, " %*s", cell, ".");
        }
        fprintf(file, "  %6.4f  %9.4f\n", confusion_recall(confusion, i),
                confusion_precision(confusion, i));
    }
}

int argmax(const float *values, long count) {
    long best = 0;
    for (long i = 1; i < count; i++)
        if (values[i] > values[best]) best = i;
    return (int)best;
}
