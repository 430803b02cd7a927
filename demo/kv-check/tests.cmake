# SPDX-License-Identifier: MIT
# kv-check is what proves buskin-kv: so its tests are that one's.
include(${PROJECT_SOURCE_DIR}/tests/kv/tests.cmake OPTIONAL)
