# SPDX-License-Identifier: MIT
# Unit tests: check_<part>.c, with the sources that its line "with:" names.
set(folder ${CMAKE_CURRENT_LIST_DIR})
file(GLOB checks CONFIGURE_DEPENDS ${folder}/check_*.c)
foreach(check IN LISTS checks)
    get_filename_component(part ${check} NAME_WE)
    string(REGEX REPLACE "^check_" "" part ${part})
    bsk_say(with ${check} with)
    string(REPLACE " " ";" with "${with}")
    list(TRANSFORM with PREPEND ${folder}/)
    add_executable(check_kv_${part} ${check} ${with})
    target_include_directories(check_kv_${part} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(check_kv_${part} PRIVATE PkgConfig::CHECK Threads::Threads ${links})
    bsk_add_test(demo.kv.${part} ${check} $<TARGET_FILE:check_kv_${part}>)
endforeach()
bsk_add_test(demo.kv.limits ${folder}/limits.sh sh ${folder}/limits.sh
             $<TARGET_FILE:buskin-kv>)
