/* lua_modules.c: embeds the Lua files of this folder (paths are relative to the repository, where
 * make runs). */
#include "lua_modules.h"

#define EMBED(symbol, path)                       \
    __asm__(".pushsection .rodata\n"              \
            ".global " #symbol "\n" #symbol ":\n" \
            ".incbin \"" path "\"\n"              \
            ".byte 0\n"                           \
            ".popsection\n")

EMBED(lua_module_sandbox, "compiler/frontend/sandbox.lua");
EMBED(lua_module_nn, "compiler/frontend/nn.lua");
EMBED(lua_module_sweep, "compiler/frontend/sweep.lua");
