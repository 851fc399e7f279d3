/* reduce_lr_on_plateau.c: reduces the learning rate when the monitored figure has stopped
 * improving. With a schedule, what the schedule gives is reduced. */
#include "callback_type.h"

#include <math.h>

enum { BEST, WAIT, COOLDOWN, FACTOR }; /* FACTOR: of all reductions so far; 0: none yet */

static double learning_rate(const struct callback *callback, double scheduled) {
    if (callback->state[FACTOR] == 0) return scheduled;
    return fmax(scheduled * callback->state[FACTOR], fmin(callback->options->min_lr, scheduled));
}

static bool epoch_end(struct callback *callback, struct callback_epoch *epoch,
                      struct error *error) {
    const struct callback_options *options = callback->options;
    const struct history_epoch *last = callback_last(epoch);
    double *state = callback->state, value = metric_value(options->monitor.metric, last);

    (void)error;
    if (last->epoch == 1) state[BEST] = monitor_worst(&options->monitor);
    if (state[COOLDOWN] > 0) {
        state[COOLDOWN]--;
        state[WAIT] = 0;
    }
    if (monitor_improves(&options->monitor, value, state[BEST])) {
        state[BEST] = value;
        state[WAIT] = 0;
        return true;
    }
    if (state[COOLDOWN] > 0) return true;
    state[WAIT]++;
    if (state[WAIT] < (double)options->patience || last->learning_rate <= options->min_lr)
        return true;
    state[FACTOR] = (state[FACTOR] == 0 ? 1 : state[FACTOR]) * options->factor;
    state[COOLDOWN] = (double)options->cooldown;
    state[WAIT] = 0;
    return true;
}

const struct callback_type callback_reduce_lr_on_plateau = {.name = "reduce_lr_on_plateau",
                                                            .monitors = true,
                                                            .epoch_end = epoch_end,
                                                            .learning_rate = learning_rate};
