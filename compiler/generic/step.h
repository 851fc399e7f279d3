/* step.h: one tensor's computation in a generic program; shared inside this room. */
#ifndef LATHE_GENERIC_STEP_H
#define LATHE_GENERIC_STEP_H

#include "../../runtime/generic.h"
#include "../../runtime/program.h"
#include "../kernel/target.h"
#include "../tensor/graph.h"

/* A loop over samples, rows or strips is split in so many units whatever the number of threads:
 * sums have a fixed shape. */
enum { STEP_UNITS = 4, STRIP = 512, STEP_OPERANDS = 64 };

/* Where the values of a tensor are. Rank-0 maps and scalars are kept twice: a double, then the
 * float that others read, both in the arena. */
enum place_kind { PLACE_ARENA, PLACE_INPUT, PLACE_SPACE };
struct place {
    enum place_kind kind;
    int index;   /* of the input or the space */
    long offset; /* in floats; of the float where there is also a double */
    bool is_double;
};

/* A contraction as a convolution: which of its operands is what. */
enum convolution_pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHTS };
struct convolution_step {
    enum convolution_pass pass;
    struct generic_convolution shape;
    int first, second; /* inputs of the tensor, as the kernel of the pass takes them */
};

/* A contraction as a matrix product of inputs a and b. */
struct product_step {
    long m, n, depth, a_row, a_depth, b_depth, b_column, c_row;
    int a, b;
};

/* Any other contraction: all loops but `inner` test whether the accesses stay inside. */
struct loops_step {
    int inner; /* a loop that never leaves a tensor; -1: there is none */
    long out_step, a_step, b_step;
};

/* An operand of a strip operation. */
enum source_kind { SOURCE_REGISTER, SOURCE_STRIP, SOURCE_NUMBER, SOURCE_CONSTANT };
struct source {
    enum source_kind kind;
    int index; /* register, input */
    float value;
};
struct strip_operation {
    enum expression_operator op; /* OPERAND: fills a register from a broadcast input */
    int to;                      /* register; -1: the result */
    int index;                   /* INDEX: axis; RANDOM: stream; OPERAND: input */
    struct source in[3];
    void (*function)(void);
};
struct map_step {
    struct strip_operation *operations;
    int operation_count, register_count;
};

/* A reduction; neighbouring axes that are both reduced, or both not, count as one. */
struct reduce_step {
    int rank;
    long size[MAX_RANK], out_stride[MAX_RANK];
};

struct step;
typedef void step_function(const struct step *step, struct program_call *call);

struct step {
    const struct tensor *tensor;
    step_function *run;
    enum generic_method method;
    struct place out, *in;
    long scratch, scratch_unit; /* offset in the arena, floats for each unit; unit 0: none */
    union {
        struct convolution_step convolution;
        struct product_step product;
        struct loops_step loops;
        struct map_step map;
        struct reduce_step reduce;
    };
};

/** The floats of a place during a call. */
float *place_floats(const struct place *place, const struct program_call *call);
/** The number in a place of one element, in double if it is kept so. */
double place_number(const struct place *place, const struct program_call *call);

/** Runs task(struct step_call *) over units. */
struct step_call {
    const struct step *step;
    struct program_call *call;
};
void step_parallel(const struct step *step, struct program_call *call, program_task *task,
                   long units);

/** The scratch of a unit. */
float *step_scratch(const struct step *step, const struct program_call *call, long unit);

/** Choose how a tensor is computed: fill run, scratch_unit and the step's own part. */
void prepare_contract(struct step *step);                                              /* match.c */
void prepare_map(struct step *step, struct arena *arena, const struct target *target); /* map.c */
void prepare_reduce(struct step *step); /* kernels.c */

/** What runs a recognized contraction (kernels.c). */
step_function run_convolution, run_product, run_loops;
/** Runs what prepare_map made (map.c). */
step_function run_map;
/** What runs the other primitives (kernels.c). */
step_function run_max_pool, run_max_pool_gather, run_max_pool_gradient, run_slice, run_concat, run_pad, run_copy,
    run_scalar;

#endif
