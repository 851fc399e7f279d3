/* test_sweep.c: sweeps: their language, the points of a space, rounds and ranking. The command is
 * in test_sweep_command.c. */
#include "tests/command_run.h"
#include "compiler/layers/layer.h"
#include "compiler/sweep/plan.h"

#include <math.h>

static struct arena arena;
static struct error error;
static char file[256];

static int set_up(void **state) {
    (void)state;
    if (make_data() != 0) return -1;
    snprintf(file, sizeof file, "%s/sweep.lua", folder);
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state) {
    arena_free(&arena);
    return remove_files(state);
}

static struct sweep *read_text(const char *text) {
    write_file(file, text, strlen(text));
    error.text[0] = '\0';
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    return sweep_read(&arena, file, &error);
}

/* --- the language --- */

static struct sweep *read_body(const char *body) {
    char text[2048];
    snprintf(
        text, sizeof text,
        "return sweep \"s\" {\n  model = function(p) return model \"m\" { input { 4 }, dense { 2 } "
        "} end,\n  %s }",
        body);
    return read_text(text);
}

static void mistakes_are_told(void **state) {
    static const char *const cases[][2] = {
        {"space = {}", ":1: sweep \"s\": its space is a table; name the parameters"},
        {"space = { a = 3 }", ":3: parameter \"a\": it is 3; use a list { 1, 2, 3 }, range"},
        {"space = { a = {} }", ":3: parameter \"a\": it has no values"},
        {"space = { a = { 1, 1 } }", ":3: parameter \"a\": it has the value 1 twice"},
        {"space = { a = { 1, print } }", ":3: parameter \"a\": its value a function is not usable"},
        {"space = { a = { 0/0 } }", ":3: parameter \"a\": its value "},
        {"space = { a = { 'x\\ny' } }", ":3: parameter \"a\": its texts may have at most 60"},
        {"space = { a = { 1, wen = {} } }", "unknown option \"wen\"; did you mean when?"},
        {"space = { [1] = { 1 } }", ":1: sweep \"s\": the name of a parameter is 1"},
        {"space = { a = range { 2, 1 } }",
         ":3: range: it needs two numbers, the smaller one first"},
        {"space = { a = range { 0, 1, step = 0 } }", ":3: range: step must be a number above 0"},
        {"space = { a = range { 0, 1, step = 1e-9 } }", ":3: range: its step gives more than 1000"},
        {"space = { a = range { 0, 1, cuont = 3 } }",
         "unknown option \"cuont\"; did you mean count?"},
        {"space = { a = log_range { 0, 1 } }", ":3: log_range: its ends must be above 0"},
        {"space = { a = log_range { 1, 2, step = 1 } }", ":3: log_range: it takes no step"},
        {"space = { a = range { 0, 1 } }", "grid {} needs single values: give the range of \"a\""},
        {"space = { a = { 1, when = { b = 1 } } }",
         "its condition asks for the text \"b\", which is"},
        {"space = { a = { 1, when = { b = 1 } }, b = { 2 } }", "asks for b = 1, which b never is"},
        {"space = { a = { 1, when = { b = 1 } }, b = { 1, when = { a = 1 } } }", "in a circle"},
        {"space = { a = { 1 } }, strategy = random {}",
         ":3: random: it needs the number of points"},
        {"space = { a = { 1 } }, strategy = halving { factor = 1 }",
         ":3: halving: factor is 1; use a"},
        {"space = { a = { 1 } }, strategy = \"grid\"",
         "its strategy is the text \"grid\"; use grid {}"},
        {"space = { a = { 1 } }, score = \"f1\"",
         "score is the text \"f1\"; use one of validation_acc"},
        {"space = { a = { 1 } }, repeats = 0", "repeats is 0; use a whole number of at least 1"},
        {"space = { a = { 1 } }, repeats = 2, folds = 2", "it has folds and repeats; use one of"},
        {"space = { a = { 1 } }, folds = 2, score = \"loss\"",
         "its score is loss, but cross-valid"},
        {"space = { a = { 1 } }, epoch = 3", "unknown option \"epoch\"; did you mean epochs?"},
        {"space = { a = { 1 } }, model = 3", "its model is 3; use a function of a point"},
        {"space = (function() while true do end end)()", "runs for more than"},
        {"space = { a = io }", "unknown name io"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (read_body(cases[i][0])) fail_msg("%s: was read", cases[i][0]);
        if (strncmp(error.text, file, strlen(file)) != 0 || !strstr(error.text, cases[i][1]))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], error.text, cases[i][1]);
    }
    assert_null(read_text("return model \"m\" { input { 4 }, dense { 2 } }"));
    assert_non_null(strstr(error.text, "the file returns a model, not a sweep"));
    assert_null(read_text("sweep \"s\" { space = { a = { 1 } }, model = print }"));
    assert_non_null(strstr(error.text, "does not return it; write return in front of it"));
    assert_null(read_text("return sweep \"a b\" {}"));
    assert_non_null(strstr(error.text, ":1: sweep: its name is the text \"a b\""));
}

static const char point_model[] =
    "return sweep \"s\" {\n"
    "  space = { units = { 8, { 8, 4 } }, act = { \"relu\", \"tanh\" },\n"
    "            slope = range { 0.1, 0.3, when = { act = \"relu\" } } },\n"
    "  strategy = random { points = 4 },\n"
    "  model = function(p)\n"
    "    local layers = {}\n"
    "    for i, n in ipairs(type(p.units) == \"table\" and p.units or { p.units }) do\n"
    "      layers[i] = dense { n, activation = p.act } end\n"
    "    if p.slope then table.insert(layers, dropout { p.slope }) end\n"
    "    if p.act == \"tanh\" and p.nonsense then return end\n"
    "    return model \"m\" { input { 3 }, layers, dense { 2, name = \"last\" } }\n"
    "  end }";

static struct model *model_at(const char *point) {
    error.text[0] = '\0';
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    return model_read_point(&arena, file, point, &error);
}

static void expect_no_model(const char *point, const char *message) {
    if (model_at(point)) fail_msg("there is a model at %s", point);
    if (!strstr(error.text, message)) fail_msg("\"%s\" lacks \"%s\"", error.text, message);
}

static void a_point_gives_its_model(void **state) {
    (void)state;
    write_file(file, point_model, strlen(point_model));
    struct model *model = model_at("{\"units\":[8,4],\"act\":\"relu\",\"slope\":0.25}");
    if (!model) fail_msg("%s", error.text);
    assert_int_equal(model->layer_count, 5);
    assert_int_equal(model->layers[2]->units, 4);
    assert_true(model->layers[3]->rate == 0.25);
    expect_no_model("{\"units\":8,\"act\":\"tanh\"}",
                    ":10: the point of the sweep: unknown parameter "
                    "\"nonsense\"; it takes act, slope and units");
    expect_no_model("{\"units\":8,\"act\":\"relu\"}", "the point: it lacks slope");
    expect_no_model("{\"units\":8,\"act\":\"tanh\",\"slope\":0.2}",
                    "slope, whose condition does not");
    expect_no_model("{\"unit\":8}", "unknown parameter \"unit\"; did you mean units?");
    expect_no_model("{\"units\":{\"a\":1},\"act\":\"tanh\"}",
                    "units: its value a table is not usable");
    expect_no_model("[8]", "is not a JSON object");
    expect_no_model("{\"units\":null}", "is not a JSON object");
    expect_no_model(NULL, "it is a sweep, not a model; `lathe sweep` runs it");
}

/* The parameters of a model: kernels and biases of its convolutions and dense layers. */
static long count_parameters(const struct model *model) {
    long count = 0;
    for (int i = 0; i < model->layer_count; i++) {
        const struct layer *layer = model->layers[i];
        const struct layer *below = layer->input_count ? layer->inputs[0] : layer;
        long in = below->output.size[below->output.rank - 1];
        if (strcmp(layer->type->name, "dense") == 0) count += (in + 1) * layer->units;
        if (strcmp(layer->type->name, "conv2d") == 0)
            count += (in * layer->kernel_size[0] * layer->kernel_size[1] + 1) * layer->filters;
    }
    return count;
}

/* The sweeps of models/ can be read, have as many points as they should, and at a known point the
 * model that stands in models/. */
static void the_examples_are_sweeps(void **state) {
    static const struct {
        const char *name, *point, *model;
        int points;
        long parameters; /* counted by hand, where there is no such model */
    } cases[] = {
        {"cnn_filters_and_hidden_units", "{\"filters\":160,\"hidden\":80}", "cnn_increasing", 30,
         0},
        {"cnn_more_filters", "{\"filters\":160}", "cnn_increasing", 6, 0},
        {"cnn_optimizer_and_learning_rate",
         "{\"shape\":\"decreasing\",\"optimizer\":\"adam\",\"learning_rate\":0.001}",
         "cnn_decreasing", 27, 0},
        {"cnn_batch_size", "{\"shape\":\"hourglass\",\"batch_size\":128}", "cnn_hourglass", 15, 0},
        {"fashion_mlp_layers_and_dropout", "{\"hidden\":768,\"rate\":0.3}", "fashion_mlp", 30, 0},
        {"fashion_mlp_batch_and_optimizer", "{\"batch_size\":128,\"optimizer\":\"adam\"}",
         "fashion_mlp", 16, 0},
        {"cnn_small_blocks_and_filters", "{\"blocks\":1,\"filters\":16}", "cnn_small", 6,
         16 * 17 + 32 * 257 + 64 * 289 + 32 * 65 + 10 * 33},
        {"cnn_batch_norm_blocks_and_filters", "{\"shape\":[3,128],\"rate\":0.25}",
         "cnn_batch_norm_wide", 15, 0},
    };
    (void)state;
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[200], known[200];
        int count;
        snprintf(path, sizeof path, "models/sweeps/%s.lua", cases[i].name);
        snprintf(known, sizeof known, "models/%s.lua", cases[i].model);
        const struct sweep *sweep = sweep_read(&arena, path, &error);
        if (!sweep || !sweep_points(&arena, sweep, &count, &error)) fail_msg("%s", error.text);
        assert_int_equal(count, cases[i].points);
        const struct model *at = model_read_point(&arena, path, cases[i].point, &error);
        const struct model *model = model_read(&arena, known, &error);
        if (!at || !model) fail_msg("%s", error.text);
        assert_int_equal(count_parameters(at),
                         cases[i].parameters ? cases[i].parameters : count_parameters(model));
        assert_int_equal(at->training.batch_size, model->training.batch_size);
    }
}

/* --- points --- */

static struct sweep_point *points_of(const struct sweep *sweep, int *count) {
    if (!sweep) fail_msg("%s", error.text);
    struct sweep_point *points = sweep_points(&arena, sweep, count, &error);
    if (!points) fail_msg("%s", error.text);
    return points;
}

static void the_grid_is_whole(void **state) {
    static const char *const expected[] = {
        "{\"b\":\"x\",\"c\":0.1,\"a\":1}", "{\"b\":\"x\",\"c\":0.1,\"a\":[2,3]}",
        "{\"b\":\"x\",\"c\":0.2,\"a\":1}", "{\"b\":\"x\",\"c\":0.2,\"a\":[2,3]}",
        "{\"b\":\"x\",\"c\":0.3,\"a\":1}", "{\"b\":\"x\",\"c\":0.3,\"a\":[2,3]}",
        "{\"b\":true,\"c\":0.1}",          "{\"b\":true,\"c\":0.2}",
        "{\"b\":true,\"c\":0.3}"};
    int count;
    (void)state;
    struct sweep *sweep =
        read_body("space = { b = { 'x', true }, c = range { 0.1, 0.3, step = 0.1 },\n"
                  "  a = { 1, { 2, 3 }, when = { b = 'x' } } }");
    struct sweep_point *points = points_of(sweep, &count);
    assert_int_equal(count, 9);
    for (int i = 0; i < 9; i++)
        assert_string_equal(sweep_point_json(&arena, sweep, &points[i]), expected[i]);
    assert_string_equal(sweep_point_label(&arena, sweep, &points[1]), "b=x c=0.1 a=2-3");

    sweep = read_body(
        "space = { f = range { 50, 100, step = 10 }, n = log_range { 16, 256, count = 5 },"
        " l = log_range { 1e-4, 1e-1, count = 4 } }");
    points = points_of(sweep, &count);
    assert_int_equal(count, 6 * 5 * 4);
    assert_string_equal(sweep_point_json(&arena, sweep, &points[119]),
                        "{\"f\":100,\"l\":0.1,\"n\":256}");
    assert_string_equal(sweep_point_json(&arena, sweep, &points[6]),
                        "{\"f\":50,\"l\":0.001,\"n\":32}");

    sweep = read_body("space = { a = range { 1, 999, step = 1 }, b = range { 1, 11, step = 1 } }");
    assert_non_null(sweep);
    assert_null(sweep_points(&arena, sweep, &count, &error));
    assert_non_null(strstr(error.text, "its grid has more than 10000 points"));
}

static void drawn_points_fill_the_ranges(void **state) {
    enum { POINTS = 2000 };
    static const char body[] =
        "space = { u = range { 2.0, 4.0 }, l = log_range { 1e-4, 1 }, "
        "i = range { 1, 4 }, when_2 = range { 0.0, 1.0, when = { i = 2 } } }, "
        "strategy = random { points = 2000, seed = %d }";
    char text[400];
    int count, below = 0, decades[4] = {0}, whole[5] = {0}, conditional = 0;
    (void)state;
    snprintf(text, sizeof text, body, 7);
    struct sweep *sweep = read_body(text);
    struct sweep_point *points = points_of(sweep, &count), *again = points_of(sweep, &count);
    assert_int_equal(count, POINTS);
    /* i, l, u, then what depends on i */
    for (int i = 0; i < POINTS; i++) {
        const struct sweep_value *values = points[i].values;
        double l = values[1].number, u = values[2].number;
        assert_true(l >= 1e-4 && l <= 1 && u >= 2 && u <= 4);
        below += u < 2.5;
        decades[(int)fmin(floor(log10(l) + 4), 3)]++;
        whole[(int)values[0].number]++;
        assert_true(values[0].number == floor(values[0].number));
        assert_int_equal(values[3].json != NULL, values[0].number == 2);
        conditional += values[3].json != NULL;
        assert_string_equal(sweep_point_json(&arena, sweep, &points[i]),
                            sweep_point_json(&arena, sweep, &again[i]));
    }
    /* 500 expected of each: five standard deviations are 97 */
    assert_in_range(below, 400, 600);
    for (int i = 0; i < 4; i++) assert_in_range(decades[i], 400, 600);
    for (int i = 1; i <= 4; i++) assert_in_range(whole[i], 400, 600);
    assert_int_equal(conditional, whole[2]);
    snprintf(text, sizeof text, body, 8);
    struct sweep *other = read_body(text);
    assert_string_not_equal(sweep_point_json(&arena, other, &points_of(other, &count)[0]),
                            sweep_point_json(&arena, sweep, &points[0]));
}

static void drawn_points_differ(void **state) {
    int count;
    (void)state;
    struct sweep *sweep = read_body("space = { a = { 1, 2, 3 }, b = { 4, 5 } }, "
                                    "strategy = random { points = 6 }");
    struct sweep_point *points = points_of(sweep, &count);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(sweep_point_json(&arena, sweep, &points[i]),
                                    sweep_point_json(&arena, sweep, &points[k]));
    sweep =
        read_body("space = { a = { 1, 2, 3 }, b = { 4, 5 } }, strategy = random { points = 7 }");
    assert_null(sweep_points(&arena, sweep, &count, &error));
    assert_non_null(
        strstr(error.text, "its space has hardly more than 6 points, but 7 are asked for"));
}

/* --- rounds --- */

/* Ends the trainings of the round: the score of point p is given; NAN fails. */
static void end_round(struct sweep_plan *plan, const double *scores) {
    for (int i = plan->first_of_round; i < plan->trial_count; i++) {
        struct trial *trial = &plan->trials[i];
        double score = scores[trial->point] + 0.1 * trial->repeat;
        trial->state = isnan(score) ? TRIAL_FAILED : TRIAL_DONE;
        trial->result = (struct trial_result){.score = score, .error = isnan(score) ? "no" : NULL};
    }
}

static void halving_keeps_the_best(void **state) {
    static const double scores[] = {.1, .9, .3, .4, NAN, .9, .2, .8, .7, .6};
    static const int best[] = {1, 5, 7, 8, 9, 3, 2, 6, 0, 4}, epochs[] = {2, 6, 10};
    static const int counts[] = {10, 3, 1};
    struct sweep_plan plan;
    (void)state;
    struct sweep *sweep = read_body("space = { a = range { 1, 10, step = 1 } }, epochs = 10,"
                                    " strategy = halving { factor = 3, epochs = 2 }");
    if (!sweep || !plan_start(&plan, &arena, sweep, &error)) fail_msg("%s", error.text);
    assert_int_equal(plan_total(&plan), 14);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(plan.round, round);
        assert_int_equal(plan.trial_count - plan.first_of_round, counts[round]);
        for (int i = plan.first_of_round; i < plan.trial_count; i++) {
            assert_int_equal(plan.trials[i].epochs, epochs[round]);
            if (round) assert_int_equal(plan.trials[i].point, best[i - plan.first_of_round]);
        }
        end_round(&plan, scores);
        const struct standing *ranking = plan_ranking(&plan);
        for (int i = 0; i < 10; i++) assert_int_equal(ranking[i].point, best[i]);
        assert_int_equal(plan_next_round(&plan), round < 2);
    }
    assert_string_equal(plan_ranking(&plan)[9].error, "no");
    assert_int_equal(plan_ranking(&plan)[0].round, 2);
    assert_int_equal(plan_ranking(&plan)[3].round, 0);
}

static void repeats_give_mean_and_spread(void **state) {
    static const double scores[] = {0.5, 0.2, NAN};
    struct sweep_plan plan;
    (void)state;
    struct sweep *sweep = read_body("space = { a = { 1, 2, 3 } }, repeats = 3, score = 'loss'");
    if (!sweep || !plan_start(&plan, &arena, sweep, &error)) fail_msg("%s", error.text);
    assert_int_equal(plan.trial_count, 9);
    assert_false(plan_ranking(&plan)[0].done);
    end_round(&plan, scores);
    assert_false(plan_next_round(&plan));
    const struct standing *ranking = plan_ranking(&plan);
    assert_int_equal(ranking[0].point, 1);             /* the lower loss */
    assert_true(fabs(ranking[0].score - 0.3) < 1e-12); /* of 0.2, 0.3 and 0.4 */
    assert_true(fabs(ranking[0].spread - 0.1) < 1e-9);
    assert_int_equal(ranking[2].point, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_point_gives_its_model),
        cmocka_unit_test(the_examples_are_sweeps),
        cmocka_unit_test(the_grid_is_whole),
        cmocka_unit_test(drawn_points_fill_the_ranges),
        cmocka_unit_test(drawn_points_differ),
        cmocka_unit_test(halving_keeps_the_best),
        cmocka_unit_test(repeats_give_mean_and_spread),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
