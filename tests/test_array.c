/* test_array.c: samples to predict from .npy, .png and IDX files, good and damaged. */
#include "../runtime/dataset.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[128]; /* one file, written anew by each test */
static struct error error;

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/lathe_test_array_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_bytes(const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A .npy file of a version with this dictionary and data. */
static size_t make_npy(uint8_t *out, int version, const char *dictionary, const void *data,
                       size_t size) {
    size_t start = version == 1 ? 10 : 12, length = strlen(dictionary);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[7] = 0;
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    if (version > 1) out[10] = out[11] = 0;
    memcpy(out + start, dictionary, length);
    memcpy(out + start + length, data, size);
    return start + length + size;
}

static void write_npy(int version, const char *dictionary, const void *data, size_t size) {
    uint8_t bytes[1024];
    write_bytes(bytes, make_npy(bytes, version, dictionary, data, size));
}

/* Fails unless the file gives count samples of these values. */
static void expect_samples(int rank, const long *shape, long count, const float *values) {
    struct dataset dataset;
    if (!dataset_load_array(path, rank, shape, &dataset, &error)) fail_msg("%s", error.text);
    assert_int_equal(dataset.count, count);
    assert_null(dataset.labels);
    for (long i = 0; i < count * dataset.sample_size; i++)
        if (dataset.floats[i] != values[i])
            fail_msg("value %ld is %g, not %g", i, dataset.floats[i], values[i]);
    dataset_close(&dataset);
}

/* Fails unless loading fails with this message (after "<path>: "). */
static void expect_failure(int rank, const long *shape, const char *text) {
    struct dataset dataset;
    if (dataset_load_array(path, rank, shape, &dataset, &error)) fail_msg("the file was loaded");
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    assert_string_equal(error.text + strlen(path) + 2, text);
}

/* 0, 1, ... 5 as NumPy writes them; the second one is big-endian. */
static const float numbers[6] = {0, 1, 2, 3, 4, 5};
static const uint8_t little_f4[24] = {0, 0, 0,  0,  0, 0, 128, 63, 0, 0, 0,   64,
                                      0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64};
static const uint8_t big_f8[48] = {0,  0,  0, 0, 0, 0, 0, 0, 63, 240, 0, 0, 0, 0, 0, 0,
                                   64, 0,  0, 0, 0, 0, 0, 0, 64, 8,   0, 0, 0, 0, 0, 0,
                                   64, 16, 0, 0, 0, 0, 0, 0, 64, 20,  0, 0, 0, 0, 0, 0};

static void numpy_arrays(void **state) {
    (void)state;
    const long pair[] = {2, 3, 1}, triple[] = {3}, flat[] = {6};
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", little_f4, 24);
    expect_samples(3, pair, 1, numbers);
    expect_samples(1, triple, 2, numbers);
    expect_samples(1, flat, 1, numbers);
    write_npy(2, "{'descr': '>f8', 'fortran_order': False, 'shape': (1, 2, 3), }\n", big_f8, 48);
    expect_samples(2, pair, 1, numbers);
    const uint8_t bytes[6] = {0, 255, 51, 0, 0, 102};
    const float scaled[6] = {0, 1, 51 / 255.0f, 0, 0, 102 / 255.0f};
    write_npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }\n", bytes, 6);
    expect_samples(1, flat, 1, scaled);
    const long one[] = {1};
    expect_samples(1, one, 6, scaled);
}

static void wrong_numpy_arrays(void **state) {
    (void)state;
    const long shape[] = {2, 3};
    write_npy(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }\n", big_f8, 48);
    expect_failure(2, shape,
                   "NumPy type \"<i8\" is not supported; uint8 (u1), float32 (f4) and float64 (f8) "
                   "are");
    write_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", little_f4, 24);
    expect_failure(2, shape, "the array is in Fortran order; save numpy.ascontiguousarray(x)");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", little_f4, 24);
    expect_failure(2, shape,
                   "the array is 3 x 2, but a sample of the model is 2 x 3 (an axis before it may "
                   "count samples)");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", little_f4, 20);
    expect_failure(2, shape, "the NumPy header promises 24 bytes of data, but there are 20");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2, 3), }\n", "", 0);
    expect_failure(2, shape, "the array (0 x 2 x 3) is empty");
    write_npy(1,
              "{'descr': '<f4', 'fortran_order': False, "
              "'shape': (9223372036854775807, 9223372036854775807), }\n",
              "", 0);
    expect_failure(2, shape, "the sizes in the NumPy header are too large");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", little_f4, 4);
    expect_failure(2, shape,
                   "the array is a single number, but a sample of the model is 2 x 3 (an axis "
                   "before it may count samples)");
    write_npy(9, "{}", "", 0);
    expect_failure(2, shape, "NumPy format version 9 is not supported");
    write_bytes("hello", 5);
    expect_failure(2, shape, "neither a PNG nor a NumPy (.npy) nor an IDX file");
}

static void numbers_that_are_not_finite(void **state) {
    (void)state;
    const long shape[] = {3};
    const char *const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    uint8_t bytes[24];
    memcpy(bytes, little_f4, sizeof bytes);
    memcpy(bytes + 16, "\0\0\xc0\x7f", 4);
    write_npy(1, header, bytes, 24);
    expect_failure(1, shape,
                   "number 1 of sample 1 (both from 0) is not a number (NaN); samples must be "
                   "finite numbers");
    memcpy(bytes, "\0\0\x80\xff", 4);
    write_npy(1, header, bytes, 24);
    expect_failure(1, shape,
                   "number 0 of sample 0 (both from 0) is infinite as a float; samples must be "
                   "finite numbers");
}

static void idx_arrays(void **state) {
    (void)state;
    const uint8_t samples[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 15, 255};
    const float values[] = {5 / 255.0f, 10 / 255.0f, 15 / 255.0f, 1};
    const long shape[] = {1, 2, 1};
    write_bytes(samples, sizeof samples);
    expect_samples(3, shape, 2, values);
    uint8_t floats[16 + 24] = {0, 0, 0x0e, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3};
    memcpy(floats + 16, big_f8, 24);
    const long three[] = {3};
    write_bytes(floats, sizeof floats);
    expect_samples(1, three, 1, numbers);
}

static void write_png(png_uint_32 format, unsigned width, unsigned height, const uint8_t *pixels) {
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = format};
    assert_true(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

static void pictures(void **state) {
    (void)state;
    const uint8_t gray[6] = {0, 50, 100, 150, 200, 250};
    float values[18];
    const long gray_shape[] = {2, 3, 1}, colour_shape[] = {2, 3, 3}, flat[] = {6};
    write_png(PNG_FORMAT_GRAY, 3, 2, gray);
    for (int i = 0; i < 6; i++) values[i] = (float)gray[i] / 255.0f;
    expect_samples(3, gray_shape, 1, values);
    expect_samples(2, gray_shape, 1, values);
    expect_samples(1, flat, 1, values);
    for (int i = 0; i < 18; i++) values[i] = (float)gray[i / 3] / 255.0f;
    expect_samples(3, colour_shape, 1, values);

    uint8_t colour[18];
    for (int i = 0; i < 18; i++) colour[i] = (uint8_t)(i * 14);
    write_png(PNG_FORMAT_RGB, 3, 2, colour);
    for (int i = 0; i < 18; i++) values[i] = (float)colour[i] / 255.0f;
    expect_samples(3, colour_shape, 1, values);
    /* A gray pixel stays what it is when colour becomes gray. */
    for (int i = 0; i < 18; i++) colour[i] = gray[i / 3];
    write_png(PNG_FORMAT_RGB, 3, 2, colour);
    for (int i = 0; i < 6; i++) values[i] = (float)gray[i] / 255.0f;
    expect_samples(3, gray_shape, 1, values);

    const long other[] = {3, 2, 1}, deep[] = {2, 3, 5};
    expect_failure(3, other, "the image is 2 x 3 (height x width), but the model takes 3 x 2 x 1");
    expect_failure(3, deep, "an image has at most 4 channels, but the model takes 2 x 3 x 5");
}

static bool try_to_load(int rank, const long *shape) {
    struct dataset dataset;
    error.text[0] = '\0';
    bool loaded = dataset_load_array(path, rank, shape, &dataset, &error);
    if (loaded)
        dataset_close(&dataset);
    else
        assert_true(strlen(error.text) > strlen(path));
    return loaded;
}

/* Every truncation and flipped bit of the file gives a message or a sample. The last `spare` bytes
 * may be missing. */
static void damage(int rank, const long *shape, size_t spare) {
    size_t size;
    char *bytes = files_read(path, &size, &error);
    assert_non_null(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(bytes, cut);
        assert_int_equal(try_to_load(rank, shape), cut >= size - spare);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes(bytes, size);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        try_to_load(rank, shape);
    }
    free(bytes);
}

static void damaged_files_never_crash(void **state) {
    (void)state;
    const long shape[] = {2, 3, 1};
    const uint8_t gray[6] = {0, 50, 100, 150, 200, 250};
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", little_f4, 24);
    damage(3, shape, 0);
    const uint8_t idx[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    write_bytes(idx, sizeof idx);
    damage(3, shape, 0);
    write_png(PNG_FORMAT_GRAY, 3, 2, gray);
    damage(3, shape, 12); /* libpng does not ask for the end mark */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_arrays),
        cmocka_unit_test(wrong_numpy_arrays),
        cmocka_unit_test(numbers_that_are_not_finite),
        cmocka_unit_test(idx_arrays),
        cmocka_unit_test(pictures),
        cmocka_unit_test(damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
