/* targets.c: test_cross.c on all targets, with all models or those named as arguments. */
#define ALL_TARGETS
#include "tests/test_cross.c"
