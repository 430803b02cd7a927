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
if(BSK_REDIS_CLI)
    bsk_add_proof(chaos)
endif()

# Against the real one. Once is enough.
if(BSK_VARIANT STREQUAL "gcc")
    bsk_find_tool(BSK_REDIS_SERVER redis-server)
    file(GLOB sources CONFIGURE_DEPENDS ${proof}/differential/*.c)
    add_executable(kv_differential ${sources})
    if(BSK_REDIS_SERVER)
        bsk_add_proof(differential $<TARGET_FILE:kv_differential>)
    endif()
endif()
