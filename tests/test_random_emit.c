/* test_random_emit.c: random models, emitted with random options for random targets and built by
 * random compilers, learn and predict as the process does. */
#include "tests/emit_training.h"
#include "tests/random_model.h"

#ifndef RANDOM_EMITS
#define FIRST_RANDOM_EMIT 1
#define RANDOM_EMITS 16
#endif

/* Steps of random samples: rates at which a rounding stays small, and a wrong gradient does not. */
static const double factor = 1.0 / 256, tolerance = 2e-4;
static const double most_multiply_adds = 2e6;

static const struct toolchain toolchains[] = {
    STRICT_TOOLCHAIN("gcc", "-O2"),
    STRICT_TOOLCHAIN("gcc", "-O3 -march=native"),
    STRICT_TOOLCHAIN("gcc", "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"),
    STRICT_TOOLCHAIN("gcc", "-Os"),
    STRICT_TOOLCHAIN("clang", "-O2"),
    {"tcc", "tcc -std=c99 -Wall -Werror", ""},
};

/* Options, and the flags of tests/emit/train.c for them. */
struct choice {
    struct compile_options options;
    char flags[256], title[256];
};

static void add(struct choice *choice, const char *title, const char *flags) {
    size_t length = strlen(choice->title), end = strlen(choice->flags);
    snprintf(choice->title + length, sizeof choice->title - length, ", %s", title);
    snprintf(choice->flags + end, sizeof choice->flags - end, " %s", flags);
}

/* The largest divisor of n up to `most`. */
static long divisor(long n, long most) {
    while (n % most) most--;
    return most;
}

static struct choice choose(struct random_model *m, const struct fixture *f) {
    struct choice choice = {.options = {.target = NULL}};
    const struct program *p = f->program;
    const struct target *const *all = targets();
    int count = 0;
    while (all[count]) count++;
    choice.options.target = all[random_pick(m, 0, count - 1)];
    choice.options.batch = p->batch;
    snprintf(choice.title, sizeof choice.title, "%s", choice.options.target->name);
    snprintf(choice.flags, sizeof choice.flags, "-DRATE_FACTOR=%.17g%s", factor,
             p->has_accuracy ? " -DACCURACY" : "");
    struct standalone_options *form = &choice.options.form;
    choice.options.use_double = random_chance(m, 40);
    if (choice.options.use_double) add(&choice, "double", "-DNUMBER=double");
    form->small_code = random_chance(m, 25);
    if (form->small_code) add(&choice, "small code", "");
    choice.options.own_mathematics = random_chance(m, 30);
    if (choice.options.own_mathematics) add(&choice, "no libm", "");
    choice.options.no_winograd = random_chance(m, 10);
    if (choice.options.no_winograd) add(&choice, "no Winograd", "");
    form->threads = random_chance(m, 25);
    if (form->threads) add(&choice, "threads", "-DTHREADS");
    const struct shape *in = &f->model->input->output, *out = &f->model->output->output;
    form->channels_first = in->rank == 3 && random_chance(m, 25);
    if (form->channels_first) {
        char flags[64] = "-DCHANNELS_FIRST";
        if (out->rank == 3)
            snprintf(flags, sizeof flags, "-DCHANNELS_FIRST -DOUTPUT_CHANNELS=%ld", out->size[2]);
        add(&choice, "channels first", flags);
    }
    bool sees_pieces = strstr(m->text, "batch_norm") || strstr(m->text, "dropout");
    if (!sees_pieces && p->batch > 1 && random_chance(m, 40)) {
        char title[40];
        form->micro_batches = p->batch / divisor(p->batch, random_pick(m, 1, p->batch - 1));
        snprintf(title, sizeof title, "%ld micro-batches", form->micro_batches);
        add(&choice, title, "");
    }
    return choice;
}

/* What is printed fits, and plain loops end soon. */
static bool is_small(const struct fixture *f, const char *path) {
    const struct program *p = f->program;
    long numbers = 2 * (USUAL_STEPS + 1) + p->batch * p->output_size;
    numbers += (EMIT_SHOWN + 2) * p->variable_count;
    return numbers < MOST_NUMBERS &&
           multiply_adds(path) * (double)p->batch * USUAL_STEPS < most_multiply_adds;
}

static bool check(uint64_t seed) {
    static double expected[MOST_NUMBERS], numbers[MOST_NUMBERS], noise[MOST_NUMBERS];
    enum { TOOLCHAINS = sizeof toolchains / sizeof *toolchains };
    struct random_model m;
    struct fixture f = {0};
    char path[96], title[512];
    random_model(&m, seed, false);
    write_text("random", ".lua", m.text);
    snprintf(path, sizeof path, "%s/random.lua", folder);
    /* The third step has a sample less. */
    set_up(&f, path, m.batch > 1 ? m.batch : 2, false);
    bool checked = is_small(&f, path);
    if (checked) {
        struct choice choice = choose(&m, &f);
        struct toolchain toolchain = toolchains[random_pick(&m, 0, TOOLCHAINS - 1)];
        snprintf(title, sizeof title, "%s, model %llu, %s", toolchain.name,
                 (unsigned long long)seed, choice.title);
        toolchain.name = title;
        if (getenv("VERBOSE")) fprintf(stderr, "%s\n", title);
        write_standalone("m", emit_with(&f, MODE_TRAINING, &choice.options, NULL));
        int expected_count = train_in_process(&f, USUAL_STEPS, factor, expected);
        int count = run_emitted(&toolchain, "train.c", "m", choice.flags, numbers);
        for (int i = 0; i < expected_count; i++)
            noise[i] = tolerance / 32 * fmax(1.0, fabs(expected[i]));
        compare_noisy(&toolchain, "a random model", numbers, count, expected, expected_count,
                      noise);
    }
    tear_down(&f);
    return checked;
}

static void random_models_agree(void **state) {
    int checked = 0;
    (void)state;
    for (uint64_t seed = FIRST_RANDOM_EMIT; seed < FIRST_RANDOM_EMIT + RANDOM_EMITS; seed++)
        checked += check(seed);
    print_message("%d models\n", checked);
    assert_true(checked > RANDOM_EMITS / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_models_agree)};
    return _cmocka_run_group_tests("random emit", tests, 1, start, finish);
}
