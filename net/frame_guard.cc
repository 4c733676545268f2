#include "net/frame_guard.h"

#include <algorithm>
#include <cstring>

namespace totora::net {
namespace {

constexpr size_t kPrefaceBytes = 24;
constexpr size_t kHeaderBytes = 9;

// RFC 9113 §6.
constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kResetStream = 3;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kPing = 6;
constexpr uint8_t kGoAway = 7;
constexpr uint8_t kWindowUpdate = 8;
constexpr uint8_t kContinuation = 9;

constexpr uint8_t kFlagEndStream = 0x1;
constexpr uint8_t kFlagAck = 0x1;
constexpr uint8_t kFlagEndHeaders = 0x4;

}  // namespace

FrameGuard::FrameGuard(const NetLimits& limits)
    : limits_(limits),
      settings_(limits.settings),
      pings_(limits.pings),
      window_updates_(limits.window_updates),
      others_(limits.other_frames),
      skip_(kPrefaceBytes) {}

FrameGuard::Result FrameGuard::Feed(absl::string_view bytes, int64_t now_nanos) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (skip_ > 0) {
      const size_t now = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size() - at));
      skip_ -= now;
      at += now;
      continue;
    }
    const size_t now = std::min(kHeaderBytes - header_have_, bytes.size() - at);
    std::memcpy(header_ + header_have_, bytes.data() + at, now);
    header_have_ += now;
    at += now;
    if (header_have_ < kHeaderBytes) break;
    header_have_ = 0;
    skip_ = uint64_t{header_[0]} << 16 | uint64_t{header_[1]} << 8 | header_[2];
    const Verdict verdict = Judge(now_nanos);
    // Of a frame header that came in two pieces nghttp2 already has the first.
    if (verdict != Verdict::kOk) return {verdict, at - now};
  }
  return {Verdict::kOk, bytes.size()};
}

FrameGuard::Verdict FrameGuard::Judge(int64_t now_nanos) {
  const uint64_t length = skip_;
  const uint8_t type = header_[3];
  const uint8_t flags = header_[4];
  bool fine = true;
  switch (type) {
    case kData:
      // Empty frames cost us work and the sender no window.
      if (length == 0 && (flags & kFlagEndStream) == 0) fine = others_.Take(now_nanos);
      break;
    case kHeaders:
    case kContinuation:
      if (type == kHeaders) {
        block_bytes_ = 0;
        continuations_ = 0;
        // gRPC's C++ core opens the window of each stream a little when it
        // begins to read, before any data.
        other_credit_.Add(1);
        window_credit_.Add(4);
      } else if (++continuations_ > limits_.continuations_max) {
        return Verdict::kHeaderBlockTooLarge;
      }
      block_bytes_ += length;
      in_header_block_ = (flags & kFlagEndHeaders) == 0;
      if (block_bytes_ > limits_.header_block_bytes_max) return Verdict::kHeaderBlockTooLarge;
      break;
    case kSettings:
      fine = (flags & kFlagAck) != 0 ? others_.Take(now_nanos) : settings_.Take(now_nanos);
      break;
    case kPing:
      // Clients measure bandwidth with a ping for each burst of data.
      if ((flags & kFlagAck) != 0) {
        fine = others_.Take(now_nanos);
      } else {
        fine = ping_credit_.Take() || pings_.Take(now_nanos);
      }
      break;
    case kWindowUpdate:
      fine = window_credit_.Take() || window_updates_.Take(now_nanos);
      break;
    case kResetStream:  // Judged by the session, which knows the stream's age.
    case kGoAway:
      break;
    default:  // PRIORITY, unknown types.
      fine = other_credit_.Take() || others_.Take(now_nanos);
      break;
  }
  return fine ? Verdict::kOk : Verdict::kControlFlood;
}

}  // namespace totora::net
