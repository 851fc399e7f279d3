/* slow_kernels.c: test_kernels.c with many more models, and other ones. */
#define FIRST_MODEL 100001
#define TCC_MODELS 1200
#define CC_MODELS 60
#define DOUBLE_MODELS 60
#include "tests/test_kernels.c"
