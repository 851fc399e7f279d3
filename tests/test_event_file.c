/* test_event_file.c: TensorBoard's files, read back by a reader of its own: records, checksums by
 * table, the wire format of protocol buffers; it shares nothing with the writer. */
#include "tests/command_run.h"
#include "runtime/event_file.h"

#include <dirent.h>
#include <math.h>
#include <stdint.h>

static struct error error;
static char logs[256]; /* the folder of a file */

/* --- CRC-32C with a table made from its polynomial, most significant bit first --- */

static uint32_t reflect(uint32_t x, int bits) {
    uint32_t result = 0;
    for (int i = 0; i < bits; i++) result |= (x >> i & 1) << (bits - 1 - i);
    return result;
}

static uint32_t crc32c(const uint8_t *data, size_t size) {
    static uint32_t table[256];
    uint32_t crc = 0xffffffffu;
    for (uint32_t i = 0; i < 256 && !table[255]; i++) {
        table[i] = i << 24;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] << 1 ^ (table[i] >> 31 ? 0x1edc6f41u : 0);
    }
    for (size_t i = 0; i < size; i++)
        crc = crc << 8 ^ table[(crc >> 24 ^ reflect(data[i], 8)) & 255];
    return reflect(~crc, 32);
}

static uint64_t little_endian(const uint8_t *data, int bytes) {
    uint64_t number = 0;
    for (int i = bytes - 1; i >= 0; i--) number = number << 8 | data[i];
    return number;
}

static uint32_t unmask(uint64_t masked) {
    uint32_t turned = (uint32_t)masked - 0xa282ead8u;
    return turned >> 17 | turned << 15;
}

/* --- the wire format --- */

struct field {
    unsigned number, type;
    uint64_t value;       /* of a varint, or the bits of a fixed number */
    const uint8_t *bytes; /* of a length-delimited one */
    size_t size;
};

static uint64_t varint(const uint8_t **at, const uint8_t *end) {
    uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(*at < end && shift < 64);
        number |= (uint64_t)(**at & 127) << shift;
        if (!(*(*at)++ & 128)) return number;
    }
}

static bool next_field(const uint8_t **at, const uint8_t *end, struct field *field) {
    if (*at == end) return false;
    uint64_t key = varint(at, end);
    *field = (struct field){.number = (unsigned)(key >> 3), .type = (unsigned)(key & 7)};
    size_t bytes = field->type == 1 ? 8 : field->type == 5 ? 4 : 0;
    if (field->type == 0) {
        field->value = varint(at, end);
    } else if (field->type == 2) {
        field->size = varint(at, end);
        field->bytes = *at;
        bytes = field->size;
    } else {
        assert_true(bytes > 0);
        field->value = little_endian(*at, (int)bytes);
    }
    assert_true(bytes <= (size_t)(end - *at));
    *at += bytes;
    return true;
}

static double as_double(uint64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static float as_float(uint64_t bits) {
    uint32_t low = (uint32_t)bits;
    float number;
    memcpy(&number, &low, sizeof number);
    return number;
}

/* --- events --- */

struct event {
    double wall_time;
    long step;
    char version[32], tag[64];
    bool starts, has_scalar, has_histogram;
    float scalar;
    double least, largest, number, sum, squares, limits[64], counts[64];
    size_t limit_count, count_count;
};

static void read_text(const struct field *field, char *text, size_t room) {
    assert_true(field->type == 2 && field->size < room);
    memcpy(text, field->bytes, field->size);
    text[field->size] = '\0';
}

static size_t read_doubles(const struct field *field, double *numbers) {
    assert_true(field->type == 2 && field->size % 8 == 0 && field->size <= 64 * 8);
    for (size_t i = 0; i < field->size / 8; i++)
        numbers[i] = as_double(little_endian(field->bytes + 8 * i, 8));
    return field->size / 8;
}

static void read_histogram(const struct field *message, struct event *event) {
    double *const plain[] = {NULL,           &event->least, &event->largest,
                             &event->number, &event->sum,   &event->squares};
    const uint8_t *at = message->bytes, *end = at + message->size;
    struct field field;
    event->has_histogram = true;
    while (next_field(&at, end, &field)) {
        if (field.number == 6)
            event->limit_count = read_doubles(&field, event->limits);
        else if (field.number == 7)
            event->count_count = read_doubles(&field, event->counts);
        else
            *plain[field.number] = as_double(field.value);
    }
}

static void read_summary(const struct field *message, struct event *event) {
    const uint8_t *at = message->bytes, *end = at + message->size;
    struct field value, field;
    assert_true(next_field(&at, end, &value) && value.number == 1 && at == end);
    at = value.bytes;
    while (next_field(&at, value.bytes + value.size, &field)) {
        if (field.number == 1) read_text(&field, event->tag, sizeof event->tag);
        if (field.number == 2) {
            assert_int_equal(field.type, 5);
            event->scalar = as_float(field.value);
            event->has_scalar = true;
        }
        if (field.number == 5) read_histogram(&field, event);
    }
}

static void read_event(const uint8_t *at, size_t size, struct event *event) {
    const uint8_t *end = at + size, *inner;
    struct field field, status;
    *event = (struct event){.step = 0};
    while (next_field(&at, end, &field)) {
        switch (field.number) {
        case 1: event->wall_time = as_double(field.value); break;
        case 2: event->step = (long)field.value; break;
        case 3: read_text(&field, event->version, sizeof event->version); break;
        case 5: read_summary(&field, event); break;
        case 7:
            inner = field.bytes;
            assert_true(next_field(&inner, inner + field.size, &status));
            event->starts = status.number == 1 && status.value == 1;
            break;
        default: fail_msg("field %u", field.number);
        }
    }
}

/* All events of the only file of a folder, which is removed; every checksum is checked. */
static int read_file(const char *name, struct event *events, int most) {
    char path[600] = "";
    DIR *directory = opendir(name);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        assert_int_equal(strncmp(entry->d_name, "events.out.tfevents.", 20), 0);
        assert_string_equal(path, "");
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
    }
    closedir(directory);
    size_t size;
    uint8_t *bytes = (uint8_t *)files_read(path, &size, &error);
    assert_non_null(bytes);
    int count = 0;
    for (size_t at = 0; at < size; count++) {
        assert_true(count < most && at + 12 <= size);
        size_t length = little_endian(bytes + at, 8);
        assert_int_equal(unmask(little_endian(bytes + at + 8, 4)), crc32c(bytes + at, 8));
        assert_true(length + 16 <= size - at);
        assert_int_equal(unmask(little_endian(bytes + at + 12 + length, 4)),
                         crc32c(bytes + at + 12, length));
        read_event(bytes + at + 12, length, &events[count]);
        at += length + 16;
    }
    free(bytes);
    unlink(path);
    return count;
}

/* --- tests --- */

static void the_checksum_is_crc32c(void **state) {
    (void)state; /* RFC 3720, B.4, and the usual check value */
    const uint8_t zeros[32] = {0};
    assert_int_equal(crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(zeros, 32), 0x8a9136aau);
}

static void scalars_come_back(void **state) {
    struct event events[8];

    (void)state;
    struct event_file *file = event_file_new(logs, 0, &error);
    if (!file) fail_msg("%s", error.text);
    assert_true(event_file_scalar(file, 0, "epoch_loss", 2.25, &error));
    assert_true(event_file_scalar(file, 300, "epoch_accuracy", 0, &error));
    assert_true(event_file_scalar(file, 5000000000, "epoch_loss", -1e-3, &error));
    assert_true(event_file_flush(file, &error));
    event_file_close(file);
    assert_int_equal(read_file(logs, events, 8), 4);
    assert_string_equal(events[0].version, "brain.Event:2");
    assert_true(events[0].wall_time > 1.7e9 && events[3].wall_time >= events[0].wall_time);
    assert_true(events[1].has_scalar && events[1].scalar == 2.25f && events[1].step == 0);
    assert_string_equal(events[1].tag, "epoch_loss");
    assert_true(events[2].has_scalar && events[2].scalar == 0 && events[2].step == 300);
    assert_true(events[3].scalar == -1e-3f && events[3].step == 5000000000);
}

static void a_resumed_run_says_where(void **state) {
    struct event events[4];

    (void)state;
    struct event_file *file = event_file_new(logs, 12, &error);
    assert_non_null(file);
    event_file_close(file);
    assert_int_equal(read_file(logs, events, 4), 2);
    assert_true(events[1].starts && events[1].step == 12);
}

static void histograms_count_every_number(void **state) {
    static float values[1000];
    struct event events[4];
    double sum = 0, squares = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        values[i] = sinf((float)i) * (i % 7 == 0 ? 3 : 1);
        sum += values[i];
        squares += (double)values[i] * values[i];
    }
    struct event_file *file = event_file_new(logs, 0, &error);
    assert_non_null(file);
    assert_true(event_file_histogram(file, 1, "dense/kernel", values, 1000, &error));
    values[1] = NAN;
    for (int i = 2; i < 5; i++) values[i] = 0.5f;
    assert_true(event_file_histogram(file, 2, "dense/bias", values + 1, 4, &error));
    event_file_close(file);
    for (int i = 0; i < 5; i++) values[i] = sinf((float)i) * (i % 7 == 0 ? 3 : 1);
    assert_int_equal(read_file(logs, events, 4), 3);
    const struct event *e = &events[1];
    assert_true(e->has_histogram && e->number == 1000);
    assert_true(fabs(e->sum - sum) < 1e-9 && fabs(e->squares - squares) < 1e-9);
    assert_int_equal(e->limit_count, 30);
    assert_int_equal(e->count_count, 30);
    double total = 0;
    for (int b = 0; b < 30; b++) { /* what lies below each limit, counted anew */
        int below = 0;
        total += e->counts[b];
        for (int i = 0; i < 1000; i++) below += values[i] < e->limits[b] || b == 29;
        assert_true(fabs(total - below) <= 1); /* a value may lie on the limit */
    }
    assert_true(fabs(e->limits[29] - e->largest) < 1e-12 && e->largest > 2.9 && e->least < -2.9);
    e = &events[2]; /* one value, three times; what is not finite is left out */
    assert_true(e->number == 3 && e->least == 0.5 && e->largest == 0.5);
    assert_true(e->limits[0] > 0 && e->limits[29] == 1 && e->counts[15] == 3);
}

/* --- figures of steps: update_freq --- */

enum { STEPS = 10, EPOCHS = 2, BATCH = 64, SAMPLES = 600 };

/* Trains with --callbacks; returns the losses of all steps. */
static void train(const char *callbacks, double losses[EPOCHS * STEPS]) {
    static const char text[] = "return model \"tiny\" { input { 8, 8, 1 }, flatten {}, dense { 3, "
                               "activation = \"softmax\" },\n"
                               "  training = { loss = \"sparse_categorical_crossentropy\", "
                               "batch_size = 64, epochs = 2 } }";
    char *file = path_in(folder, "tiny.lua"), *log = path_in(folder, "losses.csv"), *line;
    write_file(file, text, strlen(text));
    assert_int_equal(RUN("train", file, "--data", data_folder, "--backend", "tcc", "--quiet",
                         "--no-plots", "--save", path_in(folder, "run"), "--losses", log,
                         "--callbacks", (char *)callbacks),
                     0);
    char *csv = line = files_read(log, NULL, NULL);
    assert_non_null(csv);
    for (int i = 0; i < EPOCHS * STEPS; i++) {
        line = strchr(line, '\n') + 1;
        losses[i] = atof(strchr(line, ',') + 1);
    }
    free(csv);
}

/* batch_loss is the mean over the samples of the epoch so far, every `frequency` steps; figures of
 * epochs stand beside. */
static void check_steps(const char *callbacks, int frequency) {
    static struct event events[100];
    double losses[EPOCHS * STEPS], sum = 0, last_loss = 0;
    char name[300];
    train(callbacks, losses);
    snprintf(name, sizeof name, "%s/run/logs/train", folder);
    int count = read_file(name, events, 100), next = 1;
    for (int i = 0; i < EPOCHS * STEPS; i++) {
        int samples = i % STEPS == STEPS - 1 ? SAMPLES : (i % STEPS + 1) * BATCH;
        int own = i % STEPS == STEPS - 1 ? SAMPLES - (STEPS - 1) * BATCH : BATCH;
        sum = (i % STEPS ? sum : 0) + losses[i] * own;
        if ((i + 1) % frequency == 0) {
            assert_true(next + 1 < count);
            assert_string_equal(events[next].tag, "batch_loss");
            assert_int_equal(events[next].step, i + 1);
            last_loss = events[next].scalar;
            assert_true(fabs(last_loss - sum / samples) < 1e-6 * last_loss);
            assert_string_equal(events[next + 1].tag, "batch_accuracy");
            assert_int_equal(events[next + 1].step, i + 1);
            assert_true(events[next + 1].scalar >= 0 && events[next + 1].scalar <= 1);
            next += 2;
        }
        if (i % STEPS != STEPS - 1) continue;
        assert_true(next + 2 < count);
        assert_string_equal(events[next].tag, "epoch_loss");
        assert_int_equal(events[next].step, i / STEPS);
        if ((i + 1) % frequency == 0) assert_true((double)events[next].scalar == last_loss);
        assert_string_equal(events[next + 1].tag, "epoch_accuracy");
        assert_string_equal(events[next + 2].tag, "epoch_learning_rate");
        next += 3;
    }
    assert_int_equal(next, count);
}

static void steps_are_written_as_asked(void **state) {
    (void)state;
    check_steps("tensorboard { update_freq = \"batch\" }", 1);
    check_steps("tensorboard { \"logs\", update_freq = 4 }", 4);
    check_steps("tensorboard {}", 1000);
}

static void wrong_frequencies_are_told(void **state) {
    static const char *const wrong[] = {"0", "\"step\"", "1.5", "true"};
    char callbacks[60];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(callbacks, sizeof callbacks, "tensorboard { update_freq = %s }", wrong[i]);
        assert_int_equal(RUN("train", path_in(folder, "tiny.lua"), "--data", data_folder,
                             "--callbacks", callbacks),
                         2);
        assert_non_null(strstr(errors, "--callbacks:1: tensorboard: update_freq is "));
        assert_non_null(strstr(errors, "; use \"epoch\", \"batch\" or a number of batches"));
    }
}

static int set_up(void **state) {
    (void)state;
    if (make_data() != 0) return -1;
    snprintf(logs, sizeof logs, "%s/logs", folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_crc32c),
        cmocka_unit_test(scalars_come_back),
        cmocka_unit_test(a_resumed_run_says_where),
        cmocka_unit_test(histograms_count_every_number),
        cmocka_unit_test(steps_are_written_as_asked),
        cmocka_unit_test(wrong_frequencies_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, remove_files);
}
