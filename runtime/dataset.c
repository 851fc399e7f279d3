/* dataset.c: batches and checks of a data set in memory (see dataset.h). */
#include "dataset.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void dataset_close(struct dataset *dataset) {
    files_view_close(&dataset->view);
    for (int i = 0; i < 2; i++) free(dataset->owned[i]);
    free(dataset->path);
    *dataset = (struct dataset){0};
}

void dataset_pair_close(struct dataset_pair *pair) {
    dataset_close(&pair->train);
    dataset_close(&pair->test);
    class_names_free(&pair->class_names);
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
