/* writer.c: lines, indentation, addresses and literals of the C text (see writer.h). */
#include "writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* libtcc alone reads its text: without spaces and comments it is ready sooner. */
static bool is_compact(const struct writer *w) {
    return w->dialect == DIALECT_TCC;
}

static void indent(struct writer *w) {
    if (is_compact(w)) return;
    for (int i = 0; i < w->depth; i++) text_put(&w->text, "    ");
}

void write_line(struct writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    indent(w);
    text_add_list(&w->text, format, arguments);
    text_put(&w->text, "\n");
    va_end(arguments);
}

void write_open(struct writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    indent(w);
    size_t before = w->text.length;
    text_add_list(&w->text, format, arguments);
    text_put(&w->text, w->text.length > before ? " {\n" : "{\n");
    w->depth++;
    va_end(arguments);
}

void write_close(struct writer *w) {
    w->depth--;
    indent(w);
    text_put(&w->text, "}\n");
}

void write_blank(struct writer *w) {
    if (!is_compact(w)) text_put(&w->text, "\n");
}

void write_comment(struct writer *w, const char *format, ...) {
    if (is_compact(w)) return;
    struct text text = {.arena = w->arena};
    va_list arguments;
    va_start(arguments, format);
    text_add_list(&text, format, arguments);
    va_end(arguments);
    for (char *c = text.data; *c; c++)
        if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*') || c[0] == '\n' ||
            (c[0] == '?' && c[1] == '?') || c[0] == '\\')
            *c = ' ';
    indent(w);
    text_add(&w->text, "/* %s */\n", text_string(&text));
}

const char *use_symbol(struct writer *w, const char *name) {
    for (int i = 0; i < w->symbol_count; i++)
        if (!strcmp(w->symbols[i], name)) return w->symbols[i];
    if (w->symbol_count < MAX_SYMBOLS - 1)
        w->symbols[w->symbol_count++] = arena_string(w->arena, name);
    return w->symbols[w->symbol_count - 1];
}

const char *use_tile(struct writer *w, enum microkernel_kind kind, int a, int b, int lanes) {
    struct microkernel tile = {kind, a, b, lanes};
    struct text name = {.arena = w->arena};
    bool is_known = false;
    for (int i = 0; i < w->tile_count; i++)
        is_known = is_known || !memcmp(&w->tiles[i], &tile, sizeof tile);
    if (!is_known && w->tile_count < MAX_SYMBOLS) w->tiles[w->tile_count++] = tile;
    microkernel_name(&name, &tile);
    return use_symbol(w, text_string(&name));
}

const char *view_address(struct writer *w, const struct view *view) {
    const struct buffer *buffer = view->buffer;
    const char *base = "";
    long offset = view->offset;
    switch (buffer->storage) {
    case STORAGE_ARENA:
        if (buffer->is_double)
            return arena_format(w->arena, "(double *)(void *)(call->arena + %ld) + %ld",
                                buffer->offset / (w->plan->use_double ? 8 : 4), offset);
        base = buffer->by_thread ? "call->thread_memory" : "call->arena";
        offset += buffer->offset / (w->plan->use_double ? 8 : 4);
        break;
    case STORAGE_SPACE: base = arena_format(w->arena, "call->space[%d]", buffer->index); break;
    case STORAGE_INPUT: base = arena_format(w->arena, "call->inputs[%d]", buffer->index); break;
    case STORAGE_PREPARED:
        base = "call->prepared";
        offset += buffer->offset;
        break;
    case STORAGE_PREDICTIONS: base = "call->predictions"; break;
    case STORAGE_SCALAR: return arena_format(w->arena, "call->scalars + %d", buffer->index);
    case STORAGE_RESULT:
        return arena_format(w->arena, "(double *)call->results + %d", buffer->index);
    }
    return offset ? arena_format(w->arena, "%s + %ld", base, offset) : base;
}

void write_pointer(struct writer *w, const char *name, const struct view *view, bool is_const) {
    const char *type = view->buffer->is_double ? "double" : "real";
    write_line(w, "%s%s *const %s = %s;", is_const ? "const " : "", type, name,
               view_address(w, view));
}

void write_scratch(struct writer *w, const char *name, const struct view *scratch) {
    if (w->plan->is_serial) {
        write_pointer(w, name, scratch, false);
        return;
    }
    const char *slot = w->plan->has_shares ? "slot" : "begin";
    if (w->plan->has_shares)
        write_line(w,
                   "const long slot = call->range_start ? call->range_start(call->pool) : begin;");
    write_line(w, "real *const %s = %s + %s * %ld;", name, view_address(w, scratch), slot,
               scratch->stride[0]);
}

const char *index_term(struct writer *w, const char *variable, long stride) {
    if (!stride) return NULL;
    if (stride == 1) return variable;
    return arena_format(w->arena, "%s * %ld", variable, stride);
}

const char *literal(struct writer *w, double value, bool is_double) {
    char number[64];
    if (isnan(value) || isinf(value))
        snprintf(number, sizeof number, "%s",
                 isnan(value) ? "(0.0 / 0.0)"
                 : value > 0  ? "HUGE_VAL"
                              : "-HUGE_VAL");
    else
        snprintf(number, sizeof number, "%.17g", value);
    for (int digits = 1; digits < 17 && isfinite(value); digits++) {
        char shorter[64];
        snprintf(shorter, sizeof shorter, "%.*g", digits, value);
        double parsed = 0;
        if (sscanf(shorter, "%lf", &parsed) == 1 && parsed == value) {
            memcpy(number, shorter, sizeof number);
            break;
        }
    }
    if (isfinite(value) && !strpbrk(number, ".e")) memcpy(number + strlen(number), ".0", 3);
    if (is_double) return arena_string(w->arena, number);
    return arena_format(w->arena, "(real)%s", number);
}

void write_kernel_comment(struct writer *w, const struct kernel *kernel) {
    write_blank(w);
    if (!is_compact(w)) write_comment(w, "%s", describe_kernel(w, kernel));
}

void write_kernel_open(struct writer *w, const struct kernel *kernel) {
    write_kernel_comment(w, kernel);
    write_open(w, "static void %s_%s(const void *context, long begin, long end)", w->prefix,
               kernel->name);
    write_line(w, "const struct %s_call *const call = context;", w->module);
}
