/* schedule.c: the learning rate as a function of the step. Names, options and formulas are Keras's.
 */
#include "families.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct schedule, name)
static const struct option exponential_options[] = {
    {"initial_learning_rate", OPTION_POSITIVE, FIELD(initial_learning_rate), NULL, true},
    {"decay_steps", OPTION_COUNT, FIELD(decay_steps), NULL, false},
    {"decay_rate", OPTION_POSITIVE, FIELD(decay_rate), NULL, false},
    {"staircase", OPTION_BOOLEAN, FIELD(staircase), "false", false},
};
static const struct option piecewise_options[] = {
    {"boundaries", OPTION_NUMBERS, FIELD(boundaries), NULL, false},
    {"values", OPTION_NUMBERS, FIELD(values), NULL, false},
};
static const struct option polynomial_options[] = {
    {"initial_learning_rate", OPTION_POSITIVE, FIELD(initial_learning_rate), NULL, true},
    {"decay_steps", OPTION_COUNT, FIELD(decay_steps), NULL, false},
    {"end_learning_rate", OPTION_NOT_NEGATIVE, FIELD(end_learning_rate), "0.0001", false},
    {"power", OPTION_POSITIVE, FIELD(power), "1", false},
    {"cycle", OPTION_BOOLEAN, FIELD(cycle), "false", false},
};
static const struct option cosine_options[] = {
    {"initial_learning_rate", OPTION_NOT_NEGATIVE, FIELD(initial_learning_rate), NULL, true},
    {"decay_steps", OPTION_COUNT, FIELD(decay_steps), NULL, false},
    {"alpha", OPTION_NOT_NEGATIVE, FIELD(alpha), "0", false},
    {"warmup_target", OPTION_POSITIVE, FIELD(warmup_target), "", false},
    {"warmup_steps", OPTION_COUNT, FIELD(warmup_steps), "", false},
};

/* --- what single options cannot tell --- */

static const char *piecewise_mistake(const struct schedule *schedule) {
    const struct number_list *boundaries = &schedule->boundaries, *values = &schedule->values;
    if (values->count != boundaries->count + 1)
        return "there is one value more than there are boundaries: boundaries = { 1000, 2000 }, "
               "values = { 0.1, 0.01, 0.001 }";
    for (int i = 0; i + 1 < boundaries->count; i++)
        if (boundaries->value[i] >= boundaries->value[i + 1])
            return "boundaries are numbers of steps, each larger than the one before";
    for (int i = 0; i < values->count; i++)
        if (values->value[i] < 0) return "values are learning rates: at least 0";
    return NULL;
}

static const char *cosine_mistake(const struct schedule *schedule) {
    if ((schedule->warmup_target > 0) != (schedule->warmup_steps > 0))
        return "warmup_target and warmup_steps belong together; give both or none";
    if (schedule->initial_learning_rate == 0 && schedule->warmup_target == 0)
        return "initial_learning_rate is 0, and there is no warmup_target to which it rises";
    return NULL;
}

/* --- expressions of the step --- */

typedef const struct expression *value;

static value number(struct arena *arena, double x) {
    return expression_constant(arena, x);
}

static value add(struct arena *arena, value a, value b) {
    return expression_binary(arena, EXPRESSION_ADD, a, b);
}

static value multiply(struct arena *arena, value a, value b) {
    return expression_binary(arena, EXPRESSION_MULTIPLY, a, b);
}

static value divide(struct arena *arena, value a, value b) {
    return expression_binary(arena, EXPRESSION_DIVIDE, a, b);
}

/* 1 - x */
static value complement(struct arena *arena, value x) {
    return expression_binary(arena, EXPRESSION_SUBTRACT, number(arena, 1), x);
}

/* -floor(-x) */
static value ceiling(struct arena *arena, value x) {
    value down =
        expression_unary(arena, EXPRESSION_FLOOR, expression_unary(arena, EXPRESSION_NEGATE, x));
    return expression_unary(arena, EXPRESSION_NEGATE, down);
}

/* step / decay_steps, in whole stairs if asked for */
static value decays(const struct schedule *schedule, struct arena *arena, value step) {
    value done = divide(arena, step, number(arena, (double)schedule->decay_steps));
    return schedule->staircase ? expression_unary(arena, EXPRESSION_FLOOR, done) : done;
}

static value exponential(const struct schedule *schedule, struct arena *arena, value step) {
    value factor = expression_binary(arena, EXPRESSION_POWER, number(arena, schedule->decay_rate),
                                     decays(schedule, arena, step));
    return multiply(arena, number(arena, schedule->initial_learning_rate), factor);
}

static value inverse_time(const struct schedule *schedule, struct arena *arena, value step) {
    value slope =
        multiply(arena, number(arena, schedule->decay_rate), decays(schedule, arena, step));
    return divide(arena, number(arena, schedule->initial_learning_rate),
                  add(arena, number(arena, 1), slope));
}

/* values[i] behind boundaries[i - 1], up to and with boundaries[i] */
static value piecewise_constant(const struct schedule *schedule, struct arena *arena, value step) {
    int last = schedule->boundaries.count;
    value result = number(arena, schedule->values.value[last]);
    for (int i = last - 1; i >= 0; i--) {
        value within = expression_binary(arena, EXPRESSION_LESS_EQUAL, step,
                                         number(arena, schedule->boundaries.value[i]));
        result = expression_select(arena, within, number(arena, schedule->values.value[i]), result);
    }
    return result;
}

/* With `cycle` the decay begins again when it is done, over once more decay_steps each time. */
static value polynomial(const struct schedule *schedule, struct arena *arena, value step) {
    value steps = number(arena, (double)schedule->decay_steps);
    double end = schedule->end_learning_rate;
    if (schedule->cycle) {
        value cycles = expression_binary(arena, EXPRESSION_MAXIMUM, number(arena, 1),
                                         ceiling(arena, divide(arena, step, steps)));
        steps = multiply(arena, steps, cycles);
    } else {
        step = expression_binary(arena, EXPRESSION_MINIMUM, step, steps);
    }
    value left =
        expression_binary(arena, EXPRESSION_POWER, complement(arena, divide(arena, step, steps)),
                          number(arena, schedule->power));
    value range = number(arena, schedule->initial_learning_rate - end);
    return add(arena, multiply(arena, range, left), number(arena, end));
}

/* Rises in a line to warmup_target, if there is one, and falls as half a cosine. */
static value cosine(const struct schedule *schedule, struct arena *arena, value step) {
    double from = schedule->initial_learning_rate, warmup = (double)schedule->warmup_steps;
    double top = warmup > 0 ? schedule->warmup_target : from;
    value steps = number(arena, (double)schedule->decay_steps);
    value decayed_steps = expression_binary(arena, EXPRESSION_MINIMUM,
                                            add(arena, step, number(arena, -warmup)), steps);
    value angle =
        multiply(arena, number(arena, 3.14159265358979323846), divide(arena, decayed_steps, steps));
    value half =
        multiply(arena, number(arena, 0.5),
                 add(arena, number(arena, 1), expression_unary(arena, EXPRESSION_COS, angle)));
    value factor = add(arena, multiply(arena, number(arena, 1 - schedule->alpha), half),
                       number(arena, schedule->alpha));
    value decayed = multiply(arena, number(arena, top), factor);
    if (warmup == 0) return decayed;
    value rising = add(arena, number(arena, from),
                       multiply(arena, number(arena, (top - from) / warmup), step));
    value rises = expression_binary(arena, EXPRESSION_LESS, step, number(arena, warmup));
    return expression_select(arena, rises, rising, decayed);
}

const struct schedule_type *schedule_types(void) {
    static const struct schedule_type types[] = {
        {"exponential_decay", OPTIONS(exponential_options), NULL, exponential},
        {"inverse_time_decay", OPTIONS(exponential_options), NULL, inverse_time},
        {"piecewise_constant_decay", OPTIONS(piecewise_options), piecewise_mistake,
         piecewise_constant},
        {"polynomial_decay", OPTIONS(polynomial_options), NULL, polynomial},
        {"cosine_decay", OPTIONS(cosine_options), cosine_mistake, cosine},
        {NULL, NULL, 0, NULL, NULL},
    };
    return types;
}
