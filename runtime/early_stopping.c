/* early_stopping.c: ends the training when the monitored figure has stopped improving. The rules
 * are those of Keras 3, whose epochs count from 0 where ours count from 1. */
#include "callback_type.h"

enum { BEST, WAIT, BEGUN };

static bool epoch_end(struct callback *callback, struct callback_epoch *epoch,
                      struct error *error) {
    const struct callback_options *options = callback->options;
    const struct history_epoch *last = callback_last(epoch);
    double *state = callback->state, value = metric_value(options->monitor.metric, last);

    (void)error;
    if (!state[BEGUN]) { /* whatever the value is: these weights are the best so far */
        state[BEST] = monitor_worst(&options->monitor);
        epoch->keep = epoch->keep || options->restore_best_weights;
    }
    if (last->epoch - 1 < options->start_from_epoch) return true;
    state[BEGUN] = 1;
    state[WAIT]++;
    if (monitor_improves(&options->monitor, value, state[BEST])) {
        state[BEST] = value;
        epoch->keep = epoch->keep || options->restore_best_weights;
        /* Who does not beat the baseline waits on, improved or not. */
        if (!options->has_threshold ||
            monitor_improves(&options->monitor, value, options->threshold))
            state[WAIT] = 0;
        return true;
    }
    if (state[WAIT] >= (double)options->patience && last->epoch > 1) epoch->stop = true;
    return true;
}

const struct callback_type callback_early_stopping = {
    .name = "early_stopping", .monitors = true, .epoch_end = epoch_end};
