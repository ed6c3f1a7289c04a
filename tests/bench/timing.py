# SPDX-License-Identifier: LGPL-2.1-or-later

"""Times of whole processes, for tests/bench."""

import os
import statistics
import subprocess
import time


class Times:
    def __init__(self):
        self.ms, self.cpu, self.rss = [], [], 0

    def add(self, *commands, text=None):
        """Runs them to their ends, one after the other, as one measurement; what the last one printed."""
        begin, cpu = time.perf_counter(), 0
        for command in commands:
            p = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if text:
                p.stdin.write(text)
            p.stdin.close()
            out = p.stdout.read()
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            assert p.returncode == 0, command
            self.rss = max(self.rss, usage.ru_maxrss)
            cpu += usage.ru_utime + usage.ru_stime
        self.ms.append((time.perf_counter() - begin) * 1000)
        self.cpu.append(cpu * 1000)
        return out

    @property
    def median(self):
        return statistics.median(self.ms)

    @property
    def processor(self):
        return statistics.median(self.cpu)

    def __str__(self):
        return (f"{self.median:9.1f} ms ({min(self.ms):.1f} to {max(self.ms):.1f}, n = {len(self.ms)}, "
                f"{self.processor:.1f} ms of processor, {self.rss / 1024:.1f} MiB)")
