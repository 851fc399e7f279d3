/* event_file.h: TensorBoard's event files: protocol buffers (event.proto) in TFRecord framing. */
#ifndef LATHE_EVENT_FILE_H
#define LATHE_EVENT_FILE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct event_file;

/** Makes a new file events.out.tfevents.TIME.HOST.PID.NUMBER in a folder, which is made too, and
 * writes its first record. With first_step > 0 a second one tells readers to forget what other
 * files of the folder hold from that step on: a run was resumed there. NULL + message on failure.
 */
struct event_file *event_file_new(const char *folder, int64_t first_step, struct error *error);

/** A number under a name, at a step. The event_file_ functions are false + message on failure. */
bool event_file_scalar(struct event_file *file, int64_t step, const char *tag, double value,
                       struct error *error);

/** The distribution of some numbers, in 30 buckets of equal width between least and largest, as
 * tf.summary.histogram does; numbers that are not finite are left out. */
bool event_file_histogram(struct event_file *file, int64_t step, const char *tag,
                          const float *values, long count, struct error *error);

/** Hands what was written to the operating system, so that readers see it. */
bool event_file_flush(struct event_file *file, struct error *error);

/** file may be NULL. */
void event_file_close(struct event_file *file);

#endif
