// A directory for one test, gone at its end.
#ifndef TOTORA_STORE_TEMP_DIRECTORY_H_
#define TOTORA_STORE_TEMP_DIRECTORY_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace totora::store {

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = ::testing::TempDir() + "/totora-store-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  // Where a store may be made; does not exist yet.
  std::string path() const { return path_ + "/db"; }

 private:
  std::string path_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_TEMP_DIRECTORY_H_
