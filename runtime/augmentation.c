/* augmentation.c: shifts, turns, stretches, mirrors images, and adds noise (see augmentation.h). */
#include "augmentation.h"
#include "random.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { NOISE_BITS = 12, NOISE_VALUES = 1 << NOISE_BITS };

/* The random numbers of a sample: these, then two values of noise from each. */
enum {
    DRAW_ROTATION,
    DRAW_ROW_SHIFT,
    DRAW_COLUMN_SHIFT,
    DRAW_ROW_ZOOM,
    DRAW_COLUMN_ZOOM,
    DRAW_HORIZONTAL_FLIP,
    DRAW_VERTICAL_FLIP,
    DRAW_CUTOUT_ROW,
    DRAW_CUTOUT_COLUMN,
    DRAW_NOISE = 16
};

static uint32_t key_of(uint32_t seed, uint32_t epoch, long sample) {
    return random_bits(random_key(seed, epoch, RANDOM_STREAM_AUGMENTATION), (uint32_t)sample);
}

static double draw(uint32_t key, int number, double range) {
    return (2 * random_uniform(key, (uint32_t)number) - 1) * range;
}

static double shift(double range, long side, uint32_t key, int number) {
    return draw(key, number, range < 1 ? range * (double)side : range);
}

/* Keras's matrix: the middle of the image stays where it is; from there, stretch, shift and turn,
 * then mirror. */
static void fill_matrix(struct image_change *change, const struct augmentation *augmentation,
                        long height, long width, uint32_t key) {
    double turn =
        draw(key, DRAW_ROTATION, augmentation->rotation_range) * 3.14159265358979323846 / 180;
    double rows = shift(augmentation->height_shift_range, height, key, DRAW_ROW_SHIFT);
    double columns = shift(augmentation->width_shift_range, width, key, DRAW_COLUMN_SHIFT);
    double row_zoom = 1 + draw(key, DRAW_ROW_ZOOM, augmentation->zoom_range);
    double column_zoom = 1 + draw(key, DRAW_COLUMN_ZOOM, augmentation->zoom_range);
    double c = cos(turn), s = sin(turn);
    double middle[2] = {0.5 * (double)(height - 1), 0.5 * (double)(width - 1)};
    bool mirrored[2] = {
        augmentation->vertical_flip && random_uniform(key, DRAW_VERTICAL_FLIP) < 0.5,
        augmentation->horizontal_flip && random_uniform(key, DRAW_HORIZONTAL_FLIP) < 0.5};
    double matrix[2][3] = {{c * row_zoom, -s * column_zoom, c * rows - s * columns},
                           {s * row_zoom, c * column_zoom, s * rows + c * columns}};

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++)
            if (mirrored[k]) matrix[i][k] = -matrix[i][k];
        matrix[i][2] += middle[i] - matrix[i][0] * middle[0] - matrix[i][1] * middle[1];
    }
    memcpy(change->matrix, matrix, sizeof matrix);
    change->moves = augmentation->rotation_range > 0 || augmentation->zoom_range > 0 ||
                    augmentation->height_shift_range > 0 || augmentation->width_shift_range > 0 ||
                    mirrored[0] || mirrored[1];
}

struct image_change augmentation_draw(const struct augmentation *augmentation, long height,
                                      long width, uint32_t seed, uint32_t epoch, long sample) {
    uint32_t key = key_of(seed, epoch, sample);
    struct image_change change;
    long half = augmentation->cutout / 2;

    fill_matrix(&change, augmentation, height, width, key);
    change.cutout_row = (long)(random_uniform(key, DRAW_CUTOUT_ROW) * (double)height) - half;
    change.cutout_column = (long)(random_uniform(key, DRAW_CUTOUT_COLUMN) * (double)width) - half;
    return change;
}

bool augmentation_check(const struct augmentation *augmentation, const struct dataset *dataset,
                        struct error *error) {
    char shape[128];

    if (dataset->rank == 3) return true;
    return error_set(
        error,
        "%s:%d: augmentation: the samples of the data are %s, but it changes images of "
        "height x width x channels",
        augmentation->file, augmentation->line,
        dataset_shape_text(dataset->rank, dataset->shape, shape, sizeof shape));
}

/* --- images --- */

struct image {
    const float *values;
    long height, width, channels;
};

static long clamp(long value, long most) {
    return value < 0 ? 0 : value > most ? most : value;
}

/* A value of an image; outside, as the fill mode says. */
static float pixel(const struct augmentation *augmentation, const struct image *image, long row,
                   long column, long channel) {
    bool inside = row >= 0 && row < image->height && column >= 0 && column < image->width;

    if (!inside && augmentation->fill_mode == FILL_CONSTANT) return (float)augmentation->cval;
    row = clamp(row, image->height - 1);
    column = clamp(column, image->width - 1);
    return image->values[(row * image->width + column) * image->channels + channel];
}

static float between(const float corner[4], float down, float right) {
    float upper = corner[0] + right * (corner[1] - corner[0]);
    float lower = corner[2] + right * (corner[3] - corner[2]);
    return upper + down * (lower - upper);
}

/* All channels of the pixel between the four around a place of the original. */
static void interpolate(const struct augmentation *augmentation, const struct image *image,
                        float row, float column, float *out) {
    long r = (long)row, c = (long)column, channels = image->channels;
    r -= row < (float)r; /* downwards, also below zero */
    c -= column < (float)c;
    float down = row - (float)r, right = column - (float)c;
    bool inside = r >= 0 && r + 1 < image->height && c >= 0 && c + 1 < image->width;
    const float *at = image->values + (inside ? (r * image->width + c) * channels : 0);

    for (long channel = 0; inside && channel < channels; channel++, at++) {
        const float corner[4] = {at[0], at[channels], at[image->width * channels],
                                 at[(image->width + 1) * channels]};
        out[channel] = between(corner, down, right);
    }
    for (long channel = 0; !inside && channel < channels; channel++) {
        float corner[4];
        for (int i = 0; i < 4; i++)
            corner[i] = pixel(augmentation, image, r + i / 2, c + i % 2, channel);
        out[channel] = between(corner, down, right);
    }
}

static void move(const struct augmentation *augmentation, const struct image_change *change,
                 const struct image *image, float *out) {
    const double(*m)[3] = change->matrix;

    for (long y = 0; y < image->height; y++) {
        float row = (float)(m[0][0] * (double)y + m[0][2]), row_step = (float)m[0][1];
        float column = (float)(m[1][0] * (double)y + m[1][2]), column_step = (float)m[1][1];
        for (long x = 0; x < image->width; x++, out += image->channels)
            interpolate(augmentation, image, row + row_step * (float)x,
                        column + column_step * (float)x, out);
    }
}

static void cut_out(long size, const struct image_change *change, long height, long width,
                    long channels, float *image) {
    long top = clamp(change->cutout_row, height), left = clamp(change->cutout_column, width);
    long bottom = clamp(change->cutout_row + size, height);
    long right = clamp(change->cutout_column + size, width);

    for (long row = top; row < bottom; row++)
        memset(image + (row * width + left) * channels, 0,
               (size_t)((right - left) * channels) * sizeof(float));
}

/* --- noise --- */

/* The normal distribution as 4096 values that are equally probable: the middle quantile of each
 * part. Found by bisection of its distribution function. */
static float quantile[NOISE_VALUES];

static void make_quantiles(void) {
    for (int i = 0; i < NOISE_VALUES; i++) {
        double low = -5, high = 5, wanted = (i + 0.5) / NOISE_VALUES;
        for (int step = 0; step < 40; step++) {
            double middle = 0.5 * (low + high);
            if (0.5 * erfc(-middle / sqrt(2)) < wanted)
                low = middle;
            else
                high = middle;
        }
        quantile[i] = (float)low;
    }
}

static void add_noise(double deviation, uint32_t key, float *values, long count) {
    float scale = (float)deviation;

    for (long i = 0; i < count; i += 2) {
        uint32_t bits = random_bits(key, DRAW_NOISE + (uint32_t)(i / 2));
        values[i] += scale * quantile[bits >> (32 - NOISE_BITS)];
        if (i + 1 < count) values[i + 1] += scale * quantile[bits & (NOISE_VALUES - 1)];
    }
}

void augmentation_gather(const struct augmentation *augmentation, const struct dataset *dataset,
                         uint32_t seed, uint32_t epoch, const long *indices, long count,
                         float *samples, float *labels, long label_size, float *scratch) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    long height = dataset->shape[0], width = dataset->shape[1], channels = dataset->shape[2];

    if (augmentation->noise > 0) pthread_once(&once, make_quantiles);
    for (long i = 0; i < count; i++) {
        float *out = samples + i * dataset->sample_size;
        struct image_change change =
            augmentation_draw(augmentation, height, width, seed, epoch, indices[i]);
        dataset_gather(dataset, &indices[i], 1, change.moves ? scratch : out,
                       labels ? labels + i * label_size : NULL, label_size);
        struct image original = {scratch, height, width, channels};
        if (change.moves) move(augmentation, &change, &original, out);
        if (augmentation->noise > 0)
            add_noise(augmentation->noise, key_of(seed, epoch, indices[i]), out,
                      dataset->sample_size);
        if (augmentation->cutout)
            cut_out(augmentation->cutout, &change, height, width, channels, out);
    }
}
