/* loop_strips.c: the strip of a loop kernel in the tcc dialect: libtcc makes slow scalar code, so
 * each operator of an expression becomes one call of a vector operation of the library, on pieces
 * that stay in the L1 cache. */
#include "loop.h"

#include "../tensor/expression_list.h"

#include <string.h>

/* Where a value of the current piece is: C text of its first element, and its step (0 or 1). */
struct place {
    const char *address;
    int step;
    int slot; /* a temporary of ours, or -1 */
};

struct strips {
    struct writer *w;
    const struct nest *nest;
    struct place *values; /* by statement */
    bool *is_used;        /* slots */
    int slot_count, slot_capacity;
    struct text ahead;             /* what is the same for all pieces: written before them */
    int number_count, ahead_count; /* single numbers and strips made there */
    long piece;                    /* elements of a strip at most */
    /* the statement being written */
    const struct statement *statement;
    struct expression_list nodes;
    int *uses; /* by node: reads that are still to come */
    struct place *places;
    bool *is_placed;
};

/* Where the piece begins in the strip; window by window, in the large image or the pooled one. */
static const char *variable_index(const struct strips *s, bool is_pooled) {
    if (s->nest->kernel->loop.pooling) return is_pooled ? "pooled" : "large";
    return s->nest->strip < 0 ? "0" : "i";
}

/* The elements of the piece. */
static const char *length_of(const struct statement *statement) {
    return statement->is_pooled ? "pooled_n" : "n";
}

static bool is_pooled_view(const struct strips *s, const struct view *view) {
    const struct pooling *pooling = s->nest->kernel->loop.pooling;
    return pooling && shape_equal(&view->shape, &pooling->small);
}

static struct place new_slot(struct strips *s) {
    int slot = 0;
    while (slot < s->slot_count && s->is_used[slot]) slot++;
    if (slot == s->slot_capacity) {
        bool *is_used = ARENA_ARRAY(s->w->arena, bool, 2 * slot + 16);
        if (slot) memcpy(is_used, s->is_used, sizeof *is_used * (size_t)slot);
        s->is_used = is_used;
        s->slot_capacity = 2 * slot + 16;
    }
    if (slot == s->slot_count) s->slot_count++;
    s->is_used[slot] = true;
    return (struct place){arena_format(s->w->arena, "strip[%d]", slot), 1, slot};
}

static int find_node(struct strips *s, const struct expression *e) {
    return expression_list_add(&s->nodes, e);
}

static struct place memory_place(struct strips *s, int a) {
    const struct address *address = &s->nest->addresses[a];
    const char *row = loop_row(s->w, s->nest, a);
    int step = s->nest->strip >= 0 && address->stride[s->nest->strip] != 0;
    const char *index = variable_index(s, is_pooled_view(s, address->view));
    const char *text = step ? arena_format(s->w->arena, "%s + %s", row, index) : row;
    return (struct place){text, step, -1};
}

static struct place operand_place(struct strips *s, int index) {
    const struct loop_operand *operand = &s->statement->operands[index];
    if (operand->statement >= 0) {
        struct place place = s->values[operand->statement];
        place.slot = -1; /* not ours to free */
        return place;
    }
    return memory_place(s, nest_find(s->nest, s->nest->plan_views[operand->tensor->number]));
}

static struct place evaluate(struct strips *s, const struct expression *e,
                             const struct place *destination);

static void release(struct strips *s, const struct expression *e) {
    int i = find_node(s, e);
    if (--s->uses[i] == 0 && s->is_placed[i] && s->places[i].slot >= 0)
        s->is_used[s->places[i].slot] = false;
}

/* Where position `a` is at the beginning of the piece. */
static const char *position(struct strips *s, int a) {
    const struct nest *nest = s->nest;
    const struct address *address = &nest->addresses[a];
    long stride = nest->strip < 0 ? 0 : address->stride[nest->strip];
    bool is_pooled = s->statement->is_pooled;
    bool is_unsigned = a == nest->element_address[is_pooled];
    const char *index = variable_index(s, is_pooled);
    if (nest->row) {
        stride = address->row_stride;
        index = arena_format(s->w->arena, "%s / %ld", index, nest->row);
    }
    if (!stride) return address->name;
    return arena_format(s->w->arena, is_unsigned ? "%s + (unsigned)(%s * %ld)" : "%s + %s * %ld",
                        address->name, index, stride);
}

/* How the position goes on from there: step by step, or in rows. */
static const char *position_steps(struct strips *s, int a) {
    const struct nest *nest = s->nest;
    const struct address *address = &nest->addresses[a];
    long step = nest->strip < 0 ? 0 : address->stride[nest->strip];
    if (!nest->row) return arena_format(s->w->arena, "%ld", step);
    return arena_format(s->w->arena, "%ld, %ld, %ld", step, nest->row, address->row_stride);
}

/* Is the value the same in all pieces? Then it is a number, or a strip of repeated rows. */
enum constancy { VARIES, REPEATS, IS_NUMBER };

static enum constancy constancy(const struct strips *s, const struct expression *e) {
    const struct nest *nest = s->nest;
    if (e->op == EXPRESSION_CONSTANT) return IS_NUMBER;
    if (nest->strip < 0 || e->op == EXPRESSION_RANDOM) return VARIES;
    if (e->op == EXPRESSION_INDEX) {
        int a = nest->index_address[s->statement->is_pooled][e->index];
        const struct address *address = &nest->addresses[a];
        return nest->row && !address->row_stride ? REPEATS : VARIES;
    }
    if (e->op == EXPRESSION_OPERAND) {
        const struct loop_operand *operand = &s->statement->operands[e->index];
        if (operand->statement >= 0) return VARIES;
        int a = nest_find(nest, nest->plan_views[operand->tensor->number]);
        const struct address *address = &nest->addresses[a];
        return address->is_written || address->stride[nest->strip] ? VARIES : IS_NUMBER;
    }
    enum constancy least = IS_NUMBER;
    for (int k = 0; k < 3 && e->in[k]; k++) {
        enum constancy in = constancy(s, e->in[k]);
        if (in < least) least = in;
    }
    return least;
}

static void generate(struct strips *s, const struct expression *e, const char *to,
                     const char *count) {
    bool is_index = e->op == EXPRESSION_INDEX;
    bool is_pooled = s->statement->is_pooled;
    int a = is_index ? s->nest->index_address[is_pooled][e->index]
                     : s->nest->element_address[is_pooled];
    const char *name =
        use_symbol(s->w, arena_format(s->w->arena, "vector_%s%s", is_index ? "index" : "random",
                                      s->nest->row ? "_rows" : ""));
    const char *key =
        is_index ? "" : arena_format(s->w->arena, "%s, ", loop_random_key(s->w, e->index));
    write_line(s->w, "%s(%s, %s%s, %s, %s);", name, to, key, position(s, a), position_steps(s, a),
               count);
}

/* A value that is the same for all pieces, made before them; its place stays. */
static struct place evaluate_ahead(struct strips *s, const struct expression *e,
                                   enum constancy kind) {
    bool is_number = kind == IS_NUMBER;
    struct text arguments = {.arena = s->w->arena};
    struct place result;
    for (int k = 0; k < 3 && e->in[k]; k++) {
        struct place in = evaluate(s, e->in[k], NULL);
        text_add(&arguments, ", %s, %d", in.address, in.step);
    }
    struct text piece = s->w->text;
    s->w->text = s->ahead;
    if (is_number)
        result = (struct place){arena_format(s->w->arena, "number + %d", s->number_count), 0, -1};
    else
        result = (struct place){arena_format(s->w->arena, "ahead[%d]", s->ahead_count), 1, -1};
    long length = s->nest->strip < 0 ? 1 : s->nest->extent[s->nest->strip];
    const char *count = arena_format(s->w->arena, "%ld",
                                     is_number           ? 1
                                     : length < s->piece ? length
                                                         : s->piece);
    if (e->op == EXPRESSION_CONSTANT)
        write_line(s->w, "number[%d] = %s;", s->number_count, literal(s->w, e->value, false));
    else if (e->op == EXPRESSION_INDEX)
        generate(s, e, result.address, count);
    else
        write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, microkernel_vector_name(e->op)),
                   result.address, text_string(&arguments), count);
    s->number_count += is_number;
    s->ahead_count += !is_number;
    s->ahead = s->w->text;
    s->w->text = piece;
    return result;
}

/* What one call computes: an operator of an expression, or several. */
struct operation {
    const char *name;
    const struct expression *in[MICROKERNEL_CHAIN_OPERANDS];
    int count;
};

static enum expression_operator pattern_operator(char c) {
    switch (c) {
    case '+': return EXPRESSION_ADD;
    case '-': return EXPRESSION_SUBTRACT;
    case '*': return EXPRESSION_MULTIPLY;
    case '/': return EXPRESSION_DIVIDE;
    case '<': return EXPRESSION_LESS;
    case '=': return EXPRESSION_EQUAL;
    case '?': return EXPRESSION_SELECT;
    default: return EXPRESSION_SQRT;
    }
}

/* Does the expression have the form of the pattern? Returns the rest of the pattern, or NULL. What
 * lies inside must be of no use to others. */
static const char *match_pattern(struct strips *s, const char *pattern, const struct expression *e,
                                 bool is_inside, struct operation *operation) {
    char c = *pattern++;
    if (c >= 'a' && c <= 'f') {
        operation->in[operation->count++] = e;
        return pattern;
    }
    if (e->op != pattern_operator(c)) return NULL;
    if (is_inside) {
        int node = find_node(s, e);
        if (s->nodes.nodes[node].uses != 1 || constancy(s, e) != VARIES) return NULL;
    }
    if (!e->in[1] || e->in[2]) {
        for (int k = 0; k < 3 && e->in[k] && pattern; k++)
            pattern = match_pattern(s, pattern, e->in[k], true, operation);
        return pattern;
    }
    bool commutes = e->op == EXPRESSION_ADD || e->op == EXPRESSION_MULTIPLY;
    int orders = commutes ? 2 : 1;
    for (int order = 0, count = operation->count; order < orders; order++) {
        operation->count = count;
        const char *rest = match_pattern(s, pattern, e->in[order], true, operation);
        if (rest) rest = match_pattern(s, rest, e->in[1 - order], true, operation);
        if (rest) return rest;
    }
    return NULL;
}

static struct operation find_operation(struct strips *s, const struct expression *e) {
    struct operation operation;
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++) {
        operation = (struct operation){.name = chain->name};
        if (match_pattern(s, chain->pattern, e, false, &operation)) return operation;
    }
    operation = (struct operation){.name = microkernel_vector_name(e->op)};
    while (operation.count < 3 && e->in[operation.count]) {
        operation.in[operation.count] = e->in[operation.count];
        operation.count++;
    }
    return operation;
}

static struct place operate(struct strips *s, const struct expression *e,
                            const struct place *destination) {
    struct operation operation = find_operation(s, e);
    struct place in[MICROKERNEL_CHAIN_OPERANDS];
    struct text arguments = {.arena = s->w->arena};
    for (int k = 0; k < operation.count; k++) {
        in[k] = evaluate(s, operation.in[k], NULL);
        text_add(&arguments, ", %s, %d", in[k].address, in[k].step);
    }
    /* A slot that is free now may take the result: the operations run element by element. A single
     * number must not: the operation would overwrite it. */
    for (int k = 0; k < operation.count; k++)
        if (in[k].step) release(s, operation.in[k]);
    struct place result = destination ? *destination : new_slot(s);
    for (int k = 0; k < operation.count; k++)
        if (!in[k].step) release(s, operation.in[k]);
    write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, operation.name), result.address,
               text_string(&arguments), length_of(s->statement));
    return result;
}

static struct place evaluate(struct strips *s, const struct expression *e,
                             const struct place *destination) {
    int node = find_node(s, e);
    if (s->is_placed[node]) return s->places[node];
    enum constancy kind = constancy(s, e);
    struct place result = {0};
    if (e->op == EXPRESSION_OPERAND) {
        result = operand_place(s, e->index);
    } else if (kind != VARIES) {
        result = evaluate_ahead(s, e, kind);
    } else if (e->op == EXPRESSION_INDEX || e->op == EXPRESSION_RANDOM) {
        result = destination ? *destination : new_slot(s);
        generate(s, e, result.address, length_of(s->statement));
    } else {
        result = operate(s, e, destination);
    }
    s->places[node] = result;
    s->is_placed[node] = true;
    return result;
}

/* Do two views lie in the same memory, at least in part? */
static bool overlap(const struct view *a, const struct view *b) {
    const struct buffer *x = a->buffer, *y = b->buffer;
    if (x->storage != y->storage || x->index != y->index) return false;
    if (x->storage == STORAGE_ARENA) return x->offset == y->offset; /* merged, or alive in turn */
    return a->offset < b->offset + shape_elements(&b->shape) &&
           b->offset < a->offset + shape_elements(&a->shape);
}

static bool same_place(const struct view *a, const struct view *b) {
    return a->offset == b->offset && shape_elements(&a->shape) == shape_elements(&b->shape);
}

/* A stored value goes right to its memory, unless a later statement still reads what is there, or
 * this one reads it elsewhere than at the place of the element. */
static bool can_store_at_once(const struct strips *s, int number, const struct view *out) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    for (int i = number; i < loop->statement_count; i++)
        for (int j = 0; j < loop->statements[i].operand_count; j++) {
            const struct loop_operand *operand = &loop->statements[i].operands[j];
            if (operand->statement >= 0) continue;
            const struct view *in = s->nest->plan_views[operand->tensor->number];
            if (overlap(out, in) && (i > number || !same_place(out, in))) return false;
        }
    return true;
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

/* A strip that holds a single number everywhere. */
static struct place repeated(struct strips *s, struct place value) {
    struct place copy = new_slot(s);
    write_line(s->w, "%s(%s, %s, 0, %s);", use_symbol(s->w, "vector_copy"), copy.address,
               value.address, length_of(s->statement));
    return copy;
}

/* The arguments that tell the library the windows of a piece: whole rows of the large image. */
static const char *window_text(const struct strips *s) {
    const struct pooling *pooling = s->nest->kernel->loop.pooling;
    return arena_format(s->w->arena, "rows, %ld, windows, %ld, %ld", pooling->large.size[2],
                        pooling->window.kernel_size[1], pooling->window.pad[1]);
}

static void write_sum(struct strips *s, int number, struct place value) {
    const struct nest *nest = s->nest;
    bool inner = nest->strip < 0 || nest->is_reduced[nest->strip];
    bool is_sum = s->statement->kind == STATEMENT_SUM;
    if (!inner) {
        write_line(s->w, "%s(sum%d, %s, %d, n);",
                   use_symbol(s->w, is_sum ? "vector_accumulate" : "vector_accumulate_maximum"),
                   number, value.address, value.step);
        return;
    }
    if (!value.step) {
        value = repeated(s, value);
        s->is_used[value.slot] = false;
    }
    if (nest->kernel->loop.pooling) {
        write_line(s->w, "%s(sum%d, %s, %s);", use_symbol(s->w, "window_sum"), number,
                   value.address,
                   s->statement->is_pooled ? "1, windows, windows, 1, 0" : window_text(s));
        return;
    }
    if (loop_sums_at_once(s->w, nest)) {
        write_line(s->w, "sum%d = %s(%s, n);", number,
                   use_symbol(s->w, is_sum ? "vector_sum_of" : "vector_maximum_of"), value.address);
        return;
    }
    write_line(s->w, "%s(sum%d, %s, n);",
               use_symbol(s->w, is_sum ? "vector_sum_into" : "vector_maximum_into"), number,
               value.address);
}

/* Pooling, by the library. */
static void write_window(struct strips *s, int number, const struct view *out) {
    static const char *const names[] = {NULL, "window_maximum", "window_gather", "window_gradient"};
    const struct statement *statement = s->statement;
    struct place in[2], result;
    struct text arguments = {.arena = s->w->arena};
    for (int k = 0; k < statement->operand_count; k++) {
        in[k] = operand_place(s, k);
        if (!in[k].step) in[k] = repeated(s, in[k]);
        text_add(&arguments, ", %s", in[k].address);
    }
    if (out && can_store_at_once(s, number, out))
        result = memory_place(s, nest_find(s->nest, out));
    else
        result = new_slot(s);
    write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, names[statement->window]), result.address,
               text_string(&arguments), window_text(s));
    s->values[number] = result;
}

static void write_statement(struct strips *s, int number) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    struct arena *arena = s->w->arena;
    s->statement = &loop->statements[number];
    expression_list_init(&s->nodes, arena);
    int root = expression_list_add(&s->nodes, s->statement->expression), count = s->nodes.count;
    s->uses = ARENA_ARRAY(arena, int, count);
    s->places = ARENA_ARRAY(arena, struct place, count);
    s->is_placed = ARENA_ARRAY(arena, bool, count);
    for (int i = 0; i < count; i++) s->uses[i] = s->nodes.nodes[i].uses + (i == root);
    struct place destination;
    const struct view *out = stored_view(s, number);
    if (s->statement->window != WINDOW_NONE) {
        write_window(s, number, out);
        return;
    }
    bool at_once = out && can_store_at_once(s, number, out);
    if (at_once) destination = memory_place(s, nest_find(s->nest, out));
    bool is_operator = s->statement->expression->op != EXPRESSION_OPERAND &&
                       s->statement->expression->op != EXPRESSION_CONSTANT;
    struct place value =
        evaluate(s, s->statement->expression, at_once && is_operator ? &destination : NULL);
    if (at_once && strcmp(value.address, destination.address)) {
        write_line(s->w, "%s(%s, %s, %d, %s);", use_symbol(s->w, "vector_copy"),
                   destination.address, value.address, value.step, length_of(s->statement));
        value = destination;
    }
    s->values[number] = value;
    if (s->statement->kind != STATEMENT_VALUE) {
        write_sum(s, number, value);
        release(s, s->statement->expression);
    }
}

static void write_piece(struct strips *s) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    for (int i = 0; i < loop->statement_count; i++) write_statement(s, i);
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *statement = &loop->statements[i];
        if (statement->kind != STATEMENT_VALUE || !statement->is_stored) continue;
        struct place to = memory_place(s, nest_find(s->nest, loop_view(s->nest, statement)));
        if (!strcmp(to.address, s->values[i].address)) continue;
        write_line(s->w, "%s(%s, %s, %d, %s);", use_symbol(s->w, "vector_copy"), to.address,
                   s->values[i].address, s->values[i].step, length_of(statement));
    }
}

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

void write_strips(struct writer *w, const struct nest *nest) {
    struct arena *arena = w->arena;
    int statements = nest->kernel->loop.statement_count;
    const struct pooling *pooling = nest->kernel->loop.pooling;
    struct strips s = {.w = w, .nest = nest, .piece = LOOP_PIECE};
    if (pooling && nest->extent[nest->strip] > s.piece) s.piece = nest->extent[nest->strip];
    s.values = ARENA_ARRAY(arena, struct place, statements);
    struct text before = w->text;
    s.ahead = w->text = (struct text){.arena = arena};
    w->depth++;
    bool chunked = nest->strip >= 0 && nest->chunk < nest->extent[nest->strip];
    bool has_loop =
        pooling || chunked || (nest->strip >= 0 && nest->extent[nest->strip] > LOOP_PIECE);
    if (pooling) {
        open_rows_of_windows(w, pooling);
    } else if (nest->strip < 0) {
        write_line(w, "const long n = 1;");
    } else if (!has_loop) {
        write_line(w, "const long i = 0, n = %ld;", nest->extent[nest->strip]);
    } else {
        const char *begin = chunked ? "first" : "0";
        const char *end = chunked ? "last" : arena_format(arena, "%ld", nest->extent[nest->strip]);
        write_open(w, "for (long i = %s; i < %s; i += %d)", begin, end, LOOP_PIECE);
        write_line(w, "const long n = %s - i < %d ? %s - i : %d;", end, LOOP_PIECE, end,
                   LOOP_PIECE);
    }
    write_piece(&s);
    if (has_loop) write_close(w);
    w->depth--;
    const char *body = text_string(&w->text);
    w->text = before;
    write_open(w, "%s", "");
    if (s.slot_count) write_line(w, "real strip[%d][%ld];", s.slot_count, s.piece);
    if (s.number_count) write_line(w, "real number[%d];", s.number_count);
    if (s.ahead_count) write_line(w, "real ahead[%d][%ld];", s.ahead_count, s.piece);
    text_put(&w->text, text_string(&s.ahead));
    text_put(&w->text, body);
    write_close(w);
}
