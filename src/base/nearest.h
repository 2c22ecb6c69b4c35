/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_NEAREST_H
#define VKFD_BASE_NEAREST_H

/**
 * DOC: What did the user mean?
 *
 * Names are compared by the letters to insert, delete, replace or swap with their
 * neighbour; a name more than half of which would have to change is no suggestion.
 */

/* The nearest of @names (NULL at the end) to @word, the first of equals; NULL: none is near. */
const char *vkf_nearest(const char *word, const char *const *names);

#endif
