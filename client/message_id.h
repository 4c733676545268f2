// Message ids as the gRPC clients make them: 17 bytes in upper-case hex.
//
//   01 | 6 bytes that name the machine | 2 bytes process id
//      | 4 bytes seconds since 2021-01-01 UTC at start | 4 bytes counter
//
// (Layout: rocketmq-clients, docs/message_id.md.)
#ifndef TOTORA_CLIENT_MESSAGE_ID_H_
#define TOTORA_CLIENT_MESSAGE_ID_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace totora::client {

inline constexpr size_t kMessageIdLength = 34;

// Thread safety: any thread may call Next and WriteNext.
class MessageIdGenerator {
 public:
  struct Origin {
    uint64_t machine = 0;  // Lowest 48 bits are used.
    uint32_t process = 0;  // Lowest 16 bits are used.
    absl::Time start;
  };
  explicit MessageIdGenerator(const Origin& origin);

  // Differs from every earlier result of this generator. When the counter
  // has been through all its values, the seconds move on by one.
  std::string Next();

  // The same, written to the kMessageIdLength bytes at `to`.
  void WriteNext(char* to);

  // The one of this process. Its machine bytes are random, drawn at the first
  // use: containers share addresses, and a process that is started again within
  // a second, with the same process id, must not repeat its ids.
  static MessageIdGenerator* OfProcess();

 private:
  const uint64_t high_;  // Version, machine and the first process byte.
  const uint8_t process_low_;
  const uint32_t start_seconds_;
  std::atomic<uint64_t> next_{0};
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_MESSAGE_ID_H_
