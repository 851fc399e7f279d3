/* evaluation.c: batches of a data set through the evaluate and predict entries of a program. */
#include "evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One batch being gathered by the threads of a pool. */
struct gather {
    const struct evaluation_input *input;
    const long *indices;
    bool labels;
};

static void gather_range(const void *context, long begin, long end) {
    const struct gather *gather = context;
    const struct program *program = gather->input->program;
    const struct program_memory *memory = gather->input->memory;

    dataset_gather(gather->input->data, gather->indices + begin, end - begin,
                   memory->samples + begin * program->sample_size,
                   gather->labels ? memory->labels + begin * program->label_size : NULL,
                   program->label_size);
}

void evaluation_gather(const struct evaluation_input *input, const long *indices, long count,
                       bool labels) {
    const struct program *program = input->program;
    const struct program_memory *memory = input->memory;
    struct gather gather = {input, indices, labels};
    size_t rest = (size_t)(program->rows - count);

    pool_parallel(input->pool, gather_range, &gather, count);
    memset(memory->samples + count * program->sample_size, 0,
           rest * (size_t)program->sample_size * sizeof(float));
    memset(memory->labels + count * program->label_size, 0,
           rest * (size_t)program->label_size * sizeof(float));
}

/* The numbers of the samples [begin, begin + count) of the input; list is scratch memory. */
static const long *batch_indices(const struct evaluation_input *input, long begin, long count,
                                 long *list) {
    if (input->indices) return input->indices + begin;
    for (long i = 0; i < count; i++) list[i] = begin + i;
    return list;
}

/* Does one batch of `count` samples from `begin` on: gathers it and calls the entry. */
static void run_batch(const struct evaluation_input *input, struct thread_choice *choice,
                      program_entry *entry, struct program_call *call, long begin, long count,
                      long *list, bool labels) {
    struct evaluation_input now = *input;
    now.pool = call->pool = thread_choice_begin(choice, thread_choice_clock());
    evaluation_gather(&now, batch_indices(input, begin, count, list), count, labels);
    call->scalars[2] = (double)count;
    entry(call);
    thread_choice_end(choice, thread_choice_clock());
}

int evaluation_classes(const struct program *program) {
    return program->output_size == 1 ? 2 : (int)program->output_size;
}

int evaluation_class(const struct program *program, const float *predictions) {
    if (program->output_size == 1) return predictions[0] > 0.5f;
    return argmax(predictions, program->output_size);
}

static void count_classes(const struct evaluation_input *input, long begin, long count,
                          struct confusion *confusion) {
    const struct program *program = input->program;

    for (long i = 0; i < count; i++) {
        long sample = input->indices ? input->indices[begin + i] : begin + i;
        const float *predictions = input->memory->predictions + i * program->output_size;
        int label = input->data->labels[sample];
        if (confusion) confusion_add(confusion, label, evaluation_class(program, predictions));
        if (input->mistakes) mistakes_add(input->mistakes, program, sample, label, predictions);
    }
}

bool evaluation_run(const struct evaluation_input *input, struct evaluation *result,
                    struct confusion *confusion, struct error *error) {
    const struct program *program = input->program;
    double loss_sum = 0, accuracy_sum = 0;

    *result = (struct evaluation){.has_accuracy = program->has_accuracy != 0};
    if (!program->evaluate) return error_set(error, "the program was compiled without evaluation");
    if (!input->data->labels) return error_set(error, "the data have no labels to compare with");
    long *list = memory_aligned((size_t)program->batch * sizeof *list);
    if (!list) return error_set(error, "out of memory");
    struct program_call call = program_memory_call(input->memory, pool_parallel, input->pool);
    struct thread_choice own, *choice = input->choice ? input->choice : &own;
    if (!input->choice) thread_choice_init(&own, input->pool);
    while (result->samples < input->count && !result->interrupted) {
        long count = input->count - result->samples;
        if (count > program->batch) count = program->batch;
        run_batch(input, choice, program->evaluate, &call, result->samples, count, list, true);
        if (confusion || input->mistakes) count_classes(input, result->samples, count, confusion);
        loss_sum += call.results[0] * (double)count;
        accuracy_sum += call.results[1] * (double)count;
        result->samples += count;
        result->interrupted = input->interrupted && input->interrupted();
    }
    free(list);
    if (result->samples) {
        result->loss = loss_sum / (double)result->samples;
        result->accuracy = accuracy_sum / (double)result->samples;
    }
    if (!isfinite(result->loss))
        return error_set(error, "the loss over %ld samples is not a finite number",
                         result->samples);
    return true;
}

bool evaluation_predict(const struct evaluation_input *input, float *predictions,
                        struct error *error) {
    const struct program *program = input->program;

    if (!program->predict) return error_set(error, "the program was compiled without prediction");
    long *list = memory_aligned((size_t)program->batch * sizeof *list);
    if (!list) return error_set(error, "out of memory");
    struct program_call call = program_memory_call(input->memory, pool_parallel, input->pool);
    struct thread_choice choice;
    thread_choice_init(&choice, input->pool);
    if (program->prepare) program->prepare(&call);
    for (long done = 0, count; done < input->count; done += count) {
        count = input->count - done < program->batch ? input->count - done : program->batch;
        run_batch(input, &choice, program->predict, &call, done, count, list, false);
        memcpy(predictions + done * program->output_size, input->memory->predictions,
               (size_t)(count * program->output_size) * sizeof(float));
    }
    free(list);
    return true;
}
