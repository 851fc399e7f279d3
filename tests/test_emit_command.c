/* test_emit_command.c: `lathe emit` as a command: the files that its options give, messages for
 * options that do not fit, the programs that --main writes. */
#include "runtime/files.h"
#include "tests/emit_check.h"

#include <cjson/cJSON.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char tiny[] = "models/fashion_tiny.lua --weights generated/fashion_tiny.safetensors";
static const char micro[] = "models/fashion_micro.lua --mode training";

/* Runs `$LATHE emit arguments -o folder/name`; returns its exit status. Errors go to `errors`. */
static char errors[1024];
static int run_emit(const char *name, const char *arguments) {
    char command[1024], path[128];
    const char *lathe = getenv("LATHE");
    snprintf(path, sizeof path, "%s/errors", folder);
    snprintf(command, sizeof command, "%s emit %s -o %s/%s >%s/output 2>%s",
             lathe ? lathe : "./lathe", arguments, folder, name, folder, path);
    int status = system(command);
    char *text = files_read(path, NULL, NULL);
    assert_non_null(text);
    snprintf(errors, sizeof errors, "%s", text);
    free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool exists(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return files_exist(path);
}

static void refuses(const char *arguments, const char *message) {
    assert_int_equal(run_emit("refused", arguments), 2);
    if (strcmp(errors, message) != 0) fail_msg("%s: it says: %s", arguments, errors);
    assert_false(exists("refused"));
}

static void contradictions_are_refused(void **state) {
    char arguments[256];
    (void)state;
    refuses("models/fashion_tiny.lua",
            "lathe emit: --weights FILE is missing: inference needs what `lathe train` saved (or "
            "--weights-as none, to fill them in on the device)\n");
    refuses("models/fashion_tiny.lua --weights-as file",
            "lathe emit: --weights-as needs --weights FILE, or none\n");
    snprintf(arguments, sizeof arguments, "%s --weights-as none", tiny);
    refuses(arguments, "lathe emit: --weights-as none leaves the weights out, but --weights names "
                       "some; give one of the two\n");
    snprintf(arguments, sizeof arguments, "%s --micro-batches 2", tiny);
    refuses(arguments, "lathe emit: --micro-batches is for --mode training\n");
    snprintf(arguments, sizeof arguments, "%s --micro-batches 3", micro);
    refuses(arguments, "lathe emit: --micro-batches 3 does not divide the batch of 16 samples\n");
    snprintf(arguments, sizeof arguments, "%s --batch-size 1000000000", micro);
    refuses(arguments,
            "lathe emit: the block of this model would take 6.51 TB (at most 1 TB); choose "
            "a smaller --batch-size\n");
    snprintf(arguments, sizeof arguments, "%s --class-names shoe,shirt", tiny);
    refuses(arguments, "lathe emit: --class-names has 2 names; the model has 10 outputs\n");
    snprintf(arguments, sizeof arguments, "%s --class-names a,,b,", tiny);
    refuses(arguments, "lathe emit: --class-names:2: the name of a class is empty\n");
    snprintf(arguments, sizeof arguments, "%s --class-names a,b,c,d,e,f,g,h,i,", tiny);
    refuses(arguments, "lathe emit: --class-names:10: the name of a class is empty\n");
    snprintf(arguments, sizeof arguments, "%s --class-names a,b\xff", tiny);
    refuses(arguments,
            "lathe emit: --class-names:2: the name of a class must be printable UTF-8\n");
    snprintf(arguments, sizeof arguments, "%s --layout hwc", tiny);
    refuses(arguments, "lathe emit: --layout hwc: expected one of nhwc|nchw\n");
    snprintf(arguments, sizeof arguments, "%s --target z80", tiny);
    refuses(arguments, "lathe: unknown target \"z80\"; there are: x86-64-v4, x86-64-v3, aarch64, "
                       "armv7, riscv64, cortex-m, generic\n");
}

/* A header of one of these names would be included in place of the system's. */
static void names_of_system_headers_are_refused(void **state) {
    static const char model[] = "return model 'Math' { input { 4 }, dense { 2 } }";
    static const char *const names[] = {"math",  "string", "stddef", "stdio",    "stdlib", "stdint",
                                        "float", "limits", "time",   "features", "STDIO"};
    char arguments[256], message[400], path[160];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(arguments, sizeof arguments, "%s --prefix %s", micro, names[i]);
        snprintf(message, sizeof message,
                 "lathe emit: --prefix %s: %s.h would hide the system's header; choose another "
                 "name\n",
                 names[i], names[i]);
        refuses(arguments, message);
    }
    snprintf(path, sizeof path, "%s/model.lua", folder);
    assert_true(files_write(path, &(struct file_part){model, sizeof model - 1}, 1, NULL));
    snprintf(arguments, sizeof arguments, "%s --weights-as none", path);
    snprintf(message, sizeof message,
             "%s:1: model \"Math\": Math.h would hide the system's header; choose another name, or "
             "emit it with --prefix NAME\n",
             path);
    refuses(arguments, message);
    strcat(arguments, " --prefix mathematics");
    assert_int_equal(run_emit("mathematics", arguments), 0);
    assert_true(exists("mathematics/mathematics.h"));
}

/* Where the source does not fit on the disk, there is no header either, and what stood there stays.
 */
static void full_disk_leaves_nothing(void **state) {
    char path[160], header[160];
    struct rlimit limit, small;
    (void)state;
    snprintf(header, sizeof header, "%s/full/fashion_tiny.h", folder);
    snprintf(path, sizeof path, "%s/full", folder);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_true(files_write(header, &(struct file_part){"old", 3}, 1, NULL));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 16384; /* the header is smaller, the source larger */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int status = run_emit("full", tiny);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, 2);
    assert_non_null(strstr(errors, "fashion_tiny.c: cannot write: File too large"));
    char *text = files_read(header, NULL, NULL);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(unlink(header), 0);
    assert_int_equal(rmdir(path), 0); /* it is empty: nothing was left */
}

/* Where nothing may be written, the message says so. (Root may: the test is another user then.) */
static void locked_folder_is_told(void **state) {
    enum { NOBODY = 65534 };
    char locked[96], path[112], expected[256];
    struct error error = {""};
    (void)state;
    snprintf(locked, sizeof locked, "%s/locked", folder);
    snprintf(path, sizeof path, "%s/model", locked);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(mkdir(locked, 0555), 0);
    bool is_root = geteuid() == 0;
    if (is_root) assert_int_equal(seteuid(NOBODY), 0);
    bool made = files_make_folder(path, &error);
    if (is_root) assert_int_equal(seteuid(0), 0);
    assert_false(made);
    snprintf(expected, sizeof expected, "%s: cannot make the folder: Permission denied", path);
    assert_string_equal(error.text, expected);
}

/* ---- memory ---- */

/* The number of a header's `#define FASHION_MICRO_name`, or -1. */
static double header_number(const char *header, const char *name) {
    char define[128];
    double value = -1;
    snprintf(define, sizeof define, "#define FASHION_MICRO_%s ", name);
    const char *at = strstr(header, define);
    return at && sscanf(at + strlen(define), "%lf", &value) == 1 ? value : -1;
}

static double json_number(const cJSON *json, const char *name) {
    const cJSON *item = cJSON_GetObjectItem(json, name);
    assert_non_null(item);
    return item->valuedouble;
}

static void json_tells_the_memory(void **state) {
    char arguments[128], path[160];
    (void)state;
    snprintf(arguments, sizeof arguments, "%s --json", micro);
    assert_int_equal(run_emit("memory", arguments), 0);
    snprintf(path, sizeof path, "%s/output", folder);
    char *output = files_read(path, NULL, NULL);
    snprintf(path, sizeof path, "%s/memory/fashion_micro.h", folder);
    char *header = files_read(path, NULL, NULL);
    assert_non_null(output);
    assert_non_null(header);
    cJSON *json = cJSON_Parse(output);
    assert_non_null(json);
    assert_true(json_number(json, "block_bytes") == header_number(header, "BLOCK_BYTES"));
    assert_true(json_number(json, "state_bytes") == header_number(header, "STATE_BYTES"));
    assert_true(json_number(json, "stack_bytes") == header_number(header, "STACK_BYTES"));
    double rest = json_number(json, "block_bytes") - json_number(json, "state_bytes");
    double workspace = json_number(json, "workspace_bytes");
    assert_true(workspace <= rest && workspace > 0);
    assert_true(json_number(json, "workspace_lower_bound") <= workspace);
    cJSON_Delete(json);
    free(output);
    free(header);
}

/* ---- large weights ---- */

/* A model with so many weights, and a file of them. */
static void write_large(long inputs, long units) {
    char text[256], path[128];
    struct fixture f = {0};
    struct error error = {""};
    snprintf(text, sizeof text,
             "return model \"large\" { input { %ld }, dense { %ld, use_bias = false } }\n", inputs,
             units);
    write_text("large", ".lua", text);
    arena_init(&f.arena);
    if (setjmp(f.arena.exhausted)) fail_msg("out of memory");
    snprintf(path, sizeof path, "%s/large.lua", folder);
    f.model = read_model(&f.arena, path);
    const struct compile_options options = {
        .target = target_find("generic"), .dialect = DIALECT_CC, .batch = 1, .prediction = true};
    const struct compilation *compilation = compile_model(&f.arena, f.model, &options, &error);
    if (!compilation) fail_msg("%s", error.text);
    if (!program_memory_new(&compilation->program, &f.memory, &error)) fail_msg("%s", error.text);
    program_initialize(&compilation->program, SEED, f.memory.space);
    snprintf(path, sizeof path, "%s/large.safetensors", folder);
    if (!weights_save(path, &compilation->program, f.memory.space, NULL, 0, &error))
        fail_msg("%s", error.text);
    program_memory_free(&f.memory);
    arena_free(&f.arena);
}

static void large_weights_stay_out_of_the_source(void **state) {
    char arguments[256];
    (void)state;
    write_large(2048, 2050); /* 4,198,400 */
    snprintf(arguments, sizeof arguments, "%s/large.lua --weights %s/large.safetensors", folder,
             folder);
    assert_int_equal(run_emit("large_out", arguments), 0);
    assert_true(exists("large_out/large.weights"));
    char path[160];
    snprintf(path, sizeof path, "%s/large_out/large.c", folder);
    size_t size;
    char *source = files_read(path, &size, NULL);
    assert_non_null(source);
    free(source);
    assert_true(size < 100000);
    strcat(arguments, " --weights-as embed");
    refuses(arguments, "lathe emit: --weights-as embed: 4198400 weights would be about 67 MB of C; "
                       "use --weights-as file or assembly (17 MB)\n");
}

/* ---- programs ---- */

static void write_idx(const char *name, const unsigned char *sizes, int rank, long bytes,
                      unsigned modulus) {
    unsigned char *data = calloc((size_t)(4 + 4 * rank + bytes), 1);
    assert_non_null(data);
    data[2] = 8;
    data[3] = (unsigned char)rank;
    for (int i = 0; i < rank; i++) data[4 + 4 * i + 3] = sizes[i];
    for (long i = 0; i < bytes; i++)
        data[4 + 4 * rank + i] =
            (unsigned char)((unsigned)(256 * emit_value((unsigned long)i)) % modulus);
    write_bytes(name, "", data, (size_t)(4 + 4 * rank + bytes));
    free(data);
}

/* Builds folder/name/MODEL_main.c with sanitizers, leaks among them, and runs it; returns what it
 * prints. */
static char *run_main(const char *name, const char *model, const char *sources,
                      const char *arguments) {
    char command[1024], path[128];
    snprintf(command, sizeof command,
             "cd %s/%s && gcc " STRICT "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all "
             "%s_main.c %s.c %s -o main -lm && ./main %s >../printed",
             folder, name, model, model, sources, arguments);
    run_command(command);
    snprintf(path, sizeof path, "%s/printed", folder);
    char *text = files_read(path, NULL, NULL);
    assert_non_null(text);
    return text;
}

static char *predictions_of(const char *name, const char *options, const char *sources) {
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s --main %s", tiny, options);
    assert_int_equal(run_emit(name, arguments), 0);
    return run_main(name, "fashion_tiny", sources, "../images");
}

static void every_form_predicts_the_same(void **state) {
    static const struct {
        const char *name, *options, *sources;
    } forms[] = {
        {"file", "--weights-as file", ""},
        {"assembly", "--weights-as assembly", "-x assembler-with-cpp fashion_tiny_weights.S"},
        {"threads", "--threads --layout nchw --no-libm", ""}};
    static const char *const classes[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                          "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                          "Bag",         "Ankle boot"};
    double sum = 0, p;
    int sample, read, length;
    char class[32];
    (void)state;
    write_idx("images", (const unsigned char[]){3, 28, 28}, 3, 3 * 28 * 28, 256);
    char *embedded = predictions_of("embed", "--weights-as embed", "");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *printed = predictions_of(forms[i].name, forms[i].options, forms[i].sources);
        assert_string_equal(printed, embedded);
        free(printed);
    }
    assert_int_equal(sscanf(embedded, "%d: %31[^0-9]%n", &sample, class, &read), 2);
    for (int i = 0; i < 10; i++, read += length) {
        assert_int_equal(sscanf(embedded + read, "%lf%n", &p, &length), 1);
        sum += p;
    }
    assert_true(fabs(sum - 1) < 1e-5);
    bool is_known = false;
    for (int i = 0; i < 10; i++)
        is_known = is_known || !strncmp(class, classes[i], strlen(classes[i]));
    assert_true(is_known);
    free(embedded);
}

static void the_training_program_learns(void **state) {
    char arguments[256];
    double first, second, accuracy;
    (void)state;
    write_idx("samples", (const unsigned char[]){48, 28, 28}, 3, 48 * 28 * 28, 256);
    write_idx("labels", (const unsigned char[]){48}, 1, 48, 10);
    snprintf(arguments, sizeof arguments, "%s --main", micro);
    assert_int_equal(run_emit("learns", arguments), 0);
    char *printed = run_main("learns", "fashion_micro", "", "../samples ../labels 12");
    assert_int_equal(sscanf(printed, "training: loss %lf accuracy %lf", &first, &accuracy), 2);
    const char *last = strstr(printed, "evaluation:");
    assert_non_null(last);
    assert_int_equal(sscanf(last, "evaluation: loss %lf accuracy %lf", &second, &accuracy), 2);
    assert_true(second < first - 0.1);
    free(printed);
}

/* What the demo runs, on noise: the emitted model with trained weights gives what the process does.
 */
static void the_demo_compares(void **state) {
    char command[512];
    const char *lathe = getenv("LATHE");
    (void)state;
    write_idx("train-images-idx3-ubyte", (const unsigned char[]){200, 28, 28}, 3, 200 * 28 * 28,
              256);
    write_idx("train-labels-idx1-ubyte", (const unsigned char[]){200}, 1, 200, 10);
    write_idx("t10k-images-idx3-ubyte", (const unsigned char[]){50, 28, 28}, 3, 50 * 28 * 28, 256);
    write_idx("t10k-labels-idx1-ubyte", (const unsigned char[]){50}, 1, 50, 10);
    snprintf(command, sizeof command,
             "sh tests/train_and_emit.sh %s %s %s/demo 50 --epochs 1 --backend tcc --no-plots "
             ">%s/output 2>&1",
             lathe ? lathe : "./lathe", folder, folder, folder);
    int status = system(command);
    snprintf(command, sizeof command, "%s/output", folder);
    char *printed = files_read(command, NULL, NULL);
    assert_non_null(printed);
    if (status != 0 || !strstr(printed, "50 images: 50 of the same class")) fail_msg("%s", printed);
    free(printed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(names_of_system_headers_are_refused),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(locked_folder_is_told),
        cmocka_unit_test(json_tells_the_memory),
        cmocka_unit_test(large_weights_stay_out_of_the_source),
        cmocka_unit_test(every_form_predicts_the_same),
        cmocka_unit_test(the_training_program_learns),
        cmocka_unit_test(the_demo_compares),
    };
    return cmocka_run_group_tests_name("lathe emit", tests, start, finish);
}
