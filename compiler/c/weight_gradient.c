/* weight_gradient.c: writes the driver of a convolution's weight gradient: each unit owns a tile of
 * output x input channels and some taps; it sums over samples and pixels in vectors over samples,
 * and adds the lanes at the end. */
#include "writer.h"

/* The positions of the output at which a tap stays inside the input. */
static void write_tap_range(struct writer *w, const struct weight_gradient_kernel *g, int axis,
                            const char *name) {
    struct text begin = {.arena = w->arena}, end = {.arena = w->arena};
    for (long k = 0; k < g->window.kernel_size[axis]; k++) {
        long low = g->out_size[axis], high = 0;
        for (long o = 0; o < g->out_size[axis]; o++) {
            long in = o * g->window.strides[axis] + k * g->window.dilation_rate[axis] -
                      g->window.pad[axis];
            if (in < 0 || in >= g->in_size[axis]) continue;
            if (o < low) low = o;
            high = o + 1;
        }
        if (high == 0) low = 0;
        text_add(&begin, "%s%ld", k ? ", " : "", low);
        text_add(&end, "%s%ld", k ? ", " : "", high);
    }
    write_line(w, "static const long %s_begin[] = {%s};", name, text_string(&begin));
    write_line(w, "static const long %s_end[] = {%s};", name, text_string(&end));
}

static void write_call(struct writer *w, const struct weight_gradient_kernel *g, long out, long in,
                       bool is_only) {
    long lanes = w->plan->lanes;
    const char *name = use_tile(w, MICROKERNEL_GRADIENT, (int)out, (int)in, (int)lanes);
    if (!is_only) write_open(w, "if (outs == %ld && ins == %ld)", out, in);
    write_line(w, "%s(xt, gt, sums + (tap - tap_begin) * %ld, rows, columns,", name,
               (long)g->tile_out * g->tile_in * lanes);
    write_line(w, "    %ld, %ld, %ld, %ld, %ld, %ld);",
               g->window.strides[0] * g->in_size[1] * lanes, g->window.strides[1] * lanes,
               g->in_size[0] * g->in_size[1] * lanes, g->out_size[1] * lanes, lanes,
               g->out_size[0] * g->out_size[1] * lanes);
    if (!is_only) write_close(w);
}

static void write_calls(struct writer *w, const struct weight_gradient_kernel *g) {
    struct split outs = split_evenly(g->out_channels, g->tile_out);
    struct split ins = split_evenly(g->in_channels, g->tile_in);
    bool is_only = !(outs.big && outs.small) && !(ins.big && ins.small);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if ((i ? outs.small : outs.big) && (j ? ins.small : ins.big))
                write_call(w, g, outs.size + !i, ins.size + !j, is_only);
}

static void write_part(struct writer *w, const char *name, const char *index, struct split split) {
    write_line(w, "const long %s_begin = %s * %ld + (%s < %ld ? %s : %ld);", name, index,
               split.size, index, split.big, index, split.big);
    write_line(w, "const long %s = %s < %ld ? %ld : %ld;", name, index, split.big, split.size + 1,
               split.size);
}

/* All samples and pixels, in pieces whose rows stay in the L1 cache. */
static void write_sums(struct writer *w, const struct weight_gradient_kernel *g) {
    long lanes = w->plan->lanes;
    long in_plane = g->in_size[0] * g->in_size[1] * lanes;
    long out_plane = g->out_size[0] * g->out_size[1] * lanes;
    write_open(w, "for (long block = 0; block < %ld; block++)", w->plan->rows / lanes);
    write_line(w, "const real *const xb = x + (block * %ld + group * %ld + ins_begin) * %ld;",
               g->groups * g->in_channels, g->in_channels, in_plane);
    write_line(w, "const real *const gb = g + (block * %ld + group * %ld + outs_begin) * %ld;",
               g->groups * g->out_channels, g->out_channels, out_plane);
    write_open(w, "for (long top = 0; top < %ld; top += %ld)", g->out_size[0], g->rows_at_once);
    write_open(w, "for (long tap = tap_begin; tap < tap_begin + taps; tap++)");
    write_line(w, "const long ky = tap / %ld, kx = tap %% %ld;", g->window.kernel_size[1],
               g->window.kernel_size[1]);
    write_line(w, "const long row = row_begin[ky] > top ? row_begin[ky] : top;");
    write_line(w, "const long bottom = row_end[ky] < top + %ld ? row_end[ky] : top + %ld;",
               g->rows_at_once, g->rows_at_once);
    write_line(w, "const long rows = bottom - row, column = column_begin[kx];");
    write_line(w, "const long columns = column_end[kx] - column;");
    write_line(w, "if (rows <= 0 || columns <= 0) continue;");
    write_line(w,
               "const real *const xt = xb + ((row * %ld + ky * %ld - %ld) * %ld + column * %ld + "
               "kx * %ld - %ld) * %ld;",
               g->window.strides[0], g->window.dilation_rate[0], g->window.pad[0], g->in_size[1],
               g->window.strides[1], g->window.dilation_rate[1], g->window.pad[1], lanes);
    write_line(w, "const real *const gt = gb + (row * %ld + column) * %ld;", g->out_size[1], lanes);
    write_calls(w, g);
    write_close(w);
    write_close(w);
    write_close(w);
}

static void write_results(struct writer *w, const struct weight_gradient_kernel *g) {
    long lanes = w->plan->lanes;
    write_open(w, "for (long tap = 0; tap < taps; tap++)");
    write_line(w, "const long ky = (tap_begin + tap) / %ld, kx = (tap_begin + tap) %% %ld;",
               g->window.kernel_size[1], g->window.kernel_size[1]);
    write_line(w,
               "real *const to = dw + group * %ld + outs_begin * %ld + ins_begin * %ld + ky * %ld "
               "+ kx * %ld;",
               g->w_group, g->w_out, g->w_in, g->w_tap[0], g->w_tap[1]);
    write_line(w, "%s(to, sums + tap * %ld, outs, ins, %ld, %ld);", use_symbol(w, "gradient_store"),
               (long)g->tile_out * g->tile_in * lanes, g->w_out, g->w_in);
    write_close(w);
}

void write_weight_gradient(struct writer *w, struct kernel *kernel) {
    const struct weight_gradient_kernel *g = &kernel->weight_gradient;
    const struct program_plan *plan = w->plan;
    long taps = g->window.kernel_size[0] * g->window.kernel_size[1];
    struct split outs = split_evenly(g->out_channels, g->tile_out);
    struct split ins = split_evenly(g->in_channels, g->tile_in);
    struct split groups = split_evenly(taps, g->taps_at_once);
    long size = g->taps_at_once * g->tile_out * g->tile_in * plan->lanes;
    write_kernel_open(w, kernel);
    write_tap_range(w, g, 0, "row");
    write_tap_range(w, g, 1, "column");
    write_pointer(w, "x", plan->views[g->image->number], true);
    write_pointer(w, "g", plan->views[g->gradient->number], true);
    write_pointer(w, "dw", kernel->out, false);
    write_line(w, "real space[%ld];", size + 16);
    write_line(w, "real *const sums = space + (16 - (size_t)space / sizeof(real) %% 16) %% 16;");
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long part = unit %% %ld, in_tile = unit / %ld %% %ld;",
               groups.big + groups.small, groups.big + groups.small, ins.big + ins.small);
    write_line(w, "const long out_tile = unit / %ld %% %ld, group = unit / %ld;",
               (groups.big + groups.small) * (ins.big + ins.small), outs.big + outs.small,
               (groups.big + groups.small) * (ins.big + ins.small) * (outs.big + outs.small));
    write_part(w, "outs", "out_tile", outs);
    write_part(w, "ins", "in_tile", ins);
    write_line(w, "const long tap_begin = part * %ld + (part < %ld ? part : %ld);", groups.size,
               groups.big, groups.big);
    write_line(w, "const long taps = part < %ld ? %ld : %ld;", groups.big, groups.size + 1,
               groups.size);
    write_line(w, "memset(space, 0, sizeof space);"); /* all of it: GCC follows that */
    write_sums(w, g);
    write_results(w, g);
    write_close(w);
    write_close(w);
}
