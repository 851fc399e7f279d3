/* random_model.h: for tests: small random models as Lua text, the same for the same seed.
 *
 * Sizes are odd, options are mixed freely, branches are added and joined: what matters is that a
 * compiler finds many different kernels in them, not that the models make sense. */
#ifndef LATHE_RANDOM_MODEL_H
#define LATHE_RANDOM_MODEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct random_model {
    char text[12000];
    long batch;
    bool is_wide; /* many channels and units */
    bool binary;  /* labels are zeros and ones, not one class of several */
    /* of the generator */
    uint64_t state;
    size_t length;
    int count;
};

/* A tensor of the model: local x<number>, without the batch. */
struct random_value {
    int number, rank;
    long size[3];
};

/* An integer in [least, most]. (Splitmix: Steele, Lea and Flood, 2014.) */
static inline long random_pick(struct random_model *m, long least, long most) {
    uint64_t z = m->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return least + (long)(z % (uint64_t)(most - least + 1));
}

static inline bool random_chance(struct random_model *m, int percent) {
    return random_pick(m, 1, 100) <= percent;
}

#define RANDOM_NAME(m, names) \
    (names)[random_pick(m, 0, (long)(sizeof(names) / sizeof *(names)) - 1)]

__attribute__((format(printf, 2, 3))) static inline void random_add(struct random_model *m,
                                                                    const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof m->text - m->length;
    int added = vsnprintf(m->text + m->length, room, format, arguments);
    va_end(arguments);
    m->length += (size_t)added < room ? (size_t)added : room - 1;
}

/* The begin of `local x<n> = `; the caller writes the layer, random_apply the rest. */
static inline int random_begin(struct random_model *m) {
    random_add(m, "local x%d = ", ++m->count);
    return m->count;
}

static inline void random_apply(struct random_model *m, struct random_value x) {
    random_add(m, " (x%d)\n", x.number);
}

static inline void random_activation(struct random_model *m, int percent) {
    static const char *const names[] = {
        "'relu'",    "'relu'", "'relu'", "'leaky_relu'", "'elu'",
        "'sigmoid'", "'tanh'", "'gelu'", "'linear'",     "function(x) return x * sigmoid(x) end"};
    if (random_chance(m, percent)) random_add(m, ", activation = %s", RANDOM_NAME(m, names));
}

static inline void random_layer_options(struct random_model *m) {
    if (random_chance(m, 12)) random_add(m, ", trainable = false");
}

static inline long random_extent(long size, long window, long stride, bool same) {
    return same ? (size + stride - 1) / stride : (size - window) / stride + 1;
}

static inline long random_least(long a, long b) {
    return a < b ? a : b;
}

/* The window of a convolution or of pooling; updates the size of the image. */
struct random_window {
    long kernel[2], strides[2], dilation[2];
    bool same;
};
static inline struct random_window random_window(struct random_model *m, struct random_value *x,
                                                 long most, long most_stride, bool dilates) {
    struct random_window w = {.same = random_chance(m, 55)};
    if (m->is_wide && dilates && x->size[0] > 3 && x->size[1] > 3 && random_chance(m, 60)) {
        long least = random_least(x->size[0], x->size[1]);
        long taps = random_chance(m, 60) ? 3 : random_pick(m, 4, least < 5 ? 4 : 5);
        w = (struct random_window){{taps, taps}, {1, 1}, {1, 1}, w.same}; /* Winograd's */
        for (int i = 0; i < 2; i++) x->size[i] = random_extent(x->size[i], taps, 1, w.same);
        return w;
    }
    bool square = random_chance(m, 60), dilated = dilates && random_chance(m, 25);
    for (int i = 0; i < 2; i++) {
        long fits = w.same ? most : random_least(most, x->size[i]);
        w.kernel[i] = random_pick(m, 1, fits);
        if (i && square && (w.same || w.kernel[0] <= fits)) w.kernel[i] = w.kernel[0];
        w.strides[i] = random_chance(m, 60) ? 1 : random_pick(m, 1, most_stride);
        w.dilation[i] = dilated ? random_pick(m, 1, 2) : 1;
        long window = (w.kernel[i] - 1) * w.dilation[i] + 1;
        if (!w.same && window > x->size[i]) {
            w.dilation[i] = 1;
            window = w.kernel[i];
        }
        x->size[i] = random_extent(x->size[i], window, w.strides[i], w.same);
    }
    return w;
}

static inline struct random_value random_convolution(struct random_model *m,
                                                     struct random_value x) {
    long channels = x.size[2], groups = 1, in = x.number;
    if (random_chance(m, m->is_wide ? 10 : 25)) {
        groups = random_pick(m, 1, channels);
        while (channels % groups) groups--;
        if (random_chance(m, 40)) groups = channels;
    }
    long filters = groups * random_pick(m, 1, groups > 7 ? 2 : 20 / groups);
    if (m->is_wide && groups == 1) filters = random_pick(m, 14, 40);
    x.number = random_begin(m);
    struct random_window w = random_window(m, &x, 5, 3, true);
    random_add(m, "conv2d { %ld, kernel_size = { %ld, %ld }", filters, w.kernel[0], w.kernel[1]);
    if (w.strides[0] * w.strides[1] > 1)
        random_add(m, ", strides = { %ld, %ld }", w.strides[0], w.strides[1]);
    if (w.dilation[0] * w.dilation[1] > 1)
        random_add(m, ", dilation_rate = { %ld, %ld }", w.dilation[0], w.dilation[1]);
    if (w.same) random_add(m, ", padding = 'same'");
    if (groups > 1) random_add(m, ", groups = %ld", groups);
    if (random_chance(m, 20)) random_add(m, ", use_bias = false");
    random_activation(m, 60);
    random_layer_options(m);
    random_add(m, " } (x%ld)\n", in);
    x.size[2] = filters;
    return x;
}

static inline struct random_value random_pool(struct random_model *m, struct random_value x) {
    int in = x.number;
    x.number = random_begin(m);
    struct random_window w = random_window(m, &x, 4, 3, false);
    random_add(m, "%s { { %ld, %ld }, strides = { %ld, %ld }%s } (x%d)\n",
               random_chance(m, 60) ? "max_pool2d" : "average_pool2d", w.kernel[0], w.kernel[1],
               w.strides[0], w.strides[1], w.same ? ", padding = 'same'" : "", in);
    return x;
}

static inline struct random_value random_dense(struct random_model *m, struct random_value x,
                                               long units, const char *activation) {
    int in = x.number;
    x.number = random_begin(m);
    random_add(m, "dense { %ld", units);
    if (random_chance(m, 15)) random_add(m, ", use_bias = false");
    if (activation)
        random_add(m, ", activation = '%s'", activation);
    else
        random_activation(m, 60);
    random_layer_options(m);
    random_add(m, " } (x%d)\n", in);
    x.size[x.rank - 1] = units;
    return x;
}

static inline struct random_value random_norm(struct random_model *m, struct random_value x) {
    int in = x.number;
    x.number = random_begin(m);
    random_add(m, "batch_norm { epsilon = 1e-2");
    if (random_chance(m, 30)) random_add(m, ", momentum = 0.%ld", random_pick(m, 1, 9));
    if (random_chance(m, 15)) random_add(m, ", center = false");
    if (random_chance(m, 15)) random_add(m, ", scale = false");
    if (x.rank > 1 && random_chance(m, 10)) random_add(m, ", axis = 1");
    random_layer_options(m);
    random_add(m, " } (x%d)\n", in);
    return x;
}

/* Layers that keep the shape. */
static inline struct random_value random_pointwise(struct random_model *m, struct random_value x) {
    static const char *const names[] = {"relu",    "leaky_relu", "elu",    "sigmoid",
                                        "softmax", "tanh",       "linear", "gelu"};
    if (random_chance(m, 50)) return random_norm(m, x);
    struct random_value y = x;
    y.number = random_begin(m);
    const char *name = RANDOM_NAME(m, names);
    if (strcmp(name, "softmax") == 0 && x.size[x.rank - 1] < 2) name = "relu";
    if (random_chance(m, 40))
        random_add(m, "dropout { 0.%ld }", random_pick(m, 1, 8));
    else
        random_add(m, "activation { '%s' }", name);
    random_apply(m, x);
    return y;
}

/* Any other shape of as many elements. */
static inline struct random_value random_reshape(struct random_model *m, struct random_value x) {
    struct random_value y = {.rank = (int)random_pick(m, 1, 3), .size = {1, 1, 1}};
    long elements = 1;
    for (int i = 0; i < x.rank; i++) elements *= x.size[i];
    for (int i = 0; i < y.rank - 1; i++) {
        long size = random_pick(m, 1, 8);
        while (elements % size) size--;
        y.size[i] = size;
        elements /= size;
    }
    y.size[y.rank - 1] = elements;
    y.number = random_begin(m);
    if (y.rank == 1 && random_chance(m, 50)) {
        random_add(m, "flatten {}");
    } else {
        random_add(m, "reshape { ");
        for (int i = 0; i < y.rank; i++) random_add(m, "%ld, ", y.size[i]);
        random_add(m, "}");
    }
    random_apply(m, x);
    return y;
}

static inline bool random_same_shape(struct random_value a, struct random_value b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.size[i] != b.size[i]) return false;
    return true;
}

static inline struct random_value random_layer(struct random_model *m, struct random_value x);

/* Two ways for the same tensor, joined. */
static inline struct random_value random_branches(struct random_model *m, struct random_value x) {
    struct random_value a = x, b = x, joined;
    if (random_chance(m, 75)) a = random_layer(m, x);
    b = random_layer(m, random_chance(m, 20) ? a : x);
    joined = a;
    int axis = a.rank - 1;
    if (a.rank == 3 && random_chance(m, 15)) axis = 0;
    bool fits = a.rank == b.rank;
    for (int i = 0; i < a.rank && fits; i++) fits = i == axis || a.size[i] == b.size[i];
    if (!fits) return b; /* the first is dead, or used elsewhere */
    joined.number = random_begin(m);
    if (random_same_shape(a, b) && random_chance(m, 60)) {
        random_add(m, "add {} { x%d, x%d", a.number, b.number);
        if (random_chance(m, 15)) random_add(m, ", x%d", a.number);
        random_add(m, " }\n");
    } else {
        random_add(m, "concatenate { axis = %d } { x%d, x%d }\n", axis + 1, a.number, b.number);
        joined.size[axis] += b.size[axis];
    }
    return joined;
}

static inline struct random_value random_layer(struct random_model *m, struct random_value x) {
    long kind = random_pick(m, 1, 100);
    bool image = x.rank == 3;
    if (kind <= 14) return random_branches(m, x);
    if (kind <= 18) return random_reshape(m, x);
    if (kind <= 38) return random_pointwise(m, x);
    if (kind <= 46 || !image)
        return random_dense(m, x, random_pick(m, 1, image ? 12 : m->is_wide ? 500 : 70), NULL);
    if (kind <= 62) return random_pool(m, x);
    return random_convolution(m, x);
}

/* A row of classes: the last layers before a crossentropy. */
static inline struct random_value random_vector(struct random_model *m, struct random_value x) {
    if (x.rank == 1) return x;
    struct random_value y = x;
    y.number = random_begin(m);
    bool averages = x.rank == 3 && random_chance(m, 35);
    random_add(m, averages ? "global_average_pool2d {}" : "flatten {}");
    random_apply(m, x);
    y.rank = 1;
    y.size[0] = 1;
    for (int i = 0; i < x.rank; i++) y.size[0] = averages ? x.size[2] : y.size[0] * x.size[i];
    return y;
}

/* The output layer and the loss that suits it. */
static inline const char *random_head(struct random_model *m, struct random_value *x) {
    long kind = random_pick(m, 1, 100);
    bool logits = random_chance(m, 20);
    if (kind <= 60) {
        *x = random_dense(m, random_vector(m, *x), random_pick(m, 2, 12),
                          logits ? "linear" : "softmax");
        if (kind <= 35)
            return logits ? "'sparse_categorical_crossentropy', from_logits = true"
                          : "'sparse_categorical_crossentropy'";
        return logits ? "'categorical_crossentropy', from_logits = true"
                      : "'categorical_crossentropy'";
    }
    if (random_chance(m, 70)) *x = random_vector(m, *x);
    if (kind <= 75) {
        m->binary = true;
        *x = random_dense(m, *x, random_pick(m, 1, 5), logits ? "linear" : "sigmoid");
        return logits ? "'binary_crossentropy', from_logits = true" : "'binary_crossentropy'";
    }
    if (random_chance(m, 60)) *x = random_dense(m, *x, random_pick(m, 1, 70), NULL);
    return kind <= 92 ? "'mean_squared_error'"
                      : "function(y, p) return abs(y - p) + (y - p) ^ 2 end";
}

/* Large steps, so that weights and slots show their gradients; a large epsilon, because without it
 * the step of a tiny gradient is its sign: noise. */
static inline void random_optimizer(struct random_model *m, bool gradient) {
    static const char *const kinds[] = {
        "sgd { learning_rate = 0.5, momentum = 0.9 }",
        "sgd { learning_rate = 0.5, momentum = 0.8, nesterov = true }",
        "rmsprop { learning_rate = 0.1, epsilon = 0.05 }",
        "rmsprop { learning_rate = 0.1, epsilon = 0.05, momentum = 0.9 }",
        "rmsprop { learning_rate = 0.1, epsilon = 0.05, centered = true }",
        "adam { learning_rate = 0.1, epsilon = 0.05 }",
        "adam { learning_rate = 0.1, epsilon = 0.05, beta_1 = 0.5, beta_2 = 0.9 }",
        "nadam { learning_rate = 0.1, epsilon = 0.05 }",
        "adagrad { learning_rate = 0.5 }",
        "adadelta { learning_rate = 1, epsilon = 0.05 }",
        "adam { learning_rate = 0.1, epsilon = 0.05, beta_2 = 0.5, amsgrad = true }",
    };
    random_add(m, "    optimizer = %s,\n",
               gradient || random_chance(m, 40) ? "sgd { learning_rate = 1 }"
                                                : RANDOM_NAME(m, kinds));
}

/* The model of a seed; one of eight is wide. gradient: its optimizer is SGD with learning rate 1,
 * so that a step subtracts the gradient. */
static inline void random_model(struct random_model *m, uint64_t seed, bool gradient) {
    memset(m, 0, sizeof *m);
    m->state = seed * 0x2545f4914f6cdd1du + 1;
    m->batch = random_chance(m, 15)   ? 1
               : random_chance(m, 20) ? random_pick(m, 2, 8) /* images stay row-major */
                                      : random_pick(m, 2, 37);
    m->is_wide = seed % 8 == 5;
    if (m->is_wide && m->batch > 20) m->batch -= 18;
    struct random_value x = {.number = 0, .rank = 3};
    if (m->is_wide) {
        x.size[0] = random_pick(m, 4, 9);
        x.size[1] = random_pick(m, 4, 9);
        x.size[2] = random_pick(m, 10, 40);
    } else if (random_chance(m, 80)) {
        x.size[0] = random_pick(m, 1, 17);
        x.size[1] = random_chance(m, 50) ? x.size[0] : random_pick(m, 1, 17);
        x.size[2] = random_chance(m, 50) ? random_pick(m, 1, 3) : random_pick(m, 1, 20);
    } else if (random_chance(m, 80)) {
        x.rank = 1;
        x.size[0] = random_pick(m, 1, 80);
    } else {
        x.rank = 2;
        x.size[0] = random_pick(m, 1, 9);
        x.size[1] = random_pick(m, 1, 20);
    }
    random_add(m, "local x0 = input { ");
    for (int i = 0; i < x.rank; i++) random_add(m, "%ld, ", x.size[i]);
    random_add(m, "}\n");
    for (long layers = random_pick(m, 1, 6); layers > 0; layers--) x = random_layer(m, x);
    const char *loss = random_head(m, &x);
    random_add(m,
               "return model 'm' { inputs = x0, outputs = x%d,\n"
               "  training = {\n"
               "    loss = %s,\n",
               x.number, loss);
    random_optimizer(m, gradient);
    random_add(m, "    batch_size = %ld } }\n", m->batch);
}

#endif
