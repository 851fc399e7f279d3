/* test_augmentation.c: changed images against a slow version in double, written from Keras's
 * description; batches made ahead against batches made at once. */
#include "runtime/augmentation.h"
#include "runtime/prefetch.h"
#include "runtime/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { HEIGHT = 9, WIDTH = 12, CHANNELS = 2, SIZE = HEIGHT * WIDTH * CHANNELS, COUNT = 300 };

static uint8_t bytes[COUNT * SIZE];
static int labels[COUNT];
static const struct dataset images = {.bytes = bytes,
                                      .count = COUNT,
                                      .sample_size = SIZE,
                                      .rank = 3,
                                      .shape = {HEIGHT, WIDTH, CHANNELS},
                                      .labels = labels,
                                      .classes = 3};
/* The same bytes as wide images of one channel, which take a way of their own. */
static const struct dataset gray = {.bytes = bytes,
                                    .count = COUNT,
                                    .sample_size = SIZE,
                                    .rank = 3,
                                    .shape = {HEIGHT, WIDTH *CHANNELS, 1},
                                    .labels = labels,
                                    .classes = 3};
static struct error error;

static int make_images(void **state) {
    (void)state;
    for (int i = 0; i < COUNT * SIZE; i++) bytes[i] = (uint8_t)random_bits(5, (uint32_t)i);
    for (int i = 0; i < COUNT; i++) labels[i] = i % 3;
    return 0;
}

static void gather(const struct dataset *data, const struct augmentation *augmentation,
                   uint32_t seed, uint32_t epoch, const long *indices, long count, float *samples,
                   float *out_labels) {
    const long *shape = data->shape;
    long size = augmentation_scratch_floats(shape[0], shape[1], shape[2]);
    float *scratch = malloc(sizeof *scratch * (size_t)size);
    assert_non_null(scratch);
    augmentation_gather(augmentation, data, seed, epoch, indices, count, samples, out_labels, 1,
                        scratch);
    free(scratch);
}

static void change_of(const struct dataset *data, const struct augmentation *augmentation,
                      uint32_t seed, uint32_t epoch, long sample, float out[SIZE]) {
    float label;
    gather(data, augmentation, seed, epoch, &sample, 1, out, &label);
    assert_true(label == (float)labels[sample]);
}

static void change(const struct augmentation *augmentation, uint32_t seed, uint32_t epoch,
                   long sample, float out[SIZE]) {
    change_of(&images, augmentation, seed, epoch, sample, out);
}

static double original(long sample, long row, long column, long channel) {
    return bytes[((sample * HEIGHT + row) * WIDTH + column) * CHANNELS + channel] / 255.0;
}

/* --- the matrix --- */

struct range {
    double least, largest;
};

static void widen(struct range *range, double value) {
    range->least = fmin(range->least, value);
    range->largest = fmax(range->largest, value);
}

/* What Keras draws, taken from the matrix again: turn, stretches, and shifts of the middle. */
static void draws_fill_their_ranges(void **state) {
    const struct augmentation a = {.width_shift_range = 0.25,
                                   .height_shift_range = 2,
                                   .rotation_range = 30,
                                   .zoom_range = 0.2};
    struct range turn = {9, -9}, row_zoom = turn, column_zoom = turn, rows = turn, columns = turn;

    (void)state;
    for (long sample = 0; sample < 2000; sample++) {
        struct image_change c = augmentation_draw(&a, HEIGHT, WIDTH, 1, 2, sample);
        double(*m)[3] = c.matrix, angle = atan2(m[1][0], m[0][0]);
        double middle[2] = {(HEIGHT - 1) / 2.0, (WIDTH - 1) / 2.0}, moved[2];
        widen(&turn, angle);
        widen(&row_zoom, hypot(m[0][0], m[1][0]));
        widen(&column_zoom, hypot(m[0][1], m[1][1]));
        assert_true(fabs(m[0][0] * m[0][1] + m[1][0] * m[1][1]) < 1e-12); /* right angles */
        for (int i = 0; i < 2; i++)
            moved[i] = m[i][0] * middle[0] + m[i][1] * middle[1] + m[i][2] - middle[i];
        widen(&rows, cos(angle) * moved[0] + sin(angle) * moved[1]); /* shifted, then turned */
        widen(&columns, -sin(angle) * moved[0] + cos(angle) * moved[1]);
    }
    const struct {
        struct range got;
        double middle, range;
    } expected[] = {{turn, 0, 3.14159265358979323846 / 6},
                    {row_zoom, 1, 0.2},
                    {column_zoom, 1, 0.2},
                    {rows, 0, 2},
                    {columns, 0, 0.25 * WIDTH}};
    for (int i = 0; i < 5; i++) {
        double below = expected[i].middle - expected[i].got.least;
        double above = expected[i].got.largest - expected[i].middle, range = expected[i].range;
        assert_true(below <= range * (1 + 1e-9) && above <= range * (1 + 1e-9));
        assert_true(below > 0.99 * range && above > 0.99 * range);
    }
}

/* --- pixels --- */

static double value_at(const struct augmentation *a, const long shape[3], long sample, long row,
                       long column, long channel) {
    bool inside = row >= 0 && row < shape[0] && column >= 0 && column < shape[1];
    if (!inside && a->fill_mode == FILL_CONSTANT) return a->cval;
    row = row < 0 ? 0 : row >= shape[0] ? shape[0] - 1 : row;
    column = column < 0 ? 0 : column >= shape[1] ? shape[1] - 1 : column;
    return bytes[sample * SIZE + (row * shape[1] + column) * shape[2] + channel] / 255.0;
}

/* A weighted sum over all pixels near enough: the tent function of both distances. */
static double interpolated(const struct augmentation *a, const long shape[3], long sample,
                           double row, double column, long channel) {
    double sum = 0;
    for (long r = (long)floor(row) - 1; r <= (long)floor(row) + 2; r++)
        for (long c = (long)floor(column) - 1; c <= (long)floor(column) + 2; c++)
            sum += fmax(0, 1 - fabs(row - (double)r)) * fmax(0, 1 - fabs(column - (double)c)) *
                   value_at(a, shape, sample, r, c, channel);
    return sum;
}

static void pixels_are_interpolated(void **state) {
    const struct augmentation cases[] = {
        {.width_shift_range = 3, .rotation_range = 40, .zoom_range = 0.3},
        {.height_shift_range = 0.4,
         .rotation_range = 180,
         .fill_mode = FILL_CONSTANT,
         .cval = -2,
         .horizontal_flip = true,
         .vertical_flip = true}};

    (void)state;
    for (int i = 0; i < 4; i++)
        for (long sample = 0; sample < 50; sample++) {
            const struct augmentation *a = &cases[i / 2];
            const struct dataset *data = i % 2 ? &gray : &images;
            const long *shape = data->shape;
            struct image_change c = augmentation_draw(a, shape[0], shape[1], 3, 4, sample);
            float out[SIZE];
            change_of(data, a, 3, 4, sample, out);
            for (long place = 0; place < SIZE; place++) {
                double y = (double)(place / shape[2] / shape[1]);
                double x = (double)(place / shape[2] % shape[1]), at[2];
                for (int k = 0; k < 2; k++)
                    at[k] = c.matrix[k][0] * y + c.matrix[k][1] * x + c.matrix[k][2];
                double expected = interpolated(a, shape, sample, at[0], at[1], place % shape[2]);
                if (fabs(out[place] - expected) > 1e-4)
                    fail_msg("case %d, sample %ld, place %ld: %g, not %g", i, sample, place,
                             out[place], expected);
            }
        }
}

/* Mirrored images hold the very same values; both halves of the flips occur. */
static void flips_are_exact(void **state) {
    const struct augmentation a = {.horizontal_flip = true, .vertical_flip = true};
    int seen[4] = {0};

    (void)state;
    for (long sample = 0; sample < COUNT; sample++) {
        float out[SIZE];
        int kinds = 0, kind = 0;
        change(&a, 1, 1, sample, out);
        for (int mirrored = 0; mirrored < 4; mirrored++) {
            bool same = true;
            for (long place = 0; place < SIZE; place++) {
                long row = place / CHANNELS / WIDTH, column = place / CHANNELS % WIDTH;
                if (mirrored & 1) row = HEIGHT - 1 - row;
                if (mirrored & 2) column = WIDTH - 1 - column;
                same = same && out[place] == (float)original(sample, row, column, place % CHANNELS);
            }
            kinds += same;
            if (same) kind = mirrored;
        }
        assert_int_equal(kinds, 1);
        seen[kind]++;
    }
    for (int i = 0; i < 4; i++) assert_in_range(seen[i], COUNT / 8, COUNT / 2);
}

static void noise_is_normal(void **state) {
    const struct augmentation a = {.noise = 0.25};
    double sum = 0, squares = 0, fourth = 0, neighbours = 0, count = COUNT * SIZE;
    int beyond = 0; /* two standard deviations */

    (void)state;
    for (long sample = 0; sample < COUNT; sample++) {
        float out[SIZE];
        double last = 0;
        change(&a, 1, 1, sample, out);
        for (long i = 0; i < SIZE; i++) {
            double noise = (out[i] - bytes[sample * SIZE + i] / 255.0) / 0.25;
            sum += noise;
            squares += noise * noise;
            fourth += noise * noise * noise * noise;
            neighbours += noise * last;
            beyond += fabs(noise) > 2;
            last = noise;
        }
    }
    assert_true(fabs(sum / count) < 4 / sqrt(count));
    assert_true(fabs(neighbours / count) < 4 / sqrt(count));
    assert_true(fabs(squares / count - 1) < 0.02);
    assert_true(fabs(fourth / count - 3) < 0.12);
    assert_true(fabs(beyond / count - 0.0455) < 0.004);
}

static void cutout_is_a_square(void **state) {
    const struct augmentation a = {.cutout = 4};
    int full = 0;

    (void)state;
    for (long sample = 0; sample < COUNT; sample++) {
        float out[SIZE];
        long top = HEIGHT, left = WIDTH, bottom = -1, right = -1, zeros = 0;
        change(&a, 1, 1, sample, out);
        for (long pixel = 0; pixel < HEIGHT * WIDTH; pixel++) {
            long row = pixel / WIDTH, column = pixel % WIDTH;
            bool both = true, same = true;
            for (long c = 0; c < CHANNELS; c++) {
                both = both && out[pixel * CHANNELS + c] == 0;
                same = same && out[pixel * CHANNELS + c] == (float)original(sample, row, column, c);
            }
            assert_true(both || same);
            if (same) continue;
            zeros++;
            if (row < top) top = row;
            if (row > bottom) bottom = row;
            if (column < left) left = column;
            if (column > right) right = column;
        }
        assert_true(bottom - top < 4 && right - left < 4);
        full += zeros >= 15; /* a pixel of the original may be black */
    }
    assert_in_range(full, COUNT / 4, COUNT - 1); /* some lie partly outside */
}

/* --- seeds --- */

static const struct augmentation everything = {.width_shift_range = 2,
                                               .height_shift_range = 2,
                                               .rotation_range = 10,
                                               .zoom_range = 0.1,
                                               .horizontal_flip = true,
                                               .noise = 0.02,
                                               .cutout = 3};

static void changes_depend_on_seed_epoch_and_sample(void **state) {
    float a[SIZE], b[SIZE];

    (void)state;
    change(&everything, 1, 1, 7, a);
    change(&everything, 1, 1, 7, b);
    assert_memory_equal(a, b, sizeof a);
    change(&everything, 2, 1, 7, b);
    assert_memory_not_equal(a, b, sizeof a);
    change(&everything, 1, 2, 7, b);
    assert_memory_not_equal(a, b, sizeof a);
    struct image_change one = augmentation_draw(&everything, HEIGHT, WIDTH, 1, 1, 7);
    struct image_change other = augmentation_draw(&everything, HEIGHT, WIDTH, 1, 1, 8);
    assert_memory_not_equal(one.matrix, other.matrix, sizeof one.matrix);
}

/* --- batches made ahead --- */

enum { BATCH = 16, ROWS = 24 };
static const struct program program = {
    .batch = BATCH, .rows = ROWS, .sample_size = SIZE, .label_size = 1};

static void check_batch(struct prefetch *prefetch, uint32_t epoch, const long *order, long count,
                        long batch) {
    static float samples[ROWS * SIZE];
    float expected[ROWS];
    const float *inputs[2];
    long size = count - batch * BATCH < BATCH ? count - batch * BATCH : BATCH;

    prefetch_batch(prefetch, batch, inputs);
    memset(samples, 0, sizeof samples);
    memset(expected, 0, sizeof expected);
    gather(&images, &everything, 9, epoch, order + batch * BATCH, size, samples, expected);
    assert_memory_equal(inputs[0], samples, sizeof samples);
    assert_memory_equal(inputs[1], expected, sizeof expected);
}

static void batches_made_ahead_are_the_same(void **state) {
    long order[COUNT];

    (void)state;
    struct prefetch *prefetch = prefetch_new(&everything, &images, &program, 9, &error);
    if (!prefetch) fail_msg("%s", error.text);
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        long count = COUNT - (long)epoch % 7, batches = (count + BATCH - 1) / BATCH;
        prefetch_pause(prefetch);
        random_permutation(3, epoch, order, COUNT);
        long first = epoch % 3 ? 0 : batches / 2;
        prefetch_epoch(prefetch, epoch, order, count, first);
        /* Some epochs break off, some go back to an earlier batch. */
        for (long batch = first; batch < batches - (epoch % 4 == 1 ? 6 : 0); batch++)
            check_batch(prefetch, epoch, order, count, batch);
        if (epoch % 5 == 2)
            for (long batch = 1; batch < 4; batch++)
                check_batch(prefetch, epoch, order, count, batch);
    }
    prefetch_free(prefetch);
    prefetch_free(NULL);
}

static void other_data_are_refused(void **state) {
    struct dataset vectors = images;
    struct augmentation augmentation = {.file = "m.lua", .line = 12};

    (void)state;
    vectors.rank = 1;
    vectors.shape[0] = SIZE;
    assert_true(augmentation_check(&augmentation, &images, &error));
    assert_false(augmentation_check(&augmentation, &vectors, &error));
    assert_string_equal(error.text, "m.lua:12: augmentation: the samples of the data are 216, but "
                                    "it changes images of height x width x channels");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_fill_their_ranges),
        cmocka_unit_test(pixels_are_interpolated),
        cmocka_unit_test(flips_are_exact),
        cmocka_unit_test(noise_is_normal),
        cmocka_unit_test(cutout_is_a_square),
        cmocka_unit_test(changes_depend_on_seed_epoch_and_sample),
        cmocka_unit_test(batches_made_ahead_are_the_same),
        cmocka_unit_test(other_data_are_refused),
    };
    return cmocka_run_group_tests(tests, make_images, NULL);
}
