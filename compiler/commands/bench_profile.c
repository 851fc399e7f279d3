/* bench_profile.c: where the time of a step goes: by layer, and by part of a layer. */
#include "bench.h"

#include <stdatomic.h>
#include <string.h>

enum { MOST_ROUNDS = 31 };

/* Stands between a program and the pool: a program calls `parallel` for each task of more than one
 * unit, in a known order. What passes between two such calls belongs to the kernels of one unit
 * between them; each gets a share by the work it is expected to do. A task of several kernels tells
 * when each begins (`progress`): they share its time by what they took on all threads. */
struct profile {
    struct pool *pool;
    const struct kernel_summary *kernels;
    int count, next;
    double last;              /* when the task before ended */
    double *seconds;          /* of each kernel */
    atomic_long *nanoseconds; /* of each kernel, on all threads, in the task that runs */
    bool is_running; /* a task is: what runs outside of `parallel` is not timed by kernel */
    bool is_lost;    /* the calls are not those of the list */
};

static double work_together(const struct kernel_summary *kernels) {
    double work = 0;
    for (int i = 0; i < kernels->together; i++) work += kernels[i].work;
    return work;
}

/* The tasks of one unit up to the next call share the time since the last one, by their work. */
static void profile_gap(struct profile *p, double now) {
    int first = p->next;
    double work = 0;
    for (; p->next < p->count && p->kernels[p->next].units == 1;
         p->next += p->kernels[p->next].together)
        work += work_together(&p->kernels[p->next]);
    for (int i = first; i < p->next; i++)
        p->seconds[i] += (now - p->last) * p->kernels[i].work / work;
}

/* The kernel of a task that this thread is in, and since when; -1: none. */
static _Thread_local int profile_kernel = -1;
static _Thread_local double profile_since;

static void profile_progress(void *pool, long kernel) {
    struct profile *p = pool;
    if (!p->is_running || p->next >= p->count) return;
    double now = bench_seconds();
    if (profile_kernel >= 0)
        atomic_fetch_add(&p->nanoseconds[p->next + profile_kernel],
                         (long)((now - profile_since) * 1e9));
    profile_kernel = kernel == p->kernels[p->next].together ? -1 : (int)kernel;
    profile_since = now;
}

static void share_out(struct profile *p, double seconds) {
    int together = p->kernels[p->next].together;
    const atomic_long *own = &p->nanoseconds[p->next];
    double sum = 0;
    for (int i = 0; i < together; i++) sum += (double)own[i];
    for (int i = 0; i < together; i++)
        p->seconds[p->next + i] += sum > 0 ? seconds * (double)own[i] / sum : seconds / together;
    p->next += together;
}

static void profile_parallel(void *pool, program_task *task, const void *context, long count) {
    struct profile *p = pool;
    double start = bench_seconds();
    profile_gap(p, start);
    p->is_running = true;
    pool_parallel(p->pool, task, context, count);
    p->is_running = false;
    p->last = bench_seconds();
    if (p->next >= p->count || p->kernels[p->next].units != count)
        p->is_lost = true;
    else
        share_out(p, p->last - start);
}

/* One step; adds to the seconds of each kernel. */
static bool profile_step(struct variant *v, const struct bench *bench, double *kernel_seconds) {
    if (v->generic) {
        generic_program_profile(v->generic, kernel_seconds);
        variant_step(v, bench);
        generic_program_profile(v->generic, NULL);
        return true;
    }
    struct profile profile = {.pool = v->threads.alone ? NULL : bench->pool,
                              .kernels = v->kernels,
                              .count = v->kernel_count,
                              .last = bench_seconds(),
                              .seconds = kernel_seconds,
                              .nanoseconds =
                                  ARENA_ARRAY(bench->arena, atomic_long, v->kernel_count)};
    struct program_call call = v->call;
    v->call.parallel = profile_parallel;
    v->call.progress = profile_progress;
    v->call.pool = &profile;
    variant_call(v, bench);
    profile_gap(&profile, bench_seconds());
    v->call.parallel = call.parallel;
    v->call.progress = call.progress;
    v->call.pool = call.pool;
    return !profile.is_lost && profile.next == profile.count;
}

/* The milliseconds of each row and part, in each round. */
struct tally {
    double (*values)[PART_COUNT][MOST_ROUNDS];
    double *kernel_seconds;
    double spent;
    int rounds;
};

static bool take_round(struct variant *v, const struct bench *bench, struct tally *tally,
                       struct error *error) {
    double start = bench_seconds();
    for (int i = 0; i < v->kernel_count; i++) tally->kernel_seconds[i] = 0;
    if (tally->rounds == 0 || v->ms.median < 100) variant_step(v, bench); /* fills the caches */
    if (!profile_step(v, bench, tally->kernel_seconds))
        return error_set(error, "the kernels of the %s build did not run in their order",
                         variant_names[v->kind]);
    for (int i = 0; i < v->kernel_count; i++) {
        const struct kernel_summary *kernel = &v->kernels[i];
        tally->values[bench_row(bench->model, kernel->layer)][kernel->part][tally->rounds] +=
            tally->kernel_seconds[i] * 1e3;
    }
    tally->rounds++;
    tally->spent += bench_seconds() - start;
    return true;
}

static void sum_up(struct variant *v, const struct bench *bench, struct tally *tally) {
    int rows = bench->model->layer_count + 1, rounds = tally->rounds;
    v->rows = ARENA_ARRAY(bench->arena, struct row_times, rows);
    v->profile_rounds = rounds;
    for (int row = 0; row < rows; row++) {
        struct row_times *times = &v->rows[row];
        double sorted[MOST_ROUNDS];
        times->rounds = ARENA_ARRAY(bench->arena, double, rounds);
        for (int round = 0; round < rounds; round++)
            for (int part = 0; part < PART_COUNT; part++)
                times->rounds[round] += tally->values[row][part][round];
        for (int part = 0; part < PART_COUNT; part++)
            times->part_ms[part] = spread_of(tally->values[row][part], rounds).median;
        memcpy(sorted, times->rounds, sizeof *sorted * (size_t)rounds);
        times->ms = spread_of(sorted, rounds);
    }
}

bool variants_profile(struct variant *variants, int count, const struct bench *bench,
                      struct error *error) {
    int rows = bench->model->layer_count + 1;
    struct tally tallies[VARIANTS] = {{NULL, NULL, 0, 0}};
    bool more = true;
    for (int i = 0; i < count; i++) {
        tallies[i].values = arena_alloc(bench->arena, sizeof *tallies[i].values * (size_t)rows);
        tallies[i].kernel_seconds = ARENA_ARRAY(bench->arena, double, variants[i].kernel_count);
    }
    for (int round = 0; round < MOST_ROUNDS && more; round++) {
        more = false;
        bench_progress(bench, "timing layers", (double)round / MOST_ROUNDS);
        if (bench->machine) machine_measure(bench->machine);
        for (int i = 0; i < count; i++) {
            if (round > 0 && tallies[i].spent > bench->seconds / 2) continue;
            if (!take_round(&variants[i], bench, &tallies[i], error)) return false;
            more = true;
        }
    }
    for (int i = 0; i < count; i++) sum_up(&variants[i], bench, &tallies[i]);
    return true;
}
