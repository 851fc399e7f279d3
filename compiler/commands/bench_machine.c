/* bench_machine.c: what this machine can do at the moment: multiply-adds in registers, and
 * streaming through working sets of three sizes. `lathe bench` measures it in turn with what it
 * times. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARRAYS = 3, SLICES = 32, FLOATS_APART = 64, BURSTS = 3 };
/* A burst is far above the clock's noise and mostly too short to be interrupted; the best of some
 * bursts is what the machine can do at the moment. */
static const double burst_seconds = 0.0006;
static const long large_set = 192L << 20; /* beyond the share of any last cache a core has */

/* Runs on each thread: its own part of the memory. */
struct job {
    const struct machine *machine;
    long rounds;        /* multiply_add */
    long begin, floats; /* triad: of each array, in the thread's part */
    int passes;
    double *work; /* by thread: what it did */
};

/* The thread's array of three, apart by a few lines so that they do not share cache sets. */
static float *thread_array(const struct machine *m, long thread, int array) {
    return m->memory + (thread * ARRAYS + array) * m->array_floats + array * FLOATS_APART;
}

static void multiply_add(const void *context, long begin, long end) {
    const struct job *job = context;
    for (long i = begin; i < end; i++) {
        float out[2 + 64] = {0.999f, 1e-3f};
        job->work[i] = job->machine->multiply_add(out, job->rounds);
    }
}

static void triad(const void *context, long begin, long end) {
    const struct job *job = context;
    const struct machine *m = job->machine;
    for (long i = begin; i < end; i++) {
        double bytes = 0;
        for (int pass = 0; pass < job->passes; pass++)
            bytes +=
                m->triad(thread_array(m, i, 0) + job->begin, thread_array(m, i, 1) + job->begin,
                         thread_array(m, i, 2) + job->begin, job->floats);
        job->work[i] = bytes;
    }
}

/* Runs a job on all threads; returns its seconds. *rate: billions a second of all of them. */
static double run_job(const struct machine *m, struct job *job, program_task *task, double *rate) {
    double work[MACHINE_THREADS] = {0}, start = bench_seconds(), total = 0;
    job->work = work;
    pool_parallel(m->pool, task, job, m->threads);
    double spent = bench_seconds() - start;
    for (int i = 0; i < m->threads; i++) total += work[i];
    *rate = total / spent * 1e-9;
    return spent;
}

/* So many passes that a measurement takes long enough. */
static void calibrate(struct machine *m) {
    double rate;
    struct job job = {.machine = m, .rounds = 1000};
    while (run_job(m, &job, multiply_add, &rate) < burst_seconds && job.rounds < 1L << 30)
        job.rounds *= 2;
    m->rounds = job.rounds;
    for (int set = 0; set < WORKING_SETS - 1; set++) {
        struct job stream = {.machine = m, .floats = m->set_floats[set], .passes = 1};
        run_job(m, &stream, triad, &rate);
        while (run_job(m, &stream, triad, &rate) < burst_seconds / 2 && stream.passes < 1 << 20)
            stream.passes *= 2;
        m->passes[set] = stream.passes;
    }
}

bool machine_open(struct machine *m, const struct target *target, struct pool *pool, int threads,
                  struct error *error) {
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    memset(m, 0, sizeof *m);
    if (cache < 64 << 10 || cache > 64 << 20) cache = target->l2;
    m->pool = pool;
    m->threads = threads < MACHINE_THREADS ? threads : MACHINE_THREADS;
    microkernel_function *fma = microkernel_symbol(target, "measure_multiply_add"),
                         *stream = microkernel_symbol(target, "measure_triad");
    if (!fma || !stream || !target_runs(target))
        return error_set(error, "this machine cannot run code for target %s", target->name);
    memcpy(&m->multiply_add, &fma, sizeof fma);
    memcpy(&m->triad, &stream, sizeof stream);
    m->set_bytes[0] = cache / 2;
    m->set_bytes[1] = cache * 8;
    m->set_bytes[2] =
        large_set / m->threads > 2 * m->set_bytes[1] ? large_set / m->threads : 2 * m->set_bytes[1];
    for (int set = 0; set < WORKING_SETS; set++)
        m->set_floats[set] =
            m->set_bytes[set] / ARRAYS / (long)sizeof(float) / (64 * SLICES) * (64 * SLICES);
    m->array_floats = m->set_floats[WORKING_SETS - 1] + ARRAYS * FLOATS_APART;
    size_t bytes = sizeof(float) * (size_t)(m->array_floats * ARRAYS * m->threads);
    m->memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!m->memory) return error_set(error, "out of memory");
    for (size_t i = 0; i < bytes / sizeof(float); i++) m->memory[i] = 1;
    calibrate(m);
    return true;
}

/* The best rate of some bursts. */
static double best_rate(const struct machine *m, struct job *job, program_task *task) {
    double best = 0, rate;
    for (int i = 0; i < BURSTS; i++) {
        run_job(m, job, task, &rate);
        if (rate > best) best = rate;
    }
    return best;
}

void machine_measure(struct machine *m) {
    if (m->count == MACHINE_SAMPLES) return;
    struct job job = {.machine = m, .rounds = m->rounds};
    m->multiply_add_rates[m->count] = best_rate(m, &job, multiply_add);
    for (int set = 0; set < WORKING_SETS - 1; set++) { /* the first burst fills the caches */
        struct job stream = {.machine = m, .floats = m->set_floats[set], .passes = m->passes[set]};
        m->triad_rates[set][m->count] = best_rate(m, &stream, triad);
    }
    /* Memory: each time another slice, long out of the caches. */
    double rate, *best = &m->triad_rates[WORKING_SETS - 1][m->count];
    long slice = m->set_floats[WORKING_SETS - 1] / SLICES;
    for (int i = 0; i < BURSTS; i++) {
        long begin = (m->count * BURSTS + i) % SLICES * slice;
        struct job stream = {.machine = m, .begin = begin, .floats = slice, .passes = 1};
        run_job(m, &stream, triad, &rate);
        if (i == 0 || rate > *best) *best = rate;
    }
    m->count++;
}

void machine_finish(struct machine *m) {
    m->gflops = spread_of(m->multiply_add_rates, m->count);
    for (int set = 0; set < WORKING_SETS; set++)
        m->gigabytes[set] = spread_of(m->triad_rates[set], m->count);
}

double machine_limit_ms(const struct machine *m, const struct cost *cost, double *compute_ms) {
    int set = 0;
    while (set < WORKING_SETS - 1 && cost->bytes / m->threads > (double)m->set_bytes[set]) set++;
    double compute = cost->operations / m->gflops.median * 1e-6;
    double stream = cost->bytes / m->gigabytes[set].median * 1e-6;
    *compute_ms = compute >= stream ? compute : 0;
    return compute >= stream ? compute : stream;
}

void machine_close(struct machine *m) {
    free(m->memory);
    m->memory = NULL;
}
