# make           builds ./lathe              make smoke   tests of seconds
# make test      the tests the README names  make slow    the long tests too
# make demo      trains the first model      make bench   compares with other frameworks
# make cross     emitted models on other processors
# make experiments  trains the published experiments and prints their table
# make report-test  opens reports in Chromium, which it installs
# make clean
# make install PREFIX=/usr/local             DESTDIR is honoured
CC = gcc
BUILD = build
PREFIX = /usr/local
WARNINGS = -Wall -Wextra -Wpedantic -Werror
CFLAGS = -O2 -g
# SANITIZE=1 builds everything with ASan and UBSan into build/sanitize.
ifdef SANITIZE
BUILD = build/sanitize
CFLAGS = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
LUA_CFLAGS = -I/usr/include/lua5.4
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(LUA_CFLAGS) -pthread
# Modules that a C compiler built and jit loaded call lathe_sgemm of the executable.
EXPORTS = -Wl,--export-dynamic-symbol=lathe_sgemm
LIBRARIES = -llua5.4 $(BUILD)/libtcc.a -lcjson -lpng -lprotobuf-c -lz -ldl -lm -pthread

# The tcc library: microkernels printed by the compiler itself, one set a target.
TARGETS = $(if $(filter x86_64,$(shell uname -m)),x86-64-v4 x86-64-v3 generic,generic)
MICROKERNEL_CFLAGS = -std=gnu11 -O2 -ftree-vectorize -fvect-cost-model=dynamic -fno-math-errno \
	-fno-trapping-math -fno-delete-null-pointer-checks -ffp-contract=off $(WARNINGS)
MARCH_x86-64-v4 = -march=x86-64-v4 -mprefer-vector-width=512
MARCH_x86-64-v3 = -march=x86-64-v3
MARCH_generic =

PRINTER_SOURCES = compiler/kernel/print_microkernels.c compiler/kernel/microkernel.c \
	$(filter-out %_library.c,$(wildcard compiler/kernel/microkernel_*.c)) compiler/kernel/target.c \
	compiler/base/arena.c compiler/base/text.c
SOURCES = $(filter-out compiler/main.c compiler/kernel/print_microkernels.c, \
	$(wildcard compiler/*.c compiler/*/*.c runtime/*.c))
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/runtime/event.pb-c.o $(TARGETS:%=$(BUILD)/microkernels_%.o)
TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))
SLOW_TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/slow_*.c))
CROSS_TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/cross/*.c))

all: lathe
lathe: $(BUILD)/lathe
	cp $< $@
$(BUILD)/lathe: $(BUILD)/compiler/main.o $(BUILD)/liblathe.a
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(EXPORTS) $(LIBRARIES)
$(BUILD)/liblathe.a: $(OBJECTS) | $(BUILD)/libtcc.a
	rm -f $@
	ar rcs $@ $(OBJECTS)
# libtcc takes its memory from jit/tcc_memory.c.
$(BUILD)/libtcc.a: $(shell $(CC) -print-file-name=libtcc.a)
	@mkdir -p $(@D)
	objcopy $(foreach f,malloc calloc realloc free,--redefine-sym $f=libtcc_$f) $< $@

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/compiler/commands/bench_report.o: ALL_CFLAGS += -DMICROKERNEL_FLAGS='"$(filter-out -W%,$(MICROKERNEL_CFLAGS))"'
$(BUILD)/compiler/frontend/lua_modules.o: $(wildcard compiler/frontend/*.lua)

# TensorBoard's messages: protobuf-c makes their C from the description.
$(BUILD)/runtime/event.pb-c.c: runtime/event.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=runtime --c_out=$(@D) $<
$(BUILD)/runtime/event.pb-c.o: $(BUILD)/runtime/event.pb-c.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(BUILD)/runtime/event_file.o: $(BUILD)/runtime/event.pb-c.c
$(BUILD)/runtime/event_file.o: ALL_CFLAGS += -I$(BUILD)/runtime

$(BUILD)/print_microkernels: $(PRINTER_SOURCES) $(wildcard compiler/kernel/*.h compiler/base/*.h)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $(PRINTER_SOURCES) -lm
$(BUILD)/microkernels_%.c: $(BUILD)/print_microkernels
	$< $* > $@.new
	mv $@.new $@
$(BUILD)/microkernels_%.o: $(BUILD)/microkernels_%.c
	$(CC) $(MICROKERNEL_CFLAGS) $(MARCH_$*) -g -c -o $@ $<

$(BUILD)/tests/%: tests/%.c $(BUILD)/liblathe.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -MT $@ -I. -o $@ $< $(BUILD)/liblathe.a $(EXPORTS) -lcmocka $(LIBRARIES)

# The programs of the test run: once plain, once under the sanitizers. (Of lathe's own code, two of
# them run no more than test_emit does, and test_winograd, six minutes of which are its sums in double,
# hardly more than test_kernels: `make slow` runs that one under the sanitizers.)
PLAIN_TESTS = %/test_cross %/test_emit_checks %/test_winograd
SANITIZED = $(if $(SANITIZE),,$(patsubst build/%,build/sanitize/%,$(filter-out $(PLAIN_TESTS),$(TESTS))))
SMOKE_TESTS = $(filter-out $(LONG_TESTS:%=$(BUILD)/tests/%),$(TESTS))
LONG_TESTS = test_winograd test_emit test_pytorch test_kernels test_bench test_bench_numbers
# Long ones first, so that no processor waits for them at the end.
longest_first = $(foreach l,$(LONG_TESTS),$(filter %/$l,$1)) $(filter-out $(addprefix %/,$(LONG_TESTS)),$1)

test_programs: $(BUILD)/lathe $(TESTS)
sanitized_programs:
	+$(MAKE) SANITIZE=1 test_programs
smoke: $(BUILD)/lathe $(SMOKE_TESTS)
	sh tests/run.sh $(SMOKE_TESTS)
test: test_programs $(if $(SANITIZE),,lathe sanitized_programs)
	sh tests/run.sh $(call longest_first,$(TESTS) $(SANITIZED))
slow: test_programs lathe $(SLOW_TESTS) sanitized_programs
	TEST_SECONDS=20000 sh tests/run.sh $(BUILD)/tests/slow_emit
	cat build/emitted/tables.md
	sh tests/run.sh $(call longest_first,$(filter-out %/slow_emit,$(SLOW_TESTS)) $(TESTS) $(SANITIZED) \
		build/sanitize/tests/test_winograd)
# Emitted models on other processors.
cross: lathe $(CROSS_TESTS)
	sh tests/setup.sh cross
	TEST_SECONDS=10000 sh tests/run.sh $(CROSS_TESTS)
	sh tests/cross/cortex_m.sh
	cat build/cross/*.md
# MODELS="a1 d0" limits it; BENCH_OPTIONS="--rounds 5 --seconds 2": tests/bench/bench.py --help
bench: lathe
	/usr/bin/python3 tests/bench/bench.py $(MODELS) $(BENCH_OPTIONS)
# What share of the machine's limits convolutions of many shapes reach: tests/bench/convolutions.py --help
bench-convolutions: lathe
	/usr/bin/python3 tests/bench/convolutions.py $(BENCH_OPTIONS)
# The published experiments: the table of models/README.md, about two hours. EXPERIMENTS="A1 C5" limits
# it, EXPERIMENT_OPTIONS=--heavy runs the heavy rows in whole: tests/experiments/experiments.py --help
experiments: lathe
	sh tests/setup.sh experiments
	/usr/bin/python3 -B tests/experiments/experiments.py $(EXPERIMENTS) $(EXPERIMENT_OPTIONS)
# Predictions of emitted C beside the process and textbook loops: tests/bench/emitted.py --help
bench-emitted: lathe
	/usr/bin/python3 tests/bench/emitted.py $(BENCH_OPTIONS)
# The memory of training: emitted C beside PyTorch: tests/bench/memory.py --help
bench-memory: lathe
	/usr/bin/python3 tests/bench/memory.py $(BENCH_OPTIONS)
# Chromium is large: only this target installs it.
report-test: $(BUILD)/lathe $(BUILD)/tests/test_report $(BUILD)/tests/slow_report
	sh tests/setup.sh report
	sh tests/run.sh $(BUILD)/tests/test_report $(BUILD)/tests/slow_report
demo: lathe
	sh tests/demo.sh

install: lathe
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/lathe
	install -m 755 lathe $(DESTDIR)$(PREFIX)/bin/lathe
	install -m 644 README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/lathe

.PHONY: all bench bench-convolutions bench-emitted bench-memory clean cross demo experiments install report-test sanitized_programs slow smoke test test_programs
.SECONDARY:
clean:
	rm -rf build lathe
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
