/* SPDX-License-Identifier: MIT */
/* fixture.c - what the tests of actors share serves here too. */
#include "../actors/fixture.c"
