/* loop_windows.c: loops that go window by window, in the cc dialect. The pixels of a window are
 * written out: their values stay in registers from the read of the large image to the last result.
 * Windows that the border cuts, and pixels in no window, get text of their own. */
#include "loop.h"

/* Neighbours along an axis that look alike: windows of one size, or single pixels in no window. */
struct run {
    long first, count; /* windows, or pixels */
    long length;       /* pixels of each window */
    bool is_pooled;
};

enum { MOST_RUNS = 4 }; /* cut, whole, cut, left over */

static int find_runs(const struct pooling *pooling, int axis, struct run runs[MOST_RUNS]) {
    long size = pooling->large.size[1 + axis], windows = pooling->small.size[1 + axis];
    long kernel = pooling->window.kernel_size[axis], pad = pooling->window.pad[axis], end = 0;
    int count = 0;
    for (long i = 0; i < windows; i++) {
        long begin = i * kernel > pad ? i * kernel - pad : 0;
        end = (i + 1) * kernel - pad < size ? (i + 1) * kernel - pad : size;
        bool follows_cut = (i - 1) * kernel < pad;
        if (count && !follows_cut && runs[count - 1].length == end - begin)
            runs[count - 1].count++;
        else
            runs[count++] = (struct run){i, 1, end - begin, true};
    }
    if (end < size) runs[count++] = (struct run){end, size - end, 1, false};
    return count;
}

/* Where the pixels of a run's element begin. */
static const char *begin_text(struct writer *w, const struct pooling *pooling, int axis,
                              const struct run *run, const char *variable) {
    long kernel = pooling->window.kernel_size[axis], pad = pooling->window.pad[axis];
    if (!run->is_pooled) return variable;
    if (run->first * kernel <= pad && run->count == 1) return "0"; /* the border may cut it */
    const char *term = index_term(w, variable, kernel);
    return pad ? arena_format(w->arena, "%s - %ld", term, pad) : term;
}

/* The text of one window, or of pixels in none. */
struct body {
    struct writer *w;
    const struct nest *nest;
    const struct pooling *pooling;
    long rows, columns; /* pixels */
    bool is_pooled;     /* else there is no pooled value, and no gradient of one */
    bool *is_needed;    /* by statement */
    const struct expression *const *expressions; /* by statement: over its operands, and behind them
                                                    numbers of the lanes */
};

static long pixels_of(const struct body *b) {
    return b->rows * b->columns;
}

/* In the large image, from the window's first pixel. */
static long pixel_offset(const struct body *b, long pixel) {
    return pixel / b->columns * b->pooling->large.size[2] + pixel % b->columns;
}

static const struct statement *statement_of(const struct body *b, int number) {
    return &b->nest->kernel->loop.statements[number];
}

static bool is_pooled_image(const struct body *b, const struct tensor *t) {
    return shape_equal(&t->shape, &b->pooling->small);
}

/* An element of an image in memory, for lane k. */
static const char *element_text(const struct body *b, int a, bool is_pooled, long pixel) {
    const char *row = loop_row(b->w, b->nest, a);
    long offset = is_pooled ? 0 : pixel_offset(b, pixel) * b->w->plan->lanes;
    if (!offset) return arena_format(b->w->arena, "%s[%s + k]", row, is_pooled ? "pooled" : "at");
    return arena_format(b->w->arena, "%s[at + %ld + k]", row, offset);
}

/* "v3" of a window, "v3_1" of its pixel 1. */
static const char *value_name(const struct body *b, int number, long pixel) {
    if (statement_of(b, number)->is_pooled) return arena_format(b->w->arena, "v%d", number);
    return arena_format(b->w->arena, "v%d_%ld", number, pixel);
}

static bool is_number(const struct body *b, const struct loop_operand *operand) {
    if (operand->statement >= 0) return false;
    int a = nest_find(b->nest, b->nest->plan_views[operand->tensor->number]);
    return loop_is_number(b->w, b->nest, &b->nest->addresses[a]);
}

static const char *operand_name(const struct body *b, const struct loop_operand *operand,
                                long pixel) {
    if (operand->statement >= 0) return value_name(b, operand->statement, pixel);
    int a = nest_find(b->nest, b->nest->plan_views[operand->tensor->number]);
    const struct address *address = &b->nest->addresses[a];
    if (loop_is_number(b->w, b->nest, address))
        return arena_format(b->w->arena, "%svalue", address->name);
    if (is_pooled_image(b, operand->tensor)) return arena_format(b->w->arena, "x%d", a);
    return arena_format(b->w->arena, "x%d_%ld", a, pixel);
}

/* The address of an operand that is read for each pixel, or window, and not among those seen; -1:
 * none. */
static int new_read(const struct body *b, const struct loop_operand *operand, bool *is_seen) {
    if (operand->statement >= 0) return -1;
    int a = nest_find(b->nest, b->nest->plan_views[operand->tensor->number]);
    if (is_seen[a] || loop_is_number(b->w, b->nest, &b->nest->addresses[a])) return -1;
    is_seen[a] = true;
    return a;
}

static void write_read(const struct body *b, const struct loop_operand *operand, bool *is_read) {
    bool is_pooled = operand->statement < 0 && is_pooled_image(b, operand->tensor);
    int a = new_read(b, operand, is_read);
    for (long p = 0; a >= 0 && p < (is_pooled ? 1 : pixels_of(b)); p++)
        write_line(b->w, "const real %s = %s;", operand_name(b, operand, p),
                   element_text(b, a, is_pooled, p));
}

/* Marks a statement and those it reads. Where there is no window there is no pooled value. */
static void need(struct body *b, int number) {
    const struct statement *s = statement_of(b, number);
    b->is_needed[number] = true;
    if (s->window == WINDOW_GRADIENT && !b->is_pooled) return; /* zeros */
    for (int j = 0; j < s->operand_count; j++)
        if (s->operands[j].statement >= 0) need(b, s->operands[j].statement);
}

/* Finds what the body must compute; false: nothing. */
static bool find_needed(struct body *b) {
    const struct loop_kernel *loop = &b->nest->kernel->loop;
    bool is_any = false;
    b->is_needed = ARENA_ARRAY(b->w->arena, bool, loop->statement_count);
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if ((s->is_pooled && !b->is_pooled) || (!s->is_stored && s->kind == STATEMENT_VALUE))
            continue;
        need(b, i);
        is_any = true;
    }
    return is_any;
}

/* Everything is read before anything is stored: a result may take the place of an operand, and GCC
 * keeps several sums in registers only then. */
static void write_reads(const struct body *b) {
    const struct loop_kernel *loop = &b->nest->kernel->loop;
    bool *is_read = ARENA_ARRAY(b->w->arena, bool, b->nest->address_count);
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (!b->is_needed[i] || (s->window == WINDOW_GRADIENT && !b->is_pooled)) continue;
        for (int j = 0; j < s->operand_count; j++) write_read(b, &s->operands[j], is_read);
        if (s->kind == STATEMENT_SUM) write_line(b->w, "real total%d = sum%d[k];", i, i);
    }
}

/* What the next row of windows reads, on its way to the cache: in a backward pass it was written
 * long ago, and hardware follows so many short rows badly. */
static void write_prefetches(const struct body *b) {
    const struct loop_kernel *loop = &b->nest->kernel->loop;
    long ahead = b->rows * b->pooling->large.size[2] * b->w->plan->lanes;
    bool *is_done = ARENA_ARRAY(b->w->arena, bool, b->nest->address_count);
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        for (int j = 0; j < s->operand_count && b->is_needed[i]; j++) {
            const struct loop_operand *operand = &s->operands[j];
            if (operand->statement < 0 && is_pooled_image(b, operand->tensor)) continue;
            int a = new_read(b, operand, is_done);
            for (long p = 0; a >= 0 && p < pixels_of(b); p++)
                write_line(b->w, "LATHE_PREFETCH(%s + at + %ld);", loop_row(b->w, b->nest, a),
                           ahead + pixel_offset(b, p) * b->w->plan->lanes);
        }
    }
}

/* A position of lane k. */
static const char *position_text(const struct body *b, int a, bool is_pooled, long pixel) {
    const struct address *address = &b->nest->addresses[a];
    bool is_element = a == b->nest->element_address[0] || a == b->nest->element_address[1];
    const char *type = is_element ? "(unsigned)" : "(int)", *suffix = is_element ? "u" : "";
    struct text text = {.arena = b->w->arena};
    text_put(&text, address->name);
    if (address->stride[2]) text_add(&text, " + %sk * %ld%s", type, address->stride[2], suffix);
    if (address->row_stride && is_pooled)
        text_add(&text, " + %spooled_pixel * %ld%s", type, address->row_stride, suffix);
    if (address->row_stride && !is_pooled)
        text_add(&text, " + %s(pixel + %ld) * %ld%s", type, pixel_offset(b, pixel),
                 address->row_stride, suffix);
    return text_string(&text);
}

enum { MOST_LANE_NUMBERS = 8 }; /* of a statement */

static const char *expression_text(const struct body *b, int number, const struct expression *e,
                                   long pixel) {
    const struct statement *s = statement_of(b, number);
    struct arena *arena = b->w->arena;
    const char **operand = ARENA_ARRAY(arena, const char *, s->operand_count + MOST_LANE_NUMBERS);
    const char *index[MAX_RANK] = {0};
    for (int j = 0; j < s->operand_count; j++) operand[j] = operand_name(b, &s->operands[j], pixel);
    for (int j = 0; j < MOST_LANE_NUMBERS; j++)
        operand[s->operand_count + j] = arena_format(arena, "lanes%d_%d[k]", number, j);
    for (int a = 0; a < MAX_RANK; a++) {
        int address = b->nest->index_address[s->is_pooled][a];
        if (address >= 0) index[a] = position_text(b, address, s->is_pooled, pixel);
    }
    int element = b->nest->element_address[s->is_pooled];
    struct expression_names names = {
        .operand = operand,
        .index = index,
        .element = element < 0 ? "0u" : position_text(b, element, s->is_pooled, pixel),
        .prefix = arena_format(arena, "t%d_%ld_", number, pixel)};
    return write_expression(b->w, e, &names);
}

/* ---- numbers of the lanes: what the pixels of a channel and sample share ---- */

struct lane_numbers {
    struct arena *arena;
    int operand_count;     /* of the statement */
    unsigned long varying; /* those that differ between pixels */
    const struct expression *found[MOST_LANE_NUMBERS];
    int count;
};

/* A choice by sample becomes one more operand. The context points to the list. */
static const struct expression *take_lane_number(const void *context, const struct expression *e) {
    struct lane_numbers *lanes = *(struct lane_numbers *const *)context;
    if (e->op != EXPRESSION_SELECT || !expression_contains(e, EXPRESSION_INDEX) ||
        expression_contains(e, EXPRESSION_RANDOM) || (e->operands & lanes->varying))
        return e;
    int i = 0;
    while (i < lanes->count && !expression_equal(lanes->found[i], e)) i++;
    if (i == MOST_LANE_NUMBERS) return e;
    if (i == lanes->count) lanes->found[lanes->count++] = e;
    return expression_operand(lanes->arena, lanes->operand_count + i);
}

/* GCC would choose again for each pixel. Returns the statement's expression over what is written.
 */
static const struct expression *write_lane_numbers(const struct body *b, int number) {
    const struct statement *s = statement_of(b, number);
    struct lane_numbers lanes = {.arena = b->w->arena, .operand_count = s->operand_count};
    struct lane_numbers *context = &lanes;
    for (int j = 0; j < s->operand_count; j++)
        if (!is_number(b, &s->operands[j])) lanes.varying |= 1ul << j;
    const struct expression *e =
        expression_rewrite(lanes.arena, s->expression, take_lane_number, &context);
    for (int i = 0; i < lanes.count; i++) {
        write_line(b->w, "real lanes%d_%d[%d];", number, i, b->w->plan->lanes);
        write_open(b->w, "for (int k = 0; k < %d; k++)", b->w->plan->lanes);
        write_line(b->w, "lanes%d_%d[k] = %s;", number, i,
                   expression_text(b, number, lanes.found[i], 0));
        write_close(b->w);
    }
    return e;
}

/* The maximum of a window of operand 0 in `top`, and operand 1 at the first one in `found`. */
static void write_search(const struct body *b, int number, bool gathers) {
    const struct statement *s = statement_of(b, number);
    if (!gathers || pixels_of(b) > 1)
        write_line(b->w, "real top%d = %s;", number, operand_name(b, &s->operands[0], 0));
    if (gathers)
        write_line(b->w, "real found%d = %s;", number, operand_name(b, &s->operands[1], 0));
    for (long p = 1; p < pixels_of(b); p++) {
        const char *x = operand_name(b, &s->operands[0], p);
        if (gathers)
            write_line(b->w, "found%d = %s > top%d ? %s : found%d;", number, x, number,
                       operand_name(b, &s->operands[1], p), number);
        write_line(b->w, "top%d = %s > top%d ? %s : top%d;", number, x, number, x, number);
    }
}

static void write_gradient(const struct body *b, int number) {
    const struct statement *s = statement_of(b, number);
    if (!b->is_pooled) {
        for (long p = 0; p < pixels_of(b); p++)
            write_line(b->w, "const real %s = 0;", value_name(b, number, p));
        return;
    }
    write_search(b, number, false);
    write_line(b->w, "real rest%d = %s;", number, operand_name(b, &s->operands[1], 0));
    for (long p = 0; p < pixels_of(b); p++) {
        const char *x = operand_name(b, &s->operands[0], p);
        write_line(b->w, "const real %s = %s == top%d ? rest%d : 0;", value_name(b, number, p), x,
                   number, number);
        if (p + 1 < pixels_of(b))
            write_line(b->w, "rest%d -= %s;", number, value_name(b, number, p));
    }
}

/* Row by row, and then all at once: short chains of additions. */
static void write_total(const struct body *b, int number) {
    const bool is_pooled = statement_of(b, number)->is_pooled;
    struct text sum = {.arena = b->w->arena};
    for (long p = 0; p < (is_pooled ? 1 : pixels_of(b)); p++) {
        bool begins_row = !is_pooled && p % b->columns == 0, ends_row = (p + 1) % b->columns == 0;
        text_add(&sum, "%s%s%s%s", p ? " + " : "", begins_row ? "(" : "",
                 expression_text(b, number, b->expressions[number], p),
                 !is_pooled && ends_row ? ")" : "");
    }
    write_line(b->w, "total%d += %s;", number, text_string(&sum));
}

static void write_value(const struct body *b, int number) {
    const struct statement *s = statement_of(b, number);
    if (s->window == WINDOW_GRADIENT) {
        write_gradient(b, number);
    } else if (s->kind == STATEMENT_SUM) {
        write_total(b, number);
    } else if (s->window != WINDOW_NONE) {
        bool gathers = s->window == WINDOW_GATHER;
        write_search(b, number, gathers);
        write_line(b->w, "const real v%d = %s%d;", number, gathers ? "found" : "top", number);
    } else {
        for (long p = 0; p < (s->is_pooled ? 1 : pixels_of(b)); p++) {
            const char *value = expression_text(b, number, b->expressions[number], p);
            write_line(b->w, "const real %s = %s;", value_name(b, number, p), value);
        }
    }
}

static void write_body(const struct body *b) {
    const struct loop_kernel *loop = &b->nest->kernel->loop;
    if (b->is_pooled && b->w->plan->lanes >= 8) write_prefetches(b);
    write_line(b->w, "LATHE_INDEPENDENT");
    write_open(b->w, "for (int k = 0; k < %d; k++)", b->w->plan->lanes);
    write_reads(b);
    for (int i = 0; i < loop->statement_count; i++)
        if (b->is_needed[i]) write_value(b, i);
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (b->is_needed[i] && s->kind == STATEMENT_SUM)
            write_line(b->w, "sum%d[k] = total%d;", i, i);
        if (!b->is_needed[i] || !s->is_stored || s->kind != STATEMENT_VALUE) continue;
        int a = nest_find(b->nest, loop_view(b->nest, s));
        for (long p = 0; p < (s->is_pooled ? 1 : pixels_of(b)); p++)
            write_line(b->w, "%s = %s;", element_text(b, a, s->is_pooled, p), value_name(b, i, p));
    }
    write_close(b->w);
}

static bool has_pooled_images(const struct nest *nest) {
    const struct loop_kernel *loop = &nest->kernel->loop;
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (s->is_pooled && s->is_stored && s->kind == STATEMENT_VALUE) return true;
        for (int j = 0; j < s->operand_count; j++)
            if (s->operands[j].statement < 0 &&
                shape_equal(&s->operands[j].tensor->shape, &loop->pooling->small))
                return true;
    }
    return false;
}

static void write_run_of_columns(struct writer *w, const struct nest *nest,
                                 const struct expression *const *expressions,
                                 const struct run *rows, const struct run *columns) {
    const struct pooling *pooling = nest->kernel->loop.pooling;
    long lanes = w->plan->lanes;
    struct body body = {.w = w,
                        .nest = nest,
                        .pooling = pooling,
                        .expressions = expressions,
                        .rows = rows->length,
                        .columns = columns->length,
                        .is_pooled = rows->is_pooled && columns->is_pooled};
    if (!find_needed(&body)) return;
    bool has_element = nest->element_address[true] >= 0;
    write_open(w, "for (long column = %ld; column < %ld; column++)", columns->first,
               columns->first + columns->count);
    write_line(w, "const long pixel = top * %ld + %s, at = pixel * %ld;", pooling->large.size[2],
               begin_text(w, pooling, 1, columns, "column"), lanes);
    /* Zeros that are only summed are nowhere; what pooling leaves as it is has the small image's
     * place. */
    if (!body.is_pooled || shape_equal(&pooling->large, &pooling->small))
        write_line(w, "(void)at;");
    bool has_images = has_pooled_images(nest);
    if (body.is_pooled && (has_element || has_images))
        write_line(w, "const long pooled_pixel = row * %ld + column;", pooling->small.size[2]);
    if (body.is_pooled && has_images)
        write_line(w, "const long pooled = pooled_pixel * %ld;", lanes);
    write_body(&body);
    write_close(w);
}

void write_windows(struct writer *w, const struct nest *nest) {
    const struct pooling *pooling = nest->kernel->loop.pooling;
    struct run rows[MOST_RUNS], columns[MOST_RUNS];
    int row_runs = find_runs(pooling, 0, rows), column_runs = find_runs(pooling, 1, columns);
    struct run all_columns = {0, pooling->large.size[2], 1, false};
    int statements = nest->kernel->loop.statement_count;
    const struct expression **expressions =
        ARENA_ARRAY(w->arena, const struct expression *, statements);
    struct body numbers = {.w = w, .nest = nest, .pooling = pooling};
    for (int i = 0; i < statements; i++) expressions[i] = write_lane_numbers(&numbers, i);
    for (int i = 0; i < row_runs; i++) {
        struct body body = {.w = w, .nest = nest, .is_pooled = rows[i].is_pooled};
        if (!find_needed(&body)) continue;
        write_open(w, "for (long row = %ld; row < %ld; row++)", rows[i].first,
                   rows[i].first + rows[i].count);
        write_line(w, "const long top = %s;", begin_text(w, pooling, 0, &rows[i], "row"));
        if (!rows[i].is_pooled) write_run_of_columns(w, nest, expressions, &rows[i], &all_columns);
        for (int j = 0; j < column_runs && rows[i].is_pooled; j++)
            write_run_of_columns(w, nest, expressions, &rows[i], &columns[j]);
        write_close(w);
    }
}
