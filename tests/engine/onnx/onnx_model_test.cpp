/// Files that are broken, or hold what is not for us.

#include "engine/onnx/onnx_model.hpp"

#include "tests/engine/onnx/small_model.hpp"
#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

using namespace pd;
using namespace pd::test;

namespace {

// Fields of onnx.proto.
constexpr int model_ir = 1, model_graph = 7, model_opset = 8;
constexpr int graph_node = 1, graph_initializer = 5;
constexpr int node_name = 3, node_op = 4, node_attribute = 5;
constexpr int tensor_dims = 1, tensor_type = 2, tensor_floats = 4,
              tensor_i32s = 5, tensor_name = 8, tensor_raw = 9,
              tensor_place = 14;
constexpr int f32_type = 1, i32_type = 6, i64_type = 7, f16_type = 10,
              f64_type = 11, bf16_type = 16, text_type = 8;

std::string model_of(const wire& graph) {
  return wire{}
    .number(model_ir, 8)
    .text(model_opset, wire{}.number(2, 17).bytes)
    .text(model_graph, graph.bytes)
    .bytes;
}

/// Of a model whose one initializer, "w", this is.
result<onnx_model> with_tensor(wire of) {
  return parse_onnx_model(
    model_of(wire{}.text(graph_initializer, of.text(tensor_name, "w").bytes)),
    "x.onnx");
}

std::string failure_of(const result<onnx_model>& x) {
  return x ? "" : x.failure().message;
}

wire typed(int type, const std::vector<std::uint64_t>& dims) {
  wire made;
  for (const auto each : dims)
    made.number(tensor_dims, each);
  return made.number(tensor_type, static_cast<std::uint64_t>(type));
}

std::vector<float> reals_of(wire from) {
  const auto read = with_tensor(std::move(from));
  if (!read)
    FAIL(read.failure().message);
  return to_reals(read->initializers[0]);
}

std::string file_text(const std::string& path) {
  std::ifstream from{path, std::ios::binary};
  REQUIRE(from);
  std::ostringstream text;
  text << from.rdbuf();
  return text.str();
}

bool is_one_line(const std::string& message) {
  return !message.empty() && message.size() < 600
         && std::ranges::all_of(message,
                                [](char c) { return c >= 0x20 && c < 0x7f; });
}

} // namespace

TEST_CASE("a file that ends anywhere is a model of less or one line of error",
          "[onnx][model]") {
  const auto whole =
    file_text(PD_SOURCE_DIR "/tests/golden/onnx/shapes_17.onnx");
  std::size_t refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = parse_onnx_model(whole.substr(0, size), "x.onnx");
    if (read)
      continue;
    ++refused;
    REQUIRE(is_one_line(read.failure().message));
    REQUIRE(read.failure().message.starts_with("x.onnx: "));
  }
  CHECK(refused > whole.size() - 10);
}

TEST_CASE("what is no ONNX file is refused by one line", "[onnx][model]") {
  const std::string wanted =
    "x.onnx: wanted a whole ONNX file of at most 2 GiB";
  for (const auto& each :
       {std::string{}, std::string{"[[node]]\n"}, std::string(64, '\xff'),
        wire{}.number(model_ir, 8).bytes})
    CHECK(failure_of(parse_onnx_model(each, "x.onnx")) == wanted);
  CHECK(failure_of(read_onnx_model("/nowhere/x.onnx"))
        == "/nowhere/x.onnx: cannot open: No such file or directory");
  CHECK(failure_of(read_onnx_model("/"))
        == "/: cannot open: not a regular file");
}

TEST_CASE("a pipe as a model file is refused, not waited for",
          "[onnx][model]") {
  const scratch_folder at;
  const auto pipe = at / "x.onnx";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(failure_of(read_onnx_model(pipe))
        == pipe + ": cannot open: not a regular file");
}

TEST_CASE("a tensor has as many bytes as its extents say", "[onnx][model]") {
  const std::string at = "x.onnx: initializer 'w': ";
  CHECK(failure_of(with_tensor(typed(f32_type, {2, 2}).text(tensor_raw, "abc")))
        == at + "wanted 16 bytes of values by its extents, got 3");
  CHECK(failure_of(with_tensor(typed(f32_type, {4}).text(tensor_floats, "")))
        == at + "wanted 16 bytes of values by its extents, got 0");
  CHECK(failure_of(with_tensor(typed(f32_type, {~std::uint64_t{0}})))
        == at + "wanted extents from 0, got -1");
  const auto huge = std::uint64_t{1} << 40U;
  CHECK(failure_of(with_tensor(typed(f32_type, {huge, huge})))
        == at + "wanted more bytes than there can be by its extents, got 0");
  CHECK(
    failure_of(with_tensor(typed(f32_type, {huge, huge, 0}))).starts_with(at));
  CHECK(with_tensor(typed(f32_type, {0})));
}

TEST_CASE("values of other types are read as the reals that they are",
          "[onnx][model]") {
  const std::vector<double> wide{1.5, -2.25};
  CHECK(reals_of(typed(f64_type, {2}).text(tensor_raw, bytes_of(wide)))
        == std::vector<float>{1.5F, -2.25F});
  const std::vector<std::uint16_t> halves{0x3e00, 0xc080, 0x0001,
                                          0x7c00, 0x8000, 0x7bff};
  const auto read =
    reals_of(typed(f16_type, {6}).text(tensor_raw, bytes_of(halves)));
  CHECK(read
        == std::vector<float>{1.5F, -2.25F, std::ldexp(1.0F, -24), INFINITY,
                              -0.0F, 65504.0F});
  const std::vector<std::uint16_t> brains{0x3fc0, 0xc010};
  CHECK(reals_of(typed(bf16_type, {2}).text(tensor_raw, bytes_of(brains)))
        == std::vector<float>{1.5F, -2.25F});
  CHECK(reals_of(typed(f16_type, {1}).number(tensor_i32s, 0x3e00))
        == std::vector<float>{1.5F});
}

TEST_CASE("whole numbers come from any of their fields", "[onnx][model]") {
  const auto numbers = [](const wire& from) {
    const auto read = with_tensor(from);
    REQUIRE(read);
    return to_integers(read->initializers[0]);
  };
  CHECK(numbers(typed(i32_type, {2})
                  .number(tensor_i32s, 7)
                  .number(tensor_i32s, ~std::uint64_t{0}))
        == std::vector<std::int64_t>{7, -1});
  CHECK(numbers(typed(i64_type, {1})
                  .text(tensor_raw, bytes_of(std::vector<std::int64_t>{-5})))
        == std::vector<std::int64_t>{-5});
}

TEST_CASE("values in another file are refused by name", "[onnx][model]") {
  CHECK(failure_of(with_tensor(typed(f32_type, {1}).number(tensor_place, 1)))
        == "x.onnx: initializer 'w': its values lie in another file; wanted a "
           "model in one file");
}

TEST_CASE("a tensor of text is no error until a node takes it",
          "[onnx][model]") {
  const auto read = with_tensor(typed(text_type, {1}));
  REQUIRE(read);
  CHECK(read->initializers[0].type == onnx_element::other);
  CHECK(read->initializers[0].elems() == 0);
}

TEST_CASE("a broken constant names its node", "[onnx][model]") {
  const auto attribute = wire{}
                           .text(1, "value")
                           .number(20, 4) // TENSOR
                           .text(5, typed(f32_type, {2}).bytes);
  const auto node = wire{}
                      .text(node_name, "bad\nname")
                      .text(node_op, "Constant")
                      .text(node_attribute, attribute.bytes);
  CHECK(failure_of(parse_onnx_model(
          model_of(wire{}.text(graph_node, node.bytes)), "x.onnx"))
        == "x.onnx: node 'bad?name' (Constant): attribute 'value': wanted 8 "
           "bytes of values by its extents, got 0");
}

TEST_CASE("a name is shown on one line, cut where it is long",
          "[onnx][model]") {
  CHECK(shown(std::string_view{"a\tb\x80"}) == "'a?b?'");
  CHECK(shown(std::string_view{std::string(121, 'x')}).size() == 125);
}
