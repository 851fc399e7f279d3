/* standalone_denormals.c: the mode of the processor in which an emitted training step runs; in the
 * process it is the runtime's (runtime/denormals.h, where the reason stands). */
#include "standalone.h"

static const char denormals[] =
    "\n/* Moments that decay and gradients that vanish become denormal numbers, "
    "which some processors\n"
    " * take a hundred times as long for. A training step counts them as 0 where "
    "that can be said:\n"
    " * flush returns the mode of before, for restore. */\n"
    "#ifdef $_FLUSHES_DENORMALS\n"
    "static unsigned @_flush_denormals(void) {\n"
    "    const unsigned mode = _mm_getcsr();\n"
    "    _mm_setcsr(mode | 0x8040u);\n"
    "    return mode;\n"
    "}\n"
    "static void @_restore_denormals(unsigned mode) {\n"
    "    _mm_setcsr(mode);\n"
    "}\n"
    "#else\n"
    "static unsigned @_flush_denormals(void) {\n"
    "    return 0;\n"
    "}\n"
    "static void @_restore_denormals(unsigned mode) {\n"
    "    (void)mode;\n"
    "}\n"
    "#endif\n";

/* The mode is each thread's own, and the threads are the caller's. */
static const char flushing_threads[] =
    "\n"
    "struct @_flushing {\n"
    "    @_task *task;\n"
    "    const void *context;\n"
    "};\n"
    "static void @_flushing_task(const void *context, long begin, long end) {\n"
    "    const struct @_flushing *const flushing = context;\n"
    "    const unsigned mode = @_flush_denormals();\n"
    "    flushing->task(flushing->context, begin, end);\n"
    "    @_restore_denormals(mode);\n"
    "}\n"
    "static void @_flushing_run(void *pool, @_task *task, const void *context, long count) {\n"
    "    const struct @_threads *const threads = pool;\n"
    "    const struct @_flushing flushing = {task, context};\n"
    "    threads->run(threads->pool, @_flushing_task, &flushing, count);\n"
    "}\n";

void emit_denormals_include(struct emission *e) {
    emit_text(e, "#if defined(__SSE__) && !defined(__TINYC__)\n"
                 "#include <xmmintrin.h>\n"
                 "#define $_FLUSHES_DENORMALS\n"
                 "#endif\n\n");
}

void emit_denormals(struct emission *e) {
    emit_text(e, denormals);
    if (e->form->threads) emit_text(e, flushing_threads);
}
