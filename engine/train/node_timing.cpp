#include "engine/train/node_timing.hpp"

#include "engine/base/random.hpp"
#include "engine/graph/fuse.hpp"
#include "engine/planner/running_nodes.hpp"
#include "engine/program/optimizer.hpp"
#include "engine/program/stage_program.hpp"
#include "engine/train/worker_plan.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

using clock = std::chrono::steady_clock;

double us_since(clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(clock::now() - begin)
    .count();
}

/// The median, and half of what the middle half spans.
measured_time summary_of(std::vector<double> all) {
  std::ranges::sort(all);
  const auto quantile = [&](double share) {
    const auto last = static_cast<double>(all.size() - 1);
    return all[at(std::lround(share * last))];
  };
  return {quantile(0.5), (quantile(0.75) - quantile(0.25)) / 2};
}

// -- a device that keeps the time of its work
// ----------------------------------

/// How long each piece of work took, while it is on.
struct work_log {
  bool is_on = false;
  std::vector<double> us;
};

class timed_stream final : public stream {
public:
  timed_stream(std::unique_ptr<stream> real, work_log& log)
    : real_{std::move(real)}, log_{log} {}

  void run(const std::function<void()>& work) override {
    if (!log_.is_on)
      return real_->run(work);
    const auto begin = clock::now();
    real_->run(work);
    real_->synchronize();
    log_.us.push_back(us_since(begin));
  }
  [[nodiscard]] event record() override { return real_->record(); }
  void wait(const event& point) override { real_->wait(point); }

private:
  std::unique_ptr<stream> real_;
  work_log& log_;
};

class timed_device final : public device {
public:
  timed_device(std::unique_ptr<device> real, work_log& log)
    : real_{std::move(real)}, log_{log} {}

  [[nodiscard]] device_kind kind() const override { return real_->kind(); }
  [[nodiscard]] std::string describe() const override {
    return real_->describe();
  }
  [[nodiscard]] layout activation_layout(dtype precision) const override {
    return real_->activation_layout(precision);
  }
  [[nodiscard]] std::unique_ptr<stream> make_stream() override {
    return std::make_unique<timed_stream>(real_->make_stream(), log_);
  }
  [[nodiscard]] pool& memory() override { return real_->memory(); }

private:
  std::unique_ptr<device> real_;
  work_log& log_;
};

// -- a step
// --------------------------------------------------------------------

/// The whole network as one stage, with a batch that does not change.
class timed_program {
public:
  static result<timed_program> make(const deployment& all, const graph& net,
                                    const registry& ops, device& on) {
    timed_program made;
    PD_TRY(const auto precision, parse_dtype(all.what.run.precision));
    PD_TRY(auto typed, infer(net, ops, all.what.data.microbatch));
    PD_TRY(auto plan,
           plan_stage(typed, ops, on,
                      {.precision = precision,
                       .seed = static_cast<std::uint64_t>(all.what.seed)}));
    PD_TRY(made.program_, stage_program::make(std::move(plan), on));
    optimizer_options how{
      all.what.optimizer.rule, {}, all.what.train.clip_norm};
    how.rate.base = 0; // so no value runs away
    PD_TRY(made.updates_, optimizer::make(how, *made.program_, ops, on));
    PD_CHECK(made.fill(all.what, on));
    return made;
  }

  void step() {
    const auto microbatch = steps_++;
    program_->forward(microbatch, inputs_, run_mode::training);
    program_->backward(microbatch, false);
    updates_->step(1.0);
    program_->work().synchronize();
  }

  [[nodiscard]] const stage_plan& plan() const { return program_->plan(); }

private:
  result<void> fill(const job& what, device& on) {
    for (const auto& each : plan().values)
      if (each.is_external) {
        PD_TRY(auto memory, on.memory().allocate(each.type.bytes()));
        inputs_.push_back({std::move(memory), 0, each.type, {}});
        fill(inputs_.back(), what);
      }
    return {};
  }

  static void fill(tensor& values, const job& what) {
    const auto key =
      make_random_key(static_cast<std::uint64_t>(what.seed), "profile");
    for (std::int64_t i = 0; i < values.type.elems(); ++i)
      if (values.type.type == dtype::i32)
        values.data<std::int32_t>()[i] =
          static_cast<std::int32_t>(i % what.model.classes);
      else
        values.data<float>()[i] = normal(key, static_cast<std::uint64_t>(i));
  }

  std::unique_ptr<stage_program> program_;
  std::unique_ptr<optimizer> updates_;
  std::vector<tensor> inputs_;
  std::int64_t steps_ = 0;
};

// -- from pieces of work to nodes
// ----------------------------------------------

/// The times of one piece of work, a step each.
using samples = std::vector<double>;

/// What a step's work is for: the order in which stage_program queues it.
struct node_samples {
  samples forward, backward_input, backward_weight;
};

class sample_book {
public:
  explicit sample_book(const stage_plan& plan)
    : plan_{plan}, nodes_(plan.nodes.size()) {}

  void add(const std::vector<double>& us) {
    auto next = us.begin();
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (plan_.nodes[i].run != nullptr)
        nodes_[i].forward.push_back(*next++);
    for (auto i = nodes_.size(); i-- > 0;)
      if (plan_.nodes[i].has_backward)
        add_backward(i, next);
    update_.push_back(*next++);
    PD_ASSERT(next == us.end());
  }

  [[nodiscard]] const node_samples& of(std::size_t node) const {
    return nodes_[node];
  }
  [[nodiscard]] const samples& update() const { return update_; }

private:
  /// What sums up gradients counts as the node's own.
  void add_backward(std::size_t i, std::vector<double>::const_iterator& next) {
    double input = *next++;
    for (std::size_t k = 0; k < plan_.nodes[i].sums.size(); ++k)
      input += *next++;
    nodes_[i].backward_input.push_back(input);
    if (!plan_.nodes[i].parameters.empty())
      nodes_[i].backward_weight.push_back(*next++);
  }

  const stage_plan& plan_;
  std::vector<node_samples> nodes_;
  samples update_;
};

measured_time time_of(const samples& all) {
  return all.empty() ? measured_time{} : summary_of(all);
}

measured_time share_of(measured_time of, double share) {
  return {of.us * share, of.spread_us * share};
}

/// Makes the profile's nodes of the plan's. Both have an index for each node of
/// the network as it runs.
class profile_maker {
public:
  profile_maker(const std::vector<running_node>& running,
                const stage_plan& plan, const sample_book& book)
    : running_{running}, plan_{plan}, book_{book}, index_(running.size(), -1) {
    PD_ASSERT_EQ(running.size(), plan.nodes.size());
  }

  std::vector<profiled_node> make() {
    for (std::size_t i = 0; i < running_.size(); ++i)
      if (!running_[i].until.empty() && !running_[i].is_from_loader)
        add(i);
    for (std::size_t i = 0; i < running_.size(); ++i)
      if (index_[i] < 0 && !running_[i].is_from_loader)
        give_to_taker(i);
    return std::move(made_);
  }

private:
  void add(std::size_t i) {
    index_[i] = static_cast<int>(made_.size());
    auto& node = made_.emplace_back();
    node.name = running_[i].until;
    node.description = running_[i].op;
    for (const int input : running_[i].inputs)
      if (index_[at(input)] >= 0)
        node.inputs.push_back(index_[at(input)]);
    node.forward = time_of(book_.of(i).forward);
    node.backward_input = time_of(book_.of(i).backward_input);
    node.backward_weight = time_of(book_.of(i).backward_weight);
    node.activation_bytes = {static_cast<double>(plan_.values[i].type.bytes())};
    node.parameter_bytes = parameter_bytes(i);
    node.stash_bytes = stash_bytes(i);
    if (plan_.trainable_elems > 0)
      node.update = share_of(
        time_of(book_.update()),
        node.parameter_bytes / static_cast<double>(4 * plan_.trainable_elems));
  }

  [[nodiscard]] double parameter_bytes(std::size_t i) const {
    double sum = 0;
    for (const int each : plan_.nodes[i].parameters)
      if (const auto& which = plan_.parameters[at(each)];
          which.rule.is_trainable)
        sum += 4 * static_cast<double>(which.storage.elems);
    return sum;
  }

  /// Its value, if a backward reads it, and its workspace.
  [[nodiscard]] double stash_bytes(std::size_t i) const {
    const auto& own = plan_.nodes[i];
    bool is_kept = own.has_backward && own.needs.stashes_output;
    for (const auto& taker : plan_.nodes)
      is_kept |= taker.has_backward && taker.needs.stashes_input
                 && std::ranges::count(taker.inputs, static_cast<int>(i)) > 0;
    return static_cast<double>(
      own.needs.workspace_bytes
      + (is_kept ? plan_.values[i].type.bytes() : std::int64_t{0}));
  }

  /// A reorder of what the loader brings is done where it is first taken.
  void give_to_taker(std::size_t i) {
    for (std::size_t taker = i + 1; taker < running_.size(); ++taker)
      if (index_[taker] >= 0
          && std::ranges::count(running_[taker].inputs, static_cast<int>(i))
               > 0) {
        auto& node = made_[at(index_[taker])];
        const auto extra = time_of(book_.of(i).forward);
        node.forward.us += extra.us;
        node.forward.spread_us += extra.spread_us;
        node.stash_bytes += stash_bytes(i);
        return;
      }
  }

  const std::vector<running_node>& running_;
  const stage_plan& plan_;
  const sample_book& book_;
  std::vector<int> index_; ///< in made_; -1: not there
  std::vector<profiled_node> made_;
};

/// Steps of both kinds by turns.
samples time_steps(timed_program& program, work_log& log, sample_book& book,
                   const timing_options& options) {
  samples whole;
  const int all = options.warmups + options.repeats;
  for (int i = 0; i < all; ++i) {
    if (options.on_step)
      options.on_step(i, all);
    const auto begin = clock::now();
    program.step();
    const auto us = us_since(begin);
    log.us.clear();
    log.is_on = true;
    program.step();
    log.is_on = false;
    if (i < options.warmups)
      continue;
    whole.push_back(us);
    book.add(log.us);
  }
  return whole;
}

} // namespace

result<timed_network> time_network(const job& from, const registry& ops,
                                   const timing_options& options) {
  PD_ASSERT(options.repeats > 0);
  PD_TRY(const auto all, deploy(from, {}, ops));
  PD_TRY(const auto net, build_graph(from, ops));
  work_log log;
  PD_TRY(auto real,
         open_device(from.run.device, {.threads = threads_of_worker(all)}));
  timed_device on{std::move(real), log};
  PD_TRY(auto program,
         timed_program::make(all, fuse(place_inputs(net)).net, ops, on));
  sample_book book{program.plan()};
  timed_network made;
  made.step = summary_of(time_steps(program, log, book, options));
  made.nodes = {net.name, on.describe(), from.data.microbatch, {}};
  made.nodes.nodes =
    profile_maker{running_nodes(net), program.plan(), book}.make();
  return made;
}

} // namespace pd
