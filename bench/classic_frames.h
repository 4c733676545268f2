// Requests of the classic protocol for load: what is equal in all of them is
// encoded once.
#ifndef TOTORA_BENCH_CLASSIC_FRAMES_H_
#define TOTORA_BENCH_CLASSIC_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "remoting/command.h"

namespace totora::bench {

// Numbers of requests, all of ten digits: a JSON header keeps its length
// whichever is written into it.
//
// Thread safety: confined.
class Opaques {
 public:
  static constexpr int32_t kFirst = 1'000'000'000;

  int32_t Next() {
    const int32_t taken = next_;
    next_ = taken == INT32_MAX ? kFirst : taken + 1;
    return taken;
  }

 private:
  int32_t next_ = kFirst;
};

// Unique ids of messages: 32 hexadecimal digits, as long as those that Java makes.
//
// Thread safety: confined.
class UniqueIds {
 public:
  static constexpr size_t kDigits = 32;

  // Ids of one origin never repeat.
  explicit UniqueIds(uint64_t origin) : origin_(origin) {}

  // Writes kDigits digits at `to`.
  void WriteNext(char* to);

 private:
  const uint64_t origin_;
  uint64_t next_ = 0;
};

struct ClassicSendContent {
  std::string topic;
  std::string producer_group;
  std::string body;
  // Above 1: a batch request (code 320), else one message (310).
  size_t batch = 1;
  // Queues 0 to queues - 1 can be asked for.
  int32_t queues = 1;
  remoting::Serializer serializer = remoting::Serializer::kCompact;
};

// A send as the Java client writes it, for each queue. A use copies the frame
// and fills in opaque, birth time and ids.
//
// Thread safety: immutable; any thread.
class ClassicSendTemplate {
 public:
  // Errors: InvalidArgument for no message or no queue; ResourceExhausted for a
  //   frame that is too large.
  static absl::StatusOr<ClassicSendTemplate> Make(const ClassicSendContent& content);

  // REQUIRES: 0 <= queue_id < queues; `opaque` is one of Opaques.
  std::string Frame(int32_t queue_id, int32_t opaque, int64_t now_ms, UniqueIds* ids) const;

  size_t batch() const { return batch_; }

 private:
  // All of a frame before its body, and what is to be written over.
  struct Head {
    std::string bytes;
    size_t opaque_at = 0;
    size_t born_at = 0;
    size_t id_at = 0;
  };

  ClassicSendTemplate() = default;
  static absl::StatusOr<Head> MakeHead(const ClassicSendContent& content, int32_t queue_id,
                                       size_t body_size);

  size_t batch_ = 1;
  remoting::Serializer serializer_ = remoting::Serializer::kCompact;
  std::vector<Head> heads_;  // By queue.
  std::string body_;
  std::vector<size_t> body_ids_at_;  // Of a batch.
};

// How many stored messages the body of a pull's answer holds.
// Errors: DataLoss if their lengths do not add up to it.
absl::StatusOr<uint64_t> CountStoredMessages(absl::string_view body);

}  // namespace totora::bench

#endif  // TOTORA_BENCH_CLASSIC_FRAMES_H_
