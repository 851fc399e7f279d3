/* gnuplot.c: runs gnuplot on a script, without a shell (see gnuplot.h). */
#include "gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Single quotes keep everything as it is, save the quote itself; control characters could end the
 * line. */
void gnuplot_quote(FILE *script, const char *text) {
    fputc('\'', script);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', script);
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, script);
    }
    fputc('\'', script);
}

void gnuplot_head(FILE *script, const char *path, const char *output, int width, int height) {
    size_t length = strlen(path);
    bool svg = length > 4 && strcmp(path + length - 4, ".svg") == 0;
    int scale = svg ? 1 : 2; /* twice the pixels for sharp text on today's screens */

    if (svg)
        fprintf(script,
                "set terminal svg noenhanced size %d,%d font 'sans,13' "
                "background '#ffffff'\n",
                width, height);
    else
        fprintf(script,
                "set terminal pngcairo noenhanced size %d,%d font 'sans,11' fontscale %d "
                "linewidth %d background '#ffffff'\n",
                width * scale, height * scale, scale, scale);
    fputs("set encoding utf8\nset output ", script);
    gnuplot_quote(script, output);
    fputs("\n", script);
}

/* --- running gnuplot --- */

/* Finds the reason in what gnuplot printed: the line behind `line 3:`; the script stands before. */
static void read_complaint(FILE *complaints, char *text, size_t size) {
    char line[256];

    snprintf(text, size, "no reason given");
    rewind(complaints);
    while (fgets(line, sizeof line, complaints)) {
        const char *reason = strstr(line, "line ");
        reason = reason ? strchr(reason, ':') : NULL;
        if (!reason) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, size, "%s", reason + 1 + strspn(reason + 1, " "));
        return;
    }
}

/* Runs gnuplot with the script as its standard input. */
static bool run_gnuplot(const char *path, FILE *script, FILE *complaints, struct error *error) {
    char *arguments[] = {"gnuplot", "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;

    if (fflush(script) != 0) return error_set(error, "cannot write a script for gnuplot");
    rewind(script);
    if (posix_spawn_file_actions_init(&actions) != 0) return error_set(error, "out of memory");
    posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(complaints), STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int failure = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOENT)
        return error_set(error, "gnuplot is not installed (on Debian: apt install gnuplot-nox)");
    if (failure) return error_set(error, "cannot start gnuplot: %s", strerror(failure));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return error_set(error, "cannot wait for gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    char complaint[256];
    read_complaint(complaints, complaint, sizeof complaint);
    return error_set(error, "%s: gnuplot failed: %s", path, complaint);
}

/* Draws into a file beside `path` and renames it when gnuplot has done well. */
bool gnuplot_draw(const char *path, const void *picture, gnuplot_script *write,
                  struct error *error) {
    size_t size = strlen(path) + 32;
    char *output = malloc(size);
    FILE *script = tmpfile(), *complaints = tmpfile();
    bool drawn = false;
    struct stat made;

    if (output && script && complaints) {
        snprintf(output, size, "%s.partial-%ld", path, (long)getpid());
        write(script, path, output, picture);
        drawn = run_gnuplot(path, script, complaints, error);
        if (drawn && (stat(output, &made) != 0 || made.st_size == 0 || rename(output, path) != 0))
            drawn = error_set(error, "%s: cannot be written", path);
        if (!drawn) unlink(output);
    } else {
        error_set(error, "cannot make a temporary file: %s", strerror(errno));
    }
    if (script) fclose(script);
    if (complaints) fclose(complaints);
    free(output);
    return drawn;
}
