/* test_microkernel.c: every tile of every library this processor can run, against plain loops in
 * double; layout copies; the printed text under strict compilers; and its scalar form. */
#include "compiler/kernel/microkernel_text.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 1 << 16 };

static _Alignas(64) float x_memory[PAGE], w_memory[PAGE], y_memory[PAGE], mask_memory[PAGE];
static float y_before[PAGE];
static double expected[PAGE], magnitude[PAGE];
static unsigned long random_state = 1;

/* A library under test: its functions by name. */
struct library {
    const struct target *target;
    microkernel_function *(*find)(const struct target *target, const char *name);
};

static unsigned long random_below(unsigned long n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

static float random_float(void) {
    return (float)((double)random_below(1u << 24) / (1u << 23) - 1);
}

static void fill(float *memory) {
    for (long i = 0; i < PAGE; i++) memory[i] = random_float();
}

/* The epilogue of the tiles, in double. */
static void finish(long at, double sum, double size, long flags) {
    if ((flags & MICROKERNEL_RELU) && !(sum > 0)) sum = 0;
    if ((flags & MICROKERNEL_MASK) && !(mask_memory[at] > 0)) sum = 0;
    expected[at] = sum;
    magnitude[at] = size;
}

static void expect_nothing_else(void) {
    for (long i = 0; i < PAGE; i++) {
        expected[i] = y_memory[i];
        magnitude[i] = 0;
    }
    memcpy(y_before, y_memory, sizeof y_before);
}

static void check(const char *name) {
    for (long i = 0; i < PAGE; i++) {
        double difference = fabs(y_memory[i] - expected[i]);
        if (difference <= 2e-6 * magnitude[i]) continue;
        fail_msg("%s: element %ld is %.9g, expected %.9g", name, i, y_memory[i], expected[i]);
    }
}

typedef void convolution(const float *x, const float *w, const float *bias, float *y,
                         const float *mask, const long *taps, long tap_count, long channels,
                         long x_plane, long w_channel, long x_step, long y_step, long y_plane,
                         long flags);
typedef void gradient(const float *x, const float *g, float *acc, long rows, long columns,
                      long x_row, long x_column, long x_plane, long g_row, long g_column,
                      long g_plane);
typedef void gradient_row(const float *x, const float *g, float *acc, long rows, long columns,
                          long x_row, long x_column, long g_row, long g_column, long border);
typedef void matmul(const float *a, const float *b, const float *bias, float *c, const float *mask,
                    long depth, long a_row, long a_depth, long b_depth, long c_row, long last,
                    long flags, const float *ahead, long ahead_step);

static void try_convolution(microkernel_function *function, const char *name, int T, int P, int L) {
    long taps[2 * 9], tap_count = (long)random_below(10), channels = 1 + (long)random_below(4);
    long x_step = L * (1 + (long)random_below(3)), y_step = L * (1 + (long)random_below(2));
    long x_plane = L * (40 + (long)random_below(9)), y_plane = L * (20 + (long)random_below(9));
    long w_channel = 9 * T + (long)random_below(5), flags = (long)random_below(8);
    const float *bias = random_below(2) ? w_memory + PAGE - 16 : NULL;
    const float *x = x_memory + 8 * L;
    float *y = y_memory + L;
    for (long k = 0; k < tap_count; k++) {
        taps[2 * k] = L * ((long)random_below(16) - 8);
        taps[2 * k + 1] = k * T;
    }
    fill(y_memory);
    expect_nothing_else();
    for (long t = 0; t < T; t++)
        for (long p = 0; p < P; p++)
            for (long n = 0; n < L; n++) {
                long at = t * y_plane + p * y_step + n;
                double sum = flags & MICROKERNEL_FIRST ? (bias ? bias[t] : 0) : y[at], size = 1;
                for (long c = 0; c < channels; c++)
                    for (long k = 0; k < tap_count; k++) {
                        double product = (double)w_memory[c * w_channel + taps[2 * k + 1] + t] *
                                         x[c * x_plane + taps[2 * k] + p * x_step + n];
                        sum += product;
                        size += fabs(product);
                    }
                finish(at + L, sum, size, flags);
            }
    ((convolution *)function)(x, w_memory, bias, y,
                              flags & MICROKERNEL_MASK ? mask_memory + L : NULL, taps, tap_count,
                              channels, x_plane, w_channel, x_step, y_step, y_plane, flags);
    check(name);
}

typedef void point(const float *x, const float *w, float *y, long channels, long x_plane,
                   long y_plane, long is_first);

static void try_point(microkernel_function *function, const char *name, int T, int P, int L) {
    long channels = 1 + (long)random_below(30), is_first = random_below(2);
    long x_plane = L * (P + (long)random_below(9)), y_plane = L * (P + (long)random_below(9));
    float *y = y_memory + L;
    fill(y_memory);
    expect_nothing_else();
    for (long t = 0; t < T; t++)
        for (long i = 0; i < P * L; i++) {
            double sum = is_first ? 0 : y[t * y_plane + i], size = 1;
            for (long c = 0; c < channels; c++) {
                double product = (double)w_memory[c * T + t] * x_memory[c * x_plane + i];
                sum += product;
                size += fabs(product);
            }
            finish(t * y_plane + i + L, sum, size, 0);
        }
    ((point *)function)(x_memory, w_memory, y, channels, x_plane, y_plane, is_first);
    check(name);
}

typedef void row_of_pixels(const float *x, const float *w, const float *bias, float *y,
                           const float *mask, const long *taps, long tap_count, long rows,
                           long outside, long w_tap, long x_row, long y_row, long flags);

/* As many kernel rows as there are taps, or any number of them. */
static void try_row(microkernel_function *function, const char *name, int K, int P, int L) {
    long taps[2 * 7], tap_count = random_below(2) ? K : (long)random_below(6);
    long rows = (long)random_below(6), flags = (long)random_below(16);
    long outside = (long)random_below(16);
    long x_row = L * (long)random_below(50), y_row = L * (P + (long)random_below(3));
    long w_tap = random_below(2) ? 1 + (long)random_below(4) : -1 - (long)random_below(4);
    const float *bias = random_below(2) ? w_memory + PAGE - 16 : NULL;
    const float *x = x_memory + 8 * L, *w = w_memory + 40;
    float *y = y_memory + L;
    for (long r = 0; r < tap_count; r++) {
        taps[2 * r] = L * ((long)random_below(16) - 8);
        taps[2 * r + 1] = 9 * r;
    }
    fill(y_memory);
    expect_nothing_else();
    for (long i = 0; i < rows * P * L; i++) {
        long row = i / (P * L), p = i / L % P, n = i % L;
        double sum = bias ? bias[0] : 0, size = 1;
        for (long r = 0; r < tap_count; r++)
            for (long k = 0; k < K; k++) {
                if ((outside & MICROKERNEL_LEFT) && p + k < K / 2) continue;
                if ((outside & MICROKERNEL_RIGHT) && p + k >= P + K / 2) continue;
                if ((outside & MICROKERNEL_ABOVE) && row + r < tap_count / 2) continue;
                if ((outside & MICROKERNEL_BELOW) && row + r >= rows + tap_count - 1 - tap_count / 2)
                    continue;
                double product = (double)w[taps[2 * r + 1] + k * w_tap] *
                                 x[taps[2 * r] + row * x_row + (p + k) * L + n];
                sum += product;
                size += fabs(product);
            }
        finish(row * y_row + p * L + n + L, sum, size, flags);
    }
    ((row_of_pixels *)function)(x, w, bias, y, flags & MICROKERNEL_MASK ? mask_memory + L : NULL,
                                taps, tap_count, rows, outside, w_tap, x_row, y_row, flags);
    check(name);
}

static void try_gradient(microkernel_function *function, const char *name, int O, int I, int L) {
    long rows = (long)random_below(5), columns = (long)random_below(6);
    long x_column = L * (1 + (long)random_below(2)), x_row = L * (10 + (long)random_below(9));
    long g_column = L * (1 + (long)random_below(2)), g_row = L * (10 + (long)random_below(9));
    long x_plane = L * (100 + (long)random_below(5)), g_plane = L * (100 + (long)random_below(5));
    fill(y_memory);
    expect_nothing_else();
    for (long o = 0; o < O; o++)
        for (long i = 0; i < I; i++)
            for (long n = 0; n < L; n++) {
                long at = (o * I + i) * L + n;
                double sum = y_memory[at], size = 1;
                for (long r = 0; r < rows; r++)
                    for (long c = 0; c < columns; c++) {
                        double product =
                            (double)x_memory[i * x_plane + r * x_row + c * x_column + n] *
                            mask_memory[o * g_plane + r * g_row + c * g_column + n];
                        sum += product;
                        size += fabs(product);
                    }
                finish(at, sum, size, 0);
            }
    ((gradient *)function)(x_memory, mask_memory, y_memory, rows, columns, x_row, x_column, x_plane,
                           g_row, g_column, g_plane);
    check(name);
}

static void try_gradient_row(microkernel_function *function, const char *name, int R, int K,
                             int L) {
    bool has_border = random_below(2);
    long border = has_border ? K / 2 : 0;
    long rows = (long)random_below(5), columns = (has_border ? K : 0) + (long)random_below(11);
    long x_column = L * (1 + (long)random_below(2)), x_row = L * (50 + (long)random_below(9));
    long g_column = L * (1 + (long)random_below(2)), g_row = L * (50 + (long)random_below(9));
    const float *x = x_memory + 8 * L;
    fill(y_memory);
    expect_nothing_else();
    for (long k = 0; k < R * K; k++)
        for (long n = 0; n < L; n++) {
            double sum = y_memory[k * L + n], size = 1;
            for (long r = 0; r < rows; r++)
                for (long c = 0; c < columns; c++) {
                    long at = c + k % K - border;
                    if (has_border && (at < 0 || at >= columns)) continue;
                    double product = (double)x[(r + k / K) * x_row + at * x_column + n] *
                                     mask_memory[r * g_row + c * g_column + n];
                    sum += product;
                    size += fabs(product);
                }
            finish(k * L + n, sum, size, 0);
        }
    ((gradient_row *)function)(x, mask_memory, y_memory, rows, columns, x_row, x_column, g_row,
                               g_column, border);
    check(name);
}

static void try_matmul(microkernel_function *function, const char *name, int R, int V, int L) {
    long depth = (long)random_below(30),
         last = (V - 1) * L - (V > 1 ? (long)random_below((unsigned)L) : 0);
    bool transposed = random_below(2);
    long a_row = transposed ? 1 : 30 + (long)random_below(5);
    long a_depth = transposed ? R + (long)random_below(5) : 1;
    long b_depth = last + L + (long)random_below(5), c_row = last + L + (long)random_below(5);
    long flags = (long)random_below(8), shift = (long)random_below(16);
    const float *a = w_memory + shift, *b = x_memory + 3 * shift, *mask = mask_memory + shift;
    const float *bias = random_below(2) ? x_memory + 5 + shift : NULL;
    float *c = y_memory + shift;
    fill(y_memory);
    expect_nothing_else();
    for (long r = 0; r < R; r++)
        for (long j = 0; j < last + L; j++) {
            long at = r * c_row + j;
            double sum = flags & MICROKERNEL_FIRST ? (bias ? bias[j] : 0) : c[at], size = 1;
            for (long k = 0; k < depth; k++) {
                double product = (double)a[r * a_row + k * a_depth] * b[k * b_depth + j];
                sum += product;
                size += fabs(product);
            }
            finish(at + shift, sum, size, flags);
        }
    ((matmul *)function)(a, b, bias, c, flags & MICROKERNEL_MASK ? mask : NULL, depth, a_row,
                         a_depth, b_depth, c_row, last, flags, random_below(2) ? b : NULL,
                         (long)random_below(1000));
    check(name);
}

typedef void pixel(const float *a, const float *b, const float *bias, float *c, const long *taps,
                   long tap_count, long depth, long a_row, long b_depth, long c_row, long last,
                   long flags);

static void try_pixel(microkernel_function *function, const char *name, int P, int V, int L) {
    long taps[2 * 5], tap_count = (long)random_below(6), depth = 1 + (long)random_below(20);
    long last = (V - 1) * L - (V > 1 ? (long)random_below((unsigned)L) : 0);
    long a_row = 1 + (long)random_below(30), b_depth = last + L + (long)random_below(5);
    long c_row = last + L + (long)random_below(5), shift = (long)random_below(16);
    long flags = random_below(2) ? MICROKERNEL_RELU : 0;
    const float *a = w_memory + shift, *b = x_memory + 3 * shift;
    const float *bias = random_below(2) ? x_memory + 5 + shift : NULL;
    for (long t = 0; t < tap_count; t++) {
        taps[2 * t] = (long)random_below(200);
        taps[2 * t + 1] = (long)random_below(2000);
    }
    fill(y_memory);
    expect_nothing_else();
    for (long p = 0; p < P; p++)
        for (long j = 0; j < last + L; j++) {
            double sum = bias ? bias[j] : 0, size = 1;
            for (long t = 0; t < tap_count; t++)
                for (long k = 0; k < depth; k++) {
                    double product = (double)a[taps[2 * t] + p * a_row + k] *
                                     b[taps[2 * t + 1] + k * b_depth + j];
                    sum += product;
                    size += fabs(product);
                }
            finish(p * c_row + j + shift, sum, size, flags);
        }
    ((pixel *)function)(a, b, bias, y_memory + shift, taps, tap_count, depth, a_row, b_depth, c_row,
                        last, flags);
    check(name);
}

static void try_tile(void *context, const struct microkernel *kernel) {
    const struct library *library = context;
    struct arena arena;
    struct text name = {.arena = &arena};
    arena_init(&arena);
    microkernel_name(&name, kernel);
    microkernel_function *function = library->find(library->target, text_string(&name));
    if (!function) fail_msg("%s: %s is missing", library->target->name, text_string(&name));
    for (int i = 0; i < 12; i++) switch (kernel->kind) {
        case MICROKERNEL_CONVOLUTION:
            try_convolution(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        case MICROKERNEL_POINT:
            try_point(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        case MICROKERNEL_ROW:
            try_row(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        case MICROKERNEL_GRADIENT:
            try_gradient(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        case MICROKERNEL_GRADIENT_ROW:
            try_gradient_row(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        case MICROKERNEL_MATMUL:
            try_matmul(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        case MICROKERNEL_PIXEL:
            try_pixel(function, name.data, kernel->a, kernel->b, kernel->lanes);
            break;
        }
    arena_free(&arena);
}

/* Calls test for the library of each target that this processor runs. */
static void for_libraries(void (*test)(const struct library *library)) {
    for (const struct target *const *target = targets(); *target; target++) {
        struct library library = {*target, microkernel_symbol};
        if (target_runs(*target)) test(&library);
    }
}

static void tiles_of(const struct library *library) {
    fill(x_memory);
    fill(w_memory);
    fill(mask_memory);
    microkernel_each(library->target, try_tile, (void *)(uintptr_t)library);
}

static void test_tiles(void **state) {
    (void)state;
    for_libraries(tiles_of);
}

/* microkernel_in_library tells exactly what microkernel_symbol finds. */
static void membership_of(const struct library *library) {
    for (int kind = MICROKERNEL_CONVOLUTION; kind <= MICROKERNEL_PIXEL; kind++)
        for (int a = 1; a < 20; a++)
            for (int b = 1; b < 20; b++) {
                struct microkernel kernel = {(enum microkernel_kind)kind, a, b,
                                             library->target->lanes};
                struct arena arena;
                struct text name = {.arena = &arena};
                arena_init(&arena);
                microkernel_name(&name, &kernel);
                assert_int_equal(microkernel_in_library(&kernel, library->target),
                                 microkernel_symbol(library->target, name.data) != NULL);
                arena_free(&arena);
            }
    /* The tiles that the table names, and all that an even split leaves over. */
    const struct target *target = library->target;
    for (int a = 1; a <= target->tile_channels; a++)
        for (int b = 1; b <= target->tile_pixels; b++)
            assert_true(microkernel_in_library(
                &(struct microkernel){MICROKERNEL_CONVOLUTION, a, b, target->lanes}, target));
    for (int a = 1; a <= target->gradient_out; a++)
        for (int b = 1; b <= target->gradient_in; b++)
            assert_true(microkernel_in_library(
                &(struct microkernel){MICROKERNEL_GRADIENT, a, b, target->lanes}, target));
    for (int a = 1; a <= target->matmul_rows; a++)
        for (int b = 1; b <= target->matmul_vectors; b++)
            for (int lanes = 1; lanes <= target->lanes; lanes *= 2)
                assert_true(microkernel_in_library(
                    &(struct microkernel){MICROKERNEL_MATMUL, a, b, lanes}, target));
}

static void test_membership(void **state) {
    (void)state;
    for_libraries(membership_of);
    assert_null(microkernel_symbol(target_native(), "no_such_function"));
    assert_null(target_find("no-such-target"));
    for (const struct target *const *target = targets(); *target; target++)
        assert_ptr_equal(target_find((*target)->name), *target);
    assert_true(target_runs(target_native()));
}

static void try_copy(microkernel_function *function) {
    /* Strides that enumerate a box in a random order of the loops, so that no two elements of
     * the target coincide; sources may repeat (stride 0). */
    long size[5], to_stride[5], from_stride[5], order[5] = {0, 1, 2, 3, 4};
    long *strides[2] = {to_stride, from_stride}, elements = 1;
    for (int d = 0; d < 5; d++) {
        size[d] = 1 + (long)random_below(elements > 60 ? 3 : 19);
        elements *= size[d];
    }
    for (int side = 0; side < 2; side++) {
        for (int d = 4; d > 0; d--) {
            long other = (long)random_below((unsigned)d + 1), kept = order[d];
            order[d] = order[other];
            order[other] = kept;
        }
        long stride = random_below(4) ? 1 : 2;
        for (int d = 4; d >= 0; d--) {
            strides[side][order[d]] = stride;
            stride *= size[order[d]] + (long)random_below(2);
        }
    }
    if (random_below(4) == 0) from_stride[random_below(5)] = 0;
    fill(y_memory);
    expect_nothing_else();
    long index[5];
    for (index[0] = 0; index[0] < size[0]; index[0]++)
        for (index[1] = 0; index[1] < size[1]; index[1]++)
            for (index[2] = 0; index[2] < size[2]; index[2]++)
                for (index[3] = 0; index[3] < size[3]; index[3]++)
                    for (index[4] = 0; index[4] < size[4]; index[4]++) {
                        long to = 0, from = 0;
                        for (int d = 0; d < 5; d++) {
                            to += index[d] * to_stride[d];
                            from += index[d] * from_stride[d];
                        }
                        assert_true(to < PAGE && from < PAGE);
                        expected[to] = x_memory[from];
                    }
    ((void (*)(float *, const float *, const long *, const long *, const long *))function)(
        y_memory, x_memory, size, to_stride, from_stride);
    check("strided_copy");
}

static void copies_of(const struct library *library) {
    microkernel_function *copy = library->find(library->target, "strided_copy");
    char name[32];
    assert_non_null(copy);
    fill(x_memory);
    for (int i = 0; i < 400; i++) try_copy(copy);
    snprintf(name, sizeof name, "lane_sum_%d", library->target->lanes);
    float (*lane_sum)(const float *) =
        (float (*)(const float *))library->find(library->target, name);
    assert_non_null(lane_sum);
    double sum = 0;
    for (int i = 0; i < library->target->lanes; i++) sum += x_memory[3 + i];
    assert_true(fabs(sum - lane_sum(x_memory + 3)) < 1e-5);
}

static void test_copies(void **state) {
    (void)state;
    for_libraries(copies_of);
}

/* --- The printed text, compiled anew. --- */

static void append_tile(void *context, const struct microkernel *kernel) {
    struct library_text {
        struct text text;
        const struct target *target;
        const char *qualifiers;
    } *out = context;
    microkernel_print(&out->text, kernel, out->target, out->qualifiers);
}

/* Writes all tiles and helpers of the target to a file. */
static void write_text(const char *path, const struct target *target, const char *qualifiers) {
    struct arena arena;
    arena_init(&arena);
    struct {
        struct text text;
        const struct target *target;
        const char *qualifiers;
    } out = {{.arena = &arena}, target, qualifiers};
    microkernel_prelude(&out.text, target);
    /* -Wmissing-prototypes is not asked for, but an exported function may well have one. */
    microkernel_print_helpers(&out.text, target, qualifiers);
    microkernel_print_image(&out.text, target->lanes, qualifiers);
    microkernel_each(target, append_tile, &out);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text_string(&out.text), file);
    assert_int_equal(fclose(file), 0);
    arena_free(&arena);
}

static bool have(const char *program) {
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

static char directory[] = "/tmp/test_microkernel_XXXXXX";

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static void test_strict_compilers(void **state) {
    static const char *const strict = "-std=c99 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow "
                                      "-Werror";
    (void)state;
    char path[128], command[512];
    snprintf(path, sizeof path, "%s/text.c", directory);
    for (const struct target *const *target = targets(); *target; target++) {
        /* Exported functions are compiled to the end, inline ones must not warn when unused. */
        bool exported = strcmp((*target)->name, "generic") == 0;
        write_text(path, *target, exported ? "" : "LATHE_INLINE");
        for (int variant = 0; variant < 6; variant++) {
            const char *compiler = (const char *[]){"gcc", "clang", "tcc"}[variant % 3];
            if (!have(compiler)) {
                print_message("%s is not there: skipped\n", compiler);
                continue;
            }
            snprintf(command, sizeof command, "%s %s %s -c -o %s/text.o %s", compiler,
                     variant % 3 == 2 ? "-Wall -Werror" : strict,
                     variant < 3 ? "" : "-DLATHE_DOUBLE", directory, path);
            if (system(command) != 0) fail_msg("%s: %s", (*target)->name, command);
        }
    }
}

static void *scalar_library;

static microkernel_function *find_scalar(const struct target *target, const char *name) {
    (void)target;
    microkernel_function *function;
    *(void **)&function = dlsym(scalar_library, name);
    return function;
}

/* The loops that compilers without vectors take give the same results as the vectors. */
static void test_scalar_form(void **state) {
    (void)state;
    char path[128], object[128], command[512];
    snprintf(path, sizeof path, "%s/scalar.c", directory);
    snprintf(object, sizeof object, "%s/scalar.so", directory);
    write_text(path, target_find("generic"), "");
    snprintf(command, sizeof command, "cc -O1 -D__TINYC__ -shared -fPIC -o %s %s -lm", object,
             path);
    assert_int_equal(system(command), 0);
    scalar_library = dlopen(object, RTLD_NOW);
    assert_non_null(scalar_library);
    struct library library = {target_find("generic"), find_scalar};
    tiles_of(&library);
    copies_of(&library);
    dlclose(scalar_library);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership),  cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_copies),      cmocka_unit_test(test_strict_compilers),
        cmocka_unit_test(test_scalar_form),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
