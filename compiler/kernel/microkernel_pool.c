/* microkernel_pool.c: the text of max pooling over one plane [height][width][L], and its gradient.
 *
 * The loop over the lanes is the innermost, with all places of a window in its body: compilers turn
 * it into vectors that stay in registers. Windows of usual sizes are written out; the others, and
 * those that the border cuts, are loops. */
#include "microkernel_text.h"

static const char *const forward =
    "/* y = the maximum over a window of x. */\n"
    "LATHE_INLINE void max_pool_window(const real *x, real *y, long rows, long columns,\n"
    "        long width) {\n"
    "    real top[$];\n"
    "    for (long i = 0; i < $; i++) top[i] = x[i];\n"
    "    for (long s = 0; s < rows; s++)\n"
    "        for (long t = 0; t < columns; t++) {\n"
    "            const real *at = x + (s * width + t) * $;\n"
    "            for (long i = 0; i < $; i++) top[i] = at[i] > top[i] ? at[i] : top[i];\n"
    "        }\n"
    "    for (long i = 0; i < $; i++) y[i] = top[i];\n"
    "}\n\n"
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
    "            const long rows = r_end - r_begin, columns = c_end - c_begin;\n"
    "            const real *const at = x + (r_begin * width + c_begin) * $;\n"
    "            if (rows == 2 && columns == 2) max_pool_window_2x2(at, y, width * $);\n"
    "            else if (rows == 3 && columns == 3) max_pool_window_3x3(at, y, width * $);\n"
    "            else max_pool_window(at, y, rows, columns, width);\n"
    "        }\n"
    "}\n\n";

static const char *const backward =
    "/* Gives dy to the first maximum of a window: as in PyTorch and Keras. Windows that overlap, "
    "or\n"
    " * leave out something, add to zeros. */\n"
    "LATHE_INLINE void max_pool_gradient_window(const real *x, const real *y, const real *dy,\n"
    "        real *dx, long rows, long columns, long width, long mask, long once) {\n"
    "    real rest[$];\n"
    "    for (long i = 0; i < $; i++) rest[i] = mask && !(y[i] > 0) ? 0 : dy[i];\n"
    "    for (long s = 0; s < rows; s++)\n"
    "        for (long t = 0; t < columns; t++) {\n"
    "            const real *from = x + (s * width + t) * $;\n"
    "            real *to = dx + (s * width + t) * $;\n"
    "            real here[$];\n"
    "            for (long i = 0; i < $; i++) here[i] = from[i] == y[i] ? rest[i] : 0;\n"
    "            for (long i = 0; i < $; i++) rest[i] -= here[i]; /* exact: all or none */\n"
    "            if (once)\n"
    "                for (long i = 0; i < $; i++) to[i] = here[i];\n"
    "            else\n"
    "                for (long i = 0; i < $; i++) to[i] += here[i];\n"
    "        }\n"
    "}\n\n"
    "/* dx = dy at the first maximum of each window, else 0. mask: where y <= 0 too (a relu "
    "before\n"
    " * the pool). */\n"
    "@void max_pool_gradient_plane(const real *x, const real *y, const real *dy, real *dx,\n"
    "        long height, long width, long out_height, long out_width, long kernel_height,\n"
    "        long kernel_width, long stride_y, long stride_x, long pad_y, long pad_x, long mask) "
    "{\n"
    "    /* windows side by side that leave out nothing: each place is written once */\n"
    "    const long once = stride_y == kernel_height && stride_x == kernel_width &&\n"
    "        out_height * stride_y >= height + pad_y && out_width * stride_x >= width + pad_x;\n"
    "    if (!once)\n"
    "        for (long i = 0; i < height * width * $; i++) dx[i] = 0;\n"
    "    for (long row = 0; row < out_height; row++)\n"
    "        for (long column = 0; column < out_width; column++, y += $, dy += $) {\n"
    "            const long r = row * stride_y - pad_y, c = column * stride_x - pad_x;\n"
    "            const long r_end = r + kernel_height < height ? r + kernel_height : height;\n"
    "            const long c_end = c + kernel_width < width ? c + kernel_width : width;\n"
    "            const long r_begin = r > 0 ? r : 0, c_begin = c > 0 ? c : 0;\n"
    "            const long rows = r_end - r_begin, columns = c_end - c_begin;\n"
    "            const real *const at = x + (r_begin * width + c_begin) * $;\n"
    "            real *const to = dx + (r_begin * width + c_begin) * $;\n"
    "            if (once && rows == 2 && columns == 2)\n"
    "                max_pool_gradient_window_2x2(at, y, dy, to, width * $, mask);\n"
    "            else if (once && rows == 3 && columns == 3)\n"
    "                max_pool_gradient_window_3x3(at, y, dy, to, width * $, mask);\n"
    "            else\n"
    "                max_pool_gradient_window(at, y, dy, to, rows, columns, width, mask, once);\n"
    "        }\n"
    "}\n\n";

/* "i", "16 + i", "row + i", "2 * row + 16 + i": a place of a window, seen from its first. */
static const char *place(struct arena *arena, int lanes, int row, int column) {
    struct text text = {.arena = arena};
    if (row == 1) text_put(&text, "row + ");
    if (row > 1) text_add(&text, "%d * row + ", row);
    if (column) text_add(&text, "%d + ", column * lanes);
    text_put(&text, "i");
    return text_string(&text);
}

static void print_window(struct text *text, int lanes, int size) {
    text_add(text,
             "LATHE_INLINE void max_pool_window_%dx%d(const real *x, real *y, long row) {\n"
             "    LATHE_INDEPENDENT\n"
             "    for (long i = 0; i < %d; i++) {\n"
             "        real top = x[i];\n",
             size, size, lanes);
    for (int p = 1; p < size * size; p++) {
        const char *at = place(text->arena, lanes, p / size, p % size);
        text_add(text, "        top = x[%s] > top ? x[%s] : top;\n", at, at);
    }
    text_put(text, "        y[i] = top;\n    }\n}\n\n");
}

static void print_gradient_window(struct text *text, int lanes, int size) {
    text_add(text,
             "LATHE_INLINE void max_pool_gradient_window_%dx%d(const real *x, const real *y,\n"
             "        const real *dy, real *dx, long row, long mask) {\n"
             "    LATHE_INDEPENDENT\n"
             "    for (long i = 0; i < %d; i++) {\n"
             "        const real top = y[i];\n"
             "        real rest = dy[i];\n"
             "        rest = mask && !(top > 0) ? 0 : rest;\n",
             size, size, lanes);
    for (int p = 0; p < size * size; p++) {
        const char *at = place(text->arena, lanes, p / size, p % size);
        text_add(text, "        const real x%d = x[%s], dx%d = x%d == top ? rest : 0;\n", p, at, p,
                 p);
        if (p + 1 < size * size) text_add(text, "        rest -= dx%d;\n", p);
    }
    for (int p = 0; p < size * size; p++)
        text_add(text, "        dx[%s] = dx%d;\n", place(text->arena, lanes, p / size, p % size),
                 p);
    text_put(text, "    }\n}\n\n");
}

void microkernel_print_pool(struct text *text, int lanes, const char *qualifiers) {
    for (int size = 2; size <= 3; size++) {
        print_window(text, lanes, size);
        print_gradient_window(text, lanes, size);
    }
    microkernel_put(text, microkernel_with_lanes(text->arena, forward, lanes), qualifiers);
    microkernel_put(text, microkernel_with_lanes(text->arena, backward, lanes), qualifiers);
}
