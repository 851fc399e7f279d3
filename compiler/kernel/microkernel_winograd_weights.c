/* microkernel_winograd_weights.c: the text of the transforms of Winograd's weights: to the points,
 * and of their gradient back from there. */
#include "microkernel_winograd_points.h"

enum { FEW = 8 }; /* channels of a tile whose weights share vectors with other input channels */

/* The weights of a tile of few channels for as many input channels as there are lanes, so that no
 * vector is half empty: `taps` holds them as u does, [tap][channel][out]. Rows of Keras's weights
 * are copied FEW numbers at once, the end of each overwritten by the next. */
static void print_gathered_taps(struct winograd_form *f) {
    const int taps = f->taps * f->taps, room = FEW * (f->lanes + 1);
    text_add(
        f->text,
        "    real taps[%d] = {0};\n"
        "    const long at_once = outs <= %d ? %d : 1, most = outs <= %d ? outs : %d;\n"
        "    for (long c = 0; c < channels; c += at_once)\n"
        "    for (long o = 0; o < outs; o += most) {\n"
        "        const long ins = channels - c < at_once ? channels - c : at_once;\n"
        "        const long count = outs - o < most ? outs - o : most;\n"
        "        const long whole = w_out > 1 || outs > %d ? 0 : c + ins < channels ? ins : ins - "
        "1;\n"
        "        for (long k = 0; k < %d; k++) {\n"
        "            const real *from =\n"
        "                w + c * w_channel + o * w_out + k / %d * w_row + k %% %d * w_column;\n"
        "            real *to = taps + k * %d;\n"
        "            for (long i = 0; i < whole; i++, from += w_channel, to += outs)\n"
        "                for (long j = 0; j < %d; j++) to[j] = from[j];\n"
        "            for (long i = whole; i < ins; i++, from += w_channel, to += outs)\n"
        "                for (long j = 0; j < count; j++) to[j] = from[j * w_out];\n"
        "        }\n",
        taps * room, FEW, f->lanes, FEW, f->lanes, FEW, taps, f->taps, f->taps, room, FEW);
}

void winograd_print_weights(struct winograd_form *f) {
    const char *in[MOST_TAPS], *out[POINTS];
    struct text *text = f->text;
    const int taps = f->taps, room = FEW * (f->lanes + 1);
    print_gathered_taps(f);
    text_add(text,
             "        for (long first = 0; first < ins * count; first += %d) {\n"
             "            real *const to = u + c * outs + o + first;\n",
             f->lanes);
    f->indent = "            ";
    winograd_open_lanes(f);
    for (int column = 0; column < taps; column++) {
        for (int i = 0; i < taps; i++) {
            in[i] = NAME("w%d_%d", i, column);
            winograd_declare(
                f, in[i], winograd_read(f, NAME("taps + first + %d", (i * taps + column) * room)));
        }
        winograd_column_names(f, out, "t", POINTS, column);
        winograd_weight_points(f, f->last, in, out);
    }
    for (int r = 0; r < POINTS; r++) {
        if (!winograd_has_point(f, f->last, r)) continue;
        winograd_row_names(f, in, "t", taps, r);
        winograd_row_names(f, out, "u", POINTS, r);
        winograd_weight_points(f, f->last, in, out);
        for (int i = 0; i < POINTS; i++)
            if (winograd_has_point(f, f->last, i))
                winograd_store(f, NAME("to + %d * u_point", r * POINTS + i),
                               NAME("%s * (real)%.17g", out[i],
                                    winograd_weight_scale(r) * winograd_weight_scale(i)));
    }
    text_put(text, "            }\n        }\n    }\n");
}

void winograd_print_weight_gradient(struct winograd_form *f) {
    const char *in[POINTS], *out[MOST_TAPS];
    struct text *text = f->text;
    const int taps = f->taps;
    text_add(text,
             "    const long point = tiles * region;\n"
             "    for (long tile = 0; tile < tiles; tile++, sums += region, to += %d * region)\n"
             "    for (long first = 0; first < region; first += %d) {\n"
             "        const real *const from = sums + first;\n"
             "        real *const at = to + first;\n",
             taps * taps, f->lanes);
    f->indent = "            ";
    winograd_open_lanes(f);
    for (int column = 0; column < POINTS; column++) {
        for (int i = 0; i < POINTS; i++) {
            in[i] = NAME("u%d_%d", i, column);
            winograd_declare(f, in[i],
                             winograd_read(f, NAME("from + %d * point", i * POINTS + column)));
        }
        winograd_column_names(f, out, "t", taps, column);
        winograd_weight_gradients(f, in, out);
    }
    for (int r = 0; r < taps; r++) {
        winograd_row_names(f, in, "t", POINTS, r);
        winograd_row_names(f, out, "w", taps, r);
        winograd_weight_gradients(f, in, out);
        for (int i = 0; i < taps; i++)
            winograd_store(f, NAME("at + %d * region", r * taps + i),
                           NAME("%s * (real)%.17g", out[i],
                                winograd_gradient_scale(f, r) * winograd_gradient_scale(f, i)));
    }
    text_put(text, "        }\n"
                   "    }\n");
}

void winograd_print_weight_sums(struct winograd_form *f) {
    struct text *text = f->text;
    text_add(text,
             "    const long count = outs * ins;\n"
             "    for (long k = 0; k < %d; k++, from += step) {\n"
             "        real *to = w + k / %d * w_row + k %% %d * w_column;\n"
             "        long in = 0;\n"
             "        for (long first = 0; first < count; first += %d) {\n"
             "            real all[%d];\n",
             f->taps * f->taps, f->taps, f->taps, f->lanes,
             f->lanes);
    f->indent = "                ";
    winograd_open_lanes(f);
    text_add(text, "                %s sum = %s;\n", f->type, winograd_read(f, "from + first"));
    text_add(text,
             "                for (long part = 1; part < parts; part++)\n"
             "                    sum += %s;\n",
             winograd_read(f, "from + first + part * part_step"));
    winograd_store(f, "all", "sum");
    text_add(text,
             "            }\n"
             "            for (long i = 0; i < %d && first + i < count; i++) {\n"
             "                *to = all[i];\n"
             "                in = in + 1 < ins ? in + 1 : 0;\n"
             "                to += in ? w_in : w_out - (ins - 1) * w_in;\n"
             "            }\n"
             "        }\n"
             "    }\n",
             f->lanes);
}
