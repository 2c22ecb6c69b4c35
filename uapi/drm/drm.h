/* SPDX-License-Identifier: MIT */
/* linux-libc-dev's <linux/kfd_ioctl.h> names <drm/drm.h>, which Debian ships as <libdrm/drm.h>;
 * it also leans on its includer for the integer types. */
#include <linux/types.h>
#include <libdrm/drm.h>
