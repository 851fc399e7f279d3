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

/* Whole numbers below and fractions are taken of many pixels at once: with the widest vectors of
 * the processor where the compiler can choose while the program runs. The additions and products
 * are the same ones, so are the bits: -std=c11 fuses none. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE_VECTORS \
    __attribute__((optimize("O3"), target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE_VECTORS
#endif

/* Rows and columns that an original gets around it, so that no pixel needs to be asked whether it
 * is inside: a place further out than 1 looks like one at 1. */
enum { BEFORE = 1, BEHIND = 2 };
enum { OVERREAD = 2 }; /* floats behind the image that are loaded, but not used */
enum { MOST_PIXELS = 512, WHOLE = 16 };

struct image {
    const float *values; /* [height + 3][width + 3][channels] */
    long height, width, channels;
};

static long clamp(long value, long most) {
    return value < 0 ? 0 : value > most ? most : value;
}

/* A row with what stands left and right of it. */
static void pad_row(const struct augmentation *augmentation, const float *row, long width,
                    long channels, float *out) {
    bool is_constant = augmentation->fill_mode == FILL_CONSTANT;
    const float *last = row + (width - 1) * channels;
    for (long c = 0; c < channels; c++) {
        out[c] = is_constant ? (float)augmentation->cval : row[c];
        for (long i = 0; i < BEHIND; i++)
            out[(BEFORE + width + i) * channels + c] =
                is_constant ? (float)augmentation->cval : last[c];
    }
    memcpy(out + BEFORE * channels, row, (size_t)(width * channels) * sizeof *row);
}

/* The image with its surroundings. */
static void pad(const struct augmentation *augmentation, const float *values, long height,
                long width, long channels, float *out) {
    long padded = (width + BEFORE + BEHIND) * channels;
    for (long y = -BEFORE; y < height + BEHIND; y++, out += padded) {
        bool inside = y >= 0 && y < height;
        if (!inside && augmentation->fill_mode == FILL_CONSTANT)
            for (long i = 0; i < padded; i++) out[i] = (float)augmentation->cval;
        else
            pad_row(augmentation, values + clamp(y, height - 1) * width * channels, width, channels,
                    out);
    }
}

static inline float limited(float value, float most) {
    value = value < -BEFORE ? -BEFORE : value;
    return value > most ? most : value;
}

/* Where pixels come from: the upper left one of four, and how far they are from there. */
struct sources {
    int count, place[MOST_PIXELS + WHOLE];
    float down[MOST_PIXELS + WHOLE], right[MOST_PIXELS + WHOLE];
};

/* Adds count pixels of a row, from the column first on. */
WIDE_VECTORS
static void find_sources(const struct image *image, const float start[2], const float step[2],
                         int first, int count, struct sources *sources) {
    int channels = (int)image->channels, stride = (int)(image->width + BEFORE + BEHIND) * channels;
    float most_row = (float)image->height, most_column = (float)image->width;
    int *place = sources->place + sources->count;
    float *down = sources->down + sources->count, *right = sources->right + sources->count;

    /* Whole vectors: what is too much, the next row overwrites. */
    for (int x = 0; x < (count + WHOLE - 1) / WHOLE * WHOLE; x++) {
        float at = (float)(first + x);
        float row = limited(start[0] + step[0] * at, most_row);
        float column = limited(start[1] + step[1] * at, most_column);
        int r = (int)row, c = (int)column;
        r -= row < (float)r; /* downwards, also below zero */
        c -= column < (float)c;
        down[x] = row - (float)r;
        right[x] = column - (float)c;
        place[x] = (r + BEFORE) * stride + (c + BEFORE) * channels;
    }
    sources->count += count;
}

typedef float four __attribute__((vector_size(16)));

/* The four values around a place: two of a row, two of the next one. */
static inline four corners(const float *at, int stride) {
    four upper, lower;
    memcpy(&upper, at, sizeof upper);
    memcpy(&lower, at + stride, sizeof lower);
    return __builtin_shufflevector(upper, lower, 0, 1, 4, 5);
}

/* Four pixels of one channel at a time: their corners, turned over, are vectors of pixels. */
static int interpolate_fours(const struct image *image, const struct sources *sources, int stride,
                             float *out) {
    int x = 0;
    for (; x + 4 <= sources->count; x += 4) {
        const int *place = sources->place + x;
        four p[4], down, right;
        for (int i = 0; i < 4; i++) p[i] = corners(image->values + place[i], stride);
        memcpy(&down, sources->down + x, sizeof down);
        memcpy(&right, sources->right + x, sizeof right);
        four top01 = __builtin_shufflevector(p[0], p[1], 0, 4, 1, 5);
        four top23 = __builtin_shufflevector(p[2], p[3], 0, 4, 1, 5);
        four low01 = __builtin_shufflevector(p[0], p[1], 2, 6, 3, 7);
        four low23 = __builtin_shufflevector(p[2], p[3], 2, 6, 3, 7);
        four a = __builtin_shufflevector(top01, top23, 0, 1, 4, 5);
        four b = __builtin_shufflevector(top01, top23, 2, 3, 6, 7);
        four c = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
        four d = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
        four upper = a + right * (b - a), lower = c + right * (d - c);
        upper += down * (lower - upper);
        memcpy(out + x, &upper, sizeof upper);
    }
    return x;
}

/* Fills as many pixels as there are sources. */
static void interpolate(const struct image *image, const struct sources *sources, float *out) {
    int channels = (int)image->channels, stride = (int)(image->width + BEFORE + BEHIND) * channels;
    int x = channels == 1 ? interpolate_fours(image, sources, stride, out) : 0;

    for (; x < sources->count; x++)
        for (int channel = 0; channel < channels; channel++) {
            const float *at = image->values + sources->place[x] + channel;
            float right = sources->right[x];
            float upper = at[0] + right * (at[channels] - at[0]);
            float lower = at[stride] + right * (at[stride + channels] - at[stride]);
            out[x * channels + channel] = upper + sources->down[x] * (lower - upper);
        }
}

static void move(const struct image_change *change, const struct image *image, float *out) {
    const double(*m)[3] = change->matrix;
    const float step[2] = {(float)m[0][1], (float)m[1][1]};
    struct sources sources;
    sources.count = 0;

    for (long y = 0; y < image->height; y++) {
        const float start[2] = {(float)(m[0][0] * (double)y + m[0][2]),
                                (float)(m[1][0] * (double)y + m[1][2])};
        for (long x = 0, count; x < image->width; x += count) {
            count = image->width - x;
            if (count > MOST_PIXELS - sources.count) count = MOST_PIXELS - sources.count;
            find_sources(image, start, step, (int)x, (int)count, &sources);
            bool is_last = y + 1 == image->height && x + count == image->width;
            if (sources.count < MOST_PIXELS && !is_last) continue;
            interpolate(image, &sources, out);
            out += sources.count * image->channels;
            sources.count = 0;
        }
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
    dataset_gather(dataset, indices, count, samples, labels, label_size);
    for (long i = 0; i < count; i++) {
        float *out = samples + i * dataset->sample_size;
        struct image_change change =
            augmentation_draw(augmentation, height, width, seed, epoch, indices[i]);
        struct image original = {scratch, height, width, channels};
        if (change.moves) {
            pad(augmentation, out, height, width, channels, scratch);
            move(&change, &original, out);
        }
        if (augmentation->noise > 0)
            add_noise(augmentation->noise, key_of(seed, epoch, indices[i]), out,
                      dataset->sample_size);
        if (augmentation->cutout)
            cut_out(augmentation->cutout, &change, height, width, channels, out);
    }
}

long augmentation_scratch_floats(long height, long width, long channels) {
    return (height + BEFORE + BEHIND) * (width + BEFORE + BEHIND) * channels + OVERREAD;
}
