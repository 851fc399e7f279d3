/* safetensors.c: reading safetensors files, which may come from anywhere (see safetensors.h).
 * safetensors_write.c holds the other direction. */
#include "safetensors.h"
#include "files.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LENGTH_BYTES = 8, MAX_HEADER = 1 << 24 };

struct entry {
    struct tensor_view view; /* its name belongs to the JSON tree */
    size_t begin, end;       /* in the data */
};

struct safetensors {
    struct file_view file;
    const uint8_t *data; /* of the tensors */
    size_t data_size;
    cJSON *header;
    const cJSON *metadata; /* NULL: none */
    struct entry *entries;
    int count;
};

/* --- the header --- */

static bool parse_header(const char *path, struct safetensors *st, struct error *error) {
    const uint8_t *bytes = st->file.data;
    if (st->file.size < LENGTH_BYTES + 2)
        return error_set(error, "%s: not a safetensors file (only %zu bytes)", path, st->file.size);
    uint64_t length = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) length |= (uint64_t)bytes[i] << 8 * i;
    size_t rest = st->file.size - LENGTH_BYTES;
    if (bytes[LENGTH_BYTES] != '{')
        return error_set(error, "%s: not a safetensors file (its header is not JSON)", path);
    if (length > MAX_HEADER || length > rest)
        return error_set(error,
                         "%s: the safetensors header claims %llu bytes, but the file has %zu", path,
                         (unsigned long long)length, st->file.size);
    const char *text = (const char *)bytes + LENGTH_BYTES, *end = NULL;
    st->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, 0);
    while (st->header && end < text + length && (*end == ' ' || *end == '\n')) end++;
    if (!cJSON_IsObject(st->header) || end != text + length)
        return error_set(error, "%s: the safetensors header is not valid JSON", path);
    st->data = bytes + LENGTH_BYTES + length;
    st->data_size = rest - (size_t)length;
    return true;
}

/* A JSON number that is a whole one in 0 .. limit; -1: it is not. */
static long long whole_number(const cJSON *item, double limit) {
    if (!cJSON_IsNumber(item)) return -1;
    double value = item->valuedouble;
    return value >= 0 && value <= limit && value == floor(value) ? (long long)value : -1;
}

static bool parse_shape(const char *path, const cJSON *shape, struct tensor_view *view,
                        struct error *error) {
    if (!cJSON_IsArray(shape))
        return error_set(error, "%s: tensor \"%s\" has no shape", path, view->name);
    view->elements = 1;
    const cJSON *item;
    cJSON_ArrayForEach(item, shape) {
        if (view->rank == PROGRAM_MAX_RANK)
            return error_set(error, "%s: tensor \"%s\" has more than %d axes", path, view->name,
                             PROGRAM_MAX_RANK);
        long long size = whole_number(item, 2147483647.0);
        if (size < 0 || (size > 0 && view->elements > LONG_MAX / 8 / size))
            return error_set(error, "%s: tensor \"%s\" has a shape that cannot be", path,
                             view->name);
        view->size[view->rank++] = (long)size;
        view->elements *= (long)size;
    }
    return true;
}

static bool parse_entry(const char *path, const struct safetensors *st, const cJSON *item,
                        struct entry *entry, struct error *error) {
    *entry = (struct entry){.view.name = item->string};
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    if (!cJSON_IsObject(item) || !cJSON_IsString(type))
        return error_set(error, "%s: tensor \"%s\" has no dtype", path, item->string);
    if (strcmp(type->valuestring, "F32") != 0)
        return error_set(error, "%s: tensor \"%s\" has dtype %.20s; only F32 is supported", path,
                         item->string, type->valuestring);
    if (!parse_shape(path, cJSON_GetObjectItemCaseSensitive(item, "shape"), &entry->view, error))
        return false;
    double limit = (double)st->data_size;
    long long begin = whole_number(cJSON_GetArrayItem(offsets, 0), limit);
    long long end = whole_number(cJSON_GetArrayItem(offsets, 1), limit);
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || begin < 0 || end < begin ||
        (size_t)end > st->data_size)
        return error_set(error, "%s: tensor \"%s\" has data_offsets outside of the file", path,
                         item->string);
    entry->begin = (size_t)begin;
    entry->end = (size_t)end;
    if (entry->end - entry->begin != (size_t)entry->view.elements * sizeof(float))
        return error_set(error, "%s: tensor \"%s\" has %zu bytes, but its shape needs %zu", path,
                         item->string, entry->end - entry->begin,
                         (size_t)entry->view.elements * sizeof(float));
    return true;
}

/* --- the whole file --- */

static int by_offset(const void *a, const void *b) {
    const struct entry *one = a, *other = b;
    if (one->begin != other->begin) return one->begin < other->begin ? -1 : 1;
    if (one->end != other->end) return one->end < other->end ? -1 : 1;
    return 0;
}

static int by_name(const void *a, const void *b) {
    const struct entry *one = a, *other = b;
    return strcmp(one->view.name, other->view.name);
}

/* Every byte of the data belongs to one tensor. Leaves the entries sorted by name. */
static bool check_entries(const char *path, struct safetensors *st, struct error *error) {
    qsort(st->entries, (size_t)st->count, sizeof *st->entries, by_offset);
    size_t covered = 0;
    for (int i = 0; i < st->count; i++) {
        if (st->entries[i].begin != covered)
            return error_set(error, "%s: the data of tensor \"%s\" %s", path,
                             st->entries[i].view.name,
                             st->entries[i].begin < covered ? "overlaps that of another"
                                                            : "does not follow that before it");
        covered = st->entries[i].end;
    }
    if (covered != st->data_size)
        return error_set(error, "%s: the tensors take %zu bytes, but there are %zu", path, covered,
                         st->data_size);
    qsort(st->entries, (size_t)st->count, sizeof *st->entries, by_name);
    for (int i = 1; i < st->count; i++)
        if (!strcmp(st->entries[i - 1].view.name, st->entries[i].view.name))
            return error_set(error, "%s: tensor \"%s\" appears twice", path,
                             st->entries[i].view.name);
    return true;
}

static bool check_metadata(const char *path, const struct safetensors *st, struct error *error) {
    if (!st->metadata) return true;
    const cJSON *item;
    bool strings = cJSON_IsObject(st->metadata);
    cJSON_ArrayForEach(item, st->metadata) strings = strings && cJSON_IsString(item);
    if (!strings) return error_set(error, "%s: __metadata__ must hold strings", path);
    const char *told = safetensors_metadata(st, "crc32");
    if (!told) return true;
    char computed[16];
    snprintf(computed, sizeof computed, "%08lx",
             (unsigned long)crc32_z(crc32(0, NULL, 0), st->data, st->data_size));
    if (strcmp(told, computed) != 0)
        return error_set(error, "%s: the file is damaged: its checksum is %s, not %.20s", path,
                         computed, told);
    return true;
}

static bool read_entries(const char *path, struct safetensors *st, struct error *error) {
    int items = cJSON_GetArraySize(st->header);
    st->entries = malloc(sizeof *st->entries * (size_t)(items + 1));
    if (!st->entries) return error_set(error, "%s: out of memory", path);
    const cJSON *item;
    cJSON_ArrayForEach(item, st->header) {
        if (!strcmp(item->string, "__metadata__")) {
            st->metadata = item;
            continue;
        }
        if (!parse_entry(path, st, item, &st->entries[st->count], error)) return false;
        st->count++;
    }
    return check_entries(path, st, error) && check_metadata(path, st, error);
}

struct safetensors *safetensors_open(const char *path, struct error *error) {
    struct safetensors *st = calloc(1, sizeof *st);
    if (!st) {
        error_set(error, "%s: out of memory", path);
        return NULL;
    }
    if (files_view(path, &st->file, error) && parse_header(path, st, error) &&
        read_entries(path, st, error))
        return st;
    safetensors_close(st);
    return NULL;
}

void safetensors_close(struct safetensors *file) {
    if (!file) return;
    cJSON_Delete(file->header);
    free(file->entries);
    files_view_close(&file->file);
    free(file);
}

/* --- access --- */

int safetensors_count(const struct safetensors *file) {
    return file->count;
}

struct tensor_view safetensors_tensor(const struct safetensors *file, int index) {
    return file->entries[index].view;
}

int safetensors_find(const struct safetensors *file, const char *name) {
    int low = 0, high = file->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(name, file->entries[middle].view.name);
        if (order == 0) return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

void safetensors_copy(const struct safetensors *file, int index, float *out) {
    const struct entry *entry = &file->entries[index];
    for (long i = 0; i < entry->view.elements; i++) {
        const uint8_t *bytes = file->data + entry->begin + 4 * (size_t)i;
        uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                        (uint32_t)bytes[3] << 24;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

const char *safetensors_metadata(const struct safetensors *file, const char *key) {
    const cJSON *item =
        file->metadata ? cJSON_GetObjectItemCaseSensitive(file->metadata, key) : NULL;
    return cJSON_IsString(item) ? item->valuestring : NULL;
}
