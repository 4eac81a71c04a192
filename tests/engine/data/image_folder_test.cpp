#include "engine/data/image_folder.hpp"

#include "engine/data/batch_reader.hpp"
#include "engine/data/broken_files.hpp"
#include "engine/data/image_files.hpp"
#include "engine/data/pixels.hpp"
#include "engine/data/sampler.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tools/image_folder/picture_writer.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <malloc.h>
#include <map>

using namespace pd;
using namespace pd::test;

namespace {

namespace fs = std::filesystem;

class folder {
public:
  [[nodiscard]] std::string path(const std::string& below = "") const {
    return below.empty() ? root_.path() : root_ / below;
  }

  void write(const std::string& below, const std::string& text) const {
    make_parent(below);
    (void)root_.write(below, text);
  }

  void jpeg(const std::string& below, int seed) const {
    make_parent(below);
    REQUIRE(write_jpeg(path(below),
                       draw_photo(40, 50, static_cast<std::uint64_t>(seed))));
  }

private:
  void make_parent(const std::string& below) const {
    fs::create_directories(fs::path{path(below)}.parent_path());
  }

  scratch_folder root_;
};

/// train/{cat,dog} of 6 and 7 pictures, val/{cat,dog} of 2 each.
void fill(const folder& to) {
  for (int i = 0; i < 13; ++i)
    to.jpeg("train/" + std::string{i < 6 ? "cat" : "dog"} + "/"
              + std::to_string(10 + i) + ".JPEG",
            i);
  for (int i = 0; i < 4; ++i)
    to.jpeg("val/" + std::string{i < 2 ? "cat" : "dog"} + "/v"
              + std::to_string(i) + ".jpg",
            100 + i);
}

dataset_spec spec_of(const folder& from,
                     dataset_split split = dataset_split::train) {
  dataset_spec made;
  made.name = "image-folder";
  made.path = from.path();
  made.split = split;
  made.height = 24;
  made.width = 28;
  made.channels = 3;
  made.classes = 5;
  made.seed = 3;
  return made;
}

std::unique_ptr<dataset> open_it(const dataset_spec& spec) {
  auto made = open_dataset(spec);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

std::string why_not(const dataset_spec& spec) {
  const auto made = open_dataset(spec);
  return made ? "" : made.failure().message;
}

using image = std::vector<float>;

image blank(const dataset& of, std::int64_t count = 1) {
  return image(static_cast<std::size_t>(of.image().elems() * count));
}

image read_one(const dataset& from, const sample_at& which) {
  auto made = blank(from);
  const auto done = from.read(which, made);
  if (!done)
    FAIL(done.failure().message);
  return made;
}

/// Images and labels of samples 0 ... 12 by so many threads.
std::pair<image, std::vector<std::int32_t>> read_all(const dataset& from,
                                                     int threads) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(from.size()));
  for (std::size_t i = 0; i < indices.size(); ++i)
    indices[i] = static_cast<std::int64_t>(i * 5 % indices.size());
  auto images = blank(from, from.size());
  std::vector<std::int32_t> labels(indices.size());
  batch_reader team{threads};
  for (int turn = 0; turn < 3; ++turn)
    REQUIRE(team.fill(from, {indices, 4}, images, labels));
  return {images, labels};
}

} // namespace

TEST_CASE("classes are the sorted folders of train, files are sorted in them",
          "[data][image_folder]") {
  const folder at;
  for (const auto* name : {"b/2.PNG", "b/10.jpeg", "b/deep/er/1.jpg", "B/z.JPG",
                           "a/x.Jpeg", "a/notes.txt", "a/x.jpg.bak"})
    at.write(std::string{"train/"} + name, "");
  at.write("train/no_folder.jpg", "");
  const auto classes = image_files::find_classes(at.path("train"));
  REQUIRE(classes);
  CHECK(*classes == std::vector<std::string>{"B", "a", "b"});
  const auto files = image_files::find(at.path("train"), *classes, true);
  REQUIRE(files);
  std::vector<std::string> found;
  for (std::int64_t i = 0; i < files->size(); ++i)
    found.push_back(std::to_string(files->label(i)) + " "
                    + files->path(i).substr(at.path("train/").size()));
  CHECK(found
        == std::vector<std::string>{"0 B/z.JPG", "1 a/x.Jpeg", "2 b/10.jpeg",
                                    "2 b/2.PNG", "2 b/deep/er/1.jpg"});
  CHECK(files->next_of_class(2) == 3);
  CHECK(files->next_of_class(4) == 2);
  CHECK(files->class_size(0) == 1);
}

TEST_CASE("a folder that is no image-folder says what is wrong with it",
          "[data][image_folder]") {
  const folder at;
  auto spec = spec_of(at);
  CHECK(why_not(spec) == at.path("train") + ": No such file or directory");
  at.write("train/x.jpg", "");
  CHECK(why_not(spec)
        == at.path("train") + ": wanted a folder for each class, got none");
  at.jpeg("train/cat/1.jpg", 1);
  at.write("train/dog/readme.txt", "");
  CHECK(why_not(spec)
        == at.path("train/dog") + ": no .jpg, .jpeg or .png file");
  at.jpeg("train/dog/1.jpg", 1);
  CHECK(why_not(spec).empty());
  spec.classes = 1;
  CHECK(why_not(spec)
        == at.path("train") + ": 2 classes, but model.classes is 1");
  spec = spec_of(at, dataset_split::test);
  CHECK(why_not(spec) == at.path("val") + ": No such file or directory");
  at.jpeg("val/cow/1.jpg", 1);
  CHECK(why_not(spec) == at.path("val/cow") + ": no class of the training set");
  spec.channels = 2;
  CHECK(why_not(spec) == "image-folder: images of 2 channels; wants 1 or 3");
  spec = spec_of(at);
  spec.images.resize = 27;
  CHECK(why_not(spec)
        == "image-folder: evaluation images are resized to 27, which is less "
           "than the image's 28");
  spec.path.clear();
  CHECK(why_not(spec)
        == "image-folder: needs data.path, the folder with train and val");
}

TEST_CASE("a link that leads back is refused by its name, others are followed",
          "[data][image_folder]") {
  const folder at;
  at.write("train/C/1.jpg", "");
  at.write("elsewhere/2.jpg", "");
  fs::create_symlink(at.path("elsewhere"), at.path("train/C/more"));
  const std::vector<std::string> classes{"C"};
  const auto followed = image_files::find(at.path("train"), classes, true);
  REQUIRE(followed);
  CHECK(followed->size() == 2);
  const auto back = fs::path{at.path("elsewhere/back")};
  const auto to = GENERATE(as<std::string>{}, "train/C", "elsewhere");
  fs::create_symlink(at.path(to), back);
  const auto looped = image_files::find(at.path("train"), classes, true);
  REQUIRE(!looped);
  CHECK(looped.failure().message
        == at.path("train/C/more/back")
             + ": a loop, it leads back to a folder it lies in");
}

TEST_CASE("two links to one folder are both followed", "[data][image_folder]") {
  const folder at;
  at.write("elsewhere/deep/2.jpg", "");
  fs::create_directories(at.path("train/C"));
  for (const auto* name : {"a", "b"})
    fs::create_symlink(at.path("elsewhere"),
                       at.path("train/C/" + std::string{name}));
  const std::vector<std::string> classes{"C"};
  const auto found = image_files::find(at.path("train"), classes, true);
  REQUIRE(found);
  CHECK(found->size() == 2);
}

TEST_CASE("val may lack a class, and has the labels of train",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  fs::remove_all(at.path("val/cat"));
  const auto val = open_it(spec_of(at, dataset_split::test));
  CHECK(val->size() == 2);
  CHECK(val->label(0) == 1);
  CHECK(val->classes() == 5);
}

TEST_CASE("a training image is another in each epoch, an evaluation image not",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  const auto train = open_it(spec_of(at));
  CHECK(read_one(*train, {3, 0}) == read_one(*train, {3, 0}));
  CHECK(read_one(*train, {3, 0}) != read_one(*train, {3, 1}));
  CHECK(read_one(*train, {3, 0}) != read_one(*train, {4, 0}));
  const auto val = open_it(spec_of(at, dataset_split::test));
  CHECK(read_one(*val, {1, 0}) == read_one(*val, {1, 7}));
}

TEST_CASE("the number of threads changes no bit of a batch",
          "[data][image_folder][batch_reader]") {
  const folder at;
  fill(at);
  at.write("train/cat/12.JPEG", "broken");
  auto spec = spec_of(at);
  spec.images.choices.jitter = {0.4, 0.4, 0.4, 0.1};
  const auto alone = read_all(*open_it(spec), 1);
  for (const int threads : {2, 3, 8, 20})
    CHECK(read_all(*open_it(spec), threads) == alone);
}

TEST_CASE("two replicas read disjoint shards that cover the set",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  const auto set = open_it(spec_of(at));
  auto order = sampler::make(
    {.samples = set->size(), .microbatch = 2, .round = 2, .seed = 3});
  REQUIRE(order);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    order->start_epoch(epoch);
    std::map<std::int64_t, int> reader_of;
    for (int replica = 0; replica < 2; ++replica)
      for (auto k = next_of_replica(0, replica, 2); k < order->microbatches();
           k += 2)
        for (const auto sample : order->indices(k))
          CHECK(
            reader_of.emplace(sample, replica).second); // nobody else has it
    CHECK(std::ssize(reader_of) == set->size() - order->left_over());
    CHECK(order->left_over() == 1);
  }
}

TEST_CASE("a broken image is replaced by the next of its class, and told once",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  const auto whole = open_it(spec_of(at, dataset_split::test));
  const auto wanted = read_one(*whole, {0, 0});
  fs::copy_file(at.path("val/cat/v0.jpg"), at.path("val/cat/v2.jpg"));
  at.write("val/cat/v0.jpg", "no picture");
  at.write("val/cat/v1.jpg", "");
  const auto set = open_it(spec_of(at, dataset_split::test));
  CHECK(set->take_broken().empty());
  CHECK(read_one(*set, {0, 0}) == wanted); // v2: after v1, which is broken too
  CHECK(read_one(*set, {1, 0}) == wanted);
  CHECK(set->label(0) == 0);
  CHECK(set->take_broken()
        == std::vector<std::string>{at.path("val/cat/v0.jpg"),
                                    at.path("val/cat/v1.jpg")});
  CHECK(read_one(*set, {0, 0}) == wanted);
  CHECK(set->take_broken().empty());
}

TEST_CASE("a picture too long to resize is a broken one, told by its name",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  REQUIRE(write_png(at.path("val/cat/v0.png"),
                    {1, 300000, 1, std::vector<std::uint8_t>(300000)}));
  auto spec = spec_of(at, dataset_split::test);
  spec.images.resize = 8192;
  const auto set = open_it(spec);
  CHECK(read_one(*set, {1, 0}) == read_one(*set, {2, 0}));
  CHECK(set->take_broken()
        == std::vector<std::string>{at.path("val/cat/v0.png")});
  spec.split = dataset_split::train;
  fs::copy_file(at.path("val/cat/v0.png"), at.path("train/cat/09.png"));
  const auto train = open_it(spec);
  (void)read_one(*train, {0, 0}); // a crop of it is nothing extreme
  CHECK(train->take_broken().empty());
}

TEST_CASE("a large picture leaves no large buffer behind",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  constexpr int side = 3000;
  REQUIRE(write_png(
    at.path("val/cat/v0.jpg"),
    {side, side, 1, std::vector<std::uint8_t>(std::size_t{side} * side)}));
  const auto set = open_it(spec_of(at, dataset_split::test));
  const auto before = ::mallinfo2().hblkhd; // none under a sanitizer
  (void)read_one(*set, {0, 0});
  CHECK(::mallinfo2().hblkhd <= before + kept_buffer_bytes);
}

TEST_CASE("a replaced image keeps the random choices of its sample",
          "[data][image_folder]") {
  const folder at;
  for (const auto* name : {"1", "2", "3"})
    at.jpeg(std::string{"train/cat/"} + name + ".jpg", 1); // all the same
  const auto before = read_one(*open_it(spec_of(at)), {0, 6});
  at.write("train/cat/1.jpg", "");
  const auto set = open_it(spec_of(at));
  CHECK(read_one(*set, {0, 6}) == before);
  CHECK(read_one(*set, {1, 6}) != before);
}

TEST_CASE("one broken image where none may be is told in the singular",
          "[data][image_folder]") {
  CHECK(too_many_broken(1, 0, "x.jpg: an empty file").message
        == "1 image cannot be read, and data.max_broken is 0; the last is "
           "x.jpg: an empty file");
}

TEST_CASE("more broken images than the job allows end it with one line",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  at.write("train/cat/10.JPEG", "");
  at.write("train/dog/16.JPEG", "");
  auto spec = spec_of(at);
  spec.images.max_broken = 1;
  const auto set = open_it(spec);
  auto into = blank(*set);
  CHECK(set->read({0, 0}, into));
  CHECK(set->read({0, 1}, into)); // the same one again
  const auto done = set->read({6, 0}, into);
  REQUIRE(!done);
  CHECK(done.failure().message
        == "2 images cannot be read, and data.max_broken is 1; the last is "
             + at.path("train/dog/16.JPEG") + ": an empty file");
}

TEST_CASE("a class of which no image can be read is an error",
          "[data][image_folder]") {
  const folder at;
  for (const auto* name : {"1", "2"})
    at.write(std::string{"train/cat/"} + name + ".jpg", "");
  const auto set = open_it(spec_of(at));
  auto into = blank(*set);
  const auto done = set->read({1, 0}, into);
  REQUIRE(!done);
  CHECK(done.failure().message
        == at.path("train/cat/2.jpg")
             + ": nor can any other image of its class be read");
}

TEST_CASE("a file that cannot be opened is a broken image",
          "[data][image_folder]") {
  const folder at;
  fill(at);
  const auto set = open_it(spec_of(at));
  fs::remove(at.path("train/cat/10.JPEG"));
  (void)read_one(*set, {0, 0});
  CHECK(set->take_broken()
        == std::vector<std::string>{at.path("train/cat/10.JPEG")});
}
