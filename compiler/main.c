/* main.c: lathe's entry: finds the command and runs it. */
#include "../runtime/denormals.h"
#include "commands/commands.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *purpose;
};

static const struct command commands[] = {
    {"summary", command_summary, "layers, shapes, parameters and memory of a model"},
    {"train", command_train, "train a model on a data set"},
    {"sweep", command_sweep, "train a model at many points of a space and rank them"},
    {"evaluate", command_evaluate, "loss, accuracy and confusion matrix of trained weights"},
    {"predict", command_predict, "classify images or arrays"},
    {"report", command_report, "a run as one HTML file to send to others"},
    {"compare", command_compare, "several runs side by side"},
    {"emit", command_emit, "write a model as standalone C"},
    {"bench", command_bench, "compare specialized with generic kernels"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(void) {
    printf("usage: lathe COMMAND MODEL.lua [options]\n\n"
           "Compiles neural networks written in Lua to C, trains and runs them.\n\ncommands:\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].purpose);
    printf("\n`lathe COMMAND --help` lists the options of a command.\n"
           "Exit status: 0 done; 1 the work did not reach its end; 2 wrong input.\n");
}

static int unknown_command(const char *name) {
    const char *names[COMMANDS + 1] = {NULL};
    struct error error;

    for (int i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    const char *nearest = options_nearest(name, names);
    if (nearest)
        error_set(&error, "unknown command \"%s\"; did you mean \"%s\"?", name, nearest);
    else
        error_set(&error, "unknown command \"%s\"; `lathe --help` lists them", name);
    command_print_error(error.text);
    return STATUS_BAD_INPUT;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        command_print_error("no command; `lathe --help` lists them");
        return STATUS_BAD_INPUT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("lathe %s\n", LATHE_VERSION);
        return STATUS_OK;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv) {
    /* Only the encoding: numbers keep their point in every locale. */
    setlocale(LC_CTYPE, "");
    denormals_flush();
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        command_print_error("cannot write to the standard output");
        if (status == STATUS_OK) status = STATUS_FAILED;
    }
    return status;
}
