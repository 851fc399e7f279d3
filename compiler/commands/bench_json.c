/* bench_json.c: what `lathe bench --json` prints: one line for each variant. */
#include "bench.h"

#include <cjson/cJSON.h>

static const char *const part_names[PART_COUNT] = {"other", "forward", "backward_data",
                                                   "weight_gradient"};
static const char *const kind_keys[KINDS] = {"convolution", "dense", "pool_norm_dropout", "other",
                                             "loss_optimizer"};

static void add_spread(cJSON *json, const char *name, const struct spread *spread) {
    cJSON *object = cJSON_AddObjectToObject(json, name);
    cJSON_AddNumberToObject(object, "p10", spread->p10);
    cJSON_AddNumberToObject(object, "median", spread->median);
    cJSON_AddNumberToObject(object, "p90", spread->p90);
}

static void add_machine(cJSON *json, const struct machine *machine) {
    cJSON *object = cJSON_AddObjectToObject(json, "machine");
    add_spread(object, "gflops", &machine->gflops);
    cJSON *sets = cJSON_AddArrayToObject(object, "streams");
    for (int i = 0; i < WORKING_SETS; i++) {
        cJSON *set = cJSON_CreateObject();
        cJSON_AddNumberToObject(set, "bytes_a_thread", (double)machine->set_bytes[i]);
        add_spread(set, "gigabytes_per_second", &machine->gigabytes[i]);
        cJSON_AddItemToArray(sets, set);
    }
}

/* GFLOP/s, share and bound of a row's part (PART_COUNT: of all of it), where they are known. */
static void add_rate(cJSON *json, const struct bench *bench, int row, int part, double ms) {
    double operations = report_operations(bench, row, part);
    char letter;
    double limit = report_limit(bench, row, part, &letter);
    if (ms <= 0) return;
    if (operations > 0) cJSON_AddNumberToObject(json, "gflops", operations / ms * 1e-6);
    if (limit <= 0) return;
    cJSON_AddNumberToObject(json, "share", limit / ms);
    cJSON_AddStringToObject(json, "bound", letter == 'f' ? "compute" : "bandwidth");
}

static cJSON *layer_json(const struct bench *bench, const struct variant *v, int row) {
    const struct row_times *times = &v->rows[row];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", report_row_name(bench, row));
    if (row < bench->model->layer_count)
        cJSON_AddStringToObject(json, "type", bench->model->layers[row]->type->name);
    add_spread(json, "ms", &times->ms);
    add_rate(json, bench, row, PART_COUNT, times->ms.median);
    for (int part = PART_FORWARD; part < PART_COUNT; part++) {
        if (times->part_ms[part] <= 0) continue;
        cJSON *object = cJSON_AddObjectToObject(json, part_names[part]);
        cJSON_AddNumberToObject(object, "ms", times->part_ms[part]);
        add_rate(object, bench, row, part, times->part_ms[part]);
    }
    return json;
}

static void add_layers(cJSON *json, const struct bench *bench, const struct variant *v) {
    const int rows = bench->model->layer_count + 1;
    double of_kind[KINDS] = {0};
    cJSON *times = cJSON_AddObjectToObject(json, "layer_ms");
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int row = 0; row < rows; row++) {
        double ms = v->rows[row].ms.median;
        cJSON_AddNumberToObject(times, report_row_name(bench, row), ms);
        cJSON_AddItemToArray(layers, layer_json(bench, v, row));
        of_kind[bench_kind(bench->model, row)] += ms;
    }
    cJSON *kinds = cJSON_AddObjectToObject(json, "kind_ms");
    for (int kind = 0; kind < KINDS; kind++)
        cJSON_AddNumberToObject(kinds, kind_keys[kind], of_kind[kind]);
}

static void add_ratio(cJSON *json, const struct report *report, const struct variant *v) {
    const struct variant *generic = report_generic(report);
    if (!generic || generic == v) return;
    long rounds = generic->round_count < v->round_count ? generic->round_count : v->round_count;
    cJSON_AddStringToObject(json, "generic", variant_names[generic->kind]);
    cJSON_AddNumberToObject(json, "ratio", generic->ms.median / v->ms.median);
    cJSON_AddBoolToObject(json, "tie", is_tie(generic->round_ms, v->round_ms, rounds));
}

/* Milliseconds from the model to functions: C generated, and compiled (0: found in the cache). */
static void add_build(cJSON *json, const struct jit *jit) {
    double generate_ms, compile_ms;
    jit_times(jit, &generate_ms, &compile_ms);
    cJSON_AddNumberToObject(json, "generate_ms", generate_ms);
    cJSON_AddNumberToObject(json, "compile_ms", compile_ms);
}

static void print_variant(const struct report *report, const struct variant *v) {
    const struct bench *bench = report->bench;
    double operations = 0;
    for (int row = 0; row <= bench->model->layer_count; row++)
        operations += report_operations(bench, row, PART_COUNT);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "model", bench->model->name);
    cJSON_AddStringToObject(json, "backend", variant_names[v->kind]);
    cJSON_AddStringToObject(json, "mode", bench->mode_name);
    cJSON_AddNumberToObject(json, "batch", (double)bench->batch);
    cJSON_AddNumberToObject(json, "threads", bench->threads);
    add_spread(json, "step_ms", &v->ms);
    cJSON_AddNumberToObject(json, "steps", (double)v->step_count);
    cJSON_AddNumberToObject(json, "samples_per_second", (double)bench->batch / v->ms.median * 1e3);
    cJSON_AddNumberToObject(json, "gflops", operations / v->ms.median * 1e-6);
    add_ratio(json, report, v);
    if (bench->mode == MODE_TRAINING) cJSON_AddNumberToObject(json, "check_loss", v->check_loss);
    cJSON_AddStringToObject(json, "processor", report_processor(bench->arena));
    cJSON_AddStringToObject(json, "target", bench->target->name);
    cJSON_AddStringToObject(json, "built_by", report_built_by(report, v));
    if (v->jit) add_build(json, v->jit);
    add_machine(json, bench->machine);
    if (v->rows) add_layers(json, bench, v);
    command_print_json(json);
}

void report_print_json(const struct report *report) {
    for (int i = 0; i < report->count; i++) print_variant(report, &report->variants[i]);
}
