/* standalone_initial.c: how a standalone model begins: NAME_init, and the functions that draw
 * initial values as runtime/initialize.c does. */
#include "standalone.h"

static const char fill_constant[] = "\nstatic void @_fill(real *values, long count, real value) {\n"
                                    "    for (long i = 0; i < count; i++) values[i] = value;\n"
                                    "}\n";

static const char fill_uniform[] =
    "\n/* Uniform in [-scale, scale); element i is a function of key and i alone. */\n"
    "static void @_fill_uniform(real *values, long count, unsigned key, double scale) {\n"
    "    for (long i = 0; i < count; i++)\n"
    "        values[i] = (real)((2.0 * (double)real_random(key, (unsigned)i) - 1.0) * scale);\n"
    "}\n";

static const char draw_normal[] =
    "\n/* Standard normal, by Box and Muller. */\n"
    "static double @_normal(unsigned key, unsigned counter) {\n"
    "    const double u = (double)real_random(key, 2u * counter);\n"
    "    const double v = (double)real_random(key, 2u * counter + 1u);\n"
    "    return `sqrt(-2.0 * `log(1.0 - u)) * `cos(2.0 * 3.14159265358979323846 * v);\n"
    "}\n";

static const char fill_normal[] =
    "\nstatic void @_fill_normal(real *values, long count, unsigned key, double scale) {\n"
    "    for (long i = 0; i < count; i++)\n"
    "        values[i] = (real)(@_normal(key, (unsigned)i) * scale);\n"
    "}\n";

static const char fill_truncated_normal[] =
    "\n/* The same, drawn again where it is beyond two standard deviations. */\n"
    "static void @_fill_truncated_normal(real *values, long count, unsigned key,\n"
    "        double scale) {\n"
    "    for (long i = 0; i < count; i++) {\n"
    "        double value = 3.0;\n"
    "        unsigned counter = (unsigned)i;\n"
    "        for (int draw = 0; draw < 1000 && (value < -2.0 || value > 2.0); draw++) {\n"
    "            value = @_normal(key, counter);\n"
    "            counter += (unsigned)count;\n"
    "        }\n"
    "        values[i] = (real)(value >= -2.0 && value <= 2.0 ? value * scale : 0.0);\n"
    "    }\n"
    "}\n";

static bool uses(const struct emission *e, enum program_initializer initializer) {
    for (int i = 0; i < e->program->variable_count; i++)
        if (e->program->variables[i].initializer == initializer) return true;
    return false;
}

static void emit_fill_functions(struct emission *e) {
    if (uses(e, PROGRAM_ONES) || uses(e, PROGRAM_CONSTANT)) emit_text(e, fill_constant);
    if (uses(e, PROGRAM_UNIFORM)) emit_text(e, fill_uniform);
    if (uses(e, PROGRAM_NORMAL) || uses(e, PROGRAM_TRUNCATED_NORMAL)) emit_text(e, draw_normal);
    if (uses(e, PROGRAM_NORMAL)) emit_text(e, fill_normal);
    if (uses(e, PROGRAM_TRUNCATED_NORMAL)) emit_text(e, fill_truncated_normal);
}

static void emit_fill(struct emission *e, int index) {
    const struct program_variable *v = &e->program->variables[index];
    static const char *const functions[] = {
        [PROGRAM_ONES] = "_fill",
        [PROGRAM_CONSTANT] = "_fill",
        [PROGRAM_UNIFORM] = "_fill_uniform",
        [PROGRAM_NORMAL] = "_fill_normal",
        [PROGRAM_TRUNCATED_NORMAL] = "_fill_truncated_normal",
    };
    if (v->initializer == PROGRAM_ZEROS) return;
    struct writer w = {.arena = e->arena};
    bool draws = v->initializer >= PROGRAM_UNIFORM;
    double value = v->initializer == PROGRAM_ONES ? 1.0 : v->scale;
    emit_format(e, "    %s%s(values + %ld, %ld, ", e->name, functions[v->initializer],
                e->block.space[v->space] + v->offset, v->elements);
    if (draws) emit_format(e, "real_random_key(seed, 0u, %du), ", index);
    emit_format(e, "%s); /* %s */\n", literal(&w, value, draws), v->name);
}

/* The weights of the program stand in the block from the beginning; those of a file come later. */
static void emit_values(struct emission *e) {
    bool copies = e->weights && !has_loaded_weights(e);
    for (int i = 0; !copies && i < e->program->variable_count; i++) emit_fill(e, i);
    for (int space = 0; copies && space < SPACE_OPTIMIZER; space++)
        if (e->block.space[space] >= 0)
            emit_format(e, "    memcpy(values + %ld, %s, %ld * sizeof(real));\n",
                        e->block.space[space], constant_space(e, space),
                        e->program->space_size[space]);
}

static bool draws(const struct emission *e) {
    return (!e->weights || has_loaded_weights(e)) &&
           (uses(e, PROGRAM_UNIFORM) || uses(e, PROGRAM_NORMAL) ||
            uses(e, PROGRAM_TRUNCATED_NORMAL));
}

void emit_initial_values(struct emission *e) {
    if (!e->weights || has_loaded_weights(e)) emit_fill_functions(e);
    emit_text(e, "\n"
                 "void @_init(void *block, uint32_t seed) {\n");
    if (e->is_training) emit_text(e, "    struct @_state *const state = block;\n");
    emit_text(e, "    real *const values = block;\n");
    emit_format(e, "    memset(values, 0, %ld * sizeof(real));\n", e->block.state_numbers);
    if (e->is_training)
        emit_text(e, "    state->seed = seed;\n");
    else if (!draws(e))
        emit_text(e, "    (void)seed;\n");
    emit_values(e);
    emit_text(e, "}\n");
}
