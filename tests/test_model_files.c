/* test_model_files.c: reading model files in Lua: every message, what a file may not do, modules.
 */
#include "tests/model_fixture.h"

static void check_error_file(struct fixture *f, const char *name) {
    char path[300], expected[2200] = "";
    snprintf(path, sizeof path, "tests/errors/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(expected, sizeof expected, file));
    fclose(file);
    expected[strcspn(expected, "\n")] = '\0';
    assert_memory_equal(expected, "-- ", 3);
    if (read_path(f, path)) fail_msg("%s: no message", path);
    assert_string_equal(f->error.text, expected + 3);
    arena_free(&f->arena);
}

static void test_messages(void **state) {
    DIR *folder = opendir("tests/errors");
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!strstr(entry->d_name, ".lua")) continue;
        check_error_file(*state, entry->d_name);
        count++;
    }
    closedir(folder);
    assert_true(count >= 130);
}

static void expect_error(struct fixture *f, const char *path, const char *expected) {
    assert_null(read_path(f, path));
    assert_string_equal(f->error.text, expected);
}

static void test_unreadable_files(void **state) {
    struct fixture *f = *state;
    char expected[400];
    expect_error(f, "models/none.lua",
                 "models/none.lua: it cannot be read: No such file or directory; give the path of "
                 "a Lua model file");
    snprintf(expected, sizeof expected,
             "%s: it cannot be read: Is a directory; give the path of a Lua model file", f->folder);
    expect_error(f, f->folder, expected);
    write_file(f->path, "\x1bLua\x54", 5);
    snprintf(expected, sizeof expected,
             "%s: it cannot be read: it is compiled Lua; a model file is Lua text; give the path "
             "of a Lua model file",
             f->path);
    expect_error(f, f->path, expected);
    write_file(f->path, "", 0);
    snprintf(expected, sizeof expected,
             "%s:1: the file returns nothing; end it with return model \"name\" { ... }", f->path);
    expect_error(f, f->path, expected);
    write_file(f->path, "return \0 1", 10);
    snprintf(expected, sizeof expected, "%s:1: unexpected symbol", f->path);
    expect_error(f, f->path, expected);
}

/* Lua shortens paths beyond 59 characters; our messages do not. */
static void test_long_path(void **state) {
    struct fixture *f = *state;
    char path[400], expected[500];
    snprintf(path, sizeof path, "%s", f->folder);
    for (int i = 0; i < 30; i++) strcat(path, "/.");
    strcat(path, "/model.lua");
    write_file(f->path, "\nlocal = 1", 10);
    snprintf(expected, sizeof expected, "%s:2: <name> expected near '='", path);
    expect_error(f, path, expected);
    write_file(f->path, "\n\nlocal x = nil + 1", 19);
    snprintf(expected, sizeof expected, "%s:3: attempt to perform arithmetic on a nil value", path);
    expect_error(f, path, expected);
    write_file(f->path, "\nconv2d({}, 1)", 14);
    snprintf(expected, sizeof expected,
             "%s:2: conv2d: options stand in braces; write conv2d { ... }", path);
    expect_error(f, path, expected);
}

/* Nothing of a model file may command the terminal. */
static void test_control_characters(void **state) {
    struct fixture *f = *state;
    const char *text = "error('\\27[31mred', 0)";
    char expected[200];
    write_file(f->path, text, strlen(text));
    snprintf(expected, sizeof expected, "%s:1: ?[31mred", f->path);
    expect_error(f, f->path, expected);
}

/* --- the sandbox --- */

static void test_sandbox(void **state) {
    struct model *model = read_text(
        *state,
        "for _, name in ipairs { 'io', 'os', 'debug', 'package', 'load', 'loadfile', 'dofile',\n"
        "                        'collectgarbage', 'loadstring' } do\n"
        "  assert(rawget(_G, name) == nil, name)\n"
        "end\n"
        "assert(string.dump == nil)\n"
        "assert(not pcall(setmetatable, {}, { __gc = print }))\n"
        "assert(getmetatable('') == false and getmetatable(_G) == false)\n"
        "assert(getmetatable(dense {1}) == 'layer' and not pcall(setmetatable, dense {1}, {}))\n"
        "-- what a model file may well use\n"
        "assert(('a,b'):gsub(',', ';') == 'a;b' and ('x'):rep(3, '-') == 'x-x-x')\n"
        "assert(table.concat({ 1, 2, 3 }, ' ', 2) == '2 3' and ('k=v'):match('(%w+)=') == 'k')\n"
        "local list = { 3, 1, 2 } table.sort(list) table.insert(list, 4) table.remove(list, 1)\n"
        "assert(#list == 3 and table.move(list, 1, 3, 2)[2] == 2 and ('aXb'):find('X', 1, true))\n"
        "local step = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)\n"
        "assert(step() == 1 and step() == 2)\n"
        "local good, message = pcall(error, { 7 }) assert(not good and message[1] == 7)\n"
        "assert(select(2, xpcall(function() return 5 end, print)) == 5)\n"
        "assert(utf8.len 'ä' == 1 and math.type(3) == 'integer')\n"
        "for k in ('a b'):gmatch '%a' do assert(k == 'a' or k == 'b') end\n"
        "return model 'm' { input { 1 } }\n");
    assert_int_equal(model->layer_count, 1);
}

static void test_random_numbers_repeat(void **state) {
    const char *text = "return model 'm' { input { 4 }, dense { math.random(1000000) } }";
    long first = read_text(*state, text)->output->units;
    assert_int_equal(read_text(*state, text)->output->units, first);
}

static void test_modules(void **state) {
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/module.lua", f->folder);
    const char *module = "count = (rawget(_G, 'count') or 0) + 1\n"
                         "return {\n"
                         "  head = function(n)\n"
                         "    local layer = dense { n }\n"
                         "    return layer\n"
                         "  end }\n";
    write_file(path, module, strlen(module));
    struct model *model =
        read_text(f, "assert(require 'module' == require 'module')\n"
                     "assert(count == 1)\n"
                     "return model 'm' { input { 4 }, require 'module'.head(7) }\n");
    assert_int_equal(model->output->units, 7);
    assert_string_equal(model->output->file, path);
    assert_int_equal(model->output->line, 4);
    const char *broken = "local x = 1\nreturn dense { \"7\" }, nil\n";
    write_file(path, broken, strlen(broken));
    char expected[300];
    write_file(f->path, "return model 'm' { input { 4 }, (require 'module') }", 52);
    snprintf(expected, sizeof expected,
             "%s:2: dense \"dense\": units is the text \"7\"; use a whole number of at least 1",
             path);
    expect_error(f, f->path, expected);
}

/* A module of the folder above; one beside the model goes before it. */
static void test_modules_above(void **state) {
    struct fixture *f = *state;
    char beside[160], below[128], path[160];
    const char *text = "return model 'm' { input { 4 }, dense { require 'module' } }";
    snprintf(below, sizeof below, "%s/below", f->folder);
    assert_int_equal(mkdir(below, 0777), 0);
    snprintf(path, sizeof path, "%s/module.lua", f->folder);
    write_file(path, "return 7", 8);
    snprintf(path, sizeof path, "%s/model.lua", below);
    snprintf(beside, sizeof beside, "%s/module.lua", below);
    write_file(path, text, strlen(text));
    assert_int_equal(read_path(f, path)->output->units, 7);
    write_file(beside, "return 8", 8);
    assert_int_equal(read_path(f, path)->output->units, 8);
    unlink(path), unlink(beside);
    assert_int_equal(rmdir(below), 0);
}

/* --- names, options, shapes --- */

static void test_allocation_failures(void **state) {
    struct fixture *f = *state;
    volatile int failed = 0;
    for (volatile long n = 1;; n++) {
        arena_free(&f->arena);
        if (setjmp(f->arena.exhausted)) {
            failed++;
            continue;
        }
        arena_fail_after(n);
        struct model *model = model_read(&f->arena, "models/branches.lua", &f->error);
        arena_fail_after(0);
        assert_non_null(model);
        if (n > failed) break;
    }
    assert_true(failed > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_messages),
        TEST(test_unreadable_files),
        TEST(test_long_path),
        TEST(test_control_characters),
        TEST(test_sandbox),
        TEST(test_random_numbers_repeat),
        TEST(test_modules),
        TEST(test_modules_above),
        TEST(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
