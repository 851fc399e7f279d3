/* test_jit_switch.c: the switch between libtcc and the C compiler. A compile_model of our own
 * stands in for the compiler: what is tested is what is done with its text. */
#include "compiler/jit/jit.h"
#include "tests/jit_folder.h"

#include <time.h>

static int compilations[2]; /* by dialect */
static size_t cc_arena_bytes = 64;

/* Stands in for the compiler: each entry point adds its mark to results[0]. */
struct compilation *compile_model(struct arena *arena, const struct model *model,
                                  const struct compile_options *options, struct error *error) {
    static const char *const symbols[] = {"lathe_sgemm", NULL};
    if (!model->name) {
        error_set(error, "the model has no name");
        return NULL;
    }
    struct compilation *compilation = ARENA_NEW(arena, struct compilation);
    compilations[options->dialect]++;
    compilation->c_text = arena_format(
        arena,
        "struct program_call { float *space[3]; float *arena, *prepared; const float *inputs[2];\n"
        "    float *predictions; double scalars[4]; double results[2]; };\n"
        "void %s_train(struct program_call *call);\n"
        "void %s_train(struct program_call *call) { call->results[0] += 3.0; call->results[1] = "
        "%d; }\n",
        options->prefix, options->prefix, options->dialect == DIALECT_CC);
    compilation->program =
        (struct program){.name = model->name,
                         .batch = 7,
                         .rows = 16,
                         .arena_bytes = options->dialect == DIALECT_CC ? cc_arena_bytes : 64};
    compilation->symbols = symbols;
    return compilation;
}

static struct jit *open_jit(enum backend backend, struct error *error) {
    static const struct model model = {.name = "tiny"};
    const struct jit_options options = {.backend = backend, .compile = {.training = true}};
    *error->text = '\0';
    compilations[0] = compilations[1] = 0;
    return jit_new(&model, &options, error);
}

static int train_once(struct jit *jit) {
    struct program_call call = {.results = {1.0, -1.0}};
    const struct program *program = jit_program(jit);
    assert_non_null(program->train);
    assert_null(program->evaluate);
    program->train(&call);
    assert_true(call.results[0] == 4.0);
    return (int)call.results[1];
}

static void pause_for(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void jit_runs_each_backend(void **state) {
    (void)state;
    struct error error;
    for (int i = 0; i < 2; i++) {
        enum backend backend = i ? BACKEND_CC : BACKEND_TCC;
        struct jit *jit = open_jit(backend, &error);
        assert_string_equal(error.text, "");
        assert_int_equal(train_once(jit), i);
        assert_string_equal(jit_backend(jit), i ? "cc" : "tcc");
        assert_non_null(strstr(jit_compiler(jit), i ? "gcc -std=gnu11 -O2" : "libtcc"));
        double generate = -1, compile = -1;
        jit_times(jit, &generate, &compile);
        assert_true(generate >= 0 && compile > 0);
        jit_free(jit);
        assert_int_equal(compilations[DIALECT_CC], i);
        assert_int_equal(compilations[DIALECT_TCC], 1 - i);
    }
    jit_free(NULL);
}

static void auto_switches_when_built(void **state) {
    (void)state;
    struct error error;
    fake_compiler("sleep 0.3; exec /usr/bin/gcc \"$@\"", false);
    struct jit *jit = open_jit(BACKEND_AUTO, &error);
    assert_string_equal(error.text, "");
    assert_non_null(jit_program(jit)->train);
    pause_for(20);
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".c"), 0); /* not with the first call */
    assert_int_equal(train_once(jit), 0);
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".c"), 1);
    assert_int_equal(train_once(jit), 0);
    assert_string_equal(jit_backend(jit), "tcc");
    int waited = 0, switched = 0;
    for (; waited < 2000 && !switched; waited++) {
        pause_for(10);
        switched = train_once(jit);
    }
    assert_true(switched);
    assert_true(waited > 10); /* the compiler slept */
    assert_string_equal(jit_backend(jit), "cc");
    assert_null(jit_note(jit));
    jit_free(jit);

    jit = open_jit(BACKEND_AUTO, &error); /* now it is in the cache: used from the second call on */
    assert_int_equal(train_once(jit), 0);
    assert_int_equal(compilations[DIALECT_CC], 0);
    assert_int_equal(train_once(jit), 1);
    assert_string_equal(jit_backend(jit), "cc");
    jit_free(jit);
}

static void auto_stays_without_compiler(void **state) {
    (void)state;
    struct error error;
    setenv("PATH", folder, 1);
    struct jit *jit = open_jit(BACKEND_AUTO, &error);
    assert_non_null(jit);
    for (int i = 0; i < 5; i++) assert_int_equal(train_once(jit), 0);
    assert_non_null(strstr(jit_note(jit), "there is no C compiler in PATH"));
    jit_free(jit);
    assert_null(open_jit(BACKEND_CC, &error));
    assert_non_null(strstr(error.text, "there is no C compiler in PATH"));

    fake_compiler("echo cannot today; exit 3", true);
    jit = open_jit(BACKEND_AUTO, &error);
    for (int i = 0; i < 200 && !jit_note(jit); i++) {
        assert_int_equal(train_once(jit), 0);
        pause_for(10);
    }
    assert_non_null(jit_note(jit));
    assert_non_null(strstr(jit_note(jit), "(exit status 3):\ncannot today"));
    assert_int_equal(train_once(jit), 0);
    jit_free(jit);
}

static void auto_stays_where_the_memory_differs(void **state) {
    (void)state;
    struct error error;
    cc_arena_bytes = 128;
    struct jit *jit = open_jit(BACKEND_AUTO, &error);
    for (int i = 0; i < 3; i++) assert_int_equal(train_once(jit), 0);
    assert_string_equal(jit_note(jit),
                        "the tcc and the cc form of the model differ in their memory");
    jit_free(jit);
    cc_arena_bytes = 64;
}

static void auto_stays_when_memory_is_out(void **state) {
    (void)state;
    struct error error;
    struct jit *jit = open_jit(BACKEND_AUTO, &error);
    train_once(jit);
    arena_fail_after(1);
    assert_int_equal(train_once(jit), 0);
    arena_fail_after(0);
    assert_string_equal(jit_note(jit), "out of memory while compiling the model");
    assert_int_equal(train_once(jit), 0);
    jit_free(jit);
}

static void freeing_ends_the_build(void **state) {
    (void)state;
    struct error error;
    char script[256];
    snprintf(script, sizeof script, "sleep 3; touch '%s'", in_folder("finished"));
    fake_compiler(script, false);
    struct jit *jit = open_jit(BACKEND_AUTO, &error);
    train_once(jit);
    train_once(jit);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    jit_free(jit);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 2);
    assert_int_not_equal(access(in_folder("finished"), F_OK), 0);
    assert_int_equal(count_files(getenv("LATHE_CACHE"), ".c"), 0);
}

static void jit_passes_the_compilers_message_on(void **state) {
    (void)state;
    const struct model nameless = {.name = NULL};
    for (int i = 0; i < 3; i++) {
        struct error error = {""};
        const struct jit_options options = {.backend = (enum backend)i};
        assert_null(jit_new(&nameless, &options, &error));
        assert_string_equal(error.text, "the model has no name");
        static const struct model model = {.name = "tiny"};
        arena_fail_after(1);
        assert_null(jit_new(&model, &options, &error));
        assert_string_equal(error.text, "out of memory while compiling the model");
        arena_fail_after(0);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(jit_runs_each_backend),
        TEST(auto_switches_when_built),
        TEST(auto_stays_without_compiler),
        TEST(auto_stays_where_the_memory_differs),
        TEST(auto_stays_when_memory_is_out),
        TEST(freeing_ends_the_build),
        TEST(jit_passes_the_compilers_message_on),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
