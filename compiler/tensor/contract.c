/* contract.c: sums of products over affine indices. */
#include "primitive.h"
#include "iterate.h"

static bool affine_check(const struct contract *contract, const struct affine *affine) {
    if (affine->term_count < 0 || affine->term_count > MAX_TERMS) return false;
    for (int t = 0; t < affine->term_count; t++)
        if (affine->term[t].loop < 0 || affine->term[t].loop >= contract->loop_count) return false;
    return true;
}

static bool access_check(const struct contract *contract, const struct access *access,
                         const struct shape *shape, const char *what, struct error *error) {
    for (int i = 0; i < MAX_RANK; i++) {
        const struct affine *affine = &access->axis[i];
        if (!affine_check(contract, affine))
            return error_set(error, "axis %d of %s reads a loop that is not there", i, what);
        if (i >= shape->rank && (affine->term_count || affine->offset))
            return error_set(error, "%s has rank %d, but axis %d is accessed", what, shape->rank,
                             i);
    }
    return true;
}

bool contract_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    const struct contract *contract = tensor->contract;
    if (!contract) return error_set(error, "the contraction has no loops");
    if (contract->loop_count < 0 || contract->loop_count > MAX_LOOPS)
        return error_set(error, "%d loops, at most %d are possible", contract->loop_count,
                         MAX_LOOPS);
    for (int l = 0; l < contract->loop_count; l++) {
        if (contract->extent[l] < 1)
            return error_set(error, "loop %d runs %ld times", l, contract->extent[l]);
        if (!contract->loop_name[l]) return error_set(error, "loop %d has no name", l);
    }
    return access_check(contract, &contract->out, &tensor->shape, "the output", error) &&
           access_check(contract, &contract->a, &tensor->in[0]->shape, "input 0", error) &&
           (tensor->in_count < 2 ||
            access_check(contract, &contract->b, &tensor->in[1]->shape, "input 1", error));
}

/* The same loops; the input wanted and the output exchange their roles. */
void contract_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                       const bool *wanted, struct tensor **in_gradient) {
    struct tensor *a = tensor->in[0], *b = tensor->in_count > 1 ? tensor->in[1] : NULL;
    /* The weights' first: the scratch memory of theirs and the data's gradient need not live at the
     * same time, and the data's may take the place of the data. */
    if (b && wanted[1]) {
        struct contract contract = *tensor->contract;
        contract.out = tensor->contract->b;
        contract.b = tensor->contract->out;
        in_gradient[1] = graph_contract(graph, &contract, b->shape, a, dy);
    }
    if (wanted[0]) {
        struct contract contract = *tensor->contract;
        contract.out = tensor->contract->a;
        contract.a = tensor->contract->out;
        in_gradient[0] = graph_contract(graph, &contract, a->shape, dy, b);
    }
}

/* The element an access reads at a point of the loops, or -1 outside of the tensor. */
static long element(const struct access *access, const struct shape *shape, const long *loop) {
    long element = 0;
    for (int i = 0; i < shape->rank; i++) {
        const struct affine *affine = &access->axis[i];
        long at = affine->offset;
        for (int t = 0; t < affine->term_count; t++)
            at += affine->term[t].coefficient * loop[affine->term[t].loop];
        if (at < 0 || at >= shape->size[i]) return -1;
        element = element * shape->size[i] + at;
    }
    return element;
}

void contract_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    const struct contract *contract = tensor->contract;
    long loop[MAX_LOOPS] = {0};
    do {
        long out = element(&contract->out, &tensor->shape, loop);
        long a = element(&contract->a, &tensor->in[0]->shape, loop), b = 0;
        if (tensor->in_count > 1) b = element(&contract->b, &tensor->in[1]->shape, loop);
        if (out < 0 || a < 0 || b < 0) continue;
        evaluation->out[out] +=
            evaluation->in[0][a] * (tensor->in_count > 1 ? evaluation->in[1][b] : 1);
    } while (next_position(contract->extent, contract->loop_count, loop));
}

static void print_affine(struct text *text, const struct contract *contract,
                         const struct affine *affine) {
    for (int t = 0; t < affine->term_count; t++) {
        long coefficient = affine->term[t].coefficient;
        if (t) text_put(text, "+");
        if (coefficient != 1) text_add(text, "%ld*", coefficient);
        text_put(text, contract->loop_name[affine->term[t].loop]);
    }
    if (affine->offset || affine->term_count == 0)
        text_add(text, affine->term_count ? "%+ld" : "%ld", affine->offset);
}

static void print_access(struct text *text, const struct contract *contract,
                         const struct access *access, int rank) {
    text_put(text, "[");
    for (int i = 0; i < rank; i++) {
        if (i) text_put(text, ", ");
        print_affine(text, contract, &access->axis[i]);
    }
    text_put(text, "]");
}

void contract_print(struct text *text, const struct tensor *tensor) {
    const struct contract *contract = tensor->contract;
    text_put(text, "contract");
    for (int l = 0; l < contract->loop_count; l++)
        text_add(text, " %s<%ld", contract->loop_name[l], contract->extent[l]);
    text_put(text, ": out");
    print_access(text, contract, &contract->out, tensor->shape.rank);
    text_add(text, " += %%%d", tensor->in[0]->number);
    print_access(text, contract, &contract->a, tensor->in[0]->shape.rank);
    if (tensor->in_count < 2) return;
    text_add(text, " * %%%d", tensor->in[1]->number);
    print_access(text, contract, &contract->b, tensor->in[1]->shape.rank);
}
