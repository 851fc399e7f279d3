/* standalone_header.c: the header of a standalone model: sizes, parameters, functions, and how to
 * use them. */
#include "standalone.h"

#include <ctype.h>
#include <string.h>

static const char about[] =
    " *\n"
    " * C99. It needs math.h and string.h, allocates nothing and has no global state:\n"
    " *     cc -std=c99 -O2 -c @.c        and link with -lm\n"
    " * All that it works in is one block of the caller's memory: $_BLOCK_BYTES\n"
    " * bytes at an address divisible by $_ALIGNMENT. Calls with different blocks may run at\n"
    " * the same time. */\n"
    "#ifndef $_H\n"
    "#define $_H\n"
    "\n"
    "#include <stddef.h>\n"
    "#include <stdint.h>\n"
    "\n"
    "#ifdef __cplusplus\n"
    "extern \"C\" {\n"
    "#endif\n"
    "\n";

static void define(struct emission *e, const char *name, long value) {
    emit_text(e, "#define $_");
    emit_format(e, "%s %ld\n", name, value);
}

static void emit_sizes(struct emission *e) {
    static const char *const axes[] = {"HEIGHT", "WIDTH", "CHANNELS"};
    const struct program *p = e->program;
    const char *shape = shape_text(e->arena, p->sample_rank, p->sample_shape);
    emit_format(e, "/* A sample: %s floats%s, as in training (lathe's images: 0 to 1). */\n", shape,
                p->sample_rank == 3 ? " (height, width, channels)" : "");
    for (int i = 0; p->sample_rank == 3 && i < 3; i++) define(e, axes[i], p->sample_shape[i]);
    define(e, "SAMPLE_SIZE", p->sample_size);
    if (e->is_training) {
        emit_format(e, "\n/* The label of a sample: %s. */\n",
                    p->sparse_labels ? "the number of its class" : "the values that are right");
        define(e, "LABEL_SIZE", p->label_size);
    }
    emit_text(e, "\n/* Predictions of one sample. */\n");
    define(e, "OUTPUT_SIZE", p->output_size);
    emit_format(e, "\n/* Samples of %s call. */\n", e->is_training ? "the largest" : "one");
    define(e, "BATCH", p->batch);
    emit_text(e, "\n/* The caller's block. */\n");
    define(e, "BLOCK_BYTES", 4 * e->block.floats);
    define(e, "ALIGNMENT", e->block.alignment);
    if (e->is_training) {
        emit_text(e, "/* So many bytes at its beginning are all that must be kept to go on later:\n"
                     " * weights, optimizer, step. */\n");
        define(e, "STATE_BYTES", 4 * e->block.state_floats);
    }
}

/* ---- the parameters ---- */

/* The number of a variable's macro: names may become equal when / becomes _. */
static const char *macro_of(struct emission *e, int index) {
    char *macro = arena_string(e->arena, e->program->variables[index].name);
    for (char *c = macro; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return macro;
}

static bool is_unique(struct emission *e, int index, const char *macro) {
    for (int i = 0; i < index; i++)
        if (!strcmp(macro_of(e, i), macro)) return false;
    return true;
}

static void emit_parameters(struct emission *e) {
    emit_text(e,
              "\n/* The parameters: weights and moving statistics. Shapes stand behind them. */\n");
    define(e, "PARAMETERS", e->program->variable_count);
    for (int i = 0; i < e->program->variable_count; i++) {
        const struct program_variable *v = &e->program->variables[i];
        const char *macro = macro_of(e, i);
        if (!is_unique(e, i, macro)) macro = arena_format(e->arena, "%s_%d", macro, i);
        emit_text(e, "#define $_PARAMETER_");
        emit_format(e, "%s %d /* %s */\n", macro, i, shape_text(e->arena, v->rank, v->size));
    }
    emit_text(e,
              "\n"
              "/* The values of a parameter in the block, to read and to write; NULL if there is "
              "none of\n"
              " * this number. */\n"
              "float *@_parameter(void *block, int parameter);\n"
              "\n"
              "/* How many floats that are; 0 if there is none of this number. */\n"
              "long @_parameter_size(int parameter);\n");
}

/* ---- the functions ---- */

static void emit_training_functions(struct emission *e) {
    bool accuracy = e->program->has_accuracy;
    emit_text(e, e->weights
                     ? "\n/* Prepares a block for training: the weights that lathe wrote, step 0. "
                       "The seed is that of the\n * random numbers of training. */\n"
                     : "\n/* Prepares a block for training: random weights, step 0. The same seed "
                       "gives the same\n * weights, and the same training. */\n");
    emit_text(e, "void @_init(void *block, uint32_t seed);\n"
                 "\n"
                 "/* The learning rate of the next step, by the model's own schedule. */\n"
                 "float @_learning_rate(const void *block);\n"
                 "\n"
                 "/* One step of training. x: samples, y: their labels, 1 to $_BATCH of them.\n");
    emit_text(e, accuracy
                     ? " * Returns the loss before the step; *accuracy, unless NULL, becomes the "
                       "share of right\n * predictions. */\n"
                     : " * Returns the loss before the step. */\n");
    emit_text(e, "float @_train_step(void *block, const float *x, const float *y, long samples,\n"
                 "    float learning_rate");
    emit_text(e, accuracy ? ", float *accuracy);\n" : ");\n");
    emit_text(e, "\n/* The same without learning: as in predictions, dropout does nothing. */\n"
                 "float @_evaluate(void *block, const float *x, const float *y, long samples");
    emit_text(e, accuracy ? ",\n    float *accuracy);\n" : ");\n");
    emit_text(e,
              "\n/* Predicts 1 to $_BATCH samples: x[samples][$_SAMPLE_SIZE] to\n"
              " * predictions[samples][$_OUTPUT_SIZE]. */\n"
              "void @_predict(void *block, const float *x, long samples, float *predictions);\n");
    emit_parameters(e);
}

static void emit_inference_functions(struct emission *e) {
    if (e->program->prepared_bytes)
        emit_text(e, "\n/* To be called once for a block, before its first prediction: brings the "
                     "weights into the form\n * that predictions use, and keeps them in the block. "
                     "*/\n"
                     "#define $_PREPARES 1\n"
                     "void @_prepare(void *block);\n");
    emit_text(e, "\n/* Predicts $_BATCH sample");
    emit_text(e, e->program->batch > 1 ? "s" : "");
    emit_text(e, ": x[$_BATCH][$_SAMPLE_SIZE] to\n"
                 " * predictions[$_BATCH][$_OUTPUT_SIZE]. ");
    emit_text(e, e->program->prepared_bytes ? "The block must be prepared. */\n"
                 : e->weights               ? "What the block held before does not matter. */\n"
                                            : "The block must hold the parameters. */\n");
    emit_text(e, "void @_predict(void *block, const float *x, float *predictions);\n");
    if (!e->weights) emit_parameters(e);
}

void emit_header(struct emission *e) {
    emit_text(e, about);
    emit_sizes(e);
    if (e->is_training)
        emit_training_functions(e);
    else
        emit_inference_functions(e);
    emit_text(e, "\n"
                 "#ifdef __cplusplus\n"
                 "}\n"
                 "#endif\n"
                 "\n"
                 "#endif\n");
}
