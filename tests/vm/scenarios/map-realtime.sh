# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
#
# Proves that every block of an XFS and of its realtime device is told to be of the file that has it, and while files move between the two
# never to be of another one. The test of the mapper, which a kernel without realtime XFS has to skip.
modprobe loop
/lab/tools/test-map-realtime
