#include "engine/device/layout.hpp"

#include "engine/device/tensor.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("a blocked layout rounds the channels up, and only of rank 4",
          "[device][layout]") {
  const shape image{2, 3, 5, 7};
  CHECK(storage_elems(image, layout::plain) == 210);
  CHECK(storage_elems(image, layout::channels_last) == 210);
  CHECK(storage_elems(image, layout::blocked8) == 560);
  CHECK(storage_elems(image, layout::blocked16) == 1120);
  CHECK(storage_elems({2, 16, 5, 7}, layout::blocked16) == 1120);
  CHECK(storage_elems({2, 17, 5, 7}, layout::blocked16) == 2240);
  CHECK(storage_elems({2, 3}, layout::blocked16) == 6);
  CHECK(storage_elems({}, layout::blocked8) == 1);
}

TEST_CASE("a tensor's type knows its bytes and prints", "[device][tensor]") {
  const tensor_type type{{16, 3, 56, 56}, dtype::bf16, layout::blocked8};
  CHECK(type.elems() == 401408);
  CHECK(type.bytes() == 2 * type.elems());
  CHECK(to_string(type) == "bf16 [16, 3, 56, 56] blocked8");
  CHECK(to_string(tensor_type{{8}, dtype::i64}) == "i64 [8] plain");
}

TEST_CASE("types of tensors differ by extents, elements or order",
          "[device][tensor]") {
  const tensor_type type{{1, 8, 2, 2}, dtype::f32, layout::blocked8};
  CHECK(type == tensor_type{{1, 8, 2, 2}, dtype::f32, layout::blocked8});
  CHECK(type != tensor_type{{1, 8, 2, 2}, dtype::f32, layout::plain});
  CHECK(type != tensor_type{{1, 8, 2, 2}, dtype::bf16, layout::blocked8});
  CHECK(type != tensor_type{{1, 8, 4, 1}, dtype::f32, layout::blocked8});
}
