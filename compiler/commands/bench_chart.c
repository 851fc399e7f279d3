/* bench_chart.c: the picture of `lathe bench --chart`: the whole step and each layer, in bars. */
#include "../../runtime/plots.h"
#include "bench.h"

bool report_draw(const struct report *report, struct error *error) {
    const struct bench *bench = report->bench;
    const int rows = bench->model->layer_count + 1;
    const char **groups = ARENA_ARRAY(bench->arena, const char *, rows + 1);
    double *values = ARENA_ARRAY(bench->arena, double, (rows + 1) * report->count);
    const char *series[VARIANTS];
    struct bar_chart chart = {.groups = 1,
                              .series = report->count,
                              .group_names = groups,
                              .series_names = series,
                              .values = values,
                              .axis = "median ms, logarithmic"};
    groups[0] = "whole step";
    for (int i = 0; i < report->count; i++) {
        series[i] = variant_names[report->variants[i].kind];
        values[i] = report->variants[i].ms.median;
    }
    for (int row = 0; row < rows; row++) {
        if (!report_row_runs(report, row)) continue;
        for (int i = 0; i < report->count; i++)
            values[chart.groups * report->count + i] = report->variants[i].rows[row].ms.median;
        groups[chart.groups++] = report_row_name(bench, row);
    }
    return plot_bars(report->chart, &chart,
                     arena_format(bench->arena, "%s: %s, batch %ld, %d thread%s, %s",
                                  bench->model->name, bench->mode_name, bench->batch,
                                  bench->threads, bench->threads == 1 ? "" : "s",
                                  report_processor(bench->arena)),
                     error);
}
