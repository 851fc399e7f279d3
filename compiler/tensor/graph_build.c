/* graph_build.c: matrix products, convolutions and window sums as contractions (see graph.h). */
#include "graph.h"

#include <stddef.h>

/* index = coefficient * loop */
static struct affine along(int loop) {
    struct affine affine = {.term_count = 1};
    affine.term[0].loop = loop;
    affine.term[0].coefficient = 1;
    return affine;
}

/* index = a * first + b * second - pad */
static struct affine along_two(int first, long a, int second, long b, long pad) {
    struct affine affine = {.term_count = 2, .offset = -pad};
    affine.term[0].loop = first;
    affine.term[0].coefficient = a;
    affine.term[1].loop = second;
    affine.term[1].coefficient = b;
    return affine;
}

static int add_loop(struct contract *contract, const char *name, long extent) {
    contract->loop_name[contract->loop_count] = name;
    contract->extent[contract->loop_count] = extent;
    return contract->loop_count++;
}

struct tensor *graph_dense(struct graph *graph, struct tensor *x, struct tensor *kernel) {
    static const char *const names[] = {"n", "n1", "n2", "n3", "n4"};
    struct contract contract = {.loop_count = 0};
    int leading = x->shape.rank - 1;
    long in = kernel->shape.size[0], units = kernel->shape.size[1];
    for (int i = 0; i < leading; i++) {
        int loop = add_loop(&contract, names[i], x->shape.size[i]);
        contract.out.axis[i] = contract.a.axis[i] = along(loop);
    }
    int o = add_loop(&contract, "o", units), i = add_loop(&contract, "i", in);
    contract.out.axis[leading] = along(o);
    contract.a.axis[leading] = along(i);
    contract.b.axis[0] = along(i);
    contract.b.axis[1] = along(o);
    struct shape shape = x->shape;
    shape.size[leading] = units;
    return graph_contract(graph, &contract, shape, x, kernel);
}

/* The row (axis 0) or column (axis 1) of the input that an output pixel and a tap read. */
static struct affine window_position(const struct window *window, int axis, int out, int tap) {
    return along_two(out, window->strides[axis], tap, window->dilation_rate[axis],
                     window->pad[axis]);
}

/* The index of a channel: alone, or inside its group. */
static struct affine channel(int group, long per_group, int inner) {
    return group < 0 ? along(inner) : along_two(group, per_group, inner, 1, 0);
}

struct tensor *graph_convolution(struct graph *graph, struct tensor *x, struct tensor *kernel,
                                 const struct window *window, long groups, long out_height,
                                 long out_width) {
    const long *k = kernel->shape.size;
    long in_per_group = k[2], out_per_group = k[3] / groups;
    struct contract c = {.loop_count = 0};
    int n = add_loop(&c, "n", x->shape.size[0]);
    int oh = add_loop(&c, "oh", out_height), ow = add_loop(&c, "ow", out_width);
    int g = groups > 1 ? add_loop(&c, "g", groups) : -1;
    int co = add_loop(&c, "co", out_per_group);
    int kh = add_loop(&c, "kh", k[0]), kw = add_loop(&c, "kw", k[1]);
    int ci = add_loop(&c, "ci", in_per_group);
    struct affine filter = channel(g, out_per_group, co);
    c.out = (struct access){{along(n), along(oh), along(ow), filter}};
    c.a = (struct access){{along(n), window_position(window, 0, oh, kh),
                           window_position(window, 1, ow, kw), channel(g, in_per_group, ci)}};
    c.b = (struct access){{along(kh), along(kw), along(ci), filter}};
    long size[] = {x->shape.size[0], out_height, out_width, k[3]};
    return graph_contract(graph, &c, shape_of(4, size), x, kernel);
}

struct tensor *graph_window_sum(struct graph *graph, struct tensor *x, const struct window *window,
                                long out_height, long out_width) {
    struct contract c = {.loop_count = 0};
    int n = add_loop(&c, "n", x->shape.size[0]);
    int oh = add_loop(&c, "oh", out_height), ow = add_loop(&c, "ow", out_width);
    int channels = add_loop(&c, "c", x->shape.size[3]);
    int kh = add_loop(&c, "kh", window->kernel_size[0]);
    int kw = add_loop(&c, "kw", window->kernel_size[1]);
    c.out = (struct access){{along(n), along(oh), along(ow), along(channels)}};
    c.a = (struct access){{along(n), window_position(window, 0, oh, kh),
                           window_position(window, 1, ow, kw), along(channels)}};
    long size[] = {x->shape.size[0], out_height, out_width, x->shape.size[3]};
    return graph_contract(graph, &c, shape_of(4, size), x, NULL);
}
