/* generic_program.c: turns the tensor graphs of a model into lists of steps, and runs them. */
#include "generic_program.h"

#include "../passes/memory.h"
#include "../passes/passes.h"
#include "step.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ALIGNMENT = 64, MODES = 3, NUMBER_FLOATS = 4 };

/* The steps of one entry point. */
struct mode_steps {
    const struct graph *graph;
    struct place *places; /* by tensor number */
    struct step *steps;
    int count;
    long arena_bytes;
    struct kernel_summary *kernels;
    const bool *backward; /* by tensor number */
    int convolutions, products, others;
};

struct generic_program {
    struct arena arena;
    const struct target *target;
    enum generic_method method;
    struct mode_steps mode[MODES];
    struct program program;
    double *profile; /* seconds of each step, or NULL */
    bool watches, is_backward;
    const struct tensor *not_finite; /* the first one found */
    int slot;
};

/* --- entry points: plain functions, one set for each place in the table --- */

static struct generic_program *slots[MAX_GENERIC_PROGRAMS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool is_finite(const struct step *step, const struct program_call *call) {
    if (step->out.is_double) return isfinite(place_number(&step->out, call));
    const float *values = place_floats(&step->out, call);
    long count = shape_elements(&step->tensor->shape);
    for (long i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static void run_mode(struct generic_program *generic, enum mode mode, struct program_call *call) {
    const struct mode_steps *m = &generic->mode[mode];
    const struct graph *graph = m->graph;
    double *profile = generic->profile, start = profile ? seconds() : 0;
    for (int i = 0; i < m->count; i++) {
        m->steps[i].run(&m->steps[i], call);
        if (generic->watches && !generic->not_finite && !is_finite(&m->steps[i], call)) {
            generic->not_finite = m->steps[i].tensor;
            generic->is_backward = m->backward[generic->not_finite->number];
        }
        if (!profile) continue;
        double now = seconds();
        profile[i] += now - start;
        start = now;
    }
    for (int i = 0; i < graph->output_count; i++) {
        const struct output *output = &graph->outputs[i];
        const struct place *place = &m->places[output->tensor->number];
        if (strcmp(output->name, "predictions") == 0)
            memcpy(call->predictions, place_floats(place, call),
                   sizeof(float) * (size_t)shape_elements(&output->tensor->shape));
        else
            call->results[strcmp(output->name, "accuracy") == 0] = place_number(place, call);
    }
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        memcpy(call->space[update->space] + update->offset,
               place_floats(&m->places[update->value->number], call),
               sizeof(float) * (size_t)shape_elements(&update->value->shape));
    }
}

#define SLOT(n)                                           \
    static void train_##n(struct program_call *call) {    \
        run_mode(slots[n], MODE_TRAINING, call);          \
    }                                                     \
    static void evaluate_##n(struct program_call *call) { \
        run_mode(slots[n], MODE_EVALUATION, call);        \
    }                                                     \
    static void predict_##n(struct program_call *call) {  \
        run_mode(slots[n], MODE_PREDICTION, call);        \
    }
SLOT(0)
SLOT(1)
SLOT(2)
SLOT(3)
static program_entry *const entries[MAX_GENERIC_PROGRAMS][MODES] = {
    {train_0, evaluate_0, predict_0},
    {train_1, evaluate_1, predict_1},
    {train_2, evaluate_2, predict_2},
    {train_3, evaluate_3, predict_3},
};

static bool take_slot(struct generic_program *generic, struct error *error) {
    pthread_mutex_lock(&slots_lock);
    for (int i = 0; i < MAX_GENERIC_PROGRAMS && generic->slot < 0; i++)
        if (!slots[i]) {
            slots[i] = generic;
            generic->slot = i;
        }
    pthread_mutex_unlock(&slots_lock);
    return generic->slot >= 0 ||
           error_set(error, "more than %d generic programs at a time", MAX_GENERIC_PROGRAMS);
}

/* --- places --- */

/* A number of rank 0 is computed in double. */
static bool is_number(const struct tensor *t) {
    return t->primitive == PRIMITIVE_SCALAR ||
           (t->primitive == PRIMITIVE_MAP && t->shape.rank == 0 && t->in_count <= STEP_OPERANDS);
}

static bool is_updated_value(const struct graph *graph, const struct tensor *t) {
    for (int i = 0; i < graph->update_count; i++)
        if (graph->updates[i].value == t) return true;
    return false;
}

/* True if the tensor is a part of in[0]'s memory. What a space is updated with is not, if it is
 * itself part of a space: an update before it could change it. */
static bool is_alias(const struct mode_steps *m, const struct tensor *t) {
    if (t->primitive != PRIMITIVE_RESHAPE && t->primitive != PRIMITIVE_SLICE) return false;
    if (t->primitive == PRIMITIVE_SLICE)
        for (int i = 0; i < t->axis; i++)
            if (t->shape.size[i] != 1) return false;
    return m->places[t->in[0]->number].kind != PLACE_SPACE || !is_updated_value(m->graph, t);
}

static long part_offset(const struct tensor *t) {
    if (t->primitive != PRIMITIVE_SLICE) return 0;
    return t->begin * (shape_elements(&t->shape) / (t->end - t->begin));
}

/* --- steps --- */

static void choose_kernel(struct generic_program *generic, struct mode_steps *m,
                          struct step *step) {
    const struct tensor *t = step->tensor;
    switch (t->primitive) {
    case PRIMITIVE_CONTRACT:
        prepare_contract(step);
        m->convolutions += step->run == run_convolution;
        m->products += step->run == run_product;
        m->others += step->run == run_loops;
        break;
    case PRIMITIVE_MAP:
        if (is_number(t)) {
            step->run = run_scalar;
        } else {
            prepare_map(step, &generic->arena, generic->target);
            step->run = run_map;
        }
        break;
    case PRIMITIVE_SCALAR: step->run = run_scalar; break;
    case PRIMITIVE_REDUCE: prepare_reduce(step); break;
    case PRIMITIVE_MAX_POOL: step->run = run_max_pool; break;
    case PRIMITIVE_MAX_POOL_GATHER: step->run = run_max_pool_gather; break;
    case PRIMITIVE_MAX_POOL_GRADIENT: step->run = run_max_pool_gradient; break;
    case PRIMITIVE_SLICE: step->run = run_slice; break;
    case PRIMITIVE_CONCAT: step->run = run_concat; break;
    case PRIMITIVE_PAD: step->run = run_pad; break;
    case PRIMITIVE_RESHAPE:
    case PRIMITIVE_INPUT:
    case PRIMITIVE_VARIABLE:
    case PRIMITIVE_COUNT: step->run = run_copy; break;
    }
}

/* Which buffer each tensor lies in: the number of its step, or -1 (inputs, spaces). */
struct buffers {
    struct memory_buffer *of_step, *of_scratch;
    int *step_of_tensor;
};

static void add_step(struct generic_program *generic, struct mode_steps *m, struct buffers *b,
                     const struct tensor *t) {
    struct step *step = &m->steps[m->count];
    long floats = is_number(t) ? NUMBER_FLOATS : shape_elements(&t->shape);
    step->tensor = t;
    step->method = generic->method;
    choose_kernel(generic, m, step);
    b->step_of_tensor[t->number] = m->count;
    b->of_step[m->count] = (struct memory_buffer){
        .bytes = floats * (long)sizeof(float), .first = m->count, .last = m->count};
    /* Each unit's scratch begins a cache line of its own. */
    step->scratch_unit = (step->scratch_unit + 15) / 16 * 16;
    b->of_scratch[m->count] =
        (struct memory_buffer){.bytes = step->scratch_unit * STEP_UNITS * (long)sizeof(float),
                               .first = m->count,
                               .last = m->count};
    m->places[t->number].kind = PLACE_ARENA;
    m->places[t->number].is_double = is_number(t);
    m->count++;
}

static void list_steps(struct generic_program *generic, struct mode_steps *m, struct buffers *b) {
    for (int i = 0; i < m->graph->tensor_count; i++) {
        const struct tensor *t = m->graph->tensors[i];
        struct place *place = &m->places[i];
        b->step_of_tensor[i] = -1;
        if (t->primitive == PRIMITIVE_INPUT) {
            *place = (struct place){PLACE_INPUT, t->index, 0, false};
        } else if (t->primitive == PRIMITIVE_VARIABLE) {
            *place = (struct place){PLACE_SPACE, t->index, 0, false};
        } else if (is_alias(m, t)) {
            const struct tensor *in = t->in[0];
            *place = m->places[in->number];
            place->offset += part_offset(t);
            b->step_of_tensor[i] = b->step_of_tensor[in->number];
        } else {
            add_step(generic, m, b, t);
        }
        for (int k = 0; k < t->in_count; k++) {
            int writer = b->step_of_tensor[t->in[k]->number];
            if (writer >= 0 && m->count > 0) b->of_step[writer].last = m->count - 1;
        }
    }
    for (int i = 0; i < m->graph->output_count; i++) {
        int writer = b->step_of_tensor[m->graph->outputs[i].tensor->number];
        if (writer >= 0) b->of_step[writer].last = m->count;
    }
    for (int i = 0; i < m->graph->update_count; i++) {
        int writer = b->step_of_tensor[m->graph->updates[i].value->number];
        if (writer >= 0) b->of_step[writer].last = m->count;
    }
}

/* Offsets of all buffers, then of all places: a place's offset so far is inside of its buffer. */
static void place_buffers(struct generic_program *generic, struct mode_steps *m,
                          const struct buffers *b) {
    struct arena *arena = &generic->arena;
    struct memory_buffer *all = ARENA_ARRAY(arena, struct memory_buffer, 2 * m->count);
    memcpy(all, b->of_step, sizeof *all * (size_t)m->count);
    memcpy(all + m->count, b->of_scratch, sizeof *all * (size_t)m->count);
    m->arena_bytes = memory_plan(arena, all, 2 * m->count, ALIGNMENT);
    for (int i = 0; i < m->graph->tensor_count; i++) {
        struct place *place = &m->places[i];
        if (place->kind != PLACE_ARENA) continue;
        place->offset += all[b->step_of_tensor[i]].offset / (long)sizeof(float);
        if (place->is_double) place->offset += 2;
    }
    for (int i = 0; i < m->count; i++) {
        struct step *step = &m->steps[i];
        const struct tensor *t = step->tensor;
        step->scratch = all[m->count + i].offset / (long)sizeof(float);
        step->out = m->places[t->number];
        step->in = ARENA_ARRAY(arena, struct place, t->in_count + 1);
        for (int k = 0; k < t->in_count; k++) step->in[k] = m->places[t->in[k]->number];
    }
}

static bool prepare_mode(struct generic_program *generic, const struct model *model, enum mode mode,
                         long rows, struct error *error) {
    struct arena *arena = &generic->arena;
    struct mode_steps *m = &generic->mode[mode];
    struct graph *graph = lower_model(model, mode, rows, arena, error);
    if (!graph) return false;
    graph = pass_dead(pass_common(pass_simplify(pass_dead(graph))));
    if (!graph_verify(graph, "the graph passes", error)) return false;
    int count = graph->tensor_count;
    m->graph = graph;
    m->places = ARENA_ARRAY(arena, struct place, count);
    m->steps = ARENA_ARRAY(arena, struct step, count);
    struct buffers b = {ARENA_ARRAY(arena, struct memory_buffer, count),
                        ARENA_ARRAY(arena, struct memory_buffer, count),
                        ARENA_ARRAY(arena, int, count)};
    list_steps(generic, m, &b);
    place_buffers(generic, m, &b);
    m->kernels = ARENA_ARRAY(arena, struct kernel_summary, m->count);
    m->backward = graph_backward(graph, arena);
    for (int i = 0; i < m->count; i++) {
        const struct tensor *t = m->steps[i].tensor;
        m->kernels[i] = (struct kernel_summary){
            t->name,
            t->origin.layer,
            1,
            1,
            1,
            t->primitive == PRIMITIVE_CONTRACT ? contraction_part(t, m->backward) : PART_OTHER};
    }
    return true;
}

static bool prepare(struct generic_program *generic, const struct model *model,
                    const struct program *like, struct error *error) {
    const bool wanted[MODES] = {like->train != NULL, like->evaluate != NULL, like->predict != NULL};
    if (setjmp(generic->arena.exhausted))
        return error_set(error, "out of memory while preparing the generic kernels");
    generic->program = *like;
    generic->program.arena_bytes = 0;
    for (int mode = 0; mode < MODES; mode++) {
        if (!wanted[mode]) continue;
        if (!prepare_mode(generic, model, (enum mode)mode, like->rows, error)) return false;
        if ((size_t)generic->mode[mode].arena_bytes > generic->program.arena_bytes)
            generic->program.arena_bytes = (size_t)generic->mode[mode].arena_bytes;
    }
    if (!take_slot(generic, error)) return false;
    program_entry *const *own = entries[generic->slot];
    if (like->train) generic->program.train = own[MODE_TRAINING];
    if (like->evaluate) generic->program.evaluate = own[MODE_EVALUATION];
    if (like->predict) generic->program.predict = own[MODE_PREDICTION];
    return true;
}

struct generic_program *generic_program_new(const struct model *model, enum generic_method method,
                                            const struct program *like, struct error *error) {
    struct generic_program *generic = calloc(1, sizeof *generic);
    if (!generic) {
        error_set(error, "out of memory");
        return NULL;
    }
    arena_init(&generic->arena);
    generic->slot = -1;
    generic->method = method;
    generic->target = target_native();
    if (prepare(generic, model, like, error)) return generic;
    generic_program_free(generic);
    return NULL;
}

const struct program *generic_program_get(const struct generic_program *generic) {
    return &generic->program;
}

void generic_program_contractions(const struct generic_program *generic, enum mode mode,
                                  int *convolutions, int *products, int *others) {
    *convolutions = generic->mode[mode].convolutions;
    *products = generic->mode[mode].products;
    *others = generic->mode[mode].others;
}

const struct kernel_summary *generic_program_kernels(const struct generic_program *generic,
                                                     enum mode mode, int *count) {
    *count = generic->mode[mode].count;
    return generic->mode[mode].kernels;
}

void generic_program_profile(struct generic_program *generic, double *seconds_of_steps) {
    generic->profile = seconds_of_steps;
}

void generic_program_watch(struct generic_program *generic) {
    generic->watches = true;
    generic->not_finite = NULL;
}

const struct tensor *generic_program_not_finite(const struct generic_program *generic,
                                                bool *backward) {
    *backward = generic->is_backward;
    return generic->not_finite;
}

void generic_program_free(struct generic_program *generic) {
    if (!generic) return;
    if (generic->slot >= 0) {
        pthread_mutex_lock(&slots_lock);
        slots[generic->slot] = NULL;
        pthread_mutex_unlock(&slots_lock);
    }
    arena_free(&generic->arena);
    free(generic);
}
