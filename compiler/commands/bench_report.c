/* bench_report.c: what `lathe bench` prints for people. */
#include "../../runtime/blas.h"
#include "bench.h"

#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 17 };

/* --- what both reports need --- */

const struct variant *report_variant(const struct report *report, enum variant_kind kind) {
    for (int i = 0; i < report->count; i++)
        if (report->variants[i].kind == kind) return &report->variants[i];
    return NULL;
}

const struct variant *report_generic(const struct report *report) {
    const struct variant *openblas = report_variant(report, VARIANT_OPENBLAS);
    return openblas ? openblas : report_variant(report, VARIANT_NAIVE);
}

const char *report_row_name(const struct bench *bench, int row) {
    if (row < bench->model->layer_count) return bench->model->layers[row]->name;
    return bench->mode == MODE_TRAINING ? "(loss, optimizer)" : "(rest)";
}

const char *report_processor(struct arena *arena) {
    char text[256], *name = NULL;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && !name && fgets(text, sizeof text, file))
        if (strncmp(text, "model name", 10) == 0 && (name = strchr(text, ':')))
            name[strcspn(name, "\n")] = '\0';
    if (file) fclose(file);
    return arena_string(arena, name ? name + 2 : "unknown processor");
}

const char *report_built_by(const struct report *report, const struct variant *variant) {
    struct arena *arena = report->bench->arena;
    switch (variant->kind) {
    case VARIANT_CC: return jit_compiler(variant->jit);
    case VARIANT_TCC:
        return arena_format(arena, "%s: gcc " __VERSION__ " " MICROKERNEL_FLAGS " %s",
                            jit_compiler(variant->jit), report->bench->target->march);
    case VARIANT_OPENBLAS:
        return blas_description()
                   ? arena_format(arena, "im2col and %s", blas_description())
                   : "im2col and textbook loops: there is no OpenBLAS on this machine";
    case VARIANT_NAIVE:
    case VARIANTS: break;
    }
    return "textbook loops, gcc " __VERSION__ " -O2";
}

bool report_row_runs(const struct report *report, int row) {
    for (int i = 0; i < report->count; i++)
        if (report->variants[i].rows && report->variants[i].rows[row].ms.median > 0) return true;
    return false;
}

double report_operations(const struct bench *bench, int row, int part) {
    double operations = 0;
    for (int i = 0; i < PART_COUNT; i++)
        if (part == PART_COUNT || part == i) operations += bench->costs[row][i].operations;
    return operations;
}

double report_limit(const struct bench *bench, int row, int part, char *letter) {
    double limit = 0, compute = 0, of_part;
    for (int i = 0; i < PART_COUNT; i++) {
        if (part != PART_COUNT && part != i) continue;
        limit += machine_limit_ms(bench->machine, &bench->costs[row][i], &of_part);
        compute += of_part;
    }
    *letter = limit == 0 ? ' ' : 2 * compute >= limit ? 'f' : 'b';
    return limit;
}

/* --- the head --- */

static const char *size_text(struct arena *arena, long bytes) {
    return bytes < 1 << 20 ? arena_format(arena, "%ld KB", bytes >> 10)
                           : arena_format(arena, "%ld MB", bytes >> 20);
}

static void print_machine(const struct bench *bench) {
    const struct machine *m = bench->machine;
    printf("this machine while it was timing, %d thread%s: multiply-adds %.1f GFLOP/s (p10 %.1f, "
           "p90 %.1f); streams",
           bench->threads, bench->threads == 1 ? "" : "s", m->gflops.median, m->gflops.p10,
           m->gflops.p90);
    for (int set = 0; set < WORKING_SETS; set++)
        printf("%s %.1f GB/s in %s", set ? "," : "", m->gigabytes[set].median,
               size_text(bench->arena, m->set_bytes[set]));
    printf(" a thread\n");
}

static void print_head(const struct report *report) {
    const struct bench *bench = report->bench;
    printf("model \"%s\" (%s), %s, batch %ld, %d thread%s, random data\n", bench->model->name,
           bench->model->file, bench->mode_name, bench->batch, bench->threads,
           bench->threads == 1 ? "" : "s");
    printf("%s, target %s\n", report_processor(bench->arena), bench->target->name);
    print_machine(bench);
    for (int i = 0; i < report->count; i++) {
        const struct variant *v = &report->variants[i];
        printf("%-9s %s", variant_names[v->kind], report_built_by(report, v));
        double generate_ms, compile_ms;
        if (v->jit) {
            jit_times(v->jit, &generate_ms, &compile_ms);
            if (compile_ms > 0)
                printf(" (C generated in %.1f ms, compiled in %.1f)", generate_ms, compile_ms);
            else
                printf(" (C generated in %.1f ms, compiled before)", generate_ms);
        }
        printf("\n");
    }
    if (report->skipped[0]) printf("no cc: %s\n", report->skipped);
}

/* --- the whole step --- */

/* The largest relative difference between the variants' losses (or predictions). */
static double disagreement(const struct report *report) {
    double least = report->variants[0].check_loss, most = least;
    for (int i = 1; i < report->count; i++) {
        double loss = report->variants[i].check_loss;
        if (loss < least) least = loss;
        if (loss > most) most = loss;
    }
    double size = most > -least ? most : -least;
    return size > 0 ? (most - least) / size : 0;
}

static long fewer(long a, long b) {
    return a < b ? a : b;
}

static void print_ratio(double ratio, bool tie) {
    if (tie)
        printf(" %9s", "tie");
    else
        printf(" %9.2f", ratio);
}

static void print_steps(const struct report *report) {
    const struct bench *bench = report->bench;
    const struct variant *generic = report_generic(report);
    const int rows = bench->model->layer_count + 1;
    double operations = 0, limit = 0;
    for (int row = 0; row < rows; row++) {
        char letter;
        operations += report_operations(bench, row, PART_COUNT);
        limit += report_limit(bench, row, PART_COUNT, &letter);
    }
    printf("\n%-10s %10s %10s %10s %7s %11s %8s %7s", "", "median ms", "p10", "p90", "steps",
           "samples/s", "GFLOP/s", "share");
    if (generic) printf(" %9s", "ratio");
    printf("\n");
    for (int i = 0; i < report->count; i++) {
        const struct variant *v = &report->variants[i];
        printf("%-10s %10.3f %10.3f %10.3f %7ld %11.0f %8.1f %5.0f %%", variant_names[v->kind],
               v->ms.median, v->ms.p10, v->ms.p90, v->step_count,
               (double)bench->batch / v->ms.median * 1e3, operations / v->ms.median * 1e-6,
               limit / v->ms.median * 100);
        if (generic)
            print_ratio(generic->ms.median / v->ms.median,
                        v != generic && is_tie(generic->round_ms, v->round_ms,
                                               fewer(generic->round_count, v->round_count)));
        printf("\n");
    }
    if (report->count > 1)
        printf("%s: they differ by at most %.1e (relative)\n",
               bench->mode == MODE_TRAINING ? "loss of the second step" : "predictions",
               disagreement(report));
}

/* --- layer by layer --- */

static int name_width(const struct bench *bench) {
    int width = NAME_WIDTH;
    for (int i = 0; i < bench->model->layer_count; i++) {
        int length = (int)strlen(bench->model->layers[i]->name);
        if (length > width) width = length;
    }
    return width;
}

/* " 1.223  3%": the median, and how far p10 and p90 lie from the middle. */
static void print_spread(const struct spread *ms) {
    double half = ms->median > 0 ? (ms->p90 - ms->p10) / 2 / ms->median * 100 : 0;
    printf(" %9.3f %3.0f%%", ms->median, half < 999 ? half : 999);
}

/* Nothing for what takes 0.000 ms: it is done elsewhere, as pooling in the loop of a normalization. */
static void print_rate(double operations, double limit, char letter, double ms) {
    if (ms < 0.0005) operations = limit = 0;
    if (operations > 0 && ms > 0)
        printf(" %8.1f", operations / ms * 1e-6);
    else
        printf(" %8s", "");
    if (limit > 0 && ms > 0)
        printf(" %4.0f%% %c", limit / ms * 100, letter);
    else
        printf(" %7s", "");
}

static void print_layer(const struct report *report, int row, int width) {
    const struct bench *bench = report->bench;
    const struct variant *best = &report->variants[0], *generic = report_generic(report);
    const struct row_times *times = &best->rows[row];
    char letter;
    double limit = report_limit(bench, row, PART_COUNT, &letter);
    printf("%-*s", width, report_row_name(bench, row));
    for (int i = 0; i < report->count; i++) print_spread(&report->variants[i].rows[row].ms);
    print_rate(report_operations(bench, row, PART_COUNT), limit, letter, times->ms.median);
    if (generic && generic != best && times->ms.median > 0) {
        const struct row_times *other = &generic->rows[row];
        print_ratio(other->ms.median / times->ms.median,
                    is_tie(other->rounds, times->rounds,
                           fewer(generic->profile_rounds, best->profile_rounds)));
    }
    printf("\n");
}

static void print_layers(const struct report *report) {
    const struct bench *bench = report->bench;
    const struct variant *best = &report->variants[0], *generic = report_generic(report);
    int width = name_width(bench);
    printf("\nlayer by layer, median ms and spread%s; the rest of the line is %s's:\n%-*s",
           bench->mode == MODE_TRAINING ? ", forward and backward" : "", variant_names[best->kind],
           width, "");
    for (int i = 0; i < report->count; i++)
        printf(" %9s %4s", variant_names[report->variants[i].kind], "");
    printf(" %8s %7s%s\n", "GFLOP/s", "share", generic && generic != best ? "     ratio" : "");
    for (int row = 0; row <= bench->model->layer_count; row++)
        if (report_row_runs(report, row)) print_layer(report, row, width);
}

static void print_parts(const struct report *report) {
    static const char *const names[PART_COUNT] = {"", "forward", "backward-data",
                                                  "weight gradient"};
    const struct bench *bench = report->bench;
    const struct variant *best = &report->variants[0];
    const int last = bench->mode == MODE_TRAINING ? PART_COUNT : PART_FORWARD + 1;
    int width = name_width(bench);
    printf("\nconvolutions and dense layers of %s, packing and transforms included:\n%-*s",
           variant_names[best->kind], width, "");
    for (int part = PART_FORWARD; part < last; part++) printf(" %27s", names[part]);
    printf("\n%-*s", width, "");
    for (int part = PART_FORWARD; part < last; part++)
        printf("   %8s %8s %7s", "ms", "GFLOP/s", "share");
    printf("\n");
    for (int row = 0; row < bench->model->layer_count; row++) {
        if (report_operations(bench, row, PART_COUNT) == 0) continue;
        printf("%-*s", width, report_row_name(bench, row));
        for (int part = PART_FORWARD; part < last; part++) {
            double ms = best->rows[row].part_ms[part];
            char letter;
            double limit = report_limit(bench, row, part, &letter);
            if (ms > 0)
                printf("   %8.3f", ms);
            else
                printf("   %8s", "-");
            print_rate(report_operations(bench, row, part), limit, letter, ms);
        }
        printf("\n");
    }
}

static void print_kinds(const struct report *report) {
    const struct bench *bench = report->bench;
    double ms[VARIANTS][KINDS] = {{0}}, total[VARIANTS] = {0};
    for (int i = 0; i < report->count; i++)
        for (int row = 0; row <= bench->model->layer_count; row++) {
            double of_row = report->variants[i].rows[row].ms.median;
            ms[i][bench_kind(bench->model, row)] += of_row;
            total[i] += of_row;
        }
    printf("\nwhere the step's time goes, ms and share of it:\n%-33s", "");
    for (int i = 0; i < report->count; i++)
        printf(" %9s %4s", variant_names[report->variants[i].kind], "");
    printf("\n");
    for (int kind = 0; kind < KINDS; kind++) {
        bool is_there = false;
        for (int i = 0; i < report->count; i++) is_there = is_there || ms[i][kind] > 0;
        if (!is_there) continue;
        printf("%-33s",
               kind == KIND_OPTIMIZER && bench->mode != MODE_TRAINING ? "rest" : kind_names[kind]);
        for (int i = 0; i < report->count; i++)
            printf(" %9.3f %3.0f%%", ms[i][kind], total[i] > 0 ? ms[i][kind] / total[i] * 100 : 0);
        printf("\n");
    }
}

static void print_legend(const struct report *report) {
    const struct variant *generic = report_generic(report);
    if (generic)
        printf(
            "\nratio: how many times as fast as %s; \"tie\": the difference is within the noise.",
            variant_names[generic->kind]);
    printf(
        "\nspread: half of p90 - p10, as a share of the median. GFLOP/s: operations of direct "
        "sums (a\nmultiply-add is two) by time. share: the least time this machine needs, by "
        "time; f: bound by its\nmultiply-adds, b: by its bandwidth for a layer's inputs, outputs "
        "and weights, once each. Winograd's\nconvolutions do fewer operations than direct sums, "
        "and fused layers move less: both may exceed 100 %%.\n");
    if (report->chart)
        printf("chart: %s\n", report->chart);
    else
        printf("--chart FILE.svg draws the times as bars.\n");
}

void report_print(const struct report *report) {
    print_head(report);
    print_steps(report);
    if (report->variants[0].rows) {
        print_layers(report);
        print_parts(report);
        print_kinds(report);
    }
    print_legend(report);
}
