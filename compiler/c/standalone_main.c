/* standalone_main.c: the program around a standalone model that --main adds: reads samples from a
 * file and predicts them, or trains on samples and labels. */
#include "standalone.h"

/* Reading of arrays: IDX files of bytes, the form of MNIST, or plain numbers of the model's type.
 */
static const char reading[] =
    "#include \"@.h\"\n"
    "\n"
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n"
    "#include <string.h>\n"
    "\n"
    "/* The bytes of a file, or NULL. */\n"
    "static unsigned char *read_file(const char *path, size_t *size) {\n"
    "    FILE *file = fopen(path, \"rb\");\n"
    "    unsigned char *bytes = NULL;\n"
    "    long length = -1;\n"
    "    if (file && fseek(file, 0, SEEK_END) == 0) length = ftell(file);\n"
    "    if (length > 0 && fseek(file, 0, SEEK_SET) == 0) bytes = malloc((size_t)length);\n"
    "    if (bytes && fread(bytes, 1, (size_t)length, file) != (size_t)length) {\n"
    "        free(bytes);\n"
    "        bytes = NULL;\n"
    "    }\n"
    "    if (file) fclose(file);\n"
    "    *size = bytes ? (size_t)length : 0;\n"
    "    return bytes;\n"
    "}\n"
    "\n"
    "/* Numbers of a file, `width` for each sample: an IDX file of bytes, each times scale, or "
    "plain\n"
    " * numbers of type ~. NULL: it cannot be read, or holds something else. */\n"
    "static ~ *read_numbers(const char *path, long width, ~ scale, long *samples) {\n"
    "    size_t size, header, count, i;\n"
    "    unsigned char *bytes = read_file(path, &size);\n"
    "    ~ *numbers = NULL;\n"
    "    int is_idx = size > 4 && !bytes[0] && !bytes[1] && bytes[2] == 8 && bytes[3] >= 1 &&\n"
    "        bytes[3] <= 4;\n"
    "    header = is_idx ? 4 + 4 * (size_t)bytes[3] : 0;\n"
    "    count = size > header ? (size - header) / (is_idx ? 1 : sizeof(~)) : 0;\n"
    "    *samples = (long)(count / (size_t)width);\n"
    "    if (*samples > 0 && count % (size_t)width == 0) numbers = malloc(count * sizeof(~));\n"
    "    for (i = 0; numbers && is_idx && i < count; i++)\n"
    "        numbers[i] = (~)bytes[header + i] * scale;\n"
    "    if (numbers && !is_idx) memcpy(numbers, bytes, count * sizeof(~));\n"
    "    free(bytes);\n"
    "    return numbers;\n"
    "}\n"
    "\n"
    "/* The first address of the memory that suits the model. */\n"
    "static void *block_of(char *memory) {\n"
    "    return memory ? memory + ($_ALIGNMENT - (size_t)memory % $_ALIGNMENT) % $_ALIGNMENT : "
    "NULL;\n"
    "}\n";

static const char failing[] = "\n"
                              "static int fail(const char *what, const char *path) {\n"
                              "    fprintf(stderr, \"%s %s\\n\", what, path);\n"
                              "    return 2;\n"
                              "}\n";

static const char showing[] = "\n"
                              "/* One line for a sample: the largest output, or all. */\n"
                              "static void show(long sample, const ~ *predictions) {\n"
                              "    long i, best = 0;\n"
                              "    for (i = 1; i < $_OUTPUT_SIZE; i++)\n"
                              "        if (predictions[i] > predictions[best]) best = i;\n"
                              "    printf(\"%ld:\", sample);\n";

static const char showing_numbers[] =
    "    for (i = 0; i < $_OUTPUT_SIZE; i++) printf(\" %.6g\", (double)predictions[i]);\n"
    "    printf(\"\\n\");\n"
    "}\n";

static void emit_show(struct emission *e) {
    emit_text(e, showing);
    if (e->program->output_size > 1)
        emit_text(e, e->form->class_names ? "    printf(\" %s\", @_class_names[best]);\n"
                                          : "    printf(\" output %ld\", best);\n");
    else
        emit_text(e, "    (void)best;\n");
    emit_text(e, showing_numbers);
}

static const char load[] = "\n"
                           "/* Reads @.weights into the block. */\n"
                           "static int load(void *block) {\n"
                           "    size_t size;\n"
                           "    unsigned char *weights = read_file(\"@.weights\", &size);\n"
                           "    int loaded = weights && @_load(block, weights, size);\n"
                           "    free(weights);\n"
                           "    return loaded;\n"
                           "}\n";

static void emit_load_call(struct emission *e) {
    if (has_loaded_weights(e))
        emit_text(e, "    if (!load(block)) return fail(\"cannot read the weights\", "
                     "\"@.weights\");\n");
}

static void emit_null_threads(struct emission *e) {
    if (e->form->threads) emit_text(e, ", NULL");
}

/* ---- predictions ---- */

static void emit_predicting(struct emission *e) {
    emit_text(e,
              "\n"
              "int main(int argc, char **argv) {\n"
              "    static ~ x[$_BATCH * $_SAMPLE_SIZE], predictions[$_BATCH * $_OUTPUT_SIZE];\n"
              "    char *memory = malloc($_BLOCK_BYTES + $_ALIGNMENT);\n"
              "    void *block = block_of(memory);\n"
              "    ~ *samples;\n"
              "    long count, first, i;\n"
              "    if (argc != 2) return fail(\"usage: @_main\", \"SAMPLES\");\n"
              "    samples = read_numbers(argv[1], $_SAMPLE_SIZE, (~)1 / 255, &count);\n"
              "    if (!block || !samples) return fail(\"cannot read samples from\", argv[1]);\n");
    emit_load_call(e);
    if (!e->weights) emit_text(e, "    @_init(block, 1); /* random: put the weights in here */\n");
    if (e->program->prepared_bytes) {
        emit_text(e, "    @_prepare(block");
        emit_null_threads(e);
        emit_text(e, ");\n");
    }
    emit_text(e, "    for (first = 0; first < count; first += $_BATCH) {\n"
                 "        long some = count - first < $_BATCH ? count - first : $_BATCH;\n"
                 "        memcpy(x, samples + first * $_SAMPLE_SIZE,\n"
                 "            (size_t)(some * $_SAMPLE_SIZE) * sizeof *x);\n"
                 "        @_predict(block, x, predictions");
    emit_null_threads(e);
    emit_text(e, ");\n"
                 "        for (i = 0; i < some; i++) show(first + i, predictions + i * "
                 "$_OUTPUT_SIZE);\n"
                 "    }\n"
                 "    free(samples);\n"
                 "    free(memory);\n"
                 "    return 0;\n"
                 "}\n");
}

/* ---- training ---- */

static void emit_accuracy_argument(struct emission *e) {
    if (e->program->has_accuracy) emit_text(e, ", &accuracy");
}

static void emit_learning(struct emission *e) {
    bool accuracy = e->program->has_accuracy;
    emit_text(e, "\n"
                 "/* One pass over the samples; learns, or only measures. */\n"
                 "static void pass(void *block, const ~ *x, const ~ *y, long count, int learns) {\n"
                 "    double loss = 0.0");
    if (accuracy) emit_text(e, ", right = 0.0");
    emit_text(e,
              ";\n"
              "    long first;\n"
              "    for (first = 0; first < count; first += $_BATCH) {\n"
              "        const ~ *xs = x + first * $_SAMPLE_SIZE, *ys = y + first * $_LABEL_SIZE;\n"
              "        long some = count - first < $_BATCH ? count - first : $_BATCH;\n");
    if (accuracy) emit_text(e, "        ~ accuracy = 0;\n");
    emit_text(e, "        loss += (double)some * (double)(learns ?\n"
                 "            @_train_step(block, xs, ys, some, @_learning_rate(block)");
    emit_accuracy_argument(e);
    emit_null_threads(e);
    emit_text(e, ") :\n            @_evaluate(block, xs, ys, some");
    emit_accuracy_argument(e);
    emit_null_threads(e);
    emit_text(e, "));\n");
    if (accuracy) emit_text(e, "        right += (double)some * (double)accuracy;\n");
    emit_text(e, "    }\n"
                 "    printf(\"%s: loss %.4f\", learns ? \"training\" : \"evaluation\", loss / "
                 "(double)count);\n");
    if (accuracy) emit_text(e, "    printf(\"  accuracy %.4f\", right / (double)count);\n");
    emit_text(e, "    printf(\"\\n\");\n"
                 "}\n");
}

/* Samples and labels come in the order of the file: shuffle them there. */
static void emit_training_main(struct emission *e) {
    emit_text(e, "\n"
                 "int main(int argc, char **argv) {\n"
                 "    static ~ predictions[$_OUTPUT_SIZE];\n"
                 "    char *memory = malloc($_BLOCK_BYTES + $_ALIGNMENT);\n"
                 "    void *block = block_of(memory);\n"
                 "    ~ *x, *y;\n"
                 "    long count, labels, epoch, epochs;\n"
                 "    if (argc != 3 && argc != 4) return fail(\"usage: @_main\", \"SAMPLES LABELS "
                 "[EPOCHS]\");\n"
                 "    epochs = argc == 4 ? strtol(argv[3], NULL, 10) : 1;\n"
                 "    x = read_numbers(argv[1], $_SAMPLE_SIZE, (~)1 / 255, &count);\n"
                 "    if (!block || !x) return fail(\"cannot read samples from\", argv[1]);\n"
                 "    y = read_numbers(argv[2], $_LABEL_SIZE, 1, &labels);\n"
                 "    if (!y || labels != count) return fail(\"cannot read as many labels from\", "
                 "argv[2]);\n"
                 "    @_init(block, 1);\n");
    emit_load_call(e);
    emit_text(e, "    for (epoch = 0; epoch < epochs; epoch++) pass(block, x, y, count, 1);\n"
                 "    pass(block, x, y, count, 0);\n"
                 "    @_predict(block, x, 1, predictions");
    emit_null_threads(e);
    emit_text(e, ");\n"
                 "    show(0, predictions);\n"
                 "    free(x);\n"
                 "    free(y);\n"
                 "    free(memory);\n"
                 "    return 0;\n"
                 "}\n");
}

const char *main_program(struct emission *e) {
    emit_text(e, " *\n");
    emit_text(e, e->is_training ? " * @_main SAMPLES LABELS [EPOCHS] trains on them and measures.\n"
                                : " * @_main SAMPLES predicts each of them.\n");
    emit_text(e, " * A file is IDX with bytes, MNIST's form (samples are divided by 255), or plain "
                 "numbers of\n * type ~. Build:\n *     cc -O2 @_main.c @.c");
    if (e->weights && e->form->weights_form == WEIGHTS_LINKED) emit_text(e, " @_weights.S");
    emit_text(e, *e->mathematics ? " -o @_main */\n" : " -o @_main -lm */\n");
    emit_text(e, reading);
    emit_text(e, failing);
    emit_show(e);
    if (has_loaded_weights(e)) emit_text(e, load);
    if (e->is_training) {
        emit_learning(e);
        emit_training_main(e);
    } else {
        emit_predicting(e);
    }
    return text_string(&e->text);
}
