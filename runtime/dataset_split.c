/* dataset_split.c: which samples are for training and which for validation (see dataset.h). */
#include "dataset.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>

/* Sorts the samples by class, at random within a class; start has room for classes + 1. */
static void order_by_class(const struct dataset *dataset, const long *random_order, long *start,
                           long *by_class) {
    for (long i = 0; i < dataset->count; i++) start[dataset->labels[i] + 1]++;
    for (int c = 0; c < dataset->classes; c++) start[c + 1] += start[c];
    for (long i = 0; i < dataset->count; i++) {
        long sample = random_order[i];
        by_class[start[dataset->labels[sample]]++] = sample;
    }
}

/* Is the sample at this place of the order for validation? Taking every K-th (every 1 /
 * fraction-th) of an order by class gives each class its share. */
static bool is_validation(const struct split_options *options, long place) {
    if (options->folds) return place % options->folds == options->fold;
    return floor((double)(place + 1) * options->fraction) >
           floor((double)place * options->fraction);
}

static void divide(const struct split_options *options, const long *order, long count, char *chosen,
                   struct dataset_split *split) {
    for (long place = 0; place < count; place++)
        chosen[order[place]] = is_validation(options, place);
    for (long i = 0; i < count; i++) {
        if (chosen[i])
            split->validation[split->validation_count++] = i;
        else
            split->train[split->train_count++] = i;
    }
}

static bool check(const struct dataset *dataset, const struct split_options *options,
                  struct error *error) {
    if (!(options->fraction >= 0.0 && options->fraction < 1.0))
        return error_set(error, "the validation split is %g; it must be at least 0 and below 1",
                         options->fraction);
    if (options->folds && (options->folds < 2 || options->folds > dataset->count))
        return error_set(error, "%ld folds; cross-validation needs 2 to %ld, the number of samples",
                         options->folds, dataset->count);
    return true;
}

bool dataset_split(const struct dataset *dataset, const struct split_options *options,
                   uint32_t seed, struct dataset_split *split, struct error *error) {
    *split = (struct dataset_split){0};
    if (!check(dataset, options, error)) return false;
    if (options->fraction == 0.0 && !options->folds) { /* all samples are for training */
        split->train_count = dataset->count;
        return true;
    }
    size_t count = (size_t)dataset->count;
    bool by_class = options->stratified && dataset->labels;
    long *order = malloc(sizeof *order * (count + 1));
    long *sorted = malloc(sizeof *sorted * (count + 1));
    long *start = calloc((size_t)dataset->classes + 1, sizeof *start);
    char *chosen = malloc(count + 1);
    split->train = malloc(sizeof(long) * (count + 1));
    split->validation = malloc(sizeof(long) * (count + 1));
    bool fine = order && sorted && start && chosen && split->train && split->validation;
    if (fine) {
        for (long i = 0; i < dataset->count; i++) order[i] = i;
        random_shuffle(random_key(seed, 0, RANDOM_STREAM_SPLIT), order, dataset->count);
        if (by_class) order_by_class(dataset, order, start, sorted);
        divide(options, by_class ? sorted : order, dataset->count, chosen, split);
    }
    free(order);
    free(sorted);
    free(start);
    free(chosen);
    if (fine) return true;
    dataset_split_free(split);
    return error_set(error, "out of memory for the validation split");
}

void dataset_split_free(struct dataset_split *split) {
    free(split->train);
    free(split->validation);
    *split = (struct dataset_split){0};
}
