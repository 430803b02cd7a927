# SPDX-License-Identifier: MIT
# How tests are registered. A test's own source says what is special about it, in comments:
#
#   ctest: timeout=120      seconds; default 60 (sanitizers and valgrind: four times as many)
#   ctest: calm             mostly waits, by the clock: takes half a core, when the busy ones are done
#   ctest: serial           runs alone
#   ctest: valgrind         runs under valgrind too
#   ctest: only=gcc,asan    in these variants only (gcc clang asan tsan valgrind)
#   ctest: not=tsan         in all but these
#   expect: REGEX           of a program that is run as it is: what it prints; default anything
#   exit: N                 ... its exit status; default 0
#
# Several ctest words may stand on one line. Names are <variant>.<floor>.<file>.
#
# ctest's -j counts halves of cores, for a test takes two of them, a calm one one: -j4 for two cores.

set(bsk_environment
    "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0:allocator_may_return_null=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:history_size=4")
if(BSK_SANITIZE)
    set(bsk_slowness 4)
else()
    set(bsk_slowness 1)
endif()

# ThreadSanitizer wants memory where it looks for it, which some kernels' randomness denies it.
set(bsk_launcher)
if(BSK_SANITIZE MATCHES "thread")
    find_program(BSK_SETARCH setarch)
    if(BSK_SETARCH)
        execute_process(COMMAND ${BSK_SETARCH} -R true RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
        if(NOT failed)
            set(bsk_launcher ${BSK_SETARCH} -R)
        endif()
    endif()
endif()

# bsk_find_tool(VARIABLE name): a tool that some tests need. Without it those are left out, unless all
# were asked for.
function(bsk_find_tool variable name)
    find_program(${variable} ${name})
    if(NOT ${variable})
        if(BSK_ALL_TESTS)
            message(FATAL_ERROR "${name} is missing: it is needed for all tests")
        endif()
        message(STATUS "${name} is missing: its tests are left out")
    endif()
endfunction()

# bsk_say(OUT source key): the rest of the lines of `source` that hold "key:", trimmed.
function(bsk_say out source key)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(STRINGS ${source} lines REGEX "^[ /*#]*${key}: ")
    set(found)
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[ /*#]*${key}: *" "" line "${line}")
        string(REGEX REPLACE "\\*/.*$" "" line "${line}")
        string(STRIP "${line}" line)
        list(APPEND found "${line}")
    endforeach()
    set(${out} "${found}" PARENT_SCOPE)
endfunction()

# bsk_add_test_as(variant name slowness source command...)
function(bsk_add_test_as variant name slowness source)
    bsk_say(words ${source} ctest)
    string(REPLACE " " ";" words "${words}")
    set(timeout 60)
    set(serial OFF)
    set(halves 2)
    set(cost 0)
    foreach(word IN LISTS words)
        if(word MATCHES "^timeout=([0-9]+)$")
            set(timeout ${CMAKE_MATCH_1})
        elseif(word STREQUAL "serial")
            set(serial ON)
        elseif(word STREQUAL "calm")
            set(halves 1)
            set(cost -1)
        elseif(word MATCHES "^(only|not)=(.+)$")
            string(REPLACE "," ";" variants "${CMAKE_MATCH_2}")
            if((CMAKE_MATCH_1 STREQUAL "only" AND NOT variant IN_LIST variants) OR
               (CMAKE_MATCH_1 STREQUAL "not" AND variant IN_LIST variants))
                return()
            endif()
        elseif(NOT word STREQUAL "valgrind")
            message(FATAL_ERROR "${source}: 'ctest: ${word}' means nothing")
        endif()
    endforeach()
    math(EXPR timeout "${timeout} * ${slowness}")
    set(full ${name})
    if(variant)
        set(full ${variant}.${name})
    endif()
    add_test(NAME ${full} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    # Who costs less than others is started after them.
    set_tests_properties(${full} PROPERTIES TIMEOUT ${timeout} RUN_SERIAL ${serial} SKIP_RETURN_CODE 77
        PROCESSORS ${halves} COST ${cost} LABELS "${variant}" ENVIRONMENT "${bsk_environment};CK_TIMEOUT_MULTIPLIER=${slowness}")
endfunction()

# bsk_add_test(name source command...): in this build's variant, and under valgrind if the source says
# so. A program of this build is given as $<TARGET_FILE:...>.
function(bsk_add_test name source)
    bsk_add_test_as("${BSK_VARIANT}" ${name} ${bsk_slowness} ${source} ${bsk_launcher} ${ARGN})
    if(BSK_VARIANT STREQUAL "gcc")
        bsk_say(words ${source} ctest)
        bsk_find_tool(BSK_VALGRIND valgrind)
        if("${words}" MATCHES "valgrind" AND BSK_VALGRIND)
            bsk_add_test_as(valgrind ${name} 8 ${source}
                ${BSK_VALGRIND} -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
                ${ARGN})
        endif()
    endif()
endfunction()

# bsk_add_program_test(name target source): runs a program that is no Check program.
function(bsk_add_program_test name target source)
    bsk_say(expect ${source} expect)
    bsk_say(exit ${source} exit)
    bsk_add_test(${name} ${source} ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${target}>
        "-DEXPECT=${expect}" "-DEXIT=${exit}" -P ${PROJECT_SOURCE_DIR}/.cmake/expect.cmake)
endfunction()
