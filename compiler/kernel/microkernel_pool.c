/* microkernel_pool.c: the text of max pooling over one plane [height][width][L], and its gradient.
 *
 * Plain loops over the lanes, which compilers turn into vectors. In a window the first maximum gets
 * the gradient, as in PyTorch and Keras. */
#include "microkernel_text.h"

static const char *const forward =
    "/* y[row][column] = the maximum over its window of x. */\n"
    "@void max_pool_plane(const real *x, real *y, long height, long width, long out_height,\n"
    "        long out_width, long kernel_height, long kernel_width, long stride_y, long stride_x,\n"
    "        long pad_y, long pad_x) {\n"
    "    for (long row = 0; row < out_height; row++)\n"
    "        for (long column = 0; column < out_width; column++, y += $) {\n"
    "            const long r = row * stride_y - pad_y, c = column * stride_x - pad_x;\n"
    "            const long r_end = r + kernel_height < height ? r + kernel_height : height;\n"
    "            const long c_end = c + kernel_width < width ? c + kernel_width : width;\n"
    "            const long r_begin = r > 0 ? r : 0, c_begin = c > 0 ? c : 0;\n"
    "            real top[$];\n"
    "            for (long i = 0; i < $; i++) top[i] = x[(r_begin * width + c_begin) * $ + i];\n"
    "            for (long s = r_begin; s < r_end; s++)\n"
    "                for (long t = c_begin; t < c_end; t++) {\n"
    "                    const real *at = x + (s * width + t) * $;\n"
    "                    for (long i = 0; i < $; i++) top[i] = at[i] > top[i] ? at[i] : top[i];\n"
    "                }\n"
    "            for (long i = 0; i < $; i++) y[i] = top[i];\n"
    "        }\n"
    "}\n\n";

static const char *const backward =
    "/* dx = dy at the first maximum of each window, else 0. mask: where y <= 0 too (a relu before\n"
    " * the pool). */\n"
    "@void max_pool_gradient_plane(const real *x, const real *y, const real *dy, real *dx,\n"
    "        long height, long width, long out_height, long out_width, long kernel_height,\n"
    "        long kernel_width, long stride_y, long stride_x, long pad_y, long pad_x, long mask) {\n"
    "    /* windows side by side that leave out nothing: each place is written once */\n"
    "    const long once = stride_y == kernel_height && stride_x == kernel_width && !pad_y &&\n"
    "        !pad_x && out_height * stride_y >= height && out_width * stride_x >= width;\n"
    "    if (!once)\n"
    "        for (long i = 0; i < height * width * $; i++) dx[i] = 0;\n"
    "    for (long row = 0; row < out_height; row++)\n"
    "        for (long column = 0; column < out_width; column++, y += $, dy += $) {\n"
    "            const long r = row * stride_y - pad_y, c = column * stride_x - pad_x;\n"
    "            const long r_end = r + kernel_height < height ? r + kernel_height : height;\n"
    "            const long c_end = c + kernel_width < width ? c + kernel_width : width;\n"
    "            real rest[$];\n"
    "            for (long i = 0; i < $; i++) rest[i] = mask && !(y[i] > 0) ? 0 : dy[i];\n"
    "            for (long s = r > 0 ? r : 0; s < r_end; s++)\n"
    "                for (long t = c > 0 ? c : 0; t < c_end; t++) {\n"
    "                    const real *from = x + (s * width + t) * $;\n"
    "                    real *to = dx + (s * width + t) * $;\n"
    "                    real here[$];\n"
    "                    for (long i = 0; i < $; i++) here[i] = from[i] == y[i] ? rest[i] : 0;\n"
    "                    for (long i = 0; i < $; i++) rest[i] -= here[i]; /* exact: all or none */\n"
    "                    if (once)\n"
    "                        for (long i = 0; i < $; i++) to[i] = here[i];\n"
    "                    else\n"
    "                        for (long i = 0; i < $; i++) to[i] += here[i];\n"
    "                }\n"
    "        }\n"
    "}\n\n";

/* Puts the number of lanes in place of '$'. */
static const char *with_lanes(struct arena *arena, const char *source, int lanes) {
    struct text text = {.arena = arena};
    for (; *source; source++) {
        if (*source == '$') text_add(&text, "%d", lanes);
        else text_add(&text, "%c", *source);
    }
    return text_string(&text);
}

void microkernel_print_pool(struct text *text, int lanes, const char *qualifiers) {
    microkernel_put(text, with_lanes(text->arena, forward, lanes), qualifiers);
    microkernel_put(text, with_lanes(text->arena, backward, lanes), qualifiers);
}
