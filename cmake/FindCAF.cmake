# Finds the C++ Actor Framework, for which Debian ships headers and shared
# libraries but no CMake package: CAF::core, CAF::io, ... by component. For the
# thread sanitizer, the one that tools/install_caf_tsan builds, and no other.

include(FindPackageHandleStandardArgs)
find_package(Threads REQUIRED)

set(where "") # anywhere
if(PD_SANITIZE MATCHES "thread")
  set(script "${PROJECT_SOURCE_DIR}/tools/install_caf_tsan")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "CXX=${CMAKE_CXX_COMPILER}"
            bash "${script}" --where
    OUTPUT_VARIABLE built OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  if(NOT IS_DIRECTORY "${built}")
    message(FATAL_ERROR "The thread sanitizer needs a CAF that is built with "
                        "it, and ${built} is not there: run "
                        "tools/install_caf_tsan")
  endif()
  # It moves with the script and the package, so no cached place will do.
  unset(CAF_INCLUDE_DIR CACHE)
  foreach(component IN LISTS CAF_FIND_COMPONENTS)
    unset(CAF_${component}_LIBRARY CACHE)
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    "${script}" /usr/include/caf/config.hpp)
  set(where PATHS "${built}" PATH_SUFFIXES include lib NO_DEFAULT_PATH)
endif()

find_path(CAF_INCLUDE_DIR caf/all.hpp ${where})
if(CAF_INCLUDE_DIR)
  # "#define CAF_VERSION 1706" is 0.17.6
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" version
    REGEX "^#define CAF_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+$" version "${version}")
  math(EXPR major "${version} / 10000")
  math(EXPR minor "${version} / 100 % 100")
  math(EXPR patch "${version} % 100")
  set(CAF_VERSION "${major}.${minor}.${patch}")
endif()

foreach(component IN LISTS CAF_FIND_COMPONENTS)
  find_library(CAF_${component}_LIBRARY caf_${component} ${where})
  if(CAF_${component}_LIBRARY)
    set(CAF_${component}_FOUND TRUE)
  endif()
endforeach()

find_package_handle_standard_args(CAF
  REQUIRED_VARS CAF_INCLUDE_DIR CAF_core_LIBRARY
  VERSION_VAR CAF_VERSION
  HANDLE_COMPONENTS)

if(CAF_FOUND)
  foreach(component IN LISTS CAF_FIND_COMPONENTS)
    if(NOT TARGET CAF::${component})
      add_library(CAF::${component} SHARED IMPORTED)
      set_target_properties(CAF::${component} PROPERTIES
        IMPORTED_LOCATION "${CAF_${component}_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES Threads::Threads)
    endif()
  endforeach()
  if(TARGET CAF::io)
    target_link_libraries(CAF::io INTERFACE CAF::core)
  endif()
endif()
