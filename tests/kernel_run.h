/* kernel_run.h: for tests of the generated code: the compiled side of kernel_check.h.
 *
 * Each block of memory that generated code sees ends at a page that nobody may touch, is filled
 * with values that are no numbers, and is looked after for writes outside of it. */
#ifndef LATHE_KERNEL_RUN_H
#define LATHE_KERNEL_RUN_H

#include "tests/kernel_check.h"

/* ---- guarded memory ---- */

struct block {
    unsigned char *pages, *data;
    size_t mapped, bytes, page;
};

static inline struct block block_new(size_t bytes) {
    struct block block = {.bytes = bytes, .page = (size_t)sysconf(_SC_PAGESIZE)};
    size_t room = (bytes + 63) / 64 * 64;
    block.mapped = (room + 2 * block.page) / block.page * block.page;
    block.pages = mmap(NULL, block.mapped + block.page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(block.pages != MAP_FAILED);
    assert_int_equal(mprotect(block.pages + block.mapped, block.page, PROT_NONE), 0);
    block.data = block.pages + block.mapped - room;
    memset(block.pages, 0xff, block.mapped);
    return block;
}

/* True if nothing was written around the data. */
static inline bool block_free(struct block *block) {
    bool clean = true;
    for (unsigned char *p = block->pages; p < block->pages + block->mapped; p++)
        if ((p < block->data || p >= block->data + block->bytes) && *p != 0xff) clean = false;
    munmap(block->pages, block->mapped + block->page);
    return clean;
}

/* ---- a compiled model ---- */

struct built {
    struct program program;
    bool is_double;
    struct tcc_module *tcc;
    struct cc_module *cc;
};

static inline bool set_entry(struct built *built, const char *name, program_entry **entry) {
    void *address =
        built->tcc ? tcc_module_find(built->tcc, name) : cc_module_find(built->cc, name);
    memcpy(entry, &address, sizeof address);
    return address != NULL;
}

static inline bool load_tcc_text(struct built *built, const struct compilation *compilation,
                                 const struct target *target, struct error *error) {
    struct tcc_symbol symbols[400] = {{NULL, NULL}};
    int count = 0;
    for (int i = 0; compilation->symbols[i]; i++) {
        microkernel_function *function = microkernel_symbol(target, compilation->symbols[i]);
        if (!function || count == 399) continue;
        symbols[count].name = compilation->symbols[i];
        memcpy(&symbols[count++].address, &function, sizeof function);
    }
    built->tcc = tcc_module_new(compilation->c_text, symbols, error);
    return built->tcc != NULL;
}

static inline bool load_cc_text(struct built *built, const struct compilation *compilation,
                                const char *compiler, const struct target *target,
                                struct error *error) {
    built->cc = cc_module_new(compilation->c_text, compiler, target, error);
    if (!built->cc) return false;
    if (cc_module_poll(built->cc, false, NULL) == CC_READY) return true;
    return cc_module_start(built->cc, false, error) &&
           cc_module_poll(built->cc, true, error) == CC_READY;
}

static inline void built_free(struct built *built) {
    tcc_module_free(built->tcc);
    cc_module_free(built->cc);
}

/* Compiles with all entry points. compiler: of DIALECT_CC. */
static inline bool build(struct kernel_check *check, struct compile_options options,
                         const char *compiler, struct built *built) {
    struct error error = {""};
    memset(built, 0, sizeof *built);
    options.batch = check->m.batch;
    options.training = options.evaluation = options.prediction = true;
    options.prefix = "m";
    struct compilation *compilation =
        compile_model(&check->m.arena, check->m.model, &options, &error);
    bool done = compilation != NULL;
    if (done) {
        built->program = compilation->program;
        built->is_double = options.use_double;
        done = options.dialect == DIALECT_TCC
                   ? load_tcc_text(built, compilation, options.target, &error)
                   : load_cc_text(built, compilation, compiler, options.target, &error);
    }
    struct program *p = &built->program;
    done = done && set_entry(built, "m_train", &p->train) &&
           set_entry(built, "m_evaluate", &p->evaluate) &&
           set_entry(built, "m_predict", &p->predict) &&
           (!p->prepared_bytes || set_entry(built, "m_prepare", &p->prepare));
    if (done) return true;
    check_complain(check, "for %s: %s", options.target->name, error.text);
    built_free(built);
    return false;
}

/* ---- running it ---- */

enum { BLOCK_ARENA = SPACE_COUNT, BLOCK_PREPARED, BLOCK_SAMPLES, BLOCK_LABELS, BLOCK_PREDICTIONS, BLOCK_COUNT };

struct run {
    const struct built *built;
    struct block blocks[BLOCK_COUNT];
    struct program_call call;
};

static inline void store(const struct run *run, int block, long i, double value) {
    if (run->built->is_double)
        ((double *)(void *)run->blocks[block].data)[i] = value;
    else
        ((float *)(void *)run->blocks[block].data)[i] = (float)value;
}

static inline double load(const struct run *run, int block, long i) {
    if (run->built->is_double) return ((const double *)(void *)run->blocks[block].data)[i];
    return (double)((const float *)(void *)run->blocks[block].data)[i];
}

/* Samples or labels; the rows that pad the batch hold numbers that must not count. */
static inline void fill_rows(const struct run *run, int block, const double *from, long size,
                             long batch) {
    for (long i = 0; i < run->built->program.rows * size; i++)
        store(run, block, i, i < batch * size ? from[i] : i % 3 == 0 ? -1 : 1);
}

static inline void set_weights(const struct run *run, const struct kernel_check *check) {
    for (int i = 0; i < SPACE_COUNT; i++)
        for (long k = 0; k < run->built->program.space_size[i]; k++)
            store(run, i, k, check->m.spaces[i][k]);
}

static inline void *block_address(const struct run *run, int block) {
    return run->blocks[block].data;
}

static inline void run_open(struct run *run, const struct kernel_check *check,
                            const struct built *built, struct pool *pool) {
    const struct program *p = &built->program;
    size_t real = built->is_double ? sizeof(double) : sizeof(float), rows = (size_t)p->rows;
    run->built = built;
    for (int i = 0; i < SPACE_COUNT; i++)
        run->blocks[i] = block_new(real * (size_t)p->space_size[i]);
    run->blocks[BLOCK_ARENA] = block_new(p->arena_bytes);
    run->blocks[BLOCK_PREPARED] = block_new(p->prepared_bytes);
    run->blocks[BLOCK_SAMPLES] = block_new(real * rows * (size_t)p->sample_size);
    run->blocks[BLOCK_LABELS] = block_new(real * rows * (size_t)p->label_size);
    run->blocks[BLOCK_PREDICTIONS] = block_new(real * rows * (size_t)p->output_size);
    set_weights(run, check);
    fill_rows(run, BLOCK_SAMPLES, check->m.samples, p->sample_size, check->m.batch);
    fill_rows(run, BLOCK_LABELS, check->m.labels, p->label_size, check->m.batch);
    run->call = (struct program_call){
        .arena = block_address(run, BLOCK_ARENA),
        .prepared = block_address(run, BLOCK_PREPARED),
        .inputs = {block_address(run, BLOCK_SAMPLES), block_address(run, BLOCK_LABELS)},
        .predictions = block_address(run, BLOCK_PREDICTIONS),
        .parallel = pool_parallel,
        .pool = pool,
        .range_start = pool_range_start,
        .begins = pool_begins};
    for (int i = 0; i < SPACE_COUNT; i++) run->call.space[i] = block_address(run, i);
    memcpy(run->call.scalars, check->m.scalars, sizeof run->call.scalars);
}

/* False: something was written outside of the blocks. */
static inline bool run_close(struct run *run) {
    bool clean = true;
    for (int i = 0; i < BLOCK_COUNT; i++) clean = block_free(&run->blocks[i]) && clean;
    return clean;
}

/* Calls an entry point; nothing may count on what the arena held. */
static inline void run_entry(struct run *run, program_entry *entry, long step, long samples) {
    memset(run->blocks[BLOCK_ARENA].data, 0xff, run->blocks[BLOCK_ARENA].bytes);
    memset(run->blocks[BLOCK_PREDICTIONS].data, 0xff, run->blocks[BLOCK_PREDICTIONS].bytes);
    run->call.scalars[SCALAR_STEP] = (double)step;
    run->call.scalars[SCALAR_SAMPLES] = (double)samples;
    run->call.results[0] = run->call.results[1] = NAN;
    entry(&run->call);
}

static inline double *append_results(const struct run *run, double *trace) {
    *trace++ = run->call.results[0];
    *trace++ = run->built->program.has_accuracy ? run->call.results[1] : 0;
    return trace;
}

static inline double *append_block(const struct run *run, int block, long count, double *trace) {
    for (long i = 0; i < count; i++) *trace++ = load(run, block, i);
    return trace;
}

/* The trace of a compiled model. */
static inline void run_trace(const struct kernel_check *check, const struct built *built,
                             struct pool *pool, double *trace) {
    struct run run;
    const struct program *p = &built->program;
    run_open(&run, check, built, pool);
    for (int step = 0; step < CHECK_STEPS; step++) {
        run_entry(&run, p->train, step + 1, step_samples(check, step));
        trace = append_results(&run, trace);
        for (int i = 0; i < SPACE_COUNT; i++)
            trace = append_block(&run, i, p->space_size[i], trace);
    }
    run_entry(&run, p->evaluate, CHECK_STEPS + 1, check->partial);
    trace = append_results(&run, trace);
    trace = append_block(&run, BLOCK_PREDICTIONS, check->partial * p->output_size, trace);
    if (p->prepare) run_entry(&run, p->prepare, CHECK_STEPS + 1, check->m.batch);
    run_entry(&run, p->predict, CHECK_STEPS + 1, check->m.batch);
    append_block(&run, BLOCK_PREDICTIONS, check->m.batch * p->output_size, trace);
    if (!run_close(&run)) check_complain(check, "memory around its blocks was changed");
}

/* ---- comparing ---- */

/* The largest error as a share of what is allowed: `times` the noise, and `relative` to the largest
 * value. Complains of the first segment that exceeds it. */
static inline double compare_trace(const struct kernel_check *check, const double *trace,
                                   double times, double relative, const char *what) {
    double worst = 0;
    for (int s = 0; s < check->layout.count; s++) {
        const struct segment *segment = &check->layout.segments[s];
        const double *got = trace + segment->begin, *expected = check->expected + segment->begin;
        double largest = segment->scale;
        for (long i = 0; i < segment->count; i++) largest = fmax(largest, fabs(expected[i]));
        double allowed = times * check->noise[s] + relative * largest + 1e-14;
        for (long i = 0; i < segment->count; i++) {
            double error = fabs(got[i] - expected[i]);
            if (error <= allowed) {
                worst = fmax(worst, error / allowed);
                continue;
            }
            check_complain(check, "%s: %s[%ld] is %.12g, not %.12g; allowed: %.2g (largest %.3g)",
                           what, segment->name, i, got[i], expected[i], allowed, largest);
            return INFINITY;
        }
    }
    return worst;
}

static inline double *trace_new(const struct kernel_check *check) {
    double *trace = calloc((size_t)check->layout.total, sizeof *trace);
    assert_non_null(trace);
    return trace;
}

/* Runs on 1, 2 and 8 threads, which must give the same bits, and compares with the reference. */
static inline double check_built(const struct kernel_check *check, const struct built *built,
                                 struct pool *const pools[2], double times, double relative,
                                 const char *what) {
    double *trace = trace_new(check), *again = trace_new(check);
    run_trace(check, built, NULL, trace);
    double worst = compare_trace(check, trace, times, relative, what);
    for (int i = 0; i < 2 && pools; i++) {
        run_trace(check, built, pools[i], again);
        if (memcmp(trace, again, sizeof *trace * (size_t)check->layout.total) != 0)
            check_complain(check, "%s: %d threads give other bits", what, i ? 8 : 2);
    }
    free(trace);
    free(again);
    return worst;
}

#endif
