/// The vision transformer as torchvision has it. A layer is, with
/// "encoder.layers.encoder_layer_<i>." in front of each name,
///
///     ln_1  self_attention.in_proj .heads .out_proj  dropout  (+ x) add_1
///     ln_2  mlp.0 mlp.1 mlp.2 mlp.3 mlp.4                  (+ add_1) add_2
///
/// where mlp.1 is a GELU, mlp.2 and mlp.4 dropout.
///
/// Paper: arXiv 2010.11929.

#include "engine/models/families.hpp"

namespace pd {

namespace {

class vit_builder {
public:
  vit_builder(const vit_kind& kind, const model_options& options)
    : kind_{kind}, options_{options}, net_{kind.name} {}

  result<graph> build() {
    PD_CHECK(check_patches("height", options_.height));
    PD_CHECK(check_patches("width", options_.width));
    auto x = add_encoder(add_patches(add_image(net_, options_)));
    x = net_.add("token", "take_token", {x});
    x = net_.add("heads.head", "linear", {x},
                 {{"out_features", options_.classes}, {"init", text{"zero"}}});
    net_.loss(x, options_.label_smoothing);
    return net_.finish();
  }

private:
  using text = std::string;

  result<void> check_patches(const char* what, std::int64_t pixels) const {
    if (pixels % kind_.patch == 0)
      return {};
    return error{errc::bad_value,
                 "model '" + text{kind_.name} + "': " + what + " = "
                   + std::to_string(pixels) + ", wanted a multiple of "
                   + std::to_string(kind_.patch) + ", a patch's"};
  }

  int add_patches(int x) {
    x = net_.add("conv_proj", "conv2d", {x},
                 {{"out_channels", kind_.features},
                  {"kernel", kind_.patch},
                  {"stride", kind_.patch},
                  {"init", text{"lecun_normal"}}});
    x = net_.add("patches", "tokens", {x});
    return net_.add("class_token", "class_token", {x});
  }

  int add_encoder(int x) {
    const auto encoder = net_.within("encoder");
    x =
      dropout("dropout", net_.add("pos_embedding", "position_embedding", {x}));
    {
      const auto layers = net_.within("layers");
      for (int i = 0; i < kind_.layers; ++i) {
        const auto layer = net_.within("encoder_layer_" + std::to_string(i));
        x = add_mlp(add_attention(x));
      }
    }
    return norm("ln", x);
  }

  int norm(const text& name, int x) {
    return net_.add(name, "layer_norm", {x}, {{"eps", 1e-6}});
  }

  int dropout(const text& name, int x) {
    return net_.dropout(name, x, options_.dropout.value_or(0));
  }

  int add_attention(int x) {
    const auto y = dropout("dropout", add_heads(norm("ln_1", x)));
    return net_.sum("add_1", x, y);
  }

  int add_heads(int x) {
    const auto block = net_.within("self_attention");
    x = net_.add("in_proj", "linear", {x},
                 {{"out_features", 3 * kind_.features},
                  {"init", text{"xavier_uniform"}},
                  {"separator", text{"_"}}});
    x = net_.add("heads", "attention", {x}, {{"heads", kind_.heads}});
    return net_.add(
      "out_proj", "linear", {x},
      {{"out_features", kind_.features}, {"bias_init", text{"zero"}}});
  }

  int add_mlp(int x) {
    auto y = norm("ln_2", x);
    {
      const auto block = net_.within("mlp");
      y = mlp_linear("0", y, kind_.mlp_features);
      y = dropout("2", net_.add("1", "gelu", {y}));
      y = dropout("4", mlp_linear("3", y, kind_.features));
    }
    return net_.sum("add_2", x, y);
  }

  int mlp_linear(const text& name, int x, std::int64_t features) {
    return net_.add(name, "linear", {x},
                    {{"out_features", features},
                     {"init", text{"xavier_uniform"}},
                     {"bias_init", text{"almost_zero"}}});
  }

  const vit_kind& kind_;
  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_vit(const vit_kind& kind, const model_options& options) {
  return vit_builder{kind, options}.build();
}

} // namespace pd
