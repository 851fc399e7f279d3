/* cc.c: a shared object by a C compiler in a child process, kept in the cache.
 *
 * No shell is involved: the compiler is looked up in PATH and started with a list of arguments. All
 * floating-point flags are ours (never -ffast-math). Of several processes that need the same object
 * one builds it. */
#include "cc.h"

#include "cache.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 32, BACKGROUND_NICENESS = 5 };

extern char **environ;

struct cc_module {
    const char *text;
    struct cache cache;
    char key[CACHE_KEY_SIZE];
    char compiler[PATH_MAX];
    char flags[512]; /* words separated by single spaces */
    char command[PATH_MAX + 512];
    char source[PATH_MAX], object[PATH_MAX], log[PATH_MAX], entry[PATH_MAX];
    enum cc_state state;
    pid_t child; /* the compiler; 0: another process builds the same, and we wait for it */
    int lock;    /* the claim to build it; negative: not ours */
    bool background;
    void *library;
};

static bool is_program(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Looks a program up as execvp does. */
static bool find_program(const char *name, char path[PATH_MAX]) {
    if (strchr(name, '/'))
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_program(path);
    const char *folder = getenv("PATH");
    if (!folder) folder = "/usr/local/bin:/usr/bin:/bin";
    while (*folder) {
        int length = (int)strcspn(folder, ":");
        int written = snprintf(path, PATH_MAX, "%.*s/%s", length, folder, name);
        if (length > 0 && written < PATH_MAX && is_program(path)) return true;
        folder += length;
        folder += *folder == ':';
    }
    return false;
}

static bool find_compiler(struct cc_module *module, const char *compiler, struct error *error) {
    if (compiler)
        return find_program(compiler, module->compiler) ||
               error_set(error, "the C compiler \"%s\" is not in PATH", compiler);
    return find_program("gcc", module->compiler) || find_program("clang", module->compiler) ||
           error_set(error, "there is no C compiler in PATH (gcc or clang); install one, or use "
                            "--backend tcc");
}

/* Null pointer checks: c/standalone.c tells why; both dialects are compiled alike. */
static void choose_flags(struct cc_module *module, const struct target *target) {
    const char *name = strrchr(module->compiler, '/');
    bool is_clang = strstr(name ? name : module->compiler, "clang") != NULL;
    snprintf(module->flags, sizeof module->flags,
             "-std=gnu11 -O2 -ftree-vectorize%s -fno-math-errno -fno-trapping-math "
             "-fno-delete-null-pointer-checks -ffp-contract=off%s%s%s -fPIC -shared -pipe -Wall "
             "-Wextra -Wpedantic -Werror",
             is_clang ? "" : " -fvect-cost-model=dynamic", *target->march ? " " : "", target->march,
             /* Else compilers keep to 256 bits, for the sake of older processors' clocks. */
             target->lanes >= 16 && !strstr(target->march, "prefer-vector-width")
                 ? " -mprefer-vector-width=512"
                 : "");
    snprintf(module->command, sizeof module->command, "%s %s", module->compiler, module->flags);
}

/* The entry's name tells the text, the flags and which compiler it is. */
static void name_entry(struct cc_module *module) {
    char real[PATH_MAX], identity[128] = "";
    struct stat status;
    if (!realpath(module->compiler, real)) real[0] = '\0';
    if (stat(module->compiler, &status) == 0)
        snprintf(identity, sizeof identity, "%lld %lld %ld", (long long)status.st_size,
                 (long long)status.st_mtim.tv_sec, (long)status.st_mtim.tv_nsec);
    cache_key(module->key,
              (const char *const[]){module->text, module->command, real, identity, NULL});
    cache_path(&module->cache, module->key, ".so", module->entry);
}

static bool load(struct cc_module *module, struct error *error) {
    module->library = dlopen(module->entry, RTLD_NOW | RTLD_LOCAL);
    if (!module->library) {
        const char *reason = dlerror();
        return error_set(error, "cannot load the built model: %s", reason ? reason : "unknown");
    }
    module->state = CC_READY;
    return true;
}

struct cc_module *cc_module_new(const char *text, const char *compiler, const struct target *target,
                                struct error *error) {
    struct cc_module *module = calloc(1, sizeof *module);
    if (!module) {
        error_set(error, "out of memory");
        return NULL;
    }
    module->text = text;
    module->lock = CACHE_LOCK_NONE;
    if (!find_compiler(module, compiler, error) || !cache_open(&module->cache, error)) {
        cc_module_free(module);
        return NULL;
    }
    choose_flags(module, target);
    name_entry(module);
    /* An entry that is whole but does not load is built anew. */
    if (cache_valid(module->entry)) load(module, NULL);
    return module;
}

static bool write_source(struct cc_module *module, struct error *error) {
    static unsigned builds;
    char suffix[64];
    unsigned build = __atomic_fetch_add(&builds, 1, __ATOMIC_RELAXED);
    const struct {
        char *path;
        const char *end;
    } files[] = {{module->source, "c"}, {module->object, "object"}, {module->log, "log"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(suffix, sizeof suffix, ".%ld-%u.%s", (long)getpid(), build, files[i].end);
        cache_path(&module->cache, module->key, suffix, files[i].path);
    }
    FILE *file = fopen(module->source, "w");
    bool done = file && fputs(module->text, file) >= 0;
    if (file && fclose(file) != 0) done = false;
    return done || error_set(error, "%s: %s", module->source, strerror(errno));
}

static void remove_files(struct cc_module *module) {
    char *const files[] = {module->source, module->object, module->log};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (*files[i]) unlink(files[i]);
}

/* Starts the compiler: input from nowhere, all output into the log. */
static int spawn(struct cc_module *module, char *const *arguments) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    int failure = posix_spawn_file_actions_init(&files);
    if (failure) return failure;
    if ((failure = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return failure;
    }
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, module->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes,
        (short)(POSIX_SPAWN_SETSIGMASK | (module->background ? POSIX_SPAWN_SETPGROUP : 0)));
    failure =
        posix_spawn(&module->child, module->compiler, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failure;
}

/* Starts the compiler on the text. */
static bool build(struct cc_module *module, struct error *error) {
    char flags[sizeof module->flags];
    char *arguments[MAX_ARGUMENTS], *rest = NULL;
    int count = 0;
    module->state = CC_FAILED;
    if (!write_source(module, error)) return false;
    memcpy(flags, module->flags, sizeof flags);
    arguments[count++] = module->compiler;
    for (char *word = strtok_r(flags, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (count < MAX_ARGUMENTS - 6) arguments[count++] = word;
    arguments[count++] = "-o";
    arguments[count++] = module->object;
    arguments[count++] = module->source;
    arguments[count++] = "-lm";
    arguments[count] = NULL;
    int failure = spawn(module, arguments);
    if (failure) {
        remove_files(module);
        return error_set(error, "cannot start %s: %s", module->compiler, strerror(failure));
    }
    if (module->background) setpriority(PRIO_PROCESS, (id_t)module->child, BACKGROUND_NICENESS);
    module->state = CC_RUNNING;
    return true;
}

/* The claim is ours, or there is no locking: the entry may have come in the meantime. */
static bool load_or_build(struct cc_module *module, struct error *error) {
    if (cache_valid(module->entry) && load(module, NULL)) return true;
    module->state = CC_FAILED;
    return build(module, error);
}

bool cc_module_start(struct cc_module *module, bool background, struct error *error) {
    module->background = background;
    module->lock = cache_lock(&module->cache, module->key, false);
    if (module->lock != CACHE_LOCK_BUSY) return load_or_build(module, error);
    module->child = 0;
    module->state = CC_RUNNING;
    return true;
}

/* What the compiler said, as much of it as a message holds. */
static void report_failure(struct cc_module *module, int status, struct error *error) {
    char said[1500] = "";
    FILE *file = fopen(module->log, "r");
    if (file) {
        said[fread(said, 1, sizeof said - 1, file)] = '\0';
        fclose(file);
    }
    size_t length = strlen(said);
    while (length > 0 && said[length - 1] == '\n') said[--length] = '\0';
    if (WIFSIGNALED(status))
        error_set(error, "%s was ended by signal %d%s%s", module->compiler, WTERMSIG(status),
                  *said ? ":\n" : "", said);
    else
        error_set(error, "%s cannot compile the generated C (exit status %d)%s%s", module->compiler,
                  WEXITSTATUS(status), *said ? ":\n" : "", said);
}

/* The compiler of ours: has it ended? */
static void poll_build(struct cc_module *module, bool wait, struct error *error) {
    int status = 0;
    pid_t ended;
    do ended = waitpid(module->child, &status, wait ? 0 : WNOHANG);
    while (ended < 0 && errno == EINTR);
    if (ended == 0) return;
    module->state = CC_FAILED;
    if (ended < 0)
        error_set(error, "cannot wait for %s: %s", module->compiler, strerror(errno));
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        report_failure(module, status, error);
    else if (cache_store(module->object, module->entry, error) && load(module, error))
        cache_trim(&module->cache, CACHE_BYTES);
    remove_files(module);
}

enum cc_state cc_module_poll(struct cc_module *module, bool wait, struct error *error) {
    if (module->state == CC_RUNNING && module->child == 0) {
        module->lock = cache_lock(&module->cache, module->key, wait);
        if (module->lock == CACHE_LOCK_BUSY) return CC_RUNNING;
        load_or_build(module, error);
    }
    if (module->state == CC_RUNNING) poll_build(module, wait, error);
    if (module->state != CC_RUNNING) {
        cache_unlock(&module->cache, module->key, module->lock);
        module->lock = CACHE_LOCK_NONE;
    }
    return module->state;
}

void *cc_module_find(const struct cc_module *module, const char *name) {
    return module->library ? dlsym(module->library, name) : NULL;
}

const char *cc_module_command(const struct cc_module *module) {
    return module->command;
}

void cc_module_free(struct cc_module *module) {
    if (!module) return;
    if (module->state == CC_RUNNING && module->child != 0) {
        /* A background build is a group: the driver and the programs it started. */
        kill(module->background ? -module->child : module->child, SIGTERM);
        while (waitpid(module->child, NULL, 0) < 0 && errno == EINTR) continue;
        remove_files(module);
    }
    cache_unlock(&module->cache, module->key, module->lock);
    if (module->library) dlclose(module->library);
    cache_close(&module->cache);
    free(module);
}
