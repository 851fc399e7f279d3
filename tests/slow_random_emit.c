/* slow_random_emit.c: test_random_emit.c with many more models, and other ones. */
#define FIRST_RANDOM_EMIT 100001
#define RANDOM_EMITS 800
#include "tests/test_random_emit.c"
