#include "raft/log/spare_segment.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "common/memory_file_system.h"

namespace totora::raft {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// Runs tasks one by one, and remembers how long each was put off. Its clock
// moves only when the test says so.
class RecordingExecutor : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back({absl::ZeroDuration(), std::move(task)}); }
  void PostAfter(absl::Duration delay, Task task) override {
    tasks_.push_back({delay, std::move(task)});
  }
  const Clock& clock() const override { return clock_; }

  void Pass(absl::Duration time) { clock_.steady += time; }
  // How long the task waited that ran. REQUIRES: there is one.
  absl::Duration RunOne() {
    auto [delay, task] = std::move(tasks_.front());
    tasks_.pop_front();
    clock_.steady += delay;
    task();
    return delay;
  }
  bool empty() const { return tasks_.empty(); }

 private:
  struct ManualClock : public Clock {
    absl::Time WallNow() const override { return absl::UnixEpoch() + steady; }
    absl::Duration SteadyNow() const override { return steady; }
    absl::Duration steady = absl::Seconds(1);
  };
  ManualClock clock_;
  std::deque<std::pair<absl::Duration, Task>> tasks_;
};

class SpareSegmentTest : public testing::Test {
 protected:
  SpareSegmentTest() {
    EXPECT_TRUE(fs_.CreateDirectory("/log").ok());
    spare_ = std::make_shared<SpareSegment>(&fs_, &background_, "/log", 8 * kMiB);
    fs_.SetHook([this](const MemoryFileSystem::Step& step) {
      if (step.kind == MemoryFileSystem::Step::Kind::kSync) background_.Pass(sync_takes_);
      return absl::OkStatus();
    });
  }
  ~SpareSegmentTest() override { spare_->Stop(); }

  MemoryFileSystem fs_;
  RecordingExecutor background_;
  std::shared_ptr<SpareSegment> spare_;
  absl::Duration sync_takes_ = absl::Milliseconds(20);
};

// Somebody waits for the syncs of the log, nobody for those of the spare.
TEST_F(SpareSegmentTest, LeavesTheDiskToOthersMostOfTheTime) {
  spare_->Request();
  const absl::Duration began = background_.clock().SteadyNow();
  absl::Duration paused;
  while (!background_.empty()) paused += background_.RunOne();

  ASSERT_NE(spare_->Take(), nullptr);
  const absl::Duration took = background_.clock().SteadyNow() - began;
  EXPECT_GE(paused, took * 0.6);
  EXPECT_LE(took, 8 * 4 * sync_takes_) << "and is done some time";
}

TEST_F(SpareSegmentTest, HurriesWhenItsTimeComesNear) {
  spare_->Request();
  background_.RunOne();
  background_.RunOne();
  spare_->SegmentHolds(6 * kMiB);

  absl::Duration paused = background_.RunOne();  // Was put off before.
  EXPECT_GT(paused, absl::ZeroDuration());
  while (!background_.empty()) EXPECT_EQ(background_.RunOne(), absl::ZeroDuration());

  EXPECT_NE(spare_->Take(), nullptr);
}

TEST_F(SpareSegmentTest, AStallOfTheDiskDoesNotPutItOffForEver) {
  sync_takes_ = absl::Minutes(1);
  spare_->Request();

  while (!background_.empty()) EXPECT_LE(background_.RunOne(), absl::Seconds(1));
}

}  // namespace
}  // namespace totora::raft
