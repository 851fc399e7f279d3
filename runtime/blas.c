/* blas.c: OpenBLAS, loaded when it is first used (see blas.h). */
#include "blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static struct {
    void (*sgemm)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, enum CBLAS_TRANSPOSE, int, int, int,
                  float, const float *, int, const float *, int, float, float *, int);
    void (*set_num_threads)(int);
    char *(*get_config)(void);
} blas;

static int find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static void load(void) {
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library || !find(library, "openblas_set_num_threads", &blas.set_num_threads) ||
        !find(library, "openblas_get_config", &blas.get_config) ||
        !find(library, "cblas_sgemm", &blas.sgemm)) {
        blas.sgemm = NULL;
        return;
    }
    blas.set_num_threads(1);
}

static int is_there(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return blas.sgemm != NULL;
}

int blas_sgemm(int a_transposed, int b_transposed, int m, int n, int depth, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc) {
    if (!is_there()) return 0;
    blas.sgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans,
               b_transposed ? CblasTrans : CblasNoTrans, m, n, depth, 1.0f, a, lda, b, ldb, beta, c,
               ldc);
    return 1;
}

const char *blas_description(void) {
    return is_there() ? blas.get_config() : NULL;
}
