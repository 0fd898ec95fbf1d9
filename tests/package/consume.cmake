# Builds and runs CONSUMER against eddy, WAY: find_package, pkg_config (both: after an install into SCRATCH) or
# subdirectory.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}\nended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
set(prefix ${SCRATCH}/prefix)
set(configure ${CMAKE_COMMAND} -S ${CONSUMER} -B ${SCRATCH}/build -G Ninja -DCMAKE_CXX_COMPILER=${COMPILER}
              -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})

if(NOT WAY STREQUAL "subdirectory")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
endif()

if(WAY STREQUAL "pkg_config")
  # The prefix of the install is not the one of the configure step.
  set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
  run(pkg-config --define-variable=prefix=${prefix} --cflags --libs eddy-http)
  separate_arguments(found UNIX_COMMAND "${output}")
  file(MAKE_DIRECTORY ${SCRATCH}/build)
  run(${COMPILER} -std=c++20 -DWITH_HTTP ${flags} ${CONSUMER}/main.cpp -o ${SCRATCH}/build/consumer ${found})
elseif(WAY STREQUAL "find_package")
  run(${configure} -DCMAKE_PREFIX_PATH=${prefix})
  run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
else()
  run(${configure} -DEDDY_SOURCE=${SOURCE})
  run(${CMAKE_COMMAND} --build ${SCRATCH}/build --target consumer)
endif()

run(${SCRATCH}/build/consumer)
message(STATUS "${output}")
file(REMOVE_RECURSE ${SCRATCH})
