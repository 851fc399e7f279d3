/* microkernel_own_math.c: the text of the functions of math.h that emitted code needs, for programs
 * without libm: own_exp, own_sqrtf, ... The bounds stand beside them; tests/test_own_math.c
 * measures them. They hold without -ffast-math; with it a few digits of the arguments' reduction
 * may go. */
#include "microkernel_text.h"

static const char *const bits =
    "/* Mathematics without libm. Largest relative errors, where the result is a normal number:\n"
    " * exp, log, sqrt, tanh, erf 2e-15; pow 1e-15 times (1 + |log of the result|);\n"
    " * sin, cos 1e-15 absolute for |x| <= 1e6. */\n"
    "union own_bits {\n"
    "    double value;\n"
    "    uint64_t bits;\n"
    "};\n\n"
    "union own_bitsf {\n"
    "    float value;\n"
    "    uint32_t bits;\n"
    "};\n\n"
    "@double own_from_bits(uint64_t bits) {\n"
    "    union own_bits pun;\n"
    "    pun.bits = bits;\n"
    "    return pun.value;\n"
    "}\n\n"
    "@uint64_t own_to_bits(double value) {\n"
    "    union own_bits pun;\n"
    "    pun.value = value;\n"
    "    return pun.bits;\n"
    "}\n\n";

static const char *const rounding =
    "@double own_floor(double x) {\n"
    "    double whole;\n"
    "    if (!(x > -4503599627370496.0 && x < 4503599627370496.0)) return x;\n"
    "    whole = (double)(int64_t)x;\n"
    "    return whole > x ? whole - 1.0 : whole;\n"
    "}\n\n";

static const char *const rounding_single =
    "@float own_floorf(float x) {\n"
    "    float whole;\n"
    "    if (!(x > -8388608.0f && x < 8388608.0f)) return x;\n"
    "    whole = (float)(int32_t)x;\n"
    "    return whole > x ? whole - 1.0f : whole;\n"
    "}\n\n";

static const char *const root =
    "/* Newton's iteration for 1 / sqrt(x), then one step for the root itself. */\n"
    "@double own_sqrt(double x) {\n"
    "    double scaled = x, back = 1.0, r, root;\n"
    "    if (!(x > 0.0)) return x == 0.0 ? x : own_from_bits(0x7ff8000000000000u);\n"
    "    if (x > 1.7976931348623157e308) return x;\n"
    "    if (x < 1e-290) scaled = x * 0x1p200, back = 0x1p-100;\n"
    "    r = own_from_bits(0x5fe6eb50c7b537a9u - (own_to_bits(scaled) >> 1));\n"
    "    for (int i = 0; i < 4; i++) r = r * (1.5 - 0.5 * scaled * r * r);\n"
    "    root = scaled * r;\n"
    "    root = root + 0.5 * r * (scaled - root * root);\n"
    "    return root * back;\n"
    "}\n\n";

static const char *const root_single =
    "/* The same in float, to 1.5e-7, without branches: compilers vectorize it. */\n"
    "@float own_sqrtf(float x) {\n"
    "    const float scaled = x < 1e-30f ? x * 0x1p60f : x, back = x < 1e-30f ? 0x1p-30f : 1.0f;\n"
    "    union own_bitsf pun;\n"
    "    float r, root;\n"
    "    pun.value = scaled;\n"
    "    pun.bits = 0x5f375a86u - (pun.bits >> 1);\n"
    "    r = pun.value;\n"
    "    r = r * (1.5f - 0.5f * scaled * r * r);\n"
    "    r = r * (1.5f - 0.5f * scaled * r * r);\n"
    "    r = r * (1.5f - 0.5f * scaled * r * r);\n"
    "    root = scaled * r;\n"
    "    root = (root + 0.5f * r * (scaled - root * root)) * back;\n"
    "    pun.bits = 0x7fc00000u; /* NaN */\n"
    "    root = x < 0 ? pun.value : root;\n"
    "    return x == 0 || x > 3.4028235e38f ? x : root;\n"
    "}\n\n";

static const char *const exponential =
    "/* 2^n * exp(r), |r| <= log(2) / 2, by Taylor's series. */\n"
    "@double own_exp(double x) {\n"
    "    const double above = x < -745.2 ? -745.2 : x, within = above > 709.8 ? 709.8 : above;\n"
    "    const double n = own_floor(within * 1.4426950408889634 + 0.5);\n"
    "    const double r = (within - n * 0.693147180369123816490) - n * "
    "1.90821492927058770002e-10;\n"
    "    const int64_t half = (int64_t)n / 2, rest = (int64_t)n - half;\n"
    "    double sum = 1.0;\n"
    "    for (int i = 14; i > 0; i--) sum = 1.0 + sum * r / i;\n"
    "    sum = sum * own_from_bits((uint64_t)(half + 1023) << 52);\n"
    "    sum = sum * own_from_bits((uint64_t)(rest + 1023) << 52);\n"
    "    if (x > 709.782712893384) return own_from_bits(0x7ff0000000000000u);\n"
    "    return x == x ? sum : x;\n"
    "}\n\n"
    "/* n * log(2) + 2 artanh(s), s = (m - 1) / (m + 1), sqrt(1/2) <= m < sqrt(2). */\n"
    "@double own_log(double x) {\n"
    "    const double tiny = x < 2.2250738585072014e-308 ? 54.0 : 0.0;\n"
    "    const double normal = tiny > 0 ? x * 18014398509481984.0 : x;\n"
    "    const uint64_t bits = own_to_bits(normal) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);\n"
    "    const double n = (double)(int64_t)(bits >> 52) - 1023.0 - tiny;\n"
    "    const double m = own_from_bits((bits & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu);\n"
    "    const double f = m - 1.0, s = f / (2.0 + f), z = s * s;\n"
    "    double sum = 0.0;\n"
    "    if (!(x > 0.0)) return own_from_bits(x == 0.0 ? 0xfff0000000000000u : "
    "0x7ff8000000000000u);\n"
    "    if (x > 1.7976931348623157e308) return x;\n"
    "    for (int i = 23; i > 1; i -= 2) sum = (sum + 1.0 / i) * z;\n"
    "    /* log(1 + f) = f - s * (f - 2 * sum) */\n"
    "    return n * 0.693147180369123816490 + (f - s * (f - 2.0 * sum) + n * "
    "1.90821492927058770002e-10);\n"
    "}\n\n"
    "@double own_pow(double x, double y) {\n"
    "    const double size = x < 0 ? -x : x;\n"
    "    double power;\n"
    "    if (y == 0.0 || x == 1.0) return 1.0;\n"
    "    if (x == 0.0) return y > 0.0 ? 0.0 : own_from_bits(0x7ff0000000000000u);\n"
    "    if (own_floor(y) == y && y >= -8.0 && y <= 8.0) { /* exact where that is possible */\n"
    "        power = x;\n"
    "        for (int i = (int)(y < 0 ? -y : y); i > 1; i--) power = power * x;\n"
    "        return y < 0 ? 1.0 / power : power;\n"
    "    }\n"
    "    power = own_exp(y * own_log(size));\n"
    "    if (x > 0.0) return power;\n"
    "    if (own_floor(y) != y) return own_from_bits(0x7ff8000000000000u);\n"
    "    return own_floor(0.5 * y) * 2.0 == y ? power : -power;\n"
    "}\n\n"
    "@float own_powf(float x, float y) { return (float)own_pow((double)x, (double)y); }\n\n";

static const char *const hyperbolic =
    "/* Near 0 a continued fraction, above 1 - 2 / (exp(2|x|) + 1). */\n"
    "@double own_tanh(double x) {\n"
    "    const double size = x < 0 ? -x : x, z = x * x;\n"
    "    double large;\n"
    "    if (size < 0.5)\n"
    "        return x / (1.0 + z / (3.0 + z / (5.0 + z / (7.0 + z / (9.0 + z / (11.0 + z / "
    "13.0))))));\n"
    "    large = 1.0 - 2.0 / (own_exp(2.0 * size) + 1.0);\n"
    "    return x < 0 ? -large : x == x ? large : x;\n"
    "}\n\n"
    "/* 2 / sqrt(pi) * exp(-x^2) * the sum of 2^n x^(2n+1) / (1 * 3 * ... * (2n + 1)): no term is\n"
    " * negative. Beyond 6 it is 1. */\n"
    "@double own_erf(double x) {\n"
    "    const double size = x < 0 ? -x : x, z = x * x;\n"
    "    double sum = size, term = size;\n"
    "    if (size > 6.0) return x < 0 ? -1.0 : 1.0;\n"
    "    for (int i = 3; i < 260 && term > sum * 1e-17; i += 2) {\n"
    "        term = term * 2.0 * z / i;\n"
    "        sum = sum + term;\n"
    "    }\n"
    "    sum = sum * 1.1283791670955126 * own_exp(-z);\n"
    "    return x < 0 ? -sum : sum;\n"
    "}\n\n";

static const char *const circular =
    "/* sin(r) or cos(r) for |r| <= pi / 4, by Taylor's series; first: 1 or 0. */\n"
    "@double own_circular(double r, int first) {\n"
    "    double sum = 1.0;\n"
    "    for (int i = 18 + first; i > 1; i -= 2) sum = 1.0 - sum * r * r / (i * (i - 1));\n"
    "    return first ? sum * r : sum;\n"
    "}\n\n"
    "/* sin(x + quarter * pi / 2). */\n"
    "@double own_turned(double x, int quarter) {\n"
    "    const double n = own_floor(x * 0.63661977236758134308 + 0.5);\n"
    "    const double r = ((x - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) -\n"
    "        n * 2.02226624879595063154e-21;\n"
    "    if (!(x > -4503599627370496.0 && x < 4503599627370496.0))\n"
    "        return own_from_bits(0x7ff8000000000000u);\n"
    "    switch (((int64_t)n + quarter) & 3) {\n"
    "    case 0: return own_circular(r, 1);\n"
    "    case 1: return own_circular(r, 0);\n"
    "    case 2: return -own_circular(r, 1);\n"
    "    default: return -own_circular(r, 0);\n"
    "    }\n"
    "}\n\n"
    "@double own_sin(double x) { return own_turned(x, 0); }\n"
    "@double own_cos(double x) { return own_turned(x, 1); }\n"
    "@float own_sinf(float x) { return (float)own_turned((double)x, 0); }\n"
    "@float own_cosf(float x) { return (float)own_turned((double)x, 1); }\n\n";

void microkernel_print_own_math(struct text *text) {
    microkernel_put(text, bits, "LATHE_FUNCTION");
    microkernel_put(text, rounding, "LATHE_FUNCTION");
    microkernel_put(text, rounding_single, "LATHE_INLINE");
    microkernel_put(text, root, "LATHE_FUNCTION");
    microkernel_put(text, root_single, "LATHE_INLINE");
    microkernel_put(text, exponential, "LATHE_FUNCTION");
    microkernel_put(text, hyperbolic, "LATHE_FUNCTION");
    microkernel_put(text, circular, "LATHE_FUNCTION");
}
