#!/usr/bin/env bash
# Holds check_layers.sh to its word: a tree with one break must go red and say
# file, line and rule; a sound tree must stay green.

set -uo pipefail

check="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/check_layers.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

fresh_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{engine/{base,device,graph,job,comm},ops/cpu,actors,tools/bench,tests/engine/base}
  printf '#pragma once\n#include <vector>\n' >"$tree/engine/base/error.hpp"
  printf '#include "engine/base/error.hpp"\n#include <sys/mman.h>\n' \
    >"$tree/engine/device/pool.cpp"
  printf '#include "engine/graph/op.hpp"\n#include <dnnl.hpp>\n' \
    >"$tree/ops/cpu/relu.cpp"
  printf '#include "engine/device/device.hpp"\n#include <cuda_runtime.h>\n' \
    >"$tree/engine/device/cuda_device.cpp"
  printf '// #include "ops/no.hpp" is no include\n#include <toml++/toml.h>\n' \
    >"$tree/engine/job/job_file.cpp"
  printf '#include "engine/job/job.hpp"\n#include <caf/all.hpp>\n' \
    >"$tree/actors/stage.cpp"
  printf '#include "tools/x.hpp"\n#include <catch2/catch.hpp>\n' \
    >"$tree/tests/engine/base/error_test.cpp"
}

# expect_green WHAT
expect_green() {
  local said
  if ! said=$(bash "$check" "$tree" 2>&1); then
    echo "FAILED: $1: want green, got: $said"
    failed=1
  fi
}

# expect_red FILE LINE WORDS: appends nothing, wants `FILE:LINE: ...WORDS...`
expect_red() {
  local said status
  said=$(bash "$check" "$tree" 2>&1)
  status=$?
  if [ $status -ne 1 ]; then
    echo "FAILED: $1: want exit status 1, got $status: $said"
    failed=1
  elif ! grep -qE "^$1:$2: .*$3" <<<"$said"; then
    echo "FAILED: $1: want a line '$1:$2: ...$3...', got: $said"
    failed=1
  fi
}

# breaks FILE INCLUDE WORDS: the include on line 2 of the file must go red.
breaks() {
  fresh_tree
  mkdir -p "$(dirname "$tree/$1")"
  printf '// a break of the rules\n#include %s\n' "$2" >"$tree/$1"
  expect_red "$1" 2 "$3"
}

fresh_tree
expect_green "a sound tree"

breaks engine/base/a.hpp '"engine/device/device.hpp"' \
  'engine/base may not include engine/device'
breaks engine/graph/a.cpp '"ops/register.hpp"' \
  'engine/graph may not include ops'
breaks engine/program/a.cpp '"engine/models/models.hpp"' \
  'engine/program may not include engine/models'
breaks engine/job/a.cpp '"engine/train/trainer.hpp"' \
  'engine/job may not include engine/train'
breaks ops/a.cpp '"engine/program/stage_program.hpp"' \
  'ops may not include engine/program'
breaks actors/a.cpp '"ops/register.hpp"' 'actors may not include ops'
breaks tools/a.cpp '"tests/support/compare.hpp"' 'tools may not include tests'
breaks engine/base/a.cpp '"error.hpp"' 'no path from the root'
breaks engine/device/a.cpp '"../base/error.hpp"' 'no path from the root'
breaks engine/device/a.cpp '"caf/all.hpp"' 'no path from the root'

breaks engine/comm/a.cpp '<caf/actor.hpp>' 'may not see CAF'
breaks engine/device/cpu_device.cpp '<cuda_runtime.h>' 'may not see CUDA'
breaks ops/cpu/a.cpp '<cublas_v2.h>' 'may not see CUDA'
breaks engine/comm/cuda_a.cpp '<nccl.h>' 'may not see NCCL'
breaks engine/comm/a.cpp '<gloo/context.h>' 'may not see Gloo'
breaks ops/a.cpp '<dnnl.hpp>' 'may not see oneDNN'
breaks tests/ops/a.cpp '<oneapi/dnnl/dnnl.hpp>' 'may not see oneDNN'
breaks engine/graph/a.cpp '<toml++/toml.h>' 'may not see toml'
breaks engine/graph/a.cpp '<nlohmann/json.hpp>' 'may not see nlohmann'
breaks engine/job/a.cpp '<spdlog/spdlog.h>' 'may not see spdlog'
breaks engine/train/a.cpp '<CLI/CLI.hpp>' 'may not see CLI11'
breaks engine/base/a.cpp '<boost/asio.hpp>' 'in no row of the third-party'
breaks engine/base/a.cpp 'SOME_MACRO' 'macro cannot be checked'

fresh_tree
mkdir -p "$tree/engine/stray"
printf '#pragma once\n' >"$tree/engine/stray/a.hpp"
expect_red engine/stray/a.hpp 1 'is no layer'

fresh_tree
printf '  #  include   "ops/register.hpp" // spaces do not hide it\n' \
  >"$tree/engine/base/a.cpp"
expect_red engine/base/a.cpp 1 'engine/base may not include ops'

rm -rf "${tree:?}"/*
bash "$check" "$tree" >/dev/null 2>&1
status=$?
if [ $status -ne 2 ]; then
  echo "FAILED: an empty tree: want exit status 2, got $status"
  failed=1
fi

[ $failed = 0 ] && echo "check_layers: every planted break was found"
exit $failed
