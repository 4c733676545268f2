// Power cuts, failed syncs, full disks and rot at every step, against a model:
// what was synced is there, what is there was written, and what recovery has
// shown stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "raft/log/log_test_support.h"

namespace totora::raft {
namespace {

// A replica's disk and log, and the model of what must and may be in it.
class Machine {
 public:
  explicit Machine(uint64_t seed, bool prepares_segments)
      : fs_(std::make_unique<MemoryFileSystem>(seed)), random_(seed) {
    options_ = SmallLog();
    options_.prepare_segments = prepares_segments;
    options_.tail_cache_bytes = 3000;
  }

  MemoryFileSystem* fs() { return fs_.get(); }
  bool is_open() const { return log_ != nullptr; }
  size_t written() const { return written_.size(); }
  uint64_t Random(uint64_t below) { return random_() % below; }
  void RunBackground(int tasks) {
    for (int i = 0; i < tasks && !background_.empty(); ++i) background_.RunOne();
  }

  // Opens the log and checks it against the model; false if the disk refused.
  bool Open() {
    log_.reset();
    absl::StatusOr<RecoveredLog> opened = OpenLog(fs_.get(), &background_, options_);
    if (!opened.ok()) {
      last_error_ = opened.status();
      return false;
    }
    log_ = std::move(opened->log);
    Compare(*opened);
    return true;
  }

  // Each step: false once something failed, and the log is closed then.
  bool Append(const std::vector<FrameSpec>& specs) {
    std::vector<Frame> frames;
    FrameHeader previous = log_->last();
    for (const FrameSpec& spec : specs) {
      frames.push_back(NextFrame(previous, spec));
      previous = frames.back().header;
    }
    // Also when it fails, any first part of them may be on disk.
    std::vector<Frame> attempt = written_;
    attempt.insert(attempt.end(), frames.begin(), frames.end());
    const absl::Status status = log_->Append(frames);
    if (absl::IsResourceExhausted(status)) {
      EXPECT_EQ(log_->last().index.value(), written_.size());
      if (attempt.size() > written_.size()) leftover_ = std::move(attempt);
      return true;
    }
    written_ = std::move(attempt);
    if (!status.ok()) return Fail(status);
    leftover_.clear();
    if (!has_open_group_) group_begin_ = written_.size() - frames.size();
    has_open_group_ = true;
    return true;
  }
  bool Sync() {
    const absl::Status status = log_->Sync();
    if (!status.ok()) return Fail(status);
    synced_ = written_.size();
    has_open_group_ = false;
    return true;
  }
  bool Truncate(size_t last_kept) {
    truncating_to_ = last_kept;
    const absl::Status status = log_->TruncateAfter(LogIndex(last_kept));
    if (!status.ok()) return Fail(status);
    if (last_kept < written_.size()) {
      synced_ = last_kept;
      written_.resize(last_kept);
      leftover_.clear();
      group_begin_ = std::min(group_begin_, last_kept);
      has_open_group_ = false;
      marked_ = last_kept;
    }
    truncating_to_.reset();
    return true;
  }
  bool Mark() {
    const absl::Status status = log_->WriteClosingMark();
    if (!status.ok()) return Fail(status);
    marked_ = synced_;
    return true;
  }

  void Crash(uint64_t seed) {
    log_.reset();
    fs_->Crash(seed);
    background_.RunAll();  // They find their log gone.
  }

  // Cuts the power again while the log recovers, a few times, then recovers.
  void Recover(uint64_t seed) {
    std::mt19937_64 random(seed);
    for (uint64_t cuts = random() % 4; cuts > 0; --cuts) {
      fs_->PowerOffAfter(random() % 16);
      const bool opened = Open();
      Crash(random());
      if (opened) continue;
    }
    ASSERT_TRUE(Open()) << last_error_;
  }

  // Flips a byte somewhere: refused, or not a byte of what is proven is wrong.
  void CheckRot() {
    if (written_.empty() || has_open_group_ || !leftover_.empty()) return;
    log_.reset();
    const std::unique_ptr<MemoryFileSystem> sound = fs_->Clone();
    const std::vector<std::string> names = *fs_->List(options_.directory);
    const std::string path = absl::StrCat(options_.directory, "/", names[Random(names.size())]);
    const uint64_t size = *(*fs_->Open(path, OpenMode::kRead))->Size();
    const uint64_t offset = Random(std::max<uint64_t>(size, 1));
    if (size > 0) {
      SCOPED_TRACE(absl::StrCat("flip ", path, " ", offset));
      fs_->FlipByte(path, offset, static_cast<uint8_t>(1 + Random(255)));
      const size_t proven = std::max(group_begin_, marked_);
      absl::StatusOr<RecoveredLog> opened = OpenLog(fs_.get(), &background_, options_);
      if (opened.ok()) {
        const size_t count = opened->last_index.value();
        EXPECT_GE(count, proven);
        EXPECT_LE(count, written_.size());
        CompareFrames(*opened->log, written_);
      } else {
        EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << opened.status();
      }
    }
    background_.RunAll();
    fs_ = sound->Clone();
    ASSERT_TRUE(Open()) << last_error_;
  }

  FrameSpec RandomSpec() {
    term_ += Random(10) == 0;
    const uint64_t kind = Random(12);
    const size_t size = kind == 0 ? 0 : kind == 1 ? Random(9000) : Random(700);
    return {term_, std::string(size, static_cast<char>('a' + Random(26))), Random(8) == 0};
  }

  // The log is as the model says while it is open.
  void CompareOpen() { CompareFrames(*log_, written_); }

 private:
  bool Fail(const absl::Status& status) {
    last_error_ = status;
    log_.reset();
    return false;
  }

  // What was recovered must be a possible outcome; from here on it is the truth.
  void Compare(const RecoveredLog& opened) {
    const size_t count = opened.last_index.value();
    // Frames of a failed Append may have reached the disk: nobody was told of them.
    const std::vector<Frame>& candidates =
        leftover_.size() >= count && count > written_.size() ? leftover_ : written_;
    ASSERT_LE(count, candidates.size());
    const bool is_truncated = truncating_to_ && count == *truncating_to_;
    if (!is_truncated) {
      ASSERT_GE(count, synced_) << "a synced frame is gone";
    }
    std::vector<Frame> found(candidates.begin(),
                             candidates.begin() + static_cast<ptrdiff_t>(count));
    CompareFrames(*log_, found);
    CompareTerms(opened, found);
    written_ = std::move(found);
    synced_ = count;
    leftover_.clear();
    has_open_group_ = false;
    group_begin_ = std::min(group_begin_, count);
    marked_ = count;  // Recovery marks what it has made durable.
    truncating_to_.reset();
  }

  static void CompareTerms(const RecoveredLog& opened, const std::vector<Frame>& frames) {
    std::vector<TermStart> terms;
    for (const Frame& frame : frames) {
      if (terms.empty() || terms.back().term != frame.header.term) {
        terms.push_back({frame.header.term, frame.header.index});
      }
    }
    EXPECT_EQ(opened.terms, terms);
  }

  static void CompareFrames(const LogStore& log, const std::vector<Frame>& expected) {
    const size_t count = log.last().index.value();
    ASSERT_LE(count, expected.size());
    if (count == 0) return;
    const absl::StatusOr<std::vector<Frame>> frames =
        log.ReadFrames(LogIndex(1), LogIndex(count), ~uint64_t{0});
    ASSERT_TRUE(frames.ok()) << frames.status();
    ASSERT_EQ(frames->size(), count);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(SameFrame((*frames)[i], expected[i])) << i + 1;
    }
    EXPECT_EQ(log.last(), expected[count - 1].header);
  }

  std::unique_ptr<MemoryFileSystem> fs_;
  QueueExecutor background_;
  LogOptions options_;
  std::unique_ptr<LogStore> log_;
  std::mt19937_64 random_;
  absl::Status last_error_;
  uint64_t term_ = 1;

  std::vector<Frame> written_;   // Appended, in memory or on disk.
  std::vector<Frame> leftover_;  // And what a refused Append tried to write.
  size_t synced_ = 0;            // Of `written_`, durable.
  size_t group_begin_ = 0;       // Frames before the last sync group.
  size_t marked_ = 0;            // Frames that the closing mark covers.
  bool has_open_group_ = false;
  std::optional<size_t> truncating_to_;
};

// Append, roll, truncate over a border, write anew, mark.
void Play(Machine* machine) {
  const std::string large(1300, 'x');
  if (!machine->Open()) return;
  const bool done =
      machine->Append({{1, "a"}, {1, large}}) && machine->Sync() && machine->Append({{1, "b"}}) &&
      machine->Append({{1, large, true}, {1, "c"}}) && machine->Sync() && machine->Mark() &&
      machine->Append({{2, "d"}, {2, large, true}}) && machine->Sync() && machine->Truncate(3) &&
      machine->Append({{3, large}, {3, "e", true}}) && machine->Sync() && machine->Truncate(4) &&
      machine->Append({{4, "f"}}) && machine->Sync() && machine->Mark();
  if (done) machine->CompareOpen();
}

TEST(LogCrash, APowerCutAtAnyStepKeepsWhatWasSynced) {
  for (bool prepares : {false, true}) {
    uint64_t steps = 0;
    {
      Machine machine(1, prepares);
      Play(&machine);
      steps = machine.fs()->steps();
    }
    ASSERT_GT(steps, 50u);
    for (uint64_t step = 0; step <= steps; ++step) {
      for (uint64_t seed = 0; seed < 16; ++seed) {
        SCOPED_TRACE(absl::StrCat("prepares ", prepares, " step ", step, " seed ", seed));
        Machine machine(seed, prepares);
        machine.fs()->PowerOffAfter(step);
        Play(&machine);
        machine.Crash(seed);
        machine.Recover(seed);
        if (testing::Test::HasFatalFailure()) return;
        // And what was shown is still there after one more power cut.
        machine.Crash(seed + 1);
        machine.Recover(0);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(LogCrash, AFailedSyncAtAnyPlaceKeepsWhatWasSynced) {
  for (uint64_t nth = 1; nth < 60; ++nth) {
    for (uint64_t seed = 0; seed < 16; ++seed) {
      SCOPED_TRACE(absl::StrCat("sync ", nth, " seed ", seed));
      Machine machine(seed, false);
      machine.fs()->FailSync(nth);
      Play(&machine);
      machine.fs()->FailSync(0);
      // The process starts again on the same page cache, then the power goes.
      machine.Recover(seed);
      if (testing::Test::HasFatalFailure()) return;
      machine.Crash(seed);
      machine.Recover(seed + 1);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

void PlayRandomly(uint64_t seed, int steps) {
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  Machine machine(seed, seed % 2 == 0);
  machine.Recover(0);
  for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
    machine.RunBackground(static_cast<int>(machine.Random(3)));
    if (machine.Random(40) == 0) machine.fs()->PowerOffAfter(machine.Random(20));
    if (machine.Random(60) == 0) machine.fs()->FailSync(1 + machine.Random(4));
    if (machine.Random(30) == 0) {
      const uint64_t used = (uint64_t{1} << 50) - *machine.fs()->FreeBytes("/");
      machine.fs()->SetCapacity(used + machine.Random(3000));
    }
    bool goes_on = true;
    const uint64_t choice = machine.Random(100);
    if (choice < 50) {
      std::vector<FrameSpec> specs;
      for (uint64_t n = 1 + machine.Random(4); n > 0; --n) specs.push_back(machine.RandomSpec());
      goes_on = machine.Append(specs);
    } else if (choice < 80) {
      goes_on = machine.Sync();
    } else if (choice < 86) {
      const uint64_t back = machine.Random(6);
      goes_on = machine.Truncate(machine.written() - std::min(back, machine.written()));
    } else if (choice < 93) {
      goes_on = machine.Mark();
    } else if (choice < 97) {
      machine.CompareOpen();
    } else {
      goes_on = false;
    }
    machine.fs()->SetCapacity(uint64_t{1} << 50);
    if (!goes_on) {
      if (machine.Random(3) != 0) {
        machine.Crash(machine.Random(1000000));
        machine.Recover(machine.Random(1000000));
      } else {
        machine.fs()->FailSync(0);
        machine.fs()->PowerOffAfter(uint64_t{1} << 40);
        // Only the process ended: the page cache is still there.
        ASSERT_TRUE(machine.Open());
      }
    } else if (machine.Random(25) == 0) {
      machine.fs()->FailSync(0);
      machine.fs()->PowerOffAfter(uint64_t{1} << 40);
      machine.CheckRot();
    }
  }
}

TEST(LogCrash, RandomLivesMatchTheModel) {
  const char* const given = getenv("TOTORA_SEED");
  if (given != nullptr) return PlayRandomly(strtoull(given, nullptr, 10), 400);
  const char* const count = getenv("TOTORA_SEEDS");
  const uint64_t seeds = count != nullptr ? strtoull(count, nullptr, 10) : 40;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    PlayRandomly(seed, 400);
    if (testing::Test::HasFailure()) {
      FAIL() << "repeat with TOTORA_SEED=" << seed;
    }
  }
}

}  // namespace
}  // namespace totora::raft
