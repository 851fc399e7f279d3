/* blas.h: OpenBLAS, loaded when it is first used: its start-up takes longer than compiling a model,
 * and training does without it. */
#ifndef LATHE_BLAS_H
#define LATHE_BLAS_H

/** cblas_sgemm for row-major matrices on the calling thread; transposed: as CBLAS's Trans. Returns
 * 0 when there is no OpenBLAS on this machine. */
int blas_sgemm(int a_transposed, int b_transposed, int m, int n, int depth, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc);

/** OpenBLAS's version and build, or NULL when there is none. */
const char *blas_description(void);

#endif
