/* non_finite.c: where a loss comes from that is not finite. The steps of the epoch are taken again
 * from its beginning: they give the same bits, and stop before the one that went wrong. */
#include "trainer_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SNAPSHOT_BYTES = 256 * 1024 * 1024 };

void trainer_take_snapshot(struct trainer *trainer) {
    const struct program *program = trainer->program;
    size_t bytes = 0;

    for (int space = 0; space < PROGRAM_SPACES; space++)
        bytes += (size_t)program->space_size[space] * sizeof(float);
    if (!trainer->options.explain || bytes > MOST_SNAPSHOT_BYTES) return;
    for (int space = 0; space < PROGRAM_SPACES; space++) {
        size_t size = (size_t)program->space_size[space] * sizeof(float);
        if (!trainer->snapshot[space]) trainer->snapshot[space] = malloc(size + 1);
        if (trainer->snapshot[space])
            memcpy(trainer->snapshot[space], trainer->memory.space[space], size);
    }
    trainer->snapshot_batch = trainer->state.batch;
    trainer->snapshot_step = trainer->state.step;
}

static bool restore_snapshot(struct trainer *trainer) {
    for (int space = 0; space < PROGRAM_SPACES; space++) {
        if (!trainer->snapshot[space]) return false;
        memcpy(trainer->memory.space[space], trainer->snapshot[space],
               (size_t)trainer->program->space_size[space] * sizeof(float));
    }
    return true;
}

static bool variables_are_finite(const struct trainer *trainer) {
    for (int space = PROGRAM_TRAINABLE; space <= PROGRAM_STATE; space++)
        for (long i = 0; i < trainer->program->space_size[space]; i++)
            if (!isfinite(trainer->memory.space[space][i])) return false;
    return true;
}

/* Takes `count` steps again from the snapshot on, or fewer: up to the one behind which something is
 * not finite. Returns the number of steps that went well. */
static long repeat(struct trainer *trainer, long count) {
    long done = 0;
    while (done < count) {
        struct trainer_step taken = trainer_take_step(trainer, trainer->snapshot_batch + done,
                                                      trainer->snapshot_step + done);
        if (!isfinite(taken.loss) || !variables_are_finite(trainer)) break;
        done++;
    }
    return done;
}

/* The call of the first piece of a step whose loss is not finite, or of its last. */
static struct program_call failed_piece(struct trainer *trainer, long batch, long step) {
    long piece = trainer_first_piece(trainer, batch);
    struct program_call call = trainer_piece(trainer, piece, step);

    while (++piece < trainer_last_piece(trainer, batch)) {
        trainer->program->gradient(&call);
        if (!isfinite(call.results[0])) break;
        call = trainer_piece(trainer, piece, step);
    }
    return call;
}

/* Says in text what was first; false: it cannot be told. */
static bool trace(struct trainer *trainer, char *text, size_t size, long *step) {
    const struct trainer_options *options = &trainer->options;
    long failed = trainer->state.step - trainer->snapshot_step;

    if (!options->explain || !restore_snapshot(trainer) || !variables_are_finite(trainer))
        return false;
    long good = repeat(trainer, failed);
    if (good == failed || !restore_snapshot(trainer) || repeat(trainer, good) != good) return false;
    struct program_call call =
        failed_piece(trainer, trainer->snapshot_batch + good, trainer->snapshot_step + good);
    *step = trainer->snapshot_step + good + 1;
    return options->explain(options->explain_context, &call, text, size);
}

bool trainer_not_finite(struct trainer *trainer, struct error *error) {
    char first[300] = "";
    long step = 0, failed = trainer->state.step;

    error_set(error,
              "the loss is no longer a finite number (step %ld, epoch %ld, learning rate %g); a "
              "smaller learning rate usually helps",
              failed, trainer->state.epoch + 1, trainer->learning_rate);
    if (!error || !trace(trainer, first, sizeof first, &step)) return false;
    size_t length = strlen(error->text);
    snprintf(error->text + length, sizeof error->text - length,
             "; the first that was not finite: %s", first);
    if (step != failed) {
        length = strlen(error->text);
        snprintf(error->text + length, sizeof error->text - length, ", in step %ld", step);
    }
    return false;
}
