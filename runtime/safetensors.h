/* safetensors.h: the file format of weights and checkpoints: an 8-byte little-endian length, that
 * many bytes of JSON (names, shapes, offsets, "__metadata__"), then the raw little-endian tensors.
 * Only F32 is used here. */
#ifndef LATHE_SAFETENSORS_H
#define LATHE_SAFETENSORS_H

#include "error.h"
#include "program.h"

#include <stdint.h>

struct metadata {
    const char *key, *value;
};

/* A tensor to write. */
struct tensor_view {
    const char *name;
    int rank;
    long size[PROGRAM_MAX_RANK];
    const float *data;
    long elements;
};

/** Writes a file atomically; the same arguments give the same bytes. The key "crc32" (of the tensor
 * data) is added to the metadata. */
bool safetensors_write(const char *path, const struct tensor_view *tensors, int count,
                       const struct metadata *metadata, int metadata_count, struct error *error);

struct safetensors; /* a file read and checked */

/** Reads a file and checks all of it: header, types, shapes, offsets (no gap, no overlap), and the
 * checksum when there is one. NULL + message when anything is wrong. */
struct safetensors *safetensors_open(const char *path, struct error *error);
void safetensors_close(struct safetensors *file);

int safetensors_count(const struct safetensors *file);
/** Name and shape of a tensor; data is NULL, since the bytes may have another order. */
struct tensor_view safetensors_tensor(const struct safetensors *file, int index);
/** The number of the tensor of this name; -1: none. */
int safetensors_find(const struct safetensors *file, const char *name);
/** Copies a tensor's values. */
void safetensors_copy(const struct safetensors *file, int index, float *out);
/** A value of the metadata; NULL: none. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

#endif
