/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/owner.h"

/* For tests of a mapper against the kernel: a file system in an image on a loop device, below a folder of
 * the test's own, in a mount namespace that ends with it. Whatever goes wrong here ends the test. */

#define SKIP 77

/* Ends the test as one that cannot be done here, and says why. */
__attribute__((format(printf, 1, 2), noreturn))
void skip(const char *format, ...);

/* system(3) of it. */
__attribute__((format(printf, 1, 2)))
int run(const char *format, ...);

/* The body of main(): makes the folder, has `tests` run by a child, in it, and removes it, also where an
 * assertion ended the child. `template` as of mkdtemp(3). Skips without root, or without the program `mkfs`
 * of `package`. The exit status. */
int run_in_folder(const char *template, const char *mkfs, const char *package, void (*tests)(void));

/* A new file system in the file `image`, by the command `mkfs` with its options. False: it cannot. */
bool make_image(uint64_t size, const char *mkfs, const char *options);

/* Mounts it at `mnt`: the descriptor of its root; -1: this kernel cannot. */
int mount_image(const char *type, const char *options);

/* With the descriptor of mount_image(). */
void unmount(int fd);

/* Files below a folder of which there is a descriptor. */
int create(int root, const char *path);                 /* it must be new */
void fill(int fd, uint64_t offset, size_t n);
uint64_t inode_of(int fd);
uint32_t generation_of(int fd);

/* An OwnerFn; userdata is an Owners. */
int keep(const Owner *owner, void *userdata);
