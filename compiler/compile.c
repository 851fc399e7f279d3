/* compile.c: the road from a model to C text: the visible list of stages. */
#include "compile.h"
#include "c/writer.h"
#include "passes/kernels.h"
#include "passes/passes.h"

#include <string.h>

/* ---- the passes, in order ---- */

struct pipeline {
    struct graph *graph;
    struct program_plan *plan; /* from the layout pass on */
    const struct compile_options *options;
    struct text *dump;
    const char *mode_name;
    float *constants; /* what remains of options->weights */
    struct error *error;
};

static const char *const pass_names[] = {"lower",   "simplify", "common", "dead",  "fold",
                                         "outputs", "compose",  "layout", "fuse",  "reassociate",
                                         "tile",    "update",   "group",  "place", NULL};

const char *const *compile_pass_names(void) {
    return pass_names;
}

/* After each pass: the verifier, and the dump if it was asked for. */
static bool after(struct pipeline *p, const char *pass) {
    if (!graph_verify(p->graph, pass, p->error)) return false;
    if (!p->options->dump || strcmp(p->options->dump, pass)) return true;
    text_add(p->dump, "-- %s, after %s\n", p->mode_name, pass);
    if (p->plan && p->plan->kernel_count)
        plan_print(p->dump, p->plan);
    else
        graph_print(p->dump, p->graph);
    return true;
}

/* What weights alone decide is computed now, if they are known, or ahead of the calls. */
static struct graph *fold(struct pipeline *p) {
    struct graph *graph = p->graph;
    if (p->plan->prepares) graph = pass_fold_batch_norm(graph);
    if (p->plan->prepares && p->options->weights)
        graph = pass_constants(graph, p->options->weights, &p->constants);
    return graph;
}

static bool run_passes(struct pipeline *p) {
    struct graph **graph = &p->graph;
    if (!after(p, "lower")) return false;
    *graph = pass_dead(*graph);
    *graph = pass_pool_sums(pass_simplify(*graph));
    if (!after(p, "simplify")) return false;
    *graph = pass_common(*graph);
    if (!after(p, "common")) return false;
    *graph = pass_dead(*graph);
    if (!after(p, "dead")) return false;
    *graph = fold(p);
    if (!after(p, "fold")) return false;
    pass_outputs(*graph);
    if (!after(p, "outputs")) return false;
    pass_compose(*graph);
    *graph = pass_dead(*graph);
    pass_name(*graph);
    if (!after(p, "compose")) return false;
    p->plan->graph = *graph;
    pass_layout(p->plan);
    if (!after(p, "layout")) return false;
    pass_fuse(p->plan);
    pass_storage(p->plan);
    if (!after(p, "fuse")) return false;
    pass_reassociate(p->plan);
    if (!after(p, "reassociate")) return false;
    pass_tile(p->plan);
    if (!after(p, "tile")) return false;
    pass_update(p->plan);
    if (!after(p, "update")) return false;
    pass_group(p->plan);
    if (!after(p, "group")) return false;
    pass_place(p->plan);
    return verify_plan(p->plan, p->error) && after(p, "place");
}

/* ---- a compilation ---- */

/* Training needs blocks: for them alone there are gradients. */
bool compile_has_plain_images(enum mode mode, long batch, const struct target *target) {
    return mode == MODE_PREDICTION &&
           (2 * batch <= target->lanes || (batch == 1 && target->lanes == 1));
}

/* Does a layer, or the loss, work on images? Then the rows of a batch are padded to whole vectors
 * of samples. */
static bool has_images(const struct model *model) {
    for (int i = 0; i < model->layer_count; i++) {
        const struct layer *layer = model->layers[i];
        if (!strcmp(layer->type->name, "flatten") || !strcmp(layer->type->name, "reshape"))
            continue;
        for (int j = 0; j < layer->input_count; j++)
            if (layer->inputs[j]->output.rank == 3) return true;
    }
    return model->output->output.rank == 3;
}

/* Rows of the batch in memory. */
static long rows_of(const struct model *model, enum mode mode, long batch,
                    const struct compile_options *options) {
    long lanes = options->target->block_lanes;
    bool is_padded = has_images(model) && !compile_has_plain_images(mode, batch, options->target);
    return is_padded ? (batch + lanes - 1) / lanes * lanes : batch;
}

/* Weights and slots of which a core hardly finds any in its share of the L3 cache. */
static bool weights_are_far(const struct graph *graph) {
    enum { FAR_BYTES = 16 << 20 };
    long reals = graph->space_size[SPACE_TRAINABLE] + graph->space_size[SPACE_OPTIMIZER];
    return reals * (long)sizeof(float) > FAR_BYTES;
}

static struct program_plan *compile_mode(struct arena *arena, const struct model *model,
                                         enum mode mode, long batch,
                                         const struct compile_options *options,
                                         struct compilation *compilation, struct text *dump,
                                         struct error *error) {
    static const char *const names[MODE_COUNT] = {"training", "evaluation", "prediction",
                                                  "gradient", "update"};
    long rows = rows_of(model, mode, batch, options);
    struct graph *graph = lower_model(model, mode, rows, arena, error);
    if (!graph) return NULL;
    struct program_plan *plan = ARENA_NEW(arena, struct program_plan);
    plan->arena = arena;
    plan->target = options->target;
    plan->lanes = options->target->block_lanes;
    plan->rows = rows;
    plan->prepares = options->prepare && mode == MODE_PREDICTION;
    plan->plain_images = compile_has_plain_images(mode, batch, options->target);
    plan->generic_products = options->generic_products;
    plan->use_double = options->use_double;
    plan->no_winograd = options->no_winograd;
    plan->is_serial = options->standalone && !options->form.threads;
    plan->has_shares = !options->standalone;
    plan->weights_are_far = !options->standalone && weights_are_far(graph);
    struct pipeline pipeline = {graph, plan, options, dump, names[mode], NULL, error};
    if (!run_passes(&pipeline)) return NULL;
    if (pipeline.constants) compilation->constants = pipeline.constants;
    return plan;
}

static void fill_variables(struct arena *arena, struct program *program,
                           const struct graph *graph) {
    struct program_variable *variables =
        ARENA_ARRAY(arena, struct program_variable, graph->variable_count);
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *from = &graph->variables[i];
        struct program_variable *to = &variables[i];
        to->name = from->name;
        to->space = (int)from->space;
        to->offset = from->offset;
        to->elements = shape_elements(&from->shape);
        to->rank = from->shape.rank;
        memcpy(to->size, from->shape.size, sizeof to->size);
        to->initializer = (enum program_initializer)from->initializer;
        to->scale = from->scale;
    }
    program->variables = variables;
    program->variable_count = graph->variable_count;
    for (int i = 0; i < SPACE_COUNT; i++) program->space_size[i] = graph->space_size[i];
}

static void fill_program(struct arena *arena, struct program *program, const struct model *model,
                         long batch, long rows, const struct graph *graph,
                         const struct compile_options *options) {
    const struct shape *input = &model->input->output;
    struct shape labels = label_shape(model);
    program->name = model->name;
    program->batch = batch;
    program->pieces = options->pieces;
    program->rows = rows;
    program->sample_size = shape_elements(input);
    program->sample_rank = input->rank;
    memcpy(program->sample_shape, input->size, sizeof program->sample_shape);
    program->label_size = shape_elements(&labels);
    program->output_size = shape_elements(&model->output->output);
    program->sparse_labels = labels.rank == 0;
    program->has_accuracy = model->training.accuracy;
    fill_variables(arena, program, graph);
}

static void summarize_kernels(struct arena *arena, struct compilation *compilation, enum mode mode,
                              const struct program_plan *plan) {
    struct kernel_summary *kernels = ARENA_ARRAY(arena, struct kernel_summary, plan->kernel_count);
    const bool *backward = graph_backward(plan->graph, arena);
    int count = 0;
    for (int i = 0; i < plan->kernel_count; i++) {
        const struct kernel *kernel = plan->kernels[i];
        if (kernel->is_prepared) continue;
        long units = kernel->together && kernel_is_shared(plan, kernel)
                         ? kernel_loop_units(plan, kernel)
                         : 1;
        kernels[count++] = (struct kernel_summary){
            kernel->name, kernel_layer(plan, kernel), kernel->together,
            units,        kernel_work(plan, kernel),  kernel_part(plan, kernel, backward)};
    }
    compilation->kernels[mode] = kernels;
    compilation->kernel_count[mode] = count;
}

long compile_pieces(const struct model *model, long batch) {
    enum { MOST_AT_ONCE = 2048, LARGEST_PIECE = 1024, SMALLEST_PIECE = 256 };
    if (batch <= MOST_AT_ONCE) return 1;
    for (int i = 0; i < model->layer_count; i++)
        if (!strcmp(model->layers[i]->type->name, "batch_norm")) return 1;
    for (long piece = LARGEST_PIECE; piece >= SMALLEST_PIECE; piece--)
        if (batch % piece == 0) return batch / piece;
    return 1;
}

struct compilation *compile_model(struct arena *arena, const struct model *model,
                                  const struct compile_options *options, struct error *error) {
    struct compilation *compilation = ARENA_NEW(arena, struct compilation);
    const bool wanted[MODE_COUNT] = {options->training, options->evaluation, options->prediction,
                                     options->pieces > 1, options->pieces > 1};
    long batch = options->batch ? options->batch : model->training.batch_size;
    long rows = batch = batch < 1 ? 1 : batch;
    struct program_plan *plans[MODE_COUNT] = {NULL};
    struct text dump = {.arena = arena};
    const struct graph *graph = NULL;
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        if (!wanted[mode]) continue;
        plans[mode] =
            compile_mode(arena, model, (enum mode)mode, batch, options, compilation, &dump, error);
        if (!plans[mode]) return NULL;
        if (plans[mode]->rows > rows) rows = plans[mode]->rows;
        graph = plans[mode]->graph;
        compilation->memory[mode] = (struct memory_report){
            plans[mode]->arena_bytes, plans[mode]->arena_lower_bound, plans[mode]->buffer_count};
        if ((size_t)plans[mode]->arena_bytes > compilation->program.arena_bytes)
            compilation->program.arena_bytes = (size_t)plans[mode]->arena_bytes;
    }
    if (!graph) {
        error_set(error, "nothing to compile: no entry point was asked for");
        return NULL;
    }
    fill_program(arena, &compilation->program, model, batch, rows, graph, options);
    if (plans[MODE_PREDICTION])
        compilation->program.prepared_bytes =
            (size_t)plans[MODE_PREDICTION]->prepared_elements * (options->use_double ? 8 : 4);
    const char *prefix = options->prefix ? options->prefix : model->name;
    const char *provenance = arena_format(
        arena, "%s: generated by lathe from %s for %s, %ld samples a call. Do not edit.", prefix,
        model->file, options->target->name, batch);
    struct module_text module = write_module(arena, plans, options, prefix, provenance);
    compilation->c_text = module.c_text;
    for (int mode = 0; mode < MODE_COUNT; mode++) /* the writer has chosen the units of loops */
        if (plans[mode]) summarize_kernels(arena, compilation, (enum mode)mode, plans[mode]);
    compilation->symbols = module.symbols;
    compilation->dumped = dump.data;
    return compilation;
}
