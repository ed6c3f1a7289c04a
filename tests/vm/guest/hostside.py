# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host, for programs in the guest that have it on descriptor 3: one line is asked, one is answered."""
import os
import random


class Wrong(Exception):
    """The reason why the scenario fails."""


def ask(words):
    """What it answers, word by word."""
    os.write(3, words.encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += os.read(3, 4096)
    if not answer.startswith(b"ok"):
        raise Wrong(f"the host, asked for '{words}': {answer.decode().strip()}")
    return answer.decode()[2:].split()


def dice():
    """A generator that follows from the seed of the lab."""
    return random.Random(int(ask(f"draw 0 {1 << 48}")[0]))


def say(text):
    """Lines for whoever waits in front of it."""
    for line in text.splitlines():
        ask(f"say {line}")
