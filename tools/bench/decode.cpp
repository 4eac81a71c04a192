/// Images a second that one core makes of JPEG files, for
/// tools/bench/versus_torchvision; and the files themselves.
///
///     bench_decode --make FOLDER --count 100     writes them
///     bench_decode FOLDER --image 224            a line a turn: CPU seconds
///
/// A turn begins with each line of standard input and makes every file once, as
/// training does: random resized crop, mirrored or not, normalized.

#include "engine/data/dataset.hpp"
#include "tools/image_folder/picture_writer.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace {

struct arguments {
  std::string folder;
  bool makes = false;
  int count = 100;
  int height = 375;
  int width = 500;
  int quality = 90;
  int image = 224;
  bool is_whole = false;
  bool is_evaluation = false;
  bool has_jitter = false;
};

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_decode: %s\n", why.c_str());
  return 1;
}

int make_files(const arguments& given) {
  const auto folder = given.folder + "/train/photo";
  std::filesystem::create_directories(folder);
  for (int i = 0; i < given.count; ++i) {
    const auto photo =
      pd::draw_photo(given.height, given.width, static_cast<std::uint64_t>(i));
    const auto done = pd::write_jpeg(
      folder + "/" + std::to_string(1000 + i) + ".jpg", photo, given.quality);
    if (!done)
      return fail(done.failure().message);
  }
  return 0;
}

pd::dataset_spec describe(const arguments& given) {
  pd::dataset_spec made;
  made.name = "image-folder";
  made.path = given.folder;
  made.height = made.width = given.image;
  made.channels = 3;
  made.images.dct_scaling = !given.is_whole;
  if (given.is_evaluation)
    made.split = pd::dataset_split::test;
  if (given.has_jitter)
    made.images.choices.jitter = {0.4, 0.4, 0.4, 0.1};
  return made;
}

/// Of this process, system time included.
double cpu_seconds() {
  timespec at{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec)
         + 1e-9 * static_cast<double>(at.tv_nsec);
}

int take_turns(const arguments& given) {
  const auto opened = pd::open_dataset(describe(given));
  if (!opened)
    return fail(opened.failure().message);
  const auto& set = **opened;
  std::vector<float> image(static_cast<std::size_t>(set.image().elems()));
  std::string line;
  for (std::int64_t epoch = 0; std::getline(std::cin, line); ++epoch) {
    const double begin_s = cpu_seconds();
    for (std::int64_t i = 0; i < set.size(); ++i)
      if (const auto done = set.read({i, epoch}, image); !done)
        return fail(done.failure().message);
    std::printf("%.6f\n", cpu_seconds() - begin_s);
    std::fflush(stdout);
  }
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Images a second that one core makes of JPEG files"};
  arguments given;
  app.add_option("folder", given.folder, "of train/*/*.jpg")->required();
  app.add_flag("--make", given.makes, "write the files");
  app.add_option("--count", given.count)->capture_default_str();
  app.add_option("--height", given.height)->capture_default_str();
  app.add_option("--width", given.width)->capture_default_str();
  app.add_option("--quality", given.quality)->capture_default_str();
  app.add_option("--image", given.image)->capture_default_str();
  app.add_flag("--whole", given.is_whole, "data.dct_scaling = false");
  app.add_flag("--evaluation", given.is_evaluation, "of val/, the middle");
  app.add_flag("--jitter", given.has_jitter, "change colours, too");
  CLI11_PARSE(app, argc, argv);
  return given.makes ? make_files(given) : take_turns(given);
}
