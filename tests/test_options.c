/* test_options.c: command lines, good and bad; every text is compared whole. */
#include "compiler/commands/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *save;
    long epochs, seed, backend;
    double split;
    bool quiet;
};

static const struct command_option options[] = {
    {"epochs", 0, COMMAND_COUNT, offsetof(struct values, epochs), "N", "5", "how often"},
    {"seed", 's', COMMAND_SEED, offsetof(struct values, seed), "N", NULL, "of random numbers"},
    {"backend", 0, COMMAND_CHOICE, offsetof(struct values, backend), "auto|tcc|cc", "auto", "what"},
    {"validation-split", 0, COMMAND_FRACTION, offsetof(struct values, split), "F", NULL, "part"},
    {"save", 'o', COMMAND_TEXT, offsetof(struct values, save), "DIR", NULL, "where"},
    {"quiet", 0, COMMAND_FLAG, offsetof(struct values, quiet), NULL, NULL, "no progress"},
};
static const struct command_line line = {
    .name = "train",
    .usage = "MODEL.lua [options]",
    .purpose = "Trains.",
    .options = options,
    .option_count = 6,
    .positional = "MODEL.lua",
    .least = 1,
    .most = 1,
};

/* Parses words that end with NULL. */
static bool parse(char **words, struct values *values, struct arguments *arguments,
                  struct error *error) {
    int count = 0;

    while (words[count]) count++;
    *values = (struct values){.seed = -1};
    error->text[0] = '\0';
    return options_parse(&line, count, words, values, arguments, error);
}
#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL}, &values, &arguments, &error)

static struct values values;
static struct arguments arguments;
static struct error error;

static void defaults_come_from_the_table(void **state) {
    (void)state;
    assert_true(PARSE("m.lua"));
    assert_int_equal(values.epochs, 5);
    assert_int_equal(values.seed, -1);
    assert_int_equal(values.backend, 0);
    assert_null(values.save);
    assert_false(values.quiet);
    assert_int_equal(arguments.count, 1);
    assert_string_equal(arguments.positional[0], "m.lua");
}

static void all_spellings_are_read(void **state) {
    (void)state;
    assert_true(PARSE("--epochs", "7", "--backend=cc", "--quiet", "m.lua", "-o", "run", "-s", "0",
                      "--validation-split=0.25"));
    assert_int_equal(values.epochs, 7);
    assert_int_equal(values.backend, 2);
    assert_true(values.quiet);
    assert_string_equal(values.save, "run");
    assert_int_equal(values.seed, 0);
    assert_true(values.split == 0.25);
    assert_string_equal(arguments.positional[0], "m.lua");
    assert_true(PARSE("--save", "--epochs", "--", "--odd.lua")); /* a value may begin with - */
    assert_string_equal(values.save, "--epochs");
    assert_string_equal(arguments.positional[0], "--odd.lua");
    assert_true(PARSE("--epoch", "--help")); /* help goes before every complaint */
    assert_true(arguments.help);
}

#define REFUSED(message, ...)                     \
    do {                                          \
        assert_false(PARSE(__VA_ARGS__));         \
        assert_string_equal(error.text, message); \
    } while (0)

static void mistakes_are_told(void **state) {
    (void)state;
    REFUSED("lathe train: unknown option \"--epoch\"; did you mean \"--epochs\"?", "--epoch", "5");
    REFUSED("lathe train: unknown option \"--epoch\"; did you mean \"--epochs\"?", "--epoch=5");
    REFUSED("lathe train: unknown option \"--validate-split\"; did you mean "
            "\"--validation-split\"?",
            "--validate-split");
    REFUSED("lathe train: unknown option \"--learning\"; `lathe train --help` lists them",
            "--learning");
    REFUSED("lathe train: unknown option \"-x\"; `lathe train --help` lists them", "-x");
    REFUSED("lathe train: --epochs needs a value: --epochs N", "m.lua", "--epochs");
    REFUSED("lathe train: --epochs 0: expected an integer from 1 to 2147483647", "--epochs", "0");
    REFUSED("lathe train: --epochs 5x: expected an integer from 1 to 2147483647", "--epochs=5x");
    REFUSED("lathe train: --epochs \"\": expected an integer from 1 to 2147483647", "--epochs=");
    REFUSED("lathe train: --epochs 99999999999999999999: expected an integer from 1 to 2147483647",
            "--epochs", "99999999999999999999");
    REFUSED("lathe train: --seed -1: expected an integer from 0 to 4294967295", "-s", "-1");
    REFUSED("lathe train: --backend gcc: expected one of auto|tcc|cc", "--backend", "gcc");
    REFUSED("lathe train: --backend a: expected one of auto|tcc|cc", "--backend", "a");
    REFUSED("lathe train: --validation-split 1: expected a number of at least 0 and below 1",
            "--validation-split", "1");
    REFUSED("lathe train: --validation-split nan: expected a number of at least 0 and below 1",
            "--validation-split", "nan");
    REFUSED("lathe train: --save \"\": expected a text that is not empty", "--save", "");
    REFUSED("lathe train: --quiet takes no value", "--quiet=yes");
    REFUSED("lathe train: missing MODEL.lua; usage: lathe train MODEL.lua [options]", "--quiet");
    REFUSED("lathe train: unexpected argument \"b.lua\"; usage: lathe train MODEL.lua [options]",
            "a.lua", "b.lua");
    REFUSED("lathe train: argument 1 is an empty path; usage: lathe train MODEL.lua [options]", "",
            "--quiet");
}

static void help_comes_from_the_table(void **state) {
    char text[4096] = "";
    FILE *file = tmpfile();
    int out = dup(STDOUT_FILENO);

    (void)state;
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    options_print_help(&line);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, "usage: lathe train MODEL.lua [options]\n\nTrains.\n\noptions:\n"
                              "  --epochs N                  how often (default: 5)\n"
                              "  -s, --seed N                of random numbers\n"
                              "  --backend auto|tcc|cc       what (default: auto)\n"
                              "  --validation-split F        part\n"
                              "  -o, --save DIR              where\n"
                              "  --quiet                     no progress\n"
                              "  -h, --help                  show this text\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(all_spellings_are_read),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(help_comes_from_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
