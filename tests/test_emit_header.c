/* test_emit_header.c: what the header of an emitted model tells its user to write, taken from there
 * and used: the Makefile, the parallel loop for OpenMP. cross/header.c does CMake's list, too. */
#include "runtime/files.h"
#include "tests/emit_check.h"

static const char program[] = "#include \"emit_branches.h\"\n"
                              "#include <stdio.h>\n"
                              "#include <stdlib.h>\n"
                              "#ifdef _OPENMP\n"
                              "#include <omp.h>\n"
                              "#include \"loop.h\"\n"
                              "#define THREADS , &threads\n"
                              "#else\n"
                              "#define THREADS , NULL\n"
                              "#endif\n"
                              "int main(void) {\n"
                              "    static float x[EMIT_BRANCHES_SAMPLE_SIZE];\n"
                              "    float y[EMIT_BRANCHES_OUTPUT_SIZE];\n"
                              "    void *block = aligned_alloc(EMIT_BRANCHES_ALIGNMENT,\n"
                              "                                EMIT_BRANCHES_BLOCK_BYTES);\n"
                              "    for (int i = 0; i < EMIT_BRANCHES_SAMPLE_SIZE; i++)\n"
                              "        x[i] = (float)(i % 7) / 7;\n"
                              "    emit_branches_predict(block, x, y THREADS);\n"
                              "    for (int i = 0; i < EMIT_BRANCHES_OUTPUT_SIZE; i++)\n"
                              "        printf(\"%.9g\\n\", (double)y[i]);\n"
                              "    return 0;\n"
                              "}\n";

/* The model with its weights in an object of their own and the caller's loops, and a program. */
static const char *write_model(struct fixture *f) {
    set_up(f, "tests/emit/emit_branches.lua", 1, true);
    const float *const weights[] = {f->memory.space[0], f->memory.space[1], f->memory.space[2]};
    const struct compile_options options = {
        .target = target_find("generic"),
        .batch = 1,
        .form = {.weights_form = WEIGHTS_LINKED, .threads = true}};
    const struct standalone *standalone = emit_with(f, MODE_PREDICTION, &options, weights);
    write_standalone("emit_branches", standalone);
    write_text("program", ".c", program);
    return standalone->header;
}

/* Writes what the header has between two lines of a comment, without the comment's stars, behind
 * `before` into a file of the folder. */
static void write_snippet(const char *header, const char *from, const char *to, const char *before,
                          const char *name) {
    char text[2048];
    const char *line = strstr(header, from), *end = line ? strstr(line, to) : NULL;
    size_t length = (size_t)snprintf(text, sizeof text, "%s", before);
    if (!end) fail_msg("the header does not say: %s", from);
    for (line = strchr(line, '\n') + 1; line < end; line = strchr(line, '\n') + 1) {
        int size = (int)(strchr(line, '\n') + 1 - line);
        if (strncmp(line, " *     ", 7) == 0)
            length +=
                (size_t)snprintf(text + length, sizeof text - length, "%.*s", size - 7, line + 7);
        assert_true(length < sizeof text);
    }
    write_text(name, "", text);
}

/* Runs a command in the folder, then ./program: its numbers are those of the process. */
static void builds_and_agrees(struct fixture *f, const char *build) {
    struct program_call call = program_memory_call(&f->memory, pool_parallel, NULL);
    char command[256];
    double number;
    memset(f->memory.samples, 0,
           sizeof(float) * (size_t)(f->program->rows * f->program->sample_size));
    for (long i = 0; i < f->program->sample_size; i++) f->memory.samples[i] = (float)(i % 7) / 7;
    f->program->predict(&call);
    snprintf(command, sizeof command, "cd %s && rm -f program *.o && { %s; } >&2 && ./program",
             folder, build);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    for (long i = 0; i < f->program->output_size; i++) {
        assert_int_equal(fscanf(output, "%lf", &number), 1);
        assert_true(fabs(number - (double)f->memory.predictions[i]) < 1e-5);
    }
    assert_int_equal(pclose(output), 0);
}

static void its_makefile_builds(void **state) {
    struct fixture f = {0};
    (void)state;
    const char *header = write_model(&f);
    write_snippet(header, " * In a Makefile:", " * With CMake:", "", "Makefile");
    builds_and_agrees(&f, "make CFLAGS='-O1 -Wall -Wextra -Werror'");
    tear_down(&f);
}

static void its_parallel_loop_builds(void **state) {
    struct fixture f = {0};
    (void)state;
    const char *header = write_model(&f);
    write_snippet(header, "With OpenMP:", " * A call with NULL", "", "loop.h");
    builds_and_agrees(&f, "gcc -O1 -fopenmp -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
                          "program.c emit_branches.c emit_branches_weights.S -o program -lm");
    tear_down(&f);
}

#ifdef WITH_CMAKE
static void its_list_for_cmake_builds(void **state) {
    struct fixture f = {0};
    (void)state;
    const char *header = write_model(&f);
    write_snippet(header, " * With CMake:", " * All that it works in",
                  "cmake_minimum_required(VERSION 3.10)\nproject(program C)\n", "CMakeLists.txt");
    builds_and_agrees(&f, "mkdir build && cd build && cmake .. && make && cp program ..");
    tear_down(&f);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_makefile_builds),
        cmocka_unit_test(its_parallel_loop_builds),
#ifdef WITH_CMAKE
        cmocka_unit_test(its_list_for_cmake_builds),
#endif
    };
    return cmocka_run_group_tests_name("what the header says", tests, start, finish);
}
