"""Run the command of its arguments and print what it took as JSON. Standard library only, so that it stays small."""

import json
import os
import subprocess
import sys
import tempfile
import time

if __name__ == "__main__":
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(sys.argv[1:], stdout=output, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        output.seek(0)
        print(
            json.dumps(
                {
                    "code": os.waitstatus_to_exitcode(status),
                    "wall_s": wall,
                    "cpu_s": usage.ru_utime + usage.ru_stime,
                    "maxrss_kb": usage.ru_maxrss,
                    "output": output.read().decode("utf-8", "replace"),
                }
            )
        )
