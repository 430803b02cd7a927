#!/bin/sh
# format.sh CLANG-FORMAT ARGUMENTS...: runs it over all C sources, from the project's top.
set -eu
find buskin.h mailbox actors supervisor net demo tests -name '*.[ch]' 2>/dev/null | sort | xargs "$@"
