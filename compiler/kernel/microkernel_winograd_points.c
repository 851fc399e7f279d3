/* microkernel_winograd_points.c: the text of Winograd's transforms along one axis (see
 * microkernel_winograd_points.h).
 *
 * The points 0.75 and 1.5 keep the rounding errors near those of the direct sums; 1 and 2, the
 * usual choice, have up to four times more. */
#include "microkernel_winograd_points.h"

static const double point[2] = {0.75, 1.5};

/* "*(const memory16 *)(x + 16)", or "(x + 16)[lane]" */
const char *winograd_read(const struct winograd_form *f, const char *address) {
    return f->is_vector ? arena_format(f->text->arena, "*(const memory%d *)(%s)", f->lanes, address)
                        : arena_format(f->text->arena, "(%s)[lane]", address);
}

void winograd_store(const struct winograd_form *f, const char *address, const char *value) {
    if (f->is_vector)
        text_add(f->text, "%s*(memory%d *)(%s) = %s;\n", f->indent, f->lanes, address, value);
    else
        text_add(f->text, "%s(%s)[lane] = %s;\n", f->indent, address, value);
}

void winograd_open_lanes(const struct winograd_form *f) {
    text_put(f->text, f->indent + 4);
    if (f->is_vector)
        text_put(f->text, "{\n");
    else
        text_add(f->text, "for (long lane = 0; lane < %d; lane++) {\n", f->lanes);
}

/* "a0_2" ... "a5_2", or "a2_0" ... along the rows. */
void winograd_column_names(const struct winograd_form *f, const char *names[], const char *prefix,
                           int count, int column) {
    for (int i = 0; i < count; i++) names[i] = NAME("%s%d_%d", prefix, i, column);
}

void winograd_row_names(const struct winograd_form *f, const char *names[], const char *prefix,
                        int count, int row) {
    for (int i = 0; i < count; i++) names[i] = NAME("%s%d_%d", prefix, row, i);
}

void winograd_declare(const struct winograd_form *f, const char *name, const char *value) {
    text_add(f->text, "%sconst %s %s = %s;\n", f->indent, f->type, name, value);
}

int winograd_point_count(const struct winograd_form *f, int results) {
    return results + f->taps - 1;
}

bool winograd_has_point(const struct winograd_form *f, int results, int i) {
    return i == POINTS - 1 || i < winograd_point_count(f, results) - 1;
}

/* "x - y * number", or plus. */
static const char *less(const struct winograd_form *f, const char *x, const char *y,
                        double number) {
    return NAME("%s %c %s * (real)%.17g", x, number < 0 ? '+' : '-', y,
                number < 0 ? -number : number);
}

static void all_image_points(const struct winograd_form *f, const char *const in[],
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

/* The value of point p, times the product of its distances to the points that are left out. Plus
 * zero, which is no bare product: the next sum would have two. */
static void declare_scaled(const struct winograd_form *f, const char *name, const char *value,
                           double p, int count) {
    const double left_out[] = {-point[1], point[1], -point[0]};
    double scale = 1;
    for (int i = 0; i < POINTS - count; i++) scale *= p - left_out[i];
    winograd_declare(f, name, NAME("(%s) * (real)%.17g + zero", value, scale));
}

/* The polynomial of the points is x (x - p), x (x - p) (x + p), or that times (x - q). In front of
 * the last, pixels are combined as it asks. */
static void few_image_points(const struct winograd_form *f, int count, const char *const in[],
                             const char *const out[]) {
    const double p = point[0], q = point[1];
    const char *x[POINTS];
    for (int i = 0; i < count; i++) x[i] = in[i];
    for (int i = 0; i < 4 && count == 5; i++) {
        x[i] = NAME("%s_%d", out[0], i);
        winograd_declare(f, x[i], less(f, in[i + 1], in[i], q));
    }
    if (count == 3) {
        declare_scaled(f, out[0], less(f, x[1], x[0], p), 0, count);
        declare_scaled(f, out[1], x[1], p, count);
        winograd_declare(f, out[5], less(f, x[2], x[1], p));
        return;
    }
    declare_scaled(f, out[0], less(f, x[2], x[0], p * p), 0, count);
    declare_scaled(f, out[1], less(f, x[2], x[1], -p), p, count);
    declare_scaled(f, out[2], less(f, x[2], x[1], p), -p, count);
    if (count == 5) declare_scaled(f, out[3], less(f, in[3], in[1], p * p), q, count);
    winograd_declare(f, out[5], less(f, x[3], x[1], p * p));
}

void winograd_image_points(const struct winograd_form *f, int results, const char *const in[],
                           const char *const out[]) {
    int count = winograd_point_count(f, results);
    if (count == POINTS)
        all_image_points(f, in, out);
    else
        few_image_points(f, count, in, out);
}

static double power(double base, int exponent) {
    double result = 1;
    while (exponent-- > 0) result *= base;
    return result;
}

double winograd_result_scale(int k) {
    return power(point[0], k);
}

/* Sums, and if wanted differences, of the values at a point and at its negative, as far as there
 * are such. */
static void add_pairs(const struct winograd_form *f, int count, bool is_odd, const char *const in[],
                      const char *name, const char *sum[2], const char *difference[2]) {
    for (int i = 0; i < 2; i++) {
        bool is_pair = count >= (i ? 6 : 4), is_there = count >= (i ? 5 : 3);
        sum[i] = difference[i] = is_there ? in[1 + 2 * i] : NULL;
        if (!is_pair) continue;
        sum[i] = NAME("%s_sum%d", name, i);
        difference[i] = NAME("%s_difference%d", name, i);
        winograd_declare(f, sum[i], NAME("%s + %s", in[1 + 2 * i], in[2 + 2 * i]));
        if (is_odd)
            winograd_declare(f, difference[i], NAME("%s - %s", in[1 + 2 * i], in[2 + 2 * i]));
    }
}

void winograd_result_pixels(const struct winograd_form *f, int results, const char *const in[],
                            const char *const out[]) {
    const char *sum[2], *difference[2];
    add_pairs(f, winograd_point_count(f, results), results > 1, in, out[0], sum, difference);
    for (int k = 0; k < results; k++) {
        const char *const *term = k % 2 ? difference : sum;
        const char *value = k ? term[0] : NAME("%s + %s", in[0], term[0]);
        if (term[1] && k == 0) value = NAME("%s + %s", value, term[1]);
        if (term[1] && k > 0)
            value = NAME("%s + %s * (real)%.17g", value, term[1], power(point[1] / point[0], k));
        if (k == results - 1 && k == 0) value = NAME("%s + %s", value, in[5]);
        if (k == results - 1 && k > 0)
            value = NAME("%s + %s * (real)%.17g", value, in[5], 1 / winograd_result_scale(k));
        winograd_declare(f, out[k], value);
    }
}

void winograd_gradient_points(const struct winograd_form *f, int results, const char *const in[],
                              const char *const out[]) {
    winograd_declare(f, out[0], in[0]);
    for (int i = 0; i < 2; i++) {
        const double p = point[i];
        const char *even = in[0], *odd = results > 1 ? in[1] : NULL;
        bool is_there = winograd_has_point(f, results, 1 + 2 * i);
        if (is_there && results > 2) {
            even = NAME("%s_even", out[1 + 2 * i]);
            winograd_declare(f, even, NAME("%s + %s * (real)%.17g", in[0], in[2], p * p));
        }
        if (is_there && results > 3) {
            odd = NAME("%s_odd", out[1 + 2 * i]);
            winograd_declare(f, odd, NAME("%s + %s * (real)%.17g", in[1], in[3], p * p));
        }
        for (int sign = 1; sign >= -1; sign -= 2) {
            int at = 1 + 2 * i + (sign < 0);
            if (winograd_has_point(f, results, at))
                winograd_declare(f, out[at], odd ? less(f, even, odd, -sign * p) : even);
        }
    }
    winograd_declare(f, out[5], in[results - 1]);
}

/* The derivative of the points' polynomial at 0 and at point i: what interpolation divides by. */
static double slope(int i) {
    const double a = point[0] * point[0], b = point[1] * point[1];
    if (i < 0) return a * b;
    return i ? 2 * b * (b - a) : 2 * a * (a - b);
}

void winograd_weight_points(const struct winograd_form *f, int results, const char *const in[],
                            const char *const out[]) {
    winograd_declare(f, out[0], in[0]);
    for (int i = 0; i < 2; i++) {
        if (!winograd_has_point(f, results, 1 + 2 * i)) continue;
        const double p = point[i];
        const char *even = NAME("%s_even", out[1 + 2 * i]), *odd = in[1];
        const char *sum = NAME("%s + %s * (real)%.17g", in[0], in[2], p * p);
        if (f->taps > 3) {
            odd = NAME("%s_odd", out[1 + 2 * i]);
            winograd_declare(f, odd, NAME("%s + %s * (real)%.17g", in[1], in[3], p * p));
        }
        if (f->taps > 4) sum = NAME("%s + %s * (real)%.17g", sum, in[4], p * p * p * p);
        winograd_declare(f, even, sum);
        winograd_declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, p));
        if (winograd_has_point(f, results, 2 + 2 * i))
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
    add_pairs(f, POINTS, true, in, out[0], sum, difference);
    winograd_declare(f, out[0],
                     NAME("%s + %s * (real)%.17g + %s * (real)%.17g", in[0], sum[0], s * slope(-1),
                          sum[1], t * slope(-1)));
    for (int k = 1; k < f->taps - 1; k++) {
        const char *const *term = k % 2 ? difference : sum;
        winograd_declare(
            f, out[k],
            NAME("%s + %s * (real)%.17g", term[0], term[1], power(q, k) * t / (power(p, k) * s)));
    }
    const int last = f->taps - 1;
    const char *const *term = last % 2 ? difference : sum;
    winograd_declare(f, out[last],
                     NAME("%s + %s * (real)%.17g + %s * (real)%.17g", in[5], term[0],
                          power(p, last) * s, term[1], power(q, last) * t));
}

double winograd_gradient_scale(const struct winograd_form *f, int k) {
    if (k == 0) return 1 / slope(-1);
    return k < f->taps - 1 ? power(point[0], k) / slope(0) : 1;
}
