/* table.c: the ranking as text, CSV, JSON and picture (see table.h). */
#include "table.h"
#include "../../runtime/plots.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A column of the table: its heading and, for a point, its text. */
enum column { RANK, POINT, ROUND, SCORE, SPREAD, EPOCH, WEIGHTS, FIXED_COLUMNS };

static bool has_column(const struct sweep_plan *plan, int column) {
    if (column == ROUND) return plan->sweep->strategy == SWEEP_HALVING;
    if (column == SPREAD) return plan->sweep->repeats > 1 || plan->sweep->folds;
    return true;
}

static const char *heading(const struct sweep_plan *plan, int column) {
    static const char *const names[] = {
        [RANK] = "rank",     [POINT] = "point",      [ROUND] = "round",
        [SPREAD] = "spread", [EPOCH] = "best_epoch", [WEIGHTS] = "parameters"};
    if (column == SCORE) return plan->sweep->score;
    if (column < FIXED_COLUMNS) return names[column];
    return plan->sweep->parameters[column - FIXED_COLUMNS].name;
}

/* A cell; "" where there is nothing to tell. exact: scores with all their digits. */
static const char *cell(const struct sweep_plan *plan, const struct standing *standing, int rank,
                        int column, bool exact) {
    struct arena *arena = plan->arena;
    if (column >= FIXED_COLUMNS) {
        const char *label = plan->points[standing->point].values[column - FIXED_COLUMNS].label;
        return label ? label : "";
    }
    if (column == POINT) return arena_format(arena, "%d", standing->point + 1);
    if (!standing->done) return "";
    switch (column) {
    case RANK: return arena_format(arena, "%d", rank);
    case ROUND: return arena_format(arena, "%d", standing->round + 1);
    case SCORE: return arena_format(arena, exact ? "%.9g" : "%.4f", standing->score);
    case SPREAD: return arena_format(arena, exact ? "%.9g" : "%.4f", standing->spread);
    case EPOCH: return arena_format(arena, "%ld", standing->best_epoch);
    default: return arena_format(arena, "%ld", standing->parameters);
    }
}

static int text_width(const char *text) { /* in characters */
    int width = 0;
    for (; *text; text++) width += (*text & 0xc0) != 0x80;
    return width;
}

/* Values of text stand to the left, numbers to the right. */
static bool is_left(const struct sweep_plan *plan, int column) {
    if (column < FIXED_COLUMNS) return false;
    const struct sweep_parameter *parameter = &plan->sweep->parameters[column - FIXED_COLUMNS];
    for (int i = 0; i < parameter->value_count; i++)
        if (isnan(parameter->values[i].number)) return true;
    return false;
}

static void put_cell(struct text *text, const char *word, int width, bool left, bool last) {
    int space = width - text_width(word);
    if (left)
        text_add(text, "%s%*s", word, last ? 0 : space, "");
    else
        text_add(text, "%*s%s", last && !*word ? 0 : space, "", word);
    text_put(text, last ? "\n" : "  ");
}

void table_text(struct text *text, const struct sweep_plan *plan, int most) {
    const struct standing *ranking = plan_ranking(plan);
    int columns = FIXED_COLUMNS + plan->sweep->parameter_count, rows = plan->point_count;
    if (most && rows > most) rows = most;
    while (rows > 0 && most && !ranking[rows - 1].done) rows--;
    const char **cells = ARENA_ARRAY(plan->arena, const char *, (rows + 1) * columns);
    int *widths = ARENA_ARRAY(plan->arena, int, columns);
    for (int row = 0; row <= rows; row++)
        for (int column = 0; column < columns; column++) {
            const char *word =
                row ? cell(plan, &ranking[row - 1], row, column, false) : heading(plan, column);
            cells[row * columns + column] = word;
            if (text_width(word) > widths[column]) widths[column] = text_width(word);
        }
    for (int row = 0; row <= rows; row++)
        for (int column = 0; column < columns; column++)
            if (has_column(plan, column))
                put_cell(text, cells[row * columns + column], widths[column], is_left(plan, column),
                         column + 1 == columns);
    for (int row = 0; row < rows; row++)
        if (ranking[row].error)
            text_add(text, "point %d failed: %s\n", ranking[row].point + 1, ranking[row].error);
}

/* --- for programs --- */

static void put_csv(struct text *text, const char *word) {
    if (!strpbrk(word, ",\"\n\r")) {
        text_put(text, word);
        return;
    }
    text_put(text, "\"");
    for (; *word; word++) text_add(text, *word == '"' ? "\"\"" : "%c", *word);
    text_put(text, "\"");
}

void table_csv(struct text *text, const struct sweep_plan *plan) {
    const struct standing *ranking = plan_ranking(plan);
    int columns = FIXED_COLUMNS + plan->sweep->parameter_count;
    for (int row = 0; row <= plan->point_count; row++) {
        for (int column = 0; column < columns; column++) {
            if (!has_column(plan, column)) continue;
            put_csv(text,
                    row ? cell(plan, &ranking[row - 1], row, column, true) : heading(plan, column));
            text_put(text, ",");
        }
        put_csv(text, !row ? "error" : ranking[row - 1].error ? ranking[row - 1].error : "");
        text_put(text, "\n");
    }
}

static cJSON *point_json(const struct sweep_plan *plan, const struct standing *standing, int rank) {
    cJSON *json = cJSON_CreateObject();
    if (standing->done) cJSON_AddNumberToObject(json, "rank", rank);
    cJSON_AddNumberToObject(json, "point", standing->point + 1);
    cJSON_AddItemToObject(
        json, "values",
        cJSON_Parse(sweep_point_json(plan->arena, plan->sweep, &plan->points[standing->point])));
    if (standing->error) cJSON_AddStringToObject(json, "error", standing->error);
    if (!standing->done) return json;
    cJSON_AddNumberToObject(json, "score", standing->score);
    if (has_column(plan, SPREAD)) cJSON_AddNumberToObject(json, "spread", standing->spread);
    if (has_column(plan, ROUND)) cJSON_AddNumberToObject(json, "round", standing->round + 1);
    cJSON_AddNumberToObject(json, "best_epoch", (double)standing->best_epoch);
    cJSON_AddNumberToObject(json, "epochs", (double)standing->epochs);
    cJSON_AddNumberToObject(json, "parameters", (double)standing->parameters);
    cJSON_AddNumberToObject(json, "seconds", standing->seconds);
    return json;
}

cJSON *table_json(const struct sweep_plan *plan) {
    static const char *const strategies[] = {"grid", "random", "halving"};
    const struct standing *ranking = plan_ranking(plan);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "sweep", plan->sweep->name);
    cJSON_AddStringToObject(json, "strategy", strategies[plan->sweep->strategy]);
    cJSON_AddStringToObject(json, "score", plan->sweep->score);
    cJSON_AddNumberToObject(json, "repeats", (double)plan->sweep->repeats);
    if (plan->sweep->folds) cJSON_AddNumberToObject(json, "folds", (double)plan->sweep->folds);
    cJSON *points = cJSON_AddArrayToObject(json, "points");
    for (int i = 0; i < plan->point_count; i++)
        cJSON_AddItemToArray(points, point_json(plan, &ranking[i], i + 1));
    return json;
}

/* --- the picture --- */

/* Where a point stands on a parameter's axis: its number, or the place among texts. */
static double position(const struct sweep_parameter *parameter, const struct sweep_value *value,
                       bool by_name) {
    if (!value->json) return NAN;
    if (!by_name) return value->number;
    for (int i = 0; i < parameter->value_count; i++)
        if (strcmp(parameter->values[i].json, value->json) == 0) return i;
    return NAN;
}

/* The smallest distance of neighbours, as a share of the whole range. */
static double least_gap(const double *values, int count, bool logarithmic) {
    double least = INFINITY, lowest = INFINITY, highest = -INFINITY;
    for (int i = 0; i < count; i++) {
        double value = logarithmic ? log(values[i]) : values[i];
        lowest = fmin(lowest, value);
        highest = fmax(highest, value);
        for (int k = 0; k < i; k++)
            least = fmin(least, fabs(value - (logarithmic ? log(values[k]) : values[k])));
    }
    return highest > lowest ? least / (highest - lowest) : 1;
}

/* Labels the values of a list where there is room; on a logarithmic axis where that gives more. */
static void choose_tics(struct arena *arena, const struct sweep_parameter *parameter,
                        struct score_axis *axis) {
    const double room = 0.07;
    int count = parameter->value_count;
    double *tics = ARENA_ARRAY(arena, double, count), least = INFINITY;
    for (int i = 0; i < count; i++) {
        tics[i] = parameter->values[i].number;
        least = fmin(least, tics[i]);
    }
    if (count == 0) return;
    if (!axis->logarithmic && least_gap(tics, count, false) < room)
        axis->logarithmic =
            least > 0 && least_gap(tics, count, true) > least_gap(tics, count, false);
    if (least_gap(tics, count, axis->logarithmic) < room) return;
    axis->tics = tics;
    axis->tic_count = count;
}

static struct score_axis make_axis(const struct sweep_plan *plan, int number,
                                   const struct standing *ranking, int count) {
    const struct sweep_parameter *parameter = &plan->sweep->parameters[number];
    struct score_axis axis = {.name = parameter->name, .logarithmic = parameter->logarithmic};
    bool by_name = is_left(plan, FIXED_COLUMNS + number);
    double *positions = ARENA_ARRAY(plan->arena, double, count);
    for (int i = 0; i < count; i++)
        positions[i] = position(parameter, &plan->points[ranking[i].point].values[number], by_name);
    axis.positions = positions;
    if (!by_name) {
        choose_tics(plan->arena, parameter, &axis);
        return axis;
    }
    const char **names = ARENA_ARRAY(plan->arena, const char *, parameter->value_count);
    for (int i = 0; i < parameter->value_count; i++) names[i] = parameter->values[i].label;
    axis.names = names;
    axis.name_count = parameter->value_count;
    return axis;
}

bool table_plot(const char *path, const struct sweep_plan *plan, struct error *error) {
    const struct standing *ranking = plan_ranking(plan);
    struct score_chart chart = {.score = plan->sweep->score,
                                .axis_count = plan->sweep->parameter_count};
    while (chart.count < plan->point_count && ranking[chart.count].done) chart.count++;
    double *scores = ARENA_ARRAY(plan->arena, double, chart.count);
    struct score_axis *axes = ARENA_ARRAY(plan->arena, struct score_axis, chart.axis_count);
    for (int i = 0; i < chart.count; i++) scores[i] = ranking[i].score;
    for (int i = 0; i < chart.axis_count; i++) axes[i] = make_axis(plan, i, ranking, chart.count);
    chart.scores = scores;
    chart.axes = axes;
    return plot_scores(path, &chart, plan->sweep->name, error);
}
