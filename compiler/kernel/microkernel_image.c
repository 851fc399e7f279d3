/* microkernel_image.c: the text of what is done to row-major images beside the tiles: pooling, sums
 * over windows channel by channel, and zeros beside the rows.
 *
 * Channels go in vectors of the most lanes that they fill; the last vector reaches back over the
 * one before. Plain loops over the lanes, which compilers turn into vectors. */
#include "microkernel_text.h"

static const char *const max_pool_head =
    "/* One row of the result of max pooling: the maximum over each window, channel by channel. "
    "*/\n"
    "@void max_pool_row(const real *x, real *y, long row, long channels, long height, long width,\n"
    "        long out_width, long kernel_height, long kernel_width, long stride_y, long stride_x,\n"
    "        long pad_y, long pad_x) {\n"
    "    const long r = row * stride_y - pad_y, r_begin = r > 0 ? r : 0;\n"
    "    const long r_end = r + kernel_height < height ? r + kernel_height : height;\n"
    "    for (long column = 0; column < out_width; column++, y += channels) {\n"
    "        const long c = column * stride_x - pad_x, c_begin = c > 0 ? c : 0;\n"
    "        const long c_end = c + kernel_width < width ? c + kernel_width : width;\n";

static const char *const max_pool_lanes =
    "        %sif (channels >= %d) {\n"
    "            for (long i = 0; i < channels; i += %d) {\n"
    "                const long first = i + %d <= channels ? i : channels - %d;\n"
    "                const real *at = x + (r_begin * width + c_begin) * channels + first;\n"
    "                real top[%d];\n"
    "                for (long k = 0; k < %d; k++) top[k] = at[k];\n"
    "                for (long s = r_begin; s < r_end; s++)\n"
    "                    for (long t = c_begin; t < c_end; t++) {\n"
    "                        at = x + (s * width + t) * channels + first;\n"
    "                        for (long k = 0; k < %d; k++) top[k] = at[k] > top[k] ? at[k] : "
    "top[k];\n"
    "                    }\n"
    "                for (long k = 0; k < %d; k++) y[first + k] = top[k];\n"
    "            }\n"
    "        }";

static const char *const window_sum_head =
    "/* `pixels` pixels of a row: y = bias + the sum over taps (pairs: offset into x, offset into "
    "w)\n"
    " * of x * w, channel by channel; without w, of x. relu: not below zero. */\n"
    "@LATHE_FUSED void window_sum_row(const real *x, const real *w, const real *bias, real *y,\n"
    "        const long *taps, long tap_count, long pixels, long channels, long x_step, long "
    "y_step,\n"
    "        long relu) {\n"
    "    LATHE_FUSE\n"
    "    for (long p = 0; p < pixels; p++, x += x_step, y += y_step) {\n";

static const char *const window_sum_lanes =
    "        %sif (channels >= %d) {\n"
    "            for (long i = 0; i < channels; i += %d) {\n"
    "                const long first = i + %d <= channels ? i : channels - %d;\n"
    "                real sum[%d];\n"
    "                for (long k = 0; k < %d; k++) sum[k] = bias ? bias[first + k] : 0;\n"
    "                for (long t = 0; t < tap_count; t++) {\n"
    "                    const real *from = x + taps[2 * t] + first;\n"
    "                    const real *by = w ? w + taps[2 * t + 1] + first : 0;\n"
    "                    if (w)\n"
    "                        for (long k = 0; k < %d; k++) sum[k] += from[k] * by[k];\n"
    "                    else\n"
    "                        for (long k = 0; k < %d; k++) sum[k] += from[k];\n"
    "                }\n"
    "                if (relu)\n"
    "                    for (long k = 0; k < %d; k++) sum[k] = sum[k] > 0 ? sum[k] : 0;\n"
    "                for (long k = 0; k < %d; k++) y[first + k] = sum[k];\n"
    "            }\n"
    "        }";

static const char *const halo =
    "/* Rows of `length` numbers with zeros before and behind each. */\n"
    "@void halo_rows(real *to, const real *from, long rows, long before, long length, long after) "
    "{\n"
    "    for (long r = 0; r < rows; r++, from += length) {\n"
    "        for (long i = 0; i < before; i++) *to++ = 0;\n"
    "        for (long i = 0; i < length; i++) *to++ = from[i];\n"
    "        for (long i = 0; i < after; i++) *to++ = 0;\n"
    "    }\n"
    "}\n\n";

/* A case for each number of lanes, widest first. */
static void print_cases(struct text *text, const char *source, int lanes) {
    for (int n = lanes; n >= 1; n /= 2)
        text_add(text, source, n == lanes ? "" : " else ", n, n, n, n, n, n, n, n, n, n);
    text_put(text, "\n    }\n}\n\n");
}

void microkernel_print_image(struct text *text, int lanes, const char *qualifiers) {
    microkernel_put(text, max_pool_head, qualifiers);
    print_cases(text, max_pool_lanes, lanes);
    microkernel_put(text, window_sum_head, qualifiers);
    print_cases(text, window_sum_lanes, lanes);
    microkernel_put(text, halo, qualifiers);
}
