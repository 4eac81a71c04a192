#!/usr/bin/env bash
# Checks that includes point down: each folder includes itself and the layers
# that docs/architecture.md grants it, and sees only its own third-party
# headers. Prints `file:line: rule` for each break and exits 1; 2 if there is
# nothing to check.
#
#   tests/check_layers.sh [ROOT]        default: this repository

set -euo pipefail

root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
cd "$root"

# folder: what it may include besides itself. `engine` is every layer of it.
layers='
engine/base:
engine/device: engine/base
engine/schedule: engine/base
engine/graph: engine/base engine/device
engine/models: engine/base engine/graph
engine/onnx: engine/base engine/device engine/graph
engine/data: engine/base engine/device
engine/comm: engine/base engine/device
engine/checkpoint: engine/base engine/device
engine/program: engine/base engine/device engine/graph engine/schedule
engine/planner: engine/base engine/graph engine/schedule
engine/job: engine/base engine/device engine/schedule engine/graph engine/models engine/data engine/comm engine/checkpoint engine/program engine/planner
engine/train: engine/base engine/device engine/schedule engine/graph engine/models engine/data engine/comm engine/checkpoint engine/program engine/planner engine/job engine/onnx
ops: engine/base engine/device engine/graph
actors: engine
tools: engine ops actors
tests: engine ops actors tools
'

# header (an extended regular expression) | who sees it: folders, or a file name
# pattern after a slash (engine/*/cuda_*) | its name in the message
third_party='
caf/.*|actors tools tests|CAF
catch2/.*|tests|Catch2
(cuda|cudnn|cublas|curand|cooperative_groups|nvtx|nvToolsExt|device_launch|thrust/|cub/|mma).*|ops/cuda */cuda_* */nccl_*|CUDA
nccl.*|*/nccl_*|NCCL
gloo/.*|engine/comm/gloo_*|Gloo
(dnnl|oneapi/).*|ops/cpu tools/bench|oneDNN
toml\+\+/.*|engine/job|toml++
(onnx|google/protobuf)/.*|engine/onnx/onnx_model.cpp|ONNX
nlohmann/.*|engine/checkpoint engine/planner engine/train tools tests|nlohmann-json
xxhash\.h|engine/checkpoint|xxhash
(zlib|zconf)\.h|engine/data tools tests|zlib
(jpeglib|jerror|turbojpeg)\.h|engine/data tools/image_folder|libjpeg-turbo
png.*\.h|engine/data tools/image_folder|libpng
spdlog/.*|engine/base|spdlog
fmt/.*|engine/base tools tests|{fmt}
omp\.h|engine/device ops tools tests|OpenMP
CLI/.*|tools|CLI11
benchmark/.*|tools/bench|Google Benchmark
(prometheus/|httplib).*|tools actors|the metrics server
'

# What the language, the C library and the system bring: seen by all.
system='^([a-z_0-9]+|(sys|netinet|arpa|net|linux|sanitizer)/[a-z_0-9]+\.h|(unistd|fcntl|sched|pthread|signal|dlfcn|link|poll|netdb|termios|time|errno|pwd|spawn|fenv|ftw|glob|dirent|execinfo|cxxabi|immintrin|x86intrin|cpuid|malloc|getopt)\.h)$'

folders=()
for folder in engine ops actors tools tests; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
files=$(find "${folders[@]:-/dev/null}" -type f \
  \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.cu' \
  -o -name '*.cuh' -o -name '*.inl' \) 2>/dev/null | LC_ALL=C sort)
if [ -z "$files" ]; then
  echo "check_layers: no source file under $root" >&2
  exit 2
fi

# shellcheck disable=SC2086 # one word a file; we name ours without spaces
LAYERS=$layers THIRD_PARTY=$third_party SYSTEM=$system awk '
function fail(rule) { print FILENAME ":" FNR ": " rule; broken++ }

function within(path, folder) {
  return path == folder || index(path, folder "/") == 1
}

# The layer that a path belongs to; empty if none.
function layer_of(path,   i) {
  for (i = 1; i <= layer_count; i++)
    if (within(path, layer_name[i]))
      return layer_name[i]
  return ""
}

function may_include(from, to,   parts, i, n) {
  if (from == to)
    return 1
  n = split(granted[from], parts, " ")
  for (i = 1; i <= n; i++)
    if (within(to, parts[i]))
      return 1
  return 0
}

# "engine/*/cuda_*" as a regular expression; "ops/cpu" as a folder.
function matches(path, pattern) {
  if (pattern !~ /\*/)
    return within(path, pattern)
  gsub(/\*/, ".*", pattern)
  return path ~ ("^" pattern "$")
}

function check_ours(header,   to) {
  to = layer_of(header)
  if (to == "")
    fail("\"" header "\" is no path from the root of the repository " \
      "into a layer")
  else if (!may_include(layer, to))
    fail(layer " may not include " to " (\"" header "\"); it may include: " \
      (granted[layer] == "" ? "itself" : granted[layer]))
}

function check_third_party(header,   i, j, n, parts) {
  for (i = 1; i <= third_count; i++) {
    if (header !~ ("^(" third_header[i] ")$"))
      continue
    n = split(third_who[i], parts, " ")
    for (j = 1; j <= n; j++)
      if (matches(FILENAME, parts[j]))
        return
    fail(layer " may not see " third_name[i] " (<" header ">); seen by: " \
      third_who[i])
    return
  }
  if (header !~ ENVIRON["SYSTEM"])
    fail("<" header "> is in no row of the third-party table")
}

BEGIN {
  n = split(ENVIRON["LAYERS"], lines, "\n")
  for (i = 1; i <= n; i++) {
    if (lines[i] == "")
      continue
    at = index(lines[i], ":")
    layer_name[++layer_count] = substr(lines[i], 1, at - 1)
    granted[layer_name[layer_count]] = substr(lines[i], at + 2)
  }
  n = split(ENVIRON["THIRD_PARTY"], lines, "\n")
  for (i = 1; i <= n; i++) {
    if (lines[i] == "")
      continue
    # The header may hold a bar itself, so the two last ones part the row.
    k = split(lines[i], fields, "|")
    third_name[++third_count] = fields[k]
    third_who[third_count] = fields[k - 1]
    third_header[third_count] = substr(lines[i], 1, \
      length(lines[i]) - length(fields[k]) - length(fields[k - 1]) - 2)
  }
}

FNR == 1 {
  layer = layer_of(FILENAME)
  if (layer == "")
    fail("this folder is no layer of docs/architecture.md")
}

layer != "" && /^[ \t]*#[ \t]*include/ {
  text = $0
  sub(/^[ \t]*#[ \t]*include[ \t]*/, "", text)
  kind = substr(text, 1, 1)
  text = substr(text, 2)
  if (kind == "\"")
    check_ours(substr(text, 1, index(text, "\"") - 1))
  else if (kind == "<")
    check_third_party(substr(text, 1, index(text, ">") - 1))
  else
    fail("an include of a macro cannot be checked")
}

END { exit broken ? 1 : 0 }
' $files
