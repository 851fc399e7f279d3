/* strip_pieces.c: the pieces of a strip in the tcc dialect: what is the same for all of them, and
 * the loop over them. A piece is a part of a long strip, several short ones (rows), or rows of
 * windows. */
#include "loop_strips.h"

/* The rows of windows, then those of no window; a piece is all rows of one. */
static void open_rows_of_windows(struct writer *w, const struct pooling *pooling) {
    const long *large = pooling->large.size, *small = pooling->small.size;
    long kernel = pooling->window.kernel_size[0], pad = pooling->window.pad[0];
    long lanes = w->plan->lanes, covered = small[1] * kernel - pad;
    long rest = covered < large[1] ? large[1] - covered : 0;
    write_open(w, "for (long row = 0; row < %ld; row++)", small[1] + rest);
    write_line(w, "long top = row * %ld - %ld, bottom = top + %ld, windows = %ld;", kernel, pad,
               kernel, small[2]);
    if (pad) write_line(w, "if (top < 0) top = 0;");
    if (covered > large[1]) write_line(w, "if (bottom > %ld) bottom = %ld;", large[1], large[1]);
    if (rest)
        write_line(w, "if (row >= %ld) top = row + %ld, bottom = top + 1, windows = 0;", small[1],
                   covered - small[1]);
    write_line(w, "const long rows = bottom - top, n = rows * %ld, large = top * %ld;",
               large[2] * lanes, large[2] * lanes);
    write_line(w, "const long pooled_n = windows * %ld, pooled = windows ? row * %ld : 0;", lanes,
               small[2] * lanes);
    write_line(w, "(void)rows, (void)n, (void)large, (void)pooled_n, (void)pooled;");
}

/* Each opens the loop over its pieces and returns true, or declares the only one. */
static bool open_strip(struct writer *w, const struct nest *nest) {
    long length = nest->strip < 0 ? 1 : nest->extent[nest->strip];
    if (nest->strip < 0) {
        write_line(w, "const long n = 1;");
        return false;
    }
    if (!nest_is_chunked(nest) && length <= LOOP_PIECE) {
        write_line(w, "const long i = 0, n = %ld;", length);
        return false;
    }
    const char *begin = nest_is_chunked(nest) ? "first" : "0";
    const char *end = nest_is_chunked(nest) ? "last" : arena_format(w->arena, "%ld", length);
    write_open(w, "for (long i = %s; i < %s; i += %d)", begin, end, LOOP_PIECE);
    write_line(w, "const long n = %s - i < %d ? %s - i : %d;", end, LOOP_PIECE, end, LOOP_PIECE);
    return true;
}

/* The rows are the kernel's units where no loop is around them. */
static bool rows_are_units(const struct nest *nest) {
    return nest->kept_count == 0 && !nest->is_reduced[nest->rows];
}

static bool open_rows(struct writer *w, const struct nest *nest) {
    long count = nest->extent[nest->rows], most = LOOP_PIECE / nest->row;
    int d = nest->rows;
    bool has_loop = rows_are_units(nest) || count > most;
    if (!has_loop) {
        write_line(w, "const long i%d = 0, rows = %ld, n = %ld;", d, count, count * nest->row);
    } else {
        const char *begin = rows_are_units(nest) ? "begin" : "0";
        const char *end = rows_are_units(nest) ? "end" : arena_format(w->arena, "%ld", count);
        write_open(w, "for (long i%d = %s; i%d < %s; i%d += %ld)", d, begin, d, end, d, most);
        write_line(w, "const long rows = %s - i%d < %ld ? %s - i%d : %ld, n = rows * %ld;", end, d,
                   most, end, d, most, nest->row);
    }
    loop_declare_rows(w, nest);
    return has_loop;
}

static bool open_pieces(struct writer *w, const struct nest *nest) {
    if (nest->rows >= 0) return open_rows(w, nest);
    if (!nest->kernel->loop.pooling) return open_strip(w, nest);
    open_rows_of_windows(w, nest->kernel->loop.pooling);
    return true;
}

/* The elements of the longest piece of rows. */
static void declare_most(struct writer *w, const struct nest *nest) {
    long count = nest->extent[nest->rows], most = LOOP_PIECE / nest->row;
    if (!rows_are_units(nest))
        write_line(w, "const long most = %ld;", (count < most ? count : most) * nest->row);
    else
        write_line(w, "const long most = end - begin < %ld ? (end - begin) * %ld : %ld;", most,
                   nest->row, most * nest->row);
}

void write_strips(struct writer *w, const struct nest *nest) {
    struct arena *arena = w->arena;
    struct strips s = {.w = w, .nest = nest, .piece = LOOP_PIECE};
    if (nest->kernel->loop.pooling && nest->extent[nest->strip] > s.piece)
        s.piece = nest->extent[nest->strip];
    struct text before = w->text;
    s.ahead = w->text = (struct text){.arena = arena};
    w->depth++;
    bool has_loop = open_pieces(w, nest);
    strip_write_statements(&s);
    if (has_loop) write_close(w);
    w->depth--;
    const char *body = text_string(&w->text);
    w->text = before;
    write_open(w, "%s", "");
    if (s.slot_count) write_line(w, "real strip[%d][%ld];", s.slot_count, s.piece);
    if (s.number_count) write_line(w, "real number[%d];", s.number_count);
    if (s.ahead_count) write_line(w, "real ahead[%d][%ld];", s.ahead_count, s.piece);
    if (s.ahead_count && nest->rows >= 0) declare_most(w, nest);
    text_put(&w->text, text_string(&s.ahead));
    text_put(&w->text, body);
    write_close(w);
}
