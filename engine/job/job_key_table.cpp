#include "engine/data/dataset.hpp"
#include "engine/job/job_keys.hpp"
#include "engine/models/models.hpp"
#include "engine/schedule/generate.hpp"

#include <utility>

namespace pd {

namespace {

/// `PD_AT(data.path)`: where that field is.
// clang-format off
// NOLINTBEGIN(bugprone-macro-parentheses): a field has none
#define PD_AT(field) ([](job& j, std::size_t) -> auto& { return j.field; })
// NOLINTEND(bugprone-macro-parentheses)
// clang-format on

// -- what is not carried out, and why ----------------------------------------

/// Refuses a key where the job has chosen something that does not take it.
std::string unless(bool is_taken, const char* who, const char* what,
                   const std::string& chosen) {
  if (is_taken)
    return "";
  return std::string{"only "} + who + " takes it, and " + what + " is '"
         + chosen + "'";
}

std::string unless_idx(const job& j) {
  return unless(j.data.dataset == "idx", "idx", "data.dataset", j.data.dataset);
}

std::string unless_folder(const job& j) {
  return unless(j.data.dataset == "image-folder", "image-folder",
                "data.dataset", j.data.dataset);
}

std::string unless_synthetic(const job& j) {
  return unless(j.data.dataset == "synthetic", "synthetic", "data.dataset",
                j.data.dataset);
}

std::string if_synthetic(const job& j) {
  return unless(j.data.dataset != "synthetic", "a dataset of files",
                "data.dataset", j.data.dataset);
}

std::string unless_dropout(const job& j) {
  const auto& name = j.model.name;
  return unless(has_dropout(name), "a built-in model with dropout",
                "model.name", name);
}

std::string if_graph_file(const job& j) {
  const auto& file = j.model.file;
  return unless(file.empty() || file.ends_with(".onnx"),
                "a built-in model or an ONNX file", "model.file", file);
}

std::string unless_checkpoints(const job& j) {
  return unless(!j.checkpoint.directory.empty(), "a job with a folder for them",
                "checkpoint.directory", j.checkpoint.directory);
}

std::string unless_heads(const job& j) {
  const auto& name = j.model.name;
  return unless(name == "googlenet" || name == "inception_v3",
                "googlenet or inception_v3", "model.name", name);
}

std::string unless_sgd(const job& j) {
  const auto& name = j.optimizer.rule.name;
  return unless(name == "sgd", "sgd", "optimizer.name", name);
}

std::string unless_adam(const job& j) {
  const auto& name = j.optimizer.rule.name;
  return unless(name != "sgd", "adam or adamw", "optimizer.name", name);
}

std::string unless_policy(const job& j, const char* one, const char* other) {
  const auto& name = j.optimizer.rate.name;
  const auto who =
    std::string{one} + (*other == '\0' ? "" : std::string{" or "} + other);
  return unless(name == one || name == other, who.c_str(), "optimizer.policy",
                name);
}

std::string unless_step(const job& j) {
  return unless_policy(j, "step", "");
}

std::string unless_factor(const job& j) {
  return unless_policy(j, "step", "exponential");
}

std::string unless_polynomial(const job& j) {
  return unless_policy(j, "polynomial", "");
}

std::string unless_final(const job& j) {
  return unless_policy(j, "polynomial", "cosine");
}

/// A timetable from a file says all that these would.
std::string if_generated(const job& j) {
  return unless(j.schedule.file.empty(), "a schedule without a file",
                "schedule.file", j.schedule.file);
}

std::string unless_rounds(const job& j) {
  if (!j.schedule.file.empty())
    return if_generated(j);
  const auto& name = j.schedule.name;
  return unless(name != "model-parallel" && name != "pipedream",
                "a schedule with rounds", "schedule.name", name);
}

std::string unless_interleaved(const job& j) {
  if (!j.schedule.file.empty())
    return "";
  return unless(j.schedule.name == "interleaved", "interleaved",
                "schedule.name", j.schedule.name);
}

std::string unless_pipedream(const job& j) {
  if (!j.schedule.file.empty())
    return if_generated(j);
  return unless(j.schedule.name == "pipedream", "pipedream", "schedule.name",
                j.schedule.name);
}

std::string if_cuda(const job& j) {
  return j.run.device == "cuda" ? refuse_always(j) : "";
}

std::string unless_replay(const job& j) {
  return unless(j.run.device == "replay", "replay", "run.device", j.run.device);
}

std::string if_cluster(const job& j) {
  return j.run.workers == "processes" ? "" : refuse_always(j);
}

std::string unless_transport(const job& j) {
  if (j.run.transport == "nccl")
    return refuse_always(j);
  const char* who = j.run.transport == "local" ? "threads" : "processes";
  return unless(j.run.workers == who, who, "run.workers", j.run.workers);
}

// -- the table ---------------------------------------------------------------
//
// A function a group of keys, as long as its rows.

std::vector<std::string> datasets() {
  std::vector<std::string> names;
  for (const auto& each : dataset_names())
    names.push_back(each.name);
  return names;
}

std::vector<job_key> source_keys() {
  return {
    {.section = "",
     .name = "name",
     .place = PD_AT(name),
     .meaning = "what the run is called; empty: the file's name"},
    {.section = "",
     .name = "seed",
     .place = PD_AT(seed),
     .meaning = "of initial weights, data order, dropout",
     .most = job_key::most_count},
    {.section = "model",
     .name = "name",
     .place = PD_AT(model.name),
     .meaning = "a built-in model (`pd-engine models`); this or "
                "`file`"},
    {.section = "model",
     .name = "file",
     .place = PD_AT(model.file),
     .meaning = "a graph file (graph-file.md), or an ONNX file if it "
                "ends in .onnx (onnx.md); this or `name`",
     .is_path = true},
    {.section = "model",
     .name = "weights",
     .place = PD_AT(model.weights),
     .meaning = "a safetensors file to start from; empty: drawn "
                "from the seed",
     .is_path = true},
  };
}

std::vector<job_key> model_keys() {
  return {
    {.section = "model",
     .name = "classes",
     .place = PD_AT(model.classes),
     .meaning = "outputs of the network",
     .unit = "classes",
     .least = 1,
     .most = 1e6},
    {.section = "model",
     .name = "image",
     .place = PD_AT(model.image),
     .meaning = "height, width, channels of what the network reads",
     .unit = "pixels"},
    {.section = "model",
     .name = "dropout",
     .place = PD_AT(model.dropout),
     .meaning = "what dropout layers drop, of a built-in model "
                "that has some; `auto`: torchvision's (0.5; "
                "`googlenet`, `mobilenet_v2`, `mnasnet1_0` 0.2, "
                "`googlenet`'s auxiliary heads 0.7, `densenet*`, "
                "`vit*` 0)",
     .unit = "share",
     .most = 0.99,
     .refuse = unless_dropout},
    {.section = "model",
     .name = "aux_logits",
     .place = PD_AT(model.aux_logits),
     .meaning = "`googlenet`, `inception_v3` only: with their "
                "auxiliary heads, which help in training; "
                "`inception_v3` needs 299x299 pixels for its, 75x75 "
                "without",
     .refuse = unless_heads},
  };
}

std::vector<job_key> data_keys() {
  return {
    {.section = "data",
     .name = "dataset",
     .place = PD_AT(data.dataset),
     .meaning = "what to train on (`pd-engine datasets`)",
     .choices = datasets()},
    {.section = "data",
     .name = "path",
     .place = PD_AT(data.path),
     .meaning = "the folder of the dataset; empty: its usual "
                "place; `idx` and `image-folder` need it",
     .is_path = true,
     .refuse = if_synthetic},
    {.section = "data",
     .name = "microbatch",
     .place = PD_AT(data.microbatch),
     .meaning = "what goes through the network at once",
     .unit = "samples",
     .least = 1,
     .most = 65536},
    {.section = "data",
     .name = "shuffle",
     .place = PD_AT(data.shuffle),
     .meaning = "a new order for each epoch; false: the file's"},
    {.section = "data",
     .name = "samples",
     .place = PD_AT(data.samples),
     .meaning = "`synthetic` only: its size; 0: 8192 to train, "
                "1024 to test",
     .unit = "samples",
     .most = 1e9,
     .refuse = unless_synthetic},
    {.section = "data",
     .name = "mean",
     .place = PD_AT(data.mean),
     .meaning = "`idx` only: subtracted from a pixel in 0 ... 1",
     .least = -100,
     .most = 100,
     .refuse = unless_idx},
    {.section = "data",
     .name = "std",
     .place = PD_AT(data.std),
     .meaning = "`idx` only: what a pixel is divided by then",
     .least = 1e-6,
     .most = 100,
     .refuse = unless_idx},
  };
}

/// Of image-folder only.
std::vector<job_key> image_keys() {
  return {
    {.section = "data",
     .name = "decode_threads",
     .place = PD_AT(data.decode_threads),
     .meaning = "`image-folder` only, as all below: that decode "
                "for one loader, `microbatch` of them at most; 0: "
                "cores / loaders, at least 1",
     .unit = "threads",
     .most = 1024,
     .refuse = unless_folder},
    {.section = "data",
     .name = "max_broken",
     .place = PD_AT(data.max_broken),
     .meaning = "that cannot be read before the job fails; each "
                "is replaced by the next of its class",
     .unit = "files",
     .most = job_key::most_count,
     .refuse = unless_folder},
  };
}

std::vector<job_key> augmentation_keys() {
  return {
    {.section = "data",
     .name = "crop_scale",
     .place = PD_AT(data.crop_scale),
     .meaning = "training: least and largest share of the "
                "picture's area that is kept",
     .unit = "share",
     .least = 1e-6,
     .most = 1,
     .refuse = unless_folder},
    {.section = "data",
     .name = "crop_ratio",
     .place = PD_AT(data.crop_ratio),
     .meaning = "training: least and largest width over height of "
                "what is kept",
     .least = 1e-3,
     .most = 1e3,
     .refuse = unless_folder},
    {.section = "data",
     .name = "flip",
     .place = PD_AT(data.flip),
     .meaning = "training: probability that left and right are "
                "swapped",
     .most = 1,
     .refuse = unless_folder},
    {.section = "data",
     .name = "jitter",
     .place = PD_AT(data.jitter),
     .meaning = "training: how far brightness, contrast and "
                "saturation may be from 1, and hue from 0 (0.5 at "
                "most)",
     .most = 100,
     .refuse = unless_folder},
  };
}

std::vector<job_key> picture_keys() {
  return {
    {.section = "data",
     .name = "pixel_mean",
     .place = PD_AT(data.pixel_mean),
     .meaning = "subtracted from red, green and blue in 0 ... 1; "
                "from one channel their mean",
     .least = -100,
     .most = 100,
     .refuse = unless_folder},
    {.section = "data",
     .name = "pixel_std",
     .place = PD_AT(data.pixel_std),
     .meaning = "what they are divided by then",
     .least = 1e-6,
     .most = 100,
     .refuse = unless_folder},
    {.section = "data",
     .name = "resize",
     .place = PD_AT(data.resize),
     .meaning = "evaluation: what the shorter side becomes before "
                "the middle is taken; 0: image * 256 / 224",
     .unit = "pixels",
     .most = 8192,
     .refuse = unless_folder},
    {.section = "data",
     .name = "dct_scaling",
     .place = PD_AT(data.dct_scaling),
     .meaning = "decode a JPEG file at 1/8, 1/4 or 1/2 of its size "
                "if that is enough; false: always whole",
     .refuse = unless_folder},
  };
}

std::vector<job_key> train_keys() {
  return {
    {.section = "train",
     .name = "epochs",
     .place = PD_AT(train.epochs),
     .meaning = "passes over the training set; 0: evaluate only",
     .unit = "epochs",
     .most = 1e6},
    {.section = "train",
     .name = "max_microbatches",
     .place = PD_AT(train.max_microbatches),
     .meaning = "ends an epoch early; 0: the whole epoch",
     .unit = "microbatches",
     .most = job_key::most_count},
    {.section = "train",
     .name = "evaluate",
     .place = PD_AT(train.evaluate),
     .meaning = "when the test set is run: after each epoch, at "
                "the end, never",
     .choices = {"epoch", "end", "never"}},
    {.section = "train",
     .name = "print_every",
     .place = PD_AT(train.print_every),
     .meaning = "between two lines of progress",
     .unit = "updates",
     .least = 1,
     .most = job_key::most_count},
    {.section = "train",
     .name = "clip_norm",
     .place = PD_AT(train.clip_norm),
     .meaning = "largest norm of all gradients together, of all "
                "stages; 0: no limit; not of `pipedream` with "
                "several [[stage]]",
     .most = 1e30},
    {.section = "train",
     .name = "label_smoothing",
     .place = PD_AT(train.label_smoothing),
     .meaning = "share of a label spread over all classes; of a "
                "graph file: its loss's to set",
     .most = 1,
     .refuse = if_graph_file},
  };
}

std::vector<job_key> optimizer_keys() {
  return {
    {.section = "optimizer",
     .name = "name",
     .place = PD_AT(optimizer.rule.name),
     .meaning = "the rule, as PyTorch's of that name",
     .choices = {"sgd", "adam", "adamw"}},
    {.section = "optimizer",
     .name = "lr",
     .place = PD_AT(optimizer.rate.base),
     .meaning = "learning rate, before the policy",
     .most = 1e6},
    {.section = "optimizer",
     .name = "momentum",
     .place = PD_AT(optimizer.rule.momentum),
     .meaning = "`sgd` only",
     .most = 1,
     .refuse = unless_sgd},
    {.section = "optimizer",
     .name = "dampening",
     .place = PD_AT(optimizer.rule.dampening),
     .meaning = "`sgd` only: of momentum",
     .most = 1,
     .refuse = unless_sgd},
    {.section = "optimizer",
     .name = "nesterov",
     .place = PD_AT(optimizer.rule.nesterov),
     .meaning = "`sgd` only; needs momentum, and no dampening",
     .refuse = unless_sgd},
  };
}

std::vector<job_key> adam_keys() {
  return {
    {.section = "optimizer",
     .name = "beta1",
     .place = PD_AT(optimizer.rule.beta1),
     .meaning = "`adam`, `adamw` only: of the first moment",
     .most = 0.999999,
     .refuse = unless_adam},
    {.section = "optimizer",
     .name = "beta2",
     .place = PD_AT(optimizer.rule.beta2),
     .meaning = "`adam`, `adamw` only: of the second moment",
     .most = 0.999999,
     .refuse = unless_adam},
    {.section = "optimizer",
     .name = "eps",
     .place = PD_AT(optimizer.rule.eps),
     .meaning = "`adam`, `adamw` only: added to the root",
     .least = 0,
     .most = 1,
     .refuse = unless_adam},
    {.section = "optimizer",
     .name = "weight_decay",
     .place = PD_AT(optimizer.rule.weight_decay),
     .meaning = "`sgd`, `adam`: added to the gradient; `adamw`: "
                "apart",
     .most = 1e6},
  };
}

std::vector<job_key> policy_keys() {
  return {
    {.section = "optimizer",
     .name = "policy",
     .place = PD_AT(optimizer.rate.name),
     .meaning = "how the rate goes on",
     .choices = {"constant", "step", "polynomial", "exponential", "cosine"}},
    {.section = "optimizer",
     .name = "step_epochs",
     .place = PD_AT(optimizer.rate.step_epochs),
     .meaning = "`step` only: between two factors",
     .unit = "epochs",
     .least = 1e-6,
     .most = 1e6,
     .refuse = unless_step},
    {.section = "optimizer",
     .name = "gamma",
     .place = PD_AT(optimizer.rate.gamma),
     .meaning = "`step`, `exponential` only: the factor, for "
                "`exponential` of each epoch",
     .most = 1,
     .refuse = unless_factor},
    {.section = "optimizer",
     .name = "power",
     .place = PD_AT(optimizer.rate.power),
     .meaning = "`polynomial` only",
     .most = 100,
     .refuse = unless_polynomial},
    {.section = "optimizer",
     .name = "final_lr",
     .place = PD_AT(optimizer.rate.final),
     .meaning = "`polynomial`, `cosine` only: the rate at the end",
     .most = 1e6,
     .refuse = unless_final},
    {.section = "optimizer",
     .name = "warmup_epochs",
     .place = PD_AT(optimizer.rate.warmup_epochs),
     .meaning = "the rate rises linearly to its value at first",
     .unit = "epochs",
     .most = 1e6},
    {.section = "optimizer",
     .name = "scale_lr_by_replicas",
     .place = PD_AT(optimizer.scale_lr_by_replicas),
     .meaning = "a stage's rate is times its replicas over the "
                "first stage's"},
  };
}

std::vector<job_key> schedule_keys() {
  return {
    {.section = "schedule",
     .name = "name",
     .place = PD_AT(schedule.name),
     .meaning = "in what order workers run what; "
                "`model-parallel` and `pipedream` update after one "
                "microbatch a replica, the others after a round",
     .choices = schedule_names(),
     .refuse = if_generated},
    {.section = "schedule",
     .name = "microbatches",
     .place = PD_AT(schedule.microbatches),
     .meaning = "in a round; not of `model-parallel`, `pipedream`",
     .unit = "microbatches",
     .least = 1,
     .most = 1e6,
     .refuse = unless_rounds},
    {.section = "schedule",
     .name = "depth",
     .place = PD_AT(schedule.depth),
     .meaning = "in flight on a worker, by stage; `auto`: what "
                "simulation finds best",
     .unit = "microbatches",
     .least = 1,
     .most = 4096,
     .refuse = if_generated},
    {.section = "schedule",
     .name = "chunks",
     .place = PD_AT(schedule.chunks),
     .meaning = "`interleaved` only: stages that a worker holds; "
                "[[stage]] number s runs on worker s mod workers",
     .unit = "stages",
     .least = 1,
     .most = 64,
     .refuse = unless_interleaved},
    {.section = "schedule",
     .name = "vertical_sync",
     .place = PD_AT(schedule.vertical_sync),
     .meaning = "`pipedream` only: all stages use the version that "
                "the first one used",
     .refuse = unless_pipedream},
    {.section = "schedule",
     .name = "file",
     .place = PD_AT(schedule.file),
     .meaning = "a timetable to run instead; it is validated by the "
                "rules of the schedule that it names",
     .is_path = true},
  };
}

std::vector<job_key> stage_keys() {
  return {
    {.section = "stage",
     .name = "until",
     .place = [](job& j, std::size_t i) -> std::string& {
       return j.stages.at(i).until;
     },
     .meaning = "last node or block of the stage; empty: the end"},
    {.section = "stage",
     .name = "replicas",
     .place = [](job& j, std::size_t i) -> std::int64_t& {
       return j.stages.at(i).replicas;
     },
     .meaning = "copies of the stage, each on its own worker",
     .unit = "workers",
     .least = 1,
     .most = 64},
    {.section = "stage",
     .name = "recompute",
     .place = [](job& j, std::size_t i) -> bool& {
       return j.stages.at(i).recompute;
     },
     .meaning = "the backward runs the stage's forward again "
                "instead of keeping all activations"},
  };
}

std::vector<job_key> run_keys() {
  return {
    {.section = "run",
     .name = "device",
     .place = PD_AT(run.device),
     .meaning = "`auto`: the CPU in this version; `replay`: a "
                "rehearsal, whose model.file is a profile "
                "(planning.md)",
     .choices = {"auto", "cpu", "cuda", "replay"},
     .refuse = if_cuda},
    {.section = "run",
     .name = "workers",
     .place = PD_AT(run.workers),
     .meaning = "what a worker is: a thread of this process, or a "
                "process of this machine",
     .choices = {"threads", "processes", "cluster"},
     .refuse = if_cluster},
    {.section = "run",
     .name = "transport",
     .place = PD_AT(run.transport),
     .meaning = "between workers; `auto`: `local` (handles) between "
                "threads, `gloo` (TCP) between processes",
     .choices = {"auto", "local", "gloo", "nccl"},
     .refuse = unless_transport},
    {.section = "run",
     .name = "threads_per_worker",
     .place = PD_AT(run.threads_per_worker),
     .meaning = "that compute; 0: cores / workers, at least 1",
     .unit = "threads",
     .most = 1024},
    {.section = "run",
     .name = "precision",
     .place = PD_AT(run.precision),
     .meaning = "of activations and weights; master weights, "
                "statistics and loss stay f32",
     .choices = {"f32", "bf16"}},
    {.section = "run",
     .name = "bucket_bytes",
     .place = PD_AT(run.bucket_bytes),
     .meaning = "gradients that the replicas of a stage sum at "
                "once, at least, while their backward goes on; no "
                "layer is cut",
     .unit = "bytes",
     .least = 4,
     .most = job_key::most_count},
  };
}

std::vector<job_key> replay_keys() {
  return {
    {.section = "run",
     .name = "time_scale",
     .place = PD_AT(run.time_scale),
     .meaning = "`replay` only: times the profile's times",
     .least = 1e-6,
     .most = 1e6,
     .refuse = unless_replay},
    {.section = "run",
     .name = "byte_scale",
     .place = PD_AT(run.byte_scale),
     .meaning = "`replay` only: times the profile's bytes",
     .least = 1e-9,
     .most = 1e3,
     .refuse = unless_replay},
  };
}

std::vector<job_key> watch_keys() {
  return {
    {.section = "checkpoint",
     .name = "directory",
     .place = PD_AT(checkpoint.directory),
     .meaning = "where checkpoints go (checkpoint.md); empty: none "
                "are made",
     .is_path = true},
    {.section = "checkpoint",
     .name = "every",
     .place = PD_AT(checkpoint.every),
     .meaning = "between two checkpoints: rounds that are whole on "
                "every stage; one is made at the end of an epoch, "
                "too",
     .unit = "rounds",
     .least = 1,
     .most = job_key::most_count,
     .refuse = unless_checkpoints},
    {.section = "checkpoint",
     .name = "keep",
     .place = PD_AT(checkpoint.keep),
     .meaning = "how many of the newest are kept",
     .unit = "checkpoints",
     .least = 1,
     .most = 1e6,
     .refuse = unless_checkpoints},
    {.section = "inspect",
     .name = "listen",
     .place = PD_AT(inspect.listen),
     .meaning = "where inspection tools attach; empty: nowhere",
     .refuse = refuse_always},
  };
}

#undef PD_AT

} // namespace

std::vector<job_key> make_job_keys() {
  std::vector<job_key> all;
  for (auto* make :
       {source_keys, model_keys, data_keys, image_keys, augmentation_keys,
        picture_keys, train_keys, optimizer_keys, adam_keys, policy_keys,
        schedule_keys, stage_keys, run_keys, replay_keys, watch_keys})
    for (auto& each : make())
      all.push_back(std::move(each));
  return all;
}

} // namespace pd
