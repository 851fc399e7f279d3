/* test_jit.c: C text through libtcc and through a C compiler, and the cache. */
#include "compiler/jit/cache.h"
#include "compiler/jit/cc.h"
#include "compiler/jit/digest.h"
#include "compiler/jit/tcc.h"
#include "tests/jit_folder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

/* A module in the subset that both compilers take. */
static const char sum_text[] = "double model_sum(const float *x, long n);\n"
                               "double model_sum(const float *x, long n) {\n"
                               "    double sum = 0.0;\n"
                               "    for (long i = 0; i < n; i++) sum += (double)(x[i] * 2.0f);\n"
                               "    return sum;\n"
                               "}\n";
typedef double sum_function(const float *x, long n);

static bool have(const char *compiler) {
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null", compiler);
    return system(command) == 0;
}

/* --- the digest --- */

static void check_digest(const char *data, size_t length, int times, const char *expected) {
    struct digest digest;
    unsigned char result[DIGEST_BYTES];
    char text[2 * DIGEST_BYTES + 1];
    digest_begin(&digest);
    while (times-- > 0) digest_add(&digest, data, length);
    digest_end(&digest, result);
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", result[i]);
    assert_string_equal(text, expected);
}

static void digest_is_sha256(void **state) {
    (void)state;
    check_digest("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_digest("abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest("aaaaaaaaaa", 10, 100000,
                 "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* --- libtcc --- */

static void tcc_runs_text(void **state) {
    (void)state;
    struct error error = {""};
    struct tcc_module *module = tcc_module_new(sum_text, NULL, &error);
    assert_string_equal(error.text, "");
    assert_non_null(module);
    sum_function *sum;
    *(void **)&sum = tcc_module_find(module, "model_sum");
    assert_non_null(sum);
    assert_true(sum((const float[]){1, 2, 4}, 3) == 14.0);
    assert_null(tcc_module_find(module, "model_product"));
    tcc_module_free(module);
    tcc_module_free(NULL);
}

/* Code and data anywhere in the address space, functions also by their address. */
static void tcc_reaches_far_symbols(void **state) {
    (void)state;
    static const unsigned char answer[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* x86: return 42 */
    static const uintptr_t places[] = {0x10000000, 0x100000000000, 0x7e0000000000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        unsigned char *page = mmap((void *)places[i], 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (page == MAP_FAILED) continue; /* the place is taken */
        memcpy(page, answer, sizeof answer);
        ((float *)page)[1024 + 1] = 0.5f;
        struct tcc_symbol symbols[] = {{"answer", page}, {"numbers", page + 4096}, {NULL, NULL}};
        struct error error = {""};
        struct tcc_module *module = tcc_module_new(
            "int answer(void); extern float numbers[]; typedef int function(void);\n"
            "static function *const table[1] = {answer};\n"
            "double f(void) { const float *p = numbers; return answer() + table[0]() + p[1]; }",
            symbols, &error);
        assert_string_equal(error.text, "");
        double (*f)(void);
        *(void **)&f = tcc_module_find(module, "f");
        bool runs_here = true;
#ifndef __x86_64__
        runs_here = false;
#endif
        if (runs_here) assert_true(f() == 84.5);
        tcc_module_free(module);
        munmap(page, 8192);
    }
}

static void tcc_has_standard_functions(void **state) {
    (void)state;
    struct error error = {""};
    struct tcc_module *module = tcc_module_new(
        "float expf(float); void *memset(void *, int, unsigned long);\n"
        "void lathe_sgemm(long, long, long, const float *, long, long, const float *, long, long,\n"
        "                 float *, long, long);\n"
        "double f(unsigned long big) {\n"
        "    float a[2] = {2.0f, 3.0f}, b[2] = {5.0f, 7.0f}, c[1] = {100.0f};\n"
        "    lathe_sgemm(1, 1, 2, a, 2, 1, b, 1, 1, c, 1, 1);\n"
        "    memset(a, 0, sizeof a);\n"
        "    return (double)big + c[0] + a[1] + expf(0.0f) + (double)(unsigned long)(float)big;\n"
        "}\n",
        NULL, &error);
    assert_string_equal(error.text, "");
    double (*f)(unsigned long);
    *(void **)&f = tcc_module_find(module, "f");
    assert_true(f(8) == 8 + 131 + 1 + 8);
    assert_true(f(1ul << 63) == 2 * 9223372036854775808.0);
    tcc_module_free(module);
}

static void tcc_refuses(const char *text, const char *expected) {
    struct error error = {""};
    assert_null(tcc_module_new(text, NULL, &error));
    assert_non_null(strstr(error.text, expected));
}

static void tcc_reports_mistakes(void **state) {
    (void)state;
    tcc_refuses("int f(void) { return g(3); }",
                "<string>:1: warning: implicit declaration of function "
                "'g'");
    tcc_refuses("int g(int);\nint f(void) { return g(3); }", "undefined symbol 'g'");
    tcc_refuses("int f(void) {\n    return *;\n}", "identifier expected");
    tcc_refuses("#include <stdio.h>\n", "include file 'stdio.h' not found");
    tcc_refuses("int f(int *p);\nint f(int *p) { float *q = p; return q != 0; }",
                "assignment from incompatible pointer type");
    tcc_runs_text(state); /* and none of that hurts the next module */
}

/* --- a C compiler --- */

static struct cc_module *build(const char *text, const char *compiler, enum cc_state *first,
                               struct error *error) {
    *error->text = '\0';
    struct cc_module *module = cc_module_new(text, compiler, target_native(), error);
    if (!module) return NULL;
    *first = cc_module_poll(module, false, error);
    if (*first == CC_READY) return module;
    if (cc_module_start(module, false, error) && cc_module_poll(module, true, error) == CC_READY)
        return module;
    cc_module_free(module);
    return NULL;
}

static void check_build(const char *text, const char *compiler, enum cc_state expected) {
    struct error error;
    enum cc_state first;
    struct cc_module *module = build(text, compiler, &first, &error);
    assert_string_equal(error.text, "");
    assert_non_null(module);
    assert_int_equal(first, expected);
    sum_function *sum;
    *(void **)&sum = cc_module_find(module, "model_sum");
    assert_non_null(sum);
    assert_true(sum((const float[]){1, 2, 4}, 3) == 14.0);
    assert_null(cc_module_find(module, "model_product"));
    cc_module_free(module);
}

static void cc_builds_and_caches(void **state) {
    (void)state;
    check_build(sum_text, "gcc", CC_ABSENT);
    check_build(sum_text, "gcc", CC_READY);
    check_build(sum_text, NULL, CC_READY);
    char other[sizeof sum_text + 8];
    snprintf(other, sizeof other, "%s\n", sum_text);
    check_build(other, "gcc", CC_ABSENT);
    if (have("clang")) {
        check_build(sum_text, "clang", CC_ABSENT);
        check_build(sum_text, "clang", CC_READY);
    }
    const char *cache = getenv("LATHE_CACHE");
    assert_int_equal(count_files(cache, ".so"), have("clang") ? 3 : 2);
    assert_int_equal(count_files(cache, ".c"), 0);
    assert_int_equal(count_files(cache, ".log"), 0);
    assert_int_equal(count_files(cache, ".object"), 0);
    cc_module_free(NULL);
}

static void cc_modules_call_sgemm(void **state) {
    (void)state;
    struct error error;
    enum cc_state first;
    struct cc_module *module =
        build("void lathe_sgemm(long m, long n, long k, const float *a, long a_row, long a_depth,\n"
              "    const float *b, long b_depth, long b_column, float *c, long c_row,\n"
              "    long accumulate);\n"
              "float f(void);\n"
              "float f(void) {\n"
              "    float a[2] = {2.0f, 3.0f}, b[2] = {5.0f, 7.0f}, c[1];\n"
              "    lathe_sgemm(1, 1, 2, a, 2, 1, b, 1, 1, c, 1, 0);\n"
              "    return c[0];\n"
              "}\n",
              "gcc", &first, &error);
    assert_string_equal(error.text, "");
    float (*f)(void);
    *(void **)&f = cc_module_find(module, "f");
    assert_true(f() == 31.0f);
    cc_module_free(module);
}

static void cc_reports_mistakes(void **state) {
    (void)state;
    struct error error;
    enum cc_state first;
    assert_null(build("int f(void);\nint f(void) { return nothing; }\n", "gcc", &first, &error));
    assert_non_null(strstr(error.text, "gcc cannot compile the generated C (exit status 1):\n"));
    assert_non_null(strstr(error.text, ".c:2:22: error:"));
    assert_non_null(strstr(error.text, "nothing"));
    assert_null(build("static int f(void) { return 1; }\n", "gcc", &first, &error));
    assert_non_null(strstr(error.text, "-Werror=unused-function"));
    assert_null(
        build("int g(void);\nint f(void);\nint f(void) { return g(); }\n", "gcc", &first, &error));
    assert_non_null(strstr(error.text, "cannot load the built model:"));
    assert_null(build(sum_text, "no-such-compiler", &first, &error));
    assert_string_equal(error.text, "the C compiler \"no-such-compiler\" is not in PATH");
    fake_compiler("kill -9 $$", true);
    assert_null(build(sum_text, NULL, &first, &error));
    assert_non_null(strstr(error.text, "gcc was ended by signal 9"));
    setenv("PATH", folder, 1);
    assert_null(build(sum_text, NULL, &first, &error));
    assert_string_equal(error.text, "there is no C compiler in PATH (gcc or clang); install one, "
                                    "or use --backend tcc");
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".c"), 0);
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".log"), 0);
}

static void cc_tells_compilers_apart(void **state) {
    (void)state;
    fake_compiler("exec /usr/bin/gcc \"$@\"", false);
    check_build(sum_text, "gcc", CC_ABSENT);
    check_build(sum_text, "gcc", CC_READY);
    setenv("PATH", original_path, 1);
    check_build(sum_text, "gcc", CC_ABSENT);
}

/* --- the cache --- */

static void first_entry(char path[2 * PATH_MAX]) {
    DIR *files = opendir(getenv("LATHE_CACHE"));
    assert_non_null(files);
    *path = '\0';
    for (struct dirent *entry; (entry = readdir(files));)
        if (strstr(entry->d_name, ".so"))
            snprintf(path, 2 * PATH_MAX, "%s/%s", getenv("LATHE_CACHE"), entry->d_name);
    closedir(files);
    assert_true(*path);
}

/* Builds the sum in a child process; true when it came out well. */
static pid_t build_in_child(bool background) {
    pid_t child = fork();
    if (child != 0) return child;
    struct error error = {""};
    struct cc_module *module = cc_module_new(sum_text, NULL, target_native(), &error);
    bool good = module && cc_module_start(module, background, &error);
    while (good && background && cc_module_poll(module, false, &error) == CC_RUNNING) usleep(1000);
    good = good && cc_module_poll(module, true, &error) == CC_READY;
    cc_module_free(module);
    _exit(good ? 0 : 1);
}

static void many_processes_build_once(void **state) {
    (void)state;
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    char script[PATH_MAX + 400], built[200];
    snprintf(built, sizeof built, "%s", in_folder("built"));
    snprintf(script, sizeof script, "echo once >>%s\nsleep 0.2\nPATH='%s' exec gcc \"$@\"", built,
             original_path);
    fake_compiler(script, false);
    for (int i = 0; i < PROCESSES; i++) children[i] = build_in_child(i % 2 == 0);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct stat status;
    assert_int_equal(stat(built, &status), 0);
    assert_int_equal(status.st_size, 5); /* one line */
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".so"), 1);
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".lock"), 0);
}

/* Within a process nobody waits: who holds the claim might never be asked again. */
static void one_process_does_not_wait_for_itself(void **state) {
    (void)state;
    struct error error = {""};
    struct cc_module *first = cc_module_new(sum_text, NULL, target_native(), &error);
    struct cc_module *second = cc_module_new(sum_text, NULL, target_native(), &error);
    assert_true(cc_module_start(first, true, &error));
    assert_true(cc_module_start(second, false, &error));
    assert_int_equal(cc_module_poll(second, true, &error), CC_READY);
    assert_int_equal(cc_module_poll(first, true, &error), CC_READY);
    cc_module_free(second);
    cc_module_free(first);
}

static void damaged_entries_are_rebuilt(void **state) {
    (void)state;
    char path[2 * PATH_MAX];
    struct stat status;
    check_build(sum_text, "gcc", CC_ABSENT);
    first_entry(path);
    assert_int_equal(stat(path, &status), 0);
    const long positions[] = {0, 1000, status.st_size / 2, status.st_size - 1};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        int file = open(path, O_RDWR);
        char byte;
        assert_int_equal(pread(file, &byte, 1, positions[i]), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, positions[i]), 1);
        close(file);
        check_build(sum_text, "gcc", CC_ABSENT);
        check_build(sum_text, "gcc", CC_READY);
    }
    const long lengths[] = {0, 10, 1000, status.st_size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(truncate(path, lengths[i]), 0);
        check_build(sum_text, "gcc", CC_ABSENT);
        check_build(sum_text, "gcc", CC_READY);
    }
}

static void without_folder_a_temporary_one(void **state) {
    (void)state;
    struct cache cache;
    struct error error = {""};
    setenv("LATHE_CACHE", "/dev/null/cache", 1);
    check_build(sum_text, "gcc", CC_ABSENT);
    assert_true(cache_open(&cache, &error));
    assert_true(cache.temporary);
    assert_int_equal(access(cache.folder, W_OK), 0);
    cache_close(&cache);
    assert_int_not_equal(access(cache.folder, F_OK), 0);
    /* Nor is a folder used in which others can write. */
    mkdir(in_folder("open"), 0700);
    chmod(in_folder("open"), 0777);
    setenv("LATHE_CACHE", in_folder("open"), 1);
    assert_true(cache_open(&cache, &error));
    assert_true(cache.temporary);
    cache_close(&cache);
}

static void trimming_removes_the_oldest(void **state) {
    (void)state;
    struct cache cache;
    struct error error = {""};
    char path[PATH_MAX], key[CACHE_KEY_SIZE];
    assert_true(cache_open(&cache, &error));
    for (int i = 0; i < 5; i++) {
        const char digit[2] = {(char)('0' + i), '\0'};
        cache_key(key, (const char *const[]){digit, NULL});
        cache_path(&cache, key, i == 4 ? ".1-0.c" : ".so", path);
        FILE *file = fopen(path, "w");
        fprintf(file, "%1000d", i);
        fclose(file);
        struct timespec times[2] = {{1000000 - 1000 * i, 0}, {1000000 - 1000 * i, 0}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    snprintf(path, sizeof path, "%s/notes.so", cache.folder);
    fclose(fopen(path, "w"));
    cache_trim(&cache, 2500); /* two entries of 1000 stay, and what is not ours */
    assert_int_equal(count_files(cache.folder, ".so"), 3);
    assert_int_equal(count_files(cache.folder, ".c"), 0);
    cache_key(key, (const char *const[]){"0", NULL});
    cache_path(&cache, key, ".so", path);
    assert_int_equal(access(path, F_OK), 0);
    cache_close(&cache);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(digest_is_sha256),
        TEST(tcc_runs_text),
        TEST(tcc_reaches_far_symbols),
        TEST(tcc_has_standard_functions),
        TEST(tcc_reports_mistakes),
        TEST(cc_builds_and_caches),
        TEST(cc_modules_call_sgemm),
        TEST(cc_reports_mistakes),
        TEST(cc_tells_compilers_apart),
        TEST(many_processes_build_once),
        TEST(one_process_does_not_wait_for_itself),
        TEST(damaged_entries_are_rebuilt),
        TEST(without_folder_a_temporary_one),
        TEST(trimming_removes_the_oldest),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
