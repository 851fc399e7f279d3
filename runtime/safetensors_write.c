/* safetensors_write.c: writing safetensors files (see safetensors.h). */
#include "files.h"
#include "safetensors.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

static bool little_endian(void) {
    const uint32_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* All tensors as little-endian bytes, one after the other: NULL when memory is out. */
static uint8_t *pack_data(const struct tensor_view *tensors, int count, size_t *size) {
    *size = 0;
    for (int i = 0; i < count; i++) *size += (size_t)tensors[i].elements * sizeof(float);
    uint8_t *data = malloc(*size + 1);
    if (!data) return NULL;
    uint8_t *out = data;
    for (int i = 0; i < count; i++) {
        size_t bytes = (size_t)tensors[i].elements * sizeof(float);
        if (bytes > 0) memcpy(out, tensors[i].data, bytes);
        for (size_t at = 0; !little_endian() && at < bytes; at += 4) {
            uint8_t word[4];
            memcpy(word, out + at, 4);
            for (int b = 0; b < 4; b++) out[at + (size_t)b] = word[3 - b];
        }
        out += bytes;
    }
    return data;
}

static bool add_tensor(cJSON *header, const struct tensor_view *tensor, size_t *offset) {
    cJSON *item = cJSON_AddObjectToObject(header, tensor->name);
    if (!item || !cJSON_AddStringToObject(item, "dtype", "F32")) return false;
    cJSON *shape = cJSON_AddArrayToObject(item, "shape");
    bool fine = shape != NULL;
    for (int axis = 0; fine && axis < tensor->rank; axis++)
        fine = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->size[axis]));
    cJSON *offsets = fine ? cJSON_AddArrayToObject(item, "data_offsets") : NULL;
    size_t end = *offset + (size_t)tensor->elements * sizeof(float);
    fine = offsets && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)*offset)) &&
           cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)end));
    *offset = end;
    return fine;
}

/* The header as JSON text, to be freed with cJSON_free; NULL when memory is out. */
static char *make_header(const struct tensor_view *tensors, int count,
                         const struct metadata *metadata, int metadata_count, const char *crc) {
    cJSON *header = cJSON_CreateObject();
    cJSON *strings = header ? cJSON_AddObjectToObject(header, "__metadata__") : NULL;
    bool fine = strings != NULL;
    for (int i = 0; fine && i < metadata_count; i++)
        fine = cJSON_AddStringToObject(strings, metadata[i].key, metadata[i].value);
    fine = fine && cJSON_AddStringToObject(strings, "crc32", crc);
    size_t offset = 0;
    for (int i = 0; fine && i < count; i++) fine = add_tensor(header, &tensors[i], &offset);
    char *text = fine ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

bool safetensors_write(const char *path, const struct tensor_view *tensors, int count,
                       const struct metadata *metadata, int metadata_count, struct error *error) {
    size_t data_size;
    uint8_t *data = pack_data(tensors, count, &data_size);
    if (!data) return error_set(error, "%s: out of memory", path);
    char crc[16];
    snprintf(crc, sizeof crc, "%08lx", (unsigned long)crc32_z(crc32(0, NULL, 0), data, data_size));
    char *header = make_header(tensors, count, metadata, metadata_count, crc);
    bool fine;
    if (header) {
        /* Spaces after the JSON align the data. */
        size_t length = strlen(header), padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        uint8_t length_bytes[LENGTH_BYTES];
        for (int i = 0; i < LENGTH_BYTES; i++)
            length_bytes[i] = (uint8_t)((uint64_t)padded >> 8 * i);
        struct file_part parts[] = {{length_bytes, LENGTH_BYTES},
                                    {header, length},
                                    {"        ", padded - length},
                                    {data, data_size}};
        fine = files_write(path, parts, 4, error);
    } else {
        fine = error_set(error, "%s: out of memory", path);
    }
    cJSON_free(header);
    free(data);
    return fine;
}
