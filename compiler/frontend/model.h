/* model.h: the layer graph, as the frontend reads it from a Lua file.
 *
 * Shapes are without the batch. Every layer knows its Lua file and line; all messages begin
 * `file:line: kind "name": `. */
#ifndef LATHE_MODEL_H
#define LATHE_MODEL_H

#include "../base/arena.h"
#include "../tensor/graph.h"
#include "../../runtime/augmentation.h"
#include "../../runtime/callbacks.h"
#include "../../runtime/error.h"

struct layer_type; /* layers/layer.h */

enum padding { PADDING_VALID, PADDING_SAME };

/* An activation, a loss or a schedule is a built-in name or a traced Lua function: an expression
 * whose operand 0 (and 1, for a loss: true, predicted) is the argument. */
struct function {
    const char *name;                    /* "relu", or "function" when traced */
    const struct expression *expression; /* NULL: look the name up */
};

struct initializer {
    const char *name; /* "glorot_uniform", ... */
    double value;     /* of "constant" */
};

struct layer {
    const struct layer_type *type;
    const char *name; /* unique in the model: "conv2d_1", as Keras counts: "conv2d", "conv2d_1" */
    const char *file;
    int line;
    int number; /* position in model->layers */
    struct layer **inputs;
    int input_count;
    struct shape output; /* filled by the type's shape rule */
    bool trainable;

    /* Options; which ones a type has is in its option table. */
    long units, filters, groups, axis;
    long kernel_size[2], strides[2], dilation_rate[2];
    enum padding padding;
    bool use_bias, center, scale;
    double rate, momentum, epsilon;
    struct function activation;
    struct initializer kernel_initializer, bias_initializer, gamma_initializer, beta_initializer;
    struct shape target_shape;
};

enum optimizer_kind {
    OPTIMIZER_SGD,
    OPTIMIZER_RMSPROP,
    OPTIMIZER_ADAGRAD,
    OPTIMIZER_ADADELTA,
    OPTIMIZER_ADAM,
    OPTIMIZER_NADAM
};

struct schedule_type; /* layers/layer.h */
struct schedule;

struct learning_rate {
    const struct expression *expression; /* of operand 0: the step, from 0 */
    const struct schedule_type *type;    /* what it comes of; NULL: a number or a Lua function */
    const struct schedule *schedule;     /* the options of that */
};

struct optimizer {
    enum optimizer_kind kind;
    const char *file;
    int line;
    struct learning_rate learning_rate;
    double momentum, rho, beta_1, beta_2, epsilon, initial_accumulator_value;
    bool nesterov, centered, amsgrad;
};

struct callback_list {
    const struct callback_options *options;
    int count;
};

/* The model's training table: its recipe. */
struct training {
    const char *file; /* NULL: the model has no training table, and nothing below is set */
    int line;
    struct function loss; /* "sparse_categorical_crossentropy", ... */
    bool from_logits;
    struct optimizer optimizer;
    long batch_size, epochs;
    double validation_split;
    bool stratified; /* the split: of each class its share */
    long seed;       /* of all random numbers, if the command line gives none */
    struct callback_list callbacks;
    struct augmentation augmentation;
    bool accuracy; /* metrics = { "accuracy" }; on by default for the crossentropies */
};

struct source_file; /* sandbox.h */

struct model {
    const char *name;
    const char *file;
    int line;
    struct layer **layers; /* topological order */
    int layer_count;
    struct layer *input, *output;
    struct training training;
    const struct source_file *sources; /* the model file, and the files that it requires */
    int source_count;
    const char *point; /* of a sweep, as JSON; NULL: the file holds the model itself */
};

/** Reads a model file: runs it in a sandbox (no io, os, bytecode; a memory and instruction budget;
 * require only beside the file), builds the layers, infers every shape and checks every option.
 * Returns NULL and one message `file:line: kind "name": what is wrong; what would be right`. */
struct model *model_read(struct arena *arena, const char *path, struct error *error);

/** Reads a list of callbacks, `early_stopping { patience = 5 }, csv_logger {}`, in such a sandbox;
 * messages call it `name`. */
bool model_read_callbacks(struct arena *arena, const char *name, const char *text,
                          struct callback_list *list, struct error *error);

/** The same for a sweep file (sweep.h): the model that it gives at a point, a JSON object of the
 * parameters' values. With point NULL it is model_read. */
struct model *model_read_point(struct arena *arena, const char *path, const char *point,
                               struct error *error);

#endif
