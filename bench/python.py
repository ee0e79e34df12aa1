"""The other side of python.ts: runs expressions and says how long they took. One JSON object a line."""

import gc
import json
import mmap
import os
import re
import sys
import time


def map_file(path, access=mmap.ACCESS_READ):
    with open(path, "r+b" if access == mmap.ACCESS_WRITE else "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=access)


def compiled(setup, expression):
    scope = {"map_file": map_file, "mmap": mmap, "os": os, "re": re, "gc": gc}
    body = f"    for _ in range(count):\n        value = {expression}\n"
    clock = "perf_counter_ns()"
    source = f"def run(count, perf_counter_ns):\n    began = {clock}\n{body}    return {clock} - began, value\n"
    exec(setup, scope)
    exec(source, scope)
    return scope["run"]


known = {}
for line in sys.stdin:
    request = json.loads(line)
    key = (request["setup"], request["expression"])
    if key not in known:
        known.clear()
        known[key] = compiled(*key)
    nanoseconds, value = known[key](request["count"], time.perf_counter_ns)
    value = value if isinstance(value, int) else None
    print(json.dumps({"nanoseconds": nanoseconds, "value": value}), flush=True)
