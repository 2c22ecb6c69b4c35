#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each header compiles alone, twice in a row, and those that are installed in C++, too.

usage: test_headers.py SOURCE_ROOT BUILD_ROOT COMPILER...

A header that needs another one before it is found by compiling it first; one
without a guard by including it again.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

C_FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
           "-Wno-unused-function", "-Wno-missing-field-initializers"]
CXX_FLAGS = ["-std=c++11", "-Wall", "-Wextra", "-Werror"]


def compile_alone(compiler, flags, header, suffix):
    """The compiler's complaint, or ""."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / ("alone" + suffix)
        path.write_text(f'#include "{header}"\n#include "{header}"\nextern int nothing_else;\n')
        r = subprocess.run([*compiler, *flags, "-fsyntax-only", str(path)], capture_output=True,
                           text=True)
    return r.stderr if r.returncode else ""


def guard_of(name):
    return "VKFD_" + re.sub(r"[/.-]", "_", name).upper()


def bad_guard(name, text):
    want = guard_of(name)
    return not re.search(rf"^#ifndef {want}\n#define {want}$", text, re.M)


def library_flags():
    packages = ["libdrm", "jansson", "libsystemd"]
    out = subprocess.run(["pkg-config", "--cflags", *packages], check=True, capture_output=True,
                         text=True).stdout
    return out.split()


def self_check(compiler, cxx):
    """Both compilers do refuse what they should."""
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad.h"
        bad.write_text("uint32_t needs_stdint(void);\n")
        assert compile_alone(compiler, C_FLAGS, bad, ".c")
        bad.write_text("struct twice { int x; };\n")
        assert compile_alone(compiler, C_FLAGS, bad, ".c")
        bad.write_text("#pragma once\nint f(int class);\n")
        assert not compile_alone(compiler, C_FLAGS, bad, ".c")
        assert compile_alone(cxx, CXX_FLAGS, bad, ".cc")
    assert guard_of("mm/pt_update.h") == "VKFD_MM_PT_UPDATE_H"
    assert bad_guard("a/b.h", "#ifndef A_B_H\n#define A_B_H\n")


def main():
    root, build, compiler = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    cxx = [os.environ.get("CXX") or shutil.which("c++") or "g++"]
    self_check(compiler, cxx)
    include = [f"-I{p}" for p in (root / "src", root / "include", root, root / "uapi", build)]
    flags = C_FLAGS + include + library_flags()
    # Every file of src/ by its path below src/, as includes name it.
    internal = sorted(str(p.relative_to(root / "src")) for p in (root / "src").rglob("*.h"))
    public = sorted(str(p.relative_to(root / "include")) for p in (root / "include").rglob("*.h"))
    jobs = [(compiler, flags, h, ".c") for h in internal + public]
    jobs += [(cxx, CXX_FLAGS + [f"-I{root / 'include'}"], h, ".cc") for h in public]
    errors = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for job, complaint in zip(jobs, pool.map(lambda j: compile_alone(*j), jobs)):
            if complaint:
                errors.append(f"{job[2]} ({job[3]}) does not compile alone:\n{complaint}")
    errors += [f"{name}: its guard is not {guard_of(name)}" for name in internal
               if bad_guard(name, (root / "src" / name).read_text())]
    if len(internal) < 80 or not public:
        errors.append(f"found only {len(internal)} headers in src and {len(public)} in include")
    for error in errors:
        print(error)
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
