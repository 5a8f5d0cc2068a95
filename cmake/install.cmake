# `cmake --install`, and the Debian package by `cpack`. Manual pages and completion are what the program prints, so it is
# run when it is installed; a program for another machine can't be, and MBUILD_DOCUMENTS then names a directory that
# packaging/documents has made.
include(GNUInstallDirs)
set(MBUILD_DOCUMENTS "" CACHE PATH "Directory made by packaging/documents (default: made when installing)")
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)

install(TARGETS mbuild RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES packaging/apparmor DESTINATION ${CMAKE_INSTALL_DATADIR}/mbuild)
install(CODE "
  set(documents \"${MBUILD_DOCUMENTS}\")
  if(NOT documents)
    set(documents \"${CMAKE_BINARY_DIR}/documents\")
    execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/packaging/documents\" \"$<TARGET_FILE:mbuild>\" \"\${documents}\"
                    COMMAND_ERROR_IS_FATAL ANY)
  endif()
  set(share \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}\")
  set(zsh \"\${share}/zsh/site-functions\")
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\") # what a distribution installs has a place of its own
    set(zsh \"\${share}/zsh/vendor-completions\")
  endif()
  file(INSTALL \"\${documents}/man1/\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man1\")
  file(INSTALL \"\${documents}/bash/\" DESTINATION \"\${share}/bash-completion/completions\")
  file(INSTALL \"\${documents}/zsh/\" DESTINATION \"\${zsh}\")
  file(INSTALL \"\${documents}/fish/\" DESTINATION \"\${share}/fish/vendor_completions.d\")
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    file(MAKE_DIRECTORY \"${CMAKE_BINARY_DIR}/debian\")
    execute_process(COMMAND gzip -9nc \"${CMAKE_SOURCE_DIR}/packaging/changelog\"
                    OUTPUT_FILE \"${CMAKE_BINARY_DIR}/debian/changelog.gz\" COMMAND_ERROR_IS_FATAL ANY)
    file(INSTALL \"${CMAKE_BINARY_DIR}/debian/changelog.gz\" \"${CMAKE_SOURCE_DIR}/packaging/copyright\"
         DESTINATION \"\${share}/doc/mbuild\")
    file(INSTALL \"${CMAKE_SOURCE_DIR}/packaging/lintian-overrides\" DESTINATION \"\${share}/lintian/overrides\"
         RENAME mbuild)
  endif()
")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_VENDOR "The authors of mbuild")
set(CPACK_PACKAGE_CONTACT "The authors of mbuild <maintainers@users.noreply.example.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "builder of container images for several platforms")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "mbuild turns a Dockerfile into images for several platforms at once, without a\ndaemon, without root and without preparation of the host. It takes the command\nline of docker buildx, and runs the steps of a foreign platform under QEMU user\nmode emulation, which it registers for itself alone.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE amd64)
endif()
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcurl4t64 | libcurl4") # opened when something is fetched
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, git, passt | slirp4netns, qemu-user-static, uidmap")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "apparmor")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/postinst ${CMAKE_SOURCE_DIR}/packaging/postrm)
include(CPack)
