// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An NVDIMM root device that can lose bytes.
//
// QEMU describes its NVDIMMs correctly in the NFIT, but the root device in its SSDT (ACPI 6.5, 9.20.2) answers no
// question about errors. This table takes the place of QEMU's (same OEM and table id, higher revision) by the
// kernel's table upgrade (Documentation/admin-guide/acpi/initrd_table_override.rst) and implements the root device's
// _DSM (ACPI 6.5, 9.20.7, UUID 2f10e7a4-9e91-11e4-89d3-123b93f75cba):
//
//   0 query   1 ARS capabilities   2 start ARS   3 query ARS status   4 clear uncorrectable error
//   7 ARS error inject   8 inject clear   9 inject status
//
// and the notification 0x81, "uncorrectable memory error", that makes the kernel scrub again.
//
// A real module keeps its errors over a power cut. Here the host does: each error that is added or cleared is told to it
// over an I/O port (host/poison.py), before the call returns.
//
// QEMU's DSDT has revision 1, so AML integers have 32 bits here: addresses and lengths are counted in units of 256 bytes
// and read as the DWORD at byte 1 of the little-endian QWORD. The list of errors holds 1024 units (512 sectors), and is gone when
// the guest is reset.
DefinitionBlock ("nvdr.aml", "SSDT", 2, "BOCHS ", "NVDIMM", 0x00000002)
{
    Scope (\_SB)
    {
        Device (NVDR)
        {
            Name (_HID, "ACPI0012")
            Name (MAX, 1024)
            Name (CNT, 0)                       // errors in the list
            Name (TAB, Buffer (0x1000) {})      // their unit numbers
            Name (LO, 0)                        // the range that was scrubbed last
            Name (HI, 0)

            Method (GETD, 2, Serialized) { CreateDWordField (Arg0, Arg1, DW) Return (DW) }
            Method (PUTD, 3, Serialized) { CreateDWordField (Arg0, Arg1, DW) DW = Arg2 }
            Method (GETU, 2, Serialized) { Return (GETD (Arg0, Arg1 + 1)) }
            Method (PUTU, 3, Serialized) { PUTD (Arg0, Arg1 + 1, Arg2) }

            // A port of QEMU's isa-debugcon, which is a file on the host.
            OperationRegion (TELL, SystemIO, 0x5B0, 1)
            Field (TELL, ByteAcc, NoLock, WriteAsZeros) { PORT, 8 }

            Method (TELD, 1, Serialized)
            {
                PORT = Arg0 & 0xFF
                PORT = (Arg0 >> 8) & 0xFF
                PORT = (Arg0 >> 16) & 0xFF
                PORT = (Arg0 >> 24) & 0xFF
            }

            // Where the guest has written a number N to the port 0xE0, the machine ends at the Nth error that is cleared from
            // then on: after that, and before the kernel has copied what shall be there. QEMU's pc-testdev and isa-debug-exit.
            OperationRegion (LEFT, SystemIO, 0xE0, 1)
            Field (LEFT, ByteAcc, NoLock, WriteAsZeros) { NCUT, 8 }
            OperationRegion (QUIT, SystemIO, 0xF4, 1)
            Field (QUIT, ByteAcc, NoLock, WriteAsZeros) { NEND, 8 }

            Method (CUTM, 0, Serialized)
            {
                Local0 = NCUT
                If (Local0 > 0)
                {
                    Local0--
                    NCUT = Local0
                    If (Local0 == 0) { NEND = 0 }
                }
            }

            // (start, length, what): what comes last, so that a record that a power cut has cut short says nothing.
            Method (TELR, 3, Serialized)
            {
                TELD (Arg0)
                TELD (Arg1)
                PORT = Arg2
            }

            // Forget the errors in (start, length)
            Method (DROP, 2, Serialized)
            {
                Local0 = 0
                While (Local0 < CNT)
                {
                    Local1 = GETD (TAB, Local0 * 4)
                    If ((Local1 >= Arg0) && (Local1 < (Arg0 + Arg1)))
                    {
                        CNT = CNT - 1
                        PUTD (TAB, Local0 * 4, GETD (TAB, CNT * 4))
                    }
                    Else { Local0++ }
                }
            }

            // Remember (start, length) as lost
            Method (ADDR, 2, Serialized)
            {
                DROP (Arg0, Arg1)
                Local1 = Arg0
                While ((Local1 < (Arg0 + Arg1)) && (CNT < MAX))
                {
                    PUTD (TAB, CNT * 4, Local1)
                    CNT = CNT + 1
                    Local1++
                }
            }

            Method (_DSM, 4, Serialized)
            {
                If (Arg0 != ToUUID ("2f10e7a4-9e91-11e4-89d3-123b93f75cba")) { Return (Buffer () { 0 }) }
                If (Arg2 == 0) { Return (Buffer () { 0x9F, 0x03 }) }
                Local6 = Buffer (1) { 0 }
                If (SizeOf (Arg3) > 0) { Local6 = DerefOf (Arg3 [0]) }

                If (Arg2 == 1)                  // ARS capabilities: both kinds of memory, 256 bytes are cleared at a time
                {
                    Local7 = Buffer (16) {}
                    PUTD (Local7, 0, 0x00020000)
                    PUTD (Local7, 4, 48 + 24 * MAX)
                    PUTD (Local7, 8, 256)
                    Return (Local7)
                }
                If (Arg2 == 2)                  // start ARS: takes no time at all
                {
                    LO = GETU (Local6, 0)
                    HI = LO + GETU (Local6, 8)
                    Return (Buffer (8) {})
                }
                If (Arg2 == 3)                  // query ARS status: the errors of the range scrubbed last
                {
                    Local7 = Buffer (48 + 24 * MAX) {}
                    If (HI == 0) { PUTD (Local7, 0, 0x00020000) }       // none was performed yet
                    PUTU (Local7, 8, LO)
                    PUTU (Local7, 16, HI - LO)
                    CreateWordField (Local7, 40, TYPE)
                    TYPE = 2
                    Local0 = 0
                    Local1 = 0
                    While (Local0 < CNT)
                    {
                        Local2 = GETD (TAB, Local0 * 4)
                        If ((Local2 >= LO) && (Local2 < HI))
                        {
                            PUTU (Local7, 48 + Local1 * 24 + 8, Local2)
                            PUTU (Local7, 48 + Local1 * 24 + 16, 1)
                            Local1++
                        }
                        Local0++
                    }
                    PUTD (Local7, 44, Local1)
                    PUTD (Local7, 4, 48 + 24 * Local1)
                    Return (Local7)
                }
                If (Arg2 == 4)                  // clear uncorrectable error
                {
                    DROP (GETU (Local6, 0), GETU (Local6, 8))
                    TELR (GETU (Local6, 0), GETU (Local6, 8), 0x2D)
                    CUTM ()
                    Local7 = Buffer (16) {}
                    PUTU (Local7, 8, GETU (Local6, 8))
                    Return (Local7)
                }
                If (Arg2 == 7)                  // ARS error inject: flag 0 asks for a notification
                {
                    CreateByteField (Local6, 16, FLAG)
                    ADDR (GETU (Local6, 0), GETU (Local6, 8))
                    TELR (GETU (Local6, 0), GETU (Local6, 8), 0x2B)
                    If (FLAG & 1) { Notify (\_SB.NVDR, 0x81) }
                    Return (Buffer (4) {})
                }
                If (Arg2 == 8)                  // inject clear
                {
                    DROP (GETU (Local6, 0), GETU (Local6, 8))
                    TELR (GETU (Local6, 0), GETU (Local6, 8), 0x2D)
                    Return (Buffer (4) {})
                }
                If (Arg2 == 9)                  // inject status
                {
                    Local7 = Buffer (8 + 16 * MAX) {}
                    Local0 = 0
                    While (Local0 < CNT)
                    {
                        PUTU (Local7, 8 + Local0 * 16, GETD (TAB, Local0 * 4))
                        PUTU (Local7, 16 + Local0 * 16, 1)
                        Local0++
                    }
                    PUTD (Local7, 4, CNT)
                    Return (Local7)
                }
                Return (Buffer () { 0 })
            }

            // _ADR is the NFIT device handle, which QEMU counts from 1.
            //
            // The first module knows SMART, in the way of Intel's DIMMs (UUID 4309ac30-0d11-11e4-9191-0800200c9a66, which the
            // kernel and libndctl know): 1 health, 18 inject, as "ndctl inject-smart" asks for it, with the notification 0x81
            // to the module. The second is of the same family and knows no function of it: a module without the family
            // would have the kernel refuse its commands to all modules of the bus (drivers/acpi/nfit/core.c
            // acpi_nfit_add_dimm() clears the bit for the last one, drivers/nvdimm/bus.c __nd_ioctl() tests it).
            Device (NV00)
            {
                Name (_ADR, 1)
                Name (HLTH, 0)                  // 4: fatal
                Name (ALRM, 0)                  // 1: spares, 2: temperature of the medium

                Method (_DSM, 4, Serialized)
                {
                    If (Arg0 != ToUUID ("4309ac30-0d11-11e4-9191-0800200c9a66")) { Return (Buffer () { 0 }) }
                    If (Arg2 == 0) { Return (Buffer () { 0x03, 0x00, 0x04 }) }
                    If (Arg2 == 1)              // status 0; health, spares and alarms are valid
                    {
                        Local7 = Buffer (132) {}
                        PUTD (Local7, 4, 0x0203)
                        Local7 [12] = HLTH
                        Local7 [13] = 100
                        Local7 [15] = ALRM
                        Return (Local7)
                    }
                    If (Arg2 == 18)
                    {
                        Local6 = DerefOf (Arg3 [0])
                        Local0 = DerefOf (Local6 [0])
                        If (Local0 & 1) { ALRM = (ALRM & 1) | (2 * (DerefOf (Local6 [8]) & 1)) }
                        If (Local0 & 2) { ALRM = (ALRM & 2) | (DerefOf (Local6 [11]) & 1) }
                        If (Local0 & 4) { HLTH = 4 * (DerefOf (Local6 [13]) & 1) }
                        Notify (\_SB.NVDR.NV00, 0x81)
                        Return (Buffer (4) {})
                    }
                    Return (Buffer () { 0 })
                }
            }
            Device (NV01)
            {
                Name (_ADR, 2)

                Method (_DSM, 4, Serialized)
                {
                    If ((Arg0 == ToUUID ("4309ac30-0d11-11e4-9191-0800200c9a66")) && (Arg2 == 0)) { Return (Buffer () { 0x01 }) }
                    Return (Buffer () { 0 })
                }
            }

            // The third, which few machines of the lab have (a device that the NFIT does not name is not looked at), keeps labels, so that
            // its region can hold several namespaces: 4 size, 5 get, 6 set. Labels are gone when the guest is reset. What is there
            // at first is an index block (UEFI 2.10, 13.19) that says that there are none: without one the kernel takes the region for one
            // that holds a single namespace.
            Device (NV02)
            {
                Name (_ADR, 3)
                Name (LABL, Buffer (0x1000)
                {
                    0x4E, 0x41, 0x4D, 0x45, 0x53, 0x50, 0x41, 0x43, 0x45, 0x5F, 0x49, 0x4E, 0x44, 0x45, 0x58, 0x00,  // signature
                    0x00, 0x00, 0x00, 0x01,                             // flags; labels of 256 bytes
                    0x01, 0x00, 0x00, 0x00,                             // sequence
                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,     // offset of this block
                    0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,     // its size
                    0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,     // offset of the other block
                    0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,     // offset of the labels
                    0x0E, 0x00, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00,     // 14 labels; version 1.2
                    0x39, 0x7A, 0x32, 0xD8, 0xD1, 0x04, 0x9F, 0x27,     // checksum, Fletcher's
                    0xFF, 0x3F                                          // all are free
                })

                Method (_DSM, 4, Serialized)
                {
                    If (Arg0 != ToUUID ("4309ac30-0d11-11e4-9191-0800200c9a66")) { Return (Buffer () { 0 }) }
                    If (Arg2 == 0) { Return (Buffer () { 0x71 }) }
                    If (Arg2 == 4)              // status 0; size, and how much is moved at a time
                    {
                        Local7 = Buffer (12) {}
                        PUTD (Local7, 4, SizeOf (LABL))
                        PUTD (Local7, 8, 256)
                        Return (Local7)
                    }
                    If ((Arg2 == 5) || (Arg2 == 6))
                    {
                        Local6 = DerefOf (Arg3 [0])
                        Local0 = GETD (Local6, 0)
                        Local1 = GETD (Local6, 4)
                        // Status 3: invalid parameters
                        If ((Local1 > SizeOf (LABL)) || (Local0 > (SizeOf (LABL) - Local1))) { Return (Buffer (4) { 3 }) }
                        If (Arg2 == 5) { Return (Concatenate (Buffer (4) {}, Mid (LABL, Local0, Local1))) }
                        Local2 = 0
                        While (Local2 < Local1)
                        {
                            LABL [Local0 + Local2] = DerefOf (Local6 [8 + Local2])
                            Local2++
                        }
                        Return (Buffer (4) {})
                    }
                    Return (Buffer () { 0 })
                }
            }
        }
    }
}
