/* standalone_training.c: the public functions of a model that learns: learning rate, training step,
 * evaluation, predictions of any number of samples up to the batch.
 *
 * With micro-batches a call goes over its samples piece by piece; else it has one piece. */
#include "standalone.h"

#include <string.h>

static const char state_struct[] = "\n/* What the block begins with. */\n"
                                   "struct @_state {\n"
                                   "    uint32_t step, seed;\n"
                                   "};\n";

/* The learning rate of a step, counted from 0. */
static void emit_learning_rate(struct emission *e) {
    const struct expression *rate = e->model->training.optimizer.learning_rate.expression;
    struct writer w = {
        .arena = e->arena, .text = {.arena = e->arena}, .depth = 1, .mathematics = e->mathematics};
    const char *const operands[] = {"step"};
    const struct expression_names names = {.operand = operands, .prefix = "t", .is_double = true};
    const char *value = write_expression(&w, rate, &names);
    emit_text(e, "\n~ @_learning_rate(const void *block) {\n");
    if (expression_uses(rate, 0))
        emit_text(e, "    const struct @_state *const state = block;\n"
                     "    const double step = (double)state->step;\n");
    else
        emit_text(e, "    (void)block;\n");
    text_put(&e->text, text_string(&w.text));
    emit_format(e, "    return (%s)(%s);\n}\n", e->number, value);
}

/* ---- rows ---- */

static void emit_row_filling(struct emission *e, const char *array, long begin, bool swaps,
                             const long *shape, long size) {
    const struct program *p = e->program;
    if (swaps)
        emit_format(e, "%s = %s_fill_images(%s, %s, samples, %ld, %ld, %ld);\n", array, e->name,
                    block_part(e, begin), array, p->rows, shape[0] * shape[1], shape[2]);
    else
        emit_format(e, "%s = %s_fill_rows(%s, %s, samples * %ld, %ld);\n", array, e->name,
                    block_part(e, begin), array, size, p->rows * size);
}

/* Fills in `call` for an entry point that reads samples and labels. */
static void emit_fill_samples(struct emission *e) {
    const struct program *p = e->program;
    struct shape labels = label_shape(e->model);
    emit_text(e, "\n/* The same for samples and labels of the caller, which become whole rows. */\n"
                 "static void @_fill_samples(struct @_run_call *call, void *block,\n"
                 "        const ~ *x, const ~ *y, long samples");
    emit_threads_parameter(e);
    emit_text(e, ") {\n    real *const memory = block;\n    ");
    emit_row_filling(e, "x", e->block.samples, swaps_samples(e), p->sample_shape, p->sample_size);
    emit_text(e, "    if (y) ");
    emit_row_filling(e, "y", e->block.labels, swaps_labels(e), labels.size, p->label_size);
    emit_format(e, "    %s_fill_call(call, block, x, y, %s, samples", e->name,
                block_part(e, e->block.predictions));
    emit_threads_argument(e);
    emit_text(e, ");\n}\n");
}

/* ---- pieces ---- */

static bool has_pieces(const struct emission *e) {
    return e->pieces > 1;
}

static void emit_limits(struct emission *e, const char *nothing) {
    emit_format(e, "    if (samples < 1) return%s;\n", nothing);
    emit_text(e, "    if (samples > $_BATCH) samples = $_BATCH;\n");
}

/* Opens the loop over pieces, or nothing; the call's samples are filled in. */
static void open_pieces(struct emission *e, const char *labels) {
    if (!has_pieces(e)) {
        emit_format(e, "    %s_fill_samples(&call, block, x, %s, samples", e->name, labels);
        emit_threads_argument(e);
        emit_text(e, ");\n");
        return;
    }
    emit_format(e, "    for (long first = 0; first < samples; first += %ld) {\n",
                e->program->batch);
    emit_format(e, "        const long rest = samples - first, count = rest < %ld ? rest : %ld;\n",
                e->program->batch, e->program->batch);
    emit_text(e, "        @_fill_samples(&call, block, x + first * $_SAMPLE_SIZE,\n            ");
    if (strcmp(labels, "NULL") == 0)
        emit_text(e, "NULL, count");
    else
        emit_text(e, "y + first * $_LABEL_SIZE, count");
    emit_threads_argument(e);
    emit_text(e, ");\n");
}

static const char *indent(const struct emission *e) {
    return has_pieces(e) ? "        " : "    ";
}

/* Adds the call's results to those of all pieces, and closes the loop. */
static void close_measured_pieces(struct emission *e) {
    if (!has_pieces(e)) return;
    emit_text(e, "        loss += call.results[0] * (double)count;\n");
    if (e->program->has_accuracy)
        emit_text(e, "        right += call.results[1] * (double)count;\n");
    emit_text(e, "    }\n");
}

static void declare_results(struct emission *e) {
    if (!has_pieces(e)) return;
    emit_text(e, e->program->has_accuracy ? "    double loss = 0.0, right = 0.0;\n"
                                          : "    double loss = 0.0;\n");
}

static void emit_results(struct emission *e) {
    if (e->program->has_accuracy)
        emit_text(e, has_pieces(e) ? "    if (accuracy) *accuracy = (~)(right / (double)samples);\n"
                                   : "    if (accuracy) *accuracy = (~)call.results[1];\n");
    emit_text(e, has_pieces(e) ? "    return (~)(loss / (double)samples);\n}\n"
                               : "    return (~)call.results[0];\n}\n");
}

/* ---- the functions ---- */

/* The call that has been filled in uses the caller's threads, in their new mode. */
static void emit_flushing_threads(struct emission *e, const char *in) {
    if (!e->form->threads) return;
    emit_format(e, "%sif (threads) {\n%s    call.parallel = %s_flushing_run;\n", in, in, e->name);
    emit_format(e, "%s    call.pool = &team;\n%s}\n", in, in);
}

static void emit_step_scalars(struct emission *e) {
    const char *in = indent(e);
    emit_format(e, "%scall.scalars[1] = (double)state->step;\n", in);
    if (!has_pieces(e)) {
        emit_format(e, "%scall.scalars[3] = (double)state->seed;\n", in);
        return;
    }
    emit_format(e,
                "%s/* Each piece draws random numbers of its own. */\n"
                "%scall.scalars[3] = (double)(uint32_t)(state->seed + 0x9e3779b9u * "
                "(uint32_t)(first / %ld));\n",
                in, in, e->program->batch);
}

static void emit_update(struct emission *e) {
    emit_text(e, "    @_fill_call(&call, block, NULL, NULL, NULL, samples");
    emit_threads_argument(e);
    emit_text(e, ");\n");
    emit_flushing_threads(e, "    ");
    emit_text(e, "    call.scalars[0] = (double)learning_rate;\n"
                 "    call.scalars[1] = (double)state->step;\n"
                 "    @_run_update(&call);\n");
}

static void emit_train_step(struct emission *e) {
    emit_text(e, "\n"
                 "~ @_train_step(void *block, const ~ *x, const ~ *y, long samples,\n"
                 "        ~ learning_rate");
    if (e->program->has_accuracy) emit_text(e, ", ~ *accuracy");
    emit_threads_parameter(e);
    emit_text(e, ") {\n"
                 "    struct @_state *const state = block;\n"
                 "    struct @_run_call call;\n");
    declare_results(e);
    emit_limits(e, " 0");
    emit_text(e, "    const unsigned mode = @_flush_denormals();\n");
    if (e->form->threads)
        emit_text(e, "    struct @_threads team = {NULL, NULL};\n"
                     "    if (threads) team = *threads;\n");
    if (has_pieces(e)) emit_text(e, "    state->step++;\n");
    open_pieces(e, "y");
    emit_flushing_threads(e, indent(e));
    if (!has_pieces(e))
        emit_text(e, "    state->step++;\n"
                     "    call.scalars[0] = (double)learning_rate;\n");
    emit_step_scalars(e);
    emit_text(e, has_pieces(e) ? "        @_run_gradient(&call);\n" : "    @_run_train(&call);\n");
    close_measured_pieces(e);
    if (has_pieces(e)) emit_update(e);
    emit_text(e, "    @_restore_denormals(mode);\n");
    emit_results(e);
}

static void emit_evaluate(struct emission *e) {
    emit_text(e, "\n~ @_evaluate(void *block, const ~ *x, const ~ *y, long samples");
    if (e->program->has_accuracy) emit_text(e, ",\n        ~ *accuracy");
    emit_threads_parameter(e);
    emit_text(e, ") {\n    struct @_run_call call;\n");
    declare_results(e);
    emit_limits(e, " 0");
    open_pieces(e, "y");
    emit_format(e, "%s%s_run_evaluate(&call);\n", indent(e), e->name);
    close_measured_pieces(e);
    emit_results(e);
}

static void emit_predict(struct emission *e) {
    const long *shape = e->model->output->output.size;
    const char *count = has_pieces(e) ? "count" : "samples";
    emit_text(e, "\nvoid @_predict(void *block, const ~ *x, long samples, ~ *predictions");
    emit_threads_parameter(e);
    emit_text(e, ") {\n    struct @_run_call call;\n");
    emit_limits(e, "");
    open_pieces(e, "NULL");
    emit_format(e, "%s%s_run_predict(&call);\n", indent(e), e->name);
    const char *to = has_pieces(e)
                         ? arena_format(e->arena, "predictions + first * %s_OUTPUT_SIZE", e->upper)
                         : "predictions";
    if (swaps_outputs(e))
        emit_format(e, "%s%s_swap_axes(%s, call.predictions, %s, %ld, %ld);\n", indent(e), e->name,
                    to, count, shape[0] * shape[1], shape[2]);
    else
        emit_format(e,
                    "%smemcpy(%s, call.predictions,\n"
                    "%s    sizeof(real) * (size_t)%s * %s_OUTPUT_SIZE);\n",
                    indent(e), to, indent(e), count, e->upper);
    emit_text(e, has_pieces(e) ? "    }\n}\n" : "}\n");
}

void emit_training(struct emission *e) {
    emit_text(e, state_struct);
    emit_initial_values(e);
    emit_learning_rate(e);
    emit_fill_samples(e);
    emit_denormals(e);
    emit_train_step(e);
    emit_evaluate(e);
    emit_predict(e);
}
