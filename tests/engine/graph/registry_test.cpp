#include "engine/graph/registry.hpp"

#include "engine/device/cpu_device.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

class same_shape final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    return inputs[0];
  }
};

class no_kernel final : public kernel {
public:
  void forward(const forward_call&) override {}
};

result<std::unique_ptr<op>> make_same(const attributes& settings) {
  attribute_reader read{"same", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<same_shape>()};
}

result<std::unique_ptr<kernel>> make_kernel(const kernel_context&) {
  return std::unique_ptr<kernel>{std::make_unique<no_kernel>()};
}

result<std::unique_ptr<kernel>> refuse_kernel(const kernel_context&) {
  return error{errc::not_supported, "same: not today"};
}

registry small_registry() {
  registry made;
  made.add("same", make_same, {{device_kind::cpu, make_kernel}});
  made.add("homeless", make_same, {});
  made.add("refused", make_same, {{device_kind::cpu, refuse_kernel}});
  return made;
}

result<std::unique_ptr<kernel>> kernel_of(const std::string& type) {
  const node at{"n1", type, {}, {}};
  const auto all = small_registry();
  const auto rule = all.make_op(at);
  REQUIRE(rule);
  cpu_device on;
  return all.make_kernel({at, **rule, {}, {}, on});
}

} // namespace

TEST_CASE("a registry makes what was added, and lists it",
          "[graph][registry]") {
  const auto all = small_registry();
  CHECK(all.make_op({"n1", "same", {}, {}}));
  CHECK(kernel_of("same"));
  CHECK(all.types() == std::vector<std::string>{"homeless", "refused", "same"});
}

TEST_CASE("an op that is not there is told with node and nearest op",
          "[graph][registry]") {
  const auto unknown = small_registry().make_op({"n1", "sane", {}, {}});
  REQUIRE(!unknown);
  CHECK(unknown.failure().code == errc::unknown_name);
  CHECK(unknown.failure().message
        == "node 'n1': no op 'sane' (did you mean 'same'?)");
}

TEST_CASE("what an op says of its settings has the node in front",
          "[graph][registry]") {
  const auto wrong =
    small_registry().make_op({"n1", "same", {{"x", true}}, {}});
  REQUIRE(!wrong);
  CHECK(wrong.failure().code == errc::unknown_name);
  CHECK(wrong.failure().message == "node 'n1': same: unknown attribute 'x'");
}

TEST_CASE("a kernel that a device does not have is told with node, op and "
          "device",
          "[graph][registry]") {
  const auto missing = kernel_of("homeless");
  REQUIRE(!missing);
  CHECK(missing.failure().code == errc::not_supported);
  CHECK(missing.failure().message
        == "node 'n1': op 'homeless' has no kernel for cpu");
}

TEST_CASE("what a kernel's factory refuses has the node in front",
          "[graph][registry]") {
  const auto refused = kernel_of("refused");
  REQUIRE(!refused);
  CHECK(refused.failure().message == "node 'n1': same: not today");
}

TEST_CASE("an optimizer that is not there is told with those that are",
          "[graph][registry]") {
  registry all;
  const update_factory make =
    [](const optimizer_settings&) -> result<std::unique_ptr<update_rule>> {
    return error{errc::bad_value, "made"};
  };
  all.add_update("sgd", device_kind::cpu, make);
  all.add_update("adam", device_kind::cuda, make);
  CHECK(all.make_update({.name = "sgd"}, device_kind::cpu).failure().message
        == "made");
  CHECK(all.make_update({.name = "sdg"}, device_kind::cpu).failure().message
        == "optimizer 'sdg': wanted one of adam, sgd");
  const auto elsewhere = all.make_update({.name = "adam"}, device_kind::cpu);
  CHECK(elsewhere.failure().code == errc::not_supported);
  CHECK(elsewhere.failure().message
        == "optimizer 'adam' has no kernel for cpu");
}

TEST_CASE("an initializer fills by seed, name and place only",
          "[graph][initializer]") {
  using kind = initializer::kind;
  const auto filled = [](const initializer& how, std::uint64_t seed,
                         const std::string& name, std::size_t elems) {
    std::vector<float> values(elems);
    how.fill(seed, name, values);
    return values;
  };
  const initializer uniform{kind::uniform, -2, -1};
  const auto values = filled(uniform, 1, "w", 1000);
  for (const auto each : values)
    CHECK((each >= -2 && each < -1));
  const auto fewer = filled(uniform, 1, "w", 10);
  CHECK(std::equal(fewer.begin(), fewer.end(), values.begin()));
  CHECK(filled(uniform, 2, "w", 10) != fewer);
  CHECK(filled(uniform, 1, "v", 10) != fewer);
  CHECK(filled({kind::constant, 3, 0}, 1, "w", 2) == std::vector<float>{3, 3});
  double sum = 0;
  for (const auto each : filled({kind::normal, 5, 0.1}, 1, "w", 10000))
    sum += double{each} / 10000;
  CHECK(sum == Approx(5).margin(0.01));
}
