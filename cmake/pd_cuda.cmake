# The CUDA part: engine's cuda_* and nccl_* files and ops/cuda.

file(GLOB pd_cuda_sources CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/ops/cuda/*.cu" "${PROJECT_SOURCE_DIR}/ops/cuda/*.cpp")
if(NOT pd_cuda_sources)
  message(FATAL_ERROR
    "PD_CUDA is on, but this tree has no CUDA kernels yet: they come with "
    "ops/cuda. Build the CPU engine with: cmake --preset release")
endif()
message(FATAL_ERROR
  "ops/cuda has sources, but cmake/pd_cuda.cmake does not build them yet.")
