#include "client/message_id.h"

#include <unistd.h>

#include <random>

#include "absl/time/civil_time.h"
#include "absl/time/clock.h"

namespace totora::client {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

// Writes the lowest `bytes` bytes of `value`, highest first; returns the end.
char* PutHex(char* to, uint64_t value, int bytes) {
  for (int shift = bytes * 8 - 4; shift >= 0; shift -= 4) {
    *to++ = kHex[(value >> shift) & 0xF];
  }
  return to;
}

uint32_t SecondsSinceEpoch2021(absl::Time time) {
  const absl::Time epoch = absl::FromCivil(absl::CivilSecond(2021, 1, 1), absl::UTCTimeZone());
  return static_cast<uint32_t>(absl::ToInt64Seconds(time - epoch));
}

}  // namespace

MessageIdGenerator::MessageIdGenerator(const Origin& origin)
    : high_((uint64_t{0x01} << 56) | ((origin.machine & 0xFFFFFFFFFFFFull) << 8) |
            ((origin.process >> 8) & 0xFF)),
      process_low_(static_cast<uint8_t>(origin.process & 0xFF)),
      start_seconds_(SecondsSinceEpoch2021(origin.start)) {}

void MessageIdGenerator::WriteNext(char* to) {
  const uint64_t n = next_.fetch_add(1, std::memory_order_relaxed);
  to = PutHex(to, high_, 8);
  to = PutHex(to, process_low_, 1);
  to = PutHex(to, start_seconds_ + static_cast<uint32_t>(n >> 32), 4);
  PutHex(to, n & 0xFFFFFFFFull, 4);
}

std::string MessageIdGenerator::Next() {
  std::string id(kMessageIdLength, '0');
  WriteNext(id.data());
  return id;
}

MessageIdGenerator* MessageIdGenerator::OfProcess() {
  static MessageIdGenerator* const generator = [] {
    std::random_device random;
    const uint64_t machine = (uint64_t{random()} << 32) | random();
    return new MessageIdGenerator(
        {.machine = machine, .process = static_cast<uint32_t>(getpid()), .start = absl::Now()});
  }();
  return generator;
}

}  // namespace totora::client
