/* layer.h: what a kind of layer is: one table entry, one file a family.
 *
 * The table (layers.c) holds for each kind its Lua name, its options with their defaults, its shape
 * rule and how it is written in tensor primitives. Losses and optimizers are lowered beside. */
#ifndef LATHE_LAYER_H
#define LATHE_LAYER_H

#include "../frontend/model.h"

enum option_kind {
    OPTION_COUNT,       /* an integer of at least 1 */
    OPTION_PAIR,        /* one such, or { height, width } */
    OPTION_FRACTION,    /* a number in [0, 1) */
    OPTION_NUMBER,      /* any finite number */
    OPTION_POSITIVE,    /* a number above 0 */
    OPTION_BOOLEAN,
    OPTION_PADDING,     /* "valid" or "same" */
    OPTION_ACTIVATION,  /* a name or a Lua function */
    OPTION_INITIALIZER, /* a name or constant(value) */
    OPTION_SHAPE,       /* a list of sizes; one -1 allowed */
    OPTION_AXIS         /* an integer, negative counts from the end */
};

struct option {
    const char *name; /* Keras's */
    enum option_kind kind;
    size_t field;              /* offsetof(struct layer, ...) */
    const char *default_value; /* as Lua text: "1", "\"valid\"", "true"; NULL: must be given */
    bool positional;           /* may stand first without its name */
};

struct layer_type {
    const char *name; /* the Lua function: "conv2d" */
    const struct option *options;
    int option_count;
    int least_inputs, most_inputs;
    /** Fills layer->output from the inputs' shapes; says what does not fit. */
    bool (*infer_shape)(struct layer *layer, struct error *error);
    /** Returns the output; in[i] has the batch as axis 0. training: as in a training step. */
    struct tensor *(*lower)(const struct layer *layer, struct graph *graph,
                            struct tensor *const *in, bool training);
};

/** The table entry of a Lua name, or NULL. */
const struct layer_type *layer_type_find(const char *name);

/** All types, for messages ("did you mean"); ends with NULL. */
const struct layer_type *const *layer_types(void);

/** Starts an error text: `file:line: kind "name": ` and appends the message. Returns false. */
bool layer_error(const struct layer *layer, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Applies an activation to a tensor. */
struct tensor *lower_activation(struct graph *graph, const struct function *activation,
                                struct tensor *x);

enum mode {
    MODE_TRAINING,   /* outputs loss, accuracy; updates weights, statistics, optimizer slots */
    MODE_EVALUATION, /* outputs loss, accuracy, predictions */
    MODE_PREDICTION  /* output predictions */
};

/** The loss of the layer's output: (labels, predictions or logits) -> rank 0, the mean over the
 * valid samples (SCALAR_SAMPLES: rows from there on are padding). loss.c */
struct tensor *lower_loss(const struct model *model, struct graph *graph, struct tensor *labels,
                          struct tensor *predictions);

/** Checks that the loss suits the output layer (its activation and size). loss.c */
bool loss_check(const struct model *model, struct error *error);

/** The optimizer: gradient is flat, in the order of SPACE_TRAINABLE; adds the updates. optimizer.c */
void lower_optimizer(const struct optimizer *optimizer, struct graph *graph,
                     struct tensor *gradient);

/** The learning rate of a step (from 0), with the model's schedule; the runtime asks each step. */
double optimizer_learning_rate(const struct optimizer *optimizer, long step);

/** Shape of the labels of one sample: rank 0 for sparse classes, else the shape of the output. */
struct shape label_shape(const struct model *model);

/** Builds the tensor graph of the model: input 0 = samples [batch, ...], input 1 = labels
 * [batch, ...] (classes as numbers). Variables have the same offsets in every mode. lower.c */
struct graph *lower_model(const struct model *model, enum mode mode, long batch,
                          struct arena *arena, struct error *error);

#endif
