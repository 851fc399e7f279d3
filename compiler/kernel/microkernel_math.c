/* microkernel_math.c: the text of the scalar mathematics that maps call: real_exp, real_log, ...
 *
 * In float they are branch free, every choice a select, so that compilers vectorize loops over
 * them; in double they are libm's. The polynomials are minimax fits; the bounds stand beside them,
 * and tests/test_microkernel.c measures them. */
#include "microkernel_text.h"

/* By their bits: -ffast-math takes both zeros for the same. */
static const char *const negative_zero_in_double = "@int real_is_negative_zero(double x) {\n"
                                                   "    union {\n"
                                                   "        double value;\n"
                                                   "        unsigned long long bits;\n"
                                                   "    } pun;\n"
                                                   "    pun.value = x;\n"
                                                   "    return pun.bits == 1ull << 63;\n"
                                                   "}\n";
static const char *const negative_zero =
    "@int real_is_negative_zero(float x) { return real_to_bits(x) == 1u << 31; }\n\n";

/* In double all of it, in float what has no polynomial here, is the library's. */
static void print_library(struct text *text, const char *qualifiers, const char *library) {
    static const char *const in_double[] = {"exp", "log", "sqrt", "tanh",
                                            "erf", "sin", "cos",  "floor"};
    static const char *const in_float[] = {"sqrt", "sin", "cos", "floor"};
    const char *space = *qualifiers ? " " : "";
    text_put(text, "#ifdef LATHE_DOUBLE\n");
    for (size_t i = 0; i < sizeof in_double / sizeof *in_double; i++)
        text_add(text, "%s%sdouble real_%s(double x) { return %s%s(x); }\n", qualifiers, space,
                 in_double[i], library, in_double[i]);
    text_add(text, "%s%sdouble real_pow(double x, double y) { return %spow(x, y); }\n", qualifiers,
             space, library);
    microkernel_put(text, negative_zero_in_double, qualifiers);
    text_put(text, "#else\n");
    for (size_t i = 0; i < sizeof in_float / sizeof *in_float; i++)
        text_add(text, "%s%sfloat real_%s(float x) { return %s%sf(x); }\n", qualifiers, space,
                 in_float[i], library, in_float[i]);
    text_add(text, "%s%sfloat real_pow(float x, float y) { return %spowf(x, y); }\n\n", qualifiers,
             space, library);
}

static const char *const exponential =
    "union real_bits {\n"
    "    float value;\n"
    "    unsigned bits;\n"
    "};\n\n"
    "@float real_from_bits(unsigned bits) {\n"
    "    union real_bits pun;\n"
    "    pun.bits = bits;\n"
    "    return pun.value;\n"
    "}\n\n"
    "@unsigned real_to_bits(float value) {\n"
    "    union real_bits pun;\n"
    "    pun.value = value;\n"
    "    return pun.bits;\n"
    "}\n\n"
    "/* exp(x) = 2^n * exp(r), n an integer, |r| <= log(2) / 2; exp(r) to 3e-9. Adding 1.5 * 2^23\n"
    " * rounds to an integer, which then stands in the low bits (read as bits: -ffast-math would\n"
    " * cancel a subtraction). 2^n is two factors, so that results below the smallest normal\n"
    " * number come out right. */\n"
    "@float real_exp(float x) {\n"
    "    const float above = x < -104.0f ? -104.0f : x;\n"
    "    const float within = above > 89.0f ? 89.0f : above;\n"
    "    const float shifted = within * 1.44269504f + 12582912.0f;\n"
    "    const unsigned whole_part = real_to_bits(shifted) - 0x4b400000u;\n"
    "    const float n = (float)(int)whole_part;\n"
    "    const float r = (within - n * 0.693359375f) + n * 2.12194440e-4f;\n"
    "    float p = 1.381446689e-3f;\n"
    "    unsigned whole, half;\n"
    "    p = p * r + 8.368780415e-3f;\n"
    "    p = p * r + 4.166839421e-2f;\n"
    "    p = p * r + 1.666652011e-1f;\n"
    "    p = p * r + 4.999999341e-1f;\n"
    "    p = p * (r * r) + r + 1.0f;\n"
    "    whole = whole_part + 254u; /* n + 2 * 127 */\n"
    "    half = whole >> 1;\n"
    "    return p * real_from_bits(half << 23) * real_from_bits((whole - half) << 23);\n"
    "}\n\n";

static const char *const logarithm =
    "/* log(x) = n * log(2) + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2); the polynomial to\n"
    " * 6e-9. */\n"
    "@float real_log(float x) {\n"
    "    const float tiny = x < 1.17549435e-38f ? 1.0f : 0.0f; /* subnormal: scaled by 2^23 */\n"
    "    const float normal = x < 1.17549435e-38f ? x * 8388608.0f : x;\n"
    "    const unsigned bits = real_to_bits(normal) + (0x3f800000u - 0x3f3504f3u);\n"
    "    const float n = (float)(int)(bits >> 23) - 127.0f - 23.0f * tiny;\n"
    "    const float f = real_from_bits((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;\n"
    "    float p = -7.634497757e-2f;\n"
    "    p = p * f + 1.276157753e-1f;\n"
    "    p = p * f - 1.316018216e-1f;\n"
    "    p = p * f + 1.420175792e-1f;\n"
    "    p = p * f - 1.662335736e-1f;\n"
    "    p = p * f + 2.000122688e-1f;\n"
    "    p = p * f - 2.500082103e-1f;\n"
    "    p = p * f + 3.333333171e-1f;\n"
    "    p = p * f * (f * f) - n * 2.12194440e-4f;\n"
    "    p = (p - 0.5f * (f * f) + f) + n * 0.693359375f;\n"
    "    p = x < real_from_bits(0x7f800000u) ? p : x;             /* log(inf) = inf */\n"
    "    p = x == 0 ? real_from_bits(0xff800000u) : p;            /* log(0) = -inf */\n"
    "    return x < 0 ? real_from_bits(0x7fc00000u) : p;          /* NaN */\n"
    "}\n\n";

static const char *const hyperbolic =
    "/* x * y + z, rounded once where the processor has an instruction for it. */\n"
    "@float real_fused(float x, float y, float z) {\n"
    "#if defined(__FMA__) || defined(__FP_FAST_FMAF)\n"
    "    return __builtin_fmaf(x, y, z);\n"
    "#else\n"
    "    return x * y + z;\n"
    "#endif\n"
    "}\n\n"
    "/* Below 0.625 a polynomial in x^2, above 1 - 2 / (exp(2|x|) + 1), which is 1 from 9.02 on;\n"
    " * the exponential is that of real_exp, without its extremes. */\n"
    "@float real_tanh(float x) {\n"
    "    const unsigned size = real_to_bits(x) & 0x7fffffffu, sign = real_to_bits(x) - size;\n"
    "    const float within = real_from_bits(size < 0x41140000u ? size : 0x41140000u); /* 9.25 */\n"
    "    const float z = x * x;\n"
    "    const unsigned whole =\n"
    "        real_to_bits(real_fused(within, 2.88539008f, 12582912.0f)) - 0x4b400000u;\n"
    "    const float n = (float)(int)whole;\n"
    "    const float r =\n"
    "        real_fused(n, 2.12194440e-4f, real_fused(n, -0.693359375f, within + within));\n"
    "    float e = 1.381446689e-3f, p = -5.717045110e-3f, large;\n"
    "    e = real_fused(e, r, 8.368780415e-3f);\n"
    "    e = real_fused(e, r, 4.166839421e-2f);\n"
    "    e = real_fused(e, r, 1.666652011e-1f);\n"
    "    e = real_fused(e, r, 4.999999341e-1f);\n"
    "    e = real_fused(e, r * r, r) + 1.0f;\n"
    "    e = e * real_from_bits((whole + 127u) << 23);\n"
    "    large = real_from_bits(real_to_bits(1.0f - 2.0f / (e + 1.0f)) | sign);\n"
    "    p = real_fused(p, z, 2.065058737e-2f);\n"
    "    p = real_fused(p, z, -5.374349812e-2f);\n"
    "    p = real_fused(p, z, 1.333149129e-1f);\n"
    "    p = real_fused(p, z, -3.333328393e-1f);\n"
    "    p = real_fused(p * z, x, x);\n"
    "    return real_from_bits(size) >= 0.625f ? large : p; /* NaN: p */\n"
    "}\n\n"
    "/* Below 1 a polynomial in x^2 (1e-9), above 1 - exp(polynomial); from 4.2 on it is 1. */\n"
    "@float real_erf(float x) {\n"
    "    const float size = x < 0 ? -x : x;\n"
    "    const float t = size > 4.2f ? 4.2f : size;\n"
    "    const float z = t * t;\n"
    "    float p = 7.889119398e-5f, q = 1.855740118e-4f;\n"
    "    p = p * z - 8.020841152e-4f;\n"
    "    p = p * z + 5.189535311e-3f;\n"
    "    p = p * z - 2.685444457e-2f;\n"
    "    p = p * z + 1.128360018e-1f;\n"
    "    p = p * z - 3.761262714e-1f;\n"
    "    p = p * z + 1.128379166e+0f;\n"
    "    p = p * t;\n"
    "    q = q * t - 2.939607321e-3f;\n"
    "    q = q * t + 2.180531839e-2f;\n"
    "    q = q * t - 1.030373689e-1f;\n"
    "    q = q * t - 6.382256771e-1f;\n"
    "    q = q * t - 1.127040036e+0f;\n"
    "    q = q * t - 3.537194700e-4f;\n"
    "    q = 1.0f - real_exp(q);\n"
    "    p = size < 1.0f ? p : q;\n"
    "    return x < 0 ? -p : p;\n"
    "}\n"
    "#endif\n\n";

static const char *const uniform =
    "/* Random numbers by counter: MurmurHash3's 32-bit finalizer mixes a key and an element\n"
    " * number to 24 bits in [0, 1): twice for initial weights, once for what each step draws. */\n"
    "@unsigned real_random_mix(unsigned h) {\n"
    "    h ^= h >> 16;\n"
    "    h *= 0x85ebca6bu;\n"
    "    h ^= h >> 13;\n"
    "    h *= 0xc2b2ae35u;\n"
    "    return h ^ h >> 16;\n"
    "}\n\n"
    "@unsigned real_random_key(unsigned seed, unsigned step, unsigned stream) {\n"
    "    return real_random_mix(real_random_mix(real_random_mix(seed) + step) + stream);\n"
    "}\n\n"
    "@real real_random(unsigned key, unsigned element) {\n"
    "    const unsigned h = real_random_mix(real_random_mix(element + key) ^ key);\n"
    "    return (real)(int)(h >> 8) * (real)(1.0 / 16777216.0);\n"
    "}\n\n"
    "@unsigned real_random_bits(unsigned key, unsigned element) {\n"
    "    unsigned h = element + key;\n"
    "    h = ((h ^ h >> 16) * 0x85ebca6bu) ^ key;\n"
    "    return (h ^ h >> 13) * 0xc2b2ae35u;\n"
    "}\n\n"
    "@real real_random_once(unsigned key, unsigned element) {\n"
    "    return (real)(int)(real_random_bits(key, element) >> 8) * (real)(1.0 / 16777216.0);\n"
    "}\n\n";

void microkernel_print_math(struct text *text, const char *qualifiers, const char *library) {
    print_library(text, qualifiers, library);
    microkernel_put(text, exponential, qualifiers);
    microkernel_put(text, negative_zero, qualifiers);
    microkernel_put(text, logarithm, qualifiers);
    microkernel_put(text, hyperbolic, qualifiers);
    microkernel_put(text, uniform, qualifiers);
}
