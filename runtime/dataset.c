/* dataset.c: batches, splits and checks of a data set in memory (see dataset.h). */
#include "dataset.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void dataset_close(struct dataset *dataset) {
    files_view_close(&dataset->view);
    for (int i = 0; i < 2; i++) free(dataset->owned[i]);
    *dataset = (struct dataset){0};
}

void dataset_pair_close(struct dataset_pair *pair) {
    dataset_close(&pair->train);
    dataset_close(&pair->test);
    free(pair->folder);
    *pair = (struct dataset_pair){0};
}

bool dataset_check(const struct dataset *dataset, const struct program *program,
                   struct error *error) {
    if (!shapes_agree(dataset->rank, dataset->shape, program->sample_rank, program->sample_shape)) {
        char have[128], want[128];
        dataset_shape_text(dataset->rank, dataset->shape, have, sizeof have);
        dataset_shape_text(program->sample_rank, program->sample_shape, want, sizeof want);
        return error_set(error, "the samples of the data are %s, but the model %s takes %s", have,
                         program->name, want);
    }
    long classes = program->label_size; /* one-hot */
    if (program->sparse_labels) classes = program->output_size;
    /* One value against one label: two classes, or a number to fit. */
    if (!program->sparse_labels && program->label_size == 1)
        classes = program->has_accuracy ? 2 : dataset->classes;
    if (dataset->labels && dataset->classes > classes)
        return error_set(error, "the data has %d classes, but the model %s predicts %ld",
                         dataset->classes, program->name, classes);
    return true;
}

static void gather_label(int label, float *out, long label_size) {
    if (label_size == 1) {
        *out = (float)label;
        return;
    }
    memset(out, 0, sizeof *out * (size_t)label_size);
    if (label < label_size) out[label] = 1.0f;
}

void dataset_gather(const struct dataset *dataset, const long *indices, long count, float *samples,
                    float *labels, long label_size) {
    float value_of[256]; /* a look-up is as fast as a product, and exact */
    for (int byte = 0; byte < 256; byte++) value_of[byte] = (float)byte / 255.0f;
    size_t size = (size_t)dataset->sample_size;
    for (long i = 0; i < count; i++) {
        size_t index = (size_t)(indices ? indices[i] : i);
        float *out = samples + (size_t)i * size;
        if (dataset->floats) {
            memcpy(out, dataset->floats + index * size, sizeof *out * size);
        } else {
            const uint8_t *bytes = dataset->bytes + index * size;
            for (size_t element = 0; element < size; element++)
                out[element] = value_of[bytes[element]];
        }
        if (labels && dataset->labels)
            gather_label(dataset->labels[index], labels + i * label_size, label_size);
    }
}

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

/* Takes every (1 / fraction)-th of the samples in their order by class, which gives each class its
 * share, and marks them. */
static long mark_validation(const long *by_class, long count, double fraction, char *chosen) {
    long taken = 0;
    for (long place = 0; place < count; place++) {
        long due = (long)floor((double)(place + 1) * fraction);
        if (due == taken) continue;
        chosen[by_class[place]] = 1;
        taken = due;
    }
    return taken;
}

/* All samples are for training: nothing to draw. */
static bool split_nothing(const struct dataset *dataset, struct dataset_split *split,
                          struct error *error) {
    split->train = malloc(sizeof(long) * ((size_t)dataset->count + 1));
    if (!split->train) return error_set(error, "out of memory for the validation split");
    split->train_count = dataset->count;
    for (long i = 0; i < dataset->count; i++) split->train[i] = i;
    return true;
}

bool dataset_split(const struct dataset *dataset, double fraction, uint32_t seed,
                   struct dataset_split *split, struct error *error) {
    *split = (struct dataset_split){0};
    if (fraction == 0.0) return split_nothing(dataset, split, error);
    if (!(fraction >= 0.0 && fraction < 1.0))
        return error_set(error, "the validation split is %g; it must be at least 0 and below 1",
                         fraction);
    size_t count = (size_t)dataset->count;
    long *order = malloc(sizeof *order * (count + 1));
    long *by_class = malloc(sizeof *by_class * (count + 1));
    long *start = calloc((size_t)dataset->classes + 1, sizeof *start);
    char *chosen = calloc(count + 1, 1);
    split->train = malloc(sizeof(long) * (count + 1));
    split->validation = malloc(sizeof(long) * (count + 1));
    bool fine = order && by_class && start && chosen && split->train && split->validation;
    if (fine) {
        for (long i = 0; i < dataset->count; i++) order[i] = i;
        random_shuffle(random_key(seed, 0, RANDOM_STREAM_SPLIT), order, dataset->count);
        if (dataset->labels) order_by_class(dataset, order, start, by_class);
        mark_validation(dataset->labels ? by_class : order, dataset->count, fraction, chosen);
        for (long i = 0; i < dataset->count; i++) {
            if (chosen[i])
                split->validation[split->validation_count++] = i;
            else
                split->train[split->train_count++] = i;
        }
    }
    free(order);
    free(by_class);
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

static uint32_t checksum_number(uint32_t checksum, uint32_t value) {
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    return (uint32_t)crc32(checksum, bytes, 4);
}

uint32_t dataset_fingerprint(const struct dataset *dataset) {
    uint32_t checksum = checksum_number(0, (uint32_t)dataset->count);
    for (int axis = 0; axis < dataset->rank; axis++)
        checksum = checksum_number(checksum, (uint32_t)dataset->shape[axis]);
    for (long i = 0; dataset->labels && i < dataset->count; i++)
        checksum = checksum_number(checksum, (uint32_t)dataset->labels[i]);
    return checksum;
}
