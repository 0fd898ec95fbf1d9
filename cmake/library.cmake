# eddy_library(NAME ALIAS HEADERS … SOURCES …): one library of the house.
#
# The header list is what gets installed and what `all_verify_interface_header_sets` compiles one by
# one, so a header that needs another one first cannot be merged.
function(eddy_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "EXPORT_NAME" "HEADERS;SOURCES")
  add_library(${name} ${arg_SOURCES})
  add_library(eddy::${arg_EXPORT_NAME} ALIAS ${name})
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${arg_HEADERS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(${name} PUBLIC cxx_std_20)
  set_target_properties(${name} PROPERTIES
    EXPORT_NAME ${arg_EXPORT_NAME}
    VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL}
    POSITION_INDEPENDENT_CODE ON)
  install(TARGETS ${name} EXPORT eddy-targets FILE_SET HEADERS
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()
