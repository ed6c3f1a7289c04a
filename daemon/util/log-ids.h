/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A MESSAGE_ID for each thing that an operator would alert on, and for nothing else. Every id has an
 * entry in config/bezoar.catalog, which uses no other fields than those named here with the id
 * (tests/style/check-catalog): who logs an id adds all of them that are known, and may add more. OFFSET
 * and LENGTH are bytes on the device, PHYSICAL is an address; FILE is escaped by codec_path_escape(). */

/* Poison was found; whose bytes are lost is named where it is known. Once a case. BEZOAR_CASE
 * BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH BEZOAR_PHYSICAL BEZOAR_FILE BEZOAR_INODE BEZOAR_DIMM */
#define LOG_ID_POISON_FOUND "cf1555b0b639b87ae89f60f7f6d7aae1"

/* Restored, read back, and no longer listed. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH
 * BEZOAR_FILE BEZOAR_INODE BEZOAR_REPLICA BEZOAR_PROOF BEZOAR_WRITER */
#define LOG_ID_HEALED "5de66c27994b7a8bea4396f3b379c827"

/* An operator has said what lost bytes are to become, though nothing proves it; before anything is written.
 * BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH BEZOAR_FILE BEZOAR_INODE BEZOAR_REPLICA
 * BEZOAR_OPERATOR BEZOAR_UID BEZOAR_LOGINUID BEZOAR_SESSION BEZOAR_PID BEZOAR_COMM */
#define LOG_ID_ACCEPTED "9b93bb5c4138ffb079706f77a3efb39d"

/* Written by an operator's word, read back, and no longer listed. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET
 * BEZOAR_LENGTH BEZOAR_FILE BEZOAR_INODE BEZOAR_REPLICA BEZOAR_WRITER BEZOAR_OPERATOR */
#define LOG_ID_HEALED_UNPROVED "517e497af5104132eefebdde3270c934"

/* Writing would be wrong; a person must act. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH
 * BEZOAR_FILE BEZOAR_INODE BEZOAR_REASON BEZOAR_REPLICA */
#define LOG_ID_REFUSED "a63e129e2772e31969e3e178d0904a6c"

/* The file system's own bytes are lost. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH
 * BEZOAR_REASON */
#define LOG_ID_METADATA_POISONED "b7ca73f778df80211b8e1323e6fdbb78"

/* A crash left bytes that the intent log cannot explain. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET
 * BEZOAR_LENGTH BEZOAR_FILE BEZOAR_INODE */
#define LOG_ID_IN_DOUBT "027c32c6d8db0e67da85e1ec83a323c1"

/* A replica is older than the file, or is not there. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET
 * BEZOAR_LENGTH BEZOAR_FILE BEZOAR_REPLICA BEZOAR_REASON */
#define LOG_ID_REPLICA_STALE "a3d6552801a888f4e06abc19ddcc482e"

/* A rehearsal showed that a replica could not restore a page of this file, or, at priority crit, that it
 * would have been believed with wrong bytes. When it begins. BEZOAR_REPLICA BEZOAR_FILE BEZOAR_REASON */
#define LOG_ID_REHEARSAL_FAILED "5b0c8e5f0a9d4d57a4cf0e1c63d2b7a8"

/* Cannot be judged or done now. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH BEZOAR_FILE
 * BEZOAR_REASON */
#define LOG_ID_WAITING "534b2d5038a7d74bcf30ff9c7d435683"

/* Tried, and failed; will be tried again. BEZOAR_CASE BEZOAR_DEVICE BEZOAR_OFFSET BEZOAR_LENGTH
 * BEZOAR_FILE BEZOAR_REASON BEZOAR_REPLICA BEZOAR_WRITER */
#define LOG_ID_REPAIR_FAILED "4ec14ed3094e0b36866ff061256cf643"

/* RepairBudget= is used up: many pages went bad in a short time. Not again until all of it is there again.
 * BEZOAR_CASE BEZOAR_DEVICE */
#define LOG_ID_BUDGET_EXHAUSTED "87ba855c0e984ef5c7b235ad5cd83b6f"

/* PageBudget= is used up: a page was healed, and lost again, and again. BEZOAR_CASE BEZOAR_DEVICE
 * BEZOAR_OFFSET BEZOAR_LENGTH BEZOAR_DIMM BEZOAR_FILE */
#define LOG_ID_PAGE_BUDGET "3d1d6a5c9be04bb58bb0a6f7a2c41e90"

/* The kernel's list has no room left, or was cut off: there may be poison that it does not name.
 * BEZOAR_DEVICE */
#define LOG_ID_BADBLOCKS_FULL "569514ae6a30627240c7878950d003d8"

/* A module that lost bytes before, in the last 30 days, has lost bytes again; several, where they are
 * interleaved. Once a case. BEZOAR_DIMM BEZOAR_DEVICE BEZOAR_CASE */
#define LOG_ID_DIMM_AGAIN "0493536986502ddad9455bf07044d4c3"

/* A module raises an alarm (SMART), or the firmware noted one when it started. Once, while it lasts.
 * BEZOAR_DIMM BEZOAR_ALARM BEZOAR_DEVICE */
#define LOG_ID_DIMM_HEALTH "7816281c7c559ac54cbfaa6efa54d009"

/* Free space whose page may not be present: allocating it may crash the kernel. BEZOAR_CASE BEZOAR_DEVICE
 * BEZOAR_OFFSET BEZOAR_LENGTH BEZOAR_PHYSICAL */
#define LOG_ID_FREE_PAGE_ABSENT "1f5b7b47ebe7942f3e0bf7227b14b0e4"

/* Such a page is owned by a guard file now, so that nobody is given it. BEZOAR_CASE BEZOAR_DEVICE
 * BEZOAR_OFFSET BEZOAR_LENGTH BEZOAR_PHYSICAL BEZOAR_FILE */
#define LOG_ID_PARKED "c7e1b0f24d8a4a3b9f5d6e21a0b94c58"

/* The configuration has an error. CONFIG_FILE CONFIG_LINE, as systemd has them */
#define LOG_ID_CONFIG_BAD "74d8363dba6055244ec7111f75f9f381"

/* A case could not be recorded. BEZOAR_CASE */
#define LOG_ID_LEDGER_FAILED "e7961f9abfe47fb2d36286041c45ff1b"
