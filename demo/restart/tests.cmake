# SPDX-License-Identifier: MIT
# Each scenario is a test; so are the lines, and the screen in a pseudo terminal.
set(main ${CMAKE_CURRENT_LIST_DIR}/main.c)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/scenarios.c scenarios REGEX "\\.name = \"")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/scenarios.c)
foreach(scenario IN LISTS scenarios)
    string(REGEX REPLACE ".*\\.name = \"([a-z_]+)\".*" "\\1" scenario "${scenario}")
    bsk_add_test(demo.restart.${scenario} ${main} $<TARGET_FILE:${program}> --scenario ${scenario})
endforeach()

# The same in virtual time, under some seeds.
foreach(seed IN ITEMS 1 2 3)
    bsk_add_test(demo.restart.seed_${seed} ${main} $<TARGET_FILE:${program}> --scenario all --seed ${seed})
endforeach()

bsk_add_test(demo.restart.plain ${main} sh ${CMAKE_CURRENT_LIST_DIR}/plain.sh $<TARGET_FILE:${program}>)
bsk_add_test(demo.restart.screen ${main} sh ${CMAKE_CURRENT_LIST_DIR}/screen.sh $<TARGET_FILE:${program}>)
