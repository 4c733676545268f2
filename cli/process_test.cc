#include "cli/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace totora::cli {
namespace {

class DetachedProcess : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "processXXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override {
    (void)SendSignal(process_, SIGKILL);
    EXPECT_TRUE(WaitUntilGone(process_, absl::Seconds(30)));
    std::filesystem::remove_all(directory_);
  }
  void StartShell(const std::string& script) {
    const auto process = StartDetached({"/bin/sh", "-c", script}, directory_ + "/out");
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *process;
  }

  std::string directory_;
  ProcessId process_;
};

TEST_F(DetachedProcess, RunsInASessionOfItsOwnAndIsNobodysChild) {
  StartShell("exec sleep 1000");

  EXPECT_EQ(StateOf(process_), ProcessState::kRunning);
  EXPECT_NE(getsid(process_.pid), getsid(0));
  EXPECT_EQ(waitpid(process_.pid, nullptr, WNOHANG), -1);
}

TEST_F(DetachedProcess, IsPausedResumedAndKilled) {
  StartShell("exec sleep 1000");

  ASSERT_TRUE(SendSignal(process_, SIGSTOP).ok());
  while (StateOf(process_) == ProcessState::kRunning) {
  }
  EXPECT_EQ(StateOf(process_), ProcessState::kPaused);
  ASSERT_TRUE(SendSignal(process_, SIGCONT).ok());
  while (StateOf(process_) == ProcessState::kPaused) {
  }
  ASSERT_TRUE(SendSignal(process_, SIGKILL).ok());

  EXPECT_TRUE(WaitUntilGone(process_, absl::Seconds(30)));
  EXPECT_TRUE(absl::IsNotFound(SendSignal(process_, SIGTERM)));
}

TEST_F(DetachedProcess, WhatItPrintsGoesToItsFile) {
  StartShell("echo out; echo err >&2");
  ASSERT_TRUE(WaitUntilGone(process_, absl::Seconds(30)));

  std::ifstream file(directory_ + "/out");
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()),
            "out\nerr\n");
}

// After a reboot a pid in cluster.json may belong to anybody.
TEST_F(DetachedProcess, AStrangerWithTheSamePidIsNotTheProcess) {
  const ProcessId stranger = {.pid = getpid(), .start_ticks = 1};

  EXPECT_EQ(StateOf(stranger), ProcessState::kGone);
  EXPECT_TRUE(absl::IsNotFound(SendSignal(stranger, SIGTERM)));
}

TEST_F(DetachedProcess, AMissingProgramIsNamed) {
  const auto process = StartDetached({"/nonexistent/program"}, directory_ + "/out");

  ASSERT_TRUE(absl::IsNotFound(process.status())) << process.status();
  EXPECT_NE(process.status().message().find("/nonexistent/program"), absl::string_view::npos);
}

TEST(ParseSignal, TakesNamesAndNumbers) {
  EXPECT_EQ(*ParseSignal("KILL"), SIGKILL);
  EXPECT_EQ(*ParseSignal("sigterm"), SIGTERM);
  EXPECT_EQ(*ParseSignal("9"), 9);
  EXPECT_FALSE(ParseSignal("0").ok());
  EXPECT_FALSE(ParseSignal("HUGE").ok());
  EXPECT_FALSE(ParseSignal("-9").ok());
}

}  // namespace
}  // namespace totora::cli
