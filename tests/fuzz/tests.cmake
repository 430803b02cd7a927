# SPDX-License-Identifier: MIT
# Broken bytes for buskin-kv: its parser under libFuzzer, and the whole of it under a flood.
set(fuzz ${CMAKE_CURRENT_LIST_DIR})
if(BSK_VARIANT STREQUAL "clang")
    set(kv ${PROJECT_SOURCE_DIR}/demo/kv)
    set(sanitizers -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
    add_executable(kv_fuzz_parser ${kv}/fuzz/parser.c ${kv}/protocol.c ${kv}/buffer.c)
    target_compile_options(kv_fuzz_parser PRIVATE -O1 -g -UNDEBUG ${sanitizers})
    target_include_directories(kv_fuzz_parser PRIVATE ${kv} ${PROJECT_SOURCE_DIR})
    target_link_libraries(kv_fuzz_parser PRIVATE Threads::Threads)
    target_link_options(kv_fuzz_parser PRIVATE ${sanitizers})
    bsk_add_test(fuzz.kv_parser ${fuzz}/parser.sh sh ${fuzz}/parser.sh $<TARGET_FILE:kv_fuzz_parser>)
endif()
if(BSK_VARIANT STREQUAL "asan")
    set(differential ${PROJECT_SOURCE_DIR}/tests/kv/differential)
    add_executable(kv_flood ${fuzz}/flood.c ${differential}/grammar.c ${differential}/server.c)
    bsk_add_test(fuzz.kv_flood ${fuzz}/flood.sh sh ${fuzz}/flood.sh $<TARGET_FILE_DIR:buskin-kv>
        $<TARGET_FILE:kv_flood>)
endif()
