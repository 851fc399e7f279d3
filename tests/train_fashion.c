/* train_fashion.c: trains an emitted model on Fashion-MNIST; of lathe it needs no more than the
 * emitted mnist_mlp.c: `cc -O2 train_fashion.c mnist_mlp.c -lz -lm`, then `./a.out FOLDER EPOCHS`
 * with the folder of the four files train-images-idx3-ubyte.gz and so on. */
#include "mnist_mlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { PIXELS = MNIST_MLP_SAMPLE_SIZE, BATCH = MNIST_MLP_BATCH, TRAIN = 60000, TEST = 10000 };

/* The bytes of an IDX file, gzipped or not, as floats times scale. */
static float *read_idx(const char *folder, const char *name, long header, long count, float scale) {
    char path[4096];
    unsigned char *bytes = malloc((size_t)count);
    float *values = malloc(sizeof *values * (size_t)count);
    snprintf(path, sizeof path, "%s/%s-ubyte.gz", folder, name);
    gzFile file = gzopen(path, "rb");
    if (!file || !bytes || !values || gzseek(file, header, SEEK_SET) != header ||
        gzread(file, bytes, (unsigned)count) != count) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    for (long i = 0; i < count; i++) values[i] = (float)bytes[i] * scale;
    gzclose(file);
    free(bytes);
    return values;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const float *x = read_idx(argv[1], "train-images-idx3", 16, (long)TRAIN * PIXELS, 1.0f / 255);
    const float *y = read_idx(argv[1], "train-labels-idx1", 8, TRAIN, 1.0f);
    const float *test_x =
        read_idx(argv[1], "t10k-images-idx3", 16, (long)TEST * PIXELS, 1.0f / 255);
    const float *test_y = read_idx(argv[1], "t10k-labels-idx1", 8, TEST, 1.0f);
    void *block = aligned_alloc(MNIST_MLP_ALIGNMENT, MNIST_MLP_BLOCK_BYTES);
    float accuracy = 0.0f;
    mnist_mlp_init(block, 1);
    for (long epoch = 1; epoch <= atol(argv[2]); epoch++) {
        double loss = 0.0, right = 0.0;
        for (long i = 0; i + BATCH <= TRAIN; i += BATCH)
            loss += mnist_mlp_train_step(block, x + i * PIXELS, y + i, BATCH,
                                         mnist_mlp_learning_rate(block), NULL);
        for (long i = 0; i + BATCH <= TEST; i += BATCH) {
            mnist_mlp_evaluate(block, test_x + i * PIXELS, test_y + i, BATCH, &accuracy);
            right += (double)accuracy * BATCH;
        }
        printf("epoch %ld: loss %.4f, test accuracy %.4f\n", epoch, loss * BATCH / TRAIN,
               right / TEST);
    }
    return 0;
}
