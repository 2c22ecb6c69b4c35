#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shim shows its wrappers and nothing else, and calls none of them itself.

usage: test_shim_symbols.py SHIM ENGINE_ARCHIVE GPU_ARCHIVE SOURCE_DIR

- What SHIM exports is the list below, no more and no less.
- What it imports is libc's, on the list below, and nothing that it stands in for.
- It needs libc alone, and has no constructor or destructor but the compiler's.
- The engine's code (both archives) imports nothing at all, has no thread-local data
  and touches none; system calls are made by sys_raw.h, and by the assembly beside clone.
"""
import pathlib
import re
import subprocess
import sys

EXPORTS = set("""
    open open64 __open __open64 __open_2 __open64_2 creat creat64
    openat openat64 __openat_2 __openat64_2
    fopen fopen64 freopen freopen64 opendir scandir scandir64
    stat stat64 lstat lstat64 fstat fstat64 fstatat fstatat64
    __xstat __xstat64 __lxstat __lxstat64 __fxstat __fxstat64 __fxstatat __fxstatat64 statx
    access euidaccess eaccess faccessat getxattr lgetxattr
    readlink readlinkat __readlink_chk __readlinkat_chk
    realpath __realpath_chk canonicalize_file_name
    ioctl mmap mmap64 lseek lseek64 close close_range closefrom
    sigaction signal bsd_signal ssignal sysv_signal __sysv_signal
""".split())

IMPORTS = set("""
    __errno_location __register_atfork abort bcmp dlsym dlvsym fdopen getenv
    pthread_attr_destroy pthread_attr_init pthread_attr_setdetachstate
    pthread_attr_setstacksize pthread_create sched_getcpu sigaddset sigemptyset snprintf
    strchr strcmp strcspn strdup strlen strncmp strrchr sysconf
    __cxa_finalize __gmon_start__ _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable
""".split())

SYSCALL_SOURCES = {"sys_raw.h", "engine_process.c"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def names(nm_text):
    return {line.split()[-1].split("@")[0] for line in nm_text.splitlines() if line.split()}


def undefined(*nm_texts):
    """What no member of any archive defines."""
    defined, wanted = set(), set()
    for line in "\n".join(nm_texts).splitlines():
        words = line.split()
        if len(words) >= 2 and len(words[-2]) == 1:
            (wanted if words[-2] in "Uw" else defined).add(words[-1])
    return wanted - defined - {"_GLOBAL_OFFSET_TABLE_"}


def section_size(headers, name):
    found = re.search(r"^\s*\d+\s+" + re.escape(name) + r"\s+([0-9a-f]+)", headers, re.M)
    return int(found.group(1), 16) if found else 0


def check_shim(shim):
    exports = names(run("nm", "-D", "--defined-only", shim))
    imports = names(run("nm", "-D", "--undefined-only", shim))
    headers = run("objdump", "-h", shim)
    yield from (f"does not export {s}" for s in sorted(EXPORTS - exports))
    yield from (f"exports {s}" for s in sorted(exports - EXPORTS))
    yield from (f"calls {s}, which it stands in for" for s in sorted(imports & EXPORTS))
    yield from (f"imports {s}" for s in sorted(imports - IMPORTS - EXPORTS))
    for lib in re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", shim)):
        if lib != "libc.so.6":
            yield f"needs {lib}"
    for section in (".init_array", ".fini_array"):
        if section_size(headers, section) > 8:
            yield f"has {section} entries of its own"


def check_engine(archives):
    yield from (f"engine imports {s}" for s in sorted(undefined(*(run("nm", a) for a in archives))))
    for archive in archives:
        if re.search(r"^\s*\d+\s+\.t(bss|data)\S*\s+0*[1-9a-f]", run("objdump", "-h", archive), re.M):
            yield f"{archive} has thread-local data"
        if "%fs:" in run("objdump", "-d", archive):
            yield f"{archive} uses thread-local data"


def check_sources(source):
    files = sorted(source.glob("*.[ch]"))
    if len(files) < 20:
        yield f"only {len(files)} sources in {source}"
    for path in files:
        if re.search(r'"\s*syscall', path.read_text()) and path.name not in SYSCALL_SOURCES:
            yield f"{path.name} makes system calls of its own"


def self_check():
    assert undefined("a.o:\n   U malloc\n   U x\n", "b.o:\n0000 T x\n") == {"malloc"}
    assert names("0000 T open@@X\n   U close@GLIBC_2.2.5\n") == {"open", "close"}
    assert section_size("  3 .init_array 00000010  0", ".init_array") == 16


def main():
    shim, engine, gpu, source = sys.argv[1:5]
    self_check()
    errors = [*check_shim(shim), *check_engine([engine, gpu]), *check_sources(pathlib.Path(source))]
    for error in errors:
        print(f"shim: {error}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
