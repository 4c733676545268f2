#include "common/memory_file_system.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"

namespace totora {
namespace {

std::string Content(FileSystem* fs, const std::string& path) {
  const absl::StatusOr<std::string> content = ReadWholeFile(fs, path);
  return content.ok() ? *content : std::string(content.status().message());
}

std::unique_ptr<File> Create(FileSystem* fs, const std::string& path) {
  return std::move(*fs->Open(path, OpenMode::kCreate));
}

// A file with synced content and name.
void PutSynced(MemoryFileSystem* fs, const std::string& path, const std::string& content) {
  const std::unique_ptr<File> file = Create(fs, path);
  ASSERT_TRUE(file->WriteAt(0, {content}).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(fs->SyncDirectory("/").ok());
}

TEST(MemoryFileSystem, ReadersSeeWhatWasNotSynced) {
  MemoryFileSystem fs;
  const std::unique_ptr<File> file = Create(&fs, "/a");

  ASSERT_TRUE(file->WriteAt(3, {"de", "f"}).ok());

  EXPECT_EQ(Content(&fs, "/a"), std::string("\0\0\0def", 6));
}

TEST(MemoryFileSystem, WhatWasSyncedSurvivesEveryPowerCut) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryFileSystem fs;
    PutSynced(&fs, "/a", "kept");
    fs.Crash(seed);
    EXPECT_EQ(Content(&fs, "/a"), "kept");
  }
}

TEST(MemoryFileSystem, OfUnsyncedSectorsAnySubsetSurvives) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem fs;
    PutSynced(&fs, "/a", std::string(1024, 'o'));
    ASSERT_TRUE(Create(&fs, "/a")->WriteAt(0, {std::string(1024, 'n')}).ok());
    fs.Crash(seed);
    const std::string content = Content(&fs, "/a");
    outcomes.insert({content[0], content[511], content[512], content[1023]});
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"oooo", "oonn", "nnoo", "nnnn"}));
}

TEST(MemoryFileSystem, AnIntermediateVersionOfASectorMaySurvive) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem fs;
    PutSynced(&fs, "/a", "1");
    const std::unique_ptr<File> file = Create(&fs, "/a");
    ASSERT_TRUE(file->WriteAt(0, {"2"}).ok());
    ASSERT_TRUE(file->WriteAt(0, {"3"}).ok());
    fs.Crash(seed);
    outcomes.insert(Content(&fs, "/a"));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"1", "2", "3"}));
}

TEST(MemoryFileSystem, ANameThatWasNotSyncedMayBeLost) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem fs;
    PutSynced(&fs, "/old", "x");
    ASSERT_TRUE(fs.Rename("/old", "/new").ok());
    fs.Crash(seed);
    outcomes.insert(absl::StrCat(fs.Exists("/old"), fs.Exists("/new")));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"10", "01"}));
}

TEST(MemoryFileSystem, ADirectoryThatWasNotSyncedTakesItsFilesAlong) {
  std::set<bool> outcomes;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem fs;
    ASSERT_TRUE(fs.CreateDirectory("/d/e").ok());
    const std::unique_ptr<File> file = Create(&fs, "/d/e/f");
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs.SyncDirectory("/d/e").ok());
    ASSERT_TRUE(fs.SyncDirectory("/d").ok());
    fs.Crash(seed);
    EXPECT_EQ(fs.Exists("/d/e/f"), fs.Exists("/d"));
    outcomes.insert(fs.Exists("/d/e/f"));
  }
  EXPECT_EQ(outcomes.size(), 2u);
}

// The page cache shows the bytes, a later sync says OK, and still they are gone.
TEST(MemoryFileSystem, AFailedSyncLosesBytesThatStayReadable) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryFileSystem fs(seed);
    PutSynced(&fs, "/a", "old");
    const std::unique_ptr<File> file = Create(&fs, "/a");
    ASSERT_TRUE(file->WriteAt(0, {"new"}).ok());
    fs.FailSync(1);

    EXPECT_FALSE(file->Sync().ok());
    EXPECT_EQ(Content(&fs, "/a"), "new");
    EXPECT_TRUE(file->Sync().ok());
    fs.Crash(seed);

    lost += Content(&fs, "/a") == "old";
  }
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 40);
}

TEST(MemoryFileSystem, WritingAgainSavesWhatAFailedSyncLost) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryFileSystem fs(seed);
    PutSynced(&fs, "/a", "old");
    const std::unique_ptr<File> file = Create(&fs, "/a");
    ASSERT_TRUE(file->WriteAt(0, {"new"}).ok());
    fs.FailSync(1);
    EXPECT_FALSE(file->Sync().ok());

    ASSERT_TRUE(file->WriteAt(0, {"new"}).ok());
    ASSERT_TRUE(file->Sync().ok());
    fs.Crash(seed);

    EXPECT_EQ(Content(&fs, "/a"), "new");
  }
}

TEST(MemoryFileSystem, AFullDiskTakesAPartAndRewritesInPlace) {
  MemoryFileSystem fs;
  const std::unique_ptr<File> file = Create(&fs, "/a");
  fs.SetCapacity(4);

  EXPECT_EQ(file->WriteAt(0, {"abc", "def"}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Content(&fs, "/a"), "abcd");
  EXPECT_TRUE(file->WriteAt(0, {"wxyz"}).ok());
  EXPECT_EQ(*fs.FreeBytes("/"), 0u);
}

TEST(MemoryFileSystem, AfterThePowerWentNothingWorksUntilTheCrash) {
  MemoryFileSystem fs;
  const std::unique_ptr<File> file = Create(&fs, "/a");
  fs.PowerOffAfter(1);

  EXPECT_TRUE(file->WriteAt(0, {"1"}).ok());
  EXPECT_FALSE(file->WriteAt(1, {"2"}).ok());
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_FALSE(fs.Open("/a", OpenMode::kRead).ok());
  fs.Crash(1);

  EXPECT_FALSE(file->Sync().ok());
  EXPECT_TRUE(Create(&fs, "/a")->Sync().ok());
}

TEST(MemoryFileSystem, ACloneSharesNothing) {
  MemoryFileSystem fs;
  PutSynced(&fs, "/a", "one");
  const std::unique_ptr<MemoryFileSystem> copy = fs.Clone();

  fs.FlipByte("/a", 0, 1);

  EXPECT_EQ(Content(&fs, "/a"), "nne");
  EXPECT_EQ(Content(copy.get(), "/a"), "one");
}

TEST(MemoryFileSystem, TheHookMayRefuseAStep) {
  MemoryFileSystem fs;
  fs.SetHook([](const MemoryFileSystem::Step& step) {
    return step.kind == MemoryFileSystem::Step::Kind::kRename ? absl::InternalError("no")
                                                              : absl::OkStatus();
  });
  PutSynced(&fs, "/a", "one");

  EXPECT_EQ(fs.Rename("/a", "/b").message(), "no");
  EXPECT_TRUE(fs.Exists("/a"));
}

}  // namespace
}  // namespace totora
