/* loop_strips.c: the statements of a loop kernel in the tcc dialect: libtcc makes slow scalar code,
 * so each operator of an expression becomes one call of a vector operation of the library, on
 * pieces that stay in the L1 cache. */
#include "loop_strips.h"

#include <string.h>

/* Do two views lie in the same memory, at least in part? */
static bool overlap(const struct view *a, const struct view *b) {
    const struct buffer *x = a->buffer, *y = b->buffer;
    if (x->storage != STORAGE_ARENA || y->storage != STORAGE_ARENA) return views_overlap(a, b);
    return x->offset == y->offset; /* merged, or alive in turn */
}

static bool same_place(const struct view *a, const struct view *b) {
    return a->offset == b->offset && shape_elements(&a->shape) == shape_elements(&b->shape);
}

/* A stored value goes right to its memory, unless a statement behind `last` still reads what is
 * there, or one up to that reads it elsewhere than at the place of the element. */
static bool can_store(const struct strips *s, const struct view *out, int last) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    for (int i = s->number; i < loop->statement_count; i++)
        for (int j = 0; j < loop->statements[i].operand_count; j++) {
            const struct loop_operand *operand = &loop->statements[i].operands[j];
            if (operand->statement >= 0) continue;
            const struct view *in = s->nest->plan_views[operand->tensor->number];
            if (overlap(out, in) && (i > last || !same_place(out, in))) return false;
        }
    return true;
}

static bool can_store_at_once(const struct strips *s, const struct view *out) {
    return can_store(s, out, s->number);
}

/* Where a statement's value is to be stored: its own view, or that of a later statement that is
 * nothing but its copy. NULL: nowhere. */
static const struct view *stored_view(const struct strips *s, int number) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    const struct statement *statement = &loop->statements[number];
    if (statement->kind != STATEMENT_VALUE) return NULL;
    if (statement->is_stored) return loop_view(s->nest, statement);
    for (int i = number + 1; i < loop->statement_count; i++) {
        const struct statement *copy = &loop->statements[i];
        if (copy->kind == STATEMENT_VALUE && copy->is_stored && !copy->window &&
            copy->expression->op == EXPRESSION_OPERAND &&
            copy->operands[copy->expression->index].statement == number)
            return loop_view(s->nest, copy);
    }
    return NULL;
}

/* The arguments that tell the library the windows of a piece: whole rows of the large image. */
static const char *windows(const struct strips *s) {
    const struct pooling *pooling = s->nest->kernel->loop.pooling;
    return arena_format(s->w->arena, "rows, %ld, windows, %ld, %ld", pooling->large.size[2],
                        pooling->window.kernel_size[1], pooling->window.pad[1]);
}

/* ---- sums ---- */

/* One sum a row of the piece, side by side. */
static void write_row_sums(struct strips *s, struct place value) {
    const struct view *out = loop_view(s->nest, s->statement);
    bool is_sum = s->statement->kind == STATEMENT_SUM;
    struct place to =
        can_store_at_once(s, out) ? strip_memory(s, nest_find(s->nest, out)) : strip_new(s);
    write_line(s->w, "%s(%s, %s, %ld, n);",
               use_symbol(s->w, is_sum ? "vector_row_sums" : "vector_row_maxima"), to.address,
               value.address, s->nest->row);
    s->results[s->number] = to;
}

/* To each element of the strip its own sum; of all rows of the piece. */
static void write_accumulation(struct strips *s, struct place value) {
    bool is_sum = s->statement->kind == STATEMENT_SUM;
    const char *name = is_sum ? "vector_accumulate" : "vector_accumulate_maximum";
    if (s->nest->rows < 0)
        write_line(s->w, "%s(sum%d, %s, %d, n);", use_symbol(s->w, name), s->number, value.address,
                   value.step);
    else
        write_line(
            s->w, "%s(sum%d, %s, %ld, n);",
            use_symbol(s->w, is_sum ? "vector_accumulate_rows" : "vector_accumulate_maximum_rows"),
            s->number, value.address, s->nest->row);
}

/* One sum of all elements, in partial sums unless the piece is all there is. */
static void write_total(struct strips *s, struct place value) {
    bool is_sum = s->statement->kind == STATEMENT_SUM;
    if (s->nest->kernel->loop.pooling)
        write_line(s->w, "%s(sum%d, %s, %s);", use_symbol(s->w, "window_sum"), s->number,
                   value.address,
                   s->statement->is_pooled ? "1, windows, windows, 1, 0" : windows(s));
    else if (loop_sums_at_once(s->w, s->nest))
        write_line(s->w, "sum%d = %s(%s, n);", s->number,
                   use_symbol(s->w, is_sum ? "vector_sum_of" : "vector_maximum_of"), value.address);
    else
        write_line(s->w, "%s(sum%d, %s, n);",
                   use_symbol(s->w, is_sum ? "vector_sum_into" : "vector_maximum_into"), s->number,
                   value.address);
}

static void write_sum(struct strips *s, struct place value) {
    const struct nest *nest = s->nest;
    bool is_total = nest->strip < 0 || nest->is_reduced[nest->strip];
    struct place strip = value;
    if (!value.step && (is_total || nest->rows >= 0)) strip = strip_repeated(s, value);
    if (nest_sums_rows(nest))
        write_row_sums(s, strip);
    else if (is_total)
        write_total(s, strip);
    else
        write_accumulation(s, strip);
    if (!value.step && strip.slot >= 0) s->is_used[strip.slot] = false;
}

/* ---- values ---- */

/* Pooling, by the library. */
static struct place write_window(struct strips *s, const struct place *destination) {
    static const char *const names[] = {NULL, "window_maximum", "window_gather", "window_gradient"};
    const struct statement *statement = s->statement;
    struct text arguments = {.arena = s->w->arena};
    for (int k = 0; k < statement->operand_count; k++) {
        struct place in = strip_operand(s, k);
        if (!in.step) in = strip_repeated(s, in);
        text_add(&arguments, ", %s", in.address);
    }
    struct place result = destination ? *destination : strip_new(s);
    write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, names[statement->window]), result.address,
               text_string(&arguments), windows(s));
    return result;
}

static void write_move(struct strips *s, const char *to, struct place from, const char *count) {
    if (strcmp(to, from.address))
        write_line(s->w, "%s(%s, %s, %d, %s);", use_symbol(s->w, "vector_copy"), to, from.address,
                   from.step, count);
}

static struct place write_expression_value(struct strips *s, const struct place *destination) {
    enum expression_operator op = s->statement->expression->op;
    bool is_operator = op != EXPRESSION_OPERAND && op != EXPRESSION_CONSTANT;
    struct place value = strip_evaluate(s, s->roots[s->number], is_operator ? destination : NULL);
    if (!destination) return value;
    write_move(s, destination->address, value, strip_length(s));
    return *destination;
}

static void write_statement(struct strips *s) {
    struct place destination;
    const struct view *out = stored_view(s, s->number);
    bool at_once = out && can_store_at_once(s, out);
    if (at_once) destination = strip_memory(s, nest_find(s->nest, out));
    s->results[s->number] = s->statement->window
                                ? write_window(s, at_once ? &destination : NULL)
                                : write_expression_value(s, at_once ? &destination : NULL);
    if (s->statement->kind != STATEMENT_VALUE) write_sum(s, s->results[s->number]);
    strip_leave(s);
}

/* Several statements by one call; returns how many, or 0 if there is no call for them. */
static int write_statements(struct strips *s) {
    struct operation operation;
    struct text results = {.arena = s->w->arena};
    if (!strip_find_statements(s, &operation)) return 0;
    int first = s->number, last = operation.results[operation.result_count - 1];
    for (int k = 0; k < operation.result_count; k++) {
        const struct view *out = stored_view(s, operation.results[k]);
        if (!out || !can_store(s, out, last)) return 0;
        struct place to = strip_memory(s, nest_find(s->nest, out));
        s->results[operation.results[k]] = to;
        text_add(&results, "%s%s", k ? ", " : "", to.address);
    }
    write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, operation.name), text_string(&results),
               strip_arguments(s, operation.in, operation.count), strip_length(s));
    for (int k = 0; k < operation.result_count; k++) {
        struct value *value = &s->own->of[s->roots[operation.results[k]]];
        value->place = s->results[operation.results[k]];
        value->is_placed = true;
    }
    return last - first + 1;
}

/* What could not go to its memory at once. */
static void store_result(struct strips *s) {
    bool is_row_sum = s->statement->kind != STATEMENT_VALUE;
    if (!s->statement->is_stored || (is_row_sum && !nest_sums_rows(s->nest))) return;
    int address = nest_find(s->nest, loop_view(s->nest, s->statement));
    write_move(s, strip_memory(s, address).address, s->results[s->number],
               is_row_sum ? "rows" : strip_length(s));
}

void strip_write_statements(struct strips *s) {
    int count = s->nest->kernel->loop.statement_count;
    s->results = ARENA_ARRAY(s->w->arena, struct place, count);
    strip_list_values(s);
    for (int i = 0, done = 0; i < count; i++) {
        strip_enter(s, i);
        if (i >= done) done = i + write_statements(s);
        write_statement(s); /* what is there is not computed again */
    }
    for (int i = 0; i < count; i++) {
        strip_enter(s, i);
        store_result(s);
    }
}
