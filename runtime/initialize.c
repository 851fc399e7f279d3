/* initialize.c: the initial values of a program's variables.
 *
 * Element e of variable i draws from the generator of random.h with key(seed, step 0, stream i):
 *   uniform           (2 * uniform(e) - 1) * scale
 *   normal            normal(e) * scale
 *   truncated normal  truncated_normal(e, stride = elements) * scale
 * computed in double and rounded once. */
#include "program.h"
#include "random.h"

#include <string.h>

static double initial_value(const struct program_variable *variable, uint32_t key, long element) {
    uint32_t counter = (uint32_t)element;
    switch (variable->initializer) {
    case PROGRAM_ZEROS: return 0.0;
    case PROGRAM_ONES: return 1.0;
    case PROGRAM_CONSTANT: return variable->scale;
    case PROGRAM_UNIFORM: return (2.0 * random_uniform(key, counter) - 1.0) * variable->scale;
    case PROGRAM_NORMAL: return random_normal(key, counter) * variable->scale;
    case PROGRAM_TRUNCATED_NORMAL:
        return random_truncated_normal(key, counter, (uint32_t)variable->elements) *
               variable->scale;
    }
    return 0.0;
}

void program_initialize(const struct program *program, uint32_t seed,
                        float *space[PROGRAM_SPACES]) {
    for (int s = 0; s < PROGRAM_SPACES; s++)
        if (program->space_size[s] > 0)
            memset(space[s], 0, sizeof(float) * (size_t)program->space_size[s]);
    for (int i = 0; i < program->variable_count; i++) {
        const struct program_variable *variable = &program->variables[i];
        if (variable->initializer == PROGRAM_ZEROS) continue;
        uint32_t key = random_key(seed, 0, (uint32_t)i);
        float *out = space[variable->space] + variable->offset;
        for (long e = 0; e < variable->elements; e++)
            out[e] = (float)initial_value(variable, key, e);
    }
}
