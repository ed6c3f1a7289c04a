# SPDX-License-Identifier: LGPL-2.1-or-later

"""Ways in which a replica is wrong.

A way is a function that changes a Copy, which is right before; what comes of it is said in five letters, for five rules:

=== ================================ ====== ========================================================
 I  Proof=identity+neighbours               one replica, which is wrong in this way
 S  Proof=seal,identity+neighbours   sealed the same; the default, for a file that has a current seal
 Q  Proof=quorum                            two replicas, both wrong in the same way
 N  Proof=neighbours                        one
 D  Proof=identity                          one
=== ================================ ====== ========================================================

h  healed: wrong as it is, its bytes for the lost ones are right, and that is proved
r  refused, or waited for: nothing is written
b  beyond what this rule can show: wrong bytes are written, which nothing that it asks for contradicts. There must be no `b` under S.

All of them have lost sector 3 of page 20 of a file of 40 pages and a half."""

import dataclasses

from workerlab import PAGE, SECTOR

SECTORS = ((3, 1),)
MS, US = 10**6, 10**3


def lost(f):
    return f.offset + 3 * SECTOR


def rewrite(at, n=PAGE):
    """Other bytes there, at `at` from the lost page's begin."""
    def change(c, f, rng):
        c.data[f.offset + at:f.offset + at + n] = rng.randbytes(n)
    return change


def flip(at, bit=0):
    def change(c, f, _rng):
        c.data[f.offset + at] ^= 1 << bit
    return change


def hole(at, n):
    def change(c, f, _rng):
        c.data[f.offset + at:f.offset + at + n] = bytes(n)
    return change


def cut(at):
    """It ends there, counted from the lost page's begin."""
    def change(c, f, _rng):
        del c.data[f.offset + at:]
    return change


def clock(shift):
    def change(c, _f, _rng):
        c.mtime += shift
    return change


def rounded(to, up=0):
    def change(c, _f, _rng):
        c.mtime = c.mtime // to * to + up * to
    return change


def form(name, kind="mirror"):
    def change(c, _f, _rng):
        c.form, c.kind = name, kind
    return change


def both(*changes):
    def change(c, f, rng):
        for x in changes:
            x(c, f, rng)
    return change


def nothing(_c, _f, _rng):
    pass


def append(n):
    def change(c, _f, rng):
        c.data += rng.randbytes(n)
    return change


def everything(c, f, rng):
    c.data[:] = rng.randbytes(f.size)


def zeros(c, f, _rng):
    c.data[:] = bytes(f.size)


def shifted(n):
    """Each byte is n further on, as after an insertion before them; length and time are the same."""
    def change(c, f, _rng):
        c.data[:] = (c.data[-n:] + c.data[:-n])[:f.size]
    return change


def swapped_sectors(c, f, _rng):
    a, b = lost(f), lost(f) + SECTOR
    c.data[a:b], c.data[b:b + SECTOR] = c.data[b:b + SECTOR], c.data[a:b]


def swapped_pages(c, f, _rng):
    a, b = f.offset, f.offset + 5 * PAGE
    c.data[a:a + PAGE], c.data[b:b + PAGE] = c.data[b:b + PAGE], c.data[a:a + PAGE]


def lost_too(byte):
    """It was copied after the loss, by a program that goes on."""
    def change(c, f, _rng):
        c.data[lost(f):lost(f) + SECTOR] = bytes([byte]) * SECTOR
    return change


def neighbour_sector(c, f, _rng):
    """The sector before the lost one twice."""
    c.data[lost(f):lost(f) + SECTOR] = c.data[lost(f) - SECTOR:lost(f)]


def image(c, _f, _rng):
    c.kind = "block"


EARLIER = clock(-10 * 10**9)
LATER = clock(10 * 10**9 + 7)
BESIDE = rewrite(PAGE)                          # the page behind the lost one
LOST = rewrite(3 * SECTOR, SECTOR)

WAYS = [
    # name, change, what comes of it under I S Q N D
    ("right", nothing, "hhhhh"),

    # time and bytes
    ("older by one page beside", both(BESIDE, EARLIER), "rhrrr"),
    ("older by one page beside, time kept", BESIDE, "rhrrr"),
    ("older in the lost page alone, beside the lost sector", both(rewrite(0, SECTOR), EARLIER), "rhrrr"),
    ("older in the lost sector alone", both(LOST, EARLIER), "rrbbr"),
    ("older in the lost sector alone, time kept", LOST, "brbbb"),
    ("older in the whole page", both(rewrite(0), EARLIER), "rrrrr"),
    ("older in the whole page, time kept", rewrite(0), "rrrrr"),
    ("older a long way off", both(rewrite(-19 * PAGE, 8), EARLIER), "rhhhr"),
    ("older a long way off, time kept", rewrite(-19 * PAGE, 8), "hhhhh"),
    ("the same, touched since", LATER, "rhhhr"),
    ("newer beside", both(BESIDE, LATER), "rhrrr"),
    ("newer in the lost sector", both(LOST, LATER), "rrbbr"),
    ("newer by an appended page", both(append(PAGE), LATER), "rhhhr"),
    ("longer by a byte, time kept", append(1), "rhhhr"),
    ("another file of the same size and time", everything, "rrrrr"),
    ("another file", both(everything, EARLIER), "rrrrr"),

    # one bit
    ("a bit before the lost sector", flip(3 * SECTOR - 1), "rhrrr"),
    ("a bit behind the lost sector", flip(4 * SECTOR, 7), "rhrrr"),
    ("the first bit of the page", flip(0), "rhrrr"),
    ("the last bit of the page", flip(PAGE - 1, 7), "rhrrr"),
    ("the first bit of the window", flip(-65536), "rhrrr"),
    ("the last bit of the window", flip(PAGE + 65535, 7), "rhrrr"),
    ("the bit before the window", flip(-65537, 7), "hhhhh"),
    ("the bit behind the window", flip(PAGE + 65536), "hhhhh"),
    ("a bit in the lost sector", flip(3 * SECTOR + 100, 3), "brbbb"),
    ("the first bit of the lost sector", flip(3 * SECTOR), "brbbb"),
    ("the last bit of the lost sector", flip(4 * SECTOR - 1, 7), "brbbb"),
    ("a bit in the lost sector and one beside", both(flip(3 * SECTOR + 100, 3), flip(4 * SECTOR)), "rrrrr"),

    # length
    ("empty", cut(-20 * PAGE), "rrrrr"),
    ("it ends before the page", cut(0), "rrrrr"),
    ("it ends before the lost sector", cut(3 * SECTOR), "rrrrr"),
    ("it ends in the lost sector", cut(3 * SECTOR + 100), "rrrrr"),
    ("it ends a byte before the lost sector does", cut(4 * SECTOR - 1), "rrrrr"),
    ("it ends with the lost sector", cut(4 * SECTOR), "rhrrr"),
    ("it ends with the page", cut(PAGE), "rhrrr"),
    ("it lacks its last byte", cut(20 * PAGE + PAGE // 2 - 1), "rhhhr"),

    # holes
    ("sparse, size and time are right", zeros, "rrrrr"),
    ("a hole for the lost page", hole(0, PAGE), "rrrrr"),
    ("a hole beside the lost page", hole(-PAGE, PAGE), "rhrrr"),
    ("a hole from the lost sector on", hole(3 * SECTOR, 5 * SECTOR), "rrrrr"),
    ("zeroes for the lost sector", lost_too(0), "brbbb"),
    ("the destroyed bytes, copied", lost_too(0xDB), "brbbb"),
    ("0xff for the lost sector", lost_too(0xFF), "brbbb"),

    # bytes at the wrong place
    ("all shifted by a byte", shifted(1), "rrrrr"),
    ("all shifted by a sector", shifted(SECTOR), "rrrrr"),
    ("all shifted by a page", shifted(PAGE), "rrrrr"),
    ("the lost sector and the next one swapped", swapped_sectors, "rrrrr"),
    ("the lost page and another one swapped", swapped_pages, "rrrrr"),
    ("the sector before the lost one twice", neighbour_sector, "brbbb"),

    # times at the borders of what counts as the same
    ("a nanosecond later", clock(1), "rhhhr"),
    ("a nanosecond earlier", clock(-1), "rhhhr"),
    ("a second later", clock(10**9), "rhhhr"),
    ("a second earlier", clock(-10**9), "rhhhr"),
    ("an hour later", clock(3600 * 10**9), "rhhhr"),
    ("cut to 100 ns", rounded(100), "hhhhh"),
    ("cut to 1 us", rounded(US), "hhhhh"),
    ("cut to 10 us", rounded(10 * US), "rhhhr"),
    ("cut to 1 ms", rounded(MS), "rhhhr"),
    ("cut to 1 s on a file system that keeps more", rounded(10**9), "rhhhr"),
    ("rounded up to 100 ns", rounded(100, 1), "rhhhr"),
    ("rounded up to 1 us", rounded(US, 1), "rhhhr"),
    ("rounded up to 1 s", rounded(10**9, 1), "rhhhr"),
    ("cut to 1 us, and a bit in the lost sector", both(rounded(US), flip(3 * SECTOR + 9)), "brbbb"),

    # not the file, or not there
    ("under another name", form("other-name"), "rrrrr"),
    ("a folder", form("folder"), "rrrrr"),
    ("a symbolic link to the right file", form("link"), "rrrrr"),
    ("a symbolic link that leads out", form("link-out"), "rrrrr"),
    ("a named pipe", form("fifo"), "rrrrr"),
    ("a socket", form("socket"), "rrrrr"),
    ("a device that gives zeroes", form("zero-device"), "rrrrr"),
    ("the mirror is not there", form("no-mirror"), "rrrrr"),
    ("the mirror's folder is a link now, to the right one", form("linked-folder"), "hhhhh"),
    ("the mirror's folder is a link now, to an older one", both(form("linked-folder"), BESIDE, EARLIER), "rhrrr"),
    ("hard links", form("hard-linked"), "hhhhh"),
    ("hard links, and one was written through", both(form("hard-linked"), BESIDE, LATER), "rhrrr"),

    # on the device that lost the bytes
    ("on the same device, by a symbolic link", form("same-device"), "rrrrr"),
    ("on the same device, by a bind mount", form("bind-mount"), "rrrrr"),
    ("the very file, by a hard link", form("itself"), "rrrrr"),
    ("in a file system whose image is on the same device", form("stacked"), "rrrrr"),

    # it fails, or changes
    ("an I/O error in the middle", form("eio"), "rrrrr"),

    # an image of the device
    ("image: right", image, "rhhhr"),
    ("image: older beside", both(image, BESIDE), "rhrrr"),
    ("image: older in the lost sector", both(image, LOST), "rrbbr"),
    ("image: a bit beside", both(image, flip(4 * SECTOR)), "rhrrr"),
    ("image: a bit in the lost sector", both(image, flip(3 * SECTOR)), "rrbbr"),
    ("image: of another device", both(image, everything), "rrrrr"),
    ("image: shifted by a sector", both(image, shifted(SECTOR)), "rrrrr"),
    ("image: shifted by a page", both(image, shifted(PAGE)), "rrrrr"),
    ("image: never written", both(image, zeros), "rrrrr"),
    ("image: it ends before the page", both(image, cut(0)), "rrrrr"),
    ("image: it ends with the page", both(image, cut(PAGE)), "rhrrr"),

    # a program
    ("program: right", form("file", "exec"), "hhhhh"),
    ("program: older beside", both(form("file", "exec"), BESIDE, EARLIER), "rhrrr"),
    ("program: prints a byte too much", form("too-much", "exec"), "rrrrr"),
    ("program: prints a byte too little", form("too-little", "exec"), "rrrrr"),
    ("program: prints nothing", form("nothing", "exec"), "rrrrr"),
    ("program: prints all, then fails", form("fails-after", "exec"), "rrrrr"),
    ("program: has no copy", form("has-none", "exec"), "rrrrr"),
    ("program: says that its copy is stale", form("says-stale", "exec"), "rrrrr"),
    ("program: cannot now", form("later", "exec"), "rrrrr"),
    ("program: says a size that is none", form("not-a-number", "exec"), "rrrrr"),
    ("program: says a size below zero", form("negative", "exec"), "rrrrr"),
    ("program: its copy shrinks while it is read", form("shrinks", "exec"), "rrrrr"),
    ("program: hangs", form("hangs", "exec"), "rrrrr"),
]


@dataclasses.dataclass
class Rule:
    letter: str
    proof: str
    sealed: bool = False
    replicas: int = 1


RULES = [Rule("I", "identity+neighbours"), Rule("S", "seal,identity+neighbours", sealed=True), Rule("Q", "quorum", replicas=2),
         Rule("N", "neighbours"), Rule("D", "identity")]

# Several replicas, each wrong in its own way, under one rule.
A_BIT, WRONG_TIME = flip(3 * SECTOR + 100, 3), LATER
TOGETHER = [
    # name, changes, Proof=, sealed, what comes of it
    ("one is older, the other right", (both(BESIDE, EARLIER), nothing), "identity+neighbours", False, "h"),
    ("one is not there, the other right", (form("no-mirror"), nothing), "identity+neighbours", False, "h"),
    ("one is right, the other hangs", (nothing, form("hangs", "exec")), "identity+neighbours", False, "h"),
    ("one is right, the other has no such file", (nothing, form("other-name")), "quorum", False, "r"),
    ("one is right, the other is not there", (nothing, form("no-mirror")), "quorum", False, "r"),
    ("they disagree about the lost sector", (nothing, A_BIT), "identity+neighbours", False, "r"),
    ("the same the other way round", (A_BIT, nothing), "identity+neighbours", False, "r"),
    ("they disagree, one has another time", (nothing, both(A_BIT, WRONG_TIME)), "identity+neighbours", False, "r"),
    ("they disagree, the wrong one has the right time", (both(WRONG_TIME), A_BIT), "identity+neighbours", False, "r"),
    ("they disagree, a third agrees with the right one", (nothing, A_BIT, nothing), "quorum", False, "r"),
    ("they disagree, a third agrees with the wrong one", (A_BIT, nothing, A_BIT), "quorum", False, "r"),
    ("they disagree, a seal decides", (A_BIT, nothing), "seal,identity+neighbours", True, "h"),
    ("two that agree on a wrong bit, a seal decides", (A_BIT, A_BIT, nothing), "seal,quorum", True, "h"),
    ("two that agree on a wrong bit, a seal contradicts", (A_BIT, A_BIT), "seal,quorum", True, "r"),
    ("two that agree, and both are older beside", (both(BESIDE, A_BIT), both(BESIDE, A_BIT)), "quorum", False, "r"),
    ("two that agree on a wrong bit, one right and silent", (A_BIT, A_BIT, form("no-mirror")), "quorum", False, "b"),
    ("two that agree, a third is older and shown to be", (nothing, nothing, both(rewrite(0), EARLIER)), "quorum", False, "h"),
    ("two older that agree, the third is right", (both(rewrite(0), EARLIER),) * 2 + (nothing,), "quorum", False, "r"),
    ("quorum and neighbours, both right", (nothing, WRONG_TIME), "quorum+neighbours", False, "h"),
    ("quorum and neighbours, one older beside", (nothing, BESIDE), "quorum+neighbours", False, "r"),
    ("mirror and image agree", (WRONG_TIME, image), "quorum+neighbours", False, "h"),
    ("mirror and image disagree", (nothing, both(image, A_BIT)), "identity+neighbours", False, "r"),
    ("mirror and image of another device", (nothing, both(image, everything)), "identity+neighbours", False, "h"),
    ("program and mirror disagree", (both(form("file", "exec"), A_BIT), nothing), "identity+neighbours", False, "r"),
    ("an older one under two names: a link to its folder", (A_BIT, both(A_BIT, form("alias-link"))), "quorum", False, "r"),
    ("an older one under two names: a hard link", (A_BIT, both(A_BIT, form("alias-hard"))), "quorum", False, "r"),
    ("an older one under two names: a bind mount", (A_BIT, both(A_BIT, form("alias-bind"))), "quorum", False, "r"),
    ("an older image under two names: a link", (both(image, A_BIT), both(A_BIT, form("alias-image", "block"))), "quorum", False, "r"),
    ("an older image, and the loop device on it", (both(image, A_BIT), both(A_BIT, form("alias-loop", "block"))), "quorum", False, "r"),
    ("two names of a right one, and another right one", (nothing, form("alias-link"), nothing), "quorum", False, "h"),
]

# Somebody stores to sectors around the lost one all the time, and each time something new. All copies are as they were before
# he began, or wrong in the lost sector besides, where nothing is left to tell: under every rule nothing is written.
PER_PAGE = PAGE // SECTOR
BUSY = [
    # name, sectors from the begin of the lost page, which lost its sector 3
    ("the sector before", (2,)),
    ("the sector behind", (4,)),
    ("both sides: a record that is torn there", (2, 4)),
    ("the first sector of the page: its header", (0,)),
    ("all others of the page", (0, 1, 2, 4, 5, 6, 7)),
    ("the same sector of the pages around: counters a page apart", (3 - 2 * PER_PAGE, 3 - PER_PAGE, 3 + PER_PAGE, 3 + 2 * PER_PAGE)),
    ("the same sector 16 KiB further: blocks of a database", (3 - 4 * PER_PAGE, 3 + 4 * PER_PAGE)),
    ("the first sector of the window", (-16 * PER_PAGE,)),
    ("the last sector of the window", (17 * PER_PAGE - 1,)),
]
