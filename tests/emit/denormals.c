/* denormals.c: one step of an emitted model on black images, whose first kernel gets no gradient;
 * one of its weights is a denormal number. Prints the weight before and after, and whether the mode
 * of the processor is what it was. Compiled as train.c is, for x86 with SSE; -DTHREADS: the
 * caller's threads come in the usual mode. */
#include <stdio.h>
#include <xmmintrin.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)

static double block[M(BLOCK_BYTES) / sizeof(double) + M(ALIGNMENT)];
static float x[M(BATCH) * M(SAMPLE_SIZE)], y[M(BATCH) * M(LABEL_SIZE)];
static unsigned usual_mode;
static int is_kept = 1;

#ifdef THREADS
static void run(void *pool, F(task) * task, const void *context, long count) {
    const unsigned mode = _mm_getcsr();
    (void)pool;
    _mm_setcsr(usual_mode);
    task(context, 0, count);
    /* The lower six bits tell what has happened. */
    is_kept &= (_mm_getcsr() & ~0x3fu) == (usual_mode & ~0x3fu);
    _mm_setcsr(mode);
}
static const struct F(threads) threads = {run, NULL};
#define THREADS_ARGUMENT , &threads
#else
#define THREADS_ARGUMENT
#endif

int main(void) {
    char *start = (char *)block;
    void *aligned = start + (M(ALIGNMENT) - (size_t)start % M(ALIGNMENT)) % M(ALIGNMENT);
    float *weight;
    usual_mode = _mm_getcsr();
    F(init)(aligned, 1);
    weight = F(parameter)(aligned, 0);
    *weight = 1e-40f;
    printf("%g ", (double)*weight);
    F(train_step)(aligned, x, y, M(BATCH), 0.001f, NULL THREADS_ARGUMENT);
    is_kept &= (_mm_getcsr() & ~0x3fu) == (usual_mode & ~0x3fu);
    printf("%g %d\n", (double)*weight, is_kept);
    return 0;
}
