/* kernel_case.h: for tests of the generated code: layers in Lua, trained for a few steps on every
 * target that runs here, against the naive reference in double, and with the same bits from
 * libtcc's form and the C compiler's. */
#ifndef LATHE_KERNEL_CASE_H
#define LATHE_KERNEL_CASE_H

#include "tests/kernel_pools.h"
#include "tests/kernel_run.h"

static const double most_cost = 1e8;

struct kernel_case {
    long batch;
    bool binary;               /* labels are zeros and ones */
    const char *layers, *loss; /* layers: or the text of a whole model, which begins with "local" */
};

static void open_case(struct kernel_check *check, const struct kernel_case *c) {
    memset(check, 0, sizeof *check);
    check->random.batch = c->batch;
    check->random.binary = c->binary;
    if (strncmp(c->layers, "local", 5) == 0)
        snprintf(check->random.text, sizeof check->random.text, "%s", c->layers);
    else
        snprintf(check->random.text, sizeof check->random.text,
                 "return model 'm' { %s, training = { batch_size = %ld, loss = %s, optimizer = "
                 "adam {} } "
                 "}\n",
                 c->layers, c->batch, c->loss);
    assert_true(check_open_text(check, (uint64_t)c->batch, most_cost));
}

/* The trace of the form for this processor. */
static double *trace_of(struct kernel_check *check, enum dialect dialect,
                        const struct target *target) {
    struct compile_options options = {.target = target, .dialect = dialect, .prepare = true};
    struct built built;
    double *trace = trace_new(check);
    if (!build(check, options, NULL, &built)) return trace;
    const char *name = dialect == DIALECT_TCC ? "tcc" : "cc";
    check_built(check, &built, pools, 10, 4 * FLT_EPSILON, name);
    run_trace(check, &built, NULL, trace);
    built_free(&built);
    return trace;
}

static void test_case(void **state) {
    struct kernel_check check;
    check_failures = 0;
    open_case(&check, *state);
    for (const struct target *const *target = targets(); *target; target++)
        if (target_runs(*target) && *target != target_native())
            free(trace_of(&check, DIALECT_TCC, *target));
    double *tcc = trace_of(&check, DIALECT_TCC, target_native());
    double *cc = trace_of(&check, DIALECT_CC, target_native());
    assert_memory_equal(tcc, cc, sizeof *tcc * (size_t)check.layout.total);
    free(tcc);
    free(cc);
    check_close_all(&check);
    assert_int_equal(check_failures, 0);
}

#define KERNEL_CASE(c) \
    { #c, test_case, NULL, NULL, (void *)&(c) }

#endif
