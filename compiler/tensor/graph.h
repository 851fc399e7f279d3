/* graph.h: the tensor graph, a few primitives with static shapes.
 *
 * Layers, losses, metrics and optimizers are built from these primitives; gradients, fusion and
 * code generation know nothing else. A batch of samples is axis 0. Shapes follow Keras: images are
 * [batch, height, width, channels], convolution kernels [height, width, in / groups, filters],
 * dense kernels [in, units]. The values are row-major here; physical layouts come later
 * (passes/layout.c).
 *
 * One table (primitives.c) holds for each primitive its name, arity, shape rule, gradient rule,
 * naive reference and printer; each primitive has one file. */
#ifndef LATHE_GRAPH_H
#define LATHE_GRAPH_H

#include "../base/arena.h"
#include "../base/text.h"
#include "../../runtime/error.h"
#include "expression.h"

enum { MAX_RANK = 6, MAX_LOOPS = 8, MAX_TERMS = 2 };

struct shape {
    int rank;
    long size[MAX_RANK];
};

enum primitive {
    PRIMITIVE_INPUT,             /* data of the call: samples, labels */
    PRIMITIVE_SCALAR,            /* a number of the call: enum scalar; rank 0 */
    PRIMITIVE_VARIABLE,          /* a whole space of variables, flat: rank 1 */
    PRIMITIVE_MAP,               /* an expression, elementwise, over broadcast operands */
    PRIMITIVE_CONTRACT,          /* sum of products over affine indices */
    PRIMITIVE_REDUCE,            /* sum or maximum over axes (kept with size 1) */
    PRIMITIVE_MAX_POOL,          /* maximum over windows of a [n,h,w,c] image */
    PRIMITIVE_MAX_POOL_GATHER,   /* (x, v) -> the value of v at the first maximum of a window of x */
    PRIMITIVE_MAX_POOL_GRADIENT, /* (x, y, dy) -> dx; the first maximum of a window gets dy */
    PRIMITIVE_RESHAPE,           /* same elements in row-major order */
    PRIMITIVE_SLICE,             /* a range along one axis */
    PRIMITIVE_CONCAT,            /* along one axis */
    PRIMITIVE_PAD,               /* zeros before and after, along one axis (SLICE's gradient) */
    PRIMITIVE_COUNT
};

/* Numbers that a call brings along. Rank-0 maps are computed in double everywhere and rounded when
 * a tensor uses them, so that 1 - beta^t keeps its digits. */
enum scalar {
    SCALAR_LEARNING_RATE, /* of this step, after schedules */
    SCALAR_STEP,          /* number of this optimizer step, from 1 */
    SCALAR_SAMPLES,       /* valid samples of the batch; the rest of the batch is padding */
    SCALAR_SEED,          /* of the random numbers, below 2^32 */
    SCALAR_COUNT
};

/* Where a variable lives. Each space is one flat vector in the caller's memory. */
enum space {
    SPACE_TRAINABLE, /* weights that the optimizer changes */
    SPACE_STATE,     /* frozen weights, moving statistics */
    SPACE_OPTIMIZER, /* slots (each as long as SPACE_TRAINABLE), then single numbers */
    SPACE_COUNT
};

enum reduction { REDUCTION_SUM, REDUCTION_MAXIMUM };

/* index = sum of coefficient * loop + offset */
struct affine {
    int term_count;
    struct {
        int loop;
        long coefficient;
    } term[MAX_TERMS];
    long offset;
};
struct access {
    struct affine axis[MAX_RANK];
};

/* for all loops: out[access] += a[a_access] * b[b_access]. A point at which any access leaves its
 * tensor contributes nothing (that is zero padding). With one input, b counts as 1. The gradient by
 * an input is the same loops with the roles exchanged. */
struct contract {
    int loop_count;
    long extent[MAX_LOOPS];
    const char *loop_name[MAX_LOOPS]; /* for dumps: "n", "oh", "kw", ... */
    struct access out, a, b;
};

/* A window over height and width: row = out_row * strides[0] + k * dilation_rate[0] - pad[0]. */
struct window {
    long kernel_size[2], strides[2], dilation_rate[2], pad[2];
};

/* The layer a tensor stems from: messages, names and comments use it. */
struct origin {
    const char *layer; /* "conv2d_1", or NULL */
    const char *file;
    int line;
    bool is_optimizer; /* no layer's, and not the loss's */
};

struct tensor {
    enum primitive primitive;
    int number; /* position in graph->tensors; inputs always have smaller numbers */
    struct shape shape;
    const char *name; /* for people and for the C text: "conv2d_1_kernel_gradient"; not unique */
    struct origin origin;
    struct tensor **in;
    int in_count;

    int index;                           /* INPUT: which; SCALAR: enum scalar; VARIABLE: enum space */
    const struct expression *expression; /* MAP: operand i is in[i] */
    const struct contract *contract;     /* CONTRACT */
    enum reduction reduction;            /* REDUCE */
    unsigned axes;                       /* REDUCE: bit i set = axis i is reduced */
    struct window window;                /* MAX_POOL, MAX_POOL_GATHER, MAX_POOL_GRADIENT */
    int axis;                            /* SLICE, CONCAT, PAD */
    long begin, end;                     /* SLICE: [begin, end); PAD: zeros before, zeros after */
};

/* A named range of a space: what is saved, loaded, initialized and shown. */
enum initializer_kind {
    INITIALIZER_ZEROS,
    INITIALIZER_ONES,
    INITIALIZER_CONSTANT,
    INITIALIZER_UNIFORM,         /* in [-scale, scale) */
    INITIALIZER_NORMAL,          /* mean 0, standard deviation scale */
    INITIALIZER_TRUNCATED_NORMAL /* the same, redrawn beyond two standard deviations */
};
struct variable {
    const char *name; /* "conv2d_1/kernel" */
    struct shape shape;
    enum space space;
    long offset; /* in elements, in its space */
    enum initializer_kind initializer;
    double scale; /* half width, standard deviation, or the constant */
    struct origin origin;
};

struct output {
    const char *name; /* "loss", "accuracy", "predictions" */
    struct tensor *tensor;
};

/* At the end of the call, the range [offset, offset + size of value) of a space becomes value. */
struct update {
    enum space space;
    long offset;
    struct tensor *value;
};

struct graph {
    struct arena *arena;
    struct tensor **tensors;
    int tensor_count, tensor_capacity;
    struct tensor **table; /* the tensors by what they are, for the builders; NULL: to be made */
    int table_size;        /* a power of 2 */
    struct output *outputs;
    int output_count, output_capacity;
    struct update *updates;
    int update_count, update_capacity;
    struct variable *variables; /* shared by all graphs of a model */
    int variable_count, variable_capacity;
    long space_size[SPACE_COUNT]; /* in elements */
    int random_streams;           /* streams handed out so far */
    struct origin origin;         /* given to every new tensor; the layer being lowered sets it */
    const char *name;             /* the same: prefix of the names of new tensors, or NULL */
};

/** An empty graph in the arena. */
struct graph *graph_new(struct arena *arena);

struct shape shape_of(int rank, const long *size);
long shape_elements(const struct shape *shape);
bool shape_equal(const struct shape *a, const struct shape *b);
/** Appends "[128, 28, 28, 8]". */
void shape_print(struct text *text, const struct shape *shape);

/* Builders. They take shapes that fit (a layer checks its user's shapes first); graph_verify
 * reports what does not. Each returns a new tensor, or an equal or simpler one that exists. */
struct tensor *graph_input(struct graph *graph, const char *name, int index, struct shape shape);
struct tensor *graph_scalar(struct graph *graph, enum scalar scalar);
struct tensor *graph_constant(struct graph *graph, double value); /* a map without operands */
/** Declares a variable and returns the tensor that reads it (a reshaped slice of its space). */
struct tensor *graph_variable(struct graph *graph, const char *name, struct shape shape,
                              enum space space, enum initializer_kind initializer, double scale);
/** Reads the first `size` elements from `offset` of a space, as a flat vector. */
struct tensor *graph_space(struct graph *graph, enum space space, long offset, long size);
/** Operand shapes are broadcast as NumPy does: aligned at the last axis, sizes equal or 1. */
struct tensor *graph_map(struct graph *graph, const struct expression *expression,
                         struct tensor *const *in, int in_count);
/** As graph_map, for an expression whose shape its operands do not tell (INDEX, RANDOM alone). */
struct tensor *graph_map_shaped(struct graph *graph, const struct expression *expression,
                                struct tensor *const *in, int in_count, struct shape shape);
struct tensor *graph_contract(struct graph *graph, const struct contract *contract,
                              struct shape shape, struct tensor *a, struct tensor *b);
struct tensor *graph_reduce(struct graph *graph, enum reduction reduction, unsigned axes,
                            struct tensor *in);
struct tensor *graph_max_pool(struct graph *graph, const struct window *window, long out_height,
                              long out_width, struct tensor *in);
struct tensor *graph_reshape(struct graph *graph, struct shape shape, struct tensor *in);
struct tensor *graph_slice(struct graph *graph, int axis, long begin, long end, struct tensor *in);
struct tensor *graph_concat(struct graph *graph, int axis, struct tensor *const *in, int in_count);
struct tensor *graph_pad(struct graph *graph, int axis, long before, long after, struct tensor *in);

/** The pixels of v where max_pool finds the (first) maxima of x; v has x's shape. */
struct tensor *graph_max_pool_gather(struct graph *graph, const struct window *window,
                                     long out_height, long out_width, struct tensor *x,
                                     struct tensor *v);

/** True if the windows lie side by side and are small: no pixel of the large image is in two, and a
 * row of windows is short. */
bool window_is_side_by_side(const struct window *window, const struct shape *large);

/** (x, y = max_pool(x), dy) -> dx. */
struct tensor *graph_max_pool_gradient(struct graph *graph, const struct window *window,
                                       struct tensor *x, struct tensor *y, struct tensor *dy);

/** For passes: an empty graph with the same variables, spaces and random streams. */
struct graph *graph_like(const struct graph *graph);
/** For passes: `tensor` built into this graph over other inputs, by the builder of its primitive
 * (so that it may become simpler); keeps name and origin. */
struct tensor *graph_rebuild(struct graph *graph, const struct tensor *tensor,
                             struct tensor *const *in);
/** Equal primitives over equal inputs: both have the same value. Names do not count. */
bool tensor_equal(const struct tensor *a, const struct tensor *b);

/* Short forms of graph_map for what layers and optimizers are written in. */
struct tensor *graph_unary(struct graph *graph, enum expression_operator op, struct tensor *a);
struct tensor *graph_binary(struct graph *graph, enum expression_operator op, struct tensor *a,
                            struct tensor *b);
struct tensor *graph_scale(struct graph *graph, struct tensor *a, double factor);
struct tensor *graph_shift(struct graph *graph, struct tensor *a, double summand);
struct tensor *graph_select(struct graph *graph, struct tensor *condition, struct tensor *a,
                            struct tensor *b);

/* Short forms of graph_contract. */
/** [n, ..., in] x [in, units] -> [n, ..., units] (Keras Dense, ONNX MatMul). */
struct tensor *graph_dense(struct graph *graph, struct tensor *x, struct tensor *kernel);
/** [n,h,w,c] x [kh,kw,c/groups,filters] -> [n,out_height,out_width,filters] (Keras Conv2D). */
struct tensor *graph_convolution(struct graph *graph, struct tensor *x, struct tensor *kernel,
                                 const struct window *window, long groups, long out_height,
                                 long out_width);
/** The sum over each window of each channel (average pooling before its division). */
struct tensor *graph_window_sum(struct graph *graph, struct tensor *x, const struct window *window,
                                long out_height, long out_width);

/** Names a tensor ("<graph->name>_<name>"); returns it. */
struct tensor *graph_name(struct graph *graph, struct tensor *tensor, const char *name);

void graph_output(struct graph *graph, const char *name, struct tensor *tensor);
void graph_update(struct graph *graph, enum space space, long offset, struct tensor *value);
int graph_random_stream(struct graph *graph);

/** Gradients of the rank-0 tensor `loss` by each of the count tensors `by` (autodiff.c); gradient[i]
 * has the shape of by[i], zeros where loss does not depend on it. Computes nothing below the
 * tensors asked for. */
void graph_gradients(struct graph *graph, struct tensor *loss, struct tensor *const *by, int count,
                     struct tensor **gradient);

/** True if a tensor has one number for each place along its last axis: a channel's, for an image. */
static inline bool tensor_is_by_channel(const struct tensor *t) {
    for (int i = 0; i + 1 < t->shape.rank; i++)
        if (t->shape.size[i] != 1) return false;
    return true;
}

/** By tensor number: true if variables alone decide its value, so that it can be computed ahead of
 * the calls while they do not change. Numbers of rank 0 never count. (fixed.c) */
const bool *graph_fixed(const struct graph *graph, struct arena *arena);

/** Checks every rule of the graph (arity, shapes, order, indices); false + message if one is
 * broken: that is a bug of lathe, not of its user. `when` names the pass before. */
bool graph_verify(const struct graph *graph, const char *when, struct error *error);

/** Appends the graph, one tensor a line, for --dump. */
void graph_print(struct text *text, const struct graph *graph);

/* What the naive reference reads. */
struct reference_call {
    const double *const *inputs; /* by INPUT index */
    double *spaces[SPACE_COUNT]; /* updated in place at the end */
    double scalars[SCALAR_COUNT];
};
/** Evaluates some tensors of a graph: those with wanted[number], whose inputs must be wanted too.
 * The values are allocated in the arena. */
void graph_reference_some(const struct graph *graph, const bool *wanted,
                          const struct reference_call *call, struct arena *arena, double **value);
/** Evaluates the graph in double with loops that are obviously right. value[i] receives the value
 * of tensor i (allocated in the arena); updates are applied. */
void graph_reference(const struct graph *graph, struct reference_call *call, struct arena *arena,
                     double **value);

#endif
