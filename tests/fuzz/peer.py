"""CPython's side of the differential fuzzer: runs sequences of steps on a file of its own.

One line of JSON a sequence comes in, {"content": …, "steps": [[op, args], …]}, and one line goes out: what each step
gave, as ["ok", value] or ["error", kind], with the position and the length that the map has then (-1 without a map), and
what the file has (null where there is none).
Bytes travel as strings of the characters U+0000 to U+00FF.
"""

import errno
import hashlib
import io
import json
import mmap
import os
import re
import sys

LONG = 200
ACCESS = {"read": mmap.ACCESS_READ, "write": mmap.ACCESS_WRITE, "copy": mmap.ACCESS_COPY}
PATTERNS = [
    (rb"a", 0), (rb"[ab]+", 0), (rb"a*", 0), (rb"(a)(b)?", 0), (rb"\n", 0), (rb"^[ab]", re.M), (rb"b$", re.M),
    (rb"(?:ab){2,}", 0), (rb"[^a]b", 0), (rb"(?<=a)b", 0), (rb"a(?!b)", 0), (rb"(a|b)\1", 0), (rb"\xff[\x80-\xff]?", 0),
    (rb"(?P<first>b)(?P<second>\x00)?", 0), (rb".{1,3}", re.S), (rb"A", re.I),
]


def plain(value):
    if not isinstance(value, (bytes, bytearray)):
        return value
    if len(value) > LONG:
        return "%d bytes, %s" % (len(value), hashlib.sha1(value).hexdigest())
    return value.decode("latin-1")


def slice_of(arguments):
    return slice(*[None if len(arguments) <= index else arguments[index] for index in range(3)])


class Twin:
    def __init__(self, path, content):
        self.path = path
        # What the other side's file has before the place where this side's file begins.
        self.lead = b""
        self.map = None
        self.private = False
        # What the file had when it was looked at, and that as it travels.
        self.seen = None
        self.text = None
        with open(path, "wb") as file:
            file.write(content)

    def look(self):
        """What the file has. It is read each time, and hashed only where it is not what it was."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                seen = (self.lead, file.read())
        except FileNotFoundError:
            seen = None
        if seen != self.seen:
            self.seen = seen
            self.text = None if seen is None else plain(b"".join(seen))
        return self.text

    def state(self):
        return None

    def open(self, mode, length, options):
        self.close()
        self.private = False
        offset = options.get("offset", 0)
        rest = offset % mmap.ALLOCATIONGRANULARITY if isinstance(offset, int) and offset >= 0 else 0
        with open(self.path, "rb") as file:
            content = self.lead + file.read()
        self.lead = content[:rest]
        with open(self.path, "wb") as file:
            file.write(content[rest:])
        named = {"offset": offset - rest}
        if "access" in options:
            named["access"] = ACCESS[options["access"]]
        for name in ("flags", "prot"):
            if name in options:
                named[name] = options[name]
        if mode == "anonymous" and "flags" in named:
            named["flags"] |= mmap.MAP_ANONYMOUS
        self.make(mode, length, named)
        self.made = (mode, named)
        self.advised = False
        self.resizable = options.get("access", "write") == "write" and options.get("prot", 2) & mmap.PROT_WRITE
        self.private = options.get("access") == "copy" or bool(options.get("flags", 0) & mmap.MAP_PRIVATE)

    def make(self, mode, length, named):
        if mode in ("anonymous", "bad"):
            self.map = mmap.mmap(-1 if mode == "anonymous" else 1000000, length, **named)
            return
        fd = os.open(self.path, {"r": os.O_RDONLY, "r+": os.O_RDWR, "w": os.O_WRONLY}[mode])
        try:
            self.map = mmap.mmap(fd, length, **named)
        finally:
            os.close(fd)

    def close(self):
        if self.map is not None:
            self.map.close()

    def poke(self, index, value):
        fd = os.open(self.path, os.O_RDWR)
        os.pwrite(fd, bytes([value]), index - len(self.lead))
        os.close(fd)

    def read(self, count=None):
        return self.map.read(count)

    def readByte(self):
        return self.map.read_byte()

    def readline(self):
        return self.map.readline()

    def lines(self, *bounds):
        return [plain(line) for line in io.BytesIO(self.map[slice_of(bounds)])]

    def write(self, data):
        return self.map.write(data)

    def writeByte(self, value):
        self.map.write_byte(value)

    def seek(self, *arguments):
        self.map.seek(*arguments)
        return self.map.tell()

    def tell(self):
        return self.map.tell()

    def seekable(self):
        return self.map.tell() >= 0

    def find(self, *arguments):
        return self.map.find(*arguments)

    def rfind(self, *arguments):
        return self.map.rfind(*arguments)

    def move(self, *arguments):
        self.map.move(*arguments)

    def resize(self, size):
        position = self.map.tell()
        if self.advised and self.resizable and isinstance(size, int) and size > 0:
            self.make_anew(size)
        elif not self.private:
            self.map.resize(size)
        else:
            self.resize_private(size)
        # A position behind the end moves to it.
        self.map.seek(min(position, size))

    def make_anew(self, size):
        """Resizes what Python cannot, because advice has made several mappings of the one that it made."""
        mode, named = self.made
        kept = self.map[:size]
        self.map.close()
        if mode != "anonymous":
            os.truncate(self.path, named["offset"] + size)
        self.make(mode, size, named)
        if self.private:
            self.map[: len(kept)] = kept
        self.advised = False

    def resize_private(self, size):
        """Leaves zeros behind the end, in the last page, where Python would leave old bytes of private pages."""
        page = mmap.PAGESIZE
        self.map.resize(size)
        if size % page:
            rounded = size + page - size % page
            self.map.resize(rounded)
            self.map[size:] = bytes(rounded - size)
            self.map.resize(size)

    def size(self):
        return len(self.lead) + self.map.size()

    def index(self, index):
        return self.map[index]

    def setIndex(self, index, value):
        self.map[index] = value

    def slice(self, *bounds):
        return self.map[slice_of(bounds)]

    def assign(self, data, *bounds):
        self.map[slice_of(bounds)] = data

    def flush(self, *arguments):
        self.map.flush(*arguments)

    def madvise(self, option, *arguments):
        self.map.madvise(getattr(mmap, option), *arguments)
        self.advised = self.advised or len(arguments) > 0

    def iterate(self):
        return b"".join(self.map)

    def matchAll(self, pattern, *bounds):
        source, flags = PATTERNS[pattern]
        start, end, _ = slice_of(bounds).indices(len(self.map))
        if start > end:
            return []
        part = self.map[start:end]
        return [
            [start + match.start(), start + match.end(), [None if group is None else plain(group) for group in match.groups()]]
            for match in re.finditer(source, part, flags)
        ]


def kind_of(error):
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno, "OSError %s" % error.errno)
    if isinstance(error, ValueError) and "closed" in str(error):
        return "closed"
    return type(error).__name__


def argument(value):
    return value.encode("latin-1") if isinstance(value, str) else value


def step(twin, op, arguments):
    if op not in ("open", "madvise"):
        arguments = [argument(value) for value in arguments]
    while arguments and arguments[-1] is None:
        arguments.pop()
    try:
        if twin.map is None and op not in ("open", "state", "poke"):
            outcome = ["ok", "no map"]
        else:
            outcome = ["ok", plain(getattr(twin, op)(*arguments))]
    except Exception as error:
        outcome = ["error", kind_of(error)]
    try:
        outcome += [twin.map.tell(), len(twin.map)]
    except (AttributeError, ValueError):
        outcome += [-1, -1]
    return outcome + [twin.look()]


def content_of(content):
    chunk = content["chunk"].encode("latin-1")
    length = content["length"]
    data = bytearray((chunk * (length // len(chunk) + 1))[:length])
    for index, value in content["marks"]:
        if index < length:
            data[index] = value
    return data


def main():
    path = sys.argv[1]
    for line in sys.stdin:
        sequence = json.loads(line)
        twin = Twin(path, content_of(sequence["content"]))
        outcomes = [step(twin, op, arguments) for op, arguments in sequence["steps"]]
        twin.close()
        sys.stdout.write(json.dumps(outcomes) + "\n")
        sys.stdout.flush()


main()
