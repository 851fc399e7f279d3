/* startup.c: brings a Cortex-M with a floating-point unit from reset to main(). */
#include "board.h"

#include <stdint.h>

/* Set by board.ld. */
extern uint32_t data_load[], data_begin[], data_end[], bss_begin[], bss_end[];
extern uint32_t stack_begin[], stack_end[];

int main(void);
void reset(void);

enum { PAINT = 0x5AFEC0DE };

#define COPROCESSORS (*(volatile uint32_t *)0xE000ED88)

/* A call of the debugger, see Arm's "Semihosting for AArch32 and AArch64". */
static void semihosting(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void put_text(const char *text) {
    semihosting(0x04, text); /* SYS_WRITE0 */
}

static void leave(uint32_t status) {
    const uint32_t why[2] = {0x20026 /* the application's own exit */, status};
    semihosting(0x20, why); /* SYS_EXIT_EXTENDED */
    for (;;) {
    }
}

static void fault(void) {
    put_text("fault\n");
    leave(3);
}

unsigned long stack_size(void) {
    return (unsigned long)((char *)stack_end - (char *)stack_begin);
}

unsigned long stack_used(void) {
    const uint32_t *lowest = stack_begin;
    while (lowest < stack_end && *lowest == PAINT) lowest++;
    return (unsigned long)((const char *)stack_end - (const char *)lowest);
}

/* Paints the stack below this function's own words. */
static void paint_stack(void) {
    volatile uint32_t *word = stack_begin;
    const uintptr_t end = (uintptr_t)stack_end - 256;
    for (; (uintptr_t)word < end; word++) *word = PAINT;
}

/* volatile: these loops are no calls of memcpy and memset. */
void reset(void) {
    volatile uint32_t *to;
    const uint32_t *from = data_load;
    COPROCESSORS |= 0xFu << 20; /* full access to the floating-point unit */
    __asm__ volatile("dsb\n isb");
    for (to = data_begin; to < data_end; to++) *to = *from++;
    for (to = bss_begin; to < bss_end; to++) *to = 0;
    paint_stack();
    leave((uint32_t)main());
}

/* What the processor finds at address 0. */
struct vectors {
    const void *stack;
    void (*reset)(void);
    void (*exceptions[14])(void); /* NMI, faults and the processor's interrupts */
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    stack_end,
    reset,
    {fault, fault, fault, fault, fault},
};
