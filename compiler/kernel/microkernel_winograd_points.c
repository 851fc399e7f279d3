/* microkernel_winograd_points.c: the text of Winograd's transforms along one axis (see
 * microkernel_winograd_points.h).
 *
 * The points 0.75 and 1.5 keep the rounding errors near those of the direct sums; 1 and 2, the
 * usual choice, have up to four times more. */
#include "microkernel_winograd_points.h"

static const double point[2] = {0.75, 1.5};

#define NAME(...) arena_format(f->text->arena, __VA_ARGS__)

void winograd_declare(const struct winograd_form *f, const char *name, const char *value) {
    text_add(f->text, "%sconst %s %s = %s;\n", f->indent, f->type, name, value);
}

void winograd_image_points(const struct winograd_form *f, const char *const in[],
                           const char *const out[]) {
    const double a = point[0] * point[0], b = point[1] * point[1];
    winograd_declare(
        f, out[0],
        NAME("%s + %s * (real)%.17g - %s * (real)%.17g", in[4], in[0], a * b, in[2], a + b));
    for (int i = 0; i < 2; i++) {
        const double other = i ? a : b;
        const char *even = NAME("%s_even", out[1 + 2 * i]), *odd = NAME("%s_odd", out[1 + 2 * i]);
        winograd_declare(f, even, NAME("%s - %s * (real)%.17g", in[4], in[2], other));
        winograd_declare(f, odd, NAME("%s - %s * (real)%.17g", in[3], in[1], other));
        winograd_declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, point[i]));
        winograd_declare(f, out[2 + 2 * i], NAME("%s - %s * (real)%.17g", even, odd, point[i]));
    }
    winograd_declare(
        f, out[5],
        NAME("%s + %s * (real)%.17g - %s * (real)%.17g", in[5], in[1], a * b, in[3], a + b));
}

static double power(double base, int exponent) {
    double result = 1;
    while (exponent-- > 0) result *= base;
    return result;
}

double winograd_result_scale(int k) {
    return power(point[0], k);
}

/* Sums and differences of the values at a point and at its negative. */
static void add_pairs(const struct winograd_form *f, const char *const in[], const char *name,
                      const char *sum[2], const char *difference[2]) {
    for (int i = 0; i < 2; i++) {
        sum[i] = NAME("%s_sum%d", name, i);
        difference[i] = NAME("%s_difference%d", name, i);
        winograd_declare(f, sum[i], NAME("%s + %s", in[1 + 2 * i], in[2 + 2 * i]));
        winograd_declare(f, difference[i], NAME("%s - %s", in[1 + 2 * i], in[2 + 2 * i]));
    }
}

void winograd_result_pixels(const struct winograd_form *f, const char *const in[],
                            const char *const out[]) {
    const char *sum[2], *difference[2];
    add_pairs(f, in, out[0], sum, difference);
    winograd_declare(f, out[0], NAME("%s + %s + %s", in[0], sum[0], sum[1]));
    for (int k = 1; k < f->tile; k++) {
        const char *const *term = k % 2 ? difference : sum;
        const char *value =
            NAME("%s + %s * (real)%.17g", term[0], term[1], power(point[1] / point[0], k));
        if (k == f->tile - 1)
            value = NAME("%s + %s * (real)%.17g", value, in[5], 1 / winograd_result_scale(k));
        winograd_declare(f, out[k], value);
    }
}

void winograd_gradient_points(const struct winograd_form *f, const char *const in[],
                              const char *const out[]) {
    winograd_declare(f, out[0], in[0]);
    for (int i = 0; i < 2; i++) {
        const double p = point[i];
        const char *even = in[0], *odd = in[1];
        if (f->tile == MOST_TILE) {
            even = NAME("%s_even", out[1 + 2 * i]), odd = NAME("%s_odd", out[1 + 2 * i]);
            winograd_declare(f, even, NAME("%s + %s * (real)%.17g", in[0], in[2], p * p));
            winograd_declare(f, odd, NAME("%s + %s * (real)%.17g", in[1], in[3], p * p));
        }
        winograd_declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, p));
        winograd_declare(f, out[2 + 2 * i], NAME("%s - %s * (real)%.17g", even, odd, p));
    }
    winograd_declare(f, out[5], in[f->tile - 1]);
}

/* The derivative of the points' polynomial at 0 and at point i: what interpolation divides by. */
static double slope(int i) {
    const double a = point[0] * point[0], b = point[1] * point[1];
    if (i < 0) return a * b;
    return i ? 2 * b * (b - a) : 2 * a * (a - b);
}

void winograd_weight_points(const struct winograd_form *f, const char *const in[],
                            const char *const out[]) {
    winograd_declare(f, out[0], in[0]);
    for (int i = 0; i < 2; i++) {
        const double p = point[i];
        const char *even = NAME("%s_even", out[1 + 2 * i]), *odd = in[1];
        const char *sum = NAME("%s + %s * (real)%.17g", in[0], in[2], p * p);
        if (f->taps == MOST_TAPS) {
            odd = NAME("%s_odd", out[1 + 2 * i]);
            winograd_declare(f, odd, NAME("%s + %s * (real)%.17g", in[1], in[3], p * p));
            sum = NAME("%s + %s * (real)%.17g", sum, in[4], p * p * p * p);
        }
        winograd_declare(f, even, sum);
        winograd_declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, p));
        winograd_declare(f, out[2 + 2 * i], NAME("%s - %s * (real)%.17g", even, odd, p));
    }
    winograd_declare(f, out[5], in[f->taps - 1]);
}

double winograd_weight_scale(int k) {
    return k == 0 ? 1 / slope(-1) : k == POINTS - 1 ? 1 : 1 / slope((k - 1) / 2);
}

void winograd_weight_gradients(const struct winograd_form *f, const char *const in[],
                               const char *const out[]) {
    const double p = point[0], q = point[1], s = 1 / slope(0), t = 1 / slope(1);
    const char *sum[2], *difference[2];
    add_pairs(f, in, out[0], sum, difference);
    winograd_declare(f, out[0],
                     NAME("%s + %s * (real)%.17g + %s * (real)%.17g", in[0], sum[0], s * slope(-1),
                          sum[1], t * slope(-1)));
    for (int k = 1; k < f->taps - 1; k++) {
        const char *const *term = k % 2 ? difference : sum;
        winograd_declare(
            f, out[k],
            NAME("%s + %s * (real)%.17g", term[0], term[1], power(q, k) * t / (power(p, k) * s)));
    }
    const int last = f->taps - 1; /* even */
    winograd_declare(f, out[last],
                     NAME("%s + %s * (real)%.17g + %s * (real)%.17g", in[5], sum[0],
                          power(p, last) * s, sum[1], power(q, last) * t));
}

double winograd_gradient_scale(const struct winograd_form *f, int k) {
    if (k == 0) return 1 / slope(-1);
    return k < f->taps - 1 ? power(point[0], k) / slope(0) : 1;
}
