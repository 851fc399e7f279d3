/* layout.c: finds which tensors hold a batch, or what weights alone decide, and blocks those that are images by samples: then
 * every operation on them vectorizes over samples, whatever the number of channels. In small
 * batches they stay row-major, and operations vectorize over channels. */
#include "kernels.h"

static bool map_is_batched(const struct program_plan *plan, const struct tensor *t) {
    for (int i = 0; i < t->in_count; i++)
        if (plan->batched[t->in[i]->number] && t->in[i]->shape.rank == t->shape.rank) return true;
    return false;
}

/* A map that reads its own position along the batch, and nothing else that tells. */
static bool reads_batch_position(const struct expression *e) {
    return expression_contains(e, EXPRESSION_RANDOM) || expression_reads_axis(e, 0);
}

static bool contract_is_batched(const struct program_plan *plan, const struct tensor *t) {
    const struct contract *c = t->contract;
    const struct access *access[2] = {&c->a, &c->b};
    if (t->shape.rank == 0 || c->out.axis[0].term_count != 1) return false;
    for (int i = 0; i < t->in_count; i++)
        if (plan->batched[t->in[i]->number] && access[i]->axis[0].term_count == 1 &&
            access[i]->axis[0].term[0].loop == c->out.axis[0].term[0].loop)
            return true;
    return false;
}

static bool is_batched(const struct program_plan *plan, const struct tensor *t) {
    bool first = t->in_count > 0 && plan->batched[t->in[0]->number];
    if (t->shape.rank == 0 || t->shape.size[0] != plan->rows) return false;
    switch (t->primitive) {
    case PRIMITIVE_INPUT: return true;
    case PRIMITIVE_MAP: return map_is_batched(plan, t) || reads_batch_position(t->expression);
    case PRIMITIVE_CONTRACT: return contract_is_batched(plan, t);
    case PRIMITIVE_REDUCE: return first && !(t->axes & 1u);
    case PRIMITIVE_MAX_POOL:
    case PRIMITIVE_MAX_POOL_GATHER:
    case PRIMITIVE_MAX_POOL_GRADIENT:
    case PRIMITIVE_RESHAPE: return first;
    case PRIMITIVE_SLICE:
    case PRIMITIVE_CONCAT:
    case PRIMITIVE_PAD: return first && t->axis != 0;
    case PRIMITIVE_SCALAR:
    case PRIMITIVE_VARIABLE:
    case PRIMITIVE_COUNT: break;
    }
    return false;
}

void pass_layout(struct program_plan *plan) {
    const struct graph *graph = plan->graph;
    plan->batched = ARENA_ARRAY(plan->arena, bool, graph->tensor_count);
    plan->layouts = ARENA_ARRAY(plan->arena, enum layout, graph->tensor_count);
    plan->fixed = graph_fixed(graph, plan->arena);
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *t = graph->tensors[i];
        plan->batched[i] = is_batched(plan, t);
        bool is_image = t->shape.rank == 4 && plan->rows % plan->lanes == 0 && !plan->plain_images;
        plan->layouts[i] = plan->batched[i] && is_image ? LAYOUT_BLOCKED : LAYOUT_PLAIN;
    }
}
