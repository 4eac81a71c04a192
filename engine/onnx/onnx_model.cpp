#include "engine/onnx/onnx_model.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/descriptor.hpp"

#include <cstring>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>
#include <limits>
#include <onnx/onnx_pb.h>
#include <utility>

namespace pd {

namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

onnx_element element_of(int type) {
  switch (type) {
  case TensorProto::FLOAT:
    return onnx_element::f32;
  case TensorProto::DOUBLE:
    return onnx_element::f64;
  case TensorProto::FLOAT16:
    return onnx_element::f16;
  case TensorProto::BFLOAT16:
    return onnx_element::bf16;
  case TensorProto::INT64:
    return onnx_element::i64;
  case TensorProto::INT32:
    return onnx_element::i32;
  case TensorProto::BOOL:
    return onnx_element::flag;
  default:
    return onnx_element::other;
  }
}

// -- tensors -----------------------------------------------------------------

/// The bytes that the extents and the type ask for; -1 if no memory holds them.
std::int64_t bytes_of(const onnx_tensor& at) {
  auto bytes = static_cast<std::int64_t>(size_bytes(at.type));
  for (const auto each : at.dims)
    if (__builtin_mul_overflow(bytes, each, &bytes))
      return -1;
  return bytes;
}

template <class Stored, class List>
std::string packed(const List& from) {
  std::string made(static_cast<std::size_t>(from.size()) * sizeof(Stored),
                   '\0');
  for (int i = 0; i < from.size(); ++i) {
    const auto stored = static_cast<Stored>(from.Get(i));
    std::memcpy(made.data() + static_cast<std::size_t>(i) * sizeof stored,
                &stored, sizeof stored);
  }
  return made;
}

/// The values that are not in `raw_data` but in a field of their type.
std::string typed_bytes(const TensorProto& from, onnx_element type) {
  switch (type) {
  case onnx_element::f32:
    return packed<float>(from.float_data());
  case onnx_element::f64:
    return packed<double>(from.double_data());
  case onnx_element::i64:
    return packed<std::int64_t>(from.int64_data());
  case onnx_element::i32:
    return packed<std::int32_t>(from.int32_data());
  case onnx_element::flag:
    return packed<std::uint8_t>(from.int32_data());
  default: // a half is stored in the lower bits of an int32
    return packed<std::uint16_t>(from.int32_data());
  }
}

result<void> check_place(const TensorProto& from) {
  if (from.data_location() == TensorProto::EXTERNAL
      || from.external_data_size() > 0)
    return error{errc::not_supported,
                 "its values lie in another file; wanted a model in one file"};
  if (from.has_segment())
    return error{errc::not_supported, "it is stored in segments"};
  return {};
}

/// Takes the values out of `from`.
result<onnx_tensor> read_tensor(TensorProto& from) {
  onnx_tensor made;
  made.name = from.name();
  made.dims.assign(from.dims().begin(), from.dims().end());
  made.type = element_of(from.data_type());
  PD_CHECK(check_place(from));
  for (const auto each : made.dims)
    if (each < 0)
      return error{errc::bad_file,
                   "wanted extents from 0, got " + std::to_string(each)};
  if (made.type == onnx_element::other)
    return made; // an error only if somebody takes it
  made.bytes = from.has_raw_data() ? std::move(*from.mutable_raw_data())
                                   : typed_bytes(from, made.type);
  const auto wanted = bytes_of(made);
  if (wanted < 0 || made.bytes.size() != static_cast<std::size_t>(wanted))
    return error{errc::bad_file,
                 "wanted "
                   + (wanted < 0 ? std::string{"more bytes than there can be"}
                                 : std::to_string(wanted) + " bytes of values")
                   + " by its extents, got "
                   + std::to_string(made.bytes.size())};
  return made;
}

// -- nodes -------------------------------------------------------------------

template <class T, class List>
std::vector<T> to_vector(const List& from) {
  return {from.begin(), from.end()};
}

result<onnx_attribute> read_attribute(AttributeProto& from) {
  onnx_attribute made{from.name(), {}};
  switch (from.type()) {
  case AttributeProto::INT:
    made.value = static_cast<std::int64_t>(from.i());
    break;
  case AttributeProto::FLOAT:
    made.value = from.f();
    break;
  case AttributeProto::STRING:
    made.value = from.s();
    break;
  case AttributeProto::INTS:
    made.value = to_vector<std::int64_t>(from.ints());
    break;
  case AttributeProto::FLOATS:
    made.value = to_vector<float>(from.floats());
    break;
  case AttributeProto::TENSOR: {
    PD_TRY(made.value, read_tensor(*from.mutable_t()));
    break;
  }
  default:
    break;
  }
  return made;
}

result<onnx_node> read_node(onnx::NodeProto& from) {
  onnx_node made{.name = from.name(),
                 .op = from.op_type(),
                 .domain = from.domain(),
                 .inputs = to_vector<std::string>(from.input()),
                 .outputs = to_vector<std::string>(from.output()),
                 .attributes = {}};
  for (auto& each : *from.mutable_attribute()) {
    auto read = read_attribute(each);
    if (!read)
      return read.failure()
        .within("attribute " + shown(each.name()))
        .within(shown(made));
    made.attributes.push_back(*std::move(read));
  }
  return made;
}

onnx_port read_port(const onnx::ValueInfoProto& from) {
  onnx_port made{from.name(), onnx_element::other, {}};
  if (!from.type().has_tensor_type())
    return made;
  const auto& type = from.type().tensor_type();
  made.type = element_of(type.elem_type());
  for (const auto& each : type.shape().dim())
    made.dims.push_back(each.has_dim_value() ? each.dim_value() : -1);
  return made;
}

// -- the whole ---------------------------------------------------------------

std::int64_t opset_of(const onnx::ModelProto& from) {
  for (const auto& each : from.opset_import())
    if (each.domain().empty() || each.domain() == "ai.onnx")
      return each.version();
  return 0;
}

result<onnx_model> read_model(onnx::ModelProto& from) {
  onnx_model made;
  made.opset = opset_of(from);
  auto& net = *from.mutable_graph();
  for (const auto& each : net.input())
    made.inputs.push_back(read_port(each));
  for (const auto& each : net.output())
    made.outputs.push_back(read_port(each));
  for (auto& each : *net.mutable_initializer()) {
    auto read = read_tensor(each);
    if (!read)
      return read.failure().within("initializer " + shown(each.name()));
    made.initializers.push_back(*std::move(read));
  }
  for (auto& each : *net.mutable_node()) {
    PD_TRY(auto read, read_node(each));
    made.nodes.push_back(std::move(read));
  }
  return made;
}

result<onnx_model> read_stream(google::protobuf::io::ZeroCopyInputStream& from,
                               const std::string& path) {
  google::protobuf::SetLogHandler(nullptr); // what is wrong, we say
  onnx::ModelProto proto;
  if (!proto.ParseFromZeroCopyStream(&from) || !proto.has_graph())
    return error{errc::bad_file,
                 path + ": wanted a whole ONNX file of at most 2 GiB"};
  auto made = read_model(proto);
  if (!made)
    return made.failure().within(path);
  return made;
}

} // namespace

result<onnx_model> read_onnx_model(const std::string& path) {
  const auto file = open_to_read(path);
  if (!file)
    return file.failure().within(path);
  google::protobuf::io::FileInputStream stream{file->at.get(), 1 << 20};
  auto made = read_stream(stream, path);
  if (stream.GetErrno() != 0)
    return error{errc::io, path + ": " + std::strerror(stream.GetErrno())};
  return made;
}

result<onnx_model> parse_onnx_model(std::string_view bytes,
                                    const std::string& path) {
  if (bytes.size() > std::numeric_limits<int>::max())
    return error{errc::bad_file,
                 path + ": wanted a whole ONNX file of at most 2 GiB"};
  google::protobuf::io::ArrayInputStream stream{bytes.data(),
                                                static_cast<int>(bytes.size())};
  return read_stream(stream, path);
}

} // namespace pd
