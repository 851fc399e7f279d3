/* copy.c: writes copies between layouts and the packing of weights, and contractions without a fast
 * kernel. */
#include "writer.h"

static const char *list(struct writer *w, const long values[5]) {
    return arena_format(w->arena, "%ld, %ld, %ld, %ld, %ld", values[0], values[1], values[2],
                        values[3], values[4]);
}

/* The outermost loop of a part that reads or writes a blocked tensor is that over the blocks. */
static struct copy_part placed_part(const struct copy_part *part, const struct view *to,
                                    const struct view *from) {
    struct copy_part placed = *part;
    if (to->layout == LAYOUT_BLOCKED) placed.to_stride[0] = to->stride[0];
    if (from->layout == LAYOUT_BLOCKED) placed.from_stride[0] = from->stride[0];
    return placed;
}

static void write_part(struct writer *w, const struct copy_part *part, long units) {
    bool is_split = units > 1;
    write_open(w, "%s", "");
    write_line(w, "static const long to_stride[] = {%s};", list(w, part->to_stride));
    write_line(w, "static const long from_stride[] = {%s};", list(w, part->from_stride));
    if (is_split) {
        write_line(w, "const long last = end < %ld ? end : %ld;", part->size[0], part->size[0]);
        write_line(w, "const long size[] = {last > begin ? last - begin : 0, %ld, %ld, %ld, %ld};",
                   part->size[1], part->size[2], part->size[3], part->size[4]);
        write_line(w,
                   "%s(to + %ld + begin * %ld, from + %ld + begin * %ld, size, to_stride, "
                   "from_stride);",
                   use_symbol(w, "strided_copy"), part->to_offset, part->to_stride[0],
                   part->from_offset, part->from_stride[0]);
    } else {
        write_line(w, "static const long size[] = {%s};", list(w, part->size));
        write_line(w, "%s(to + %ld, from + %ld, size, to_stride, from_stride);",
                   use_symbol(w, "strided_copy"), part->to_offset, part->from_offset);
    }
    write_close(w);
}

void write_copy(struct writer *w, struct kernel *kernel) {
    const struct copy_kernel *copy = &kernel->copy;
    const struct view *from = copy->from ? w->plan->views[copy->from->number] : copy->from_view;
    write_kernel_open(w, kernel);
    write_pointer(w, "to", kernel->out, false);
    if (kernel->units == 1) write_line(w, "if (begin >= end) return;");
    if (from) {
        write_pointer(w, "from", from, true);
        for (int i = 0; i < copy->part_count; i++) {
            struct copy_part part = placed_part(&copy->parts[i], kernel->out, from);
            write_part(w, &part, kernel->units);
        }
    } else if (kernel->out->layout == LAYOUT_BLOCKED) {
        long blocks = w->plan->rows / w->plan->lanes;
        write_open(w, "for (long block = 0; block < %ld; block++)", blocks);
        write_line(w, "for (long i = 0; i < %ld; i++) to[block * %ld + i] = 0;",
                   shape_elements(&kernel->out->shape) / blocks, kernel->out->stride[0]);
        write_close(w);
    } else {
        write_line(w, "for (long i = 0; i < %ld; i++) to[i] = 0;",
                   shape_elements(&kernel->out->shape));
    }
    write_close(w);
}

/* ---- contractions without a fast kernel ---- */

static const char *axis_index(struct writer *w, const struct affine *affine) {
    struct text text = {.arena = w->arena};
    for (int i = 0; i < affine->term_count; i++)
        text_add(&text, "%si%d * %ld", i ? " + " : "", affine->term[i].loop,
                 affine->term[i].coefficient);
    if (affine->offset || !affine->term_count)
        text_add(&text, "%s%ld", text.length ? " + " : "", affine->offset);
    return text_string(&text);
}

/* The element of a view, by its logical position; declares and tests the position first. */
static const char *element(struct writer *w, const struct access *access, const struct view *view,
                           const char *name) {
    struct text text = {.arena = w->arena};
    text_put(&text, name);
    text_put(&text, "[");
    for (int i = 0; i < view->shape.rank; i++) {
        write_line(w, "const long %s_%d = %s;", name, i, axis_index(w, &access->axis[i]));
        write_line(w, "if (%s_%d < 0 || %s_%d >= %ld) continue;", name, i, name, i,
                   view->shape.size[i]);
    }
    static const int dimension[4] = {0, 2, 3, 1};
    for (int i = 0; i < view->shape.rank; i++) {
        const char *plus = i ? " + " : "";
        if (view->layout == LAYOUT_BLOCKED && i == 0)
            text_add(&text, "%s_0 / %d * %ld + %s_0 %% %d", name, w->plan->lanes, view->stride[0],
                     name, w->plan->lanes);
        else if (view->layout == LAYOUT_BLOCKED)
            text_add(&text, "%s%s_%d * %ld", plus, name, i, view->stride[dimension[i]]);
        else
            text_add(&text, "%s%s_%d * %ld", plus, name, i, view->stride[i]);
    }
    text_put(&text, view->shape.rank ? "]" : "0]");
    return text_string(&text);
}

void write_naive(struct writer *w, struct kernel *kernel) {
    const struct naive_kernel *n = &kernel->naive;
    const struct contract *contract = n->contract;
    write_kernel_open(w, kernel);
    const struct view *a = w->plan->views[n->a->number];
    const struct view *b = n->b ? w->plan->views[n->b->number] : NULL;
    write_line(w, "if (begin >= end) return;");
    write_pointer(w, "a", a, true);
    if (b) write_pointer(w, "b", b, true);
    write_pointer(w, "c", kernel->out, false);
    write_line(w, "for (long i = 0; i < %ld; i++) c[i] = 0;", shape_elements(&kernel->out->shape));
    for (int i = 0; i < contract->loop_count; i++)
        write_open(w, "for (long i%d = 0; i%d < %ld; i%d++)", i, i, contract->extent[i], i);
    const char *c_at = element(w, &contract->out, kernel->out, "c");
    const char *a_at = element(w, &contract->a, a, "a");
    const char *b_at = b ? element(w, &contract->b, b, "b") : "1";
    write_line(w, "%s += %s * %s;", c_at, a_at, b_at);
    for (int i = 0; i < contract->loop_count; i++) write_close(w);
    write_close(w);
}
