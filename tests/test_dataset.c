/* test_dataset.c: data sets and arrays from files, good and damaged. */
#include "../runtime/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char folder[64]; /* of all files of this test */
static struct error error;

enum { COUNT = 50, TEST_COUNT = 20, SIZE = 12 }; /* samples of 3 x 4 */

/* --- making files --- */

/* Good until the next call. */
static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_gzipped(const char *path, const void *bytes, size_t size) {
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
    assert_int_equal(gzclose(file), Z_OK);
}

static uint8_t pixel(long sample, long element) {
    return (uint8_t)(sample * 7 + element * 13);
}

/* An IDX file of count samples, or of as many labels 0, 1, 2, 0, 1, 2, ... */
static size_t make_idx(uint8_t *out, long count, bool labels) {
    const uint8_t samples_header[] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)count, 0, 0, 0, 3, 0, 0, 0, 4};
    const uint8_t labels_header[] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    size_t header = labels ? sizeof labels_header : sizeof samples_header;
    memcpy(out, labels ? labels_header : samples_header, header);
    for (long i = 0; i < count * (labels ? 1 : SIZE); i++)
        out[header + (size_t)i] = labels ? (uint8_t)(i % 3) : pixel(i / SIZE, i % SIZE);
    return header + (size_t)(count * (labels ? 1 : SIZE));
}

/* A folder with a good data set: plain and gzipped files, both spellings. */
static void make_dataset(const char *name) {
    uint8_t bytes[16 + COUNT * SIZE];
    char path[256];
    if (!files_make_folder(path_of(name), &error)) fail_msg("%s", error.text);
    snprintf(path, sizeof path, "%s/%s/train-images-idx3-ubyte", folder, name);
    write_bytes(path, bytes, make_idx(bytes, COUNT, false));
    snprintf(path, sizeof path, "%s/%s/train-labels.idx1-ubyte", folder, name);
    write_bytes(path, bytes, make_idx(bytes, COUNT, true));
    snprintf(path, sizeof path, "%s/%s/t10k-images-idx3-ubyte.gz", folder, name);
    write_gzipped(path, bytes, make_idx(bytes, TEST_COUNT, false));
    snprintf(path, sizeof path, "%s/%s/t10k-labels.idx1-ubyte.gz", folder, name);
    write_gzipped(path, bytes, make_idx(bytes, TEST_COUNT, true));
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/lathe_test_dataset_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* --- data sets --- */

static void a_folder_opens(void **state) {
    (void)state;
    make_dataset("good");
    struct dataset_pair pair;
    if (!dataset_open(path_of("good"), &pair, &error)) fail_msg("%s", error.text);
    assert_int_equal(pair.train.count, COUNT);
    assert_int_equal(pair.test.count, TEST_COUNT);
    assert_int_equal(pair.test.rank, 3);
    assert_int_equal(pair.test.shape[0], 3);
    assert_int_equal(pair.test.shape[1], 4);
    assert_int_equal(pair.test.shape[2], 1);
    assert_int_equal(pair.test.sample_size, SIZE);
    assert_int_equal(pair.train.classes, 3);
    assert_null(pair.train.class_names);
    assert_true(pair.train.view.mapped);
    assert_false(pair.test.view.mapped);

    const long indices[] = {19, 0, 7};
    float samples[3 * SIZE], labels[3], one_hot[12];
    dataset_gather(&pair.test, indices, 3, samples, labels, 1);
    dataset_gather(&pair.test, indices, 3, samples, one_hot, 4);
    for (int i = 0; i < 3; i++) {
        for (int e = 0; e < SIZE; e++)
            assert_true(samples[i * SIZE + e] == (float)pixel(indices[i], e) / 255.0f);
        assert_true(labels[i] == (float)(indices[i] % 3));
        for (int c = 0; c < 4; c++)
            assert_true(one_hot[i * 4 + c] == (c == indices[i] % 3 ? 1.0f : 0.0f));
    }
    dataset_gather(&pair.test, NULL, 2, samples, NULL, 1);
    assert_true(samples[SIZE] == (float)pixel(1, 0) / 255.0f);
    assert_int_not_equal(dataset_fingerprint(&pair.train), dataset_fingerprint(&pair.test));
    dataset_pair_close(&pair);
    dataset_pair_close(&pair);
}

static void samples_go_and_come_back(void **state) {
    (void)state;
    make_dataset("returning");
    struct dataset_pair pair;
    const long index = 5;
    float sample[SIZE], label;
    if (!dataset_open(path_of("returning"), &pair, &error)) fail_msg("%s", error.text);
    struct dataset *const halves[] = {&pair.train, &pair.test}; /* mapped; inflated */
    for (int i = 0; i < 2; i++) {
        dataset_unload(halves[i]);
        assert_null(halves[i]->bytes);
        assert_null(halves[i]->view.data);
        if (!dataset_load(halves[i], &error)) fail_msg("%s", error.text);
        const uint8_t *bytes = halves[i]->bytes;
        if (!dataset_load(halves[i], &error)) fail_msg("%s", error.text);
        assert_ptr_equal(halves[i]->bytes, bytes);
        dataset_gather(halves[i], &index, 1, sample, &label, 1);
        for (int e = 0; e < SIZE; e++) assert_true(sample[e] == (float)pixel(index, e) / 255.0f);
        assert_true(label == (float)(index % 3));
    }
    dataset_unload(&pair.train);
    uint8_t fewer[16 + COUNT * SIZE];
    write_bytes(path_of("returning/train-images-idx3-ubyte"), fewer,
                make_idx(fewer, COUNT - 1, false));
    assert_false(dataset_load(&pair.train, &error));
    assert_non_null(strstr(error.text, "train-images-idx3-ubyte: is no longer the file"));
    dataset_pair_close(&pair);
}

static void names_are_searched(void **state) {
    (void)state;
    make_dataset("mnist");
    char data[300];
    snprintf(data, sizeof data, "%s/user/lathe", folder);
    assert_true(files_make_folder(data, &error));
    struct dataset_pair pair;

    setenv("LATHE_DATA", folder, 1);
    if (!dataset_open("mnist", &pair, &error)) fail_msg("%s", error.text);
    assert_int_equal(pair.train.classes, 10);
    assert_string_equal(pair.train.class_names[7], "7");
    assert_int_equal(strncmp(pair.folder, folder, strlen(folder)), 0);
    dataset_pair_close(&pair);

    make_dataset("user/lathe/mine");
    unsetenv("LATHE_DATA");
    snprintf(data, sizeof data, "%s/user", folder);
    setenv("XDG_DATA_HOME", data, 1);
    if (!dataset_open("mine", &pair, &error)) fail_msg("%s", error.text);
    dataset_pair_close(&pair);

    assert_false(dataset_open("nowhere", &pair, &error));
    char expected[1024];
    snprintf(expected, sizeof expected,
             "data set \"nowhere\" not found; searched: nowhere, $LATHE_DATA (not set), "
             "/usr/share/datasets/nowhere, %s/lathe/nowhere; needed is a folder that holds "
             "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
             "t10k-labels-idx1-ubyte, plain or gzipped (.gz)",
             data);
    assert_string_equal(error.text, expected);
    assert_false(dataset_open("", &pair, &error));
    assert_false(dataset_open("/no/such/folder", &pair, &error));
}

/* Fails unless opening the set `name` fails with a message that contains all of text. */
static void expect_failure(const char *name, const char *text) {
    struct dataset_pair pair;
    if (dataset_open(path_of(name), &pair, &error)) fail_msg("%s was opened", name);
    if (!strstr(error.text, text)) fail_msg("\"%s\" lacks \"%s\"", error.text, text);
}

static void wrong_files_are_named(void **state) {
    (void)state;
    uint8_t bytes[16 + COUNT * SIZE];
    make_dataset("bad");
    char labels[256];
    snprintf(labels, sizeof labels, "%s", path_of("bad/train-labels.idx1-ubyte"));
    size_t size = make_idx(bytes, COUNT, true);
    unlink(labels);
    expect_failure("bad", "but not train-labels-idx1-ubyte[.gz]");
    write_bytes(labels, bytes, size - 1);
    expect_failure("bad", "bad/train-labels.idx1-ubyte: the IDX header promises 50 bytes of data, "
                          "but there are 49");
    bytes[7] = COUNT - 1;
    write_bytes(labels, bytes, size - 1);
    expect_failure("bad", "train-labels.idx1-ubyte: holds 49 labels, but ");
    bytes[2] = 0x0c;
    write_bytes(labels, bytes, size);
    expect_failure("bad", "IDX element type 0x0c is not supported");
    bytes[0] = 1;
    write_bytes(labels, bytes, size);
    expect_failure("bad", "not an IDX file");
    write_bytes(labels, bytes, 0);
    expect_failure("bad", "not an IDX file");
    unlink(labels);
    assert_true(files_make_folder(labels, &error));
    expect_failure("bad", "is a folder");

    make_dataset("other/mnist");
    make_idx(bytes, COUNT, true);
    bytes[8 + 5] = 10;
    write_bytes(path_of("other/mnist/train-labels.idx1-ubyte"), bytes, size);
    expect_failure("other/mnist", "label 10 of sample 5: mnist has the classes 0 to 9");
}

/* --- one-hot labels --- */

enum { CLASSES = 4 }; /* one more than the labels of make_idx use */

static void put_big_endian(uint8_t *out, const void *number, size_t size) {
    const uint8_t *bytes = number; /* of this machine, little-endian */
    for (size_t i = 0; i < size; i++) out[i] = bytes[size - 1 - i];
}

/* The labels of make_idx as one-hot rows of bytes (element size 1), floats or doubles. */
static size_t make_one_hot(uint8_t *out, long count, size_t size) {
    const uint8_t header[] = {
        0, 0, size == 1 ? 8 : size == 4 ? 13 : 14, 2, 0, 0, 0, (uint8_t)count, 0, 0, 0, CLASSES};
    memcpy(out, header, sizeof header);
    for (long i = 0; i < count * CLASSES; i++) {
        uint8_t byte = i / CLASSES % 3 == i % CLASSES,
                *place = out + sizeof header + (size_t)i * size;
        float single = byte;
        double number = byte;
        put_big_endian(place,
                       size == 1   ? (void *)&byte
                       : size == 4 ? (void *)&single
                                   : &number,
                       size);
    }
    return sizeof header + (size_t)(count * CLASSES) * size;
}

static void one_hot_labels_are_class_numbers(void **state) {
    static const char *const names[] = {"idx1-ubyte", "idx2-ubyte", "idx2-float"};
    static const size_t sizes[] = {1, 4, 8};
    uint8_t bytes[12 + COUNT * CLASSES * 8];
    char path[256];
    (void)state;
    make_dataset("one_hot");
    unlink(path_of("one_hot/train-labels.idx1-ubyte"));
    for (int i = 0; i < 3; i++) {
        struct dataset_pair pair;
        snprintf(path, sizeof path, "%s/one_hot/train-labels-%s", folder, names[i]);
        write_bytes(path, bytes, make_one_hot(bytes, COUNT, sizes[i]));
        if (!dataset_open(path_of("one_hot"), &pair, &error)) fail_msg("%s", error.text);
        for (int k = 0; k < COUNT; k++) assert_int_equal(pair.train.labels[k], k % 3);
        assert_int_equal(pair.train.classes, CLASSES);
        assert_int_equal(pair.test.classes, CLASSES);
        dataset_pair_close(&pair);
        unlink(path);
    }
}

static void numbers_that_are_not_finite_are_named(void **state) {
    uint8_t bytes[16 + COUNT * SIZE * 4] = {0, 0, 13, 3, 0, 0, 0, COUNT, 0, 0, 0, 3, 0, 0, 0, 4};
    char path[256];
    struct dataset_pair pair;

    (void)state;
    make_dataset("floats");
    snprintf(path, sizeof path, "%s", path_of("floats/train-images-idx3-ubyte"));
    write_bytes(path, bytes, sizeof bytes);
    if (!dataset_open(path_of("floats"), &pair, &error)) fail_msg("%s", error.text);
    dataset_pair_close(&pair);
    put_big_endian(bytes + 16 + (7 * SIZE + 5) * 4, &(float){NAN}, 4);
    put_big_endian(bytes + 16 + (8 * SIZE + 1) * 4, &(float){INFINITY}, 4);
    write_bytes(path, bytes, sizeof bytes);
    expect_failure("floats", "train-images-idx3-ubyte: number 5 of sample 7 (both from 0) is not a "
                             "number (NaN); samples must be finite numbers");
}

static void wrong_rows_are_named(void **state) {
    static const char rule[] = " (from 0) is no one-hot label: a row has a 1 at its class and 3 "
                               "times 0";
    uint8_t bytes[12 + COUNT * CLASSES * 8];
    char path[256], expected[200];
    (void)state;
    make_dataset("rows");
    snprintf(path, sizeof path, "%s", path_of("rows/train-labels.idx1-ubyte"));
    size_t size = make_one_hot(bytes, COUNT, 1);
    static const uint8_t wrong[][CLASSES] = {{0}, {1, 0, 0, 1}, {0, 255, 0, 0}, {0, 1, 2, 0}};
    for (int i = 0; i < 4; i++) {
        make_one_hot(bytes, COUNT, 1);
        memcpy(bytes + 12 + (7 + i) * CLASSES, wrong[i], CLASSES);
        memset(bytes + 12 + 30 * CLASSES, 9, CLASSES); /* the first one is told */
        write_bytes(path, bytes, size);
        snprintf(expected, sizeof expected, "train-labels.idx1-ubyte: row %d%s", 7 + i, rule);
        expect_failure("rows", expected);
    }
    size = make_one_hot(bytes, COUNT, 4);
    put_big_endian(bytes + 12 + 4 * (COUNT - 1) * CLASSES, &(float){0.5f}, 4);
    write_bytes(path, bytes, size);
    snprintf(expected, sizeof expected, "row %d%s", COUNT - 1, rule);
    expect_failure("rows", expected);
    put_big_endian(bytes + 12 + 4 * (COUNT - 1) * CLASSES, &(float){NAN}, 4);
    write_bytes(path, bytes, size);
    expect_failure("rows", expected);

    size = make_one_hot(bytes, COUNT, 1);
    bytes[7] = 2 * COUNT;
    bytes[11] = CLASSES / 2;
    write_bytes(path, bytes, size);
    expect_failure("rows", "train-labels.idx1-ubyte: holds 100 labels, but ");
    bytes[7] = COUNT * CLASSES;
    bytes[11] = 1;
    write_bytes(path, bytes, size);
    expect_failure("rows", "labels must be one axis of class numbers, or one-hot: two axes");
    size = make_one_hot(bytes, COUNT, 1);
    write_bytes(path, bytes, size);
    write_bytes(path_of("rows/classes.txt"), "a\nb\nc\n", 6);
    expect_failure("rows", "one-hot labels of 4 classes, but ");
    expect_failure("rows", "rows/classes.txt has 3");
}

/* What opening the set says when its classes.txt is `text`. */
static void expect_bad_names(const char *text, const char *expected) {
    write_bytes(path_of("named/classes.txt"), text, strlen(text));
    expect_failure("named", expected);
}

static void a_folder_names_its_classes(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbfZebra\r\nAnt and bee\nÖlkäfer/grün\nunused";
    struct dataset_pair pair;
    struct class_names again;

    make_dataset("named");
    write_bytes(path_of("named/classes.txt"), text, strlen(text));
    if (!dataset_open(path_of("named"), &pair, &error)) fail_msg("%s", error.text);
    assert_int_equal(pair.train.classes, 4);
    assert_string_equal(pair.train.class_names[0], "Zebra");
    assert_string_equal(pair.test.class_names[1], "Ant and bee");
    assert_string_equal(pair.test.class_names[2], "Ölkäfer/grün");
    assert_true(files_make_folder(path_of("copy"), &error));
    assert_true(class_names_save(path_of("copy"), pair.train.class_names, 4, &error));
    dataset_pair_close(&pair);
    assert_true(class_names_read(path_of("copy/classes.txt"), &again, &error));
    assert_int_equal(again.count, 4);
    assert_string_equal(again.names[0], "Zebra");
    assert_string_equal(again.names[3], "unused");
    class_names_free(&again);

    expect_bad_names("a\nb\n", "label 2 of sample 2: ");
    expect_bad_names("a\nb\n", "named/classes.txt has the classes 0 to 1");
    expect_bad_names("a\n\nb\n", "classes.txt:2: the name of a class is empty");
    expect_bad_names("", "classes.txt:1: the name of a class is empty");
    expect_bad_names("a\nb\na\n", "classes.txt:3: \"a\" is the name of class 0 already");
    expect_bad_names("a\n\033[2Jb\nc\n", "classes.txt:2: the name of a class must be printable");
    expect_bad_names("a\nb\xc3\nc\n", "classes.txt:2: the name of a class must be printable");
}

/* Every truncation and every flipped bit gives a message or a data set whose labels are in range.
 */
static void try_dataset(const char *name) {
    struct dataset_pair pair;
    error.text[0] = '\0';
    if (!dataset_open(path_of(name), &pair, &error)) {
        assert_true(strlen(error.text) > 10);
        return;
    }
    float samples[SIZE], label;
    for (long i = 0; i < pair.train.count && pair.train.sample_size == SIZE; i++) {
        dataset_gather(&pair.train, &i, 1, samples, &label, 1);
        assert_true(label >= 0 && label < (float)pair.train.classes);
    }
    dataset_pair_close(&pair);
}

static void damaged_files_never_crash(void **state) {
    (void)state;
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels.idx1-ubyte",
                                        "t10k-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte.gz"};
    make_dataset("torn");
    for (int n = 0; n < 4; n++) {
        char path[256];
        snprintf(path, sizeof path, "%s/torn/%s", folder, names[n]);
        size_t size;
        char *bytes = files_read(path, &size, &error);
        assert_non_null(bytes);
        for (size_t cut = 0; cut < size; cut += cut < 40 ? 1 : 23) {
            write_bytes(path, bytes, cut);
            struct dataset_pair pair;
            assert_false(dataset_open(path_of("torn"), &pair, &error));
        }
        for (size_t bit = 0; bit < size * 8; bit += bit < 40 * 8 ? 1 : 61) {
            bytes[bit / 8] ^= (char)(1 << bit % 8);
            write_bytes(path, bytes, size);
            try_dataset("torn");
            bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        write_bytes(path, bytes, size);
        free(bytes);
    }
}

static void splits_are_stratified(void **state) {
    (void)state;
    enum { TOTAL = 1000 };
    int labels[TOTAL];
    for (int i = 0; i < TOTAL; i++) labels[i] = i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2;
    struct dataset dataset = {.count = TOTAL, .labels = labels, .classes = 3};
    struct dataset_split split, again, other;
    struct split_options options = {.fraction = 0.15, .stratified = true};
    assert_true(dataset_split(&dataset, &options, 4, &split, &error));
    assert_true(dataset_split(&dataset, &options, 4, &again, &error));
    assert_true(dataset_split(&dataset, &options, 5, &other, &error));
    assert_int_equal(split.validation_count, 150);
    assert_int_equal(split.train_count, 850);
    assert_memory_equal(split.validation, again.validation, 150 * sizeof(long));
    assert_memory_not_equal(split.validation, other.validation, 150 * sizeof(long));
    int seen[TOTAL] = {0}, of_class[3] = {0};
    for (int i = 0; i < 150; i++) {
        seen[split.validation[i]]++;
        of_class[labels[split.validation[i]]]++;
        assert_true(i == 0 || split.validation[i] > split.validation[i - 1]);
    }
    for (int i = 0; i < 850; i++) seen[split.train[i]]++;
    for (int i = 0; i < TOTAL; i++) assert_int_equal(seen[i], 1);
    assert_in_range(of_class[0], 104, 106);
    assert_in_range(of_class[1], 29, 31);
    assert_in_range(of_class[2], 14, 16);
    dataset_split_free(&split);
    dataset_split_free(&again);
    dataset_split_free(&other);

    options.fraction = 0;
    assert_true(dataset_split(&dataset, &options, 4, &split, &error));
    assert_int_equal(split.validation_count, 0);
    dataset_split_free(&split);
    options.fraction = 1;
    assert_false(dataset_split(&dataset, &options, 4, &split, &error));
    assert_string_equal(error.text, "the validation split is 1; it must be at least 0 and below 1");
}

/* Without strata the shares are those of a hypergeometric draw: right on average over seeds, but
 * spread about it, by 3.3 samples of the class that has 100 of 1000. */
static void splits_can_be_random(void **state) {
    (void)state;
    enum { TOTAL = 1000, SEEDS = 200 };
    int labels[TOTAL];
    for (int i = 0; i < TOTAL; i++) labels[i] = i % 10 == 0;
    struct dataset dataset = {.count = TOTAL, .labels = labels, .classes = 2};
    struct split_options options = {.fraction = 0.15};
    double sum = 0, squares = 0;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct dataset_split split;
        int of_class = 0;
        assert_true(dataset_split(&dataset, &options, seed, &split, &error));
        assert_int_equal(split.validation_count, 150);
        for (int i = 0; i < 150; i++) of_class += labels[split.validation[i]];
        sum += of_class - 15;
        squares += (of_class - 15) * (of_class - 15);
        dataset_split_free(&split);
    }
    double variance = 150 * 0.1 * 0.9 * (TOTAL - 150) / (TOTAL - 1);
    assert_true(fabs(sum / SEEDS) < 4 * sqrt(variance / SEEDS));
    assert_true(squares / SEEDS > 0.6 * variance && squares / SEEDS < 1.5 * variance);
}

static void check_folds(const struct dataset *dataset, bool stratified, long folds) {
    int seen[103] = {0};
    for (long fold = 0; fold < folds; fold++) {
        struct split_options options = {.folds = folds, .fold = fold, .stratified = stratified};
        struct dataset_split split;
        int of_class[3] = {0};
        assert_true(dataset_split(dataset, &options, 9, &split, &error));
        assert_int_equal(split.train_count + split.validation_count, 103);
        assert_in_range(split.validation_count, 103 / folds, 103 / folds + 1);
        for (long i = 0; i < split.validation_count; i++) {
            seen[split.validation[i]]++;
            of_class[dataset->labels[split.validation[i]]]++;
        }
        for (long i = 0, v = 0; i < split.train_count; i++) {
            while (v < split.validation_count && split.validation[v] < split.train[i]) v++;
            assert_true(v == split.validation_count || split.validation[v] != split.train[i]);
        }
        for (int c = 0; c < 3 && stratified; c++)
            assert_in_range(of_class[c], 34 / folds, 35 / folds + 1);
        dataset_split_free(&split);
    }
    for (int i = 0; i < 103; i++) assert_int_equal(seen[i], 1);
}

static void folds_divide_the_samples(void **state) {
    (void)state;
    int labels[103];
    for (int i = 0; i < 103; i++) labels[i] = i % 3;
    struct dataset dataset = {.count = 103, .labels = labels, .classes = 3};
    for (long folds = 2; folds <= 7; folds++) {
        check_folds(&dataset, true, folds);
        check_folds(&dataset, false, folds);
    }
    struct split_options options = {.folds = 104};
    struct dataset_split split;
    assert_false(dataset_split(&dataset, &options, 9, &split, &error));
    assert_string_equal(error.text,
                        "104 folds; cross-validation needs 2 to 103, the number of samples");
}

static void programs_are_checked(void **state) {
    (void)state;
    struct dataset dataset = {
        .rank = 3, .shape = {28, 28, 1}, .classes = 10, .labels = (int[]){0}, .count = 1};
    struct program program = {.name = "m",
                              .sample_rank = 2,
                              .sample_shape = {28, 28},
                              .sparse_labels = 1,
                              .label_size = 1,
                              .output_size = 10};
    assert_true(dataset_check(&dataset, &program, &error));
    program.sample_rank = 1;
    program.sample_shape[0] = 784;
    assert_true(dataset_check(&dataset, &program, &error));
    program.output_size = 9;
    assert_false(dataset_check(&dataset, &program, &error));
    assert_string_equal(error.text, "the data has 10 classes, but the model m predicts 9");
    program.sample_shape[0] = 785;
    assert_false(dataset_check(&dataset, &program, &error));
    assert_string_equal(error.text,
                        "the samples of the data are 28 x 28 x 1, but the model m takes 785");
}

static void fashion_mnist_is_itself(void **state) {
    (void)state;
    if (!files_exist("/usr/share/datasets/fashion-mnist")) skip();
    unsetenv("LATHE_DATA");
    struct dataset_pair pair;
    if (!dataset_open("fashion-mnist", &pair, &error)) fail_msg("%s", error.text);
    assert_int_equal(pair.train.count, 60000);
    assert_int_equal(pair.test.count, 10000);
    assert_int_equal(pair.test.classes, 10);
    long train_sum = 0, test_sum = 0;
    for (int i = 0; i < 784; i++) {
        train_sum += pair.train.bytes[12345 * 784 + i];
        test_sum += pair.test.bytes[9999 * 784 + i];
    }
    assert_int_equal(train_sum, 97611);
    assert_int_equal(test_sum, 24390);
    assert_string_equal(pair.train.class_names[pair.train.labels[12345]], "Bag");
    assert_string_equal(pair.test.class_names[pair.test.labels[9999]], "Sandal");
    dataset_pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_opens),
        cmocka_unit_test(samples_go_and_come_back),
        cmocka_unit_test(names_are_searched),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(one_hot_labels_are_class_numbers),
        cmocka_unit_test(numbers_that_are_not_finite_are_named),
        cmocka_unit_test(wrong_rows_are_named),
        cmocka_unit_test(a_folder_names_its_classes),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(splits_are_stratified),
        cmocka_unit_test(splits_can_be_random),
        cmocka_unit_test(folds_divide_the_samples),
        cmocka_unit_test(programs_are_checked),
        cmocka_unit_test(fashion_mnist_is_itself),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
