/* checks.c: test_emit_checks.c for all models, or those named as arguments, with cppcheck and more
 * compilers. */
#define ALL_MODELS
#include "tests/test_emit_checks.c"
