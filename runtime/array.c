/* array.c: arrays of any supported file as floats, for prediction (see dataset.h). */
#include "dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *dataset_shape_text(int rank, const long *shape, char *text, size_t size) {
    size_t used = 0;
    if (size) snprintf(text, size, "%s", rank ? "" : "a single number");
    for (int axis = 0; axis < rank && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, "%s%ld", axis ? " x " : "", shape[axis]);
    return text;
}

bool shapes_agree(int rank, const long *shape, int taken_rank, const long *taken) {
    if (taken_rank == 1) {
        long elements = 1;
        for (int axis = 0; axis < rank; axis++) elements *= shape[axis];
        return elements == taken[0];
    }
    int other = 0;
    for (int axis = 0; axis < rank; axis++) {
        if (shape[axis] == 1) continue;
        while (other < taken_rank && taken[other] == 1) other++;
        if (other == taken_rank || taken[other++] != shape[axis]) return false;
    }
    while (other < taken_rank && taken[other] == 1) other++;
    return other == taken_rank;
}

static float read_float(const uint8_t *data, bool big_endian) {
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) bits |= (uint32_t)data[i] << 8 * (big_endian ? 3 - i : i);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float read_double(const uint8_t *data, bool big_endian) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (uint64_t)data[i] << 8 * (big_endian ? 7 - i : i);
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

float *array_floats(const struct array *array) {
    size_t count = (size_t)array->elements;
    float *floats = malloc(sizeof(float) * (count ? count : 1));
    if (!floats) return NULL;
    for (size_t i = 0; i < count; i++) {
        switch (array->type) {
        case ARRAY_U8: floats[i] = (float)array->data[i] / 255.0f; break;
        case ARRAY_F4: floats[i] = read_float(array->data + 4 * i, array->big_endian); break;
        case ARRAY_F8: floats[i] = read_double(array->data + 8 * i, array->big_endian); break;
        }
    }
    return floats;
}

bool samples_are_finite(const char *path, const float *floats, long samples, long sample_size,
                        struct error *error) {
    for (long i = 0; i < samples * sample_size; i++)
        if (!isfinite(floats[i]))
            return error_set(error,
                             "%s: number %ld of sample %ld (both from 0) is %s; samples must be "
                             "finite numbers",
                             path, i % sample_size, i / sample_size,
                             isnan(floats[i]) ? "not a number (NaN)" : "infinite as a float");
    return true;
}

/* Tells an array of one sample from an array of several; 0 samples: the shapes do not agree. */
static long count_samples(const struct array *array, int rank, const long *shape) {
    if (shapes_agree(array->rank, array->size, rank, shape)) return 1;
    if (array->rank < 1 || !shapes_agree(array->rank - 1, array->size + 1, rank, shape)) return 0;
    return array->size[0];
}

static bool from_array(const char *path, const struct array *array, struct dataset *dataset,
                       struct error *error) {
    char have[160], want[160];
    dataset_shape_text(array->rank, array->size, have, sizeof have);
    dataset_shape_text(dataset->rank, dataset->shape, want, sizeof want);
    if (array->elements == 0) return error_set(error, "%s: the array (%s) is empty", path, have);
    dataset->count = count_samples(array, dataset->rank, dataset->shape);
    if (dataset->count == 0)
        return error_set(error,
                         "%s: the array is %s, but a sample of the model is %s (an axis before it "
                         "may count samples)",
                         path, have, want);
    float *floats = array_floats(array);
    if (!floats) return error_set(error, "%s: out of memory", path);
    dataset->floats = dataset->owned[0] = floats;
    return samples_are_finite(path, floats, dataset->count, dataset->sample_size, error);
}

static bool from_image(const char *path, const struct file_view *view, struct dataset *dataset,
                       struct error *error) {
    uint8_t *bytes;
    if (!image_decode(path, view, dataset->rank, dataset->shape, &bytes, error)) return false;
    struct array array = {.data = bytes, .type = ARRAY_U8, .elements = dataset->sample_size};
    float *floats = array_floats(&array);
    free(bytes);
    if (!floats) return error_set(error, "%s: out of memory", path);
    dataset->floats = dataset->owned[0] = floats;
    dataset->count = 1;
    return true;
}

bool dataset_load_array(const char *path, int rank, const long *shape, struct dataset *dataset,
                        struct error *error) {
    *dataset = (struct dataset){.rank = rank, .sample_size = 1};
    for (int axis = 0; axis < rank; axis++) {
        dataset->shape[axis] = shape[axis];
        dataset->sample_size *= shape[axis];
    }
    struct file_view view;
    if (!files_view(path, &view, error)) return false;
    struct array array;
    bool fine;
    if (view.size >= 8 && !memcmp(view.data, "\x89PNG\r\n\x1a\n", 8))
        fine = from_image(path, &view, dataset, error);
    else if (view.size >= 6 && !memcmp(view.data, "\x93NUMPY", 6))
        fine = npy_parse(path, &view, &array, error) && from_array(path, &array, dataset, error);
    else if (view.size >= 4 && view.data[0] == 0 && view.data[1] == 0)
        fine = idx_parse(path, &view, &array, error) && from_array(path, &array, dataset, error);
    else
        fine = error_set(error, "%s: neither a PNG nor a NumPy (.npy) nor an IDX file", path);
    files_view_close(&view);
    if (!fine) dataset_close(dataset);
    return fine;
}
