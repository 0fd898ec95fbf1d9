include(CMakePackageConfigHelpers)
set(eddy_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/eddy)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/eddy-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT eddy-targets NAMESPACE eddy:: DESTINATION ${eddy_config_dir})
install(FILES cmake/eddy-config.cmake ${PROJECT_BINARY_DIR}/eddy-config-version.cmake
        DESTINATION ${eddy_config_dir})
configure_file(cmake/eddy.pc.in ${PROJECT_BINARY_DIR}/eddy.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/eddy.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
