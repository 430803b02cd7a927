# SPDX-License-Identifier: MIT
# The proof of buskin-kv. What a test's own comments can ask for: .cmake/tests.cmake. A script is given
# the folder of the programs, and what else it needs.
if(NOT TARGET buskin-kv)
    return()
endif()
set(proof ${PROJECT_SOURCE_DIR}/tests/kv)

function(bsk_add_proof name)
    bsk_add_test(kv.${name} ${proof}/${name}.sh sh ${proof}/${name}.sh $<TARGET_FILE_DIR:buskin-kv> ${ARGN})
endfunction()

bsk_find_tool(BSK_REDIS_CLI redis-cli)
bsk_add_proof(kill9)
bsk_add_proof(loses)
if(BSK_REDIS_CLI)
    bsk_add_proof(chaos)
    bsk_add_proof(cold)
    bsk_add_proof(idle)
    bsk_add_proof(tree)
endif()

if(BSK_VARIANT STREQUAL "gcc")
    add_executable(kv_crowd ${proof}/crowd/main.c)
    bsk_add_proof(slow $<TARGET_FILE:kv_crowd>)
    # Against the real one. Once is enough.
    bsk_find_tool(BSK_REDIS_SERVER redis-server)
    file(GLOB sources CONFIGURE_DEPENDS ${proof}/differential/*.c)
    add_executable(kv_differential ${sources})
    if(BSK_REDIS_SERVER)
        bsk_add_proof(differential $<TARGET_FILE:kv_differential>)
    endif()
endif()
include(${PROJECT_SOURCE_DIR}/tests/fuzz/tests.cmake)
