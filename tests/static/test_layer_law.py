#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may include whom, and what the pure layers import.

usage: test_layer_law.py SOURCE_ROOT ARCHIVE...

The law is the table in docs/ARCHITECTURE.md ("mm <- base"), read from there. Any
layer but the shim may include base. The layers of COMPOSED put the whole together,
and may include all that those they stand on stand on; every other layer includes
what its own row names, and no more. spec/ is for those who know bits.

ARCHIVES are the static libraries of the pure layers: together they import memory
and string functions, formatting into memory, and nothing that could ask the
operating system for something. What each shows to others begins with its name.
"""
import os
import pathlib
import re
import subprocess
import sys

COMPOSED = {"driver", "lib", "daemon", "cli"}
USES_SPEC = {"base", "mm", "gpu", "machine", "trace"}
PUBLIC = {"lib", "cli"}  # may include include/vkfd
WITHOUT_BASE = {"shim"}

# Headers of the language, and of what is pure: no layer of PURE includes others.
PURE = {"base", "mm", "gpu", "topology", "trace", "machine", "kfd", "drm", "dmabuf", "driver"}
LANGUAGE = set("""
    ctype.h errno.h inttypes.h limits.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h
    stdlib.h string.h strings.h
""".split())
ALSO = {  # macros of probes, constants and types of the uAPI, and the parser of machine files
    "base": {"sys/sdt.h"},
    "kfd": {"linux/kfd_ioctl.h"},
    "drm": {"drm.h", "amdgpu_drm.h"},
    "dmabuf": {"linux/dma-buf.h"},
    "machine": {"jansson.h", "sys/mman.h"},
    "driver": {"sys/types.h"},
}

IMPORTS = set("""
    memcpy memset memcmp memmove memchr bcmp
    strlen strnlen strcmp strncmp strcasecmp strchr strrchr strstr strspn strcspn strcpy
    snprintf vsnprintf
    __popcountdi2 __stack_chk_fail _GLOBAL_OFFSET_TABLE_
""".split())
MACHINE_IMPORTS = set("sscanf strtol strtoul strtoull strtod __ctype_b_loc __errno_location".split())
# The defaults behind base/env.h and the panic hook, each in the one member that has it.
MEMBER_IMPORTS = {"env.c.o": {"calloc", "free"}, "panic.c.o": {"abort"}}
INSTRUMENTED = re.compile(r"__odr_asan|__(asan|ubsan|tsan|lsan|sanitizer|gcov|llvm)_|__start___|__stop___")

SHOWS = {
    "base": ("vkf_",),
    "machine": ("machine_", "tree_", "vkf_nearest"),
}


def read_law(text):
    """{layer: what its row names} of the table under "## Layers"."""
    law = {}
    section = text.split("\n## Layers\n", 1)[1].split("\n## ", 1)[0]
    for line in re.findall(r"^    (\S.*)$", section, re.M):
        for entry in re.split(r"\s{2,}", line.strip()):
            left, right = entry.split(" <- ")
            below = set() if right == "nothing" else set(re.split(r",\s*", right))
            for layer in re.split(r",\s*", left):
                law[layer] = below
    return law


def allowed(law, layer):
    below = set(law[layer])
    if layer in COMPOSED:
        todo = list(below)
        while todo:
            for lower in law[todo.pop()] - below:
                below.add(lower)
                todo.append(lower)
    if layer not in WITHOUT_BASE:
        below.add("base")
    if layer in USES_SPEC:
        below.add("spec")
    if layer in PUBLIC:
        below.add("vkfd")
    return below | {layer}


def quoted(text):
    return re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.M)


def angled(text):
    return re.findall(r"^\s*#\s*include\s*<([^>]+)>", text, re.M)


def bad_includes(law, layer, text):
    found = []
    for name in quoted(text):
        folder = name.split("/")[0] if "/" in name else "(no folder)"
        if folder not in allowed(law, layer):
            found.append(name)
    if layer in PURE:
        found += [n for n in angled(text) if n not in LANGUAGE | ALSO.get(layer, set())]
    return found


def check_includes(root, law):
    errors, seen = [], 0
    for path in sorted((root / "src").rglob("*.[ch]")):
        layer = path.relative_to(root / "src").parts[0]
        seen += 1
        if layer not in law:
            errors.append(f"{path.relative_to(root)}: src/{layer} is not in docs/ARCHITECTURE.md")
            continue
        errors += [f"{path.relative_to(root)} includes {name}"
                   for name in bad_includes(law, layer, path.read_text())]
    if seen < 100:
        errors.append(f"found only {seen} sources under {root}/src")
    return errors


def symbols(nm_text):
    """[(member, kind, name)] of `nm ARCHIVE`."""
    found, member = [], ""
    for line in nm_text.splitlines():
        words = line.split()
        if line.endswith(":"):
            member = os.path.basename(line[:-1])  # of a thin archive it is a path
        elif len(words) >= 2 and len(words[-2]) == 1:
            found.append((member, words[-2], words[-1]))
    return found


def plain(name):
    """As it is without fortification: __snprintf_chk and __isoc99_sscanf."""
    name = re.sub(r"^__(\w+)_chk$", r"\1", name)
    return re.sub(r"^__isoc\d+_", "", name)


def bad_imports(archives):
    """@archives: {layer: [(member, kind, name)]}. What is imported and must not be."""
    defined = {name for syms in archives.values() for _, kind, name in syms if kind not in "Uw"}
    errors = []
    for layer, syms in archives.items():
        for member, kind, name in syms:
            known = IMPORTS | MEMBER_IMPORTS.get(member, set())
            if layer == "machine":
                known = known | MACHINE_IMPORTS
                if name.startswith("json_"):
                    continue
            if kind in "Uw" and name not in defined and not INSTRUMENTED.match(name) \
                    and name not in known and plain(name) not in known:
                errors.append(f"src/{layer}: {member} imports {name}")
    return errors


def bad_names(archives):
    errors = []
    for layer, syms in archives.items():
        prefixes = SHOWS.get(layer, (layer + "_",))
        for member, kind, name in syms:
            if kind in "TDBRV" and not name.startswith(prefixes) and not INSTRUMENTED.match(name):
                errors.append(f"src/{layer}: {member} shows {name}, which does not begin with "
                              f"{' or '.join(prefixes)}")
    return errors


def self_check():
    """The rules do refuse what they are for."""
    law = read_law("\n## Layers\n\n    base <- nothing     mm <- base\n    gpu <- base\n"
                   "    kfd, drm <- mm\n    driver <- kfd\n\ntext\n## Next\n    x <- y\n")
    assert law == {"base": set(), "mm": {"base"}, "gpu": {"base"}, "kfd": {"mm"}, "drm": {"mm"},
                   "driver": {"kfd"}}, law
    assert bad_includes(law, "mm", '#include "gpu/ctrl.h"\n#include "base/list.h"') == ["gpu/ctrl.h"]
    assert bad_includes(law, "base", '#include "mm/bo.h"') == ["mm/bo.h"]
    assert bad_includes(law, "kfd", '#  include "gpu/ctrl.h"') == ["gpu/ctrl.h"]
    assert bad_includes(law, "mm", '#include "bo.h"') == ["bo.h"]
    assert bad_includes(law, "mm", "#include <pthread.h>\n#include <string.h>") == ["pthread.h"]
    assert not bad_includes(law, "driver", '#include "mm/bo.h"\n#include "base/ref.h"')
    assert bad_includes(law, "driver", '#include "gpu/ctrl.h"') == ["gpu/ctrl.h"]
    mm = symbols("bo.c.o:\n         U clock_gettime\n   U memcpy\n   U vkf_free\n0000 T mm_bo_put\n")
    base = symbols("env.c.o:\n   U calloc\n0000 T vkf_free\nlock.c.o:\n   U calloc\n0000 T lock\n")
    assert bad_imports({"mm": mm, "base": base}) == ["src/mm: bo.c.o imports clock_gettime",
                                                     "src/base: lock.c.o imports calloc"]
    assert len(bad_names({"mm": mm, "base": base})) == 1
    assert plain("__snprintf_chk") == "snprintf" and plain("__isoc99_sscanf") == "sscanf"


def main():
    self_check()
    root = pathlib.Path(sys.argv[1])
    law = read_law((root / "docs/ARCHITECTURE.md").read_text())
    archives = {}
    for archive in sys.argv[2:]:
        layer = re.match(r"libvkfd-(\w+)\.a$", os.path.basename(archive)).group(1)
        nm = subprocess.run(["nm", archive], check=True, capture_output=True, text=True).stdout
        archives[layer] = symbols(nm)
    errors = check_includes(root, law) + bad_imports(archives) + bad_names(archives)
    if set(archives) != PURE:
        errors.append(f"wanted the archives of {sorted(PURE)}, got {sorted(archives)}")
    for error in errors:
        print(error)
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
