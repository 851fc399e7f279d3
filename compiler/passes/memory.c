/* memory.c: the arena planner (see memory.h).
 *
 * Buffers are placed one after the other, each into the smallest gap between those placed before
 * that live at the same time, at the gap's low or high end. (In a chain where each buffer meets
 * only the next, low and high must alternate.) The result depends on order and ends: several are
 * tried, and the best is improved by small random changes. */
#include "memory.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    SEARCH_STEPS = 3000000, /* looks at a placed buffer; some five milliseconds */
    SEARCH_ROUNDS = 3000,
};

/* A buffer with a size as the planner sees it. */
struct item {
    int number; /* in the caller's array */
    int first, last;
    bool high; /* goes to the high end of its gap */
    long size, offset;
    long key; /* what an order sorts by */
};

struct planner {
    struct item *items;
    int count;
    int *order, *best_order; /* numbers of items */
    int *placed;             /* numbers of items placed so far, by offset */
    bool *best_high;
    long *best_offset;
    long best, lower_bound, steps;
};

static long align(long bytes, long alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

static int last_of(const struct memory_buffer *buffer) {
    return buffer->last > buffer->first ? buffer->last : buffer->first;
}

long memory_lower_bound(const struct memory_buffer *buffers, int count, long alignment) {
    long most = 0;
    for (int i = 0; i < count; i++) { /* the maximum is reached where some buffer begins */
        long sum = 0;
        for (int j = 0; j < count; j++)
            if (buffers[j].first <= buffers[i].first && buffers[i].first <= last_of(&buffers[j]))
                sum += align(buffers[j].bytes, alignment);
        if (sum > most) most = sum;
    }
    return most;
}

/* The offset for an item: in the smallest gap that holds it among the placed ones that are alive
 * with it, else behind them. An arena of the lower bound's size ends the last gap. */
static long find_offset(struct planner *planner, const struct item *item, int placed_count) {
    long end = 0, best = -1, smallest = LONG_MAX;
    for (int k = 0; k <= placed_count; k++) {
        long begin_of_next = planner->lower_bound, end_of_next = end;
        if (k < placed_count) {
            const struct item *other = &planner->items[planner->placed[k]];
            if (other->first > item->last || item->first > other->last) continue;
            begin_of_next = other->offset;
            end_of_next = other->offset + other->size;
        }
        long gap = begin_of_next - end;
        if (gap >= item->size && gap < smallest) {
            smallest = gap;
            best = item->high ? begin_of_next - item->size : end;
        }
        if (end_of_next > end) end = end_of_next;
    }
    planner->steps += placed_count;
    return best >= 0 ? best : end;
}

/* Places all items in the order; returns the size of the arena, or LONG_MAX as soon as it exceeds
 * `limit`. */
static long place(struct planner *planner, long limit) {
    long top = 0;
    for (int i = 0; i < planner->count; i++) {
        struct item *item = &planner->items[planner->order[i]];
        item->offset = find_offset(planner, item, i);
        if (item->offset + item->size > top) top = item->offset + item->size;
        if (top > limit) return LONG_MAX;
        int k = i;
        while (k > 0 && planner->items[planner->placed[k - 1]].offset > item->offset) {
            planner->placed[k] = planner->placed[k - 1];
            k--;
        }
        planner->placed[k] = planner->order[i];
    }
    return top;
}

static void keep(struct planner *planner, long top) {
    planner->best = top;
    for (int i = 0; i < planner->count; i++) {
        planner->best_offset[i] = planner->items[i].offset;
        planner->best_order[i] = planner->order[i];
        planner->best_high[i] = planner->items[i].high;
    }
}

static int compare_keys(const void *a, const void *b) {
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return x->number - y->number;
}

enum order_kind { BY_SIZE, BY_AREA, BY_LIFETIME, BY_FIRST, BY_LAST, BY_LAST_REVERSED, ORDER_COUNT };

static long order_key(const struct item *item, enum order_kind kind) {
    long lifetime = (long)item->last - item->first + 1;
    switch (kind) {
    case BY_SIZE: return item->size;
    case BY_AREA: return item->size > LONG_MAX / lifetime ? LONG_MAX : item->size * lifetime;
    case BY_LIFETIME: return lifetime;
    case BY_FIRST: return -(long)item->first;
    case BY_LAST: return -(long)item->last;
    default: return item->last;
    }
}

static void place_in_order(struct planner *planner) {
    long top = place(planner, planner->best - 1);
    if (top < planner->best) keep(planner, top);
}

static void try_order(struct planner *planner, struct arena *arena, enum order_kind kind) {
    struct item **sorted = ARENA_ARRAY(arena, struct item *, planner->count);
    for (int i = 0; i < planner->count; i++) {
        planner->items[i].key = order_key(&planner->items[i], kind);
        planner->items[i].high = false;
        sorted[i] = &planner->items[i];
    }
    qsort(sorted, (size_t)planner->count, sizeof(struct item *), compare_keys);
    for (int i = 0; i < planner->count; i++) planner->order[i] = (int)(sorted[i] - planner->items);
    place_in_order(planner);
    for (int i = 0; i < planner->count; i++) sorted[i]->high = i % 2;
    place_in_order(planner);
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Moves the item at position `from` of the order to `to`, which is before. */
static void move_forward(int *order, int from, int to) {
    int item = order[from];
    for (int i = from; i > to; i--) order[i] = order[i - 1];
    order[to] = item;
}

/* Some item that ends at the top in the best plan: its position in the order. */
static int position_at_top(const struct planner *planner, uint32_t *state) {
    int found = 0, position = 0;
    for (int i = 0; i < planner->count; i++) {
        int number = planner->best_order[i];
        if (planner->best_offset[number] + planner->items[number].size < planner->best) continue;
        if (next_random(state) % (uint32_t)++found == 0) position = i;
    }
    return position;
}

/* The position of a random item, rather of a large one: small ones find a gap. */
static int random_position(const struct planner *planner, uint32_t *state) {
    uint32_t count = (uint32_t)planner->count;
    int a = (int)(next_random(state) % count), b = (int)(next_random(state) % count);
    return planner->items[planner->order[a]].size > planner->items[planner->order[b]].size ? a : b;
}

/* One to three small changes to the best plan: an item moves forward or to the other end. The first
 * one is at the top of the arena. */
static void change(struct planner *planner, uint32_t *state) {
    for (int i = 0; i < planner->count; i++) {
        planner->order[i] = planner->best_order[i];
        planner->items[i].high = planner->best_high[i];
    }
    int from = position_at_top(planner, state), changes = 1 + (int)(next_random(state) % 3);
    for (int c = 0; c < changes; c++) {
        struct item *item = &planner->items[planner->order[from]];
        uint32_t what = next_random(state) % 4;
        if (what == 0) item->high = !item->high;
        if (what != 0)
            move_forward(planner->order, from, (int)(next_random(state) % (uint32_t)(from + 1)));
        from = random_position(planner, state);
    }
}

/* Keeps changes that are not worse, until the arena is within 2.5 percent of the bound or the effort
 * is spent. */
static void improve(struct planner *planner) {
    uint32_t state = 1;
    for (int round = 0; round < SEARCH_ROUNDS && planner->steps < SEARCH_STEPS; round++) {
        if (planner->best - planner->lower_bound <= planner->lower_bound / 40) return;
        change(planner, &state);
        long top = place(planner, planner->best);
        if (top <= planner->best) keep(planner, top);
    }
}

long memory_plan(struct arena *arena, struct memory_buffer *buffers, int count, long alignment) {
    struct planner planner = {.items = ARENA_ARRAY(arena, struct item, count),
                              .order = ARENA_ARRAY(arena, int, count),
                              .best_order = ARENA_ARRAY(arena, int, count),
                              .placed = ARENA_ARRAY(arena, int, count),
                              .best_high = ARENA_ARRAY(arena, bool, count),
                              .best_offset = ARENA_ARRAY(arena, long, count),
                              .best = LONG_MAX};
    for (int i = 0; i < count; i++) {
        buffers[i].offset = 0;
        if (buffers[i].bytes <= 0) continue; /* nothing can overlap it */
        planner.items[planner.count++] = (struct item){.number = i,
                                                       .first = buffers[i].first,
                                                       .last = last_of(&buffers[i]),
                                                       .size = align(buffers[i].bytes, alignment)};
    }
    if (planner.count == 0) return 0;
    planner.lower_bound = memory_lower_bound(buffers, count, alignment);
    for (int kind = 0; kind < ORDER_COUNT && planner.best > planner.lower_bound; kind++)
        try_order(&planner, arena, (enum order_kind)kind);
    improve(&planner);
    for (int i = 0; i < planner.count; i++)
        buffers[planner.items[i].number].offset = planner.best_offset[i];
    return planner.best;
}
