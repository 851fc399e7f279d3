/* event_file.c: writes TensorBoard's event files (see event_file.h).
 *
 * A record is its length (8 bytes, little-endian), the masked CRC-32C of these bytes, the message,
 * and the masked CRC-32C of the message. */
#include "event_file.h"
#include "event.pb-c.h"
#include "files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUCKETS = 30 };

struct event_file {
    FILE *file;
    char *path;
};

/* --- records --- */

/* CRC-32C (Castagnoli), bit by bit: event files are small. */
static uint32_t crc32c(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* A checksum of data that hold checksums is a bad one: TFRecord turns and shifts it. */
static uint32_t masked_crc(const uint8_t *data, size_t size) {
    uint32_t crc = crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_number(uint8_t *out, uint64_t number, int bytes) {
    for (int i = 0; i < bytes; i++) out[i] = (uint8_t)(number >> 8 * i);
}

static bool write_event(struct event_file *file, int64_t step, Tensorboard__Event *event,
                        struct error *error) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    event->step = step;
    size_t size = tensorboard__event__get_packed_size(event);
    uint8_t *record = malloc(size + 16);
    if (!record) return error_set(error, "%s: out of memory", file->path);
    put_number(record, size, 8);
    put_number(record + 8, masked_crc(record, 8), 4);
    tensorboard__event__pack(event, record + 12);
    put_number(record + 12 + size, masked_crc(record + 12, size), 4);
    bool written = fwrite(record, 1, size + 16, file->file) == size + 16;
    free(record);
    return written || error_set(error, "%s: cannot write: %s", file->path, strerror(errno));
}

/* --- files --- */

static bool open_file(struct event_file *file, const char *folder, struct error *error) {
    static int number; /* no two files of this process have one name */
    char host[128] = "", name[256];

    if (!files_make_folder(folder, error)) return false;
    if (gethostname(host, sizeof host - 1) != 0 || strchr(host, '/')) strcpy(host, "localhost");
    snprintf(name, sizeof name, "events.out.tfevents.%lld.%s.%ld.%d", (long long)time(NULL), host,
             (long)getpid(), number++);
    file->path = files_join(folder, name);
    if (!file->path) return error_set(error, "out of memory");
    file->file = fopen(file->path, "wb");
    return file->file || error_set(error, "%s: cannot write: %s", file->path, strerror(errno));
}

static bool begin_file(struct event_file *file, int64_t first_step, struct error *error) {
    Tensorboard__Event version = TENSORBOARD__EVENT__INIT, start = TENSORBOARD__EVENT__INIT;
    Tensorboard__SessionLog log = TENSORBOARD__SESSION_LOG__INIT;

    version.what_case = TENSORBOARD__EVENT__WHAT_FILE_VERSION;
    version.file_version = "brain.Event:2";
    if (!write_event(file, 0, &version, error)) return false;
    if (first_step == 0) return true;
    log.status = TENSORBOARD__SESSION_LOG__SESSION_STATUS__START;
    start.what_case = TENSORBOARD__EVENT__WHAT_SESSION_LOG;
    start.session_log = &log;
    return write_event(file, first_step, &start, error);
}

struct event_file *event_file_new(const char *folder, int64_t first_step, struct error *error) {
    struct event_file *file = calloc(1, sizeof *file);

    if (!file) error_set(error, "out of memory");
    if (file && open_file(file, folder, error) && begin_file(file, first_step, error)) return file;
    event_file_close(file);
    return NULL;
}

bool event_file_flush(struct event_file *file, struct error *error) {
    return fflush(file->file) == 0 ||
           error_set(error, "%s: cannot write: %s", file->path, strerror(errno));
}

void event_file_close(struct event_file *file) {
    if (!file) return;
    if (file->file) fclose(file->file);
    free(file->path);
    free(file);
}

/* --- summaries --- */

static bool write_value(struct event_file *file, int64_t step, Tensorboard__Summary__Value *value,
                        struct error *error) {
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    Tensorboard__Summary summary = TENSORBOARD__SUMMARY__INIT;

    summary.n_value = 1;
    summary.value = &value;
    event.what_case = TENSORBOARD__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return write_event(file, step, &event, error);
}

bool event_file_scalar(struct event_file *file, int64_t step, const char *tag, double value,
                       struct error *error) {
    Tensorboard__Summary__Value message = TENSORBOARD__SUMMARY__VALUE__INIT;

    message.tag = (char *)tag;
    message.value_case = TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
    message.simple_value = (float)value;
    return write_value(file, step, &message, error);
}

bool event_file_histogram(struct event_file *file, int64_t step, const char *tag,
                          const float *values, long count, struct error *error) {
    Tensorboard__Summary__Value message = TENSORBOARD__SUMMARY__VALUE__INIT;
    Tensorboard__HistogramProto histogram = TENSORBOARD__HISTOGRAM_PROTO__INIT;
    double limits[BUCKETS], counts[BUCKETS] = {0}, least = INFINITY, largest = -INFINITY;

    for (long i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        least = fmin(least, values[i]);
        largest = fmax(largest, values[i]);
        histogram.num++;
        histogram.sum += values[i];
        histogram.sum_squares += (double)values[i] * values[i];
    }
    if (histogram.num == 0) least = largest = 0;
    double from = least, width = (largest - least) / BUCKETS;
    if (width == 0) { /* one value: in the middle of a range of 1 */
        from -= 0.5;
        width = 1.0 / BUCKETS;
    }
    for (int i = 0; i < BUCKETS; i++) limits[i] = from + (i + 1) * width;
    for (long i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        int bucket = (int)((values[i] - from) / width);
        counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    }
    histogram.min = least;
    histogram.max = largest;
    histogram.n_bucket_limit = histogram.n_bucket = BUCKETS;
    histogram.bucket_limit = limits;
    histogram.bucket = counts;
    message.tag = (char *)tag;
    message.value_case = TENSORBOARD__SUMMARY__VALUE__VALUE_HISTO;
    message.histo = &histogram;
    return write_value(file, step, &message, error);
}
