/* npy.c: NumPy's .npy format: a magic string, a version, the header's length, the header (a Python
 * dictionary as text), the elements. */
#include "dataset.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 1 << 20 };

/* The text after `'key':` in the dictionary; NULL: no such key. */
static const char *value_of(const char *header, const char *key) {
    const char *place = strstr(header, key);
    if (!place) return NULL;
    place += strlen(key);
    while (*place == ' ') place++;
    if (*place++ != ':') return NULL;
    while (*place == ' ') place++;
    return place;
}

static bool parse_type(const char *path, const char *value, struct array *array,
                       struct error *error) {
    char quote = *value;
    const char *end = quote == '\'' || quote == '"' ? strchr(value + 1, quote) : NULL;
    if (!end) return error_set(error, "%s: the NumPy header has no simple 'descr'", path);
    int length = (int)(end - value - 1 < 40 ? end - value - 1 : 40);
    const char *type = value + 1;
    array->big_endian = *type == '>';
    if (length == 3 && strchr("<>|=", *type)) {
        if (!strncmp(type + 1, "u1", 2)) return array->type = ARRAY_U8, true;
        if (!strncmp(type + 1, "f4", 2)) return array->type = ARRAY_F4, true;
        if (!strncmp(type + 1, "f8", 2)) return array->type = ARRAY_F8, true;
    }
    return error_set(error,
                     "%s: NumPy type \"%.*s\" is not supported; uint8 (u1), float32 (f4) and "
                     "float64 (f8) are",
                     path, length, type);
}

static bool parse_shape(const char *path, const char *value, struct array *array,
                        struct error *error) {
    array->rank = 0;
    array->elements = 1;
    if (*value++ != '(') return error_set(error, "%s: the NumPy header has no 'shape'", path);
    for (;;) {
        while (*value == ' ' || *value == ',') value++;
        if (*value == ')') return true;
        char *end;
        errno = 0;
        long size = *value >= '0' && *value <= '9' ? strtol(value, &end, 10) : -1;
        if (size < 0 || errno)
            return error_set(error, "%s: the NumPy header's 'shape' is damaged", path);
        if (array->rank > PROGRAM_MAX_RANK)
            return error_set(error, "%s: more than %d axes", path, PROGRAM_MAX_RANK + 1);
        if (size > 0 && array->elements > LONG_MAX / 8 / size)
            return error_set(error, "%s: the sizes in the NumPy header are too large", path);
        array->size[array->rank++] = size;
        array->elements *= size;
        value = end;
    }
}

static bool parse_header(const char *path, const char *header, struct array *array,
                         struct error *error) {
    const char *type = value_of(header, "'descr'"), *shape = value_of(header, "'shape'");
    const char *order = value_of(header, "'fortran_order'");
    if (!type || !shape || !order)
        return error_set(error, "%s: the NumPy header lacks descr, fortran_order or shape", path);
    if (!parse_type(path, type, array, error) || !parse_shape(path, shape, array, error))
        return false;
    if (strncmp(order, "False", 5) != 0 && array->rank > 1)
        return error_set(
            error, "%s: the array is in Fortran order; save numpy.ascontiguousarray(x)", path);
    return true;
}

bool npy_parse(const char *path, const struct file_view *view, struct array *array,
               struct error *error) {
    const uint8_t *data = view->data;
    *array = (struct array){0};
    if (view->size < 10 || memcmp(data, "\x93NUMPY", 6) != 0)
        return error_set(error, "%s: not a NumPy file", path);
    int major = data[6];
    if (major < 1 || major > 3)
        return error_set(error, "%s: NumPy format version %d is not supported", path, major);
    size_t start = major == 1 ? 10 : 12, length = data[8] | (size_t)data[9] << 8;
    if (major > 1 && view->size >= start) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (view->size < start || length > view->size - start || length > MAX_HEADER)
        return error_set(error, "%s: the NumPy header is cut off or too long", path);

    char *header = malloc(length + 1);
    if (!header) return error_set(error, "%s: out of memory", path);
    memcpy(header, data + start, length);
    header[length] = '\0';
    bool fine = parse_header(path, header, array, error);
    free(header);
    if (!fine) return false;

    static const size_t element_size[] = {[ARRAY_U8] = 1, [ARRAY_F4] = 4, [ARRAY_F8] = 8};
    size_t promised = (size_t)array->elements * element_size[array->type];
    if (promised != view->size - start - length)
        return error_set(error,
                         "%s: the NumPy header promises %zu bytes of data, but there are %zu", path,
                         promised, view->size - start - length);
    array->data = data + start + length;
    return true;
}
