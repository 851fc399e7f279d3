/* dataset.h: samples and their labels.
 *
 * Images stay bytes, mapped from the file where it is plain, and become floats (value / 255) only
 * when a batch is gathered. */
#ifndef LATHE_DATASET_H
#define LATHE_DATASET_H

#include "class_names.h"
#include "error.h"
#include "files.h"
#include "program.h"

struct dataset {
    const uint8_t *bytes; /* samples as bytes, read as value / 255; or */
    const float *floats;  /* samples as floats; one of the two is NULL */
    long count;           /* samples */
    long sample_size;     /* values of one sample */
    int rank;
    long shape[PROGRAM_MAX_RANK];   /* of one sample: height, width, channels */
    const int *labels;              /* class numbers from 0; NULL: unlabelled */
    int classes;                    /* labels are below it */
    const char *const *class_names; /* NULL: not known */
    struct file_view view;          /* the memory of bytes; private */
    void *owned[2];                 /* memory of floats and labels; private */
    char *path;                     /* of the samples' file, or NULL; private */
};

struct dataset_pair {
    struct dataset train, test;
    struct class_names class_names; /* what both point to; owned */
    char *folder;                   /* where they were found */
};

/** Opens the four IDX files (plain or gzipped) of a data set: {train,t10k}-images-idx3-ubyte and
 * {train,t10k}-labels-idx1-ubyte, also with '.' before "idx"; labels are class numbers or one-hot
 * rows. A file classes.txt beside them names the classes, one a line. name is a folder, or a name
 * that is searched in $LATHE_DATA, /usr/share/datasets (Debian) and the user's data folder. The
 * message of a failure lists the places. On success the caller closes the pair; a failure leaves
 * nothing to close. */
bool dataset_open(const char *name, struct dataset_pair *pair, struct error *error);

/** Gives all memory back; a zeroed or closed pair is fine. */
void dataset_pair_close(struct dataset_pair *pair);

/** The same for a single data set. */
void dataset_close(struct dataset *dataset);

/** Gives the memory of the samples back for a while: all else stays, nothing may be gathered. A
 * data set without a file of its own keeps them. */
void dataset_unload(struct dataset *dataset);

/** Reads the samples of an unloaded data set again; one that has them is left alone. Fails when the
 * file is gone, damaged or of another shape by now. */
bool dataset_load(struct dataset *dataset, struct error *error);

/** True if a program can take these samples: the shapes agree (sizes of 1 do not count, and a
 * program of one axis takes any shape of as many values) and there are no more classes than it
 * predicts. Else a message that says both sides. */
bool dataset_check(const struct dataset *dataset, const struct program *program,
                   struct error *error);

/** Copies the samples indices[0 .. count-1] to samples [count][sample_size]. When labels is not
 * NULL it gets [count][label_size]: the class number for label_size 1, else 1 at the class and 0
 * elsewhere. indices NULL means 0 .. count-1. Several threads may gather at the same time. */
void dataset_gather(const struct dataset *dataset, const long *indices, long count, float *samples,
                    float *labels, long label_size);

/* --- dataset_split.c --- */

/* How samples are set aside for validation. */
struct split_options {
    double fraction; /* floor(fraction * count) samples; at least 0 and below 1 */
    long folds;      /* at least 2: k-fold cross-validation instead; else 0 */
    long fold;       /* from 0: this part of `folds` equal ones is for validation */
    bool stratified; /* of each class its share, to within one sample */
};

/* Two lists of sample numbers, each ascending. */
struct dataset_split {
    long *train, *validation; /* train NULL: all samples */
    long train_count, validation_count;
};

/** Draws the samples for validation at random by seed. The folds of one seed are disjoint, their
 * union is the whole. False + message: a fraction out of range, fewer samples than folds. */
bool dataset_split(const struct dataset *dataset, const struct split_options *options,
                   uint32_t seed, struct dataset_split *split, struct error *error);
void dataset_split_free(struct dataset_split *split);

/** A checksum of the shape and the labels, to tell whether two runs saw the same data. */
uint32_t dataset_fingerprint(const struct dataset *dataset);

/** Loads samples to predict from a .npy, .png or IDX file (told apart by content): an unlabelled
 * data set of floats whose samples have the given shape. A file of exactly that shape is one
 * sample; an axis before it counts samples. Bytes become value / 255, floats stay as they are; a
 * PNG is turned into gray or colour as the shape's channels say. */
bool dataset_load_array(const char *path, int rank, const long *shape, struct dataset *dataset,
                        struct error *error);

/** "28 x 28 x 1", or "a single number" where there is no axis, into text, which is returned. */
const char *dataset_shape_text(int rank, const long *shape, char *text, size_t size);

/* --- file formats; used by dataset.c --- */

/* An array as a file holds it. */
struct array {
    const uint8_t *data; /* first element */
    enum { ARRAY_U8, ARRAY_F4, ARRAY_F8 } type;
    bool big_endian;
    int rank;
    long size[PROGRAM_MAX_RANK + 1];
    long elements;
};

/** Understands the content of an IDX file (idx.c) or of a NumPy file (npy.c); the array points into
 * the view. path serves the message. */
bool idx_parse(const char *path, const struct file_view *view, struct array *array,
               struct error *error);
bool npy_parse(const char *path, const struct file_view *view, struct array *array,
               struct error *error);

/** All elements as floats, which the caller frees: bytes as value / 255 (array.c). NULL when memory
 * is out. */
float *array_floats(const struct array *array);

/** False + message that names the first number that is not finite (array.c): a loss and a
 * prediction of it mean nothing. */
bool samples_are_finite(const char *path, const float *floats, long samples, long sample_size,
                        struct error *error);

/** True if a value of this shape can be given to what takes the other: equal but for sizes of 1, or
 * as many elements where one axis is taken (array.c). */
bool shapes_agree(int rank, const long *shape, int taken_rank, const long *taken);

/** Decodes a PNG (image.c) into bytes [height][width][channels], which the caller frees. shape is
 * what the model takes. */
bool image_decode(const char *path, const struct file_view *view, int rank, const long *shape,
                  uint8_t **bytes, struct error *error);

#endif
