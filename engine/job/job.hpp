/// A job: what to train, on what, how. The typed form of a job file.
///
/// What each field means, its default, unit and range: job_keys.cpp, from
/// which docs/job-file.md has its tables.

#pragma once

#include "engine/data/image_transform.hpp"
#include "engine/graph/update.hpp"
#include "engine/program/learning_rate.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pd {

/// Exactly one of `name` and `file` is not empty.
struct model_spec {
  std::string name;
  std::string file;
  std::string weights; ///< empty: drawn from the seed
  std::int64_t classes = 10;
  image_extents image{28, 28, 1};
  std::optional<double> dropout; ///< empty: the model's own
  bool aux_logits = true;        ///< of googlenet and inception_v3
};

struct data_spec {
  std::string dataset = "fashion-mnist";
  std::string path; ///< empty: its usual place
  std::int64_t microbatch = 16;
  bool shuffle = true;
  std::int64_t samples = 0; ///< synthetic only; 0: its own count
  double mean = 0.5;        ///< idx only
  double std = 0.5;         ///< idx only

  // image-folder only
  std::int64_t decode_threads = 0; ///< of a loader; 0: cores / loaders
  std::int64_t max_broken = 100;   ///< files
  std::vector<double> crop_scale{0.08, 1.0};
  std::vector<double> crop_ratio{3.0 / 4.0, 4.0 / 3.0};
  double flip = 0.5;
  std::vector<double> jitter{0, 0, 0, 0}; ///< brightness ... hue
  std::vector<double> pixel_mean{0.485, 0.456, 0.406};
  std::vector<double> pixel_std{0.229, 0.224, 0.225};
  std::int64_t resize = 0; ///< 0: image * 256 / 224
  bool dct_scaling = true;
};

struct train_spec {
  std::int64_t epochs = 1;           ///< 0: evaluate only
  std::int64_t max_microbatches = 0; ///< an epoch; 0: the whole
  std::string evaluate = "epoch";    ///< epoch | end | never
  std::int64_t print_every = 10;
  double clip_norm = 0; ///< 0: none
  double label_smoothing = 0;
};

struct optimizer_spec {
  optimizer_settings rule;
  /// `epochs` and `updates_per_epoch` are the trainer's to set.
  learning_rate_policy rate;
  bool scale_lr_by_replicas = true;
};

struct schedule_spec {
  std::string name = "pipedream";
  std::int64_t microbatches = 1;
  std::vector<std::int64_t> depth; ///< by stage; empty: auto
  std::int64_t chunks = 1;         ///< interleaved only
  bool vertical_sync = false;      ///< pipedream only
  std::string file;                ///< a timetable instead of all of that
};

/// One [[stage]].
struct stage_spec {
  std::string until; ///< empty: the end of the graph
  std::int64_t replicas = 1;
  bool recompute = false;
};

struct run_spec {
  std::string device = "auto";     ///< cpu | replay | auto
  std::string workers = "threads"; ///< threads | processes
  std::string transport = "auto";  ///< local | gloo | auto
  std::int64_t threads_per_worker = 0;
  std::string precision = "f32"; ///< f32 | bf16
  std::int64_t bucket_bytes = std::int64_t{8} << 20;

  // replay only
  double time_scale = 1; ///< times the profile's times
  double byte_scale = 1; ///< times its bytes
};

/// Between two checkpoints: an epoch, or so many rounds, and what is left of an
/// epoch. A round is one that is whole on every stage.
struct checkpoint_interval {
  std::int64_t rounds = 0; ///< 0: an epoch
};

struct checkpoint_spec {
  std::string directory; ///< empty: none are made
  checkpoint_interval every;
  std::int64_t keep = 3;
};

struct inspect_spec {
  std::string listen;
};

struct job {
  std::string name; ///< empty in no job that was read: the file's name
  std::int64_t seed = 1;
  model_spec model;
  data_spec data;
  train_spec train;
  optimizer_spec optimizer;
  schedule_spec schedule;
  std::vector<stage_spec> stages;
  run_spec run;
  checkpoint_spec checkpoint;
  inspect_spec inspect;
};

/// True if every key of the one has the value it has in the other.
[[nodiscard]] bool operator==(const job& a, const job& b);

} // namespace pd
