# pd_layer(NAME [FOLDERS a b ...] [DEPENDS layers...] [LIBS third party...]
#          [PUBLIC_LIBS third party in its headers...])
#
# One static library of the .cpp files of its folders (engine_base is
# engine/base); an interface library while there are none. A dependency must be
# a layer that stands above this one in CMakeLists.txt. Files that need a
# device or a library of their own (cuda_*, nccl_*, gloo_*) stay out.

function(pd_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FOLDERS;DEPENDS;LIBS;PUBLIC_LIBS")
  if(NOT arg_FOLDERS)
    string(REPLACE "engine_" "engine/" arg_FOLDERS "${name}")
  endif()
  pd_sources(sources ${arg_FOLDERS})
  foreach(layer IN LISTS arg_DEPENDS)
    if(NOT TARGET ${layer})
      message(FATAL_ERROR "${name} depends on ${layer}, which is not above it")
    endif()
  endforeach()
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name}
      PUBLIC ${arg_DEPENDS} ${arg_PUBLIC_LIBS} PRIVATE pd_flags ${arg_LIBS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name}
      INTERFACE ${arg_DEPENDS} ${arg_PUBLIC_LIBS} ${arg_LIBS})
  endif()
endfunction()

# pd_sources(OUT folders...): their .cpp files, sorted, watched for new ones.
function(pd_sources out)
  set(patterns "")
  foreach(folder IN LISTS ARGN)
    list(APPEND patterns "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  list(FILTER sources EXCLUDE REGEX "/(cuda|nccl|gloo)_[^/]*$")
  set(${out} "${sources}" PARENT_SCOPE)
endfunction()
