"""Writes what the headers of the GNU C Library declare, as `glibc_prototypes.h` of libufunc.

    .venv/bin/python scripts/libufunc_glibc_prototypes.py

Needs a C compiler and the headers. One line a function that libc or libm exports, typedefs
followed, so that a line can be read by itself. The first line says which version it is from.
"""

import platform
import re
import subprocess
from pathlib import Path

from libufunc.c_types import CFunction
from libufunc.errors import PrototypeError
from libufunc.headers import Header
from libufunc.symbols import open_library

PLACE = Path(__file__).parents[1] / "packages/libufunc/src/libufunc/glibc_prototypes.h"
_NAMES = """
aio.h aliases.h argp.h argz.h arpa/inet.h assert.h byteswap.h complex.h crypt.h ctype.h dirent.h
dlfcn.h envz.h err.h error.h execinfo.h fcntl.h fenv.h fmtmsg.h fnmatch.h fstab.h fts.h ftw.h
getopt.h glob.h gnu/libc-version.h grp.h gshadow.h iconv.h ifaddrs.h inttypes.h langinfo.h
libgen.h libintl.h limits.h link.h locale.h malloc.h math.h mcheck.h mntent.h monetary.h mqueue.h
net/if.h netdb.h netinet/in.h nl_types.h obstack.h poll.h printf.h pthread.h pty.h pwd.h regex.h
resolv.h sched.h search.h semaphore.h setjmp.h sgtty.h shadow.h signal.h spawn.h stdio.h
stdio_ext.h stdlib.h string.h strings.h stropts.h sys/epoll.h sys/eventfd.h sys/file.h
sys/inotify.h sys/ioctl.h sys/ipc.h sys/mman.h sys/mount.h sys/msg.h sys/personality.h sys/prctl.h
sys/ptrace.h sys/quota.h sys/random.h sys/resource.h sys/select.h sys/sem.h sys/sendfile.h
sys/shm.h sys/signalfd.h sys/socket.h sys/stat.h sys/statfs.h sys/statvfs.h sys/swap.h
sys/syscall.h sys/sysinfo.h sys/sysmacros.h sys/time.h sys/timeb.h sys/timerfd.h sys/times.h
sys/timex.h sys/types.h sys/uio.h sys/un.h sys/utsname.h sys/vfs.h sys/wait.h sys/xattr.h syslog.h
tar.h termios.h threads.h time.h uchar.h ucontext.h ulimit.h unistd.h utime.h utmp.h utmpx.h
wchar.h wctype.h wordexp.h
"""
HEADERS = _NAMES.split()


def declarations() -> dict[str, CFunction]:
    """Every function that the headers declare and that libc or libm exports."""
    includes = "".join(
        f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in HEADERS
    )
    done = subprocess.run(
        ["gcc", "-E", "-D_GNU_SOURCE", "-x", "c", "-"],  # noqa: S607 - as above
        input=includes,
        capture_output=True,
        text=True,
        check=True,
    )
    header = Header(done.stdout)
    libraries = [open_library("c"), open_library("m")]
    found = {}
    for name in sorted(header):
        if any(library.has(name) for library in libraries):
            try:
                found[name] = header.declared(name)
            except PrototypeError as error:
                print(f"left out: {name}: {error}")
    return found


def _brief(text: str) -> str:
    """The declaration, with `void *` for pointers to structures whose members it names."""
    while (shorter := re.sub(r"struct \{[^{}]*\} \*", "void *", text)) != text:
        text = shorter
    return text


def main() -> None:
    """Write the table."""
    found = declarations()
    lines = [f"/* {' '.join(platform.libc_ver())}, {platform.machine()} */"]
    # The machine passes all pointers to structures alike, and their members fill lines.
    lines += [_brief(f"{function};") for function in found.values()]
    PLACE.write_text("\n".join(lines) + "\n")
    print(f"{len(found)} functions in {PLACE}")


if __name__ == "__main__":
    main()
