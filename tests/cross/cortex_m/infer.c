/* infer.c: predicts IMAGES images of the data set with the emitted cnn_small. */
#include "board.h"
#include "cnn_small.h"

extern const unsigned char images[][CNN_SMALL_SAMPLE_SIZE], labels[];

/* Aligned for doubles and vectors. */
static double block[CNN_SMALL_BLOCK_BYTES / sizeof(double)]
    __attribute__((aligned(CNN_SMALL_ALIGNMENT)));
static float pixels[CNN_SMALL_SAMPLE_SIZE], probabilities[CNN_SMALL_OUTPUT_SIZE];

static int predict(const unsigned char *image) {
    int i, best = 0;
    for (i = 0; i < CNN_SMALL_SAMPLE_SIZE; i++) pixels[i] = (float)image[i] / 255.0f;
    cnn_small_predict(block, pixels, probabilities);
    for (i = 1; i < CNN_SMALL_OUTPUT_SIZE; i++)
        if (probabilities[i] > probabilities[best]) best = i;
    return best;
}

int main(void) {
    long n, right = 0;
#ifdef CNN_SMALL_PREPARES
    cnn_small_prepare(block);
#endif
    for (n = 0; n < IMAGES; n++) {
        const int class = predict(images[n]);
        right += class == labels[n];
        put_text("image ");
        put_integer(n);
        put_text(": label ");
        put_integer(labels[n]);
        put_text(", class ");
        put_integer(class);
        put_text(", probability ");
        put_decimal((double)probabilities[class], 6);
        put_text("\n");
    }
    put_integer(right);
    put_text(" of ");
    put_integer(IMAGES);
    put_text(" right\nstack: ");
    put_integer((long)stack_used());
    put_text(" bytes used\n");
    return 0;
}
