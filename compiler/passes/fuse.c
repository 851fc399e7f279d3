/* fuse.c: forms the kernels. Maps and reductions over one domain share a loop; bias, relu and
 * relu's mask move into the contraction or pool before them; cheap maps are recomputed where they
 * are used instead of being stored. */
#include "fusion.h"

#include <string.h>

enum { CHEAP = 4, LOOK_BACK = 24 };

bool tensor_is_alias(const struct program_plan *plan, const struct tensor *t) {
    if (t->primitive == PRIMITIVE_RESHAPE) {
        const struct tensor *in = t->in[0];
        bool from = plan_is_blocked(plan, in), to = plan_is_blocked(plan, t);
        if (!from && !to) return true;
        const struct shape *image = from ? &in->shape : &t->shape;
        if (from && to) return shape_equal(&in->shape, &t->shape);
        return image->size[1] * image->size[2] * image->size[3] == 1;
    }
    if (t->primitive == PRIMITIVE_SLICE)
        return plan->is_cut[t->number] || (t->axis == 0 && !plan_is_blocked(plan, t));
    return false;
}

bool tensor_is_flat_concat(const struct tensor *t) {
    return t->primitive == PRIMITIVE_CONCAT && t->shape.rank == 1;
}

static void find_users(struct fusion *f) {
    struct arena *arena = f->plan->arena;
    int count = f->graph->tensor_count;
    f->users = ARENA_ARRAY(arena, struct tensor **, count);
    f->user_count = ARENA_ARRAY(arena, int, count);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < f->graph->tensors[i]->in_count; j++)
            f->user_count[f->graph->tensors[i]->in[j]->number]++;
    for (int i = 0; i < count; i++)
        f->users[i] = ARENA_ARRAY(arena, struct tensor *, f->user_count[i]);
    memset(f->user_count, 0, sizeof(int) * (size_t)count);
    for (int i = 0; i < count; i++) {
        struct tensor *t = f->graph->tensors[i];
        for (int j = 0; j < t->in_count; j++) {
            int in = t->in[j]->number;
            f->users[in][f->user_count[in]++] = t;
        }
    }
    f->is_external = ARENA_ARRAY(arena, bool, count);
    for (int i = 0; i < f->graph->output_count; i++)
        f->is_external[f->graph->outputs[i].tensor->number] = true;
    for (int i = 0; i < f->graph->update_count; i++)
        f->is_external[f->graph->updates[i].value->number] = true;
}

/* Only loops that go pixel by pixel can read a piece of a blocked image where it is: those of maps
 * that read no other image, and so are no epilogue. */
static bool can_be_cut(const struct fusion *f, const struct tensor *t) {
    if (t->primitive != PRIMITIVE_SLICE || t->axis == 0 || !plan_is_blocked(f->plan, t))
        return false;
    for (int i = 0; i < f->user_count[t->number]; i++) {
        const struct tensor *user = f->users[t->number][i];
        if (user->primitive != PRIMITIVE_MAP) return false;
        for (int j = 0; j < user->in_count; j++)
            if (user->in[j] != t && shape_equal(&user->in[j]->shape, &user->shape)) return false;
    }
    return !f->is_external[t->number];
}

static void find_cut(struct fusion *f) {
    f->plan->is_cut = ARENA_ARRAY(f->plan->arena, bool, f->graph->tensor_count);
    for (int i = 0; i < f->graph->tensor_count; i++)
        f->plan->is_cut[i] = can_be_cut(f, f->graph->tensors[i]);
}

bool fusion_is_loop(const struct fusion *f, const struct tensor *t) {
    struct pooling pooling;
    return t->primitive == PRIMITIVE_MAP || t->primitive == PRIMITIVE_REDUCE ||
           fusion_pools(f, t, &pooling);
}

const struct shape *fusion_domain(const struct tensor *t) {
    bool reads_more = t->primitive == PRIMITIVE_REDUCE || t->primitive == PRIMITIVE_MAX_POOL ||
                      t->primitive == PRIMITIVE_MAX_POOL_GATHER;
    return reads_more ? &t->in[0]->shape : &t->shape;
}

static enum layout layout_of(const struct fusion *f, const struct tensor *t) {
    const struct tensor *whole = t->primitive == PRIMITIVE_REDUCE ? t->in[0] : t;
    return f->plan->layouts[whole->number];
}

static bool is_expensive(const struct expression *e) {
    static const enum expression_operator slow[] = {
        EXPRESSION_EXP,   EXPRESSION_LOG, EXPRESSION_TANH, EXPRESSION_ERF,
        EXPRESSION_POWER, EXPRESSION_SIN, EXPRESSION_COS,  EXPRESSION_RANDOM};
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        if (expression_contains(e, slow[i])) return true;
    return expression_cost(e) > CHEAP;
}

/* Is everything that reads it a loop over its elements? */
static bool only_loops_read(const struct fusion *f, const struct tensor *t) {
    for (int j = 0; j < f->user_count[t->number]; j++) {
        const struct tensor *user = f->users[t->number][j];
        if (!fusion_is_loop(f, user) || !shape_equal(fusion_domain(user), &t->shape)) return false;
    }
    return f->user_count[t->number] > 0;
}

/* Does a loop that goes window by window read it? */
static bool is_read_by_windows(const struct fusion *f, const struct tensor *t) {
    struct pooling pooling;
    for (int j = 0; j < f->user_count[t->number]; j++) {
        const struct tensor *user = f->users[t->number][j];
        if (f->is_windowed[user->number] || fusion_pools(f, user, &pooling)) return true;
    }
    return false;
}

static bool map_is_virtual(struct fusion *f, const struct tensor *t) {
    bool is_windowed = is_read_by_windows(f, t);
    int large_operands = 0;
    if (is_windowed && !fusion_fits_windows(f, t)) return false;
    for (int j = 0; j < t->in_count; j++)
        large_operands += shape_equal(&t->in[j]->shape, &t->shape);
    if (f->user_count[t->number] > 1 && (is_expensive(t->expression) || large_operands > 2))
        return false;
    f->is_windowed[t->number] = is_windowed;
    return true;
}

static void find_virtual(struct fusion *f) {
    f->is_virtual = ARENA_ARRAY(f->plan->arena, bool, f->graph->tensor_count);
    f->is_windowed = ARENA_ARRAY(f->plan->arena, bool, f->graph->tensor_count);
    for (int i = f->graph->tensor_count - 1; i >= 0; i--) {
        struct tensor *t = f->graph->tensors[i];
        struct pooling pooling;
        if (f->is_external[i] || t->shape.rank == 0 || !only_loops_read(f, t)) continue;
        if (t->primitive == PRIMITIVE_MAP) {
            f->is_virtual[i] = map_is_virtual(f, t);
        } else if (t->primitive == PRIMITIVE_MAX_POOL_GRADIENT && fusion_pools(f, t, &pooling) &&
                   fusion_gradient_is_virtual(f, t, &pooling)) {
            f->is_virtual[i] = true;
            fusion_mark_windowed(f, t);
        }
    }
}

/* ---- epilogues ---- */

static bool is_operand(const struct expression *e, int index) {
    return e->op == EXPRESSION_OPERAND && e->index == index;
}

static bool is_zero(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT && e->value == 0;
}

/* `0 < operand`: returns the operand, or -1. */
static int positive_operand(const struct expression *e) {
    if (e->op != EXPRESSION_LESS || !is_zero(e->in[0]) || e->in[1]->op != EXPRESSION_OPERAND)
        return -1;
    return e->in[1]->index;
}

/* sums, masked by another tensor: `sums * (0 < m)` or `select(0 < m, sums, 0)`. */
static int masking_operand(const struct expression *e, int sums) {
    if (e->op == EXPRESSION_SELECT && is_operand(e->in[1], sums) && is_zero(e->in[2]))
        return positive_operand(e->in[0]);
    if (e->op != EXPRESSION_MULTIPLY) return -1;
    if (is_operand(e->in[0], sums)) return positive_operand(e->in[1]);
    if (is_operand(e->in[1], sums)) return positive_operand(e->in[0]);
    return -1;
}

static int operand_index(const struct tensor *t, const struct tensor *in) {
    for (int i = 0; i < t->in_count; i++)
        if (t->in[i] == in) return i;
    return -1;
}

/* Does the map do to its operand `sums` what an epilogue can? */
static bool match_epilogue(const struct fusion *f, const struct tensor *map,
                           const struct tensor *sums, struct epilogue *epilogue) {
    const struct expression *e = map->expression;
    int index = operand_index(map, sums);
    memset(epilogue, 0, sizeof *epilogue);
    int mask = masking_operand(e, index);
    if (mask >= 0 && mask != index) {
        const struct tensor *m = map->in[mask];
        epilogue->mask = m;
        return shape_equal(&m->shape, &map->shape) &&
               f->plan->layouts[m->number] == f->plan->layouts[map->number];
    }
    if (is_operand(e, index)) return true;
    if (e->op == EXPRESSION_MAXIMUM && (is_zero(e->in[0]) || is_zero(e->in[1]))) {
        epilogue->relu = true;
        e = is_zero(e->in[0]) ? e->in[1] : e->in[0];
    }
    if (e->op == EXPRESSION_ADD) {
        int other = is_operand(e->in[0], index) ? 1 : is_operand(e->in[1], index) ? 0 : -1;
        if (other < 0 || e->in[other]->op != EXPRESSION_OPERAND) return false;
        const struct tensor *bias = map->in[e->in[other]->index];
        if (bias == sums || bias->shape.rank == 0 ||
            shape_elements(&bias->shape) != bias->shape.size[bias->shape.rank - 1] ||
            bias->shape.size[bias->shape.rank - 1] != map->shape.size[map->shape.rank - 1] ||
            f->plan->layouts[bias->number] != LAYOUT_PLAIN)
            return false;
        epilogue->bias = bias;
        return true;
    }
    return epilogue->relu && is_operand(e, index);
}

static bool can_have_epilogue(const struct fusion *f, struct tensor *t) {
    struct kernel kernel = {0};
    if (t->primitive != PRIMITIVE_CONTRACT) return false;
    match_contract(f->plan, t, &kernel);
    if (kernel.kind == KERNEL_CONVOLUTION) return true;
    return kernel.kind == KERNEL_MATMUL && f->plan->batched[t->number];
}

static struct tensor *absorbed_operand(const struct fusion *f, const struct tensor *t) {
    for (int i = 0; i < t->in_count; i++)
        if (f->is_absorbed[t->in[i]->number]) return t->in[i];
    return NULL;
}

static void find_absorbed(struct fusion *f) {
    f->is_absorbed = ARENA_ARRAY(f->plan->arena, bool, f->graph->tensor_count);
    for (int i = 0; i < f->graph->tensor_count; i++) {
        struct tensor *t = f->graph->tensors[i];
        struct epilogue epilogue;
        if (f->user_count[i] != 1 || f->is_external[i]) continue;
        struct tensor *user = f->users[i][0];
        if (user->primitive != PRIMITIVE_MAP || !shape_equal(&t->shape, &user->shape)) continue;
        /* A map is the epilogue of one: for a batch of 1, two products could be the other's bias.
         */
        if (absorbed_operand(f, user)) continue;
        struct pooling pooling;
        if (fusion_pools(f, t, &pooling)) continue;
        if (t->primitive == PRIMITIVE_MAX_POOL_GRADIENT) {
            /* relu before the pool: its mask is read from the pool's output or input */
            int mask = masking_operand(user->expression, operand_index(user, t));
            f->is_absorbed[i] = mask >= 0 && user->in[mask] == t->in[0];
        } else {
            f->is_absorbed[i] = can_have_epilogue(f, t) && match_epilogue(f, user, t, &epilogue);
        }
        if (!f->is_absorbed[i]) continue;
        f->is_virtual[user->number] = false;
        for (int j = 0; j < user->in_count; j++) f->is_virtual[user->in[j]->number] = false;
    }
}

/* ---- loops ---- */

static int find_statement(const struct kernel *kernel, const struct tensor *t) {
    for (int i = 0; i < kernel->loop.statement_count; i++)
        if (kernel->loop.statements[i].tensor == t &&
            kernel->loop.statements[i].kind == STATEMENT_VALUE)
            return i;
    return -1;
}

static bool is_available(const struct fusion *f, const struct tensor *t,
                         const struct kernel *kernel) {
    if (find_statement(kernel, t) >= 0) return true;
    if (!f->is_virtual[t->number]) return f->position[t->number] < kernel->number;
    for (int i = 0; i < t->in_count; i++)
        if (!is_available(f, t->in[i], kernel)) return false;
    return true;
}

static bool shares_operand(const struct fusion *f, const struct tensor *t,
                           const struct kernel *kernel) {
    for (int i = 0; i < t->in_count; i++) {
        if (t->in[i]->shape.rank == 0 && t->shape.rank > 0) continue;
        if (find_statement(kernel, t->in[i]) >= 0) return true;
        if (f->is_virtual[t->in[i]->number] && shares_operand(f, t->in[i], kernel)) return true;
        for (int j = 0; j < kernel->loop.statement_count; j++)
            for (int k = 0; k < kernel->loop.statements[j].operand_count; k++)
                if (kernel->loop.statements[j].operands[k].tensor == t->in[i]) return true;
    }
    return false;
}

/* Does the loop run over what the tensor needs? One that goes window by window has two domains. */
static bool has_domain(const struct fusion *f, const struct loop_kernel *loop,
                       const struct tensor *t) {
    const struct shape *domain = fusion_domain(t);
    struct pooling pooling;
    if (fusion_needs_pooling(f, t, &pooling) &&
        !(loop->pooling && pooling_equal(loop->pooling, &pooling)))
        return false;
    if (!loop->pooling) return shape_equal(&loop->domain, domain);
    return fusion_fits_windows(f, t) && (shape_equal(domain, &loop->pooling->large) ||
                                         shape_equal(domain, &loop->pooling->small));
}

static bool can_join(const struct fusion *f, const struct tensor *t, const struct kernel *kernel) {
    const struct loop_kernel *loop = &kernel->loop;
    if (kernel->kind != KERNEL_LOOP || loop->layout != layout_of(f, t) || !has_domain(f, loop, t))
        return false;
    if (t->primitive == PRIMITIVE_REDUCE && loop->axes && loop->axes != t->axes) return false;
    for (int i = 0; i < t->in_count; i++)
        if (!is_available(f, t->in[i], kernel)) return false;
    return t->shape.rank == 0 ? loop->domain.rank == 0 : shares_operand(f, t, kernel);
}

static struct statement *statement_new(struct fusion *f, struct kernel *kernel) {
    struct loop_kernel *loop = &kernel->loop;
    if (loop->statement_count == loop->statement_capacity) {
        int capacity = loop->statement_capacity ? loop->statement_capacity * 2 : 8;
        struct statement *more = ARENA_ARRAY(f->plan->arena, struct statement, capacity);
        if (loop->statement_count)
            memcpy(more, loop->statements, sizeof *more * (size_t)loop->statement_count);
        loop->statements = more;
        loop->statement_capacity = capacity;
    }
    return &loop->statements[loop->statement_count++];
}

static enum window_operation window_operation_of(const struct tensor *t) {
    switch (t->primitive) {
    case PRIMITIVE_MAX_POOL: return WINDOW_MAXIMUM;
    case PRIMITIVE_MAX_POOL_GATHER: return WINDOW_GATHER;
    case PRIMITIVE_MAX_POOL_GRADIENT: return WINDOW_GRADIENT;
    default: return WINDOW_NONE;
    }
}

/* Adds the tensor, after the virtual ones it needs; returns its statement's number. */
static int add_statement(struct fusion *f, struct kernel *kernel, struct tensor *t) {
    struct arena *arena = f->plan->arena;
    struct loop_operand *operands = ARENA_ARRAY(arena, struct loop_operand, t->in_count);
    enum window_operation window = window_operation_of(t);
    int count = 0;
    for (int i = 0; i < t->in_count; i++) {
        if (window == WINDOW_GRADIENT && i == 1) continue; /* the maximum: found again */
        struct loop_operand *operand = &operands[count++];
        operand->tensor = t->in[i];
        operand->statement = find_statement(kernel, t->in[i]);
        if (operand->statement < 0 && f->is_virtual[t->in[i]->number])
            operand->statement = add_statement(f, kernel, t->in[i]);
    }
    struct statement *statement = statement_new(f, kernel);
    bool is_reduce = t->primitive == PRIMITIVE_REDUCE;
    statement->kind = !is_reduce                      ? STATEMENT_VALUE
                      : t->reduction == REDUCTION_SUM ? STATEMENT_SUM
                                                      : STATEMENT_MAXIMUM;
    statement->window = window;
    statement->is_pooled =
        kernel->loop.pooling && window != WINDOW_GRADIENT &&
        shape_equal(window ? &t->shape : fusion_domain(t), &kernel->loop.pooling->small);
    statement->tensor = t;
    statement->expression =
        t->primitive == PRIMITIVE_MAP ? t->expression : expression_operand(arena, 0);
    statement->operands = operands;
    statement->operand_count = count;
    if (is_reduce) kernel->loop.axes = t->axes;
    return kernel->loop.statement_count - 1;
}

/* Places what a map of an image needs besides it, if that can be computed by now. */
static bool place_numbers(struct fusion *f, const struct tensor *map, const struct tensor *image) {
    for (int i = 0; i < map->in_count; i++) {
        struct tensor *number = map->in[i];
        if (number == image || f->is_placed[number->number]) continue;
        for (int j = 0; j < number->in_count; j++)
            if (!f->is_placed[number->in[j]->number]) return false;
        fusion_place(f, number);
    }
    return true;
}

/* Will the image be pooled, by itself or after a map that is recomputed there? Then sums over it go
 * window by window, for the pooling to join them: one pass over the image. */
static bool is_pooled_later(struct fusion *f, const struct tensor *image, struct pooling *pooling) {
    for (int i = 0; i < f->user_count[image->number]; i++) {
        const struct tensor *user = f->users[image->number][i], *map = NULL;
        if (f->is_virtual[user->number] && f->user_count[user->number] > 0) {
            map = user;
            user = f->users[map->number][0];
        }
        if (user->primitive == PRIMITIVE_MAX_POOL && !f->is_placed[user->number] &&
            fusion_pools(f, user, pooling) && (!map || place_numbers(f, map, image)))
            return true;
    }
    return false;
}

static bool sums_what_is_pooled(struct fusion *f, const struct tensor *t, struct pooling *pooling) {
    for (int i = 0; i < t->in_count; i++) {
        const struct tensor *in = t->in[i];
        if (!plan_is_blocked(f->plan, in)) continue;
        if (f->is_virtual[in->number] ? sums_what_is_pooled(f, in, pooling)
                                      : is_pooled_later(f, in, pooling))
            return true;
    }
    return false;
}

const char *fusion_kernel_name(struct fusion *f, const struct tensor *t) {
    return t->name ? t->name : arena_format(f->plan->arena, "tensor_%d", t->number);
}

static void place_loop(struct fusion *f, struct tensor *t) {
    struct program_plan *plan = f->plan;
    struct kernel *kernel = NULL;
    struct pooling pooling;
    /* What reads windows of an image goes where they are read already, however long ago. */
    bool pools = fusion_pools(f, t, &pooling);
    int oldest = plan->kernel_count > LOOK_BACK && !pools ? plan->kernel_count - LOOK_BACK : 0;
    for (int i = plan->kernel_count - 1; i >= oldest && !kernel; i--)
        if (can_join(f, t, plan->kernels[i])) kernel = plan->kernels[i];
    if (!kernel) {
        bool is_windowed = fusion_needs_pooling(f, t, &pooling) ||
                           (t->primitive == PRIMITIVE_REDUCE && fusion_fits_windows(f, t) &&
                            sums_what_is_pooled(f, t, &pooling));
        kernel = kernel_new(plan, KERNEL_LOOP, fusion_kernel_name(f, t), t);
        kernel->loop.domain = *fusion_domain(t);
        kernel->loop.layout = layout_of(f, t);
        if (is_windowed) {
            struct pooling *own = ARENA_NEW(plan->arena, struct pooling);
            *own = pooling;
            kernel->loop.pooling = own;
            kernel->loop.domain = pooling.large;
        }
    }
    add_statement(f, kernel, t);
    kernel->loop.first = kernel->loop.statements[0].tensor;
    f->position[t->number] = kernel->number;
}

/* ---- contractions, pools ---- */

static void place_contract(struct fusion *f, struct tensor *t, struct tensor *map) {
    struct tensor *result = map ? map : t;
    struct kernel *kernel =
        kernel_new(f->plan, KERNEL_NAIVE, fusion_kernel_name(f, result), result);
    match_contract(f->plan, t, kernel);
    if (map && kernel->kind == KERNEL_CONVOLUTION)
        match_epilogue(f, map, t, &kernel->convolution.epilogue);
    if (map && kernel->kind == KERNEL_MATMUL) match_epilogue(f, map, t, &kernel->matmul.epilogue);
    f->position[result->number] = kernel->number;
}

static void place_pool(struct fusion *f, struct tensor *t, struct tensor *map) {
    bool is_gradient = t->primitive == PRIMITIVE_MAX_POOL_GRADIENT;
    struct tensor *result = map ? map : t;
    struct kernel *kernel =
        kernel_new(f->plan, is_gradient ? KERNEL_MAX_POOL_GRADIENT : KERNEL_MAX_POOL,
                   fusion_kernel_name(f, result), result);
    struct pool_kernel *pool = &kernel->pool;
    const struct tensor *small = is_gradient ? t->in[1] : t;
    pool->window = t->window;
    pool->x = t->in[0];
    pool->channels = small->shape.size[3];
    for (int i = 0; i < 2; i++) {
        pool->in_size[i] = pool->x->shape.size[1 + i];
        pool->out_size[i] = small->shape.size[1 + i];
    }
    if (is_gradient) {
        pool->y = t->in[1];
        pool->gradient = t->in[2];
        pool->mask = map != NULL;
    }
    f->position[result->number] = kernel->number;
}

/* ---- all tensors ---- */

void fusion_place(struct fusion *f, struct tensor *t) {
    struct tensor *absorbed = t->primitive == PRIMITIVE_MAP ? absorbed_operand(f, t) : NULL;
    if (f->is_placed[t->number]) return;
    f->is_placed[t->number] = true;
    f->position[t->number] = -1;
    if (f->is_virtual[t->number] || f->is_absorbed[t->number]) return;
    if (tensor_is_alias(f->plan, t)) {
        f->position[t->number] = f->position[t->in[0]->number];
        return;
    }
    switch (t->primitive) {
    case PRIMITIVE_INPUT:
        if (plan_is_blocked(f->plan, t)) fusion_place_input(f, t);
        break;
    case PRIMITIVE_MAP:
        if (absorbed && absorbed->primitive == PRIMITIVE_CONTRACT)
            place_contract(f, absorbed, t);
        else if (absorbed)
            place_pool(f, absorbed, t);
        else
            place_loop(f, t);
        break;
    case PRIMITIVE_REDUCE: place_loop(f, t); break;
    case PRIMITIVE_CONTRACT: place_contract(f, t, NULL); break;
    case PRIMITIVE_MAX_POOL_GATHER: place_loop(f, t); break;
    case PRIMITIVE_MAX_POOL:
    case PRIMITIVE_MAX_POOL_GRADIENT:
        if (fusion_is_loop(f, t))
            place_loop(f, t);
        else
            place_pool(f, t, NULL);
        break;
    case PRIMITIVE_RESHAPE: fusion_place_reshape(f, t); break;
    case PRIMITIVE_SLICE: fusion_place_slice(f, t); break;
    case PRIMITIVE_PAD: fusion_place_pad(f, t); break;
    case PRIMITIVE_CONCAT: fusion_place_concat(f, t); break;
    case PRIMITIVE_SCALAR:
    case PRIMITIVE_VARIABLE:
    case PRIMITIVE_COUNT: break;
    }
}

void pass_fuse(struct program_plan *plan) {
    struct fusion f = {.plan = plan, .graph = plan->graph};
    f.position = ARENA_ARRAY(plan->arena, int, plan->graph->tensor_count);
    f.is_placed = ARENA_ARRAY(plan->arena, bool, plan->graph->tensor_count);
    plan->views = ARENA_ARRAY(plan->arena, struct view *, plan->graph->tensor_count);
    find_users(&f);
    find_cut(&f);
    find_virtual(&f);
    find_absorbed(&f);
    fusion_find_updates(&f);
    for (int i = 0; i < plan->graph->tensor_count; i++) {
        if (f.is_late[i]) continue;
        fusion_place(&f, plan->graph->tensors[i]);
        fusion_place_updates(&f);
    }
    for (int i = 0; i < plan->graph->tensor_count; i++) fusion_place(&f, plan->graph->tensors[i]);
}
