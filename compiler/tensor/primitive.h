/* primitive.h: what a kind of tensor is: one entry of the table in primitives.c, one file a family.
 *
 * To add a primitive: an enumerator in graph.h, its rules in a file of its own, a line in the
 * table, a builder in graph.c. */
#ifndef LATHE_PRIMITIVE_H
#define LATHE_PRIMITIVE_H

#include "graph.h"

/* What the naive reference of a primitive gets: values of its inputs, room for its own. */
struct evaluation {
    struct arena *arena;
    const struct reference_call *call;
    const double *const *in;
    double *out;
};

struct primitive_rules {
    const char *name;
    int least_inputs, most_inputs; /* most -1: any number */

    /** The shape rule: true if the tensor's attributes and shape suit its inputs' shapes. */
    bool (*check)(const struct graph *graph, const struct tensor *tensor, struct error *error);

    /** The gradient rule: for each k with wanted[k], in_gradient[k] = this tensor's part of the
     * gradient by in[k], given the gradient dy by its own value; NULL stays for zero. NULL for
     * what has no gradient. */
    void (*gradient)(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                     const bool *wanted, struct tensor **in_gradient);

    /** The naive reference. */
    void (*reference)(const struct tensor *tensor, const struct evaluation *evaluation);

    /** Appends what stands behind the `=` of a dump. */
    void (*print)(struct text *text, const struct tensor *tensor);
};

/** The table entry of a primitive. */
const struct primitive_rules *primitive_rules(enum primitive primitive);

/* call.c */
bool input_check(const struct graph *, const struct tensor *, struct error *);
void input_reference(const struct tensor *, const struct evaluation *);
void input_print(struct text *, const struct tensor *);
bool scalar_check(const struct graph *, const struct tensor *, struct error *);
void scalar_reference(const struct tensor *, const struct evaluation *);
void scalar_print(struct text *, const struct tensor *);
bool variable_check(const struct graph *, const struct tensor *, struct error *);
void variable_reference(const struct tensor *, const struct evaluation *);
void variable_print(struct text *, const struct tensor *);

/* map.c */
bool map_check(const struct graph *, const struct tensor *, struct error *);
void map_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                  struct tensor **in_gradient);
void map_reference(const struct tensor *, const struct evaluation *);
void map_print(struct text *, const struct tensor *);

/* contract.c */
bool contract_check(const struct graph *, const struct tensor *, struct error *);
void contract_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                       struct tensor **in_gradient);
void contract_reference(const struct tensor *, const struct evaluation *);
void contract_print(struct text *, const struct tensor *);

/* reduce.c */
bool reduce_check(const struct graph *, const struct tensor *, struct error *);
void reduce_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                     struct tensor **in_gradient);
void reduce_reference(const struct tensor *, const struct evaluation *);
void reduce_print(struct text *, const struct tensor *);

/* max_pool.c */
bool max_pool_check(const struct graph *, const struct tensor *, struct error *);
void max_pool_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                       struct tensor **in_gradient);
void max_pool_reference(const struct tensor *, const struct evaluation *);
bool max_pool_gather_check(const struct graph *, const struct tensor *, struct error *);
void max_pool_gather_gradient(struct graph *, struct tensor *, struct tensor *dy,
                              const bool *wanted, struct tensor **in_gradient);
void max_pool_gather_reference(const struct tensor *, const struct evaluation *);
void max_pool_print(struct text *, const struct tensor *);
bool max_pool_gradient_check(const struct graph *, const struct tensor *, struct error *);
void max_pool_gradient_reference(const struct tensor *, const struct evaluation *);

/* view.c */
bool reshape_check(const struct graph *, const struct tensor *, struct error *);
void reshape_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                      struct tensor **in_gradient);
void reshape_reference(const struct tensor *, const struct evaluation *);
void reshape_print(struct text *, const struct tensor *);
bool slice_check(const struct graph *, const struct tensor *, struct error *);
void slice_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                    struct tensor **in_gradient);
void slice_reference(const struct tensor *, const struct evaluation *);
void slice_print(struct text *, const struct tensor *);
bool concat_check(const struct graph *, const struct tensor *, struct error *);
void concat_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                     struct tensor **in_gradient);
void concat_reference(const struct tensor *, const struct evaluation *);
void concat_print(struct text *, const struct tensor *);
bool pad_check(const struct graph *, const struct tensor *, struct error *);
void pad_gradient(struct graph *, struct tensor *, struct tensor *dy, const bool *wanted,
                  struct tensor **in_gradient);
void pad_reference(const struct tensor *, const struct evaluation *);
void pad_print(struct text *, const struct tensor *);

#endif
