/* test_same_bits.c: libtcc's form of a model and the C compiler's give the same bits, so that the
 * switch between them in the middle of a run leaves no mark. */
#include "../compiler/jit/jit.h"
#include "../runtime/parallel.h"
#include "../runtime/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { STEPS = 30 };

struct run {
    double losses[STEPS];
    float *weights;
    long weight_count;
};

static float *numbers(size_t count) {
    size_t bytes = (count * sizeof(float) + 127) / 64 * 64;
    float *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    return memset(memory, 0, bytes);
}

static void train(const struct program *program, struct run *run) {
    struct program_call call = {.parallel = pool_parallel};
    float *samples = numbers((size_t)(program->rows * program->sample_size));
    float *labels = numbers((size_t)(program->rows * program->label_size));
    for (int i = 0; i < PROGRAM_SPACES; i++)
        call.space[i] = numbers((size_t)program->space_size[i]);
    call.arena = numbers(program->arena_bytes / sizeof(float));
    program_initialize(program, 3, call.space);
    call.inputs[0] = samples;
    call.inputs[1] = labels;
    for (int step = 1; step <= STEPS; step++) {
        for (long i = 0; i < program->batch * program->sample_size; i++)
            samples[i] = (float)((i * 7919 + step * 104729) % 1009) / 1009.0f;
        memset(labels, 0, sizeof(float) * (size_t)(program->rows * program->label_size));
        for (long i = 0; i < program->batch; i++) {
            long class = (i * 3 + step) % 10;
            if (program->sparse_labels)
                labels[i] = (float)class;
            else if (program->label_size == 1)
                labels[i] = (float)(class % 2);
            else
                labels[i * program->label_size + class] = 1;
        }
        double scalars[] = {2e-3, step, (double)program->batch, 5};
        memcpy(call.scalars, scalars, sizeof scalars);
        program->train(&call);
        run->losses[step - 1] = call.results[0];
    }
    run->weight_count = program->space_size[PROGRAM_TRAINABLE];
    run->weights = call.space[PROGRAM_TRAINABLE];
    for (int i = 1; i < PROGRAM_SPACES; i++) free(call.space[i]);
    free(call.arena);
    free(samples);
    free(labels);
}

static struct run run_with(const char *path, enum backend backend) {
    struct arena arena;
    struct error error = {""};
    struct run run;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    const struct model *model = model_read(&arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    struct jit_options options = {.backend = backend, .cc = "gcc", .compile = {.training = true}};
    struct jit *jit = jit_new(model, &options, &error);
    if (!jit) fail_msg("%s", error.text);
    train(jit_program(jit), &run);
    jit_free(jit);
    arena_free(&arena);
    return run;
}

/* Winograd's way without a rectifier before or behind, on images that its tiles do not fill. */
static const char winograd[] =
    "local function layer(n) return conv2d { n, kernel_size = 3, padding = 'same', activation = "
    "'tanh' } end\n"
    "return model 'winograd' { input { 26, 26, 1 }, layer(16), layer(20), layer(17), flatten {},\n"
    "  dense { 10, activation = 'softmax' }, training = { batch_size = 32,\n"
    "  loss = 'sparse_categorical_crossentropy', optimizer = sgd { momentum = 0.9 } } }\n";
static const char nesterov[] =
    "return model 'nesterov' { input { 60 }, dense { 33, activation = 'elu' },\n"
    "  dense { 10, activation = 'softmax' }, training = { batch_size = 20,\n"
    "  loss = 'categorical_crossentropy', optimizer = sgd { momentum = 0.9, nesterov = true } } "
    "}\n";
static const char rmsprop[] =
    "return model 'rmsprop' { input { 12, 12, 2 }, conv2d { 9, kernel_size = 3, activation = "
    "'gelu' },\n"
    "  batch_norm {}, max_pool2d { 2 }, flatten {}, dense { 10, activation = 'sigmoid' },\n"
    "  training = { batch_size = 40, loss = 'mean_squared_error', optimizer = rmsprop { momentum = "
    "0.5 } } }\n";

static const char plain_rmsprop[] =
    "return model 'plain_rmsprop' { input { 50 }, dense { 41, activation = 'relu' },\n"
    "  dense { 10, activation = 'softmax' }, training = { batch_size = 20,\n"
    "  loss = 'sparse_categorical_crossentropy', optimizer = rmsprop {} } }\n";
static const char momentum[] =
    "return model 'momentum' { input { 50 }, dense { 41, activation = 'relu' },\n"
    "  dense { 10, activation = 'softmax' }, training = { batch_size = 20,\n"
    "  loss = 'sparse_categorical_crossentropy', optimizer = sgd { momentum = 0.9 } } }\n";

/* Tiles of one column. */
static const char one_output[] =
    "return model 'one_output' { input { 3 }, dense { 5, activation = 'tanh' },\n"
    "  dense { 1, activation = 'sigmoid' }, training = { batch_size = 40,\n"
    "  loss = 'binary_crossentropy', optimizer = sgd {} } }\n";

/* *state: the path of a model. */
static void same_bits(void **state) {
    struct run tcc = run_with(*state, BACKEND_TCC), cc = run_with(*state, BACKEND_CC);
    assert_memory_equal(tcc.losses, cc.losses, sizeof tcc.losses);
    assert_memory_equal(tcc.weights, cc.weights, sizeof(float) * (size_t)tcc.weight_count);
    assert_true(tcc.losses[0] > 0 && tcc.losses[STEPS - 1] != tcc.losses[0]);
    free(tcc.weights);
    free(cc.weights);
}

/* *state: the text of a model. */
static void same_bits_of_text(void **state) {
    char path[] = "/tmp/lathe-same-bits-XXXXXX";
    const char *text = *state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text) && close(file) == 0);
    void *path_state = path;
    same_bits(&path_state);
    unlink(path);
}

/* Windows that leave pixels out, that the border cuts, that overlap; sums over what is not stored.
 */
static const char pools[] =
    "return model 'm' {\n"
    "  input { 13, 11, 2 },\n"
    "  conv2d { 5, kernel_size = 3, trainable = false },\n"
    "  batch_norm { scale = false }, max_pool2d { 2 }, dropout { 0.3 },\n"
    "  conv2d { 6, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
    "  batch_norm {}, max_pool2d { { 3, 2 }, padding = 'same' },\n"
    "  max_pool2d { 2, strides = 1 }, flatten {}, dense { 4, activation = 'softmax' },\n"
    "  training = { loss = 'sparse_categorical_crossentropy', optimizer = adam {},\n"
    "    batch_size = 32 },\n"
    "}\n";

int main(void) {
    const struct CMUnitTest tests[] = {
        {"dense", same_bits, NULL, NULL, (void *)"models/mnist_mlp.lua"},
        {"wide dense", same_bits, NULL, NULL, (void *)"models/fashion_mlp.lua"},
        {"convolutions", same_bits, NULL, NULL, (void *)"models/cnn_increasing.lua"},
        {"norm, dropout", same_bits, NULL, NULL, (void *)"models/fashion_cnn.lua"},
        {"nadam, uneven pools", same_bits, NULL, NULL, (void *)"models/cnn_small.lua"},
        {"sigmoids", same_bits, NULL, NULL, (void *)"models/sigmoid_cnn.lua"},
        {"branches", same_bits, NULL, NULL, (void *)"models/branches.lua"},
        {"Winograd, momentum", same_bits_of_text, NULL, NULL, (void *)winograd},
        {"pools of all kinds", same_bits_of_text, NULL, NULL, (void *)pools},
        {"Nesterov's momentum", same_bits_of_text, NULL, NULL, (void *)nesterov},
        {"RMSprop", same_bits_of_text, NULL, NULL, (void *)rmsprop},
        {"RMSprop without momentum", same_bits_of_text, NULL, NULL, (void *)plain_rmsprop},
        {"one output", same_bits_of_text, NULL, NULL, (void *)one_output},
        {"momentum", same_bits_of_text, NULL, NULL, (void *)momentum},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
