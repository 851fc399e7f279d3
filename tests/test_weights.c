/* test_weights.c: safetensors files: round trips, the exact bytes, wrong and damaged files. */
#include "../runtime/files.h"
#include "../runtime/weights.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char folder[64], path[128];
static struct error error;

static const struct program_variable variables[] = {
    {"dense/kernel", PROGRAM_TRAINABLE, 0, 6, 2, {2, 3}, PROGRAM_UNIFORM, 1},
    {"dense/bias", PROGRAM_TRAINABLE, 16, 3, 1, {3}, PROGRAM_ZEROS, 0},
    {"norm/mean \"x\"", PROGRAM_STATE, 0, 2, 1, {2}, PROGRAM_ZEROS, 0},
    {"moment", PROGRAM_OPTIMIZER, 0, 4, 1, {4}, PROGRAM_ZEROS, 0},
};
static const struct program program = {
    .name = "small", .space_size = {19, 2, 4}, .variables = variables, .variable_count = 4};

struct spaces {
    float trainable[19], state[2], optimizer[4];
    float *space[PROGRAM_SPACES];
};

static void fill(struct spaces *spaces, float first) {
    for (int i = 0; i < 19; i++) spaces->trainable[i] = first + (float)i / 7;
    for (int i = 0; i < 2; i++) spaces->state[i] = -first - (float)i;
    for (int i = 0; i < 4; i++) spaces->optimizer[i] = first * 2;
    spaces->space[PROGRAM_TRAINABLE] = spaces->trainable;
    spaces->space[PROGRAM_STATE] = spaces->state;
    spaces->space[PROGRAM_OPTIMIZER] = spaces->optimizer;
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/lathe_test_weights_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int files_in_folder(void) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void write_bytes(const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void save(const struct spaces *spaces) {
    const struct metadata metadata[] = {{"accuracy", "0.9"}};
    if (!weights_save(path, &program, spaces->space, metadata, 1, &error))
        fail_msg("%s", error.text);
}

static void weights_come_back(void **state) {
    (void)state;
    struct spaces saved, loaded;
    fill(&saved, 0.1f);
    fill(&loaded, 5);
    save(&saved);
    if (!weights_load(path, &program, loaded.space, &error)) fail_msg("%s", error.text);
    assert_memory_equal(loaded.trainable, saved.trainable, 6 * sizeof(float));
    assert_memory_equal(loaded.trainable + 16, saved.trainable + 16, 3 * sizeof(float));
    assert_memory_equal(loaded.state, saved.state, sizeof saved.state);
    assert_true(loaded.trainable[6] == 5 + 6.0f / 7); /* between variables: untouched */
    assert_true(loaded.optimizer[0] == 10);
    assert_int_equal(files_in_folder(), 1);

    struct stat status;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0666 & ~mask);
}

static void the_bytes_are_safetensors(void **state) {
    (void)state;
    struct spaces spaces;
    fill(&spaces, 1);
    save(&spaces);
    size_t size;
    uint8_t *bytes = (uint8_t *)files_read(path, &size, &error);
    assert_non_null(bytes);
    size_t length = bytes[0] | (size_t)bytes[1] << 8;
    for (int i = 2; i < 8; i++) assert_int_equal(bytes[i], 0);
    assert_int_equal(length % 8, 0);
    assert_int_equal(size, 8 + length + 11 * 4);
    char expected[1024];
    snprintf(expected, sizeof expected,
             "{\"__metadata__\":{\"format\":\"lathe weights\",\"model\":\"small\","
             "\"accuracy\":\"0.9\",\"crc32\":\"%08lx\"},"
             "\"dense/kernel\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
             "\"dense/bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]},"
             "\"norm/mean \\\"x\\\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[36,44]}}",
             crc32(0, bytes + 8 + length, 44));
    assert_memory_equal(bytes + 8, expected, strlen(expected));
    for (size_t i = strlen(expected); i < length; i++) assert_int_equal(bytes[8 + i], ' ');
    const uint8_t one[] = {0, 0, 0x80, 0x3f};
    assert_memory_equal(bytes + 8 + length, one, 4);
    free(bytes);
}

/* A file with this header and this many bytes of data; fails unless loading says `text`. */
static void expect_failure(const char *header, size_t data_size, const char *text) {
    uint8_t bytes[2048] = {0};
    size_t length = strlen(header);
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, header, length);
    write_bytes(bytes, 8 + length + data_size);
    struct safetensors *file = safetensors_open(path, &error);
    if (file) fail_msg("%s was accepted", header);
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    assert_string_equal(error.text + strlen(path) + 2, text);
}

#define TENSOR(name, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

static void malformed_files_are_refused(void **state) {
    (void)state;
    expect_failure("{" TENSOR("a", "2", "0", "8") "}", 12,
                   "the tensors take 8 bytes, but there are 12");
    expect_failure("{" TENSOR("a", "2", "0", "8") "}", 4,
                   "tensor \"a\" has data_offsets outside of the file");
    expect_failure("{" TENSOR("a", "2", "8", "0") "}", 8,
                   "tensor \"a\" has data_offsets outside of the file");
    expect_failure("{" TENSOR("a", "2", "-8", "0") "}", 8,
                   "tensor \"a\" has data_offsets outside of the file");
    expect_failure("{" TENSOR("a", "2", "0", "8.5") "}", 16,
                   "tensor \"a\" has data_offsets outside of the file");
    expect_failure("{" TENSOR("a", "2", "0", "1e300") "}", 8,
                   "tensor \"a\" has data_offsets outside of the file");
    expect_failure("{" TENSOR("a", "3", "0", "8") "}", 8,
                   "tensor \"a\" has 8 bytes, but its shape needs 12");
    expect_failure("{" TENSOR("a", "2", "0", "8") "," TENSOR("b", "2", "4", "12") "}", 12,
                   "the data of tensor \"b\" overlaps that of another");
    expect_failure("{" TENSOR("a", "2", "0", "8") "," TENSOR("b", "1", "12", "16") "}", 16,
                   "the data of tensor \"b\" does not follow that before it");
    expect_failure("{" TENSOR("a", "1", "0", "4") "," TENSOR("a", "1", "4", "8") "}", 8,
                   "tensor \"a\" appears twice");
    expect_failure("{" TENSOR("a", "-2", "0", "8") "}", 8,
                   "tensor \"a\" has a shape that cannot be");
    expect_failure("{" TENSOR("a", "2147483647,2147483647,2147483647", "0", "8") "}", 8,
                   "tensor \"a\" has a shape that cannot be");
    expect_failure("{" TENSOR("a", "1,1,1,1,1,1,2", "0", "8") "}", 8,
                   "tensor \"a\" has more than 6 axes");
    expect_failure("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
                   "tensor \"a\" has dtype F16; only F32 is supported");
    expect_failure("{\"a\":3}", 0, "tensor \"a\" has no dtype");
    expect_failure("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
                   "tensor \"a\" has no shape");
    expect_failure("{\"__metadata__\":{\"x\":1}}", 0, "__metadata__ must hold strings");
    expect_failure("{\"__metadata__\":{\"crc32\":\"12345678\"}," TENSOR("a", "1", "0", "4") "}", 4,
                   "the file is damaged: its checksum is 2144df1c, not 12345678");
    expect_failure("{\"a\":", 0, "the safetensors header is not valid JSON");
    expect_failure("{} x", 0, "the safetensors header is not valid JSON");
    expect_failure("[]", 0, "not a safetensors file (its header is not JSON)");
}

static void headers_that_lie_are_refused(void **state) {
    (void)state;
    const uint8_t huge[] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    write_bytes(huge, sizeof huge);
    assert_null(safetensors_open(path, &error));
    assert_string_equal(error.text + strlen(path) + 2,
                        "the safetensors header claims 18446744073709551615 bytes, but the file "
                        "has 10");
    write_bytes(huge, 3);
    assert_null(safetensors_open(path, &error));
    assert_string_equal(error.text + strlen(path) + 2, "not a safetensors file (only 3 bytes)");
    unlink(path);
    assert_null(safetensors_open(path, &error));
    assert_string_equal(error.text + strlen(path) + 2, "cannot open: No such file or directory");
}

static void differences_are_told(void **state) {
    (void)state;
    struct spaces spaces, before;
    fill(&spaces, 1);
    save(&spaces);
    struct program_variable changed[4];
    memcpy(changed, variables, sizeof changed);
    struct program other = program;
    other.variables = changed;
    changed[0].size[0] = 3;
    changed[0].size[1] = 2;
    changed[1].name = "dense/offset";
    fill(&before, 3);
    spaces = before;
    fill(&spaces, 3);
    assert_false(weights_load(path, &other, spaces.space, &error));
    assert_string_equal(error.text + strlen(path) + 2,
                        "the weights do not fit the model small: of another shape: dense/kernel is "
                        "[2, 3] instead of [3, 2]; missing in the file: dense/offset; not in the "
                        "model: dense/bias");
    assert_memory_equal(spaces.trainable, before.trainable, sizeof before.trainable);

    struct program_variable many[12];
    char names[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        many[i] = variables[2];
        many[i].name = names[i];
    }
    other.variables = many;
    other.variable_count = 12;
    assert_false(weights_load(path, &other, spaces.space, &error));
    assert_non_null(strstr(error.text, "missing in the file: v0, v1, v2, v3 and 8 more"));
}

/* Every truncation is refused; a flipped bit is refused or (in a name) told as a difference, or
 * does not touch the data. */
static void damaged_files_never_load_other_weights(void **state) {
    (void)state;
    struct spaces saved, loaded;
    fill(&saved, 1);
    save(&saved);
    size_t size;
    char *bytes = files_read(path, &size, &error);
    assert_non_null(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(bytes, cut);
        assert_false(weights_load(path, &program, loaded.space, &error));
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes(bytes, size);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        fill(&loaded, 2);
        if (!weights_load(path, &program, loaded.space, &error)) continue;
        assert_memory_equal(loaded.trainable, saved.trainable, 6 * sizeof(float));
        assert_memory_equal(loaded.state, saved.state, sizeof saved.state);
    }
    free(bytes);
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    struct spaces spaces;
    fill(&spaces, 1);
    save(&spaces);
    int files = files_in_folder();
    char nowhere[192];
    snprintf(nowhere, sizeof nowhere, "%s/no/w", folder);
    assert_false(weights_save(nowhere, &program, spaces.space, NULL, 0, &error));
    assert_non_null(strstr(error.text, "/no/w: cannot write: No such file or directory"));
    assert_false(weights_save(folder, &program, spaces.space, NULL, 0, &error));
    assert_non_null(strstr(error.text, "cannot write: it is a folder"));
    assert_false(weights_save("/dev/null", &program, spaces.space, NULL, 0, &error));
    assert_non_null(strstr(error.text, "cannot write: it is not a plain file"));
    /* The disk is full: here, a limit on the size of files. */
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool saved = weights_save(path, &program, spaces.space, NULL, 0, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(saved);
    assert_string_equal(error.text + strlen(path) + 2, "cannot write: File too large");
    assert_int_equal(files_in_folder(), files);
    assert_true(weights_load(path, &program, spaces.space, &error));

    /* Through a link the file behind it changes. */
    char link[192];
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0);
    fill(&spaces, 9);
    assert_true(weights_save(link, &program, spaces.space, NULL, 0, &error));
    fill(&spaces, 1);
    assert_true(weights_load(path, &program, spaces.space, &error));
    assert_true(spaces.trainable[0] == 9);
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_come_back),
        cmocka_unit_test(the_bytes_are_safetensors),
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(differences_are_told),
        cmocka_unit_test(damaged_files_never_load_other_weights),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
