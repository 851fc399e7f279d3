/* standalone_functions.c: the public functions of a standalone model, which lay out the caller's
 * block and run the entry points of the module: calls, predictions, parameters. */
#include "standalone.h"

static const char serial[] =
    "\n/* Runs all units of a kernel; they may run in any order, or at the same time. */\n"
    "static void @_serial(void *pool, @_run_task *task, const void *context, long count) {\n"
    "    (void)pool;\n"
    "    task(context, 0, count);\n"
    "}\n";

const char *block_part(struct emission *e, long begin) {
    return begin < 0 ? "NULL" : arena_format(e->arena, "memory + %ld", begin);
}

/* A call of an entry point that works in the block. */
static void emit_call(struct emission *e) {
    emit_text(e, "\nstatic void @_fill_call(struct @_run_call *call, void *block, const real *x,\n"
                 "        const real *y, real *predictions, long samples");
    emit_threads_parameter(e);
    emit_text(e, ") {\n    real *const memory = block;\n");
    for (int i = 0; i < SPACE_COUNT; i++) {
        bool is_constant =
            has_constant_weights(e) && i != SPACE_OPTIMIZER && e->program->space_size[i] > 0;
        if (is_constant)
            emit_format(e, "    call->space[%d] = (real *)%s; /* which predictions only read */\n",
                        i, constant_space(e, i));
        else
            emit_format(e, "    call->space[%d] = %s;\n", i, block_part(e, e->block.space[i]));
    }
    emit_format(e, "    call->arena = %s;\n", block_part(e, e->block.arena));
    emit_format(e, "    call->prepared = %s;\n", block_part(e, e->block.prepared));
    emit_text(e, "    call->inputs[0] = x;\n"
                 "    call->inputs[1] = y;\n"
                 "    call->predictions = predictions;\n"
                 "    call->scalars[0] = 0.0;\n"
                 "    call->scalars[1] = 0.0;\n"
                 "    call->scalars[2] = (double)samples;\n"
                 "    call->scalars[3] = 0.0;\n"
                 "    call->results[0] = 0.0;\n"
                 "    call->results[1] = 0.0;\n");
    emit_text(e, e->form->threads ? "    call->parallel = threads ? threads->run : @_serial;\n"
                                    "    call->pool = threads ? threads->pool : NULL;\n"
                                    "}\n"
                                  : "    call->parallel = @_serial;\n"
                                    "    call->pool = NULL;\n"
                                    "}\n");
}

/* ---- the caller's arrays and ours ---- */

static const char fill_rows[] =
    "\n/* `size` numbers of which the first `count` are the caller's and the rest zeros. */\n"
    "static const real *@_fill_rows(real *to, const real *from, long count, long size) {\n"
    "    if (count == size) return from;\n"
    "    memcpy(to, from, sizeof(real) * (size_t)count);\n"
    "    memset(to + count, 0, sizeof(real) * (size_t)(size - count));\n"
    "    return to;\n"
    "}\n";

static const char swap_axes[] =
    "\n/* Every image of `count` from [outer][inner] to [inner][outer]: between channels first and "
    "last. */\n"
    "static void @_swap_axes(real *to, const real *from, long count, long outer, long inner) {\n"
    "    for (long n = 0; n < count; n++, to += outer * inner, from += outer * inner)\n"
    "        for (long i = 0; i < outer; i++)\n"
    "            for (long j = 0; j < inner; j++) to[j * outer + i] = from[i * inner + j];\n"
    "}\n";

static const char fill_images[] =
    "\n/* The caller's images, channels first, as ours; rows from count on are zeros. */\n"
    "static const real *@_fill_images(real *to, const real *from, long count, long rows,\n"
    "        long pixels, long channels) {\n"
    "    @_swap_axes(to, from, count, channels, pixels);\n"
    "    memset(to + count * pixels * channels, 0,\n"
    "        sizeof(real) * (size_t)((rows - count) * pixels * channels));\n"
    "    return to;\n"
    "}\n";

static void emit_rows(struct emission *e) {
    bool pads = e->is_training || e->program->rows != e->program->batch;
    bool keeps = !swaps_samples(e) || (e->is_training && !swaps_labels(e));
    bool swaps = swaps_samples(e) || swaps_labels(e);
    if (pads && keeps) emit_text(e, fill_rows);
    if (swaps || swaps_outputs(e)) emit_text(e, swap_axes);
    if (swaps) emit_text(e, fill_images);
}

/* ---- inference ---- */

static void emit_prepare(struct emission *e) {
    emit_text(e, "\nvoid @_prepare(void *block");
    emit_threads_parameter(e);
    emit_text(e, ") {\n"
                 "    struct @_run_call call;\n"
                 "    @_fill_call(&call, block, NULL, NULL, NULL, $_BATCH");
    emit_threads_argument(e);
    emit_text(e, ");\n"
                 "    @_run_prepare(&call);\n"
                 "}\n");
}

/* The samples as the entry point reads them: the caller's, or a copy in the block. */
static const char *rows_of_samples(struct emission *e) {
    const struct program *p = e->program;
    if (swaps_samples(e)) {
        const long *shape = p->sample_shape;
        emit_format(
            e, "    const real *const rows = %s_fill_images(%s, x, %s_BATCH, %ld, %ld, %ld);\n",
            e->name, block_part(e, e->block.samples), e->upper, p->rows, shape[0] * shape[1],
            shape[2]);
    } else if (p->rows != p->batch) {
        emit_format(e,
                    "    const real *const rows =\n"
                    "        %s_fill_rows(%s, x, (long)%s_BATCH * %s_SAMPLE_SIZE, %ld);\n",
                    e->name, block_part(e, e->block.samples), e->upper, e->upper,
                    p->rows * p->sample_size);
    } else {
        return "x";
    }
    return "rows";
}

static void emit_inference(struct emission *e) {
    const struct program *p = e->program;
    const long *shape = e->model->output->output.size;
    bool copies_samples = e->block.samples >= 0, copies = e->block.predictions >= 0;
    if (p->prepared_bytes) emit_prepare(e);
    emit_text(e, "\nvoid @_predict(void *block, const ~ *x, ~ *predictions");
    emit_threads_parameter(e);
    emit_text(e, ") {\n    struct @_run_call call;\n");
    if (copies_samples || copies) emit_text(e, "    real *const memory = block;\n");
    const char *rows = rows_of_samples(e);
    emit_format(e, "    %s_fill_call(&call, block, %s, NULL, %s, %s_BATCH", e->name, rows,
                copies ? block_part(e, e->block.predictions) : "predictions", e->upper);
    emit_threads_argument(e);
    emit_text(e, ");\n    @_run_predict(&call);\n");
    if (swaps_outputs(e)) {
        emit_text(e, "    @_swap_axes(predictions, call.predictions, $_BATCH, ");
        emit_format(e, "%ld, %ld);\n", shape[0] * shape[1], shape[2]);
    } else if (copies) {
        emit_text(e, "    memcpy(predictions, call.predictions,\n"
                     "        sizeof(real) * (size_t)$_BATCH * $_OUTPUT_SIZE);\n");
    }
    emit_text(e, "}\n");
}

/* ---- parameters ---- */

static void emit_parameters(struct emission *e) {
    const struct program *p = e->program;
    emit_text(e, "\n/* Where each parameter begins in the block, in numbers, and how many it has. "
                 "*/\n"
                 "static const long @_parameters[$_PARAMETERS + 1][2] = {\n");
    for (int i = 0; i < p->variable_count; i++) {
        const struct program_variable *v = &p->variables[i];
        emit_format(e, "    {%ld, %ld}, /* %s */\n", e->block.space[v->space] + v->offset,
                    v->elements, v->name);
    }
    emit_text(e, "    {0, 0},\n"
                 "};\n"
                 "\n"
                 "~ *@_parameter(void *block, int parameter) {\n"
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

/* ---- names of the classes ---- */

/* A C string; bytes that are not plain ASCII become octal escapes, of three digits each. */
static void emit_string(struct emission *e, const char *string) {
    text_put(&e->text, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        bool is_plain = *c >= ' ' && *c < 127 && *c != '"' && *c != '\\' && *c != '?';
        emit_format(e, is_plain ? "%c" : "\\%03o", *c);
    }
    text_put(&e->text, "\"");
}

static void emit_class_names(struct emission *e) {
    emit_text(e, "\nconst char *const @_class_names[$_OUTPUT_SIZE] = {\n");
    for (long i = 0; i < e->program->output_size; i++) {
        text_put(&e->text, "    ");
        emit_string(e, e->form->class_names[i]);
        text_put(&e->text, ",\n");
    }
    emit_text(e, "};\n");
}

void emit_functions(struct emission *e) {
    emit_text(e, serial);
    emit_call(e);
    emit_rows(e);
    if (e->form->class_names) emit_class_names(e);
    if (!has_constant_weights(e)) emit_parameters(e);
    if (has_loaded_weights(e)) emit_load(e);
    if (e->is_training) {
        emit_training(e);
        return;
    }
    if (!e->weights) emit_initial_values(e);
    emit_inference(e);
}
