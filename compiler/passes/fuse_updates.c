/* fuse_updates.c: when the values of updates are computed. They overwrite variables, so they come
 * after all that reads the old values: those of some weights right behind it, with the slots of the
 * optimizer that belong to them, and the rest at the end. Where the update can go with the rows of
 * a contraction that only it reads, the weights' gradient (update.c), this comes just before it. */
#include "fusion.h"

/* Values of updates and what reads them. */
static void find_values(struct fusion *f) {
    const struct graph *graph = f->graph;
    f->is_late = ARENA_ARRAY(f->plan->arena, bool, graph->tensor_count);
    for (int i = 0; i < graph->update_count; i++)
        f->is_late[graph->updates[i].value->number] = true;
    for (int i = 0; i < graph->tensor_count; i++)
        for (int j = 0; j < graph->tensors[i]->in_count; j++)
            if (f->is_late[graph->tensors[i]->in[j]->number]) f->is_late[i] = true;
}

/* Maps that only the steps of weights read, and contractions that only those read: these where the
 * step goes with them. Elsewhere a gradient comes before the layer's backward-data, whose result
 * may then take the memory of what the gradient has read. */
static void find_gradients(struct fusion *f) {
    const struct graph *graph = f->graph;
    bool *is_step = ARENA_ARRAY(f->plan->arena, bool, graph->tensor_count);
    for (int i = 0; i < graph->update_count; i++)
        is_step[graph->updates[i].value->number] = graph->updates[i].space != SPACE_STATE;
    for (int i = graph->tensor_count - 1; i >= 0; i--) {
        const struct tensor *t = graph->tensors[i];
        bool is_needed = f->is_external[i] || f->user_count[i] == 0;
        for (int k = 0; k < f->user_count[i]; k++)
            is_needed = is_needed || !is_step[f->users[i][k]->number];
        if (is_needed) continue;
        is_step[i] = t->primitive == PRIMITIVE_MAP || tensor_is_alias(f->plan, t);
        f->is_late[i] = is_step[i] || (t->primitive == PRIMITIVE_CONTRACT &&
                                       update_goes_with_rows(f->plan, &t->shape));
    }
}

/* The range of SPACE_TRAINABLE that a tensor is a view of. */
static bool weights_of(const struct tensor *t, long *begin, long *end) {
    if (t->primitive == PRIMITIVE_VARIABLE) {
        *begin = 0, *end = t->shape.size[0];
        return t->index == SPACE_TRAINABLE;
    }
    if (t->primitive != PRIMITIVE_RESHAPE && t->primitive != PRIMITIVE_SLICE) return false;
    if (!weights_of(t->in[0], begin, end)) return false;
    if (t->primitive == PRIMITIVE_SLICE && t->in[0]->shape.rank == 1) {
        *begin += t->begin;
        *end = *begin + t->shape.size[0];
    }
    return true;
}

static void add_reader(struct fusion *f, struct tensor *reader, const struct tensor *weights) {
    long begin, end;
    if (!weights_of(weights, &begin, &end)) return;
    for (int i = 0; i < f->step_count; i++) {
        struct weight_step *step = &f->steps[i];
        long first = step->of->offset, last = first + step->of->value->shape.size[0];
        if (begin < last && first < end) step->readers[step->reader_count++] = reader;
    }
}

/* Updates up to those of weights belong to these. */
void fusion_find_updates(struct fusion *f) {
    const struct graph *graph = f->graph;
    find_values(f);
    find_gradients(f);
    f->steps = ARENA_ARRAY(f->plan->arena, struct weight_step, graph->update_count);
    for (int i = 0, first = 0; i < graph->update_count; i++) {
        if (graph->updates[i].space != SPACE_TRAINABLE) continue;
        struct weight_step *step = &f->steps[f->step_count++];
        *step = (struct weight_step){
            .first = first,
            .of = &graph->updates[i],
            .readers = ARENA_ARRAY(f->plan->arena, struct tensor *, graph->tensor_count)};
        first = i + 1;
    }
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *t = graph->tensors[i];
        long begin, end;
        if (f->is_late[i] || weights_of(t, &begin, &end)) continue;
        for (int j = 0; j < t->in_count; j++) add_reader(f, t, t->in[j]);
    }
}

/* Has the kernel its place that reads for this tensor? */
static bool has_read(const struct fusion *f, const struct tensor *t) {
    if (f->is_late[t->number]) return true;
    if (!f->is_placed[t->number]) return false;
    if (!f->is_virtual[t->number] && !f->is_absorbed[t->number]) return true;
    for (int i = 0; i < f->user_count[t->number]; i++)
        if (!has_read(f, f->users[t->number][i])) return false;
    return true;
}

/* Is all there that a late tensor is computed from? */
static bool has_operands(const struct fusion *f, const struct tensor *t) {
    for (int i = 0; i < t->in_count; i++) {
        const struct tensor *in = t->in[i];
        if (in->primitive == PRIMITIVE_SCALAR || in->primitive == PRIMITIVE_VARIABLE) continue;
        if (f->is_late[in->number] ? !has_operands(f, in) : !f->is_placed[in->number]) return false;
    }
    return true;
}

static void place_with_operands(struct fusion *f, struct tensor *t) {
    if (f->is_placed[t->number]) return;
    for (int i = 0; i < t->in_count; i++) place_with_operands(f, t->in[i]);
    fusion_place(f, t);
}

/* The single numbers among its operands: a loop takes in only what needs nothing that comes later.
 */
static void place_numbers(struct fusion *f, struct tensor *t) {
    if (f->is_placed[t->number]) return;
    if (t->shape.rank == 0) place_with_operands(f, t);
    for (int i = 0; i < t->in_count; i++) place_numbers(f, t->in[i]);
}

void fusion_place_updates(struct fusion *f) {
    for (int i = 0; i < f->step_count; i++) {
        struct weight_step *step = &f->steps[i];
        bool is_ready = !f->is_placed[step->of->value->number] && has_operands(f, step->of->value);
        for (int k = 0; k < step->reader_count; k++)
            is_ready = is_ready && has_read(f, step->readers[k]);
        if (!is_ready) continue;
        const struct update *first = &f->graph->updates[step->first];
        for (const struct update *u = first; u <= step->of; u++) place_numbers(f, u->value);
        for (const struct update *u = first; u <= step->of; u++) place_with_operands(f, u->value);
    }
}
