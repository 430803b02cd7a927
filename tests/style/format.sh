#!/bin/sh
# format.sh CLANG-FORMAT ARGUMENTS...: runs it over all C sources, from the project's top, but for the
# golden programs, which read as they were given.
set -eu
find buskin.h mailbox actors supervisor net demo tests -name '*.[ch]' ! -path 'tests/golden/*' 2>/dev/null | sort | xargs "$@"
