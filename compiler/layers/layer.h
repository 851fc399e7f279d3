/* layer.h: what a kind of layer is: one table entry, one file a family.
 *
 * The table (layers.c) holds for each kind its Lua name, its options with their defaults, its shape
 * rule and how it is written in tensor primitives. Losses and optimizers are lowered beside. */
#ifndef LATHE_LAYER_H
#define LATHE_LAYER_H

#include "../frontend/model.h"

enum option_kind {
    OPTION_COUNT,        /* an integer of at least 1 */
    OPTION_SEED,         /* an integer from 0 to 2^32 - 1 */
    OPTION_PAIR,         /* one such, or { height, width } */
    OPTION_FRACTION,     /* a number in [0, 1) */
    OPTION_NUMBER,       /* any finite number */
    OPTION_POSITIVE,     /* a number above 0 */
    OPTION_NOT_NEGATIVE, /* a number of at least 0 */
    OPTION_BOOLEAN,
    OPTION_PADDING,       /* "valid" or "same" */
    OPTION_ACTIVATION,    /* a name or a Lua function */
    OPTION_INITIALIZER,   /* a name or constant(value) */
    OPTION_SHAPE,         /* a list of sizes */
    OPTION_SHAPE_FREE,    /* the same; one of them may be -1: what is left */
    OPTION_AXIS,          /* an integer, negative counts from the end */
    OPTION_NUMBERS,       /* a list of finite numbers */
    OPTION_LEARNING_RATE, /* an expression: a number, exponential_decay { ... }, a function */
    OPTION_LOSS,          /* a name or a Lua function */
    OPTION_OPTIMIZER,     /* a name or a call of an optimizer */
    OPTION_WHOLE,         /* an integer of at least 0 */
    OPTION_PART,          /* a number above 0 and below 1 */
    OPTION_METRIC,        /* enum metric: "val_loss", ... */
    OPTION_MONITOR_MODE,  /* "auto", "min" or "max" */
    OPTION_FILE,          /* a path below the directory of a run */
    OPTION_LETTER,        /* a text of one character */
    OPTION_UPDATE_FREQ,   /* "epoch" (0), "batch" (1) or an integer of at least 1: steps */
    OPTION_CALLBACKS,     /* a list of callbacks */
    OPTION_AUGMENTATION,  /* a table of its options */
    OPTION_FILL_MODE,     /* "nearest" or "constant" */
    OPTION_METRICS        /* a boolean: "accuracy", { "accuracy" } or {} */
};

/* Layers, optimizers and the training table are read from Lua by such tables. */
struct option {
    const char *name; /* Keras's */
    enum option_kind kind;
    size_t field;              /* offsetof(struct layer, ...): what the option fills */
    const char *default_value; /* as Lua text: "1", "'valid'", "true"; "": stays as it is;
                                * NULL: must be given */
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

struct optimizer_type {
    const char *name; /* the Lua function: "adam" */
    enum optimizer_kind kind;
    const struct option *options; /* of struct optimizer */
    int option_count;
};

enum { MAX_NUMBERS = 32 };
struct number_list {
    double value[MAX_NUMBERS];
    int count;
};

/* The options of a schedule of the learning rate; which ones a kind has is in its table. */
struct schedule {
    double initial_learning_rate, end_learning_rate, decay_rate, power, alpha, warmup_target;
    long decay_steps, warmup_steps;
    bool staircase, cycle;
    struct number_list boundaries, values;
};

struct schedule_type {
    const char *name;             /* the Lua function: "cosine_decay" */
    const struct option *options; /* of struct schedule */
    int option_count;
    /** What is wrong with the options together, or NULL; may be NULL. */
    const char *(*mistake)(const struct schedule *schedule);
    /** The learning rate of a step, from 0. */
    const struct expression *(*lower)(const struct schedule *schedule, struct arena *arena,
                                      const struct expression *step);
};

/** The table entry of a Lua name, or NULL. */
const struct layer_type *layer_type_find(const char *name);

/** All types, for messages ("did you mean"); ends with NULL. */
const struct layer_type *const *layer_types(void);

/** The optimizers; ends with an entry without name. */
const struct optimizer_type *optimizer_types(void);

/** The schedules of the learning rate; ends with an entry without name. schedule.c */
const struct schedule_type *schedule_types(void);

/** The names that activations, initializers and losses have in Lua; each list ends with NULL. */
const char *const *activation_names(void);
const char *const *initializer_names(void);
const char *const *loss_names(void);

/** Starts an error text: `file:line: kind "name": ` and appends the message. Returns false. */
bool layer_error(const struct layer *layer, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Applies an activation to a tensor. */
struct tensor *lower_activation(struct graph *graph, const struct function *activation,
                                struct tensor *x);

/** The shape with the batch in front. */
struct shape shape_with_batch(const struct shape *shape, long batch);

enum mode {
    MODE_TRAINING,   /* outputs loss, accuracy; updates weights, statistics, optimizer slots */
    MODE_EVALUATION, /* outputs loss, accuracy, predictions */
    MODE_PREDICTION, /* output predictions */
    /* A training step in pieces: */
    MODE_GRADIENT, /* outputs loss, accuracy; adds the piece's gradient, times its samples, to a sum
                    */
    MODE_UPDATE,   /* updates weights and slots by the sum over all samples, and clears it */
    MODE_COUNT
};

/** The loss: rank 0, the mean over the valid samples (SCALAR_SAMPLES: rows from there on are
 * padding). logits are the output before its activation, predictions after it. loss.c */
struct tensor *lower_loss(const struct model *model, struct graph *graph, struct tensor *labels,
                          struct tensor *logits, struct tensor *predictions);

/** The share of valid samples whose prediction is right: rank 0. loss.c */
struct tensor *lower_accuracy(const struct model *model, struct graph *graph, struct tensor *labels,
                              struct tensor *logits, struct tensor *predictions);

/** The activation with which the output layer ends; NULL if it ends without one. loss.c */
const struct function *output_activation(const struct model *model);

/** Checks that the loss suits the output layer (its activation and size). A model without training
 * table passes. loss.c */
bool loss_check(const struct model *model, struct error *error);

/** Elements of SPACE_OPTIMIZER for so many weights. In the modes of a step in pieces the summed
 * gradient, as long as the weights, follows them. optimizer.c */
long optimizer_space(const struct optimizer *optimizer, long weights);

/** The optimizer's step of the weights from `offset` in SPACE_TRAINABLE on, of which `gradient`, flat,
 * is the gradient: adds the updates, that of the weights behind those of their slots. Who calls it for
 * all weights in several ranges calls it for the last range last. The space of the optimizer starts as
 * zeros. optimizer.c */
void lower_optimizer(const struct optimizer *optimizer, struct graph *graph,
                     struct tensor *gradient, long offset);

/** The learning rate of a step (from 0), with the model's schedule; the runtime asks each step. */
double optimizer_learning_rate(const struct optimizer *optimizer, long step);

/** Shape of the labels of one sample: rank 0 for sparse classes, else the shape of the output. */
struct shape label_shape(const struct model *model);

/** Builds the tensor graph of the model: input 0 = samples [batch, ...], input 1 = labels
 * [batch, ...] (classes as numbers). Variables have the same offsets in every mode. lower.c */
struct graph *lower_model(const struct model *model, enum mode mode, long batch,
                          struct arena *arena, struct error *error);

#endif
