# pd_headers_alone(folders...): target `headers_alone`, not part of `all`.
#
# Compiles every header by itself, so that none needs what another includes.

function(pd_headers_alone)
  set(units "")
  foreach(folder IN LISTS ARGN)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS
      RELATIVE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/${folder}/*.hpp")
    list(FILTER headers EXCLUDE REGEX "(^|/)(cuda|nccl|gloo)[_/]")
    foreach(header IN LISTS headers)
      set(unit "${PROJECT_BINARY_DIR}/headers_alone/${header}.cpp")
      file(CONFIGURE OUTPUT "${unit}" CONTENT "#include \"${header}\"\n")
      list(APPEND units "${unit}")
    endforeach()
  endforeach()
  if(NOT units)
    add_custom_target(headers_alone)
    return()
  endif()
  add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${units})
  target_link_libraries(headers_alone PRIVATE pd_flags OpenMP::OpenMP_CXX)
  target_compile_options(headers_alone PRIVATE -O0)
  pd_test_definitions(headers_alone)
  if(TARGET actors)
    target_link_libraries(headers_alone PRIVATE CAF::core CAF::io)
  endif()
endfunction()
