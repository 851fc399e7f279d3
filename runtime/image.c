/* image.c: PNG pictures as samples, through libpng. */
#include "dataset.h"

#include <png.h>
#include <stdlib.h>

/* How many channels the model takes from an image of this size; 0: it does not fit. */
static long channels_for(int rank, const long *shape, long height, long width) {
    if (rank == 1) { /* a flat input: gray or colour, as the number of values says */
        long long pixels = (long long)height * width;
        if (pixels == shape[0]) return 1;
        return pixels * 3 == shape[0] ? 3 : 0;
    }
    if (shape[0] != height || shape[1] != width) return 0;
    return rank == 2 ? 1 : shape[2];
}

static bool decode(const char *path, png_image *image, int rank, const long *shape, uint8_t **bytes,
                   struct error *error) {
    static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB,
                                          PNG_FORMAT_RGBA};
    char text[128];
    dataset_shape_text(rank, shape, text, sizeof text);
    /* libpng refuses sizes above a million, so that products fit in 64 bits. */
    long channels = rank <= 3 ? channels_for(rank, shape, image->height, image->width) : 0;
    if (channels == 0)
        return error_set(error,
                         "%s: the image is %lu x %lu (height x width), but the model takes %s",
                         path, (unsigned long)image->height, (unsigned long)image->width, text);
    if (channels > 4)
        return error_set(error, "%s: an image has at most 4 channels, but the model takes %s", path,
                         text);
    image->format = formats[channels];
    *bytes = malloc(PNG_IMAGE_SIZE(*image));
    if (!*bytes) return error_set(error, "%s: out of memory", path);
    png_color black = {0, 0, 0}; /* behind transparent pixels */
    if (!png_image_finish_read(image, &black, *bytes, 0, NULL) || PNG_IMAGE_FAILED(*image)) {
        free(*bytes);
        *bytes = NULL;
        return error_set(error, "%s: damaged PNG: %s", path, image->message);
    }
    return true;
}

bool image_decode(const char *path, const struct file_view *view, int rank, const long *shape,
                  uint8_t **bytes, struct error *error) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    *bytes = NULL;
    bool fine;
    if (png_image_begin_read_from_memory(&image, view->data, view->size))
        fine = decode(path, &image, rank, shape, bytes, error);
    else
        fine = error_set(error, "%s: not a readable PNG: %s", path, image.message);
    png_image_free(&image);
    return fine;
}
