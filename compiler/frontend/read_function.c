/* read_function.c: functions of a model: a built-in name, or a Lua function traced by nn.lua. */
#include "reader.h"

#include <lauxlib.h>
#include <string.h>

typedef const struct expression *expression;

static bool find_operator(const char *name, enum expression_operator *op, int *arity) {
    static const struct {
        const char *name;
        int arity;
    } operators[] = {
#define X(enumerator, name, arity) {name, arity},
        EXPRESSION_OPERATORS(X)
#undef X
    };
    for (int i = 0; i < EXPRESSION_OPERATOR_COUNT; i++) {
        if (strcmp(operators[i].name, name) != 0) continue;
        *op = (enum expression_operator)i;
        *arity = operators[i].arity;
        return true;
    }
    return false;
}

/* The node on top of the stack: { op = "+", 1, 2 }; its inputs are nodes before it, its operands
 * below `operands`. */
static expression read_node(const struct reader *reader, const expression *nodes, int count,
                            int operands) {
    lua_State *L = reader->L;
    enum expression_operator op;
    int arity;
    expression in[3] = {NULL};
    if (!find_operator(text_field(reader, "op"), &op, &arity)) return NULL;
    if (op == EXPRESSION_CONSTANT || op == EXPRESSION_OPERAND) {
        lua_getfield(L, -1, "value");
        double value = lua_tonumber(L, -1);
        lua_pop(L, 1);
        if (op == EXPRESSION_CONSTANT) return expression_constant(reader->arena, value);
        if (!(value >= 0 && value < operands)) return NULL;
        return expression_operand(reader->arena, (int)value);
    }
    for (int i = 0; i < arity; i++) {
        lua_rawgeti(L, -1, i + 1);
        long number = (long)lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (number < 1 || number > count) return NULL;
        in[i] = nodes[number - 1];
    }
    if (arity == 1) return expression_unary(reader->arena, op, in[0]);
    if (arity == 2) return expression_binary(reader->arena, op, in[0], in[1]);
    if (arity == 3) return expression_select(reader->arena, in[0], in[1], in[2]);
    return NULL;
}

/* Calls nn.lua's trace with the Lua function on top of the stack. */
static bool trace(const struct reader *reader, const struct subject *subject, const char *option,
                  int operands, struct function *function) {
    lua_State *L = reader->L;
    lua_getfield(L, reader->language, "trace");
    lua_pushvalue(L, -2);
    lua_pushinteger(L, operands);
    lua_pushstring(
        L, arena_format(
               reader->arena, "%s:%d: %s%s: %s: ", subject->file, subject->line, subject->kind,
               subject->name ? arena_format(reader->arena, " \"%s\"", subject->name) : "", option));
    lua_call(L, 3, 1); /* what the function raises tells its own file and line */
    int count = (int)lua_rawlen(L, -1);
    expression *nodes = ARENA_ARRAY(reader->arena, expression, count);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, -1, i + 1);
        nodes[i] = read_node(reader, nodes, i, operands);
        lua_pop(L, 1);
        if (!nodes[i]) return subject_error(reader, subject, "%s cannot be traced", option);
    }
    lua_pop(L, 1);
    function->name = "function";
    function->expression = nodes[count - 1];
    return true;
}

bool read_function(const struct reader *reader, const struct subject *subject, const char *option,
                   const char *const *names, int operands, struct function *function) {
    lua_State *L = reader->L;
    if (lua_isfunction(L, -1)) return trace(reader, subject, option, operands, function);
    const char *given = lua_tostring(L, -1);
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], given) != 0) continue;
        *function = (struct function){.name = names[i]};
        return true;
    }
    return unknown_name(reader, subject, option, given, names, ", or a Lua function");
}
