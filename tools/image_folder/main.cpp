#include "engine/data/idx_dataset.hpp"
#include "tools/image_folder/make_folder.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace {

void add_options(CLI::App& app, pd::folder_spec& spec) {
  app.add_option("out", spec.out, "the folder that is made")->required();
  app.add_option("--count", spec.train, "training images")
    ->capture_default_str();
  app.add_option("--val", spec.val, "evaluation images")->capture_default_str();
  app.add_option("--side", spec.side, "pixels of an image's side")
    ->check(CLI::Range(1, 4096))
    ->capture_default_str();
  app.add_option("--quality", spec.quality, "of JPEG")
    ->check(CLI::Range(1, 100))
    ->capture_default_str();
  app
    .add_option("--png-each", spec.png_each,
                "every so many files is PNG; 0: none")
    ->capture_default_str();
  app
    .add_option("--grey-each", spec.grey_each,
                "every so many files has one channel; 0: none")
    ->capture_default_str();
  app.add_option("--from", spec.from, "the folder of Fashion-MNIST's files")
    ->capture_default_str();
}

} // namespace

int main(int argc, char** argv) {
  constexpr int failed = 1;
  constexpr int wrong_usage = 2;
  CLI::App app{"Makes a folder of JPEG files, a class a subfolder, out of "
               "Fashion-MNIST: for data.dataset = \"image-folder\"."};
  pd::folder_spec spec;
  spec.from = pd::fashion_mnist_folder;
  add_options(app, spec);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    return app.exit(why) == 0 ? 0 : wrong_usage;
  }
  if (const auto made = pd::make_image_folder(spec); !made) {
    fmt::print(stderr, "make_image_folder: {}\n", made.failure().message);
    return failed;
  }
  fmt::print("{}: {} training and {} evaluation images of 10 classes\n",
             spec.out, spec.train, spec.val);
  return 0;
}
