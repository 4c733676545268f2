#include "bench/load_loop.h"

#include <algorithm>
#include <utility>

#include "bench/pacer.h"

namespace totora::bench {
namespace {

// A slot whose request failed rests for so long: a dead server must not be
// asked as fast as its kernel can refuse.
constexpr absl::Duration kRestAfterError = absl::Milliseconds(10);

}  // namespace

LoadLoop::LoadLoop(const LoadOptions& options, Start start, const Clock* clock)
    : options_(options),
      start_(std::move(start)),
      clock_(clock),
      began_(clock->SteadyNow()),
      end_(began_ + options.duration) {
  MutexLock lock(&mu_);
  for (size_t slot = options_.outstanding; slot > 0; --slot) free_slots_.push_back(slot - 1);
  last_ended_ = began_;
  last_success_ = began_;
  next_progress_ = began_ + absl::Seconds(1);
}

bool LoadLoop::MayStart() {
  if (over_ || clock_->SteadyNow() >= end_) return false;
  if (options_.messages_max > 0 &&
      started_ * options_.messages_per_request >= options_.messages_max) {
    return false;
  }
  ++started_;
  return true;
}

void LoadLoop::StartSlot(size_t slot, absl::Duration due) {
  start_(slot, [this, slot, due](Outcome outcome) { Ended(slot, due, outcome); });
}

void LoadLoop::Ended(size_t slot, absl::Duration due, const Outcome& outcome) {
  const absl::Duration now = clock_->SteadyNow();
  bool go_on = false;
  {
    MutexLock lock(&mu_);
    last_ended_ = std::max(last_ended_, now);
    result_.messages += outcome.messages;
    result_.errors += outcome.errors;
    if (result_.first_error.empty() && !outcome.first_error.ok()) {
      result_.first_error = outcome.first_error.ToString();
    }
    if (outcome.messages > 0) {
      const int64_t nanos = absl::ToInt64Nanoseconds(now - due);
      result_.latency.Record(static_cast<uint64_t>(std::max<int64_t>(nanos, 0)));
      result_.longest_gap = std::max(result_.longest_gap, now - last_success_);
      last_success_ = std::max(last_success_, now);
    }
    over_ = over_ || outcome.is_last;
    // Only success goes on from here: errors may come from inside of start_,
    // and would recurse.
    go_on = options_.rate == 0 && outcome.errors == 0 && MayStart();
    if (!go_on) {
      --in_flight_;
      free_slots_.push_back(slot);
      changed_.SignalAll();
    }
  }
  if (go_on) StartSlot(slot, now);
}

void LoadLoop::ShowProgress() {
  const absl::Duration now = clock_->SteadyNow();
  if (!options_.progress || now < next_progress_) return;
  next_progress_ = now + absl::Seconds(1);
  options_.progress(now - began_, result_.messages);
}

void LoadLoop::RunClosed() {
  while (true) {
    std::vector<size_t> slots;
    {
      MutexLock lock(&mu_);
      while (!free_slots_.empty() && MayStart()) {
        slots.push_back(free_slots_.back());
        free_slots_.pop_back();
        ++in_flight_;
      }
      if (slots.empty() && in_flight_ == 0) return;
      if (slots.empty()) changed_.WaitFor(&mu_, absl::Milliseconds(100));
      ShowProgress();
    }
    for (const size_t slot : slots) StartSlot(slot, clock_->SteadyNow());
    if (slots.empty()) continue;
    // From here on slots only come back after errors or at the end.
    MutexLock lock(&mu_);
    changed_.WaitFor(&mu_, kRestAfterError);
  }
}

void LoadLoop::RunOpen() {
  Pacer pacer(began_, options_.rate / static_cast<double>(options_.messages_per_request));
  while (true) {
    size_t slot = 0;
    {
      MutexLock lock(&mu_);
      while (true) {
        ShowProgress();
        const absl::Duration wait = pacer.due() - clock_->SteadyNow();
        if (wait <= absl::ZeroDuration() && !free_slots_.empty()) break;
        // What is due counts, even if its slot comes free after the end.
        if (over_ || (pacer.due() >= end_)) break;
        changed_.WaitFor(&mu_, wait > absl::ZeroDuration() ? std::min(wait, absl::Seconds(1))
                                                           : absl::Seconds(1));
      }
      const bool enough = options_.messages_max > 0 &&
                          started_ * options_.messages_per_request >= options_.messages_max;
      if (over_ || pacer.due() >= end_ || enough) break;
      slot = free_slots_.back();
      free_slots_.pop_back();
      ++in_flight_;
      ++started_;
    }
    StartSlot(slot, pacer.Take());
  }
  MutexLock lock(&mu_);
  while (in_flight_ > 0) {
    changed_.WaitFor(&mu_, absl::Milliseconds(100));
    ShowProgress();
  }
}

void LoadLoop::Run(Report* report) {
  if (options_.rate > 0) {
    RunOpen();
  } else {
    RunClosed();
  }
  MutexLock lock(&mu_);
  report->elapsed = last_ended_ - began_;
  report->messages = result_.messages;
  report->errors = result_.errors;
  report->first_error = result_.first_error;
  report->latency = result_.latency;
  report->longest_gap = result_.longest_gap;
  report->is_open_loop = options_.rate > 0;
}

}  // namespace totora::bench
