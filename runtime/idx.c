/* idx.c: the IDX format of MNIST: 0 0 type rank, the sizes as big-endian 32-bit numbers, the
 * elements in row-major order. */
#include "dataset.h"

#include <limits.h>

static uint32_t big_endian_32(const uint8_t *data) {
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

bool idx_parse(const char *path, const struct file_view *view, struct array *array,
               struct error *error) {
    const uint8_t *data = view->data;
    if (view->size < 4 || data[0] != 0 || data[1] != 0)
        return error_set(error, "%s: not an IDX file (it must begin with two zero bytes)", path);
    *array = (struct array){.big_endian = true, .rank = data[3], .elements = 1};
    size_t element_size;
    switch (data[2]) {
    case 0x08: array->type = ARRAY_U8, element_size = 1; break;
    case 0x0d: array->type = ARRAY_F4, element_size = 4; break;
    case 0x0e: array->type = ARRAY_F8, element_size = 8; break;
    default:
        return error_set(error,
                         "%s: IDX element type 0x%02x is not supported; 0x08 (unsigned byte), "
                         "0x0d (float) and 0x0e (double) are",
                         path, data[2]);
    }
    if (array->rank < 1 || array->rank > PROGRAM_MAX_RANK + 1)
        return error_set(error, "%s: IDX rank %d is not supported; 1 to %d are", path, array->rank,
                         PROGRAM_MAX_RANK + 1);
    size_t header = 4 + 4 * (size_t)array->rank;
    if (view->size < header)
        return error_set(error, "%s: the IDX header ends too early (%zu bytes)", path, view->size);
    for (int axis = 0; axis < array->rank; axis++) {
        array->size[axis] = (long)big_endian_32(data + 4 + 4 * axis);
        if (array->size[axis] > 0 && array->elements > LONG_MAX / 8 / array->size[axis])
            return error_set(error, "%s: the sizes in the IDX header are too large", path);
        array->elements *= array->size[axis];
    }
    if ((size_t)array->elements * element_size != view->size - header)
        return error_set(error, "%s: the IDX header promises %zu bytes of data, but there are %zu",
                         path, (size_t)array->elements * element_size, view->size - header);
    array->data = data + header;
    return true;
}
