/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The words for what stands in the way, and what a person can do about it. The sentences are read at
 * night by somebody who has never looked at this code: they say what happened, what follows from it, and
 * which command comes next. Where they warn, the warning was measured in a kernel. Only free-standing
 * sentences here: what is particular to a case (paths, sizes, times) is in its `detail`. */

#include <stddef.h>
#include <string.h>

#include "core/reason.h"

typedef struct ReasonText {
        const char *word;
        const char *explain;
        const char *advice;     /* NULL: nothing to do */
} ReasonText;

/* Only a reboot does: binding the namespace or the region anew leaves the page absent (measured on 6.1: the
 * direct map is taken down and built up around such an entry). */
#define REBOOT                                                                          \
        "reboot at a quiet time ('ndctl disable-namespace' and 'enable-namespace' do "  \
        "not bring the page back)"

#define REBOOT_UPPER                                                                    \
        "Reboot at a quiet time ('ndctl disable-namespace' and 'enable-namespace' do "  \
        "not bring the page back)"

static const ReasonText reason_table[_REASON_MAX] = {
        [REASON_NONE] = { "", "", NULL },

        [REASON_UNWRITTEN] = { "unwritten",
                "The poison lies in space that is allocated to a file but was never written, so no data "
                "is lost; the kernel clears it when the file writes there.",
                NULL },
        [REASON_FREE] = { "free",
                "The poison lies in free space, so no data is lost; the kernel clears it when the space "
                "is allocated.",
                NULL },
        [REASON_PARKED] = { "parked",
                "The poison lies in free space, so no data is lost; since allocating this block would "
                "crash the kernel as long as its page is absent, a guard file owns it now (below .bezoar "
                "at the root of the file system).",
                "Leave the files below .bezoar alone: deleting one sets the block free. " REBOOT_UPPER
                "; then the block is cleaned and given back by itself." },
        [REASON_CLEARED] = { "cleared",
                "The kernel no longer lists this poison, and it was not cleared by this daemon: some "
                "program wrote over the bytes, or somebody cleared the error.",
                "If nobody meant to, check the contents of the files that the case names against a "
                "backup: a cleared error does not bring the bytes back." },

        [REASON_METADATA] = { "metadata",
                "The poison lies in metadata of the file system, not in the data of a file; it is never "
                "written from a replica, and the file system may shut down when it needs these bytes.",
                "Save what can still be read and unmount. If a machine check found it, reboot without "
                "mounting it (writing to a page that is not present crashes the kernel); then xfs_repair "
                "(XFS) or e2fsck -f (ext4)." },
        [REASON_LOG] = { "log",
                "The poison lies in the journal of the file system; a clean journal does not need these "
                "bytes, but recovery after a crash may fail on them.",
                "Save what can still be read and unmount cleanly; reboot if a machine check found it, "
                "and mount again; if recovery fails then, xfs_repair -L (XFS) or e2fsck -f (ext4) gives "
                "up the last changes." },
        [REASON_UNKNOWN_OWNER] = { "unknown-owner",
                "The file system cannot say whose these bytes are, so nothing may be written there.",
                "The details of the case say why. If the file system was changing, it is asked again by "
                "itself; else find the file by hand (xfs_io -c fiemap, filefrag -v), and restore it from "
                "a backup." },
        [REASON_FREE_PAGE_MAY_BE_ABSENT] = { "free-page-may-be-absent",
                "A whole page of free space is poisoned; if a machine check did it, the page may be no "
                "longer in the kernel's map, and then the next file that is given this block crashes "
                "the kernel.",
                "Do not fill the file system and avoid large writes; " REBOOT
                ". The details of the case say why the block could not be parked." },
        [REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT] = { "unwritten-page-may-be-absent",
                "A whole page is poisoned that is allocated to a file and was never written, so no data is "
                "lost; but if a machine check did it, the page may be no longer in the kernel's map, "
                "and then the first write there crashes the kernel.",
                "Stop the programs that write to this file, and do NOT write, delete, truncate or punch it; "
                REBOOT ". After that the place is harmless." },
        [REASON_UNLISTED] = { "unlisted",
                "A machine check lost these bytes, but the kernel's bad-block list does not name them, so "
                "nothing is written here: what is not listed is not cleared by a write.",
                "'ndctl start-scrub' has the firmware search the medium: what it finds is listed, and the "
                "case goes on; if it finds nothing, the case ends." },
        [REASON_UNMOUNTED] = { "unmounted",
                "No file system that could be asked is mounted from this device; the case goes on when "
                "one is.",
                "Mount the file system. One on a partition or on device mapper cannot be asked in this "
                "version, and is not to be cleared underneath while it is in use." },
        [REASON_READ_ONLY] = { "read-only",
                "The file system is mounted read-only, so the bytes cannot be written back.",
                "See in the kernel's log why it is read-only ('journalctl -k'); then 'mount -o "
                "remount,rw MOUNTPOINT'." },
        [REASON_CHANGED] = { "changed",
                "The bytes belonged to somebody else, or the file had changed, when they were to be "
                "written; nothing was written, and the owner is looked up again.",
                NULL },
        [REASON_SHARED_EXTENT] = { "shared-extent",
                "Several files share these bytes (reflink); the kernel fails every write through one of "
                "them with EIO while the bytes are poisoned, and they could not be written in place.",
                "Allow Exclusion=freeze and Writer=auto, and let one protect file hold all of them. "
                "Do not delete, truncate or punch these files while a machine check may have made the page "
                "absent; save them from a good copy under another name, and replace them after the "
                "machine was rebooted." },
        [REASON_PATH_UNKNOWN] = { "path-unknown",
                "No name of the file below a protected path was found, so it cannot be told which "
                "replica has its bytes.",
                "'find MOUNTPOINT -xdev -inum INODE' shows its names; if one is outside every protected "
                "path, add a file in /etc/bezoar/protect.d and run 'systemctl reload bezoard'; a file "
                "that is deleted but still open has none." },

        [REASON_OBSERVE] = { "observe",
                "The daemon only observes (Mode=observe), so nothing was written.",
                "Set Mode=repair in /etc/bezoar/bezoar.conf and run 'systemctl reload bezoard'." },
        [REASON_NOT_PROTECTED] = { "not-protected",
                "No protect file covers this path, so it is not known where its bytes may be had.",
                "Add a file in /etc/bezoar/protect.d with Path= and Replica=, check it with 'bezoard "
                "--check-config', and run 'systemctl reload bezoard'; or restore the file by hand." },
        [REASON_NO_REPLICA] = { "no-replica",
                "The protect file that covers this path names no replica.",
                "Add Replica= to that file in /etc/bezoar/protect.d, check it with 'bezoard "
                "--check-config', and run 'systemctl reload bezoard'." },
        [REASON_WRITER_NOT_ALLOWED] = { "writer-not-allowed",
                "Writer= and Exclusion= of the protect file allow no way of writing that works for these "
                "bytes.",
                "Set Writer=auto, or allow another Exclusion=, in that file in /etc/bezoar/protect.d, "
                "and run 'systemctl reload bezoard'." },
        [REASON_BUDGET] = { "budget",
                "RepairBudget= is used up: so many repairs in so short a time mean that a module is "
                "failing rather than that a few bytes were lost.",
                "Look at the health of the modules ('ndctl list -DH') and at all bad blocks ('ndctl list "
                "-M'); repairs go on by themselves when the budget allows." },
        [REASON_PAGE_BUDGET] = { "page-budget",
                "This page was healed several times within a short time, and its bytes were lost again each "
                "time: this place of the module does not keep what is written to it.",
                "Do not leave data there: save the file under another name from a good copy, and have the "
                "module that the case names replaced ('ndctl list --human --dimms --health')." },

        [REASON_REPLICA_MISSING] = { "replica-missing",
                "The replica does not have this file.",
                "Look whether the copy of this file is made at all, and under the same relative path; a "
                "copy that is made now cannot have the lost bytes." },
        [REASON_REPLICA_SHORT] = { "replica-short",
                "The replica's file ends before the lost bytes.",
                "The copy is older than the file, or was cut off: take the file from another backup, and "
                "look why copying stopped." },
        [REASON_REPLICA_NOT_REGULAR] = { "replica-not-regular",
                "What the replica has under this name is no regular file.",
                "Look with 'ls -ld' at what stands there; a mirror must hold files as such, not symbolic "
                "links to them." },
        [REASON_REPLICA_ESCAPES] = { "replica-escapes",
                "The path leads out of the replica's folder through a symbolic link, so it was not "
                "followed.",
                "Replace the link inside the mirror by what it stands for, or let Replica= name the "
                "folder that it leads to." },
        [REASON_REPLICA_UNREADABLE] = { "replica-unreadable",
                "Reading the replica failed.",
                "The error is in the details of the case; look at the permissions of the mirror, and "
                "with 'journalctl -k' at the health of the device that it is on." },
        [REASON_REPLICA_UNREACHABLE] = { "replica-unreachable",
                "The replica as a whole is not there: it is not mounted, or does not answer; it will be "
                "asked again.",
                "Look whether it is mounted ('findmnt') and its server is up." },
        [REASON_REPLICA_SAME_DEVICE] = { "replica-same-device",
                "The replica lies on the same device as the lost bytes, so it is no second place.",
                "Keep the mirror on another device, and name that in Replica=." },
        [REASON_REPLICA_STALE] = { "replica-stale",
                "The replica has another version of the file: bytes around the lost ones, or size or "
                "time of modification, differ; writing its bytes would mix two versions.",
                "Do not copy the poisoned file over the mirror; find a backup of the very version, or "
                "decide which version is wanted and restore the whole file from it; 'bezoarctl explain "
                "CASE' says what differs; 'bezoarctl resolve CASE --accept=REPLICA' shows it byte for byte, "
                "and takes the lost bytes from there if you say so." },
        [REASON_REPLICAS_DISAGREE] = { "replicas-disagree",
                "Two replicas offer different bytes for the same place, and nothing tells which ones are "
                "right.",
                "Find out which of them is current, and take the other one out of the protect file in "
                "/etc/bezoar/protect.d; then run 'systemctl reload bezoard'." },
        [REASON_NEIGHBOURS_BUSY] = { "neighbours-busy",
                "A program stores to bytes around the lost ones right now, perhaps did so to the lost ones "
                "too, so that nothing can show that a copy has them as they were last.",
                "'fuser -v FILE' shows who has it open. Let that program rest for a moment: a replica that "
                "follows it is then equal again, and 'bezoarctl resolve CASE retry' looks at once; where "
                "the replicas are older, only who knows the program can say whether the lost bytes were "
                "written since ('bezoarctl resolve CASE --accept=REPLICA' shows them, and asks)." },
        [REASON_PROOF_MISSING] = { "proof-missing",
                "The replica may be right, but cannot show it in the way that Proof= of the protect file "
                "asks for.",
                "'bezoarctl explain CASE' says what could be shown; keep the times of files in the "
                "mirror (rsync -t), give the file a second replica and allow Proof=quorum, or compare by "
                "hand ('bezoarctl resolve CASE --accept=REPLICA' shows every byte, and asks); and seal "
                "files while they are good ('bezoarctl seal')." },
        [REASON_NOT_AS_SHOWN] = { "not-as-shown",
                "An operator has said what the lost bytes are to become, but what would have been written, "
                "or what survives beside it, is no longer what he was shown; nothing was written.",
                "Look at it again, and decide again: 'bezoarctl resolve CASE --accept=REPLICA', or "
                "--zero." },

        [REASON_FILE_BUSY] = { "file-busy",
                "Another program has the file open, and the exclusion that the protect file asks for "
                "could not be had; it will be tried again.",
                "'fuser -v FILE' shows who has it open; stop that program for a moment, or allow "
                "Exclusion=optimistic in the protect file." },
        [REASON_PAGE_NOT_PRESENT] = { "page-not-present",
                "A machine check took the page out of the kernel's map: programs that map the file get "
                "the right bytes once they were stored, but read(2) and write(2) of the page fail with "
                "EFAULT.",
                "Do NOT delete, truncate or punch the file: on XFS that arms a kernel crash; stop the "
                "programs that map the file, and where that does not help " REBOOT
                "; the daemon looks again by itself." },
        [REASON_WRITE_FAILED] = { "write-failed",
                "The bytes could not be written back; it will be tried again.",
                "The error is in the details of the case; look at 'journalctl -k' and at the health of "
                "the modules ('ndctl list -DH')." },
        [REASON_READ_BACK_FAILED] = { "read-back-failed",
                "The bytes were written, but what was read back from the medium is not what was written, "
                "or could not be read; it will be tried again.",
                "Do not trust this page of the file; look at 'journalctl -k' and at the health of the "
                "modules ('ndctl list -DH'): a module that does not keep what is written must be "
                "replaced." },
        [REASON_STILL_LISTED] = { "still-listed",
                "The bytes were written and read back right, but the kernel still lists them as bad, so "
                "that reading them can fail.",
                "Compare 'ndctl list -M' with the device's badblocks file in /sys/block: a full table "
                "(512 entries) loses such changes; a reboot rebuilds it." },
        [REASON_IN_DOUBT] = { "in-doubt",
                "The machine or the daemon stopped in the middle of a repair, and what the page holds "
                "now is neither what was there nor what was to be written; nothing has been written "
                "since.",
                "Do not trust this page of the file; compare it with a backup, and restore the file if "
                "it is wrong; the page as it was to be is kept in /var/lib/bezoar/intent until the case "
                "is resolved ('bezoarctl resolve CASE')." },
        [REASON_WORKER_DIED] = { "worker-died",
                "The worker process died; what it had begun is looked at before it is tried again.",
                "See 'journalctl -u bezoard' and 'coredumpctl' for how it died; a SIGBUS is a load from "
                "poison that nobody had listed yet." },
        [REASON_WORKER_TIMEOUT] = { "worker-timeout",
                "The worker process did not finish within WorkerTimeoutSec= and was stopped; what it had "
                "begun is looked at before it is tried again.",
                "Most often a replica hangs: look whether network file systems answer ('findmnt', 'stat' "
                "on the mirror)." },
        [REASON_INTERNAL] = { "internal",
                "Something unexpected went wrong; it will be tried again.",
                "The error is in the details of the case and in 'journalctl -u bezoard'; please report "
                "it with both." },
};

static const ReasonText *reason_text(Reason r) {
        return r >= 0 && r < _REASON_MAX ? &reason_table[r] : NULL;
}

const char *reason_to_string(Reason r) {
        const ReasonText *t = reason_text(r);

        return t ? t->word : NULL;
}

Reason reason_from_string(const char *s) {
        for (Reason r = 0; s && r < _REASON_MAX; r++)
                if (strcmp(reason_table[r].word, s) == 0)
                        return r;
        return _REASON_INVALID;
}

const char *reason_explain(Reason r) {
        const ReasonText *t = reason_text(r);

        return t ? t->explain : NULL;
}

const char *reason_advice(Reason r) {
        const ReasonText *t = reason_text(r);

        return t ? t->advice : NULL;
}
