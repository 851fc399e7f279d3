/* denormals.c: see denormals.h. */
#include "denormals.h"

#include <stdint.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

void denormals_flush(void) {
#if defined(__SSE__)
    enum { DENORMALS_ARE_ZERO = 1 << 6, FLUSH_TO_ZERO = 1 << 15 };
    _mm_setcsr(_mm_getcsr() | DENORMALS_ARE_ZERO | FLUSH_TO_ZERO);
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("msr fpcr, %0" : : "r"(control | UINT64_C(1) << 24));
#endif
}
