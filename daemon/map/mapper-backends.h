/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "map/mapper.h"

/* What stands in mapper_table. For mappers.c only: everybody else goes through the front. */
extern const MapperOps mapper_ext4;
extern const MapperOps mapper_xfs;
