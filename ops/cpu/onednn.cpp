#include "ops/cpu/onednn.hpp"

#include "engine/device/cpu_device.hpp"
#include "ops/cpu/convert.hpp"

#include <omp.h>
#include <string_view>
#include <utility>

namespace pd::cpu {

using dnnl::memory;

const dnnl::engine& onednn_engine() {
  static const dnnl::engine made{dnnl::engine::kind::cpu, 0};
  return made;
}

namespace {

/// On a CPU a stream only says where; work runs on the calling thread.
const dnnl::stream& onednn_stream() {
  static const dnnl::stream made{onednn_engine()};
  return made;
}

dtype type_of(const memory::desc& of) {
  return from_onednn(of.data_type());
}

} // namespace

memory::format_tag tag_of(layout order) {
  if (order == layout::blocked8)
    return memory::format_tag::nChw8c;
  if (order == layout::blocked16)
    return memory::format_tag::nChw16c;
  return order == layout::plain ? memory::format_tag::nchw
                                : memory::format_tag::nhwc;
}

memory::data_type to_onednn(dtype type) {
  PD_ASSERT(type == dtype::f32 || type == dtype::bf16);
  return type == dtype::f32 ? memory::data_type::f32 : memory::data_type::bf16;
}

dtype from_onednn(memory::data_type type) {
  return type == memory::data_type::f32 ? dtype::f32 : dtype::bf16;
}

memory::desc to_onednn(const tensor_type& type) {
  const auto& x = type.extents;
  const auto number = to_onednn(type.type);
  if (x.rank() == 2)
    return {{x[0], x[1]}, number, memory::format_tag::ab};
  PD_ASSERT_EQ(x.rank(), 4);
  const auto block = channel_block(type.order);
  const auto channels = (x[1] + block - 1) / block * block;
  return {{x[0], channels, x[2], x[3]}, number, tag_of(type.order)};
}

memory::desc with_type(const memory::desc& of, dtype type) {
  auto made = of;
  made.data.data_type = memory::convert_to_c(to_onednn(type));
  return made;
}

std::int64_t stored_elems(const memory::desc& of) {
  return static_cast<std::int64_t>(of.get_size() / size_bytes(type_of(of)));
}

void reorder_now(const memory::desc& from_as, const void* from,
                 const memory::desc& to_as, void* to) {
  const auto& on = onednn_engine();
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): it is only read
  const memory source{from_as, on, const_cast<void*>(from)};
  const memory target{to_as, on, to};
  const dnnl::reorder move{source, target};
  move.execute(onednn_stream(),
               {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}});
}

team_of::team_of(const device& on) : before_{omp_get_max_threads()} {
  if (const auto* cpu = dynamic_cast<const cpu_device*>(&on))
    omp_set_num_threads(cpu->threads());
}

team_of::~team_of() {
  omp_set_num_threads(before_);
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr made;
  made.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return made;
}

bool is_reference(const dnnl::primitive_desc_base& made) {
  if (!made)
    return true;
  const std::string_view name{made.impl_info_str()};
  return name.starts_with("ref") || name.starts_with("simple");
}

made_kernel
make_with_onednn(const kernel_context& context,
                 const std::function<std::unique_ptr<kernel>(dtype)>& make) {
  std::string why;
  for (const auto compute : {context.output.type, dtype::f32})
    try {
      if (auto made = make(compute))
        return made;
    } catch (const dnnl::error& failure) {
      why = failure.message;
    }
  return error{errc::not_supported, context.at.op + ": oneDNN: " + why};
}

// -- building a pass ---------------------------------------------------------

onednn_pass::place onednn_pass::outside() {
  offsets_.push_back(-1);
  places_.push_back(nullptr);
  return static_cast<place>(places_.size()) - 1;
}

onednn_pass::place onednn_pass::temporary(std::int64_t bytes) {
  const auto made = outside();
  offsets_.back() = scratch_bytes_;
  scratch_bytes_ += (bytes + 63) / 64 * 64;
  return made;
}

namespace {

/// A primitive with its arguments, ready for the C interface: dnnl.hpp's
/// execute() would build a map.
struct prepared_primitive {
  dnnl::primitive run;
  std::vector<memory> memories;
  std::vector<onednn_pass::place> at;
  std::vector<dnnl_exec_arg_t> arguments;

  void add(const onednn_pass::argument& argument) {
    memories.push_back({argument.as, onednn_engine(), nullptr});
    at.push_back(argument.at);
    arguments.push_back({argument.index, memories.back().get()});
  }

  void operator()(onednn_pass::pointers places) {
    for (std::size_t i = 0; i < memories.size(); ++i)
      memories[i].set_data_handle(places[static_cast<std::size_t>(at[i])]);
    const auto status = dnnl_primitive_execute(
      run.get(), onednn_stream().get(), static_cast<int>(arguments.size()),
      arguments.data());
    PD_ASSERT_EQ(status, dnnl_success);
  }
};

} // namespace

void onednn_pass::primitive(const dnnl::primitive_desc_base& made,
                            std::vector<argument> arguments) {
  const auto pad = made.scratchpad_desc();
  if (pad.get_size() > 0)
    arguments.push_back({DNNL_ARG_SCRATCHPAD,
                         temporary(static_cast<std::int64_t>(pad.get_size())),
                         pad});
  auto ready = std::make_shared<prepared_primitive>();
  ready->run = dnnl::primitive{made.get()};
  for (const auto& each : arguments)
    ready->add(each);
  step([ready](pointers places) { (*ready)(places); });
}

namespace {

/// The same places for the same elements, whatever their type.
bool lie_alike(const memory::desc& a, const memory::desc& b) {
  return with_type(a, dtype::f32) == with_type(b, dtype::f32);
}

} // namespace

void onednn_pass::change_type(place from, dtype from_type, place to,
                              dtype to_type, std::int64_t elems) {
  const auto at = static_cast<std::size_t>(from);
  const auto there = static_cast<std::size_t>(to);
  step([=](pointers places) {
    convert(from_type, places[at], to_type, places[there], elems);
  });
}

void onednn_pass::reorder(place from, const memory::desc& given, place to,
                          const memory::desc& wanted) {
  const dnnl::reorder::primitive_desc made{
    onednn_engine(), given, onednn_engine(), wanted, user_scratchpad()};
  primitive(made, {{DNNL_ARG_FROM, from, given}, {DNNL_ARG_TO, to, wanted}});
}

onednn_pass::place onednn_pass::fetch(place from, const memory::desc& given,
                                      const memory::desc& wanted) {
  if (given == wanted)
    return from;
  const auto made = temporary(static_cast<std::int64_t>(wanted.get_size()));
  store(from, given, made, wanted);
  return made;
}

onednn_pass::place onednn_pass::room(place to, const memory::desc& made,
                                     const memory::desc& given) {
  if (made == given)
    return to;
  return temporary(static_cast<std::int64_t>(made.get_size()));
}

// oneDNN converts between bf16 and f32 only on AVX-512, so types change in a
// loop of ours, and layouts in a reorder that keeps the type.
void onednn_pass::store(place from, const memory::desc& made, place to,
                        const memory::desc& given) {
  if (made == given)
    return;
  const auto made_type = type_of(made);
  const auto given_type = type_of(given);
  if (made_type == given_type)
    return reorder(from, made, to, given);
  if (lie_alike(made, given))
    return change_type(from, made_type, to, given_type, stored_elems(made));
  const auto between =
    with_type(given_type == dtype::f32 ? made : given, dtype::f32);
  const auto there = temporary(static_cast<std::int64_t>(between.get_size()));
  store(from, made, there, between);
  store(there, between, to, given);
}

void onednn_pass::multiply(place x, const std::vector<float>& factor) {
  step([at = static_cast<std::size_t>(x), &factor](pointers places) {
    multiply_by(static_cast<float*>(places[at]), factor.data(),
                static_cast<std::int64_t>(factor.size()));
  });
}

void onednn_pass::add(place x, place sum, std::int64_t elems) {
  const auto from = static_cast<std::size_t>(x);
  const auto to = static_cast<std::size_t>(sum);
  step([from, to, elems](pointers places) {
    add_to(static_cast<float*>(places[to]),
           static_cast<const float*>(places[from]), elems);
  });
}

void onednn_pass::step(std::function<void(pointers)> work) {
  steps_.push_back(std::move(work));
}

// -- running it --------------------------------------------------------------

void onednn_pass::run(std::initializer_list<operand> operands,
                      operand scratch) {
  const auto* next = operands.begin();
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (offsets_[i] >= 0)
      places_[i] = scratch.as<std::byte>() + offsets_[i];
    else
      places_[i] = (next++)->data();
  for (const auto& each : steps_)
    each(places_);
}

} // namespace pd::cpu
