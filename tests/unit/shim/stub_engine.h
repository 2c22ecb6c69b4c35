/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_STUB_ENGINE_H
#define VKFD_TESTS_STUB_ENGINE_H

#define STUB_WORDS 16

enum stub_word {
	STUB_PLAIN, /* and all below STUB_LOAD */
	STUB_LOAD = 8,
	STUB_ADD,
	STUB_COPY,
	STUB_ENDLESS,
	STUB_WAITING,
	STUB_PEEK,
	STUB_CRASH,
};

#endif
