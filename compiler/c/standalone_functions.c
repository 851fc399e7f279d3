/* standalone_functions.c: the public functions of a standalone model, which lay out the caller's
 * block and run the entry points of the module. */
#include "standalone.h"

static const char serial[] =
    "\n/* Runs all units of a kernel; they may run in any order, or at the same time. */\n"
    "static void @_serial(void *pool, @_run_task *task, const void *context, long count) {\n"
    "    (void)pool;\n"
    "    task(context, 0, count);\n"
    "}\n";

static const char state_struct[] = "\n/* What the block begins with. */\n"
                                   "struct @_state {\n"
                                   "    uint32_t step, seed;\n"
                                   "};\n";

/* The address of a part of the block, or NULL. */
static const char *part(struct emission *e, long begin) {
    return begin < 0 ? "NULL" : arena_format(e->arena, "memory + %ld", begin);
}

/* A call of an entry point that works in the block. */
static void emit_call(struct emission *e) {
    static const char *const constants[] = {"weights", "state", "optimizer"};
    emit_text(e, "\nstatic void @_fill_call(struct @_run_call *call, void *block, const real *x,\n"
                 "        const real *y, real *predictions, long samples) {\n"
                 "    real *const memory = block;\n");
    for (int i = 0; i < SPACE_COUNT; i++) {
        bool is_constant =
            has_constant_weights(e) && i != SPACE_OPTIMIZER && e->program->space_size[i] > 0;
        if (is_constant)
            emit_format(e,
                        "    call->space[%d] = (real *)%s_%s; /* which predictions only read */\n",
                        i, e->name, constants[i]);
        else
            emit_format(e, "    call->space[%d] = %s;\n", i, part(e, e->block.space[i]));
    }
    emit_format(e, "    call->arena = %s;\n", part(e, e->block.arena));
    emit_format(e, "    call->prepared = %s;\n", part(e, e->block.prepared));
    emit_text(e, "    call->inputs[0] = x;\n"
                 "    call->inputs[1] = y;\n"
                 "    call->predictions = predictions;\n"
                 "    call->scalars[0] = 0.0;\n"
                 "    call->scalars[1] = 0.0;\n"
                 "    call->scalars[2] = (double)samples;\n"
                 "    call->scalars[3] = 0.0;\n"
                 "    call->results[0] = 0.0;\n"
                 "    call->results[1] = 0.0;\n"
                 "    call->parallel = @_serial;\n"
                 "    call->pool = NULL;\n"
                 "}\n");
}

static const char fill_rows[] =
    "\n/* `size` numbers of which the first `count` are the caller's and the rest zeros. */\n"
    "static const real *@_fill_rows(real *to, const real *from, long count, long size) {\n"
    "    if (count == size) return from;\n"
    "    memcpy(to, from, sizeof(real) * (size_t)count);\n"
    "    memset(to + count, 0, sizeof(real) * (size_t)(size - count));\n"
    "    return to;\n"
    "}\n";

/* ---- inference ---- */

static const char prepare[] = "\nvoid @_prepare(void *block) {\n"
                              "    struct @_run_call call;\n"
                              "    @_fill_call(&call, block, NULL, NULL, NULL, $_BATCH);\n"
                              "    @_run_prepare(&call);\n"
                              "}\n";

static void emit_inference(struct emission *e) {
    const struct program *p = e->program;
    if (p->prepared_bytes) emit_text(e, prepare);
    emit_text(e, "\n"
                 "void @_predict(void *block, const float *x, float *predictions) {\n"
                 "    struct @_run_call call;\n");
    if (p->rows == p->batch) {
        emit_text(e, "    @_fill_call(&call, block, x, NULL, predictions, $_BATCH);\n"
                     "    @_run_predict(&call);\n"
                     "}\n");
        return;
    }
    emit_text(e, "    real *const memory = block;\n"
                 "    const long size = (long)$_BATCH * $_SAMPLE_SIZE;\n");
    emit_format(e, "    const real *const rows = %s_fill_rows(%s, x, size, %ld);\n", e->name,
                part(e, e->block.samples), p->rows * p->sample_size);
    emit_format(e, "    %s_fill_call(&call, block, rows, NULL, %s, %s_BATCH);\n", e->name,
                part(e, e->block.predictions), e->upper);
    emit_text(e, "    @_run_predict(&call);\n"
                 "    memcpy(predictions, call.predictions,\n"
                 "        sizeof(real) * (size_t)$_BATCH * $_OUTPUT_SIZE);\n"
                 "}\n");
}

/* ---- training ---- */

/* The learning rate of a step, counted from 0. */
static void emit_learning_rate(struct emission *e) {
    const struct expression *rate = e->model->training.optimizer.learning_rate;
    struct writer w = {.arena = e->arena, .text = {.arena = e->arena}, .depth = 1};
    const char *const operands[] = {"step"};
    const struct expression_names names = {.operand = operands, .prefix = "t", .is_double = true};
    const char *value = write_expression(&w, rate, &names);
    emit_text(e, "\nfloat @_learning_rate(const void *block) {\n");
    if (expression_uses(rate, 0))
        emit_text(e, "    const struct @_state *const state = block;\n"
                     "    const double step = (double)state->step;\n");
    else
        emit_text(e, "    (void)block;\n");
    text_put(&e->text, text_string(&w.text));
    emit_format(e, "    return (float)(%s);\n}\n", value);
}

/* Fills in `call` for an entry point that reads samples and labels. */
static void emit_prepare_samples(struct emission *e) {
    const struct program *p = e->program;
    emit_text(e, "\n/* The same for samples and labels of the caller, which become whole rows. */\n"
                 "static void @_fill_samples(struct @_run_call *call, void *block,\n"
                 "        const float *x, const float *y, long samples) {\n"
                 "    real *const memory = block;\n");
    emit_format(e, "    x = %s_fill_rows(%s, x, samples * %ld, %ld);\n", e->name,
                part(e, e->block.samples), p->sample_size, p->rows * p->sample_size);
    emit_format(e, "    if (y) y = %s_fill_rows(%s, y, samples * %ld, %ld);\n", e->name,
                part(e, e->block.labels), p->label_size, p->rows * p->label_size);
    emit_format(e, "    %s_fill_call(call, block, x, y, %s, samples);\n}\n", e->name,
                part(e, e->block.predictions));
}

static void emit_train_step(struct emission *e) {
    bool accuracy = e->program->has_accuracy;
    emit_text(e, "\n"
                 "float @_train_step(void *block, const float *x, const float *y, long samples,\n"
                 "        float learning_rate");
    emit_text(e, accuracy ? ", float *accuracy) {\n" : ") {\n");
    emit_text(e, "    struct @_state *const state = block;\n"
                 "    struct @_run_call call;\n"
                 "    if (samples < 1) return 0.0f;\n"
                 "    if (samples > $_BATCH) samples = $_BATCH;\n"
                 "    @_fill_samples(&call, block, x, y, samples);\n"
                 "    state->step++;\n"
                 "    call.scalars[0] = (double)learning_rate;\n"
                 "    call.scalars[1] = (double)state->step;\n"
                 "    call.scalars[3] = (double)state->seed;\n"
                 "    @_run_train(&call);\n");
    if (accuracy) emit_text(e, "    if (accuracy) *accuracy = (float)call.results[1];\n");
    emit_text(e, "    return (float)call.results[0];\n}\n");
}

static void emit_evaluate(struct emission *e) {
    bool accuracy = e->program->has_accuracy;
    emit_text(e, "\nfloat @_evaluate(void *block, const float *x, const float *y, long samples");
    emit_text(e, accuracy ? ",\n        float *accuracy) {\n" : ") {\n");
    emit_text(e, "    struct @_run_call call;\n"
                 "    if (samples < 1) return 0.0f;\n"
                 "    if (samples > $_BATCH) samples = $_BATCH;\n"
                 "    @_fill_samples(&call, block, x, y, samples);\n"
                 "    @_run_evaluate(&call);\n");
    if (accuracy) emit_text(e, "    if (accuracy) *accuracy = (float)call.results[1];\n");
    emit_text(e, "    return (float)call.results[0];\n}\n");
}

static const char training_predict[] =
    "\n"
    "void @_predict(void *block, const float *x, long samples, float *predictions) {\n"
    "    struct @_run_call call;\n"
    "    if (samples < 1) return;\n"
    "    if (samples > $_BATCH) samples = $_BATCH;\n"
    "    @_fill_samples(&call, block, x, NULL, samples);\n"
    "    @_run_predict(&call);\n"
    "    memcpy(predictions, call.predictions,\n"
    "        sizeof(real) * (size_t)samples * $_OUTPUT_SIZE);\n"
    "}\n";

/* ---- parameters ---- */

static void emit_parameters(struct emission *e) {
    const struct program *p = e->program;
    emit_text(e,
              "\n/* Where each parameter begins in the block, in floats, and how many it has. */\n"
              "static const long @_parameters[$_PARAMETERS + 1][2] = {\n");
    for (int i = 0; i < p->variable_count; i++) {
        const struct program_variable *v = &p->variables[i];
        emit_format(e, "    {%ld, %ld}, /* %s */\n", e->block.space[v->space] + v->offset,
                    v->elements, v->name);
    }
    emit_text(e, "    {0, 0},\n"
                 "};\n"
                 "\n"
                 "float *@_parameter(void *block, int parameter) {\n"
                 "    real *const memory = block;\n"
                 "    if (parameter < 0 || parameter >= $_PARAMETERS) return NULL;\n"
                 "    return memory + @_parameters[parameter][0];\n"
                 "}\n"
                 "\n"
                 "long @_parameter_size(int parameter) {\n"
                 "    if (parameter < 0 || parameter >= $_PARAMETERS) return 0;\n"
                 "    return @_parameters[parameter][1];\n"
                 "}\n");
}

void emit_functions(struct emission *e) {
    emit_text(e, serial);
    emit_call(e);
    if (e->block.samples >= 0) emit_text(e, fill_rows);
    if (!has_constant_weights(e)) emit_parameters(e);
    if (!e->is_training) {
        emit_inference(e);
        return;
    }
    emit_text(e, state_struct);
    emit_initial_values(e);
    emit_learning_rate(e);
    emit_prepare_samples(e);
    emit_train_step(e);
    emit_evaluate(e);
    emit_text(e, training_predict);
}
