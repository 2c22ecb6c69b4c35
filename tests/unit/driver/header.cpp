// SPDX-License-Identifier: MIT
// The public header, as C++ sees it: compiled alone, and its functions are C's.
#include "vkfd/vkfd.h"

extern "C" void vkfd_cpp_close(vkfd_machine *m);

extern "C" void vkfd_cpp_close(vkfd_machine *m)
{
	vkfd_machine_close(m);
}
