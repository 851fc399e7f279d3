/* mistakes.c: keeps a short sorted list (see mistakes.h). */
#include "mistakes.h"
#include "evaluation.h"

/* One output alone is the probability of class 1. */
static float value_of(const struct program *program, const float *predictions, int class_number) {
    if (program->output_size > 1) return predictions[class_number];
    return class_number ? predictions[0] : 1 - predictions[0];
}

static float margin(const struct mistake *mistake) {
    return mistake->predicted_value - mistake->true_value;
}

void mistakes_add(struct mistakes *mistakes, const struct program *program, long sample,
                  int true_class, const float *predictions) {
    int predicted = evaluation_class(program, predictions);

    if (predicted == true_class || true_class < 0 || true_class >= evaluation_classes(program))
        return;
    struct mistake mistake = {
        .sample = sample,
        .true_class = true_class,
        .predicted_class = predicted,
        .true_value = value_of(program, predictions, true_class),
        .predicted_value = value_of(program, predictions, predicted),
    };
    int place = mistakes->count;
    while (place > 0 && margin(&mistake) > margin(&mistakes->list[place - 1])) place--;
    if (place == MISTAKES_KEPT) return;
    if (mistakes->count < MISTAKES_KEPT) mistakes->count++;
    for (int i = mistakes->count - 1; i > place; i--) mistakes->list[i] = mistakes->list[i - 1];
    mistakes->list[place] = mistake;
}
