#include "engine/job/job_file.hpp"

#include "engine/job/job_keys.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace pd;

namespace {

namespace fs = std::filesystem;

std::string print_failure(const result<job>& from) {
  return from ? "" : from.failure().message;
}

/// A value of the key's kind that is not its default.
toml_value other_value(const job_key& key) {
  const auto now = default_of(key);
  if (const auto* flag = std::get_if<bool>(&now))
    return !*flag;
  if (const auto* whole = std::get_if<std::int64_t>(&now))
    return *whole + 1;
  if (const auto* real = std::get_if<double>(&now))
    return *real / 2 + 0.1;
  if (key.full_name() == "checkpoint.every")
    return std::int64_t{7};
  if (const auto* reals = std::get_if<std::vector<double>>(&now)) {
    auto other = *reals;
    other[0] = other[0] / 2 + 0.1;
    return other;
  }
  if (key.full_name() == "model.dropout")
    return 0.25;
  if (key.full_name() == "schedule.depth")
    return std::vector<std::int64_t>{2, 1};
  if (std::holds_alternative<std::vector<std::int64_t>>(now))
    return std::vector<std::int64_t>{64, 48, 3};
  return key.choices.empty() ? "/some \"thing\" \\ \u00e9" : key.choices.back();
}

fs::path root() {
  return fs::path{__FILE__}.parent_path() / "../../..";
}

} // namespace

TEST_CASE("a job that names only its model has every default",
          "[job][job_file]") {
  const auto read = parse_job("model.name = 'lenet'", "some/lenet-5.toml");
  REQUIRE(read);
  job wanted;
  wanted.name = "lenet-5";
  wanted.model.name = "lenet";
  CHECK(*read == wanted);
  CHECK(read->optimizer.rule.name == "sgd");
  CHECK(read->stages.empty());
}

TEST_CASE("a job file says what the job is", "[job][job_file]") {
  const auto read = parse_job(R"(
name = "a"
seed = 7
[model]
name = "resnet18"
classes = 20
image = [32, 48, 3]
[data]
microbatch = 64
shuffle = false
[train]
epochs = 3
label_smoothing = 0.1
[optimizer]
lr = 1
momentum = 0.9
policy = "cosine"
final_lr = 1e-4
[[stage]]
[run]
precision = "bf16"
bucket_bytes = 4096
)",
                              "x.toml");
  REQUIRE(read);
  CHECK(read->name == "a");
  CHECK(read->seed == 7);
  CHECK(read->model.classes == 20);
  CHECK(read->model.image == image_extents{32, 48, 3});
  CHECK(read->data.microbatch == 64);
  CHECK(!read->data.shuffle);
  CHECK(read->train.epochs == 3);
  CHECK(read->train.label_smoothing == 0.1);
  CHECK(read->optimizer.rate.base == 1.0);
  CHECK(read->optimizer.rule.momentum == 0.9);
  CHECK(read->optimizer.rate.name == "cosine");
  CHECK(read->optimizer.rate.final == 1e-4);
  CHECK(read->stages.size() == 1);
  CHECK(read->run.precision == "bf16");
  CHECK(read->run.bucket_bytes == 4096);
}

TEST_CASE("a printed job reads back equal", "[job][job_file]") {
  const auto read = parse_job("model.name = 'lenet'\n[[stage]]\n", "x.toml");
  REQUIRE(read);
  const auto text = print_job(*read);
  const auto again = parse_job(text, "elsewhere/y.toml");
  INFO(text << print_failure(again));
  REQUIRE(again);
  CHECK(*again == *read);
  CHECK(print_job(*again) == text);
}

TEST_CASE("every key is printed so that it reads back equal",
          "[job][job_file]") {
  for (const auto& key : job_keys()) {
    if (key.choices.size() == 1)
      continue; // nothing but its default
    job made;
    made.stages.emplace_back();
    REQUIRE(set_value(key, other_value(key), made));
    job copy;
    copy.stages.emplace_back();
    CHECK(!(made == copy));
    const auto document = parse_toml(print_job(made), "x.toml");
    REQUIRE(document);
    for (const auto& section : *document)
      for (const auto& each : section.entries)
        REQUIRE(
          set_value(*find_job_key(section.name, each.key), each.value, copy));
    INFO(key.full_name());
    CHECK(made == copy);
  }
}

TEST_CASE("a key that is not carried out is refused unless it has its default",
          "[job][job_file]") {
  for (const auto& key : job_keys()) {
    if (key.section != "inspect")
      continue;
    INFO(key.full_name());
    const auto heading = "[" + key.section + "]\n";
    const auto file = [&](const toml_value& value) {
      return "model.name = 'lenet'\n" + heading + key.name + " = "
             + print_toml(value) + "\n";
    };
    CHECK(parse_job(file(default_of(key)), "x.toml"));
    const auto refused = parse_job(file(other_value(key)), "x.toml");
    CHECK_THAT(print_failure(refused),
               Catch::StartsWith("x.toml:3: " + key.full_name()
                                 + ": not supported by this version"));
  }
}

TEST_CASE("a schedule with rounds says how long they are", "[job][job_file]") {
  const auto read = parse_job("model.name = 'mlp'\n[schedule]\nname = '1f1b'\n"
                              "microbatches = 4\n",
                              "x.toml");
  REQUIRE(read);
  CHECK(read->schedule.microbatches == 4);
}

TEST_CASE("an override stands over the file", "[job][job_file]") {
  const std::vector<std::string> overrides{"name=b",
                                           "seed=9",
                                           "model.name=vgg16",
                                           "model.image=[32, 32, 3]",
                                           "optimizer.lr=0.5",
                                           "data.shuffle=false",
                                           "optimizer.name=\"adam\""};
  const auto read =
    parse_job("name = 'a'\n[model]\nname = 'lenet'\n", "x.toml", overrides);
  INFO(print_failure(read));
  REQUIRE(read);
  CHECK(read->name == "b");
  CHECK(read->seed == 9);
  CHECK(read->model.name == "vgg16");
  CHECK(read->model.image == image_extents{32, 32, 3});
  CHECK(read->optimizer.rate.base == 0.5);
  CHECK(!read->data.shuffle);
  CHECK(read->optimizer.rule.name == "adam");
}

TEST_CASE("an override of text may look like anything", "[job][job_file]") {
  const auto value_of_path = [](const std::string& text) {
    const std::vector<std::string> overrides{"data.path=" + text};
    const auto read = parse_job("model.name = 'lenet'", "x.toml", overrides);
    return read ? fs::path{read->data.path}.filename().string()
                : read.failure().message;
  };
  CHECK(value_of_path("2024") == "2024");
  CHECK(value_of_path("1.5") == "1.5");
  CHECK(value_of_path("a b=c") == "a b=c");
  CHECK(value_of_path("'quoted'") == "quoted");
  CHECK(value_of_path("true").ends_with("true"));
  CHECK(value_of_path("").empty());
}

TEST_CASE("a path in a file is from the file, in an override from here",
          "[job][job_file]") {
  const std::vector<std::string> overrides{"model.weights=w.safetensors"};
  const auto read = parse_job("[model]\nfile = '../net.toml'\n[data]\n"
                              "path = '/data'\n",
                              "/jobs/deep/x.toml", overrides);
  INFO(print_failure(read));
  REQUIRE(read);
  CHECK(read->model.file == "/jobs/net.toml");
  CHECK(read->data.path == "/data");
  CHECK(read->model.weights == (fs::current_path() / "w.safetensors").string());
}

TEST_CASE("the tables of docs/job-file.md are those of the keys",
          "[job][job_file]") {
  std::ifstream in{root() / "docs/job-file.md"};
  REQUIRE(in.good());
  std::stringstream document;
  document << in.rdbuf();
  INFO("docs/job-file.md has to have this:\n" << describe_job_keys());
  CHECK(document.str().find(describe_job_keys()) != std::string::npos);
}

TEST_CASE("a job's name without one is the file's, made plain",
          "[job][job_file]") {
  CHECK(parse_job("model.name='mlp'", "/a/my job!.toml")->name == "my_job_");
  CHECK(parse_job("model.name='mlp'", "")->name == "job");
}

TEST_CASE("a number of TOML reads back with the same bits", "[job][toml]") {
  for (const double x : {0.1, 1.0, -0.0, 1e300, 5e-324, 1e22, 123456789.125}) {
    const auto read = parse_toml("x = " + print_toml(x), "x.toml");
    REQUIRE(read);
    const auto& value = read->front().entries.front().value;
    REQUIRE(std::holds_alternative<double>(value));
    CHECK(std::get<double>(value) == x);
  }
}

TEST_CASE("text of TOML reads back whatever is in it", "[job][toml]") {
  const std::string text{"a\"b\\c\n\t\x01\x7f\u00e9 \0z", 14};
  const auto read = parse_toml("x = " + print_toml(text), "x.toml");
  REQUIRE(read);
  CHECK(read->front().entries.front().value == toml_value{text});
}
