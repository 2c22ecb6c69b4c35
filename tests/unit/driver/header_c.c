/* SPDX-License-Identifier: MIT */
/* In place of header.cpp where there is no C++ compiler. */
#include "vkfd/vkfd.h"

void vkfd_cpp_close(struct vkfd_machine *m);

void vkfd_cpp_close(struct vkfd_machine *m)
{
	vkfd_machine_close(m);
}
