# oneDNN as DNNL::dnnl. Debian's own package file asks for OpenCL's headers,
# which only oneDNN's GPU part needs and libdnnl-dev does not bring.

find_path(PD_ONEDNN_INCLUDE dnnl.hpp REQUIRED)
find_library(PD_ONEDNN_LIBRARY dnnl REQUIRED)
mark_as_advanced(PD_ONEDNN_INCLUDE PD_ONEDNN_LIBRARY)

add_library(DNNL::dnnl SHARED IMPORTED)
set_target_properties(DNNL::dnnl PROPERTIES
  IMPORTED_LOCATION "${PD_ONEDNN_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${PD_ONEDNN_INCLUDE}")
