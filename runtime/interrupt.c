/* interrupt.c: turns SIGINT and SIGTERM into a flag. */
#include "interrupt.h"

#include <signal.h>
#include <string.h>

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNAL_COUNT = sizeof signals / sizeof signals[0] };

static volatile sig_atomic_t requested;
static struct sigaction former[SIGNAL_COUNT];
static bool caught[SIGNAL_COUNT];

static void request(int signal) {
    (void)signal;
    requested = 1;
}

void interrupt_catch(void) {
    struct sigaction action;

    requested = 0;
    memset(&action, 0, sizeof action);
    action.sa_handler = request;
    sigemptyset(&action.sa_mask);
    /* Back to the default after the first, so that a second Ctrl-C always ends the process. */
    action.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        struct sigaction present;
        if (sigaction(signals[i], NULL, &present) != 0 || present.sa_handler == SIG_IGN) continue;
        if (!caught[i]) former[i] = present;
        caught[i] = sigaction(signals[i], &action, NULL) == 0;
    }
}

void interrupt_release(void) {
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (caught[i]) sigaction(signals[i], &former[i], NULL);
        caught[i] = false;
    }
}

bool interrupt_requested(void) {
    return requested != 0;
}
