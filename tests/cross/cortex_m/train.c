/* train.c: trains the emitted fashion_micro on TRAIN_IMAGES images of the data set, and tests it on
 * the TEST_IMAGES that stand behind them. */
#include "board.h"
#include "fashion_micro.h"

enum { EPOCHS = 5, BATCH = FASHION_MICRO_BATCH, PIXELS = FASHION_MICRO_SAMPLE_SIZE };

extern const unsigned char images[][PIXELS], labels[];

static double block[FASHION_MICRO_BLOCK_BYTES / sizeof(double)]
    __attribute__((aligned(FASHION_MICRO_ALIGNMENT)));
static float x[BATCH * PIXELS], y[BATCH];

/* Sample n of the batch becomes an image of the data set. */
static void take(long n, long image) {
    long i;
    for (i = 0; i < PIXELS; i++) x[n * PIXELS + i] = (float)images[image][i] / 255.0f;
    y[n] = (float)labels[image];
}

/* The mean loss of an epoch. Image number n of it is n * stride modulo TRAIN_IMAGES: an order of
 * all images when the two have no common factor. */
static double train(unsigned long stride) {
    double sum = 0.0;
    long first, n, steps = 0;
    for (first = 0; first + BATCH <= TRAIN_IMAGES; first += BATCH, steps++) {
        for (n = 0; n < BATCH; n++)
            take(n, (long)((unsigned long)(first + n) * stride % TRAIN_IMAGES));
        sum += (double)fashion_micro_train_step(block, x, y, BATCH,
                                                fashion_micro_learning_rate(block), NULL);
    }
    return sum / (double)steps;
}

/* The share of the test images that are classified right. */
static double test(void) {
    double sum = 0.0;
    long first, n;
    float accuracy;
    for (first = 0; first < TEST_IMAGES; first += n) {
        for (n = 0; n < BATCH && first + n < TEST_IMAGES; n++) take(n, TRAIN_IMAGES + first + n);
        fashion_micro_evaluate(block, x, y, n, &accuracy);
        sum += (double)accuracy * (double)n;
    }
    return sum / TEST_IMAGES;
}

int main(void) {
    long epoch;
    unsigned long stride = 1;
    double loss;
    fashion_micro_init(block, 1);
    for (epoch = 1; epoch <= EPOCHS; epoch++) {
        stride = stride * 7919 % TRAIN_IMAGES;
        loss = train(stride);
        put_text("epoch ");
        put_integer(epoch);
        put_text(": loss ");
        put_decimal(loss, 4);
        put_text(", test accuracy ");
        put_decimal(test(), 4);
        put_text("\n");
    }
    put_text("stack: ");
    put_integer((long)stack_used());
    put_text(" bytes used\n");
    return 0;
}
