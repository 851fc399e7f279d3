/* prefetch.c: a ring of batches that threads fill ahead of the training (see prefetch.h).
 *
 * Batch b lies in slot b % SLOTS. Threads take the batches in their order; a slot is free once the
 * batch that the training holds is behind its old one. */
#include "prefetch.h"
#include "memory.h"
#include "parallel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4, MOST_WORKERS = 8 };

struct slot {
    float *samples, *labels;
    long batch; /* that is ready here; -1: none */
};

struct worker {
    struct prefetch *prefetch;
    pthread_t thread;
    float *scratch; /* of augmentation_gather */
};

struct prefetch {
    const struct augmentation *augmentation;
    const struct dataset *dataset;
    const struct program *program;
    uint32_t seed;

    pthread_mutex_t lock;    /* of all below */
    pthread_cond_t work;     /* a slot is free, or it is over */
    pthread_cond_t progress; /* a batch is ready, or a thread is idle */
    struct slot slot[SLOTS];
    uint32_t epoch;
    const long *order;
    long count, batches;
    long held; /* the batch that the training holds or waits for */
    long next; /* the next one that a thread takes */
    int busy;  /* threads that fill a slot */
    bool over;
    struct worker worker[MOST_WORKERS];
    int workers;
};

static void fill(const struct prefetch *prefetch, const struct worker *worker, long batch,
                 struct slot *slot) {
    const struct program *program = prefetch->program;
    long begin = batch * program->batch, count = prefetch->count - begin;
    size_t samples = (size_t)program->sample_size, labels = (size_t)program->label_size;

    if (count > program->batch) count = program->batch;
    augmentation_gather(prefetch->augmentation, prefetch->dataset, prefetch->seed, prefetch->epoch,
                        prefetch->order + begin, count, slot->samples, slot->labels,
                        program->label_size, worker->scratch);
    size_t rest = (size_t)(program->rows - count), used = (size_t)count;
    memset(slot->samples + used * samples, 0, rest * samples * sizeof(float));
    memset(slot->labels + used * labels, 0, rest * labels * sizeof(float));
}

static void *run_worker(void *context) {
    struct worker *worker = context;
    struct prefetch *prefetch = worker->prefetch;

    pthread_mutex_lock(&prefetch->lock);
    while (!prefetch->over) {
        long batch = prefetch->next;
        if (batch >= prefetch->batches || batch >= prefetch->held + SLOTS) {
            pthread_cond_wait(&prefetch->work, &prefetch->lock);
            continue;
        }
        struct slot *slot = &prefetch->slot[batch % SLOTS];
        prefetch->next++;
        prefetch->busy++;
        slot->batch = -1;
        pthread_mutex_unlock(&prefetch->lock);
        fill(prefetch, worker, batch, slot);
        pthread_mutex_lock(&prefetch->lock);
        slot->batch = batch;
        prefetch->busy--;
        pthread_cond_broadcast(&prefetch->progress);
    }
    pthread_mutex_unlock(&prefetch->lock);
    return NULL;
}

/* With the lock held: waits for the threads, and lets them go on at a batch. */
static void begin_at(struct prefetch *prefetch, long batch) {
    long batches = prefetch->batches;

    prefetch->batches = 0; /* none is to take another one */
    while (prefetch->busy) pthread_cond_wait(&prefetch->progress, &prefetch->lock);
    prefetch->batches = batches;
    for (int i = 0; i < SLOTS; i++) prefetch->slot[i].batch = -1;
    prefetch->held = prefetch->next = batch;
    pthread_cond_broadcast(&prefetch->work);
}

void prefetch_pause(struct prefetch *prefetch) {
    pthread_mutex_lock(&prefetch->lock);
    prefetch->batches = 0;
    begin_at(prefetch, 0);
    pthread_mutex_unlock(&prefetch->lock);
}

void prefetch_epoch(struct prefetch *prefetch, uint32_t epoch, const long *order, long count,
                    long first_batch) {
    long batch = prefetch->program->batch;

    prefetch_pause(prefetch);
    pthread_mutex_lock(&prefetch->lock);
    prefetch->epoch = epoch;
    prefetch->order = order;
    prefetch->count = count;
    prefetch->batches = (count + batch - 1) / batch;
    begin_at(prefetch, first_batch);
    pthread_mutex_unlock(&prefetch->lock);
}

void prefetch_batch(struct prefetch *prefetch, long batch, const float *inputs[2]) {
    struct slot *slot = &prefetch->slot[batch % SLOTS];

    pthread_mutex_lock(&prefetch->lock);
    if (batch < prefetch->held || batch > prefetch->next) begin_at(prefetch, batch);
    prefetch->held = batch;
    pthread_cond_broadcast(&prefetch->work);
    while (slot->batch != batch) pthread_cond_wait(&prefetch->progress, &prefetch->lock);
    pthread_mutex_unlock(&prefetch->lock);
    inputs[0] = slot->samples;
    inputs[1] = slot->labels;
}

static bool prepare(struct prefetch *prefetch, struct error *error) {
    const struct program *program = prefetch->program;
    size_t samples = (size_t)(program->rows * program->sample_size) * sizeof(float);
    size_t labels = (size_t)(program->rows * program->label_size) * sizeof(float);
    const long *shape = prefetch->dataset->shape;
    size_t scratch =
        (size_t)augmentation_scratch_floats(shape[0], shape[1], shape[2]) * sizeof(float);
    int wanted = pool_processors() / 2;

    for (int i = 0; i < SLOTS; i++) {
        prefetch->slot[i].batch = -1;
        prefetch->slot[i].samples = memory_aligned(samples);
        prefetch->slot[i].labels = memory_aligned(labels);
        if (!prefetch->slot[i].samples || !prefetch->slot[i].labels)
            return error_set(error, "out of memory for the batches to come");
    }
    if (wanted < 1) wanted = 1;
    if (wanted > MOST_WORKERS) wanted = MOST_WORKERS;
    while (prefetch->workers < wanted) {
        struct worker *worker = &prefetch->worker[prefetch->workers];
        worker->prefetch = prefetch;
        worker->scratch = memory_aligned(scratch);
        if (!worker->scratch) return error_set(error, "out of memory for the batches to come");
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
            free(worker->scratch);
            return error_set(error, "cannot start a thread for the batches to come");
        }
        prefetch->workers++;
    }
    return true;
}

struct prefetch *prefetch_new(const struct augmentation *augmentation,
                              const struct dataset *dataset, const struct program *program,
                              uint32_t seed, struct error *error) {
    struct prefetch *prefetch = calloc(1, sizeof *prefetch);

    if (!prefetch) {
        error_set(error, "out of memory for the batches to come");
        return NULL;
    }
    prefetch->augmentation = augmentation;
    prefetch->dataset = dataset;
    prefetch->program = program;
    prefetch->seed = seed;
    pthread_mutex_init(&prefetch->lock, NULL);
    pthread_cond_init(&prefetch->work, NULL);
    pthread_cond_init(&prefetch->progress, NULL);
    if (prepare(prefetch, error)) return prefetch;
    prefetch_free(prefetch);
    return NULL;
}

void prefetch_free(struct prefetch *prefetch) {
    if (!prefetch) return;
    pthread_mutex_lock(&prefetch->lock);
    prefetch->over = true;
    pthread_cond_broadcast(&prefetch->work);
    pthread_mutex_unlock(&prefetch->lock);
    for (int i = 0; i < prefetch->workers; i++) {
        pthread_join(prefetch->worker[i].thread, NULL);
        free(prefetch->worker[i].scratch);
    }
    for (int i = 0; i < SLOTS; i++) {
        free(prefetch->slot[i].samples);
        free(prefetch->slot[i].labels);
    }
    pthread_cond_destroy(&prefetch->work);
    pthread_cond_destroy(&prefetch->progress);
    pthread_mutex_destroy(&prefetch->lock);
    free(prefetch);
}
