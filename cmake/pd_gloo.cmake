# pd_gloo(LAYER): adds the gloo_* files of a layer, and Gloo behind them.

find_package(Gloo REQUIRED) # target gloo; libgloo-dev brings its GlooConfig

function(pd_gloo layer)
  string(REPLACE "engine_" "engine/" folder "${layer}")
  file(GLOB sources CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/${folder}/gloo_*.cpp")
  target_sources(${layer} PRIVATE ${sources})
  target_link_libraries(${layer} PRIVATE gloo)
endfunction()
