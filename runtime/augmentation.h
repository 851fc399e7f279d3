/* augmentation.h: random changes of training images. Names and rules are those of Keras's
 * ImageDataGenerator, and of GaussianNoise and Cutout.
 *
 * What happens to a sample is a function of (seed, epoch, number of the sample): the same for any
 * number of threads and for a run that was resumed. */
#ifndef LATHE_AUGMENTATION_H
#define LATHE_AUGMENTATION_H

#include "dataset.h"

enum fill_mode { FILL_NEAREST, FILL_CONSTANT };

struct augmentation {
    const char *file; /* where it stands; NULL: there is none */
    int line;
    /* Each is drawn evenly from -range .. range. Shifts below 1 are parts of the side, else pixels.
     */
    double width_shift_range, height_shift_range;
    double rotation_range; /* degrees */
    double zoom_range;     /* each side is stretched by 1 - range .. 1 + range; below 1 */
    bool horizontal_flip, vertical_flip; /* of every second image */
    enum fill_mode fill_mode;            /* of what lies outside: the nearest pixel, or cval */
    double cval;
    double noise; /* standard deviation of what is added to each value */
    long cutout;  /* a square of this side, at a random place, becomes zero; 0: none */
};

/* What happens to one image. */
struct image_change {
    double matrix[2][3]; /* row, column of the pixel of the original for (row, column, 1) */
    bool moves;          /* the matrix is not the identity */
    long cutout_row, cutout_column; /* its first row and column, may be outside */
};

/** Draws the change of a sample. */
struct image_change augmentation_draw(const struct augmentation *augmentation, long height,
                                      long width, uint32_t seed, uint32_t epoch, long sample);

/** True if the samples are images, height x width x channels; else a message. */
bool augmentation_check(const struct augmentation *augmentation, const struct dataset *dataset,
                        struct error *error);

/** Floats of the scratch memory that changing an image takes. */
long augmentation_scratch_floats(long height, long width, long channels);

/** dataset_gather with changed images. Several threads may gather at the same time, each with
 * scratch memory of its own. */
void augmentation_gather(const struct augmentation *augmentation, const struct dataset *dataset,
                         uint32_t seed, uint32_t epoch, const long *indices, long count,
                         float *samples, float *labels, long label_size, float *scratch);

#endif
