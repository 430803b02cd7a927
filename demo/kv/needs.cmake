# SPDX-License-Identifier: MIT
# LMDB: Debian's liblmdb-dev, with or without its .pc file.
pkg_check_modules(LMDB QUIET IMPORTED_TARGET lmdb)
find_path(BSK_LMDB_INCLUDE lmdb.h)
find_library(BSK_LMDB lmdb)
if(LMDB_FOUND)
    set(links PkgConfig::LMDB)
elseif(BSK_LMDB AND BSK_LMDB_INCLUDE)
    set(links ${BSK_LMDB})
else()
    set(missing "lmdb (liblmdb-dev)")
endif()
