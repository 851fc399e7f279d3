/* view.c: the same elements, seen differently: reshape, slice, concat, pad. */
#include "primitive.h"

#include <string.h>

/* Elements before and after an axis: a tensor is [outer][size of the axis][inner]. */
static long outer(const struct shape *shape, int axis) {
    long elements = 1;
    for (int i = 0; i < axis; i++) elements *= shape->size[i];
    return elements;
}

static long inner(const struct shape *shape, int axis) {
    long elements = 1;
    for (int i = axis + 1; i < shape->rank; i++) elements *= shape->size[i];
    return elements;
}

/* Copies `size` places along an axis, from one place of `from` to another of `to`. */
static void copy_range(double *to, const struct shape *to_shape, long to_begin, const double *from,
                       const struct shape *from_shape, long from_begin, int axis, long size) {
    long rows = outer(to_shape, axis), width = inner(to_shape, axis);
    for (long row = 0; row < rows; row++)
        memcpy(to + (row * to_shape->size[axis] + to_begin) * width,
               from + (row * from_shape->size[axis] + from_begin) * width,
               sizeof *to * (size_t)(size * width));
}

/* True if two shapes differ at most along an axis. */
static bool same_but(const struct shape *a, const struct shape *b, int axis) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (i != axis && a->size[i] != b->size[i]) return false;
    return true;
}

static bool axis_check(const struct tensor *tensor, struct error *error) {
    if (tensor->axis < 0 || tensor->axis >= tensor->shape.rank)
        return error_set(error, "there is no axis %d", tensor->axis);
    for (int i = 0; i < tensor->in_count; i++)
        if (!same_but(&tensor->shape, &tensor->in[i]->shape, tensor->axis))
            return error_set(error, "input %d differs in more than axis %d", i, tensor->axis);
    return true;
}

bool reshape_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    if (shape_elements(&tensor->shape) == shape_elements(&tensor->in[0]->shape)) return true;
    return error_set(error, "reshaping changes the number of elements");
}

void reshape_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                      const bool *wanted, struct tensor **in_gradient) {
    (void)wanted;
    in_gradient[0] = graph_reshape(graph, tensor->in[0]->shape, dy);
}

void reshape_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    memcpy(evaluation->out, evaluation->in[0],
           sizeof *evaluation->out * (size_t)shape_elements(&tensor->shape));
}

void reshape_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "reshape %%%d", tensor->in[0]->number);
}

bool slice_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    if (!axis_check(tensor, error)) return false;
    long size = tensor->in[0]->shape.size[tensor->axis];
    if (tensor->begin < 0 || tensor->end <= tensor->begin || tensor->end > size)
        return error_set(error, "[%ld, %ld) is no range of %ld places", tensor->begin, tensor->end,
                         size);
    if (tensor->shape.size[tensor->axis] != tensor->end - tensor->begin)
        return error_set(error, "the shape is not that of the range");
    return true;
}

void slice_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                    const bool *wanted, struct tensor **in_gradient) {
    (void)wanted;
    long after = tensor->in[0]->shape.size[tensor->axis] - tensor->end;
    in_gradient[0] = graph_pad(graph, tensor->axis, tensor->begin, after, dy);
}

void slice_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    copy_range(evaluation->out, &tensor->shape, 0, evaluation->in[0], &tensor->in[0]->shape,
               tensor->begin, tensor->axis, tensor->shape.size[tensor->axis]);
}

void slice_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "slice %%%d axis %d from %ld to %ld", tensor->in[0]->number, tensor->axis,
             tensor->begin, tensor->end);
}

bool concat_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    if (!axis_check(tensor, error)) return false;
    long size = 0;
    for (int i = 0; i < tensor->in_count; i++) size += tensor->in[i]->shape.size[tensor->axis];
    if (size == tensor->shape.size[tensor->axis]) return true;
    return error_set(error, "the inputs have %ld places along axis %d", size, tensor->axis);
}

void concat_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                     const bool *wanted, struct tensor **in_gradient) {
    long begin = 0;
    for (int i = 0; i < tensor->in_count; i++) {
        long end = begin + tensor->in[i]->shape.size[tensor->axis];
        if (wanted[i]) in_gradient[i] = graph_slice(graph, tensor->axis, begin, end, dy);
        begin = end;
    }
}

void concat_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    long begin = 0;
    for (int i = 0; i < tensor->in_count; i++) {
        const struct shape *from = &tensor->in[i]->shape;
        long size = from->size[tensor->axis];
        copy_range(evaluation->out, &tensor->shape, begin, evaluation->in[i], from, 0, tensor->axis,
                   size);
        begin += size;
    }
}

void concat_print(struct text *text, const struct tensor *tensor) {
    text_put(text, "concat");
    for (int i = 0; i < tensor->in_count; i++) text_add(text, " %%%d", tensor->in[i]->number);
    text_add(text, " axis %d", tensor->axis);
}

bool pad_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    if (!axis_check(tensor, error)) return false;
    if (tensor->begin < 0 || tensor->end < 0)
        return error_set(error, "negative padding: %ld before, %ld after", tensor->begin,
                         tensor->end);
    long size = tensor->in[0]->shape.size[tensor->axis] + tensor->begin + tensor->end;
    if (size == tensor->shape.size[tensor->axis]) return true;
    return error_set(error, "with its padding axis %d has size %ld", tensor->axis, size);
}

void pad_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy, const bool *wanted,
                  struct tensor **in_gradient) {
    (void)wanted;
    long end = tensor->begin + tensor->in[0]->shape.size[tensor->axis];
    in_gradient[0] = graph_slice(graph, tensor->axis, tensor->begin, end, dy);
}

void pad_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    const struct shape *from = &tensor->in[0]->shape; /* the zeros are there: see reference.c */
    copy_range(evaluation->out, &tensor->shape, tensor->begin, evaluation->in[0], from, 0,
               tensor->axis, from->size[tensor->axis]);
}

void pad_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "pad %%%d axis %d with %ld before, %ld after", tensor->in[0]->number,
             tensor->axis, tensor->begin, tensor->end);
}
