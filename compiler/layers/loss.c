/* loss.c: losses and the accuracy, and which output layers they suit. */
#include "families.h"

#include <stdio.h>
#include <string.h>

enum kind { SPARSE, CATEGORICAL, BINARY, SQUARED, TRACED };

typedef const struct expression *expression;

const char *const *loss_names(void) {
    static const char *const names[] = {"sparse_categorical_crossentropy",
                                        "categorical_crossentropy",
                                        "binary_crossentropy",
                                        "mean_squared_error",
                                        "mse",
                                        NULL};
    return names;
}

static enum kind loss_kind(const struct training *training) {
    const char *name = training->loss.name;
    if (training->loss.expression) return TRACED;
    if (strcmp(name, "sparse_categorical_crossentropy") == 0) return SPARSE;
    if (strcmp(name, "categorical_crossentropy") == 0) return CATEGORICAL;
    return strcmp(name, "binary_crossentropy") == 0 ? BINARY : SQUARED;
}

const struct function *output_activation(const struct model *model) {
    const struct layer *layer = model->output;
    bool has = layer->type == &layer_dense || layer->type == &layer_conv2d ||
               layer->type == &layer_activation;
    return has ? &layer->activation : NULL;
}

static bool ends_with(const struct model *model, const char *name) {
    const struct function *activation = output_activation(model);
    if (!activation) return strcmp(name, "linear") == 0;
    return !activation->expression && strcmp(activation->name, name) == 0;
}

struct shape label_shape(const struct model *model) {
    struct shape sparse = {.rank = 0};
    if (model->training.file && loss_kind(&model->training) == SPARSE) return sparse;
    return model->output->output;
}

/* What the output's activation is, for a message: "activation \"relu\"", "no activation". */
static const char *describe(const struct model *model, char *text, size_t size) {
    const struct function *activation = output_activation(model);
    if (!activation || ends_with(model, "linear")) return "no activation";
    snprintf(text, size, "the activation %s",
             activation->expression ? "of a Lua function" : activation->name);
    return text;
}

static bool check_classes(const struct model *model, struct error *error) {
    const struct layer *output = model->output;
    const char *loss = model->training.loss.name;
    char text[160];
    if (output->output.rank != 1) {
        shape_write(text, sizeof text, &output->output);
        return layer_error(output, error,
                           "its output %s does not suit the loss %s, which takes one value for "
                           "each class; put flatten {} or global_average_pool2d {} before the "
                           "last dense layer",
                           text, loss);
    }
    if (output->output.size[0] < 2)
        return layer_error(output, error,
                           "its single output does not suit the loss %s; use one output for each "
                           "class with softmax, or the loss binary_crossentropy with sigmoid",
                           loss);
    if (model->training.from_logits ? ends_with(model, "linear") : ends_with(model, "softmax"))
        return true;
    return layer_error(output, error, "it has %s, which does not suit the loss %s%s; use %s",
                       describe(model, text, sizeof text), loss,
                       model->training.from_logits ? " with from_logits = true" : "",
                       model->training.from_logits ? "no activation, or from_logits = false"
                                                   : "activation = \"softmax\"");
}

static bool check_binary(const struct model *model, struct error *error) {
    const struct function *activation = output_activation(model);
    bool traced = activation && activation->expression;
    char text[160];
    if (model->training.from_logits ? ends_with(model, "linear")
                                    : traced || ends_with(model, "sigmoid"))
        return true;
    return layer_error(model->output, error, "it has %s, which does not suit the loss %s%s; use %s",
                       describe(model, text, sizeof text), model->training.loss.name,
                       model->training.from_logits ? " with from_logits = true" : "",
                       model->training.from_logits ? "no activation, or from_logits = false"
                                                   : "activation = \"sigmoid\"");
}

bool loss_check(const struct model *model, struct error *error) {
    if (!model->training.file) return true;
    switch (loss_kind(&model->training)) {
    case SPARSE:
    case CATEGORICAL: return check_classes(model, error);
    case BINARY: return check_binary(model, error);
    case SQUARED:
    case TRACED: break;
    }
    return true;
}

static expression binary(struct graph *graph, enum expression_operator op, expression a,
                         expression b) {
    return expression_binary(graph->arena, op, a, b);
}

static expression constant(struct graph *graph, double value) {
    return expression_constant(graph->arena, value);
}

static expression operand(struct graph *graph, int index) {
    return expression_operand(graph->arena, index);
}

/* The sum of an expression of the operands over the valid rows, divided by `divisor` and by the
 * number of valid samples; rank 0. */
static struct tensor *mean(struct graph *graph, expression e, struct tensor *const *operands,
                           int count, double divisor) {
    struct tensor *in[8], *samples = graph_scalar(graph, SCALAR_SAMPLES);
    for (int i = 0; i < count; i++) in[i] = operands[i];
    in[count] = samples;
    struct tensor *sum = graph_map(graph, valid_row(graph->arena, count, e), in, count + 1);
    sum = graph_reduce(graph, REDUCTION_SUM, (1u << sum->shape.rank) - 1, sum);
    sum = graph_reshape(graph, (struct shape){.rank = 0}, sum);
    return graph_binary(graph, EXPRESSION_DIVIDE, sum, graph_scale(graph, samples, divisor));
}

/* Class numbers [n] as a column, to broadcast over the classes. */
static struct tensor *column(struct graph *graph, struct tensor *labels) {
    struct shape shape = shape_of(2, (long[]){labels->shape.size[0], 1});
    return graph_reshape(graph, shape, labels);
}

/* log(sum of exp) - the logit of the label, both relative to the shift. */
static struct tensor *sparse_crossentropy(struct graph *graph, struct tensor *labels,
                                          struct tensor *logits) {
    struct softmax softmax = lower_softmax(graph, logits);
    struct tensor *in[] = {logits, softmax.shift, column(graph, labels)};
    expression is_label =
        binary(graph, EXPRESSION_EQUAL, expression_index(graph->arena, 1), operand(graph, 2));
    expression e =
        expression_select(graph->arena, is_label,
                          binary(graph, EXPRESSION_SUBTRACT, operand(graph, 0), operand(graph, 1)),
                          constant(graph, 0));
    struct tensor *chosen = graph_reduce(graph, REDUCTION_SUM, 1u << 1, graph_map(graph, e, in, 3));
    struct tensor *sums[] = {softmax.sum, chosen};
    e = expression_unary(graph->arena, EXPRESSION_LOG, operand(graph, 0));
    return mean(graph, binary(graph, EXPRESSION_SUBTRACT, e, operand(graph, 1)), sums, 2, 1);
}

/* The sum over the classes of label * (log(sum of exp) - logit). */
static struct tensor *categorical_crossentropy(struct graph *graph, struct tensor *labels,
                                               struct tensor *logits) {
    struct softmax softmax = lower_softmax(graph, logits);
    struct tensor *in[] = {labels, logits, softmax.shift, softmax.sum};
    expression relative = binary(graph, EXPRESSION_SUBTRACT, operand(graph, 1), operand(graph, 2));
    expression log_sum = expression_unary(graph->arena, EXPRESSION_LOG, operand(graph, 3));
    expression e = binary(graph, EXPRESSION_MULTIPLY, operand(graph, 0),
                          binary(graph, EXPRESSION_SUBTRACT, log_sum, relative));
    return mean(graph, e, in, 4, 1);
}

/* log(1 + exp z) - z y, with log(1 + exp z) = (z + |z|) / 2 + log(1 + exp(-|z|)): nothing
 * overflows, and the derivative is right at z = 0, too. */
static expression binary_from_logits(struct graph *graph, expression y, expression z) {
    struct arena *arena = graph->arena;
    expression magnitude = expression_unary(arena, EXPRESSION_ABSOLUTE, z);
    expression positive = binary(graph, EXPRESSION_MULTIPLY, constant(graph, 0.5),
                                 binary(graph, EXPRESSION_ADD, z, magnitude));
    expression decay = expression_unary(arena, EXPRESSION_EXP,
                                        expression_unary(arena, EXPRESSION_NEGATE, magnitude));
    expression rest = expression_unary(arena, EXPRESSION_LOG,
                                       binary(graph, EXPRESSION_ADD, constant(graph, 1), decay));
    expression product = binary(graph, EXPRESSION_MULTIPLY, z, y);
    return binary(graph, EXPRESSION_ADD, binary(graph, EXPRESSION_SUBTRACT, positive, product),
                  rest);
}

/* -(y log p + (1 - y) log(1 - p)), p kept away from 0 and 1 as Keras does. */
static expression binary_from_probabilities(struct graph *graph, expression y, expression p) {
    struct arena *arena = graph->arena;
    const double margin = 1e-7;
    expression one = constant(graph, 1);
    p = binary(graph, EXPRESSION_MINIMUM, p, constant(graph, 1 - margin));
    p = binary(graph, EXPRESSION_MAXIMUM, p, constant(graph, margin));
    expression other = binary(graph, EXPRESSION_SUBTRACT, one, p);
    expression e =
        binary(graph, EXPRESSION_ADD,
               binary(graph, EXPRESSION_MULTIPLY, y, expression_unary(arena, EXPRESSION_LOG, p)),
               binary(graph, EXPRESSION_MULTIPLY, binary(graph, EXPRESSION_SUBTRACT, one, y),
                      expression_unary(arena, EXPRESSION_LOG, other)));
    return expression_unary(arena, EXPRESSION_NEGATE, e);
}

struct tensor *lower_loss(const struct model *model, struct graph *graph, struct tensor *labels,
                          struct tensor *logits, struct tensor *predictions) {
    const struct training *training = &model->training;
    double values = (double)shape_elements(&model->output->output);
    expression y = operand(graph, 0), p = operand(graph, 1), e = training->loss.expression;
    struct tensor *in[] = {labels, predictions};
    switch (loss_kind(training)) {
    case SPARSE: return sparse_crossentropy(graph, labels, logits);
    case CATEGORICAL: return categorical_crossentropy(graph, labels, logits);
    case BINARY:
        if (training->from_logits || ends_with(model, "sigmoid")) {
            in[1] = logits;
            e = binary_from_logits(graph, y, p);
        } else {
            e = binary_from_probabilities(graph, y, p);
        }
        break;
    case SQUARED: {
        expression difference = binary(graph, EXPRESSION_SUBTRACT, p, y);
        e = binary(graph, EXPRESSION_MULTIPLY, difference, difference);
        break;
    }
    case TRACED: break;
    }
    return mean(graph, e, in, 2, values);
}

/* Minus the number of the first largest value of each row: [n, 1]. */
static struct tensor *minus_argmax(struct graph *graph, struct tensor *x) {
    struct tensor *in[] = {x, graph_reduce(graph, REDUCTION_MAXIMUM, 1u << 1, x)};
    expression largest = binary(graph, EXPRESSION_EQUAL, operand(graph, 0), operand(graph, 1));
    expression number =
        expression_unary(graph->arena, EXPRESSION_NEGATE, expression_index(graph->arena, 1));
    expression e = expression_select(graph->arena, largest, number,
                                     constant(graph, -(double)x->shape.size[1]));
    return graph_reduce(graph, REDUCTION_MAXIMUM, 1u << 1, graph_map(graph, e, in, 2));
}

struct tensor *lower_accuracy(const struct model *model, struct graph *graph, struct tensor *labels,
                              struct tensor *logits, struct tensor *predictions) {
    enum kind kind = loss_kind(&model->training);
    bool classes = model->output->output.rank == 1 && model->output->output.size[0] > 1;
    if (kind == SPARSE || (classes && kind != BINARY)) {
        struct tensor *scores = ends_with(model, "softmax") ? logits : predictions;
        struct tensor *in[] = {minus_argmax(graph, scores), NULL};
        expression expected = expression_unary(graph->arena, EXPRESSION_NEGATE, operand(graph, 1));
        if (kind == SPARSE) {
            in[1] = column(graph, labels);
        } else {
            in[1] = minus_argmax(graph, labels);
            expected = operand(graph, 1);
        }
        return mean(graph, binary(graph, EXPRESSION_EQUAL, operand(graph, 0), expected), in, 2, 1);
    }
    double threshold = model->training.from_logits ? 0 : 0.5;
    struct tensor *in[] = {labels, predictions};
    expression positive =
        binary(graph, EXPRESSION_LESS, constant(graph, threshold), operand(graph, 1));
    return mean(graph, binary(graph, EXPRESSION_EQUAL, operand(graph, 0), positive), in, 2,
                (double)shape_elements(&model->output->output));
}
