/* standalone_header.c: the header of a standalone model: sizes, parameters, functions, and how to
 * use them. */
#include "standalone.h"

#include <ctype.h>
#include <string.h>

static const char guard[] = "#ifndef $_H\n"
                            "#define $_H\n"
                            "\n"
                            "#include <stddef.h>\n"
                            "#include <stdint.h>\n"
                            "\n"
                            "#ifdef __cplusplus\n"
                            "extern \"C\" {\n"
                            "#endif\n"
                            "\n";

static const char *library(const struct emission *e) {
    return *e->mathematics ? "" : " -lm";
}

static bool is_linked(const struct emission *e) {
    return e->weights && e->form->weights_form == WEIGHTS_LINKED;
}

/* What it needs, and how to build it. */
static void emit_about(struct emission *e) {
    emit_format(e, " *\n * C99. It needs %s, allocates nothing and has no global state:\n",
                *e->mathematics ? "string.h" : "math.h and string.h");
    emit_text(e, " *     cc -std=c99 -O2 -c @.c");
    emit_format(e, "%s\n", *e->mathematics ? "" : "        and link with -lm");
    emit_text(e, " * In a Makefile:\n"
                 " *     program: program.o @.o");
    if (is_linked(e)) emit_text(e, " @_weights.o");
    emit_format(e, "\n *     \t$(CC) -o $@ $^%s\n", library(e));
    emit_text(e, " * With CMake:\n");
    if (is_linked(e)) emit_text(e, " *     enable_language(ASM)\n");
    emit_text(e, " *     add_executable(program program.c @.c");
    if (is_linked(e)) /* where the assembler finds the weights */
        emit_format(e, " %s_weights.S)\n *     target_include_directories(program PRIVATE %s",
                    e->name, "${CMAKE_CURRENT_SOURCE_DIR}");
    emit_text(e, ")\n");
    if (!*e->mathematics) emit_text(e, " *     target_link_libraries(program m)\n");
    emit_text(e, " * All that it works in is one block of the caller's memory: $_BLOCK_BYTES\n"
                 " * bytes at an address divisible by $_ALIGNMENT. Calls with different blocks may "
                 "run at\n * the same time. */\n");
    emit_text(e, guard);
}

static void define(struct emission *e, const char *name, long value) {
    emit_text(e, "#define $_");
    emit_format(e, "%s %ld\n", name, value);
}

/* ---- sizes ---- */

static const char *axes_text(struct emission *e, int rank) {
    if (rank != 3) return "";
    return e->form->channels_first ? " (channels, height, width)" : " (height, width, channels)";
}

/* A shape in the caller's order of axes. */
static const char *caller_shape(struct emission *e, int rank, const long *shape) {
    if (rank != 3 || !e->form->channels_first) return shape_text(e->arena, rank, shape);
    return shape_text(e->arena, 3, (const long[]){shape[2], shape[0], shape[1]});
}

static void emit_sample_sizes(struct emission *e) {
    static const char *const axes[] = {"HEIGHT", "WIDTH", "CHANNELS"};
    const struct program *p = e->program;
    emit_format(e,
                "/* A sample: %s %ss%s,\n * as in training: lathe's images are 0 to 1, a byte "
                "divided by 255. */\n",
                caller_shape(e, p->sample_rank, p->sample_shape), e->number,
                axes_text(e, p->sample_rank));
    for (int i = 0; p->sample_rank == 3 && i < 3; i++) define(e, axes[i], p->sample_shape[i]);
    define(e, "SAMPLE_SIZE", p->sample_size);
    if (e->is_training) {
        emit_format(e, "\n/* The label of a sample: %s. */\n",
                    p->sparse_labels ? "the number of its class" : "the values that are right");
        define(e, "LABEL_SIZE", p->label_size);
    }
    const struct shape *output = &e->model->output->output;
    emit_text(e, "\n/* Predictions of one sample");
    if (output->rank > 1)
        emit_format(e, ": %s%s", caller_shape(e, output->rank, output->size),
                    axes_text(e, output->rank));
    emit_text(e, ". */\n");
    define(e, "OUTPUT_SIZE", p->output_size);
    if (e->form->class_names)
        emit_text(e, "\n/* What they are probabilities of. */\n"
                     "extern const char *const @_class_names[$_OUTPUT_SIZE];\n");
    emit_format(e, "\n/* Samples of %s call. */\n", e->is_training ? "the largest" : "one");
    define(e, "BATCH", p->batch * e->pieces);
}

/* "optimizer 16720, ", in bytes; nothing for a part that the block has not. */
static void emit_part(struct emission *e, const char *name, long begin, long numbers) {
    if (begin >= 0 && numbers > 0) emit_format(e, "%s %ld, ", name, numbers * e->number_bytes);
}

static void emit_block(struct emission *e) {
    const struct block_layout *b = &e->block;
    const struct program *p = e->program;
    const char *slots = e->pieces > 1 ? "optimizer and summed gradient" : "optimizer";
    emit_text(e, "\n/* The caller's block. In bytes: ");
    emit_part(e, "weights", b->space[SPACE_TRAINABLE], p->space_size[SPACE_TRAINABLE]);
    emit_part(e, "state", b->space[SPACE_STATE], p->space_size[SPACE_STATE]);
    emit_part(e, slots, b->space[SPACE_OPTIMIZER], p->space_size[SPACE_OPTIMIZER]);
    emit_part(e, "prepared weights", b->prepared, (long)p->prepared_bytes / e->number_bytes);
    emit_text(e, e->is_training ? "\n * " : "");
    emit_part(e, "samples", b->samples, p->rows * p->sample_size);
    emit_part(e, "labels", b->labels, p->rows * p->label_size);
    emit_part(e, "predictions", b->predictions, p->rows * p->output_size);
    emit_format(e, "workspace %zu", p->arena_bytes);
    if (e->memory.lower_bound > 0)
        emit_format(e, ",\n * of which %ld are in use at once", e->memory.lower_bound);
    emit_text(e, ". */\n");
    define(e, "BLOCK_BYTES", e->number_bytes * b->numbers);
    define(e, "ALIGNMENT", b->alignment);
    emit_text(e, "/* Stack that a call needs at most, when compiled with optimization. */\n");
    define(e, "STACK_BYTES", e->stack_bytes);
    if (e->is_training) {
        emit_text(e, "/* So many bytes at its beginning are all that must be kept to go on later:\n"
                     " * weights, optimizer, step. */\n");
        define(e, "STATE_BYTES", e->number_bytes * b->state_numbers);
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
        emit_format(e, "%s %d /* %s, at number %ld of the block */\n", macro, i,
                    shape_text(e->arena, v->rank, v->size), e->block.space[v->space] + v->offset);
    }
    emit_text(e,
              "\n"
              "/* The values of a parameter in the block, to read and to write; NULL if there is "
              "none of\n"
              " * this number. */\n"
              "~ *@_parameter(void *block, int parameter);\n"
              "\n"
              "/* How many numbers that are; 0 if there is none of this number. */\n"
              "long @_parameter_size(int parameter);\n");
}

/* ---- the functions ---- */

static void emit_threads(struct emission *e) {
    if (!e->form->threads) return;
    emit_text(e,
              "\n"
              "/* How the caller runs the units of a step of the work: run must call task(context, "
              "begin, end)\n"
              " * for ranges that together are [0, count), in any order, at the same time or not, "
              "and return when\n"
              " * all is done. The results are the same to the bit for any split. With OpenMP:\n"
              " *     static void run(void *pool, @_task *task, const void *context, long count) "
              "{\n"
              " *         (void)pool;\n"
              " *         #pragma omp parallel\n"
              " *         {\n"
              " *             const long parts = omp_get_num_threads(), part = "
              "omp_get_thread_num();\n"
              " *             task(context, count * part / parts, count * (part + 1) / parts);\n"
              " *         }\n"
              " *     }\n"
              " *     const struct @_threads threads = {run, NULL};\n"
              " * A call with NULL instead of &threads stays on its thread. */\n"
              "typedef void @_task(const void *context, long begin, long end);\n"
              "struct @_threads {\n"
              "    void (*run)(void *pool, @_task *task, const void *context, long count);\n"
              "    void *pool; /* for run */\n"
              "};\n");
}

static void emit_load_function(struct emission *e) {
    size_t bytes;
    if (!has_loaded_weights(e)) return;
    weights_file(e, &bytes);
    emit_text(e, "\n/* The weights are in the file @.weights, which a program may read in whole:\n"
                 " *     FILE *file = fopen(\"@.weights\", \"rb\");\n"
                 " *     size_t read = fread(memory, 1, $_WEIGHTS_BYTES, file);\n"
                 " *     int loaded = @_load(block, memory, read);\n"
                 " * Brings them into the block. Returns 1, or 0 if these are not the bytes that "
                 "lathe wrote.\n"
                 " * The memory may be the block itself, from $_WEIGHTS_OFFSET on: it is the same "
                 "place. */\n");
    define(e, "WEIGHTS_BYTES", (long)bytes);
    long first = e->block.space[SPACE_TRAINABLE] >= 0 ? e->block.space[SPACE_TRAINABLE]
                                                      : e->block.space[SPACE_STATE];
    define(e, "WEIGHTS_OFFSET", (first < 0 ? 0 : first) * e->number_bytes);
    emit_text(e, "int @_load(void *block, const void *weights, size_t bytes);\n");
}

static bool has_layer(const struct emission *e, const char *type) {
    for (int i = 0; i < e->model->layer_count; i++)
        if (!strcmp(e->model->layers[i]->type->name, type)) return true;
    return false;
}

static void emit_pieces_note(struct emission *e) {
    if (e->pieces < 2) return;
    emit_format(
        e,
        " * The gradient is summed over pieces of %ld samples: the step is that of the whole "
        "batch, up to\n * rounding.",
        e->program->batch);
    if (has_layer(e, "batch_norm"))
        emit_text(e, " Batch normalization takes its statistics from each piece, and\n"
                     " * moves its averages with each.");
    if (has_layer(e, "dropout")) emit_text(e, " Dropout draws anew for each piece.");
    emit_text(e, "\n");
}

static void emit_init_function(struct emission *e) {
    const char *text = "\n/* Prepares a block for training: random weights, step 0. The same seed "
                       "gives the same\n * weights, and the same training. */\n";
    if (!e->is_training)
        text = "\n/* Fills a block with random weights, to be replaced by the caller's. The same "
               "seed gives the\n * same weights. */\n";
    else if (has_loaded_weights(e))
        text = "\n/* Prepares a block for training: random weights, which @_load replaces, step 0. "
               "The same seed\n * gives the same weights, and the same training. */\n";
    else if (e->weights)
        text = "\n/* Prepares a block for training: the weights that lathe wrote, step 0. The seed "
               "is that of the\n * random numbers of training. */\n";
    emit_text(e, text);
    emit_text(e, "void @_init(void *block, uint32_t seed);\n");
}

static void emit_training_functions(struct emission *e) {
    bool accuracy = e->program->has_accuracy;
    emit_init_function(e);
    emit_load_function(e);
    emit_text(e, "\n/* The learning rate of the next step, by the model's own schedule. */\n"
                 "~ @_learning_rate(const void *block);\n"
                 "\n"
                 "/* One step of training. x: samples, y: their labels, 1 to $_BATCH of them.\n");
    emit_text(e, accuracy
                     ? " * Returns the loss before the step; *accuracy, unless NULL, becomes the "
                       "share of right\n * predictions."
                     : " * Returns the loss before the step.");
    if (e->pieces > 1) emit_text(e, "\n");
    emit_pieces_note(e);
    emit_text(e, " */\n~ @_train_step(void *block, const ~ *x, const ~ *y, long samples,\n"
                 "    ~ learning_rate");
    if (accuracy) emit_text(e, ", ~ *accuracy");
    emit_threads_parameter(e);
    emit_text(e, ");\n\n/* The same without learning: as in predictions, dropout does nothing. */\n"
                 "~ @_evaluate(void *block, const ~ *x, const ~ *y, long samples");
    if (accuracy) emit_text(e, ",\n    ~ *accuracy");
    emit_threads_parameter(e);
    emit_text(e, ");\n\n/* Predicts 1 to $_BATCH samples: x[samples][$_SAMPLE_SIZE] to\n"
                 " * predictions[samples][$_OUTPUT_SIZE]. */\n"
                 "void @_predict(void *block, const ~ *x, long samples, ~ *predictions");
    emit_threads_parameter(e);
    emit_text(e, ");\n");
    emit_parameters(e);
}

static void emit_inference_functions(struct emission *e) {
    bool prepares = e->program->prepared_bytes > 0;
    if (!e->weights) emit_init_function(e);
    emit_load_function(e);
    if (prepares) {
        emit_text(e, "\n/* To be called once for a block, before its first prediction: brings the "
                     "weights into the form\n * that predictions use, and keeps them in the block. "
                     "*/\n"
                     "#define $_PREPARES 1\n"
                     "void @_prepare(void *block");
        emit_threads_parameter(e);
        emit_text(e, ");\n");
    }
    emit_text(e, "\n/* Predicts $_BATCH sample");
    emit_text(e, e->program->batch > 1 ? "s" : "");
    emit_text(e, ": x[$_BATCH][$_SAMPLE_SIZE] to\n"
                 " * predictions[$_BATCH][$_OUTPUT_SIZE]. ");
    emit_text(e, prepares                  ? "The block must be prepared. */\n"
                 : has_constant_weights(e) ? "What the block held before does not matter. */\n"
                                           : "The block must hold the parameters. */\n");
    emit_text(e, "void @_predict(void *block, const ~ *x, ~ *predictions");
    emit_threads_parameter(e);
    emit_text(e, ");\n");
    if (!has_constant_weights(e)) emit_parameters(e);
}

void emit_header(struct emission *e) {
    emit_about(e);
    emit_sample_sizes(e);
    emit_block(e);
    emit_threads(e);
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
