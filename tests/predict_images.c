/* predict_images.c: a program around an emitted model. `predict_images IMAGES.idx EXPECTED.npy`
 * predicts every image and compares the probabilities with those that lathe wrote for the same
 * images. It needs the emitted fashion_cnn.c and nothing else. */
#include "fashion_cnn.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIXELS = FASHION_CNN_SAMPLE_SIZE, CLASSES = FASHION_CNN_OUTPUT_SIZE, NPY_HEADER = 128 };

static int largest(const float *values) {
    int best = 0, i;
    for (i = 1; i < CLASSES; i++)
        if (values[i] > values[best]) best = i;
    return best;
}

static long read_count(FILE *images) {
    unsigned char header[16];
    if (fread(header, 1, sizeof header, images) != sizeof header || header[3] != 3) return -1;
    return ((long)header[4] << 24) + ((long)header[5] << 16) + ((long)header[6] << 8) + header[7];
}

/* Predicts the next image; also reads what is expected for it. */
static int predict_next(FILE *images, FILE *npy, void *block, float *predicted, float *expected) {
    unsigned char bytes[PIXELS];
    float pixels[PIXELS];
    int i;
    if (fread(bytes, 1, PIXELS, images) != PIXELS) return 0;
    if (fread(expected, sizeof *expected, CLASSES, npy) != CLASSES) return 0;
    for (i = 0; i < PIXELS; i++) pixels[i] = (float)bytes[i] / 255.0f;
    fashion_cnn_predict(block, pixels, predicted);
    return 1;
}

static int compare(FILE *images, FILE *npy, void *block) {
    float predicted[CLASSES], expected[CLASSES];
    double difference = 0.0;
    long count = read_count(images), same = 0, n;
    int i;
    if (count < 1 || fseek(npy, NPY_HEADER, SEEK_SET) != 0) return 2;
    for (n = 0; n < count; n++) {
        if (!predict_next(images, npy, block, predicted, expected)) return 2;
        if (n < 3)
            printf("image %ld: class %d, probability %.4f\n", n, largest(predicted),
                   (double)predicted[largest(predicted)]);
        same += largest(predicted) == largest(expected);
        for (i = 0; i < CLASSES; i++)
            difference = fmax(difference, fabs((double)predicted[i] - (double)expected[i]));
    }
    printf("%ld images: %ld of the same class; the largest difference of a probability is %.1e\n",
           count, same, difference);
    return same == count && difference < 1e-4 ? 0 : 1;
}

/* The first address from here on that suits the model. */
static void *aligned(void *memory) {
    uintptr_t address = (uintptr_t)memory + FASHION_CNN_ALIGNMENT - 1;
    return (void *)(address - address % FASHION_CNN_ALIGNMENT);
}

int main(int argc, char **argv) {
    FILE *images = argc == 3 ? fopen(argv[1], "rb") : NULL;
    FILE *npy = argc == 3 ? fopen(argv[2], "rb") : NULL;
    void *memory = malloc(FASHION_CNN_BLOCK_BYTES + FASHION_CNN_ALIGNMENT);
    void *block = memory ? aligned(memory) : NULL;
    int status = 2;
#ifdef FASHION_CNN_PREPARES
    if (block) fashion_cnn_prepare(block);
#endif
    if (images && npy && memory) status = compare(images, npy, block);
    if (status == 2) fprintf(stderr, "predict_images: cannot read the images or the predictions\n");
    if (images) fclose(images);
    if (npy) fclose(npy);
    free(memory);
    return status;
}
