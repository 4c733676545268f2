// Watches the frames of an HTTP/2 client before they reach nghttp2.
//
// It looks at nothing but frame headers and answers one question: does this
// client send more headers or more control frames than its requests and our
// responses explain? Everything about the meaning of frames is nghttp2's. In
// front of it, because a header block is a cost as soon as it is decoded.
// Attacks: reference CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-28182.
#ifndef TOTORA_NET_FRAME_GUARD_H_
#define TOTORA_NET_FRAME_GUARD_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "net/limits.h"
#include "net/token_bucket.h"

namespace totora::net {

// Thread safety: confined.
class FrameGuard {
 public:
  enum class Verdict { kOk, kHeaderBlockTooLarge, kControlFlood };

  struct Result {
    Verdict verdict;
    size_t allowed;  // How many of the bytes may go on to nghttp2.
  };

  explicit FrameGuard(const NetLimits& limits);

  // Looks at the next bytes of the connection, which begin with the preface.
  // After anything but kOk the connection must be cut.
  Result Feed(absl::string_view bytes, int64_t now_nanos);

  // We sent a DATA or HEADERS frame, to which clients react.
  void OnFrameSent() {
    ping_credit_.Add(1);
    window_credit_.Add(2);
  }

  // A header block has begun and not ended.
  bool in_header_block() const { return in_header_block_; }

 private:
  Verdict Judge(int64_t now_nanos);

  const NetLimits& limits_;
  TokenBucket settings_;
  TokenBucket pings_;
  TokenBucket window_updates_;
  TokenBucket others_;
  Credit ping_credit_{1000};
  Credit window_credit_{100'000};
  Credit other_credit_{10'000};  // PRIORITY frames, one for each request.

  uint8_t header_[9] = {};
  size_t header_have_ = 0;
  uint64_t skip_;  // Bytes of payload, or of the preface, still to come.
  bool in_header_block_ = false;
  size_t block_bytes_ = 0;
  int continuations_ = 0;
};

}  // namespace totora::net

#endif  // TOTORA_NET_FRAME_GUARD_H_
