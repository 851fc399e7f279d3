/* loop.c: writes loop kernels: elementwise statements and reductions. The cc dialect writes plain
 * loops, which gcc and clang vectorize; for tcc see loop_strips.c. */
#include "loop.h"

#include "../tensor/expression_list.h"

#include <string.h>

/* The loops outside the strip, outermost first: the kept ones, the reduced ones, the rows of a
 * piece.
 */
static int outer_count(const struct nest *nest) {
    return nest->kept_count + nest->reduced_count + (nest->rows >= 0);
}

static int outer_dimension(const struct nest *nest, int i) {
    if (i < nest->kept_count) return nest->kept[i];
    return i == nest->kept_count + nest->reduced_count ? nest->rows
                                                       : nest->reduced[i - nest->kept_count];
}

/* The index of an address from the loops outside the strip: "i0 * 12 + i1 * 3", or "". */
static const char *outer_index(struct writer *w, const struct nest *nest,
                               const struct address *address) {
    struct text text = {.arena = w->arena};
    for (int i = 0; i < outer_count(nest); i++) {
        int d = outer_dimension(nest, i);
        const char *term = index_term(w, arena_format(w->arena, "i%d", d), address->stride[d]);
        if (term) text_add(&text, "%s%s", text.length ? " + " : "", term);
    }
    return text_string(&text);
}

/* How many of the outer loops must be open before the address stands still. */
static int level_of(const struct nest *nest, const struct address *address) {
    int level = 0;
    for (int i = 0; i < outer_count(nest); i++)
        if (address->stride[outer_dimension(nest, i)]) level = i + 1;
    return level;
}

/* ---- pieces shared with the tcc dialect ---- */

const char *loop_row(struct writer *w, const struct nest *nest, int address) {
    const struct address *a = &nest->addresses[address];
    return *outer_index(w, nest, a) ? arena_format(w->arena, "%srow", a->name) : a->name;
}

/* A store in the strip could change it, for all that the compiler knows. */
bool loop_is_number(const struct writer *w, const struct nest *nest, const struct address *a) {
    return w->dialect == DIALECT_CC && a->view && !a->is_written &&
           (nest->strip < 0 || a->stride[nest->strip] == 0);
}

static void declare_key(struct writer *w, int stream) {
    use_symbol(w, "real_random_key");
    write_line(w,
               "const unsigned %s = real_random_key((unsigned)call->scalars[%d], "
               "(unsigned)call->scalars[%d], %du);",
               write_random_key(w, stream), SCALAR_SEED, SCALAR_STEP, stream);
}

static void declare_keys(struct writer *w, const struct nest *nest) {
    bool *is_declared = ARENA_ARRAY(w->arena, bool, w->plan->graph->random_streams);
    for (int i = 0; i < nest->kernel->loop.statement_count; i++) {
        const struct expression *e = nest->kernel->loop.statements[i].expression;
        struct expression_list list;
        if (!expression_contains(e, EXPRESSION_RANDOM)) continue;
        expression_list_init(&list, w->arena);
        expression_list_add(&list, e);
        for (int k = 0; k < list.count; k++) {
            const struct expression *node = list.nodes[k].source;
            if (node->op != EXPRESSION_RANDOM || is_declared[node->index]) continue;
            is_declared[node->index] = true;
            declare_key(w, node->index);
        }
    }
}

static void declare_base(struct writer *w, const struct nest *nest, const struct address *a) {
    if (nest_is_range(nest) && a->view == nest->kernel->loop.update_rows) return; /* an argument */
    if (nest_is_range(nest) && a->stride[nest->strip])
        write_line(w, "%sreal *const %s = %s + begin;", a->is_written ? "" : "const ", a->name,
                   view_address(w, a->view));
    else if (a->view->buffer->is_double && !a->is_written)
        write_line(w, "const real %ssingle = (real)*(%s), *const %s = &%ssingle;", a->name,
                   view_address(w, a->view), a->name, a->name);
    else
        write_pointer(w, a->name, a->view, !a->is_written);
}

/* What does not move any more when `level` of the outer loops are open. */
static void declare_level(struct writer *w, const struct nest *nest, int level) {
    for (int i = 0; i < nest->address_count; i++) {
        const struct address *a = &nest->addresses[i];
        if (level == 0 && a->view) declare_base(w, nest, a);
        if (level_of(nest, a) != level) continue;
        const char *index = outer_index(w, nest, a);
        if (!a->view) {
            bool is_element = i == nest->element_address[0] || i == nest->element_address[1];
            const char *type = is_element ? "unsigned" : w->dialect == DIALECT_CC ? "int" : "long";
            write_line(w, "const %s %s = (%s)(%s);", type, a->name, type, *index ? index : "0");
        } else if (loop_is_number(w, nest, a)) {
            write_line(w, "const real %svalue = %s[%s];", a->name, a->name, *index ? index : "0");
        } else if (*index) {
            write_line(w, "%sreal *const %srow = %s + %s;", a->is_written ? "" : "const ", a->name,
                       a->name, index);
        }
    }
}

void loop_declare_rows(struct writer *w, const struct nest *nest) {
    declare_level(w, nest, outer_count(nest));
}

const struct view *loop_view(const struct nest *nest, const struct statement *statement) {
    return statement->block_sums ? statement->block_sums
                                 : nest->plan_views[statement->tensor->number];
}

/* ---- cc: plain loops ---- */

enum { WIDTH = 16 }; /* partial sums: one or more vectors on every target */

static const char *element_text(struct writer *w, const struct nest *nest, int a,
                                const char *variable) {
    const struct address *address = &nest->addresses[a];
    long stride = nest->strip < 0 ? 0 : address->stride[nest->strip];
    if (loop_is_number(w, nest, address)) return arena_format(w->arena, "%svalue", address->name);
    if (address->view) {
        const char *row = loop_row(w, nest, a);
        const char *index = index_term(w, variable, stride);
        return arena_format(w->arena, "%s[%s]", row, index ? index : "0");
    }
    if (!stride) return address->name;
    if (a == nest->element_address[0])
        return arena_format(w->arena, "%s + (unsigned)(%s) * %ldu", address->name, variable,
                            stride);
    return arena_format(w->arena, "%s + %s * %ld", address->name, variable, stride);
}

/* What an element reads, in a variable: "x3". */
static const char *read_name(struct writer *w, const struct nest *nest, int a,
                             const char *variable) {
    if (loop_is_number(w, nest, &nest->addresses[a])) return element_text(w, nest, a, variable);
    return arena_format(w->arena, "x%d", a);
}

/* Reads what the statements need, before anything: under a condition, GCC leaves a loop scalar. */
static void write_reads(struct writer *w, const struct nest *nest, const char *variable) {
    const struct loop_kernel *loop = &nest->kernel->loop;
    bool *is_read = ARENA_ARRAY(w->arena, bool, nest->address_count);
    for (int i = 0; i < loop->statement_count; i++)
        for (int j = 0; j < loop->statements[i].operand_count; j++) {
            const struct loop_operand *operand = &loop->statements[i].operands[j];
            if (operand->statement >= 0) continue;
            int a = nest_find(nest, nest->plan_views[operand->tensor->number]);
            if (is_read[a] || loop_is_number(w, nest, &nest->addresses[a])) continue;
            is_read[a] = true;
            write_line(w, "const real x%d = %s;", a, element_text(w, nest, a, variable));
        }
}

static const char *statement_value(struct writer *w, const struct nest *nest, int number,
                                   const char *variable) {
    const struct statement *s = &nest->kernel->loop.statements[number];
    const char **operand = ARENA_ARRAY(w->arena, const char *, s->operand_count);
    const char *index[MAX_RANK] = {0};
    for (int j = 0; j < s->operand_count; j++) {
        int source = s->operands[j].statement;
        operand[j] =
            source >= 0
                ? arena_format(w->arena, "v%d", source)
                : read_name(w, nest,
                            nest_find(nest, nest->plan_views[s->operands[j].tensor->number]),
                            variable);
    }
    for (int a = 0; a < MAX_RANK; a++)
        if (nest->index_address[0][a] >= 0)
            index[a] = element_text(w, nest, nest->index_address[0][a], variable);
    struct expression_names names = {
        .operand = operand,
        .index = index,
        .element = nest->element_address[0] >= 0
                       ? element_text(w, nest, nest->element_address[0], variable)
                       : "0u",
        .prefix = arena_format(w->arena, "t%d_", number)};
    return write_expression(w, s->expression, &names);
}

/* All statements for one element; sums go to sum<N>[slot]. Stores come last, so that a result may
 * take the place of an operand; those of sums, too: GCC keeps several sums in registers only if all
 * are read before one is stored. */
static void write_body(struct writer *w, const struct nest *nest, const char *variable,
                       const char *slot) {
    const struct loop_kernel *loop = &nest->kernel->loop;
    write_reads(w, nest, variable);
    for (int i = 0; i < loop->statement_count; i++) {
        const char *value = statement_value(w, nest, i, variable);
        if (loop->statements[i].kind == STATEMENT_SUM)
            write_line(w, "const real v%d = sum%d[%s] + %s;", i, i, slot, value);
        else
            write_line(w, "const real v%d = %s;", i, value);
    }
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (s->kind == STATEMENT_SUM)
            write_line(w, "sum%d[%s] = v%d;", i, slot, i);
        else if (s->kind == STATEMENT_MAXIMUM)
            write_line(w, "sum%d[%s] = v%d > sum%d[%s] ? v%d : sum%d[%s];", i, slot, i, i, slot, i,
                       i, slot);
        else if (s->is_stored)
            write_line(w, "%s = v%d;",
                       element_text(w, nest, nest_find(nest, loop_view(nest, s)), variable), i);
    }
}

static void write_strip(struct writer *w, const struct nest *nest) {
    if (nest->strip < 0) {
        write_body(w, nest, "0", "0");
        return;
    }
    long length = nest->extent[nest->strip];
    if (!nest->is_reduced[nest->strip] || !nest->kernel->loop.axes) {
        write_line(w, "LATHE_INDEPENDENT");
        if (nest_is_chunked(nest)) {
            write_open(w, "for (int i = first; i < last; i++)");
            write_body(w, nest, "i", "i - first");
        } else {
            write_open(w, "for (int i = 0; i < %ld; i++)", length);
            write_body(w, nest, "i", "i");
        }
        write_close(w);
        return;
    }
    long whole = length / WIDTH * WIDTH;
    if (whole) {
        const char *variable = whole == WIDTH ? "k" : "(i + k)";
        if (whole > WIDTH) {
            write_line(w, "for (int i = 0; i < %ld; i += %d)", whole, WIDTH);
            w->depth++;
        }
        write_line(w, "LATHE_INDEPENDENT");
        write_open(w, "for (int k = 0; k < %d; k++)", WIDTH);
        write_body(w, nest, variable, "k");
        write_close(w);
        if (whole > WIDTH) w->depth--;
    }
    if (whole == length) return;
    write_open(w, "for (int i = %ld; i < %ld; i++)", whole, length);
    write_body(w, nest, "i", arena_format(w->arena, "i - %ld", whole));
    write_close(w);
}

/* ---- the loops around the strip ---- */

/* Are there sums that begin before the strips and end behind them? */
static bool has_sums(const struct nest *nest) {
    return nest->kernel->loop.axes != 0 && !nest_sums_rows(nest);
}

/* libtcc makes slow loops over the partial sums of a strip: the library begins and ends them. */
static bool has_library_sums(const struct writer *w, const struct nest *nest) {
    return w->dialect == DIALECT_TCC && nest->strip >= 0 && nest->is_reduced[nest->strip];
}

bool loop_sums_at_once(const struct writer *w, const struct nest *nest) {
    return has_library_sums(w, nest) && nest->reduced_count == 0 && !nest->kernel->loop.pooling &&
           nest->extent[nest->strip] <= LOOP_PIECE;
}

static void declare_sums(struct writer *w, const struct nest *nest) {
    const struct loop_kernel *loop = &nest->kernel->loop;
    bool inner = nest->strip < 0 || nest->is_reduced[nest->strip];
    long size = inner ? WIDTH : nest->chunk;
    for (int i = 0; i < loop->statement_count; i++) {
        if (loop->statements[i].kind == STATEMENT_VALUE) continue;
        bool is_sum = loop->statements[i].kind == STATEMENT_SUM;
        if (loop_sums_at_once(w, nest)) {
            write_line(w, "real sum%d;", i);
            continue;
        }
        const char *start = is_sum ? "0" : "-LATHE_LARGEST";
        write_line(w, "real sum%d[%ld];", i, size);
        if (has_library_sums(w, nest))
            write_line(w, "%s(sum%d);",
                       use_symbol(w, is_sum ? "vector_sum_begin" : "vector_maximum_begin"), i);
        else if (nest->rows >= 0)
            write_line(w, "const real start%d = %s;\n%s(sum%d, &start%d, 0, %ld);", i, start,
                       use_symbol(w, "vector_copy"), i, i, size);
        else
            write_line(w, "for (long k = 0; k < %ld; k++) sum%d[k] = %s;", size, i, start);
    }
}

static void store_sum(struct writer *w, const struct nest *nest, int i) {
    const struct statement *s = &nest->kernel->loop.statements[i];
    int a = nest_find(nest, loop_view(nest, s));
    const char *row = loop_row(w, nest, a);
    const char *type = nest->addresses[a].view->buffer->is_double ? "(double)" : "";
    if (nest->strip < 0) {
        write_line(w, "%s[0] = %ssum%d[0];", row, type, i); /* a single element */
    } else if (nest->rows >= 0) {
        write_line(w, "%s(%s, sum%d, 1, %ld);", use_symbol(w, "vector_copy"), row, i, nest->row);
    } else if (!nest->is_reduced[nest->strip]) {
        const char *first = nest_is_chunked(nest) ? "first" : "0";
        const char *last = nest_is_chunked(nest)
                               ? "last"
                               : arena_format(w->arena, "%ld", nest->extent[nest->strip]);
        write_line(w, "for (long i = %s; i < %s; i++) %s[i] = sum%d[i - %s];", first, last, row, i,
                   first);
    } else if (loop_sums_at_once(w, nest)) {
        write_line(w, "%s[0] = %ssum%d;", row, type, i);
    } else if (has_library_sums(w, nest)) {
        bool is_sum = s->kind == STATEMENT_SUM;
        write_line(w, "%s[0] = %s%s(sum%d);", row, type,
                   use_symbol(w, is_sum ? "vector_sum_end" : "vector_maximum_end"), i);
    } else if (s->kind == STATEMENT_SUM) {
        for (int half = WIDTH / 2; half >= 1; half /= 2)
            write_line(w, "for (long k = 0; k < %d; k++) sum%d[k] += sum%d[k + %d];", half, i, i,
                       half);
        write_line(w, "%s[0] = %ssum%d[0];", row, type, i);
    } else {
        write_line(w, "for (long k = 1; k < %d; k++) if (sum%d[k] > sum%d[0]) sum%d[0] = sum%d[k];",
                   WIDTH, i, i, i, i);
        write_line(w, "%s[0] = %ssum%d[0];", row, type, i);
    }
}

/* The kept loops and the chunks; returns how many were opened. */
static int open_loops(struct writer *w, const struct nest *nest) {
    const char *type = w->dialect == DIALECT_CC ? "int" : "long";
    int opened = 0;
    if (nest_is_range(nest)) {
        write_line(w, "const %s first = 0, last = (%s)(end - begin);", type, type);
        return 0;
    }
    for (int i = 0; i < nest->kept_count; i++, opened++) {
        int d = nest->kept[i];
        if (i == 0)
            write_open(w, "for (long i%d = begin; i%d < end; i%d++)", d, d, d);
        else
            write_open(w, "for (long i%d = 0; i%d < %ld; i%d++)", d, d, nest->extent[d], d);
        declare_level(w, nest, i + 1);
    }
    if (nest_is_chunked(nest)) {
        long length = nest->extent[nest->strip];
        if (nest->kept_count)
            write_open(w, "for (long chunk = 0; chunk < %ld; chunk++)",
                       (length + nest->chunk - 1) / nest->chunk);
        else
            write_open(w, "for (long chunk = begin; chunk < end; chunk++)");
        write_line(w, "const %s first = (%s)(chunk * %ld);", type, type, nest->chunk);
        write_line(w, "const %s last = first + %ld < %ld ? first + %ld : %ld;", type, nest->chunk,
                   length, nest->chunk, length);
        opened++;
    } else if (nest->kept_count == 0) {
        write_line(w, "if (begin >= end) return;");
    }
    return opened;
}

/* The function behind its head. */
static void write_loops(struct writer *w, const struct nest *nest) {
    const struct loop_kernel *loop = &nest->kernel->loop;
    declare_keys(w, nest);
    declare_level(w, nest, 0);
    int opened = open_loops(w, nest);
    if (has_sums(nest)) declare_sums(w, nest);
    for (int i = 0; i < nest->reduced_count; i++) {
        int d = nest->reduced[i];
        write_open(w, "for (long i%d = 0; i%d < %ld; i%d++)", d, d, nest->extent[d], d);
        declare_level(w, nest, nest->kept_count + i + 1);
    }
    if (w->dialect == DIALECT_TCC)
        write_strips(w, nest);
    else if (loop->pooling)
        write_windows(w, nest);
    else
        write_strip(w, nest);
    for (int i = 0; i < nest->reduced_count; i++) write_close(w);
    for (int i = 0; has_sums(nest) && i < loop->statement_count; i++)
        if (loop->statements[i].kind != STATEMENT_VALUE) store_sum(w, nest, i);
    while (opened-- > 0) write_close(w);
    write_close(w);
}

void write_loop(struct writer *w, struct kernel *kernel) {
    struct nest nest;
    if (kernel->loop.domain.rank == 0) {
        write_scalars(w, kernel);
        return;
    }
    nest_plan(&nest, w, kernel);
    kernel->units = nest_units(&nest);
    write_kernel_open(w, kernel);
    write_loops(w, &nest);
}

void write_update(struct writer *w, struct kernel *update) {
    struct nest nest;
    nest_plan(&nest, w, update);
    const struct address *rows = &nest.addresses[nest_find(&nest, update->loop.update_rows)];
    write_kernel_comment(w, update);
    write_open(
        w, "static void %s_%s(const struct %s_call *call, const real *%s, long begin, long end)",
        w->prefix, update->name, w->module, rows->name);
    write_loops(w, &nest);
}

/* ---- rank 0: in double ---- */

void write_scalars(struct writer *w, struct kernel *kernel) {
    const struct loop_kernel *loop = &kernel->loop;
    write_kernel_open(w, kernel);
    write_line(w, "(void)begin, (void)end;");
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        const char **operand = ARENA_ARRAY(w->arena, const char *, s->operand_count);
        for (int j = 0; j < s->operand_count; j++)
            operand[j] =
                s->operands[j].statement >= 0
                    ? arena_format(w->arena, "v%d", s->operands[j].statement)
                    : arena_format(w->arena, "(double)*(%s)",
                                   view_address(w, w->plan->views[s->operands[j].tensor->number]));
        struct expression_names names = {
            .operand = operand, .is_double = true, .prefix = arena_format(w->arena, "t%d_", i)};
        write_line(w, "const double v%d = %s;", i, write_expression(w, s->expression, &names));
    }
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (!s->is_stored) continue;
        const struct view *view = w->plan->views[s->tensor->number];
        write_line(w, "*(%s) = %sv%d;", view_address(w, view),
                   view->buffer->is_double ? "" : "(real)", i);
    }
    write_close(w);
}
