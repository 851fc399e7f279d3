/* lua_modules.h: the Lua files of this folder, embedded in the program. */
#ifndef LATHE_LUA_MODULES_H
#define LATHE_LUA_MODULES_H

/* Texts, ending with a NUL. */
extern const char lua_module_sandbox[], lua_module_nn[], lua_module_sweep[];

#endif
