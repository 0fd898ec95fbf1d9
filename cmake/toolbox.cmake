# What makes our own builds fast and strict. Users who add eddy as a subdirectory never see it.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

find_program(MOLD_PROGRAM mold)
find_program(LLD_PROGRAM NAMES ld.lld)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
elseif(LLD_PROGRAM)
  add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wnull-dereference)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports null dereferences and uninitialised members inside coroutine frames that do not exist, and
  # pointers to locals that are reset before the local ends.
  add_compile_options(-Wno-null-dereference -Wno-maybe-uninitialized -Wno-dangling-pointer)
endif()

if(EDDY_SANITIZE)
  add_compile_options(-fsanitize=${EDDY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${EDDY_SANITIZE})
  if(EDDY_SANITIZE MATCHES "undefined")
    # Asks through a pipe whether memory can be read: in the test that uses up all descriptors it takes the lack
    # of one for a broken object.
    add_compile_options(-fno-sanitize=vptr)
  endif()
endif()

# eddy_name_source_dir(SOURCE…): defines EDDY_SOURCE_DIR for those that use it. The others compile to the same objects
# wherever the tree is, so that compiler caches know them.
function(eddy_name_source_dir)
  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source)
    file(STRINGS ${source} uses REGEX EDDY_SOURCE_DIR LIMIT_COUNT 1)
    if(uses)
      set_property(SOURCE ${source} PROPERTY COMPILE_DEFINITIONS EDDY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    endif()
  endforeach()
endfunction()
