/* emit_stack.h: the stack that a compiled source needs, from the call graph that GCC writes with
 * -fcallgraph-info=su: nodes with the bytes of their frames, and edges for calls. */
#ifndef LATHE_EMIT_STACK_H
#define LATHE_EMIT_STACK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FUNCTIONS = 2048, MOST_CALLS = 8192 };

struct call_graph {
    char *names[MOST_FUNCTIONS];
    long frames[MOST_FUNCTIONS], depths[MOST_FUNCTIONS]; /* bytes; depth -1: not known yet */
    int calls[MOST_CALLS][2];
    int functions, call_count;
    bool is_bounded; /* no frame whose size the compiler does not know */
};

static int stack_function(struct call_graph *graph, const char *name) {
    for (int i = 0; i < graph->functions; i++)
        if (!strcmp(graph->names[i], name)) return i;
    if (graph->functions == MOST_FUNCTIONS) abort();
    graph->names[graph->functions] = strdup(name);
    graph->frames[graph->functions] = 0;
    graph->depths[graph->functions] = -1;
    return graph->functions++;
}

/* node: { title: "x.c:f" label: "f\nx.c:9:7\n48 bytes (static)" }
 * edge: { sourcename: "x.c:f" targetname: "x.c:g" label: "x.c:12:5" } */
static void stack_read(struct call_graph *graph, FILE *file) {
    static char line[4096];
    char first[1024], second[1024], kind[32];
    graph->is_bounded = true;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "edge: { sourcename: \"%1023[^\"]\" targetname: \"%1023[^\"]\"", first,
                   second) == 2) {
            if (graph->call_count == MOST_CALLS) abort();
            int *call = graph->calls[graph->call_count++];
            call[0] = stack_function(graph, first), call[1] = stack_function(graph, second);
        } else if (sscanf(line, "node: { title: \"%1023[^\"]\" label: \"%1023[^\"]\"", first,
                          second) == 2) {
            int function = stack_function(graph, first);
            const char *bytes = strstr(second, " bytes (");
            if (!bytes) continue;                               /* of another file */
            while (bytes > second && bytes[-1] != 'n') bytes--; /* behind the last \n */
            if (sscanf(bytes, "%ld bytes (%31[^)])", &graph->frames[function], kind) != 2) abort();
            if (!strcmp(kind, "dynamic")) graph->is_bounded = false;
        }
    }
}

static bool stack_is_indirect(const struct call_graph *graph, int function) {
    return !strcmp(graph->names[function], "__indirect_call");
}

/* True if there are calls through a pointer below. (The sources here have no recursion.) */
static bool stack_reaches_indirect(const struct call_graph *graph, int function) {
    if (stack_is_indirect(graph, function)) return true;
    for (int i = 0; i < graph->call_count; i++)
        if (graph->calls[i][0] == function && stack_reaches_indirect(graph, graph->calls[i][1]))
            return true;
    return false;
}

/* Bytes from the frame of a function down. A call through a pointer reaches any function that makes
 * none itself: kernels are what is called so. */
static long stack_depth(struct call_graph *graph, int function) {
    long below = 0;
    if (graph->depths[function] >= 0) return graph->depths[function];
    for (int i = 0; i < graph->call_count; i++) {
        if (graph->calls[i][0] != function) continue;
        long depth = stack_depth(graph, graph->calls[i][1]);
        if (depth > below) below = depth;
    }
    for (int i = 0; stack_is_indirect(graph, function) && i < graph->functions; i++) {
        if (stack_reaches_indirect(graph, i)) continue;
        long depth = stack_depth(graph, i);
        if (depth > below) below = depth;
    }
    return graph->depths[function] = graph->frames[function] + below;
}

/* The deepest stack of any function, in bytes; -1 if it has no bound or the file is not there. */
static long stack_of_call_graph(const char *path) {
    static struct call_graph graph;
    FILE *file = fopen(path, "r");
    long deepest = -1;
    if (!file) return -1;
    memset(&graph, 0, sizeof graph);
    stack_read(&graph, file);
    fclose(file);
    for (int i = 0; graph.is_bounded && i < graph.functions; i++) {
        long depth = stack_depth(&graph, i);
        if (depth > deepest) deepest = depth;
    }
    for (int i = 0; i < graph.functions; i++) free(graph.names[i]);
    return deepest;
}

#endif
