/* primitives.c: the one table of tensor primitives (see primitive.h). */
#include "primitive.h"

#include <stddef.h>

/* clang-format off */
static const struct primitive_rules table[PRIMITIVE_COUNT] = {
/*  primitive                      name    inputs: least, most
                                   shape rule, gradient rule, reference, printer */
    [PRIMITIVE_INPUT]             = {"input",    0, 0,
                                     input_check, NULL, input_reference, input_print},
    [PRIMITIVE_SCALAR]            = {"scalar",   0, 0,
                                     scalar_check, NULL, scalar_reference, scalar_print},
    [PRIMITIVE_VARIABLE]          = {"variable", 0, 0,
                                     variable_check, NULL, variable_reference, variable_print},
    [PRIMITIVE_MAP]               = {"map",      0, -1,
                                     map_check, map_gradient, map_reference, map_print},
    [PRIMITIVE_CONTRACT]          = {"contract", 1, 2,
                                     contract_check, contract_gradient, contract_reference,
                                     contract_print},
    [PRIMITIVE_REDUCE]            = {"reduce",   1, 1,
                                     reduce_check, reduce_gradient, reduce_reference,
                                     reduce_print},
    [PRIMITIVE_MAX_POOL]          = {"max_pool", 1, 1,
                                     max_pool_check, max_pool_gradient, max_pool_reference,
                                     max_pool_print},
    [PRIMITIVE_MAX_POOL_GATHER]   = {"max_pool_gather", 2, 2,
                                     max_pool_gather_check, max_pool_gather_gradient,
                                     max_pool_gather_reference, max_pool_print},
    [PRIMITIVE_MAX_POOL_GRADIENT] = {"max_pool_gradient", 3, 3,
                                     max_pool_gradient_check, NULL, max_pool_gradient_reference,
                                     max_pool_print},
    [PRIMITIVE_RESHAPE]           = {"reshape",  1, 1,
                                     reshape_check, reshape_gradient, reshape_reference,
                                     reshape_print},
    [PRIMITIVE_SLICE]             = {"slice",    1, 1,
                                     slice_check, slice_gradient, slice_reference, slice_print},
    [PRIMITIVE_CONCAT]            = {"concat",   1, -1,
                                     concat_check, concat_gradient, concat_reference,
                                     concat_print},
    [PRIMITIVE_PAD]               = {"pad",      1, 1,
                                     pad_check, pad_gradient, pad_reference, pad_print},
};
/* clang-format on */

const struct primitive_rules *primitive_rules(enum primitive primitive) {
    return &table[primitive];
}
