/// Every way we could think of to break a job file, a graph file or a weights
/// file, and the one line that it gives. (Datasets: tests/engine/data.)

#include "engine/checkpoint/safetensors.hpp"
#include "engine/job/graph_file.hpp"
#include "engine/job/job_file.hpp"
#include "tests/engine/job/any_ops.hpp"
#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <sys/stat.h>

using namespace pd;
using namespace pd::test;

namespace {

/// An input, and what its error says.
struct bad_input {
  std::string text;
  std::string wanted;
};

const std::string lenet = "[model]\nname = 'lenet'\n";

const std::vector<bad_input> bad_jobs{
  // not TOML, or not a job's TOML
  {"", "job.toml: model: wanted a name or a file, got neither"},
  {"name = ", "job.toml:1: not TOML: "},
  {"[model\nname = 'x'", "job.toml:1: not TOML: "},
  {"name = 'a'\nname = 'b'", "job.toml:2: not TOML: "},
  {"[model]\nname = 'a'\n[model]\n", "job.toml:3: not TOML: "},
  {"seed = 1\n [[ \n", "job.toml:2: not TOML: a table header without a name"},
  {"name = \"\xff\"", "job.toml:1: not TOML: "},
  {std::string{"name = 'a\0b'", 12}, "job.toml:1: not TOML: "},
  {"name = 2024-01-01",
   "job.toml:1: name: wanted a number, text, true or false, or a list of "
   "numbers or text, got a date or time"},
  {"[model]\nimage = [true, 2, 3]",
   "job.toml:2: model.image: wanted a number, text, true or false, or a list "
   "of numbers or text, got another list"},
  {"[model]\nimage = [1.5, 2, 3]",
   "job.toml:2: model.image: wanted [height, width, channels] up to [4096, "
   "4096, 64], got [1.5, 2.0, 3.0]"},
  {"[model.name]\nx = 1",
   "job.toml:1: model.name: wanted a number, text, true or false, or a list of "
   "numbers or text, got a table"},
  {"model = 3", "job.toml:1: model: unknown key"},

  // names
  {"[modle]\nname = 'x'",
   "job.toml:1: [modle]: unknown section (did you mean 'model'?)"},
  {"[[model]]\nname = 'x'", "job.toml:1: [[model]]: wanted [model]"},
  {"[stage]\nreplicas = 1", "job.toml:1: [stage]: wanted [[stage]]"},
  {lenet + "[optimizer]\nmomentun = 0.9",
   "job.toml:4: optimizer.momentun: unknown key (did you mean 'momentum'?)"},
  {lenet + "[train]\nmicrobatch = 2",
   "job.toml:4: train.microbatch: unknown key (did you mean "
   "'data.microbatch'?)"},
  {"epochs = 3", "job.toml:1: epochs: unknown key (did you mean "
                 "'train.epochs'?)"},
  {lenet + "colour = 'blue'", "job.toml:3: model.colour: unknown key"},
  {"name = '../../etc'\n" + lenet,
   "job.toml:1: name: wanted letters, digits, '.', '_' and '-'"},

  // types and ranges
  {"seed = -1", "job.toml:1: seed: wanted a whole number from 0 to "
                "1000000000000000, got -1"},
  {"seed = 1.5", "job.toml:1: seed: wanted a whole number from 0 to "
                 "1000000000000000, got 1.5"},
  {"seed = 99999999999999999999", "job.toml:1: not TOML: "},
  {"name = 7", "job.toml:1: name: wanted one line of text, got 7"},
  {"name = \"a\\nb\"", "job.toml:1: name: wanted one line of text, got "
                       "\"a\\u000Ab\""},
  {"[model]\nimage = [28, 28]",
   "job.toml:2: model.image: wanted [height, width, channels] up to [4096, "
   "4096, 64], got [28, 28]"},
  {"[model]\nimage = [28, 0, 1]",
   "job.toml:2: model.image: wanted [height, width, channels] up to [4096, "
   "4096, 64], got [28, 0, 1]"},
  {"[model]\nimage = [4294967324, 28, 1]",
   "job.toml:2: model.image: wanted [height, width, channels] up to [4096, "
   "4096, 64], got [4294967324, 28, 1]"},
  {"[model]\nimage = 28", "job.toml:2: model.image: wanted [height, "},
  {"[model]\nclasses = 0", "job.toml:2: model.classes: wanted a whole number "
                           "from 1 to 1000000, got 0"},
  {"[run]\nbucket_bytes = 3", "job.toml:2: run.bucket_bytes: wanted a whole "
                              "number from 4 to 1000000000000000, got 3"},
  {"[data]\nmicrobatch = 0", "job.toml:2: data.microbatch: wanted a whole "
                             "number from 1 to 65536, got 0"},
  {"[data]\nmicrobatch = '16'", "job.toml:2: data.microbatch: wanted a whole "
                                "number from 1 to 65536, got \"16\""},
  {"[data]\nshuffle = 1", "job.toml:2: data.shuffle: wanted true or false, "
                          "got 1"},
  {"[data]\ndataset = 'mnist'",
   "job.toml:2: data.dataset: wanted one of \"fashion-mnist\", \"idx\", "
   "\"image-folder\", \"synthetic\", got \"mnist\""},
  {"[data]\nstd = 0", "job.toml:2: data.std: wanted a number from 1e-06 to "
                      "100, got 0"},
  {"[train]\nepochs = -1", "job.toml:2: train.epochs: wanted a whole number "
                           "from 0 to 1000000, got -1"},
  {"[train]\nevaluate = true",
   "job.toml:2: train.evaluate: wanted one of \"epoch\", \"end\", \"never\", "
   "got true"},
  {"[train]\nlabel_smoothing = 1.5",
   "job.toml:2: train.label_smoothing: wanted a number from 0 to 1, got 1.5"},
  {"[optimizer]\nlr = nan", "job.toml:2: optimizer.lr: wanted a number from 0 "
                            "to 1000000, got nan"},
  {"[optimizer]\nlr = inf", "job.toml:2: optimizer.lr: wanted a number from 0 "
                            "to 1000000, got inf"},
  {"[optimizer]\nname = 'lamb'",
   "job.toml:2: optimizer.name: wanted one of \"sgd\", \"adam\", \"adamw\", "
   "got \"lamb\""},
  {"[run]\nprecision = 'f16'",
   "job.toml:2: run.precision: wanted one of \"f32\", \"bf16\", got \"f16\""},

  {"[model]\nname = 'resnet5'",
   "job.toml:2: model.name: no model 'resnet5' (did you mean 'resnet50'?); "
   "`pd-engine models` lists them"},

  // one by one right, together wrong
  {"[model]\nname = 'lenet'\nfile = 'net.toml'",
   "job.toml:3: model: wanted a name or a file, got both"},
  {lenet + "[data]\ndataset = 'idx'",
   "job.toml:4: data.path: wanted the folder of the idx files, got nothing"},
  {lenet + "[data]\ndataset = 'synthetic'\npath = 'x'",
   "job.toml:5: data.path: only a dataset of files takes it, and data.dataset "
   "is 'synthetic'; wanted \"\", got "},
  {lenet + "[data]\nmean = 0.1",
   "job.toml:4: data.mean: only idx takes it, and data.dataset is "
   "'fashion-mnist'; wanted 0.5, got 0.1"},
  {lenet + "[data]\nsamples = 5",
   "job.toml:4: data.samples: only synthetic takes it, and data.dataset is "
   "'fashion-mnist'; wanted 0, got 5"},
  {lenet + "[optimizer]\nname = 'adam'\nmomentum = 0.9",
   "job.toml:5: optimizer.momentum: only sgd takes it, and optimizer.name is "
   "'adam'; wanted 0.0, got 0.9"},
  {lenet + "[optimizer]\nbeta1 = 0.5",
   "job.toml:4: optimizer.beta1: only adam or adamw takes it, and "
   "optimizer.name is 'sgd'; wanted 0.9, got 0.5"},
  {lenet + "[optimizer]\ngamma = 0.5",
   "job.toml:4: optimizer.gamma: only step or exponential takes it, and "
   "optimizer.policy is 'constant'; wanted 0.1, got 0.5"},
  {"[model]\nfile = '/net.toml'\n[train]\nlabel_smoothing = 0.1",
   "job.toml:4: train.label_smoothing: only a built-in model or an ONNX file "
   "takes it, and model.file is '/net.toml'; wanted 0.0, got 0.1"},
  {lenet + "[optimizer]\nnesterov = true",
   "job.toml:4: optimizer.nesterov: wanted momentum above 0 and dampening 0"},

  // understood, and not there yet
  {lenet + "[[stage]]\nreplicas = 65",
   "job.toml:4: stage.replicas: wanted a whole number from 1 to 64, got 65"},
  {lenet + "[schedule]\nmicrobatches = 4",
   "job.toml:4: schedule.microbatches: only a schedule with rounds takes it, "
   "and schedule.name is 'pipedream'; wanted 1, got 4"},
  {lenet + "[schedule]\nchunks = 2",
   "job.toml:4: schedule.chunks: only interleaved takes it, and "
   "schedule.name is 'pipedream'; wanted 1, got 2"},
  {lenet + "[schedule]\nname = 'gpipe'\nvertical_sync = true",
   "job.toml:5: schedule.vertical_sync: only pipedream takes it, and "
   "schedule.name is 'gpipe'; wanted false, got true"},
  {lenet + "[schedule]\ndepth = [2, 0]",
   "job.toml:4: schedule.depth: wanted \"auto\" or a list of whole numbers "
   "from 1 to 4096, got [2, 0]"},
  {lenet + "[schedule]\nname = 'zero-bubble-v'",
   "job.toml:4: schedule.name: wanted one of \"model-parallel\""},
  {lenet + "[run]\nworkers = 'cluster'",
   "job.toml:4: run.workers: not supported by this version; wanted "
   "\"threads\", got \"cluster\""},
  {lenet + "[checkpoint]\ndirectory = 'c'\nevery = 'round'",
   "job.toml:5: checkpoint.every: wanted \"epoch\" or a whole number from 1 to "
   "1000000000000000, got \"round\""},
  {lenet + "[checkpoint]\nevery = 0",
   "job.toml:4: checkpoint.every: wanted \"epoch\" or a whole number from 1"},
  {lenet + "[checkpoint]\nkeep = 2",
   "job.toml:4: checkpoint.keep: only a job with a folder for them takes it, "
   "and checkpoint.directory is ''"},
  {lenet + "[inspect]\nlisten = ':0'",
   "job.toml:4: inspect.listen: not supported by this version; wanted \"\", "
   "got \":0\""},
  {lenet + "[run]\nworkers = 'cluster'",
   "job.toml:4: run.workers: not supported by this version; wanted "
   "\"threads\", got \"cluster\""},
  {lenet + "[run]\ntransport = 'nccl'",
   "job.toml:4: run.transport: not supported by this version; wanted "
   "\"auto\", got \"nccl\""},
  {lenet + "[run]\ntransport = 'gloo'",
   "job.toml:4: run.transport: only processes takes it, and run.workers is "
   "'threads'"},
  {lenet + "[run]\nworkers = 'processes'\ntransport = 'local'",
   "job.toml:5: run.transport: only threads takes it, and run.workers is "
   "'processes'"},
  {lenet + "[run]\ndevice = 'cuda'",
   "job.toml:4: run.device: not supported by this version; wanted \"auto\", "
   "got \"cuda\""},
};

const std::vector<bad_input> bad_overrides{
  {"lr", "--set lr: wanted section.key=value"},
  {"=1", "--set =1: wanted section.key=value"},
  {"optimizer.lrr=1", "--set: optimizer.lrr: unknown key (did you mean 'lr'?)"},
  {"optimiser.lr=1", "--set: optimiser.lr: unknown key (did you mean "
                     "'optimizer.lr'?)"},
  {"optimizer.lr=fast", "--set: optimizer.lr: wanted a number from 0 to "
                        "1000000, got \"fast\""},
  {"model.image=[28, 28", "--set: model.image: wanted [height, width, "
                          "channels] up to [4096, 4096, 64], got \"[28, 28\""},
  {"data.shuffle=no", "--set: data.shuffle: wanted true or false, got \"no\""},
  {"seed=1\nname=2", "--set: seed: wanted a whole number from 0 to "},
  {"stage.replicas=2",
   "--set stage.replicas=2: [[stage]] is set in the file only"},
  {"run.workers=cluster",
   "--set: run.workers: not supported by this version; wanted \"threads\", "
   "got \"cluster\""},
};

const std::string conv =
  "[[node]]\nname = 'conv1'\nop = 'conv2d'\nout_channels = 8\n";

const std::vector<bad_input> bad_graphs{
  {"", "net.toml: wanted at least one [[node]]"},
  {"[[node]]\nname = ", "net.toml:2: not TOML: "},
  {"title = 'x'", "net.toml:1: title: unknown key; before the first [[node]] "
                  "there is only 'name'"},
  {"name = 3\n" + conv, "net.toml:1: name: wanted text, got 3"},
  {"[node]\nname = 'a'", "net.toml:1: [node]: wanted [[node]]"},
  {"[[layer]]\nname = 'a'", "net.toml:1: [[layer]]: wanted [[node]]"},
  {"[[node]]\nop = 'relu'", "net.toml:1: [[node]]: has no name"},
  {"[[node]]\nname = ''\nop = 'relu'",
   "net.toml:1: [[node]]: name: wanted a name, got \"\""},
  {"[[node]]\nname = 'a'", "net.toml:1: node 'a': has no op"},
  {"[[node]]\nname = 'a'\nop = 3",
   "net.toml:1: node 'a': op: wanted a name, got 3"},
  {"[[node]]\nname = 'a'\nop = 'conv'",
   "net.toml:1: node 'a': no op 'conv' (did you mean 'conv2d'?)"},
  {conv + conv, "net.toml:5: node 'conv1': is there twice"},
  {conv + "[[node]]\nname = 'a'\nop = 'relu'\ninputs = ['conv2']",
   "net.toml:5: node 'a': no node 'conv2' before it (did you mean 'conv1'?)"},
  {"[[node]]\nname = 'a'\nop = 'relu'\ninputs = ['a']",
   "net.toml:1: node 'a': no node 'a' before it"},
  {conv + "inputs = [1]",
   "net.toml:1: node 'conv1': inputs: wanted the names of nodes, got [1]"},
  {conv + "mode = ['a', 'b']",
   "net.toml:1: node 'conv1': mode: wanted a number, text or a list of whole "
   "numbers, got [\"a\", \"b\"]"},
  {conv + "[[node]]\nname = 'a'\nop = 'relu'\ninputs = ['input']",
   "net.toml:1: node 'conv1': no node takes its output"},
  {"[[node]]\nname = 'input'\nop = 'relu'",
   "net.toml:1: node 'input': 'input' is made by the engine and not in a graph "
   "file"},
  {"[[node]]\nname = 'y'\nop = 'labels'",
   "net.toml:1: node 'y': 'labels' is made by the engine and not in a graph "
   "file"},
  {conv + "[[node]]\nname = 'end'\nop = 'softmax_loss'\n" + "[[node]]\n"
     + "name = 'after'\nop = 'relu'",
   "net.toml:8: node 'after': stands after 'end', the loss, which is the last "
   "node"},
  {"[[node]]\nname = 'loss'\nop = 'relu'",
   "net.toml: node 'loss': is there twice"},
};

/// A header, and the bytes of data after it.
struct bad_weights {
  std::string header;
  std::size_t data_bytes;
  std::string wanted;
};

/// {"w": {"dtype": ..., "shape": ..., "data_offsets": ...}}
std::string entry(const std::string& name, const std::string& dtype,
                  const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape
         + ",\"data_offsets\":" + offsets + "}";
}

std::string f32(const std::string& name, const std::string& shape,
                const std::string& offsets) {
  return entry(name, "\"F32\"", shape, offsets);
}

const std::vector<bad_weights> bad_files{
  // the header
  {"", 0, "header: wanted an object, no '{' at its start"},
  {" {}", 0, "header: wanted an object, no '{' at its start"},
  {"[]", 0, "header: wanted an object, no '{' at its start"},
  {"{", 0, "header: not JSON at byte "},
  {"{} x", 0, "header: not JSON at byte "},
  {"{\"\xff\":1}", 0, "header: not JSON at byte "},
  {"{\"a\":1,}", 0, "tensor 'a': wanted an object, got 1"},
  {"{\"a\":[]}", 0, "tensor 'a': wanted an object, got a list"},
  {"{\"a\":null}", 0, "tensor 'a': wanted an object, got null"},
  {"{\"a\":{}}", 0, "tensor 'a': has no dtype"},
  {R"({"a":{"dtype":"F32","shape":[1]}})", 4,
   "tensor 'a': has no data_offsets"},
  {"{" + f32("a", "[1]", "[0,4]") + "," + f32("a", "[1]", "[0,4]") + "}", 4,
   "tensor 'a': is there twice"},
  {R"({"a":{"dtype":"F32","dtype":"F32"}})", 0,
   "tensor 'a': 'dtype' is there twice"},
  {R"({"__metadata__":3})", 0, "__metadata__: wanted an object, got 3"},
  {R"({"__metadata__":{"a":1}})", 0,
   "__metadata__: 'a': wanted a string, got 1"},
  {R"({"__metadata__":{"a":{}}})", 0,
   "__metadata__: 'a': wanted a string, got an object"},
  {R"({"__metadata__":{"a":"1","a":"2"}})", 0,
   "__metadata__: 'a' is there twice"},
  {R"({"a":{"more":)" + std::string(100, '[') + std::string(100, ']') + "}}", 0,
   "tensor 'a': nested too deep"},

  // dtype and shape
  {"{" + entry("a", "3", "[1]", "[0,4]") + "}", 4,
   "tensor 'a': dtype: wanted a string, got 3"},
  {"{" + entry("a", "\"F31\"", "[1]", "[0,4]") + "}", 4,
   "tensor 'a': unknown dtype 'F31'"},
  {"{" + f32("a", "[-1]", "[0,4]") + "}", 4,
   "tensor 'a': shape: wanted a list of whole numbers of at least 0, got -1"},
  {"{" + f32("a", "[1.5]", "[0,4]") + "}", 4,
   "tensor 'a': shape: wanted a list of whole numbers, got 1.5"},
  {"{" + f32("a", "[[1]]", "[0,4]") + "}", 4,
   "tensor 'a': shape: wanted a list of whole numbers, got a list"},
  {"{" + f32("a", "1", "[0,4]") + "}", 4,
   "tensor 'a': shape: wanted a list of whole numbers, got 1"},
  {"{" + f32("a", "[18446744073709551615]", "[0,4]") + "}", 4,
   "tensor 'a': shape: wanted a list of whole numbers, got "
   "18446744073709551615, which is too large"},
  {"{" + f32("a", "[4294967296,4294967296]", "[0,0]") + "}", 0,
   "tensor 'a': shape [4294967296, 4294967296] is negative or too large"},

  // the bytes
  {"{" + f32("a", "[1]", "[0]") + "}", 4,
   "tensor 'a': data_offsets: wanted two whole numbers"},
  {"{" + f32("a", "[1]", "[0,4,8]") + "}", 4,
   "tensor 'a': data_offsets: wanted two whole numbers, got more"},
  {"{" + f32("a", "[1]", "[-4,0]") + "}", 4,
   "tensor 'a': data_offsets: wanted two whole numbers of at least 0, got -4"},
  {"{" + f32("a", "[1]", "[4,0]") + "}", 4,
   "tensor 'a': data_offsets [4, 0]: begin is after end"},
  {"{" + f32("a", "[2]", "[0,8]") + "}", 4,
   "tensor 'a': data_offsets [0, 8]: beyond the end of the file, which has 4 "
   "bytes of data"},
  {"{" + f32("a", "[2]", "[0,4]") + "}", 4,
   "tensor 'a': F32 [2] has 8 bytes, data_offsets [0, 4] 4"},
  {"{" + f32("a", "[2]", "[0,8]") + "," + f32("b", "[2]", "[4,12]") + "}", 12,
   "tensor 'b': data_offsets [4, 12]: overlaps tensor 'a'"},
  {"{" + f32("a", "[1]", "[0,4]") + "," + f32("b", "[1]", "[8,12]") + "}", 12,
   "tensor 'b': data_offsets [8, 12]: a hole of 4 bytes after tensor 'a'"},
  {"{" + f32("a", "[1]", "[4,8]") + "}", 8,
   "tensor 'a': data_offsets [4, 8]: a hole of 4 bytes after the header"},
  {"{" + f32("a", "[1]", "[0,4]") + "}", 7,
   "3 bytes after tensor 'a' belong to no tensor"},
  {"{}", 8, "8 bytes after the header belong to no tensor"},
};

std::string file_of(std::uint64_t length, const std::string& rest) {
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + rest;
}

std::string weights_failure(const std::string& text) {
  const auto read =
    parse_safetensors(std::as_bytes(std::span{text}), "w.safetensors");
  return read ? "" : read.failure().message;
}

template <class T>
std::string message_of(const result<T>& from) {
  return from ? "" : from.failure().message;
}

/// A message is one line, starts as it should, and is no essay.
void check_message(const std::string& input, const std::string& got,
                   const std::string& wanted) {
  INFO(input);
  CHECK_THAT(got, Catch::StartsWith(wanted));
  CHECK(got.find('\n') == std::string::npos);
  CHECK(got.size() < 400);
}

} // namespace

TEST_CASE("a bad job file gives its message", "[job][bad_input]") {
  for (const auto& [text, wanted] : bad_jobs)
    check_message(text, message_of(parse_job(text, "job.toml")), wanted);
}

TEST_CASE("a bad override gives its message", "[job][bad_input]") {
  for (const auto& [text, wanted] : bad_overrides) {
    const std::vector<std::string> overrides{text};
    check_message(text, message_of(parse_job(lenet, "job.toml", overrides)),
                  wanted);
  }
}

TEST_CASE("a bad graph file gives its message", "[job][bad_input]") {
  const auto ops = make_any_ops();
  for (const auto& [text, wanted] : bad_graphs)
    check_message(text,
                  message_of(parse_graph(text, "net.toml", {28, 28, 1}, &ops)),
                  wanted);
}

TEST_CASE("a bad weights file gives its message", "[job][bad_input]") {
  for (const auto& [header, data_bytes, wanted] : bad_files)
    check_message(header,
                  weights_failure(file_of(
                    header.size(), header + std::string(data_bytes, '\0'))),
                  "w.safetensors: " + wanted);
}

TEST_CASE("a weights file with a bad length gives its message",
          "[job][bad_input]") {
  const auto check = [](const std::string& text, const std::string& wanted) {
    check_message(text, weights_failure(text), "w.safetensors: " + wanted);
  };
  check("", "too short: wanted at least 8 bytes, got 0");
  check("1234567", "too short: wanted at least 8 bytes, got 7");
  check(file_of(100, "{}"),
        "header of 100 bytes: the file has only 2 after its length");
  check(file_of(100'000'001, "{}"),
        "header of 100000001 bytes: wanted at most 100000000");
  check(file_of(~std::uint64_t{0}, "{}"),
        "header of 18446744073709551615 bytes: wanted at most 100000000");
}

TEST_CASE("a file that is not there gives its message", "[job][bad_input]") {
  const auto ops = make_any_ops();
  const std::string none = "/nonexistent/x.toml";
  const auto wanted = none + ": cannot open: No such file or directory";
  CHECK(message_of(load_job(none)) == wanted);
  CHECK(message_of(load_graph(none, {28, 28, 1}, &ops)) == wanted);
  CHECK(message_of(load_job("/")) == "/: cannot open: not a regular file");
  CHECK(message_of(load_job("/dev/zero"))
        == "/dev/zero: cannot open: not a regular file");
}

TEST_CASE("a job file of more than 4 MiB is refused", "[job][bad_input]") {
  const scratch_folder at;
  const auto large = at.write("large.toml", std::string((4 << 20) + 1, '#'));
  CHECK(message_of(load_job(large)) == large + ": more than 4 MiB");
}

TEST_CASE("a pipe as a job file is refused, not waited for",
          "[job][bad_input]") {
  const scratch_folder at;
  const auto pipe = at / "job.toml";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(message_of(load_job(pipe))
        == pipe + ": cannot open: not a regular file");
}
