/* header.c: test_emit_header.c, with CMake. */
#define WITH_CMAKE
#include "tests/test_emit_header.c"
