#!/bin/sh
# SPDX-License-Identifier: MIT
# top.sh ROOT: nothing stands at the top of the tree but what belongs there: no tool's leavings were
# committed. Exits with 77, for skipped, where ROOT is no checkout.
set -eu
cd "$1"
files=$(git ls-files 2>/dev/null) || exit 77
strays=$(echo "$files" | sed 's#/.*##' | sort -u | grep -vxE \
    -e 'actors|mailbox|supervisor|net|tests|demo|docs|\.ci|\.cmake' \
    -e 'CMakeLists\.txt|CMakePresets\.json|README\.md|buskin\.h|LICENSE|\.clang-format|\.gitignore') || exit 0
echo "what does not belong at the top:" $strays
exit 1
