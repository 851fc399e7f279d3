/* points.c: the grid of a space, and points drawn from it (see points.h). */
#include "points.h"
#include "../base/text.h"
#include "../../runtime/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ATTEMPTS = 1000 }; /* at drawing a point that is new */

/* Whether the conditions of a parameter hold; those it looks at have their values already. */
static bool holds(const struct sweep_parameter *parameter, const struct sweep_value *values) {
    for (int i = 0; i < parameter->condition_count; i++) {
        const struct sweep_condition *condition = &parameter->conditions[i];
        const char *value = values[condition->parameter].json;
        bool found = false;
        for (int k = 0; value && k < condition->value_count; k++)
            found = found || strcmp(value, condition->values[k]) == 0;
        if (!found) return false;
    }
    return true;
}

/* --- the grid --- */

struct grid {
    struct arena *arena;
    const struct sweep *sweep;
    struct sweep_value *values; /* of the point under way */
    struct sweep_point *points;
    int count, capacity;
    bool is_full;
};

static void add_point(struct grid *grid) {
    size_t size = (size_t)grid->sweep->parameter_count * sizeof *grid->values;
    if (grid->count == SWEEP_MOST_POINTS) {
        grid->is_full = true;
        return;
    }
    if (grid->count == grid->capacity) {
        int capacity = 2 * grid->capacity + 64;
        grid->points =
            arena_grow(grid->arena, grid->points, (size_t)grid->capacity * sizeof *grid->points,
                       (size_t)capacity * sizeof *grid->points);
        grid->capacity = capacity;
    }
    struct sweep_value *values = arena_alloc(grid->arena, size);
    memcpy(values, grid->values, size);
    grid->points[grid->count++].values = values;
}

/* All points that begin with the values of the parameters before this one. */
static void add_points(struct grid *grid, int number) {
    if (grid->is_full) return;
    if (number == grid->sweep->parameter_count) {
        add_point(grid);
        return;
    }
    const struct sweep_parameter *parameter = &grid->sweep->parameters[number];
    if (!holds(parameter, grid->values)) {
        grid->values[number] = (struct sweep_value){.number = NAN};
        add_points(grid, number + 1);
        return;
    }
    for (int i = 0; i < parameter->value_count; i++) {
        grid->values[number] = parameter->values[i];
        add_points(grid, number + 1);
    }
}

static bool too_many(const struct sweep *sweep, struct error *error) {
    return error_set(error,
                     "%s:%d: sweep \"%s\": its grid has more than %d points; use random { points = "
                     "100 }",
                     sweep->file, sweep->line, sweep->name, SWEEP_MOST_POINTS);
}

/* --- drawing --- */

/* Four digits are enough to tell points apart, and can be read. */
static double rounded(double value) {
    char text[40];
    snprintf(text, sizeof text, "%.4g", value);
    return strtod(text, NULL);
}

static double draw_number(const struct sweep_parameter *parameter, double uniform) {
    double from = parameter->from, to = parameter->to, value;
    if (parameter->integer && !parameter->logarithmic)
        return fmin(floor(from + uniform * (to - from + 1)), to);
    if (parameter->logarithmic)
        value = exp(log(from) + uniform * (log(to) - log(from)));
    else
        value = from + uniform * (to - from);
    value = parameter->integer ? floor(value + 0.5) : rounded(value);
    return fmin(fmax(value, from), to);
}

static struct sweep_value draw_value(struct arena *arena, const struct sweep_parameter *parameter,
                                     double uniform) {
    if (parameter->values) {
        int place = (int)(uniform * parameter->value_count);
        return parameter->values[place < parameter->value_count ? place : place - 1];
    }
    double number = draw_number(parameter, uniform);
    const char *text = arena_format(
        arena, number == floor(number) && fabs(number) < 1e15 ? "%.0f" : "%.15g", number);
    return (struct sweep_value){text, text, number};
}

static void draw_point(struct grid *grid, int point, int attempt) {
    const struct sweep *sweep = grid->sweep;
    for (int i = 0; i < sweep->parameter_count; i++) {
        const struct sweep_parameter *parameter = &sweep->parameters[i];
        uint32_t key = random_key(sweep->seed, (uint32_t)point, (uint32_t)i);
        grid->values[i] = (struct sweep_value){.number = NAN};
        if (holds(parameter, grid->values))
            grid->values[i] =
                draw_value(grid->arena, parameter, random_uniform(key, (uint32_t)attempt));
    }
}

static bool is_known(const struct grid *grid) {
    int parameters = grid->sweep->parameter_count;
    for (int i = 0; i < grid->count; i++) {
        bool same = true;
        for (int k = 0; k < parameters && same; k++) {
            const char *a = grid->values[k].json, *b = grid->points[i].values[k].json;
            same = a && b ? strcmp(a, b) == 0 : a == b;
        }
        if (same) return true;
    }
    return false;
}

static bool draw_points(struct grid *grid, long count, struct error *error) {
    const struct sweep *sweep = grid->sweep;
    for (int point = 0; point < count; point++) {
        int attempt = 0;
        do draw_point(grid, point, attempt);
        while (is_known(grid) && ++attempt < MOST_ATTEMPTS);
        if (attempt == MOST_ATTEMPTS)
            return error_set(error,
                             "%s:%d: sweep \"%s\": its space has hardly more than %d points, but "
                             "%ld are asked for; use fewer, or grid {}",
                             sweep->file, sweep->line, sweep->name, grid->count, count);
        add_point(grid);
    }
    return true;
}

struct sweep_point *sweep_points(struct arena *arena, const struct sweep *sweep, int *count,
                                 struct error *error) {
    struct grid grid = {.arena = arena, .sweep = sweep};
    bool good = true;
    grid.values = ARENA_ARRAY(arena, struct sweep_value, sweep->parameter_count);
    if (sweep->points > SWEEP_MOST_POINTS)
        good = error_set(error, "%s:%d: sweep \"%s\": %ld points are too many; at most %d",
                         sweep->file, sweep->line, sweep->name, sweep->points, SWEEP_MOST_POINTS);
    else if (sweep->points)
        good = draw_points(&grid, sweep->points, error);
    else
        add_points(&grid, 0);
    if (grid.is_full) good = too_many(sweep, error);
    *count = grid.count;
    return good ? grid.points : NULL;
}

/* --- texts --- */

const char *sweep_point_json(struct arena *arena, const struct sweep *sweep,
                             const struct sweep_point *point) {
    struct text text = {.arena = arena};
    text_put(&text, "{");
    for (int i = 0, printed = 0; i < sweep->parameter_count; i++)
        if (point->values[i].json)
            text_add(&text, "%s\"%s\":%s", printed++ ? "," : "", sweep->parameters[i].name,
                     point->values[i].json);
    text_put(&text, "}");
    return text_string(&text);
}

const char *sweep_point_label(struct arena *arena, const struct sweep *sweep,
                              const struct sweep_point *point) {
    struct text text = {.arena = arena};
    for (int i = 0, printed = 0; i < sweep->parameter_count; i++)
        if (point->values[i].json)
            text_add(&text, "%s%s=%s", printed++ ? " " : "", sweep->parameters[i].name,
                     point->values[i].label);
    return text_string(&text);
}
